//! The documents of `fixtures/` against what was written down about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use profile_loader::internals::document::{DocumentSchema, Fault, check, is_blank};
use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Expected {
    code: String,
    pointer: String,
    schema_path: String,
}

impl From<&Fault> for Expected {
    fn from(fault: &Fault) -> Self {
        Self {
            code: fault.code.clone().into_owned(),
            pointer: fault.pointer.clone(),
            schema_path: fault.schema_path.clone(),
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn expected() -> BTreeMap<String, Vec<Expected>> {
    let text = fs::read(fixtures().join("invalid/expected.json")).expect("expected.json is there");
    serde_json::from_slice(&text).expect("expected.json has a list of faults a file")
}

/// The number of every line that is not blank, and its faults.
fn faults_by_line(path: &Path) -> Vec<(usize, Vec<Expected>)> {
    let schema = DocumentSchema::built_in();
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text.last(), Some(&b'\n'), "{}", path.display());
    let lines = (1..).zip(text.split_inclusive(|byte| *byte == b'\n'));
    lines
        .filter(|(_, line)| !is_blank(line))
        .map(|(number, line)| {
            let faults = check(line, &schema, |_| ()).err().unwrap_or_default();
            (number, faults.iter().map(Expected::from).collect())
        })
        .collect()
}

#[test]
fn each_file_has_the_faults_that_are_written_down_and_neighbours_without() {
    let mut wrong = Vec::new();
    for (file, expected) in expected() {
        assert!(!expected.is_empty(), "{file} is listed without a fault");
        let found = faults_by_line(&fixtures().join("invalid").join(&file));
        if found != [(1, vec![]), (2, expected), (3, vec![])] {
            wrong.push(format!("{file}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} files differ from expected.json:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_is_listed() {
    let files: BTreeSet<_> = fs::read_dir(fixtures().join("invalid"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "expected.json")
        .collect();
    assert_eq!(files, expected().into_keys().collect());
}

/// A line that is too long is no file (16 MiB), and `load:*` is no property of a document alone.
#[test]
fn every_code_of_the_built_in_rules_has_a_file() {
    let listed: BTreeSet<_> = expected().into_values().flatten().map(|fault| fault.code).collect();
    let codes = [
        "db:nul",
        "db:too_long",
        "json:duplicate_key",
        "json:invalid_utf8",
        "json:lone_surrogate",
        "json:not_object",
        "json:syntax",
        "json:too_deep",
        "json:trailing_data",
        "schema:additionalProperties",
        "schema:enum",
        "schema:format",
        "schema:maxLength",
        "schema:minItems",
        "schema:minLength",
        "schema:pattern",
        "schema:required",
        "schema:type",
        "schema:uniqueItems",
    ];
    assert_eq!(listed, codes.map(str::to_owned).into());
}

#[test]
fn the_realistic_mix_is_as_its_note_says() {
    let found = faults_by_line(&fixtures().join("customers.ndjson"));
    assert_eq!(found.len(), 334);
    let faulty: Vec<_> = found
        .iter()
        .filter(|(_, faults)| !faults.is_empty())
        .map(|(line, faults)| (*line, faults.iter().map(|fault| fault.code.as_str()).collect::<Vec<_>>()))
        .collect();
    let expected = [
        (9, vec!["schema:required"]),
        (25, vec!["schema:type"]),
        (41, vec!["json:syntax"]),
        (60, vec!["schema:format"]),
        (88, vec!["json:invalid_utf8"]),
        (107, vec!["schema:pattern"]),
        (131, vec!["schema:additionalProperties"]),
        (150, vec!["json:duplicate_key"]),
        (176, vec!["schema:maxLength"]),
        (199, vec!["db:nul"]),
        (231, vec!["schema:uniqueItems"]),
        (262, vec!["schema:format", "schema:minLength", "schema:enum"]),
        (291, vec!["json:lone_surrogate"]),
        (319, vec!["json:trailing_data"]),
    ];
    assert_eq!(faulty, expected);
}

#[test]
fn two_documents_of_the_realistic_mix_come_again() {
    let text = fs::read(fixtures().join("customers.ndjson")).unwrap();
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    let schema = DocumentSchema::built_in();
    let mut seen = BTreeMap::new();
    let mut again = Vec::new();
    for (number, line) in (1..).zip(&lines) {
        if let Ok(id) = check(line, &schema, |profile| profile.id)
            && let Some(first) = seen.insert(id, number)
        {
            again.push((first, number, lines[first - 1] == *line));
        }
    }
    assert_eq!((seen.len(), again), (318, vec![(2, 21, true), (28, 277, false)]));
}
