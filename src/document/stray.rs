//! Words for what is in a line besides JSON: marks of encodings, separators, logs and their like.
//!
//! They speak of the kind alone, so that all lines of a kind are one entry of the report, and quote nothing.

use super::tree::{Kind, Node};
use crate::limits::HOLE_BYTES_MIN;

const WIDE_TEXT: &str = "zero bytes (U+0000) stand between its characters, as UTF-16 has them: convert that part with \
                         iconv -f UTF-16 -t UTF-8 before parts are joined";
const NUL: &str = r"it holds zero bytes (U+0000): take them out with tr -d '\000'";
pub(super) const HOLE: &str = r"it holds a hole, a run of zero bytes (U+0000), as a file has that was made longer and not written: what was to stand there is missing, so bring a sound copy, or take the zero bytes out with tr -d '\000'";
const BINARY: &str =
    "it is not text: zero bytes (U+0000) and others that no text has are in it, as in a program or a picture";
const BOM: &str = r"U+FEFF, a byte order mark, stands in the middle of the input, as where files were joined: take it off with sed 's/^\xef\xbb\xbf//'";
const BOM_BEHIND: &str = r"U+FEFF, a byte order mark, follows the document, as where files were joined: end the line there with sed 's/}\xef\xbb\xbf/}\n/g'";
const RECORD_SEPARATOR: &str =
    r"U+001E, the record separator of RFC 7464, stands in it: take it out with tr -d '\036'";
const CR: &str = r"CR (U+000D) stands between documents without a line feed: if lines end so, turn it into line feeds with tr '\r' '\n'";
const SUBSTITUTE: &str = r"U+001A, the end mark of old systems, stands in it: take it out with tr -d '\032'";
const LINE_SEPARATOR: &str = "a line separator of Unicode (U+2028, U+2029 or U+0085) stands outside of strings: lines \
                              have to end in LF";
const ODD_BLANK: &str = "white space that JSON does not have stands outside of strings";
const LOG: &str = "text of a log stands before a document: take it off with sed 's/^[^{]*//'";
const EVENT: &str =
    "'data: ' of a server-sent event stands before a document: take it off with sed 's/^data: *//'";
const TEXT: &str = "text stands before a document: take it off with sed 's/^[^{]*//'";
const TEXT_AROUND: &str =
    "text stands before a document and behind it: take both off with sed -e 's/^[^{]*//' -e 's/[^}]*$//'";
const LOG_AROUND: &str = "text of a log stands before a document and behind it: take both off with sed -e 's/^[^{]*//' -e 's/[^}]*$//'";
const SINGLE_QUOTES: &str = r#"single quotes stand around the document, as around a word of a shell: take them off with sed -e "s/^[[:space:]]*'//" -e "s/'[,;[:space:]]*\$//""#;

/// A kind of line, told by how it begins, and its words.
type Beginning = (fn(&str) -> bool, &'static str);

/// The more special before the more general.
const BEGINNINGS: [Beginning; 19] = [
    (|text| text.starts_with('\u{feff}'), BOM),
    (|text| text.starts_with('\u{1e}'), RECORD_SEPARATOR),
    (|text| text.starts_with("data:") && holds_document(text), EVENT),
    (is_event_field, "it is a field of a server-sent event"),
    (|text| text.starts_with("'{"), SINGLE_QUOTES),
    (|text| (is_syslog(text) || is_log(text)) && is_around_document(text), LOG_AROUND),
    (|text| (is_syslog(text) || is_log(text)) && holds_document(text), LOG),
    (is_syslog, "it is a line of syslog"),
    (is_log, "it is a line of a log"),
    (is_markup, "it is a line of HTML or XML"),
    (
        |text| ["[", "]", "],"].contains(&text.trim_end()),
        "it is a bracket of an array around documents; where the array is whole, jq -c '.[]' makes one document a line",
    ),
    (is_comment, "it is a comment, which JSON does not have"),
    (|text| ["---", "..."].contains(&text.trim_end()), "it is a mark of YAML, which NDJSON does not have"),
    (is_rule, "it is a rule of a drawn table"),
    (|text| text.trim_end() == r"\N" || text.trim_end() == r"\.", r"it is \N or \. of COPY"),
    (
        |text| text.starts_with("\"{\"\""),
        "it is quoted as CSV quotes: take the quotes off with sed -e 's/^\"//' -e 's/\"$//' -e 's/\"\"/\"/g'",
    ),
    (|text| text.starts_with(['{', '[']), ""),
    (is_around_document, TEXT_AROUND),
    (holds_document, TEXT),
];

/// Of a line without its line end that is no JSON; `column` is the 1-based byte where that shows.
pub(super) fn words_of_syntax(text: &str, column: usize) -> Option<&'static str> {
    zero_bytes(text.as_bytes())
        .or_else(|| beginning(text))
        .or_else(|| character(text.get(column.checked_sub(1)?..)?))
        .or_else(|| {
            let is_json = text.trim_start().starts_with(['{', '[', '"']);
            (!is_json).then_some("it does not begin with {, as a document does")
        })
}

