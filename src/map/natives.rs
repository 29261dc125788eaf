//! The filters that a map has: jq's own without those that see more than the document, and `uuid5`.

use jaq_core::{
    Cv, Error, Exn, ValX,
    load::{self, parse::Def},
    native::{Fun, bome, run, unary, v},
    val::ValXs,
};
use jaq_json::{Num, Val};
use jaq_std::ValT as _;
use sha1::{Digest as _, Sha1};

use super::{OneDocument, budget::Limit, guard, regexes};
use crate::document::parse_uuid;

/// What a filter gives.
pub(super) type Outputs<'a> = ValXs<'a, Val>;

/// Definitions of jq's that rest on what there is not.
const LEFT_OUT: [&str; 19] = [
    "stderr",
    "debug",
    "halt",
    "halt_error",
    "logb",
    "significand",
    "pow10",
    "drem",
    "nexttoward",
    "scalb",
    "gamma",
    "todate",
    "fromdate",
    "@html",
    "@htmld",
    "@uri",
    "@urid",
    "@base64",
    "@base64d",
];

/// Natives that are replaced, or not there.
const REPLACED: [&str; 3] = ["halt", "range", "fromjson"];

/// An integer of more digits is no number of a document, and reading it takes the square of its length.
const DIGITS_MAX: usize = 400;

/// jq's own gathers the text in a `reduce`, which keeps each state of it: documents would decide how much memory that takes.
const SUB: &str = r#"
def sub(re; f; flags):
  def one: if length == 1 then .[0] else error("a replacement is one text") end;
  [split_captures(re; flags)[] | if isstring then . else [f] | one end] | joined;
"#;

pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let own = load::parse(SUB, |parser| parser.defs()).expect("it is jq");
    let own = move |def: Def<&'static str>| {
        let same = own.iter().find(|own| own.name == def.name && own.args.len() == def.args.len());
        same.cloned().unwrap_or(def)
    };
    all.filter(|def| !LEFT_OUT.contains(&def.name)).map(own)
}

pub(super) fn functions() -> impl Iterator<Item = Fun<OneDocument>> {
    let all = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    let all = all.filter(|(name, ..)| !REPLACED.contains(name));
    let own: [Fun<OneDocument>; 6] = [
        run((guard::STEP, v(0), |cv| step(&cv))),
        run((guard::TIMES, v(2), |cv| times(cv))),
        run(("range", v(3), |cv| range(cv))),
        run(("fromjson", v(0), |cv| from_json(cv))),
        run(("uuid5", v(1), |cv| uuid5(cv))),
        run(("joined", v(0), |cv| joined(&cv))),
    ];
    all.chain(own).chain(regexes::functions())
}

/// Why there is none of this name, where it may be looked for.
pub(super) fn why_missing(name: &str) -> Option<&'static str> {
    Some(match name {
        "env" | "$ENV" | "now" | "input" | "inputs" | "input_filename" | "input_line_number"
        | "$__prog_args" => {
            "a map sees one document and nothing else, so that it always makes the same of it"
        }
        "halt" | "halt_error" => "a map can't end the run; error rejects the document, empty drops it",
        "debug" | "stderr" => "what a map wrote would hold customers' values; see profile-loader map",
        _ => return None,
    })
}

pub(super) fn over<'a>(_: Limit) -> ValX<'a, Val> {
    // What no `try` catches.
    Err(Exn::halt(1))
}

fn once(value: ValX<'_, Val>) -> Outputs<'_> {
    Box::new(std::iter::once(value))
}

fn step<'a>(cv: &Cv<'a, OneDocument>) -> Outputs<'a> {
    let budget = &cv.0.data().budget;
    let length = match &cv.1 {
        Val::TStr(text) | Val::BStr(text) => text.len(),
        Val::Arr(items) => items.len(),
        _ => 0,
    };
    once(match budget.step().and_then(|()| budget.check_length(length)) {
        Ok(()) => Ok(Val::Null),
        Err(limit) => over(limit),
    })
}

