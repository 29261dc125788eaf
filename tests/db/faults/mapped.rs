//! A load with a map: killed and gone on with, it is what a load of the mapped documents is; the map is a part of what a
//! run is recognised by.

use std::{fmt::Write as _, process::Command};

use serde_json::Value;

use crate::{
    cases::server,
    faults::Loader,
    support::{Output, Store, Tables, assert_stored, binary, document_lines, generate, run, texts},
};

const MAP: &str = "select(.deleted | not)\n| .firstName = .first_name\n| del(.first_name)\n";

const DOCUMENTS: usize = 3000;

/// Every so many documents are deleted ones.
const DELETED_EVERY: usize = 7;

/// Documents of another shape, and those that are to be stored.
fn legacy() -> (String, Vec<Vec<u8>>) {
    let valid = generate(&["--count", &DOCUMENTS.to_string(), "--seed", "11"]);
    let (mut text, mut kept) = (String::new(), Vec::new());
    for (number, line) in document_lines(&valid) {
        let other = std::str::from_utf8(line)
            .expect("it is UTF-8")
            .trim_end()
            .replace("\"firstName\"", "\"first_name\"");
        assert!(other.contains("\"first_name\""), "every document has a first name");
        if number % DELETED_EVERY == 0 {
            writeln!(text, "{},\"deleted\":true}}", other.strip_suffix('}').expect("it is an object"))
                .expect("it is there");
        } else {
            writeln!(text, "{other}").expect("it is there");
            kept.push(line.to_vec());
        }
    }
    (text, kept)
}

fn command(store: &Store, map: &str, options: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", "in.ndjson", "--map", map, "--rejects", "rejects"]);
    command
        .args(["--report", "report.json", "--chunk-bytes", "2000", "--batch-bytes", "20000"])
        .args(options);
    command.args(["--database-url", &server().tcp_url(&store.database)]);
    command
}

fn report(store: &Store) -> Value {
    serde_json::from_slice(&std::fs::read(store.path("report.json")).expect("it was written"))
        .expect("it is JSON")
}

fn counts(report: &Value) -> [u64; 4] {
    ["read", "accepted", "rejected", "dropped"]
        .map(|name| report["documents"][name].as_u64().expect("a count"))
}

async fn assert_all(store: &Store, kept: &[Vec<u8>], ended: &Output) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let dropped = (DOCUMENTS - kept.len()) as u64;
    assert_eq!(counts(&report(store)), [DOCUMENTS as u64, kept.len() as u64, 0, dropped]);
    assert_stored(&store.connect().await, kept.iter().map(Vec::as_slice)).await;
}

async fn killed_and_gone_on_with(options: &[&str]) {
    let (text, kept) = legacy();
    let store = Store::at(server().database("mapped"), Tables::Migrated);
    store.file("in.ndjson", text.as_bytes());
    store.file("map.jq", MAP.as_bytes());
    store.file("other.jq", format!("{MAP}# changed\n").as_bytes());
    let mut killed = command(&store, "map.jq", options);
    killed.env("FAILPOINTS", "lane-after-commit=2*off->return");
    let killed = Loader::of(&store, killed).end();
    assert_eq!(killed.signal(), Some(6), "{}", killed.stderr);
    let stored = texts(&store.connect().await, "SELECT count(*)::text FROM customer_profiles").await;
    assert_ne!(stored, ["0"], "something was committed before");

    let ended = run(&mut command(&store, "map.jq", options));
    assert_all(&store, &kept, &ended).await;
    let client = store.connect().await;
    let runs =
        texts(&client, "SELECT concat_ws(' ', state, attempts) FROM profile_loader.runs ORDER BY id").await;
    assert_eq!(runs, ["complete 2"]);
    let url = server().tcp_url(&store.database);
    let shown = run(binary().args(["runs", "show", "1", "--output", "json", "--database-url", &url]));
    let shown: Value = serde_json::from_str(&shown.stdout).expect("it is JSON");
    assert_eq!(shown["documents"]["dropped"], (DOCUMENTS - kept.len()) as u64, "{shown}");
    assert_eq!(shown["settings"]["map_sha256"], report(&store)["map"]["sha256"], "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_with_a_map_is_gone_on_with() {
    killed_and_gone_on_with(&["--strategy", "merge"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_with_a_map_is_gone_on_with() {
    killed_and_gone_on_with(&["--strategy", "bulk"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_map_is_another_run() {
    let (text, kept) = legacy();
    let store = Store::at(server().database("mapped_anew"), Tables::Migrated);
    store.file("in.ndjson", text.as_bytes());
    store.file("map.jq", MAP.as_bytes());
    store.file("other.jq", format!("{MAP}# changed\n").as_bytes());
    let mut killed = command(&store, "map.jq", &["--strategy", "merge"]);
    killed.env("FAILPOINTS", "lane-after-commit=2*off->return");
    assert_eq!(Loader::of(&store, killed).end().signal(), Some(6));
    let other = run(&mut command(&store, "other.jq", &["--strategy", "merge"]));
    assert!(other.stderr.contains("was begun with another --map; this is a new run"), "{}", other.stderr);
    assert_all(&store, &kept, &other).await;
}

/// Documents that come twice are deferred in a bulk load, as they stand in the input, and mapped when they are read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deferred_documents_are_mapped_too() {
    let (text, kept) = legacy();
    let store = Store::at(server().database("mapped_twice"), Tables::Migrated);
    store.file("in.ndjson", [&*text, &*text].concat().as_bytes());
    store.file("map.jq", MAP.as_bytes());
    let ended = run(&mut command(&store, "map.jq", &["--strategy", "bulk"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report = report(&store);
    let (all, kept_count) = (2 * DOCUMENTS as u64, kept.len() as u64);
    assert_eq!(counts(&report), [all, 2 * kept_count, 0, all - 2 * kept_count]);
    assert_eq!(
        (&report["load"]["inserted"], &report["load"]["unchanged"]),
        (&kept_count.into(), &kept_count.into())
    );
    assert_stored(&store.connect().await, kept.iter().map(Vec::as_slice)).await;
}
