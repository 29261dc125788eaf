//! Tells from a source's first bytes that it is not NDJSON at all, so that a million rejections of one
//! cause become one error that says how to convert the file.
//!
//! Only shapes that no NDJSON export has are refused; anything doubtful is left to the documents' own checks.

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the input is instead of NDJSON, and how to make NDJSON of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) found: &'static str,
    pub(super) fix: String,
}

/// The length of a UTF-8 byte order mark at the start of `head`, 0 or 3.
pub(super) fn bom_bytes(head: &[u8]) -> usize {
    if head.starts_with(BOM) { BOM.len() } else { 0 }
}

/// Looks at the decompressed start of a source (after a byte order mark): all of it, or at least one chunk.
pub(super) fn foreign(head: &[u8], name: &str) -> Option<Foreign> {
    let foreign = |found, fix: &str| {
        // What came in through a pipe is to be converted in that pipe.
        let fix = if name == "-" { fix.replace(" FILE", "") } else { fix.replace("FILE", name) };
        Some(Foreign { found, fix })
    };
    match head {
        [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => {
            return foreign("UTF-16", "convert it with: iconv -f UTF-16LE -t UTF-8 FILE");
        }
        [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => {
            return foreign("UTF-16", "convert it with: iconv -f UTF-16BE -t UTF-8 FILE");
        }
        [b'P', b'K', 3, 4, ..] => {
            return foreign("a ZIP archive", "pipe it in: unzip -p FILE | profile-loader … -");
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            return foreign("an xz stream", "pipe it in: xz -dc FILE | profile-loader … -");
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => {
            return foreign("a bzip2 stream", "pipe it in: bzip2 -dc FILE | profile-loader … -");
        }
        [b'P', b'A', b'R', b'1', ..] => {
            return foreign("a Parquet file", "export it as one JSON object a line");
        }
        _ => {}
    }
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty());
    let first = lines.next()?;
    let second = lines.next();
    match first[0] {
        b'[' => foreign("a JSON array", "write one document a line with: jq -c '.[]' FILE"),
        b'<' => {
            foreign("an HTML or XML page", "check where it was downloaded from, perhaps it is a login page")
        }
        // A lone brace may be the start of a document that was cut off.
        b'{' if is_pretty_printed(first, second)
            && memchr::memchr(b'\n', head.trim_ascii_start()).is_some() =>
        {
            foreign("pretty-printed JSON", "write one document a line with: jq -c . FILE")
        }
        b'{' => None,
        _ if is_csv(first, second) => {
            foreign("CSV", "convert it to one JSON object a line, with typed and nested properties")
        }
        _ => None,
    }
}

/// A first line that can't be a whole object, followed by one that goes on inside it.
fn is_pretty_printed(first: &[u8], second: Option<&[u8]>) -> bool {
    let open_end = matches!(first.last(), Some(b'{' | b'[' | b','));
    let goes_on = second.map(|line| matches!(line[0], b'"' | b'}' | b']'));
    goes_on.map_or(first == b"{", |goes_on| open_end && goes_on)
}

/// Two lines with the same separator, neither of which starts like an object.
fn is_csv(first: &[u8], second: Option<&[u8]>) -> bool {
    let named_like_a_header = first[0].is_ascii_alphabetic() || first[0] == b'"';
    named_like_a_header
        && [b',', b';', b'\t'].iter().any(|separator| {
            first.contains(separator) && second.is_none_or(|line| line[0] != b'{' && line.contains(separator))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &[u8], expected: Option<&str>) {
        assert_eq!(foreign(head, "f").map(|f| f.found), expected, "{:?}", String::from_utf8_lossy(head));
    }

    #[test]
    fn other_formats_are_named() {
        check(b"[{\"id\":1}]", Some("a JSON array"));
        check(b"\n\n  [\n {\"id\":1}\n]", Some("a JSON array"));
        check(b"{\n  \"id\": 1\n}\n", Some("pretty-printed JSON"));
        check(b"{\"id\": 1,\n \"firstName\": \"A\"}\n", Some("pretty-printed JSON"));
        check(b"{\r\n", Some("pretty-printed JSON"));
        check(b"\xff\xfe{\0", Some("UTF-16"));
        check(b"{\0\"\0", Some("UTF-16"));
        check(b"\xfe\xff\0{", Some("UTF-16"));
        check(b"id,firstName\n1,Ann\n", Some("CSV"));
        check(b"\"id\";\"firstName\"\n", Some("CSV"));
        check(b"<!doctype html>\n<html>", Some("an HTML or XML page"));
        check(b"PK\x03\x04..", Some("a ZIP archive"));
    }

    #[test]
    fn ndjson_and_its_broken_lines_are_left_alone() {
        check(b"", None);
        check(b"\n \n", None);
        check(b"{}\n{}\n", None);
        check(b"{\"id\": 1\n{\"id\": 2}\n", None);
        check(b"{\"id\": 1,\n{\"id\": 2}\n", None);
        check(b"oops, a log line\n{\"id\": 2}\n", None);
        check(b"null\n1\n", None);
        check(b"\"a,b\"\n{}\n", None);
        check(b"{\"truncated\":\"li", None);
        check(b"\n{", None);
    }

    #[test]
    fn the_command_names_the_file() {
        assert_eq!(
            foreign(b"[1]", "a.json").unwrap().fix,
            "write one document a line with: jq -c '.[]' a.json"
        );
    }
}
