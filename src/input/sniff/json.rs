//! JSON that is not one document a line: an array, documents over several lines, strings that hold documents, and
//! line ends or separators that are none of NDJSON's.

use std::{borrow::Cow, ops::Range};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    lines::{Head, is_document_start, is_object},
    shape::{Fix, Shape},
};

const A_LINE_EACH: &str = "write one document a line with";
const PRETTY: &str = "pretty-printed JSON";

pub(super) fn json(head: &Head<'_>) -> Option<Shape> {
    cr_lines(head).or_else(|| match head.lines.first()?[0] {
        b'[' => array(head),
        b'{' => container_log(head).or_else(|| object(head)),
        b'"' => strings(head),
        0x1e => separated(head),
        _ => None,
    })
}

/// The values at the top of a text, and what comes after the last one that is whole.
struct Layout {
    values: Vec<Range<usize>>,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// The text ends inside a value.
    Incomplete,
    /// Something that is no JSON.
    Broken,
}

impl Layout {
    fn of(text: &[u8]) -> Self {
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
        let mut layout = Self { values: Vec::new(), end: End::Whole };
        loop {
            let from = values.byte_offset();
            let blanks = text[from..].len() - text[from..].trim_ascii_start().len();
            match values.next() {
                None => return layout,
                Some(Ok(_)) => layout.values.push(from + blanks..values.byte_offset()),
                Some(Err(error)) => {
                    layout.end = if error.is_eof() { End::Incomplete } else { End::Broken };
                    return layout;
                }
            }
        }
    }
}

fn array(head: &Head<'_>) -> Option<Shape> {
    let Layout { values, end } = Layout::of(head.bytes);
    let are_arrays = values.iter().all(|value| head.bytes[value.start] == b'[');
    let is_array = match end {
        End::Whole => are_arrays,
        End::Incomplete => are_arrays && documents_are_items(head),
        End::Broken => {
            let inside = head.bytes.trim_ascii_start()[1..].trim_ascii_start();
            values.is_empty() && inside.first() == Some(&b'{') && documents_are_items(head)
        }
    };
    is_array.then_some(Shape {
        found: "a JSON array",
        told: "it begins with [ and goes on inside it",
        fix: Fix::Command(A_LINE_EACH, "jq -c '.[]' FILE"),
    })
}

/// Whether every line that begins as documents do is followed by a comma or by the end of what it stands in. Those
/// of NDJSON are followed by each other.
fn documents_are_items(head: &Head<'_>) -> bool {
    // What the second line is shows at its end.
    if head.is_cut && matches!(head.lines[..], [_, second] if is_document_start(second)) {
        return false;
    }
    let lines = head.whole_lines();
    let mut commas = 0;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_document_start(line)) {
        commas += usize::from(line.strip_suffix(b",").is_some_and(is_object));
        let is_item = match lines.get(at + 1) {
            _ if line.ends_with(b",") || !is_object(line) => true,
            Some(next) => matches!(next[0], b']' | b'}' | b','),
            None => commas > 0,
        };
        if !is_item {
            return false;
        }
    }
    true
}

/// An object over several lines. Where the first line is whole, it is a document.
fn object(head: &Head<'_>) -> Option<Shape> {
    let (&first, second) = (head.lines.first()?, head.lines.get(1).copied());
    if !head.bytes.trim_ascii_start().contains(&b'\n') {
        return None;
    }
    let Layout { values, end } = Layout::of(head.bytes);
    let spans_lines = |value: &Range<usize>| head.bytes[value.clone()].contains(&b'\n');
    let is_pretty = match end {
        _ if !values.iter().all(spans_lines) => false,
        // A lone brace may be the start of a document that was cut off.
        End::Incomplete if values.is_empty() => {
            (second.is_some() || first == b"{") && documents_are_items(head)
        }
        End::Incomplete => {
            let rest = head.bytes[values.last().map_or(0, |value| value.end)..].trim_ascii_start();
            rest.contains(&b'\n') || !is_document_start(rest)
        }
        End::Whole => true,
        End::Broken => (!values.is_empty() || is_pretty_printed(first, second)) && documents_are_items(head),
    };
    if !is_pretty {
        return None;
    }
    let behind = values.last().and_then(|value| head.bytes[value.end..].trim_ascii_start().first());
    let command = match behind {
        Some(b',') => "sed 's/^},/}/' FILE | jq -c .",
        _ => "jq -c . FILE",
    };
    Some(if values.len() <= 1 && is_wrapped(&head.lines) {
        Shape {
            found: "a JSON object with an array of documents",
            told: "it begins with { and goes on inside it for lines",
            fix: Fix::Command(A_LINE_EACH, "jq -c '.[] | arrays[]' FILE"),
        }
    } else {
        Shape {
            found: PRETTY,
            told: "its first document takes several lines",
            fix: Fix::Command(A_LINE_EACH, command),
        }
    })
}

