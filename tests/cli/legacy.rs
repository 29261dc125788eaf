//! The examples of docs/legacy-exports.md, as they stand there.

use std::{fs, path::Path};

use serde_json::Value;

use crate::folder::command_in;

/// What the page says of each: file, map, documents read, dropped.
const EXAMPLES: [(&str, &str, u64, u64); 3] =
    [("mongo.ndjson", "mongo.jq", 3, 1), ("flat.ndjson", "flat.jq", 2, 0), ("crm.json", "crm.jq", 3, 1)];

fn home() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legacy"))
}

#[test]
fn each_example_is_valid_once_it_is_mapped() {
    let page = fs::read_to_string(home().join("../../docs/legacy-exports.md")).expect("the page is there");
    for (input, map, read, dropped) in EXAMPLES {
        let words = format!("validate {input} --map {map}");
        assert!(page.contains(&format!("profile-loader {words}\n")), "the page has it: {words}");
        let mut command = command_in(home(), &format!("{words} --output json"));
        let output = command.output().expect("the program starts");
        let report: Value = serde_json::from_slice(&output.stdout).expect("the report is JSON");
        assert_eq!(output.status.code(), Some(0), "{input}: {report:#}");
        let documents = &report["documents"];
        let counts = ["read", "accepted", "dropped"].map(|name| documents[name].as_u64());
        assert_eq!(counts, [read, read - dropped, dropped].map(Some), "{input}");
        // Without the map it is none of ours.
        let output = command_in(home(), &format!("validate {input}")).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{input}");
    }
}

/// Made of the export's key, by Python's `uuid.uuid5(namespace, key)`.
#[test]
fn ids_are_those_of_other_programs() {
    let words = "map mongo.jq mongo.ndjson --first 1 --show-values";
    let output = command_in(home(), words).output().expect("the program starts");
    let told = String::from_utf8(output.stdout).expect("it is UTF-8");
    assert!(told.contains("8a13e5ec-a3bd-5057-bc95-d02d21856081"), "{told}");
}
