//! Documents of other framings than NDJSON, against a reader that has the whole text at once.

use std::io::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::{Chunk, ChunkReader, InputError, LINE_BYTES_MAX, Piece, Source, Watermark};
use crate::settings::{Framing, FramingRequest};

/// Line, byte offset and text of each document.
type Places = Vec<(u64, u64, String)>;

const JSON: FramingRequest = FramingRequest::Only(Framing::Json);

/// The chunks up to an error, if there is one.
pub(super) fn read(
    text: &[u8],
    framing: FramingRequest,
    chunk_bytes: usize,
) -> (Vec<Chunk>, Option<InputError>) {
    replay(text, framing, chunk_bytes, &[])
}

fn replay(
    text: &[u8],
    framing: FramingRequest,
    chunk_bytes: usize,
    required: &[Watermark],
) -> (Vec<Chunk>, Option<InputError>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let source = Source::File(file.path().to_owned());
    let mut chunks = Vec::new();
    let mut reader = match ChunkReader::open(vec![source], framing, chunk_bytes) {
        Ok(reader) => reader,
        Err(error) => return (chunks, Some(error)),
    };
    reader.require_watermarks(required.to_vec());
    loop {
        match reader.next_chunk(Vec::new()) {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => return (chunks, None),
            Err(error) => return (chunks, Some(error)),
        }
    }
}

/// Chunks follow each other without a gap; of the documents in them, the places.
fn places(text: &[u8], chunks: &[Chunk]) -> Places {
    let mut places = Vec::new();
    let (mut line, mut byte_offset) = (1, if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 });
    for chunk in chunks {
        assert_eq!((chunk.first_line, chunk.byte_offset, chunk.framing), (line, byte_offset, Framing::Json));
        let start = usize::try_from(byte_offset).unwrap();
        assert!(text[start..].starts_with(&chunk.bytes));
        for document in &chunk.documents {
            let range = document.range();
            let at = byte_offset + range.start as u64;
            let lines = memchr::memchr_iter(b'\n', &chunk.bytes[..range.start]).count() as u64;
            assert_eq!(document.lines_before(), lines);
            places.push((line + lines, at, String::from_utf8_lossy(&chunk.bytes[range]).into_owned()));
        }
        line += chunk.lines as u64;
        byte_offset += chunk.bytes.len() as u64;
        assert_eq!(chunk.lines, memchr::memchr_iter(b'\n', &chunk.bytes).count());
    }
    places
}

pub(super) fn check(text: &str, documents: &[&str]) {
    for chunk_bytes in [1, 7, 1 << 20] {
        let (chunks, error) = read(text.as_bytes(), JSON, chunk_bytes);
        assert!(error.is_none(), "{text:?}: {error:?}");
        let places = places(text.as_bytes(), &chunks);
        assert_eq!(places.iter().map(|place| place.2.as_str()).collect::<Vec<_>>(), documents, "{text:?}");
    }
}

/// What is handed out before the error, which says this.
fn check_error(text: &str, documents: &[&str], is_temporary: bool, says: &[&str]) {
    for chunk_bytes in [1, 7, 1 << 20] {
        let (chunks, error) = read(text.as_bytes(), JSON, chunk_bytes);
        let error = error.unwrap_or_else(|| panic!("{text:?} is taken for whole"));
        for words in says {
            assert!(error.to_string().contains(words), "{text:?}: no {words:?}: {error}");
        }
        assert_eq!(error.is_temporary(), is_temporary, "{text:?}: {error}");
        let places = places(text.as_bytes(), &chunks);
        assert_eq!(places.iter().map(|place| place.2.as_str()).collect::<Vec<_>>(), documents, "{text:?}");
    }
}

