//! JSON that is not one document a line: documents in an array, over several lines, behind each other or behind
//! separators; and what has to be converted: documents in strings or deeper inside, line ends that are none of NDJSON's.

use std::{borrow::Cow, ops::Range};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    lines::{Head, is_document_start, is_object},
    shape::{Fix, Shape},
};

const A_LINE_EACH: &str = "write one document a line with";

/// JSON that is not NDJSON.
pub(super) enum Json {
    /// It can be read as it is.
    Documents,
    Other(Shape),
}

pub(super) fn json(head: &Head<'_>) -> Option<Json> {
    let documents = |is_so: bool| is_so.then_some(Json::Documents);
    if let Some(shape) = cr_lines(head) {
        return Some(Json::Other(shape));
    }
    match head.lines.first()?[0] {
        b'[' => documents(is_array(head)),
        b'{' => match container_log(head) {
            Some(shape) => Some(Json::Other(shape)),
            None => documents(are_concatenated(head)).or_else(|| object(head)),
        },
        b'"' => strings(head).map(Json::Other),
        0x1e => documents(is_separated(head)),
        _ => None,
    }
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

fn is_array(head: &Head<'_>) -> bool {
    let Layout { values, end } = Layout::of(head.bytes);
    let are_arrays = values.iter().all(|value| head.bytes[value.start] == b'[');
    match end {
        End::Whole => are_arrays,
        End::Incomplete => are_arrays && documents_are_items(head),
        End::Broken => {
            let inside = head.bytes.trim_ascii_start()[1..].trim_ascii_start();
            are_arrays && inside.first() == Some(&b'{') && documents_are_items(head)
        }
    }
}

/// Whether objects stand behind each other and none has a line of its own.
fn are_concatenated(head: &Head<'_>) -> bool {
    if head.lines.first().is_some_and(|line| is_object(line)) {
        return false;
    }
    let Layout { values, end } = Layout::of(head.bytes);
    let is_blank = |text: &[u8]| text.trim_ascii().is_empty();
    let has_own_line = |value: &Range<usize>| {
        let (before, behind) = (&head.bytes[..value.start], &head.bytes[value.end..]);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        let line_end = memchr::memchr(b'\n', behind).unwrap_or(behind.len());
        let is_one_line = !head.bytes[value.clone()].contains(&b'\n');
        is_one_line && is_blank(&before[line_start..]) && is_blank(&behind[..line_end])
    };
    let are_objects = values.iter().all(|value| head.bytes[value.start] == b'{');
    let begins_another = values.last().is_some_and(|last| {
        let behind = &head.bytes[last.end..];
        let rest = behind.trim_ascii_start();
        end == End::Incomplete
            && is_document_start(rest)
            && !behind[..behind.len() - rest.len()].contains(&b'\n')
    });
    let count = values.len() + usize::from(begins_another);
    count > 1 && are_objects && end != End::Broken && !values.iter().any(has_own_line)
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
fn object(head: &Head<'_>) -> Option<Json> {
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
    Some(if values.len() <= 1 && is_wrapped(&head.lines) {
        Json::Other(Shape {
            found: "a JSON object with an array of documents",
            told: "it begins with { and goes on inside it for lines",
            fix: Fix::Command(A_LINE_EACH, "jq -c '.[] | arrays[]' FILE"),
        })
    } else if behind == Some(&b',') {
        Json::Other(Shape {
            found: "documents with commas between them and no array around them",
            told: "a comma follows its first document, which takes several lines",
            fix: Fix::Command(A_LINE_EACH, "sed 's/^},/}/' FILE | jq -c ."),
        })
    } else {
        Json::Documents
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

/// RFC 7464: U+001E before each record, which may take several lines. Where a whole document stands on the first line of
/// each record and further lines behind it, it is NDJSON with a separator in it.
fn is_separated(head: &Head<'_>) -> bool {
    let mut records: Vec<_> =
        head.bytes.split(|&byte| byte == 0x1e).map(<[u8]>::trim_ascii).filter(|r| !r.is_empty()).collect();
    if head.is_cut && records.len() > 1 {
        records.pop();
    }
    let is_ndjson = |record: &&[u8]| {
        let end = memchr::memchr(b'\n', record);
        end.is_some_and(|end| is_object(&record[..end]))
    };
    records.is_empty() || !records.iter().all(is_ndjson)
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