/// Of a line where something follows the JSON value, from the 1-based byte `column` on.
pub(super) fn words_of_trailing(text: &str, column: usize) -> Option<&'static str> {
    let (before, after) = text.split_at_checked(column.checked_sub(1)?)?;
    let is_object = before.trim_end().ends_with('}');
    let is_behind_cr = before.trim_end_matches([' ', '\t']).ends_with('\r');
    zero_bytes(text.as_bytes()).or_else(|| beginning(text)).or_else(|| match after.chars().next()? {
        '{' if is_behind_cr => Some(CR),
        '{' => Some("another document follows without a line end: jq -c . makes one document a line"),
        ',' if is_object => Some("a comma follows the document: take it off with sed 's/,[[:space:]]*$//'"),
        '\u{feff}' => Some(BOM_BEHIND),
        ']' if is_object => Some("the bracket of an array follows the document: of a whole array jq -c '.[]' makes one document a line"),
        _ => character(after),
    })
}

/// Of a line that is not UTF-8.
pub(super) fn words_of_bytes(line: &[u8]) -> Option<&'static str> {
    let has_mark = line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff");
    if has_mark { Some(WIDE_TEXT) } else { zero_bytes(line) }
}

/// Of JSON that is no object.
pub(super) fn words_of_value(value: Node<'_>) -> Option<&'static str> {
    match value.kind() {
        Kind::Text(text) if text.trim_start().starts_with('{') => Some(
            "a string that seems to hold a document: take it out with jq -c 'if type == \"string\" then fromjson else . end'",
        ),
        Kind::Array(_) if value.items().any(Node::is_object) => Some(
            "an array: write what it holds one a line with jq -c 'if type == \"array\" then .[] else . end'",
        ),
        _ => None,
    }
}

fn beginning(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches([' ', '\t', '\r']);
    // Most lines are documents with a fault inside, and nothing else begins so.
    if text.starts_with('{') {
        return None;
    }
    let (_, words) = BEGINNINGS.iter().find(|(is, _)| is(text))?;
    (!words.is_empty()).then_some(words)
}

/// Of what is where JSON ends.
fn character(rest: &str) -> Option<&'static str> {
    match rest.chars().next()? {
        '\u{feff}' => Some(BOM),
        '\u{1e}' => Some(RECORD_SEPARATOR),
        '\u{1a}' => Some(SUBSTITUTE),
        '\r' => Some(r"CR (U+000D) stands in a string; JSON writes it as \r"),
        '\t' => Some(r"a tab (U+0009) stands in a string; JSON writes it as \t"),
        '\u{2028}' | '\u{2029}' | '\u{85}' => Some(LINE_SEPARATOR),
        '\u{b}' | '\u{c}' | '\u{a0}' | '\u{3000}' | '\u{2000}'..='\u{200f}' => Some(ODD_BLANK),
        _ => None,
    }
}