#[test]
fn documents_stand_in_arrays_behind_each_other_and_behind_separators() {
    check("", &[]);
    check(" \n", &[]);
    check("[]", &[]);
    check(" [ ] \n [\n]", &[]);
    check("[{}]", &["{}"]);
    check("[{\"a\":1},{\"b\":[{}]}]\n", &["{\"a\":1}", "{\"b\":[{}]}"]);
    check("[\n  {\n    \"a\": 1\n  },\n  {}\n]\n", &["{\n    \"a\": 1\n  }", "{}"]);
    check("[{}][{}]\n{} [ ]{}", &["{}", "{}", "{}", "{}"]);
    check("{}{}\n{}\t\r\n{}", &["{}", "{}", "{}", "{}"]);
    check("\u{feff}[{}]", &["{}"]);
    check("\u{1e}{}\n\u{1e}{\n}\n\u{1e}{}", &["{}", "{\n}", "{}"]);
    check("\u{1e}\u{1e}\n\u{1e} [{},{}] \n\u{1e}{}{}", &["[{},{}]", "{}{}"]);
    check("{}\u{1e}oops {\n\u{1e}{}", &["{}", "oops {", "{}"]);
    check(r#"[{"}{][\"":"\\"},{"a":"\\\""}]"#, &[r#"{"}{][\"":"\\"}"#, r#"{"a":"\\\""}"#]);
}

#[test]
fn elements_that_are_no_objects_are_documents_too() {
    check("[1, \"a,]\", null ,[{}],{},-1.5e3,[]]", &["1", "\"a,]\"", "null", "[{}]", "{}", "-1.5e3", "[]"]);
    check("[oops, NaN,\n{}]", &["oops", "NaN", "{}"]);
    check("1 \"a\" null{}\n12", &["1", "\"a\"", "null", "{}", "12"]);
}

#[test]
fn broken_documents_end_where_their_brackets_do() {
    for broken in [
        "{oops}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":tru}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"Ann \"the man\" Lee\"}",
        "{\"a\":\"one\ntwo\"}",
        "{\"a\" 1}",
        "{\"a\":{\"b\":[1 2]}, x}",
        "{\"a\":\"\\x\"}",
    ] {
        check(&format!("[{{}},{broken},{{}}]"), &["{}", broken, "{}"]);
        check(&format!("{{}}{broken}\n{{}}"), &["{}", broken, "{}"]);
    }
}

#[test]
fn what_has_no_certain_end_stops_with_its_place() {
    let check = |text: &str, says: &[&str]| check_error(text, &["{}"], false, says);
    check("[{},\n{\"a\":[1},\n{}]", &["line 2, which starts at byte 5", "(line 2, byte 12)", "another kind"]);
    check(
        "[{},{\"a\":{\"b\":1},\n{\"a\":1}]",
        &["line 1, which starts at byte 4", "(line 2, byte 18)", "where none can"],
    );
    check("[{},\n{\"a\":\"x},\n{\"b\":\"y\"},{}]", &["line 2, which", "a quote of a string"]);
    check(
        "{}\n{\"a\":1\n{\"b\":1}\n",
        &["line 2, which starts at byte 3", "(line 3, byte 10)", "where none can"],
    );
    check("{}{\"a\":\"\u{1e}\"}", &["U+001E"]);
}

#[test]
fn garbage_between_documents_stops_with_its_place() {
    for (text, says) in [
        ("[{},,{}]", &["a comma where", "line 1, byte 4"][..]),
        ("[{},]", &["before the ]", "byte 4"]),
        ("[{}\n{}]", &["no comma between", "line 2, byte 4"]),
        ("[{} 1]", &["neither a comma nor the ]", "byte 4"]),
        ("[{}}", &["a } that closes no object", "byte 3"]),
        ("[{},}", &["a } that closes no object", "byte 4"]),
        ("[{}, : ]", &["something between", "byte 5"]),
        ("[{}]\n]", &["a ] that closes no array", "line 2, byte 5"]),
        ("[{}],", &["a comma between documents that are in no array", "byte 4"]),
        ("{},{}", &["a comma between documents that are in no array", "byte 2"]),
        ("{}}", &["a } that closes no object", "byte 2"]),
        ("{}\noops{}", &["text between documents", "line 2, byte 3"]),
        ("[{}] trailer", &["text between documents", "byte 5"]),
        ("[{}]\u{feff}[{}]", &["U+FEFF", "byte 4", "sed"]),
        ("[{}\0]", &["a zero byte", "byte 3"]),
        ("{}\0", &["a zero byte", "byte 2"]),
        ("[{}\u{1e}]", &["U+001E", "byte 3"]),
        ("[{},\"a\n\"]", &["a control character in a string", "line 1, byte 6"]),
    ] {
        check_error(text, &["{}"], false, says);
    }
    let long = format!("{{}}{}", "1".repeat(5000));
    check_error(&long, &["{}"], false, &["text between documents"]);
}

