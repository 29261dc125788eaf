//! `--rejects-table`: places and codes of rejected documents in the ledger, for runs that have come to their end.

use serde_json::{Value, json};

use crate::support::{Output, Run, Store, Tables, binary, generate, ndjson, run, texts};

const OPTION: &str = "--rejects-table";

const ROWS: &str = "
    SELECT concat_ws(' ', run_id, reject_line, fault, source, line, byte_offset, code, pointer)
    FROM profile_loader.rejected_documents ORDER BY run_id, reject_line, fault";

async fn rows(store: &Store) -> Vec<String> {
    texts(&store.connect().await, ROWS).await
}

/// As the errors file has it.
fn expected(id: u64, errors: &[Value]) -> Vec<String> {
    let faults = |record: &Value| record["errors"].as_array().expect("errors").clone();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |record: &Value, number: usize, fault: &Value| {
        let places = ["source", "line", "byte_offset"].map(|name| text(&record[name])).join(" ");
        let [code, pointer] = ["code", "pointer"].map(|name| text(&fault[name]));
        format!("{id} {} {number} {places} {code} {pointer}", record["reject_line"])
    };
    let rows = errors.iter().flat_map(|record| {
        (1..).zip(faults(record)).map(|(number, fault)| row(record, number, &fault)).collect::<Vec<_>>()
    });
    rows.collect()
}

async fn assert_rows(store: &Store, loaded: &Run) {
    let id = loaded.report["run_id"].as_u64().expect("a load has a run");
    let found = rows(store).await.into_iter().filter(|row| row.starts_with(&format!("{id} ")));
    assert_eq!(found.collect::<Vec<_>>(), expected(id, &loaded.errors));
}

#[tokio::test]
async fn each_fault_has_a_row_until_the_run_is_deleted() {
    let store = Store::new("rejected", Tables::Migrated);
    let text = generate(&["--count", "500", "--seed", "9", "--invalid", "0.2", "--duplicates", "0.1"]);
    let loaded = store.load(&[], &text);
    assert_eq!((loaded.code, rows(&store).await.len()), (Some(1), 0), "nobody asked for them");
    let loaded = store.load(&[OPTION], &text);
    assert_eq!(loaded.code, Some(1), "{}", loaded.stderr);
    assert!(loaded.errors.len() > 50);
    assert_rows(&store, &loaded).await;
    // Another run, in which the server has found some.
    let changed = generate(&["--count", "500", "--seed", "9", "--changed", "0.3"]);
    let other = store.load(&[OPTION], &changed);
    assert!(other.rejected().iter().any(|(_, codes)| codes == &["load:exists"]), "{}", other.stderr);
    assert_rows(&store, &loaded).await;
    assert_rows(&store, &other).await;
    store.database.execute("DELETE FROM profile_loader.runs");
    assert_eq!(rows(&store).await, [""; 0]);
}

#[tokio::test]
async fn thousands_of_faults_come_over_in_pieces_and_without_values() {
    let store = Store::new("rejected", Tables::Migrated);
    let emails: Vec<_> = (0..999).map(|number| format!("secret number {number}")).collect();
    let document = json!({"id": "secret", "secret": 1, "emails": emails});
    let documents: Vec<_> = (0..30).map(|_| document.clone()).collect();
    let loaded = store.load(&[OPTION], &ndjson(&documents));
    assert_eq!(loaded.counts(), [0, 0, 0, 0, 30]);
    assert_rows(&store, &loaded).await;
    let found = rows(&store).await;
    assert!(found.len() > 11_000, "{}", found.len());
    assert!(found.iter().all(|row| !row.contains("secret")), "{found:?}");
}

#[tokio::test]
async fn a_run_that_has_passed_its_limit_has_rows() {
    let store = Store::new("rejected", Tables::Migrated);
    let text = generate(&["--count", "500", "--seed", "9", "--invalid", "0.2"]);
    for options in [&[OPTION, "--max-rejects", "3"][..], &[OPTION, "--max-rejects", "3", "--atomic"]] {
        let loaded = store.load(options, &text);
        assert_eq!(loaded.code, Some(3), "{}", loaded.stderr);
        let rejected = loaded.report["documents"]["rejected"].as_u64().expect("a count");
        let id = loaded.report["run_id"].as_u64().expect("a load has a run");
        let sql = format!(
            "SELECT count(DISTINCT reject_line)::text FROM profile_loader.rejected_documents WHERE run_id = {id}"
        );
        assert_eq!(texts(&store.connect().await, &sql).await, [rejected.to_string()]);
    }
}

fn load_rejects(store: &Store) -> Output {
    let mut command = binary();
    command.args(["load", "--rejects", "rejects", OPTION, "--database-url", &store.database.url]);
    run(command.arg("rejects/rejects.ndjson").current_dir(store.path("")))
}

/// Its reject files get their names after the ledger has the end.
#[tokio::test]
async fn a_load_of_its_own_rejects_has_rows() {
    let store = Store::new("rejected", Tables::Migrated);
    let loaded = store.load(&[], &generate(&["--count", "100", "--seed", "9", "--invalid", "0.2"]));
    let output = load_rejects(&store);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let found = rows(&store).await;
    let faults = expected(2, &loaded.errors).len();
    assert_eq!(found.len(), faults);
    assert!(
        found.iter().all(|row| row.starts_with("2 ") && row.contains(" rejects/rejects.ndjson ")),
        "{found:?}"
    );
}

/// What is unfinished has no rows, and what is abandoned gets none.
#[tokio::test]
async fn a_run_that_does_not_come_to_its_end_has_no_rows() {
    let store = Store::new("rejected", Tables::Migrated);
    let input = store.file("input.ndjson", &generate(&["--count", "500", "--seed", "9", "--invalid", "0.2"]));
    let mut command = binary();
    command.args(["load", OPTION, "--database-url", &store.database.url, "--rejects"]);
    command.arg(store.path("rejects")).arg(input).env("FAILPOINTS", "run-ending=return");
    let killed = run(&mut command);
    assert_eq!(killed.code, None, "the failpoint ends it: {}", killed.stderr);
    assert_eq!(rows(&store).await, [""; 0], "the end was not committed");
    let mut abandon = binary();
    let abandoned = run(abandon.args(["runs", "abandon", "1", "--database-url", &store.database.url]));
    assert_eq!(abandoned.code, Some(0), "{}", abandoned.stderr);
    assert_eq!(rows(&store).await, [""; 0]);
}