fn zero_bytes(line: &[u8]) -> Option<&'static str> {
    if memchr::memchr(0, line).is_none() {
        None
    } else if is_wide(line) {
        Some(WIDE_TEXT)
    } else if is_binary(line) {
        Some(BINARY)
    } else if memchr::memmem::find(line, &[0; HOLE_BYTES_MIN]).is_some() {
        Some(HOLE)
    } else {
        Some(NUL)
    }
}

/// In UTF-16 and UTF-32 every second byte is zero, in text of other alphabets than Latin somewhat fewer; and where one in
/// four is the low byte of a character, hardly any is.
fn is_wide(line: &[u8]) -> bool {
    let mut zeros = [0; 4];
    for (at, &byte) in line.iter().enumerate() {
        zeros[at % 4] += usize::from(byte == 0);
    }
    let (count, fewest) = (zeros.iter().sum::<usize>(), zeros.iter().min().copied().unwrap_or(0));
    count < line.len() && 3 * count >= line.len() && 4 * 8 * fewest <= line.len()
}

/// Whether more than a few of the bytes besides zero are of no text.
fn is_binary(line: &[u8]) -> bool {
    let strange = |&byte: &u8| byte < b' ' && !matches!(byte, 0 | b'\t'..=b'\r' | 0x1a | 0x1b | 0x1e);
    let others = line.iter().filter(|&&byte| byte != 0).count();
    20 * line.iter().filter(|byte| strange(byte)).count() > others
}

fn holds_document(text: &str) -> bool {
    let starts = memchr::memchr_iter(b'{', text.as_bytes()).map(|at| text[at + 1..].trim_start());
    starts.into_iter().any(|rest| {
        // With its quotes doubled it is a field of CSV.
        rest.starts_with('}') || rest.starts_with('"') && !rest.starts_with("\"\"")
    })
}

/// Whether something follows the document in a line that holds one.
fn is_around_document(text: &str) -> bool {
    holds_document(text) && text.contains('}') && !text.trim_end().ends_with('}')
}

fn is_event_field(text: &str) -> bool {
    ["data:", "event:", "id:", "retry:", ": "].iter().any(|field| text.starts_with(field))
}

/// A priority, as RFC 5424 and RFC 3164 have it.
fn is_syslog(text: &str) -> bool {
    let digits = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    digits.is_some_and(|(digits, _)| {
        (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A level or a time in brackets or without.
fn is_log(text: &str) -> bool {
    const LEVELS: [&str; 9] =
        ["trace", "debug", "info", "notice", "warn", "warning", "error", "fatal", "critical"];
    let text = match text.strip_prefix('[') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ' ') => {
            return rest.contains(']') && !rest.trim_end().ends_with([',', ']']) || rest.contains("] ");
        }
        Some(_) => return false,
        None => text,
    };
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)) || is_time(text.as_bytes())
}

/// `2024-…`, `12:…`, `Nov  7 …`, `127.0.0.1 …`.
fn is_time(text: &[u8]) -> bool {
    const MONTHS: &[u8] = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
    let are_digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    let word = text.split(|&byte| byte == b' ').next().unwrap_or_default();
    let is_address = word.split(|&byte| byte == b'.').filter(|part| !part.is_empty()).count() == 4
        && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    match text {
        [a, b, c, d, b'-' | b'/', ..] if are_digits(&[*a, *b, *c, *d]) => true,
        [a, b, b':', ..] if are_digits(&[*a, *b]) => true,
        _ if MONTHS.chunks(4).any(|name| text.starts_with(name)) => true,
        _ => is_address,
    }
}

fn is_markup(text: &str) -> bool {
    let name = text.strip_prefix('<');
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || "!?/".contains(c)))
}

fn is_comment(text: &str) -> bool {
    ["#", "//", "/*", "-- "].iter().any(|mark| text.starts_with(mark))
}