#[test]
fn an_early_end_is_told_with_what_it_is_in() {
    for (text, says) in [
        ("[{}\n", &["ends inside the array that starts at line 1, byte 0"][..]),
        ("\n [{},", &["ends inside the array that starts at line 2, byte 2"]),
        ("[{},1", &["ends inside the array"]),
        ("[{},\n {\"a\":\n", &["in the middle of a document (line 2, which starts at byte 6)"]),
        ("{}\n{\"a", &["in the middle of a document (line 2, which starts at byte 3)"]),
        ("[{},[{}", &["in the middle of a document (line 1, which starts at byte 4)"]),
        ("[{},\"a", &["in the middle of a document (line 1, which starts at byte 4)"]),
    ] {
        let before: &[&str] = if text.ends_with('1') { &["{}", "1"] } else { &["{}"] };
        check_error(text, before, true, says);
    }
}

#[test]
fn a_document_above_the_limit_passes_in_pieces() {
    let inside = "{\"x\": [1,\n2]},".repeat((LINE_BYTES_MAX + (3 << 20)) / 14);
    let long = format!("{{\"a\":[{inside}{{}}]}}");
    let record = format!("{{{}", "x\n".repeat(LINE_BYTES_MAX / 2 + (3 << 20)));
    let marked = ["\u{1e}{", &"x\u{1e}\n".repeat(LINE_BYTES_MAX / 3 + (1 << 20))].concat();
    for (before, long, behind, chunk_bytes) in [
        ("[{},\n", &long, ",{}]\n", 5 << 20),
        ("{}", &long, "{}", 1 << 20),
        ("\u{1e}{}\n\u{1e}", &record, "\u{1e}{}", 1 << 20),
        ("\u{1e}\u{1e}\u{1e}{}\n\u{1e}", &marked, "\u{1e}{}", 1 << 20),
    ] {
        let text = [before, long, behind].concat();
        let (chunks, error) = read(text.as_bytes(), JSON, chunk_bytes);
        assert!(error.is_none(), "{error:?}");
        let mut found = places(text.as_bytes(), &chunks);
        let mut joined = Vec::new();
        // It may be in one buffer to its end.
        if found.len() == 3 {
            joined = found.remove(1).2.into_bytes();
        }
        assert!(found.len() == 2 && found.iter().all(|place| place.2 == "{}"));
        for chunk in &chunks {
            assert!(chunk.bytes.len() <= LINE_BYTES_MAX + (6 << 20), "memory is bounded");
            if let Piece::Long { line, starts_at, ends, .. } = chunk.piece {
                let lines = before.matches('\n').count() as u64;
                assert_eq!((line, starts_at), (1 + lines, before.len() as u64));
                joined.extend_from_slice(&chunk.bytes);
                assert_eq!(ends, joined.len() == long.len());
            }
        }
        assert!(joined == long.as_bytes());
        let marks: Vec<_> = chunks.iter().map(|chunk| chunk.end.clone()).collect();
        let (again, error) = replay(text.as_bytes(), JSON, 3 << 20, &marks);
        assert!(error.is_none() && again.last().unwrap().end == *marks.last().unwrap(), "{error:?}");
        let cut = &text.as_bytes()[..text.len() - behind.len() - 2];
        let (_, error) = read(cut, JSON, 1 << 20);
        let is_record = before.starts_with('\u{1e}');
        assert_eq!(error.is_some_and(|error| error.is_temporary()), !is_record);
    }
}