/// Whether the first or second line opens an array, and the next an object in it.
fn is_wrapped(lines: &[&[u8]]) -> bool {
    match lines {
        [first, second, ..] if first.ends_with(b"[") => second.starts_with(b"{"),
        [b"{", second, third, ..] => second.ends_with(b"[") && third.starts_with(b"{"),
        _ => false,
    }
}

/// A first line that can't be a whole object, followed by one that goes on inside it.
fn is_pretty_printed(first: &[u8], second: Option<&[u8]>) -> bool {
    let open_end = matches!(first.last(), Some(b'{' | b'[' | b','));
    let goes_on = second.map(|line| matches!(line[0], b'"' | b'}' | b']'));
    goes_on.map_or(first == b"{", |goes_on| open_end && goes_on)
}

/// A line of Docker's json-file driver, which cuts long lines of the container into several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(rename = "stream")]
    _stream: &'a str,
    #[serde(rename = "time")]
    _time: &'a str,
    #[serde(rename = "attrs", default)]
    _attributes: IgnoredAny,
}

fn container_log(head: &Head<'_>) -> Option<Shape> {
    let lines = head.whole_lines().iter();
    let lines: Vec<ContainerLine<'_>> =
        lines.map(|line| serde_json::from_slice(line).ok()).collect::<Option<_>>()?;
    // A line that is the end of none is put before the next one.
    let has_line_ends = lines.iter().any(|line| line.log.ends_with('\n'));
    Some(Shape {
        found: "a log of Docker",
        told: "each line holds another one in log, with its stream and time",
        fix: Fix::Command(
            "take the lines out with",
            if has_line_ends { "jq -j .log FILE" } else { "jq -r .log FILE" },
        ),
    })
}

fn strings(head: &Head<'_>) -> Option<Shape> {
    let lines = head.whole_lines();
    // Of a long line alone only the beginning is here.
    let is_string =
        |line: &&[u8]| holds_object(line) || head.is_cut && lines.len() == 1 && line.starts_with(br#""{\""#);
    lines.iter().all(is_string).then_some(Shape {
        found: "JSON strings that hold JSON",
        told: "each line is a string with an object in it",
        fix: Fix::Command("take the documents out with", "jq -c fromjson FILE"),
    })
}

fn holds_object(line: &[u8]) -> bool {
    serde_json::from_slice::<String>(line)
        .is_ok_and(|text| is_object(text.as_bytes()) || holds_object(text.as_bytes()))
}

/// RFC 7464: U+001E before each record, which may take several lines.
fn separated(head: &Head<'_>) -> Option<Shape> {
    let lines = head.whole_lines();
    let (found, told) = ("a JSON text sequence of RFC 7464", "U+001E stands before its records");
    let is_separated = |line: &&[u8]| line[0] == 0x1e;
    if lines.iter().all(is_separated) {
        let fix = Fix::Command("take the separators out with", r"tr -d '\036' < FILE");
        return Some(Shape { found, told, fix });
    }
    let text: Vec<_> = head.bytes.iter().map(|&byte| if byte == 0x1e { b' ' } else { byte }).collect();
    let Layout { values, end } = Layout::of(&text);
    let spans_lines = values.iter().all(|value| text[value.clone()].contains(&b'\n'));
    (spans_lines && end != End::Broken).then_some(Shape {
        found,
        told,
        fix: Fix::Command(A_LINE_EACH, r"tr -d '\036' < FILE | jq -c ."),
    })
}

/// Several documents and no line feed between them; inside a document the carriage return is white space.
fn cr_lines(head: &Head<'_>) -> Option<Shape> {
    if head.bytes.contains(&b'\n') || !head.bytes.contains(&b'\r') {
        return None;
    }
    let documents = head.lines.iter().filter(|line| is_document_start(line)).count();
    let has_whole_one = head.lines.iter().any(|line| is_object(line));
    let Layout { values, end } = Layout::of(head.bytes);
    let is_one_value = match end {
        End::Whole => values.len() == 1,
        End::Incomplete => values.is_empty(),
        End::Broken => false,
    };
    (documents > 1 && has_whole_one && !is_one_value).then_some(Shape {
        found: "lines that end in CR alone",
        told: "U+000D stands between its documents and no line feed",
        fix: Fix::Command(CR_PURPOSE, r"tr '\r' '\n' < FILE"),
    })
}

const CR_PURPOSE: &str = "turn the line ends into line feeds with";