fn times(mut cv: Cv<'_, OneDocument>) -> Outputs<'_> {
    let (r, l) = (cv.0.pop_var(), cv.0.pop_var());
    let length = |text: &Val, count: &Val| {
        let text = text.as_bytes()?.len();
        let Val::Num(count) = count else { return None };
        let count = match count {
            Num::Int(count) => usize::try_from(*count).unwrap_or(0),
            _ => usize::MAX,
        };
        Some(text.saturating_mul(count))
    };
    let length = length(&l, &r).or_else(|| length(&r, &l)).unwrap_or(0);
    match cv.0.data().budget.check_length(length) {
        Ok(()) => bome(l * r),
        Err(limit) => once(over(limit)),
    }
}

fn range(mut cv: Cv<'_, OneDocument>) -> Outputs<'_> {
    let (by, to, from) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
    let running = *cv.0.data();
    let zero = Val::from(0_usize);
    let mut next = Some(Ok(from));
    Box::new(std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        let goes_on = match by.cmp(&zero) {
            std::cmp::Ordering::Greater => value < to,
            std::cmp::Ordering::Less => value > to,
            std::cmp::Ordering::Equal => value != to,
        };
        if !goes_on {
            return None;
        }
        if let Err(limit) = running.budget.step() {
            return Some(over(limit));
        }
        next = Some((value.clone() + by.clone()).map_err(Exn::from));
        Some(Ok(value))
    }))
}

fn from_json(cv: Cv<'_, OneDocument>) -> Outputs<'_> {
    let Some(text) = cv.1.as_utf8_bytes() else { return bome(Err(Error::typ(cv.1, "string"))) };
    let has_long_number = text.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > DIGITS_MAX);
    let depth = text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if has_long_number || depth > crate::document::VALUES_MAX {
        return bome(Err(Error::str("a text that is no JSON of a document")));
    }
    // The parser says the same of a fault for ever.
    let mut values = Vec::new();
    for value in jaq_json::read::parse_many(text) {
        match value {
            Ok(value) if values.len() < crate::document::VALUES_MAX => values.push(Ok(value)),
            _ => {
                values.push(Err(Exn::from(Error::str("a text that is no JSON of a document"))));
                break;
            }
        }
    }
    Box::new(values.into_iter())
}

/// The texts of an array as one.
fn joined<'a>(cv: &Cv<'a, OneDocument>) -> Outputs<'a> {
    let Val::Arr(parts) = &cv.1 else { return bome(Err(Error::typ(cv.1.clone(), "array"))) };
    let length = parts.iter().filter_map(|part| part.as_bytes()).map(<[u8]>::len).sum();
    if let Err(limit) = cv.0.data().budget.check_length(length) {
        return once(over(limit));
    }
    let mut text = String::with_capacity(length);
    for part in parts.iter() {
        match regexes::text_of(part) {
            Ok(part) => text.push_str(part),
            Err(error) => return bome(Err(error)),
        }
    }
    bome(Ok(Val::from(text)))
}

/// A UUID of version 5 (RFC 9562 section 5.5) of a text in a namespace.
fn uuid5(cv: Cv<'_, OneDocument>) -> Outputs<'_> {
    unary(cv, |name, namespace| {
        let name = name.as_utf8_bytes().ok_or_else(|| Error::str("uuid5 is made of a text (tostring)"))?;
        let namespace = namespace.as_utf8_bytes().and_then(|text| std::str::from_utf8(text).ok());
        let namespace = namespace.and_then(parse_uuid);
        let namespace = namespace.ok_or_else(|| Error::str("the namespace of uuid5 is no UUID"))?;
        Ok(Val::from(hyphenated(&namespace, name)))
    })
}

pub(super) fn hyphenated(namespace: &[u8; 16], name: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha1::new().chain_update(namespace).chain_update(name).finalize();
    let mut text = String::with_capacity(36);
    for (at, byte) in digest.iter().take(16).enumerate() {
        let byte = match at {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("writing to a String");
    }
    text
}
