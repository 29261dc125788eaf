//! Whatever documents are checked: the report adds up, its page is harmless, and the reject file holds every rejected document
//! so that it is rejected again, in the same order and the same bytes.
//!
//! The input is a few settings and up to two files and a JSON Schema, with `%%` on a line between them.

#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
};

use libfuzzer_sys::fuzz_target;
use profile_loader::{
    RunReport,
    settings::{DocumentSettings, Framing, FramingRequest},
    validate,
};
use profile_loader_fuzz::{FOLDER, forms, line_ends};
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((&[chunk], rest)) = input.split_first_chunk() else { return };
    let mut parts = Parts(Some(rest));
    let inputs: Vec<_> = ["a", "b"].iter().filter_map(|name| Some(file(name, parts.next()?))).collect();
    let json_schema = parts.next().map(|text| file("schema", text));
    let settings = DocumentSettings {
        json_schema,
        jobs: 1,
        chunk_bytes: 1 + usize::from(chunk),
        rejects: Some(FOLDER.join("rejects")),
        ..DocumentSettings::of(inputs)
    };
    let _ = fs::remove_dir_all(FOLDER.join("rejects"));
    let Ok(report) = validate(&settings) else { return };
    report.assert_adds_up();
    forms::check(&report);
    if report.failure.is_none() {
        rejects_come_again(&report, &settings);
    }
});

struct Parts<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        const BETWEEN: &[u8] = b"\n%%\n";
        let text = self.0.take()?;
        let Some(at) = text.windows(BETWEEN.len()).position(|part| part == BETWEEN) else {
            return Some(text);
        };
        self.0 = Some(&text[at + BETWEEN.len()..]);
        Some(&text[..=at])
    }
}

fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    fs::write(&path, text).expect("a file in TMPDIR");
    path
}

fn rejects_come_again(report: &RunReport, settings: &DocumentSettings) {
    let Some(rejects) = &report.rejects else { return assert_eq!(report.documents.rejected, 0) };
    let path = Path::new(&rejects.documents);
    let stored = fs::read(path).expect("rejects are there");
    let errors = fs::read(&rejects.errors).expect("and why");
    let errors = lines_of_errors(&errors, "reject_line");
    assert_eq!(errors.len() as u64, report.documents.rejected);

    // At its beginning these are no part of a document.
    if [&b"\xef\xbb\xbf"[..], b"\x1f\x8b", b"\x28\xb5\x2f\xfd"].iter().any(|mark| stored.starts_with(mark)) {
        return;
    }
    // Once one of them has a line break, they are records.
    let are_lines = line_ends(&stored) == errors.len() as u64;
    let framing = if are_lines { Framing::Ndjson } else { Framing::Json };
    let folder = FOLDER.join("rejects-again");
    let _ = fs::remove_dir_all(&folder);
    let again = DocumentSettings {
        inputs: vec![path.as_os_str().to_owned()],
        framing: FramingRequest::Only(framing),
        rejects: Some(folder),
        ..settings.clone()
    };
    // Without those that are sound they may look like something else.
    let Ok(again) = validate(&again) else { return };
    assert_eq!(again.failure, None);
    assert_eq!(
        (again.documents.read, again.documents.rejected),
        (report.documents.rejected, report.documents.rejected)
    );
    let rejects = again.rejects.expect("all are rejected again");
    let stored_again = fs::read(&rejects.documents).expect("rejects are there");
    assert!(stored == stored_again, "{stored:?} {stored_again:?}");
    let again = fs::read(&rejects.errors).expect("and why");
    assert_eq!(lines_of_errors(&again, "line"), errors);
}

/// For each rejected document the number of a line.
fn lines_of_errors(errors: &[u8], key: &str) -> Vec<u64> {
    let errors = errors.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let line = |error| serde_json::from_slice::<Value>(error).ok()?.get(key)?.as_u64();
    errors.map(|error| line(error).expect("an error has its line")).collect()
}
