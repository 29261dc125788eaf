//! Names, forms and ends of the reject files.

use std::{ops::Range, os::unix::fs::PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::{document::Fault, report::Rejection};

fn rejects(lines: &[(Range<usize>, u64)]) -> ChunkRejects {
    let mut rejects = ChunkRejects::of(Framing::Ndjson, false);
    for (bytes, line) in lines {
        let faults = vec![Fault::of_document("json:syntax", "not valid JSON")];
        rejects.push(bytes.clone(), "a.ndjson", &Rejection { line: *line, byte_offset: 7, faults });
    }
    rejects
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The files of a run that has rejected these bytes.
fn files(dir: &Path, run_id: Option<i64>, bytes: &[u8]) -> RejectFiles {
    let mut files = RejectFiles::create(dir, run_id).unwrap();
    files.write(bytes, &rejects(&[(0..bytes.len(), 1)])).unwrap();
    files
}

#[test]
fn lines_are_kept_byte_for_byte() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("new/rejects");
    let mut files = RejectFiles::create(&dir, None).unwrap();
    files.write(b"{\r\n{}\n\xff\n", &rejects(&[(0..3, 1), (6..8, 3)])).unwrap();
    let mut long = ChunkRejects::of(Framing::Ndjson, false);
    long.push_part(0..3);
    files.write(b"xxx", &long).unwrap();
    files.write(b"yy", &rejects(&[(0..2, 4)])).unwrap();
    let paths = files.complete().unwrap().unwrap();
    assert_eq!(fs::read(&paths.documents).unwrap(), b"{\r\n\xff\nxxxyy\n");
    assert_eq!(
        fs::read_to_string(&paths.errors).unwrap().lines().next().unwrap(),
        r#"{"reject_line":1,"source":"a.ndjson","line":1,"byte_offset":7,"errors":[{"code":"json:syntax","pointer":"","schema_path":"","message":"not valid JSON"}]}"#
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&paths.documents), mode(&paths.errors)), (0o700, 0o600, 0o600));
}

#[test]
fn earlier_files_are_moved_aside_by_complete_runs_only() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let names = || names(dir);
    let bytes = std::cell::Cell::new(*b"{0\n");
    let run = || {
        let mut new = bytes.get();
        new[1] += 1;
        bytes.set(new);
        files(dir, None, &new)
    };
    run().leave_partial().unwrap().unwrap();
    let partial = ["rejects.errors.ndjson.partial", "rejects.ndjson.partial"];
    assert_eq!(names(), partial);
    run().leave_partial().unwrap().unwrap();
    assert_eq!(names().len(), 4, "those of the stopped run are kept");
    for name in names().iter().filter(|name| !partial.contains(&name.as_str())) {
        assert!(name.starts_with("rejects.1."));
        fs::remove_file(dir.join(name)).unwrap();
    }
    let running = RejectFiles::create(dir, None).unwrap();
    assert!(RejectFiles::create(dir, None).is_err(), "one run at a time");
    drop(running);
    for name in names() {
        fs::remove_file(dir.join(name)).unwrap();
    }
    run().complete().unwrap().unwrap();
    assert_eq!(names(), ["rejects.errors.ndjson", "rejects.ndjson"]);
    assert_eq!(RejectFiles::create(dir, None).unwrap().complete().unwrap(), None);
    assert_eq!(names(), ["rejects.1.errors.ndjson", "rejects.1.ndjson"]);
    run().complete().unwrap().unwrap();
    run().complete().unwrap().unwrap();
    assert_eq!(names().len(), 6);
}

#[test]
fn each_attempt_of_a_run_writes_the_same_partial_files() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    files(dir, Some(6), b"of another run\n").leave_partial().unwrap().unwrap();
    let stopped = files(dir, Some(7), b"{1\n{2\n").leave_partial().unwrap().unwrap();
    assert_eq!(stopped, RejectFiles::partial_paths(dir, Some(7)));
    assert!(stopped.errors.ends_with("rejects.run-7.errors.ndjson.partial"));
    let again = files(dir, Some(7), b"{1\n").leave_partial().unwrap().unwrap();
    assert_eq!(fs::read(again.documents).unwrap(), b"{1\n");
    files(dir, Some(7), b"{1\n{2\n").complete().unwrap().unwrap();
    assert_eq!(
        names(dir),
        [
            "rejects.errors.ndjson",
            "rejects.ndjson",
            "rejects.run-6.errors.ndjson.partial",
            "rejects.run-6.ndjson.partial"
        ]
    );
}

