//! Every kind of JSON, and of what is none, that public suites of tests for parsers have: `json_torture.txt`, whose answers were
//! decided by hand.

use std::{collections::BTreeMap, fs, sync::LazyLock};

use profile_loader::internals::document::{DocumentSchema, Scratch, check, check_in_full, check_ordinary};
use serde_json::Value;

use crate::process::{binary, run};

const TABLE: &str = include_str!("json_torture.txt");

/// What public suites have.
const ROWS_AT_LEAST: usize = 318;

static SCHEMA: LazyLock<DocumentSchema> = LazyLock::new(DocumentSchema::built_in);

struct Row {
    answer: &'static str,
    kind: &'static str,
    text: &'static str,
    document: Vec<u8>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut head = ("", "", "");
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some((answer, rest)) = line.split_once('\t') {
            let (place, kind) = rest.split_once('\t').expect("three columns");
            head = (answer, place, kind);
        } else {
            let (answer, place, kind) = head;
            rows.push(Row { answer, kind, text: line, document: document(place, line) });
        }
    }
    rows
}

fn document(place: &str, text: &str) -> Vec<u8> {
    let number = || text.parse().expect("a number of brackets");
    let with = |value: Vec<u8>| [&br#"{"firstName":"x","lastName":"#[..], &value, b"}"].concat();
    match place {
        "D" => bytes(text),
        "V" => with(bytes(text)),
        "N" => with(["[".repeat(number()), "]".repeat(number())].concat().into_bytes()),
        "O" => "[".repeat(number()).into_bytes(),
        "Q" => r#"[{"":"#.repeat(number()).into_bytes(),
        place => panic!("{place} is no place"),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Whether the codes of a document's faults are the answer that was decided.
fn is_answer(answer: &str, codes: &[String]) -> bool {
    let of_json: Vec<_> = codes.iter().filter(|code| code.starts_with("json:")).collect();
    match answer {
        // The object lacks what the JSON Schema requires.
        "json" => of_json.is_empty() && !codes.is_empty(),
        code => of_json == [code],
    }
}

#[test]
fn every_kind_has_the_answer_that_was_decided() {
    let rows = rows();
    assert!(rows.len() >= ROWS_AT_LEAST, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for Row { answer, kind, text, document } in &rows {
        let codes_of = |faults: Vec<profile_loader::internals::document::Fault>| {
            faults.iter().map(|fault| fault.code.to_string()).collect::<Vec<_>>()
        };
        let both = check(document, &SCHEMA, |_| ()).map_err(codes_of);
        let full = check_in_full(document, &SCHEMA, |_| ()).map_err(codes_of);
        assert_eq!(both, full, "{kind}: {text}: both ways of checking agree");
        assert!(
            check_ordinary(document, &SCHEMA, &mut Scratch::default(), |_| ()).is_none(),
            "{kind}: {text}"
        );
        let codes = full.expect_err("the object lacks what is required");
        if !is_answer(answer, &codes) {
            wrong.push(format!("{kind}: {text}: {codes:?} in place of {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The same by the program, for those that are a line: a document is a line with its own number, whatever is in it.
#[test]
fn every_kind_is_rejected_at_its_line() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let is_line = |row: &Row| {
        let blank = row.document.iter().all(u8::is_ascii_whitespace);
        // A mark at the beginning of the input is none of a document's.
        !row.document[..row.document.len() - 1].contains(&b'\n') && !blank
    };
    let rows: Vec<_> = rows().into_iter().filter(is_line).collect();
    let mut input = b"{}\n".to_vec();
    for row in &rows {
        input.extend_from_slice(row.document.strip_suffix(b"\n").unwrap_or(&row.document));
        input.push(b'\n');
    }
    fs::write(folder.path().join("torture.ndjson"), &input).expect("it can be written");
    let mut command = binary();
    command.args(["validate", "torture.ndjson", "--framing", "ndjson", "--rejects", "rejects"]);
    let output = run(command.current_dir(folder.path()));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let rejects = folder.path().join("rejects");
    assert!(fs::read(rejects.join("rejects.ndjson")).expect("it is there") == input, "byte for byte");
    let errors = fs::read_to_string(rejects.join("rejects.errors.ndjson")).expect("it is there");
    let mut codes = BTreeMap::new();
    for line in errors.lines() {
        let error: Value = serde_json::from_str(line).expect("it is JSON");
        let faults = error["errors"].as_array().expect("faults").iter();
        let of_line: Vec<_> =
            faults.map(|fault| fault["code"].as_str().expect("a code").to_owned()).collect();
        codes.insert(error["line"].as_u64().expect("a number"), of_line);
    }
    for (row, line) in rows.iter().zip(2..) {
        assert!(is_answer(row.answer, &codes[&line]), "{}: {}: {:?}", row.kind, row.text, codes[&line]);
    }
    assert_eq!(codes.len(), rows.len() + 1);
}