#[test]
fn a_separator_in_a_document_above_the_limit_stops_whatever_the_chunks() {
    let long = "1,\n".repeat(LINE_BYTES_MAX / 3 + (3 << 20));
    let text = format!("[{{\"a\":\"\u{1e}\",\"b\":[{long}0]}}]");
    for chunk_bytes in [1 << 20, 5 << 20, 64 << 20] {
        let (_, error) = read(text.as_bytes(), JSON, chunk_bytes);
        let error = error.expect("it is no document").to_string();
        assert!(error.contains("U+001E") && error.contains("(line 1, byte 7)"), "{chunk_bytes}: {error}");
    }
}

/// A quote that seems to be missing stands in a part that was handed out when a bracket in a string shows that it matters.
#[test]
fn doubt_about_what_was_handed_out_stops_a_document_above_the_limit() {
    let long = "1,\n".repeat(LINE_BYTES_MAX / 3 + (1 << 20));
    let text = format!("[{{\"a\":\"b\"c,\"d\":[{long}0],\"e\":\"{{\"}}]");
    for chunk_bytes in [40, 1 << 20, 5 << 20, 64 << 20] {
        let (_, error) = read(text.as_bytes(), JSON, chunk_bytes);
        let error = error.expect("it has no certain end").to_string();
        assert!(error.contains("(line 1, which starts at byte 1) whose end can't"), "{chunk_bytes}: {error}");
        assert!(error.contains("to be missing or not escaped (line 1, byte 9);"), "{chunk_bytes}: {error}");
    }
}

#[test]
fn a_document_at_the_limit_is_one() {
    let document = format!("{{\"a\":\"{}\"}}", "x".repeat(LINE_BYTES_MAX - 8));
    let text = format!("[{document}]");
    let (chunks, error) = read(text.as_bytes(), JSON, 1 << 20);
    assert!(error.is_none());
    assert_eq!(places(text.as_bytes(), &chunks).len(), 1);
    assert!(chunks.iter().all(|chunk| chunk.piece == Piece::Whole));
}

#[test]
fn watermarks_hold_only_where_no_document_goes_on() {
    let marks = |text: &str| -> Vec<_> {
        let (chunks, error) = read(text.as_bytes(), JSON, 1);
        assert!(error.is_none());
        chunks.into_iter().map(|chunk| chunk.end).collect()
    };
    let changed = |before: &str, now: &str| {
        let (_, error) = replay(now.as_bytes(), JSON, 64, &marks(before));
        matches!(error, Some(InputError::Changed { .. }))
    };
    assert!(!changed("[{},{}]", "[{},{}]\n[{}]"));
    assert!(!changed("\u{1e}{}\n", "\u{1e}{}\n\u{1e}{}"));
    assert!(changed("\u{1e}{}", "\u{1e}{}{}"));
    assert!(changed("{}12", "{}123"));
    assert!(changed("[{},{}]", "[{},[]]"));
    // The same bytes in another framing are other documents.
    let text = b"{\"a\":1}\n{\"a\":2}\n";
    let (chunks, _) = read(text, FramingRequest::Auto, 1);
    let marks: Vec<_> = chunks.into_iter().map(|chunk| chunk.end).collect();
    assert!(replay(text, FramingRequest::Only(Framing::Ndjson), 64, &marks).1.is_none());
    let (_, error) = replay(text, JSON, 64, &marks);
    assert!(matches!(error, Some(InputError::Changed { .. })), "{error:?}");
}

/// Objects with text that looks like structure.
fn documents() -> impl Strategy<Value = Vec<Value>> {
    let text = r#"[a-z"\\{}\[\],:\n\u{1f600} ]{0,12}"#;
    let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), text.prop_map(Value::from)];
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let object = proptest::collection::btree_map(text, value, 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    proptest::collection::vec(object, 0..12)
}

#[derive(Debug, Clone, Copy)]
enum Frame {
    Array,
    Behind,
    Records,
}

