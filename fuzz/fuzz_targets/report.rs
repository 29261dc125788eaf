//! A report with anything in any place is refused, or makes a page of bounded size in which everything is text, and is read
//! again as it was written.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use profile_loader::internals::report::fuzzing::read;
use profile_loader_fuzz::{forms::check, reports};
use serde_json::{Value, json};

static REPORT: LazyLock<Value> = LazyLock::new(reports::full);

/// Of one place in the report, found by going down by these numbers.
#[derive(Debug, Arbitrary)]
struct Edit<'a> {
    path: Vec<u8>,
    value: Edited<'a>,
}

#[derive(Debug, Arbitrary)]
enum Edited<'a> {
    Text(&'a str),
    /// A text that is so often there.
    Long(&'a str, u16),
    Count(u64),
    SmallCount(u8),
    Number(f64),
    Null,
    Removed,
    /// What is there, again and again.
    Repeated(u8),
}

fuzz_target!(|edits: Vec<Edit<'_>>| {
    let mut value = REPORT.clone();
    for edit in edits.iter().take(20) {
        apply(&mut value, &edit.path, &edit.value);
    }
    let text = value.to_string();
    if text.len() > 4_000_000 {
        return;
    }
    let Ok(mut report) = read(text.as_bytes()) else { return };
    // Each takes long.
    match edits.len() % 3 {
        0 => {}
        1 => {
            let before = report.clone();
            report.compare_with(&before);
        }
        _ => {
            let before = report.clone();
            let _ = report.merge(before);
        }
    }
    check(&report);
});

fn apply(value: &mut Value, path: &[u8], edited: &Edited<'_>) {
    if let Some((&at, rest)) = path.split_first() {
        let at = usize::from(at);
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = at % items.len();
                return apply(&mut items[at], rest, edited);
            }
            Value::Object(members) if !members.is_empty() => {
                let at = at % members.len();
                let name = members.keys().nth(at).expect("it is less than there are").clone();
                if rest.is_empty() && matches!(edited, Edited::Removed) {
                    members.remove(&name);
                    return;
                }
                return apply(&mut members[&name], rest, edited);
            }
            _ => {}
        }
    }
    *value = match edited {
        Edited::Text(text) => json!(text),
        Edited::Long(text, times) => json!(text.repeat(usize::from(*times).min(100_000 / text.len().max(1)))),
        Edited::Count(count) => json!(count),
        Edited::SmallCount(count) => json!(count),
        Edited::Number(number) => json!(number),
        Edited::Null | Edited::Removed => Value::Null,
        Edited::Repeated(times) => match value.take() {
            Value::Array(items) => {
                let count = items.len() * usize::from(*times);
                Value::Array(items.into_iter().cycle().take(count.min(5000)).collect())
            }
            other => other,
        },
    };
}