/// Each end that a crash may leave, and what the next attempt makes of it.
#[test]
fn a_crash_at_the_end_makes_no_second_copy() {
    const DOCUMENTS: &str = "rejects.ndjson";
    const ERRORS: &str = "rejects.errors.ndjson";
    let check = |leave: &dyn Fn(&Path), aside: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        files(dir, Some(6), b"{earlier\n").complete().unwrap();
        leave(dir);
        files(dir, Some(7), b"{new\n").complete().unwrap();
        assert_eq!(names(dir), [aside, &[ERRORS, DOCUMENTS]].concat());
        assert_eq!(fs::read(dir.join(DOCUMENTS)).unwrap(), b"{new\n");
        for name in aside.iter().filter(|name| !name.contains("errors")) {
            assert_eq!(fs::read(dir.join(name)).unwrap(), b"{earlier\n");
        }
    };
    let move_to = |dir: &Path, from: &str, to: &str| fs::rename(dir.join(from), dir.join(to)).unwrap();
    let aside = ["rejects.1.errors.ndjson", "rejects.1.ndjson"];
    check(&|_| (), &aside);
    let link_to = |dir: &Path, from: &str, to: &str| fs::hard_link(dir.join(from), dir.join(to)).unwrap();
    check(&|dir| move_to(dir, DOCUMENTS, aside[1]), &aside);
    check(&|dir| link_to(dir, DOCUMENTS, aside[1]), &aside);
    check(
        &|dir| {
            link_to(dir, DOCUMENTS, aside[1]);
            move_to(dir, ERRORS, aside[0]);
        },
        &aside,
    );
    check(
        &|dir| {
            move_to(dir, DOCUMENTS, aside[1]);
            move_to(dir, ERRORS, aside[0]);
        },
        &aside,
    );
    let half = |dir: &Path| {
        files(dir, Some(7), b"{new\n").complete().unwrap();
        move_to(dir, ERRORS, "rejects.run-7.errors.ndjson.partial");
    };
    check(&half, &aside);
    check(&|dir| drop(files(dir, Some(7), b"{new\n").complete().unwrap()), &aside);
}

/// A device like `/dev/full` is a disk without room.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_says_what_to_free() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let partial = RejectFiles::partial_paths(dir, Some(7));
    let mut mknod = std::process::Command::new("mknod");
    let made = mknod.arg(&partial.documents).args(["c", "1", "7"]).status().unwrap();
    if !made.success() {
        return; // This user may make no devices.
    }
    let error = files(dir, Some(7), b"{\n").complete().unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(
        error.to_string(),
        format!(
            "the reject file {} can't be written; free space under {} and run the same command again",
            crate::path_text::path_text(&partial.documents),
            crate::path_text::path_text(dir)
        )
    );
    fs::remove_file(&partial.documents).unwrap();
    assert!(files(dir, Some(7), b"{\n").complete().unwrap().is_some());
}

/// The first document with a line break makes a sequence of all that was written before.
#[test]
fn documents_over_several_lines_are_records() {
    let home = tempfile::tempdir().unwrap();
    // Of an attempt that was killed in between.
    fs::write(RejectFiles::unfinished_records(home.path(), Some(7)).documents, "\x1e{1").unwrap();
    let mut files = RejectFiles::create(home.path(), Some(7)).unwrap();
    assert_eq!(names(home.path()), ["rejects.run-7.errors.ndjson.partial", "rejects.run-7.ndjson.partial"]);
    files.write(b"{1\n{2\r\n", &rejects(&[(0..3, 1), (3..7, 2)])).unwrap();
    let mut documents = ChunkRejects::of(Framing::Json, false);
    let rejection =
        |line| Rejection { line, byte_offset: 9, faults: vec![Fault::of_document("json:syntax", "x")] };
    documents.push(1..3, "a", &rejection(3));
    documents.push(4..8, "a", &rejection(3));
    files.write(b"[{3,{\n4}]", &documents).unwrap();
    // One above the limit comes in pieces.
    let mut parts = ChunkRejects::of(Framing::Json, false);
    parts.push_part(0..2);
    files.write(b"{\n", &parts).unwrap();
    let mut end = ChunkRejects::of(Framing::Json, false);
    end.push(0..2, "a", &rejection(5));
    files.write(b"5}", &end).unwrap();
    files.write(b"{6\n", &rejects(&[(0..3, 6)])).unwrap();
    let paths = files.complete().unwrap().unwrap();
    let text = fs::read_to_string(paths.documents).unwrap();
    assert_eq!(text, "\x1e\x1e\x1e{1\n\x1e{2\r\n\x1e{3\n\x1e{\n4}\n\x1e{\n5}\n\x1e{6\n");
    let errors = fs::read_to_string(paths.errors).unwrap();
    let lines: Vec<_> = errors.lines().map(|line| line[..17].to_owned()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 6, 8].map(|line| format!("{{\"reject_line\":{line},")[..17].to_owned()));
    assert_eq!(names(home.path()), ["rejects.errors.ndjson", "rejects.ndjson"]);
}