/// What an error says, but for the names of files, which are temporary.
fn unnamed(error: &impl ToString) -> String {
    let is_name = |word: &&str| word.contains("/.tmp");
    error.to_string().split(' ').filter(|word| !is_name(word)).collect::<Vec<_>>().join(" ")
}

proptest! {
    #[test]
    fn documents_are_those_of_a_simple_splitter(
        documents in documents(),
        frame in prop_oneof![Just(Frame::Array), Just(Frame::Behind), Just(Frame::Records)],
        is_pretty: bool,
        blanks in proptest::collection::vec("[ \t\r\n]{0,3}", 1..6),
        chunk_bytes in 1_usize..200,
    ) {
        let mut blanks = blanks.iter().cycle();
        let mut blank = move || blanks.next().unwrap().as_str();
        let write = |document| if is_pretty { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) };
        let mut text = blank().to_owned();
        let mut expected = Vec::new();
        if let Frame::Array = frame { text.push('['); }
        for (at, document) in documents.iter().enumerate() {
            text.push_str(match frame { Frame::Array if at > 0 => ",", Frame::Records => "\u{1e}", _ => "" });
            text.push_str(blank());
            let line = text.matches('\n').count() as u64 + 1;
            let document = write(document).unwrap();
            expected.push((line, text.len() as u64, document.clone()));
            text.push_str(&document);
            text.push_str(blank());
        }
        if let Frame::Array = frame { text.push(']'); }
        text.push_str(blank());
        let (chunks, error) = read(text.as_bytes(), JSON, chunk_bytes);
        prop_assert!(error.is_none(), "{:?}", error);
        let found = places(text.as_bytes(), &chunks);
        prop_assert_eq!(&found, &expected);
        // serde_json has them at the same places.
        let (inside, start) = match frame {
            Frame::Array => (text.trim()[1..].trim_end_matches(']').to_owned(), text.find('[').unwrap() + 1),
            _ => (text.replace('\u{1e}', " "), 0),
        };
        let mut at = start;
        for (_, byte_offset, document) in &found {
            let rest = &inside[at - start..];
            let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ',']).len();
            let mut values = serde_json::Deserializer::from_str(&rest[skipped..]).into_iter::<Value>();
            let value = values.next().unwrap().unwrap();
            prop_assert_eq!(*byte_offset, (at + skipped) as u64);
            prop_assert_eq!(value, serde_json::from_str::<Value>(document).unwrap());
            at += skipped + values.byte_offset();
        }
        let marks: Vec<_> = chunks.iter().map(|chunk| chunk.end.clone()).collect();
        let (again, error) = replay(text.as_bytes(), JSON, chunk_bytes * 3, &marks);
        prop_assert!(error.is_none(), "{:?}", error);
        prop_assert_eq!(again.last().map(|chunk| &chunk.end), marks.last());
    }

    #[test]
    fn nothing_is_skipped_whatever_stands_there(text in r#"[\[\]{}",:\\a1 \n\u{1e}]{0,60}"#, chunk_bytes in 1_usize..90) {
        let (chunks, error) = read(text.as_bytes(), JSON, chunk_bytes);
        let (whole, whole_error) = read(text.as_bytes(), JSON, 1 << 20);
        prop_assert_eq!(places(text.as_bytes(), &chunks), places(text.as_bytes(), &whole));
        prop_assert_eq!(error.as_ref().map(unnamed), whole_error.as_ref().map(unnamed));
        let mut outside: Vec<u8> = Vec::new();
        for chunk in &chunks {
            let mut at = 0;
            for document in &chunk.documents {
                outside.extend_from_slice(&chunk.bytes[at..document.range().start]);
                at = document.range().end;
            }
            outside.extend_from_slice(&chunk.bytes[at..]);
        }
        prop_assert!(outside.iter().all(|byte| b" \n[],\x1e".contains(byte)), "{:?}", outside);
        if error.is_none() {
            prop_assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>(), text.len());
        }
    }
}
