//! The report of a run that has come to its end, drawn again from the ledger.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Output, Store, Tables, binary, generate, run};

fn show(store: &Store, id: &str, report: &str) -> Output {
    let mut command = binary();
    command.args(["runs", "show", id, "--database-url", &store.database.url, "--report"]);
    run(command.arg(store.path(report)))
}

#[test]
fn the_report_of_a_run_is_drawn_again() {
    let store = Store::new("runs_reports", Tables::Migrated);
    let text = generate(&["--count", "500", "--seed", "9", "--invalid", "0.05"]);
    let loaded = store.load(&[], &text);
    assert_eq!(loaded.code, Some(1), "{}", loaded.stderr);
    for report in ["again.json", "again.html", "again.csv"] {
        let output = show(&store, "1", report);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        assert!(output.stdout.starts_with("run 1"), "{}", output.stdout);
    }
    let again = fs::read(store.path("again.json")).expect("it was written");
    let again: Value = serde_json::from_slice(&again).expect("it is JSON");
    assert_eq!(again, loaded.report);
    let page = fs::read_to_string(store.path("again.html")).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("schema:required"));
    assert!(fs::read_to_string(store.path("again.csv")).expect("it was written").contains("schema:required"));
    // As the release left it that was the first to keep reports.
    store.database.execute(
        "DROP TABLE profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred; UPDATE profile_loader.ledger SET version = 5",
    );
    assert_eq!(show(&store, "1", "older.json").code, Some(0));
}

#[tokio::test]
async fn a_run_without_a_report_is_told_so() {
    let store = Store::new("runs_reports", Tables::Migrated);
    assert_eq!(store.load(&[], b"").code, Some(0));
    let refused = |id: &str, words: &str| {
        let output = show(&store, id, "none.json");
        assert_eq!(output.code, Some(2), "{}", output.stdout);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert!(!store.path("none.json").exists());
    };
    refused("7", "there is no run 7");
    store.database.execute("DELETE FROM profile_loader.run_reports");
    refused("1", "the ledger has no report of run 1");
    // A later release has another format.
    let other = json!({"format": 3}).to_string();
    store.database.execute(&format!("INSERT INTO profile_loader.run_reports VALUES (1, '{other}')"));
    let output = show(&store, "1", "none.json");
    assert_eq!(output.code, Some(5), "{}", output.stdout);
    assert!(output.stderr.contains("format 3"), "{}", output.stderr);
}