/// Whatever they are and however they stood in their inputs, the same command reads them as they were.
#[derive(Debug, Clone)]
enum Kept {
    Line(Vec<u8>),
    /// Of several lines.
    Pretty(String),
}

fn kept() -> impl Strategy<Value = Kept> {
    const ODD: &[&[u8]] = &[
        b"{}",
        b"{\"a\":1}",
        b"[",
        b"]",
        b"{",
        b"\"",
        b",",
        b"\x1e",
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
        b"\0",
        b"\x0c",
        b" ",
        b"\r",
        b"<html>",
        b"a",
    ];
    let line = proptest::collection::vec(prop::sample::select(ODD), 1..5);
    let line = line
        .prop_map(|parts| parts.concat())
        .prop_filter("a document", |line| !crate::document::is_blank(line));
    let pretty = "\\{\n(\"[a-z\\[ ]{0,3}\": [0-9a-z]{1,3}\n)?\\}".prop_map(Kept::Pretty);
    prop_oneof![3 => line.prop_map(Kept::Line), 1 => pretty]
}

fn read_back(path: &Path, framing: FramingRequest, chunk_bytes: usize) -> Vec<Vec<u8>> {
    let source = Source::File(path.to_owned());
    let mut reader =
        crate::input::ChunkReader::open(vec![source], framing, chunk_bytes).expect("it can be read");
    let mut documents = Vec::new();
    while let Some(chunk) = reader.next_chunk(Vec::new()).expect("it can be read") {
        documents.extend(chunk.documents.iter().map(|span| chunk.bytes[span.range()].to_vec()));
    }
    documents
}

/// Without JSON white space around it.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_visible = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(is_visible).unwrap_or(text.len());
    let end = text.iter().rposition(is_visible).map_or(start, |last| last + 1);
    &text[start..end]
}

proptest! {
    #[test]
    fn what_is_kept_is_read_back(
        documents in proptest::collection::vec(kept(), 1..6),
        framing in prop::sample::select(&[FramingRequest::Auto, FramingRequest::Only(Framing::Ndjson), FramingRequest::Only(Framing::Json)][..]),
        chunk_bytes in 1_usize..60,
    ) {
        let home = tempfile::tempdir().expect("a folder");
        let mut files = RejectFiles::create(home.path(), None).expect("files").for_framing(framing);
        for document in &documents {
            let (of, text) = match document {
                Kept::Line(line) => (Framing::Ndjson, &line[..]),
                Kept::Pretty(text) => (Framing::Json, text.as_bytes()),
            };
            let mut rejects = ChunkRejects::of(of, false);
            let faults = vec![Fault::of_document("json:syntax", "not valid JSON")];
            rejects.push(0..text.len(), "a", &Rejection { line: 1, byte_offset: 0, faults });
            files.write(text, &rejects).expect("it is written");
        }
        let paths = files.complete().expect("they get their names").expect("there are some");
        let found = read_back(&paths.documents, framing, chunk_bytes);
        let found: Vec<_> = found.iter().map(|text| trimmed(text)).collect();
        let expected: Vec<_> = documents.iter().map(|document| trimmed(match document {
            Kept::Line(line) => line,
            Kept::Pretty(text) => text.as_bytes(),
        })).collect();
        prop_assert_eq!(found, expected);
    }
}

/// Whether it comes before the document that makes a sequence of them all, behind it, or out of a file of lines.
#[test]
fn a_line_with_a_separator_in_it_stays_one_document() {
    let line = b"{\"a\":\"\x1e\"}\n";
    let pretty = b"{\n\x1f}";
    let mut of_json = ChunkRejects::of(Framing::Json, false);
    let faults = vec![Fault::of_document("json:syntax", "not valid JSON")];
    of_json.push(0..pretty.len(), "b.json", &Rejection { line: 1, byte_offset: 0, faults });
    let home = tempfile::tempdir().expect("a folder");
    let mut early = files(home.path(), Some(3), line);
    early.write(pretty, &of_json).expect("it is written");
    early.write(line, &rejects(&[(0..line.len(), 9)])).expect("it is written");
    let mut deferred = early.beside("deferred").expect("a file");
    deferred.write(line, &rejects(&[(0..line.len(), 5)])).expect("it is written");
    let names = ["a.ndjson", "b.json"].map(str::to_owned);
    let merged = crate::report::merge_deferred_rejects(early, deferred, &names).expect("they are merged");
    let paths = merged.complete().expect("they get their names").expect("there are some");
    let records = fs::read(&paths.documents).expect("there is a file");
    let line = "\x1e{\"a\":\"\x1e\"}\n";
    let expected = format!("\x1e\x1e{line}{line}\x1e{{\n\x1f}}\n{line}");
    assert_eq!(String::from_utf8(records).expect("it is UTF-8"), expected);
    assert_eq!(fs::read_to_string(&paths.errors).expect("there is a file").lines().count(), 4);
}
