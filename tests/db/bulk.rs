//! Loads with `--strategy bulk`: tables, reject files and reports are those of a merge, and the catalog is what it
//! was, whatever the owner has made of it.

mod catalog;
mod choice;
mod equal;
mod ids;
mod kept;
mod meddled;
mod unfinished;

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    Output, Run, Store, Tables, binary, catalog as read_catalog, catalog_differences, generate, run,
};

/// A load of `input.ndjson` in the store's folder, which is all that a report names.
fn command(store: &Store, options: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", "input.ndjson", "--rejects", "rejects"]);
    command.args(["--report", "report.json", "--database-url", &store.database.url]).args(options);
    command.stdin(Stdio::null());
    command
}

fn attempt(store: &Store, options: &[&str]) -> Output {
    run(&mut command(store, options))
}

fn load(store: &Store, options: &[&str]) -> Run {
    let output = attempt(store, options);
    Run::of(output, Some(&store.path("report.json")), &store.path("rejects"))
}

/// Loads in bulk into several lanes with small batches.
fn load_bulk(store: &Store, options: &[&str]) -> Run {
    let small = ["--connections", "3", "--chunk-bytes", "4000", "--batch-bytes", "130000"];
    let run = load(store, &[&["--strategy", "bulk"], &small[..], options].concat());
    assert_eq!(run.report["load"]["strategy"], "bulk", "{}", run.stderr);
    run
}

/// An empty store with what the owner adds to the tables, and an input.
fn store(name: &str, of_owner: &str, input: &[u8]) -> Store {
    let store = Store::new(name, Tables::Foreign);
    store.database.execute(of_owner);
    store.file("input.ndjson", input);
    store
}

fn valid(count: usize) -> Vec<u8> {
    generate(&["--count", &count.to_string(), "--seed", "11"])
}

/// Names under the store's folder `rejects`.
fn names_of_rejects(store: &Store) -> Vec<String> {
    let entries = fs::read_dir(store.path("rejects")).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it is readable").file_name().into_string().expect("it is UTF-8"))
        .collect();
    names.sort();
    names
}

/// The catalog as it is now is that which was read before.
async fn assert_catalog(store: &Store, before: &[String]) {
    let differences = catalog_differences(&read_catalog(&store.connect().await).await, before);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The rejected documents of a run: line and first code.
fn rejected(run: &Run) -> Vec<(usize, String)> {
    run.rejected().into_iter().map(|(line, codes)| (line, codes[0].clone())).collect()
}

/// A document of which nothing matters but its number, with other values at some JSON Pointers.
fn document(number: usize, changes: &[(&str, Value)]) -> Value {
    let mut document = serde_json::json!({
        "id": format!("b01dface-0000-4000-8000-{number:012}"),
        "firstName": "First", "lastName": "Last", "emails": [format!("{number}@example.com")],
        "address": {"line1": "1", "city": "C", "state": "S", "postalCode": "P", "country": "DE"},
        "privacySettings": {"marketingEmailsEnabled": true, "twoFactorEnabled": false},
    });
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).expect("it has such a value") = value.clone();
    }
    document
}