fn is_rule(text: &str) -> bool {
    text.len() > 2 && text.bytes().all(|byte| b"+-| ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_by_how_they_begin() {
        let check = |line: &str, expected: Option<&str>| {
            let words = beginning(line);
            let is_as_expected = match (words, expected) {
                (Some(words), Some(expected)) => words.contains(expected),
                (words, expected) => words == expected,
            };
            assert!(is_as_expected, "{line}: {words:?}");
        };
        for line in ["[INFO] a {\"id\":1}", "[2024-01-01 12:00:00] {}", "<7>Nov 1 {\"a\":1}", "INFO: {}"] {
            check(line, Some("text of a log"));
        }
        for line in [
            "[INFO] started",
            "[1] a",
            "2024-01-01T00:00:00Z a",
            "12:00:00 a",
            "Nov  7 a",
            "127.0.0.1 - -",
            "WARN a",
            "[main] INFO a",
        ] {
            check(line, Some("a line of a log"));
        }
        check("<7>Nov a", Some("syslog"));
        check("<html>", Some("HTML"));
        check("</p>", Some("HTML"));
        check("data: {\"id\":1}", Some("sed 's/^data: *//'"));
        check("event: x", Some("server-sent"));
        check(": keep-alive", Some("server-sent"));
        check("\u{feff}{}", Some("U+FEFF"));
        check("\u{1e}{}", Some("U+001E"));
        check(" [", Some("bracket"));
        check("# a", Some("comment"));
        check("// a", Some("comment"));
        check("---", Some("YAML"));
        check("+----+---+", Some("table"));
        check(r"\N", Some("COPY"));
        check("key\t{\"id\":1}", Some("text stands before a document:"));
        check("key\t{\"id\":1} x", Some("text stands before a document and behind it:"));
        check("INFO {\"id\":1} in 3 ms", Some("text of a log stands before a document and behind it:"));
        check("'{\"id\":1}'", Some("single quotes"));
        for line in ["", "{'id':1}", "{\"a\":{}}x", "oops", "[1,", "[{\"id\":1},", "12"] {
            check(line, None);
        }
    }

    #[test]
    fn what_follows_a_document_is_told() {
        let check = |line: &str, column: usize, expected: Option<&str>| {
            let words = words_of_trailing(line, column);
            assert!(
                expected.map_or(words.is_none(), |e| words.is_some_and(|w| w.contains(e))),
                "{line}: {words:?}"
            );
        };
        check("{}{}", 3, Some("another document"));
        check("{}\r{}", 4, Some("U+000D"));
        check("{}, ", 3, Some("comma"));
        check("{}]", 3, Some("bracket"));
        check("{}\u{feff}{}", 3, Some("U+FEFF"));
        check("{}\u{1a}", 3, Some("U+001A"));
        check("{}\0", 3, Some("U+0000"));
        check("[1] started", 5, Some("log"));
        for line in ["{}x", "{}}"] {
            check(line, 3, None);
        }
        check("1,2", 2, None);
        assert_eq!(words_of_trailing("{}é", 4), None, "no place between characters");
    }

    #[test]
    fn zero_bytes_are_told_from_wide_text() {
        assert_eq!(zero_bytes(b"{}"), None);
        assert_eq!(zero_bytes(b"\0\0\0"), Some(NUL));
        assert_eq!(zero_bytes(b"{\"id\":1}\0"), Some(NUL));
        for wide in [
            &b"\0{\0\"\0i\0"[..],
            b"{\0\"\0i\0",
            b"\0\0\0{\0\0\0\"\0\0\0}",
            b"{\0\"\0\x41\x01\x42\x01\"\0}\0",
        ] {
            assert_eq!(zero_bytes(wide), Some(WIDE_TEXT), "{wide:?}");
        }
        for zeros in [8, 9, 11, 40, 4096] {
            let hole = vec![0; zeros];
            assert_eq!(zero_bytes(&hole), Some(HOLE));
            assert_eq!(zero_bytes(&[&hole[..], b"{\"id\":1}"].concat()), Some(HOLE), "{zeros}");
            assert_eq!(zero_bytes(&[b"{\"id\":1", &hole[..]].concat()), Some(HOLE), "{zeros}");
        }
        let program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\x40\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0";
        assert_eq!(zero_bytes(program), Some(BINARY));
    }
}
