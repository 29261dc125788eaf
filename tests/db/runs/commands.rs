//! `runs list`, `show` and `abandon` as an operator gives them.

use std::time::{Duration, Instant};

use profile_loader::internals::{migrate, runs::target_lock::try_take};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::insert_run;
use crate::support::{self, Database, Output, binary, run, texts};

fn runs(database: &Database, words: &str) -> Output {
    run(binary().arg("runs").args(words.split(' ')).args(["--database-url", &database.url]))
}

/// What a command says on standard output; it has to end with 0.
#[track_caller]
fn told(database: &Database, words: &str) -> String {
    let output = runs(database, words);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.stdout);
    output.stdout
}

#[track_caller]
fn told_json(database: &Database, words: &str) -> Value {
    serde_json::from_str(&told(database, &format!("{words} --output json"))).expect("it is JSON")
}

/// Checks that a command is refused, with these words among what it says.
#[track_caller]
fn assert_refused(database: &Database, words: &str, code: i32, expected: &str) {
    let output = runs(database, words);
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{}", output.stderr);
    assert!(output.stderr.starts_with("error: ") && output.stderr.contains(expected), "{}", output.stderr);
}

async fn execute(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

const STARTED: &str = "started_by = 'app', started_at = '2026-11-24T10:00:00Z'";

/// More than a backend needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn wait_until(is_so: impl AsyncFn() -> bool, otherwise: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A database with a run that was killed (1), one that is done (2), and one into another schema (3).
async fn with_history(name: &str) -> (Database, Client) {
    let database = support::database(name);
    let mut client = database.connect().await;
    migrate::up(&mut client, "public").await.expect("the ledger is made");
    let killed = "attempts = 3, attempted_at = '2026-11-24T12:00:00Z', host = '10.0.0.1'";
    assert_eq!(insert_run(&client, "public", "running", &format!("{STARTED}, {killed}")).await, 1);
    let done = "ended_at = '2026-11-24T10:30:00Z', documents_read = 1234567, documents_accepted = 1234560,
                documents_rejected = 7, atomic = true";
    let done = format!("{STARTED}, {done}");
    assert_eq!(insert_run(&client, "public", "complete_with_rejects", &done).await, 2);
    assert_eq!(insert_run(&client, "other", "interrupted", STARTED).await, 3);
    execute(
        &client,
        "INSERT INTO profile_loader.run_inputs (run_id, position, name, bytes, digest) VALUES
             (1, 0, 'export/one.ndjson.gz', 4096, 'aa'), (1, 1, 'export/two.ndjson.gz', NULL, NULL),
             (2, 0, '-', 20, 'cc');
         INSERT INTO profile_loader.run_lanes (run_id, lane, attempt, source, byte_offset, digest, cost_bytes,
             inserted, updated, unchanged, skipped, rejected, profile_rows, address_rows, email_rows,
             phone_number_rows, committed_at) VALUES
             (1, 0, 3, 1, 2048, 'bb', 9000, 1000, 20, 3, 4, 1, 1020, 900, 1100, 80, '2026-11-24T12:00:10Z'),
             (1, 1, 2, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL),
             (2, 0, 1, 0, 20, 'dd', 90, 1234000, 0, 560, 0, 0, 1234000, 0, 1234000, 0, '2026-11-24T10:29:59Z');
         INSERT INTO profile_loader.run_rejections VALUES (1, 0, 0, 5, 'load:exists', 'it exists');
         INSERT INTO profile_loader.run_transactions VALUES (1, 0, 777), (1, 0, 778)",
    )
    .await;
    (database, client)
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let (database, _client) = with_history("runs_list").await;
    assert_eq!(
        told(&database, "list"),
        "  run  state                  started               by   documents  rejected    written  input
    2  complete with rejects  2026-11-24T10:00:00Z  app  1,234,567         7  1,234,000  standard input
    1  interrupted (killed)   2026-11-24T10:00:00Z  app          -         -      1,020  export/one.ndjson.gz +1
    to resume it, run the same command again; to abandon it: profile-loader runs abandon 1
1 into other schemas; --db-schema names one
"
    );
    let limited = told(&database, "list --limit 1");
    assert!(limited.contains("1 older; --all lists them, too\n") && !limited.contains("killed"), "{limited}");
    assert_eq!(told(&database, "list --all"), told(&database, "list"));
    let other = told(&database, "list --db-schema other");
    assert!(other.contains("    3  interrupted  ") && other.contains("2 into other schemas"), "{other}");
    assert!(told(&database, "list --db-schema none").starts_with("no runs into schema none\n3 into"));

    let list = told_json(&database, "list --limit 1");
    assert_eq!(
        (&list["format"], &list["older"], &list["into_other_schemas"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(list["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["runs"][0]["state"], "complete_with_rejects");
}

#[tokio::test]
async fn all_that_is_known_of_a_run_is_shown() {
    let (database, _client) = with_history("runs_show").await;
    assert_eq!(
        told(&database, "show 1"),
        "run 1: interrupted (killed)

  into          schema public
  settings      merge, 2 lanes, --on-existing reject
  JSON Schema   sha256:c0ffee
  by            profile-loader 0.1.0, as app, from 10.0.0.1
  started       2026-11-24T10:00:00Z
  attempts      3, the last one 2026-11-24T12:00:00Z
  documents     not known: the last attempt did not come to an end
  committed     1,000 inserted, 20 updated, 3 unchanged, 4 skipped, 1 rejected by the server
  rows written  3,100
  remains       to resume it, run the same command again; to abandon it: profile-loader runs abandon 1

  input                 bytes  digest
  export/one.ndjson.gz  4,096  aa
  export/two.ndjson.gz      -  not read to its end

  lane  attempt  documents  committed             watermark
     0        3      1,028  2026-11-24T12:00:10Z  byte 2048 of export/two.ndjson.gz, bb
     1        2          0  -                     -
"
    );
    let other = told(&database, "show 3");
    assert!(other.contains("schema other"), "an id is enough to find it: {other}");
    let done = told(&database, "show 2");
    for words in [
        "run 2: complete with rejects\n",
        "--on-existing reject, --atomic\n",
        "  ended         2026-11-24T10:30:00Z\n",
        "  documents     1,234,567 read, 1,234,560 accepted, 7 rejected\n",
        "  remains       nothing\n",
    ] {
        assert!(done.contains(words), "{words:?} is missing in:\n{done}");
    }

    let shown = told_json(&database, "show 1");
    for (pointer, expected) in [
        ("/format", json!(1)),
        ("/id", json!(1)),
        ("/state", json!("killed")),
        ("/can_resume", json!(true)),
        ("/settings/db_schema", json!("public")),
        ("/settings/lanes", json!(2)),
        ("/settings/head_digest", json!("beef")),
        ("/started_at", json!("2026-11-24T10:00:00Z")),
        ("/ended_at", Value::Null),
        ("/host", json!("10.0.0.1")),
        ("/inputs/0", json!({"source": "export/one.ndjson.gz", "bytes": 4096, "digest": "aa"})),
        ("/documents", json!({"read": null, "accepted": null, "rejected": null, "dropped": null})),
        ("/load/inserted", json!(1000)),
        ("/load/rows/customer_profile_emails", json!(1100)),
        ("/lanes/0/watermark", json!({"source": 1, "byte_offset": 2048, "digest": "bb"})),
        ("/lanes/1/watermark", Value::Null),
        ("/lanes/0/load/updated", json!(20)),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[tokio::test]
async fn a_run_is_running_while_its_loader_has_the_lock() {
    let (database, client) = with_history("runs_running").await;
    let holder = database.connect().await;
    execute(&holder, "SET application_name = 'profile-loader run 1 control'").await;
    assert_eq!(try_take(&holder, "public").await.expect("the server answers"), Ok(()));
    let list = told(&database, "list");
    assert!(list.contains("1  running  ") && list.contains("    a loader is at work on it\n"), "{list}");
    let shown = told_json(&database, "show 1");
    assert_eq!((&shown["state"], &shown["can_resume"]), (&json!("running"), &json!(false)));
    // A loader that is at work on another run says nothing of this one.
    let another = insert_run(&client, "public", "running", "attempted_at = '2026-11-25T00:00:00Z'").await;
    execute(&holder, &format!("SET application_name = 'profile-loader run {another} control'")).await;
    assert_eq!(told_json(&database, "show 1")["state"], "killed");
    assert_eq!(told_json(&database, &format!("show {another}"))["state"], "running");
    // One that does not say is taken to be at work on the newest attempt.
    execute(&holder, "SET application_name = 'profile-loader run 123456789012345678901234567890'").await;
    assert_eq!(told_json(&database, "show 1")["state"], "killed");
    assert_eq!(told_json(&database, &format!("show {another}"))["state"], "running");

    assert_refused(
        &database,
        "abandon 1",
        5,
        "can't be abandoned while a loader is at work on schema public: pid ",
    );
    let states = "SELECT state FROM profile_loader.runs WHERE id = 1";
    assert_eq!(texts(&client, states).await, ["running"]);
}

#[tokio::test]
async fn a_run_that_is_given_up_keeps_what_it_loaded() {
    let (database, client) = with_history("runs_abandon").await;
    assert_eq!(
        told(&database, "abandon 1"),
        "run 1 is abandoned; what it had loaded stays: 1,000 documents inserted, 20 updated
its reject files (rejects.run-1.*, spill.run-1.*) can be deleted; the same command starts a new run now
"
    );
    let shown = told(&database, "show 1");
    assert!(shown.starts_with("run 1: abandoned\n") && shown.contains("  ended         20"), "{shown}");
    assert!(shown.contains("  remains       nothing\n") && shown.contains("byte 2048"), "{shown}");
    for table in ["run_rejections", "run_transactions"] {
        let count = format!("SELECT count(*)::text FROM profile_loader.{table}");
        assert_eq!(texts(&client, &count).await, ["0"], "{table}");
    }
    assert_refused(&database, "abandon 1", 2, "run 1 has ended (abandoned)");
    assert_refused(&database, "abandon 2", 2, "run 2 has ended (complete with rejects)");
    // Into whichever schema it went; and the lock goes with the session.
    assert_eq!(told_json(&database, "abandon 3")["state"], "abandoned");
    let held = "SELECT 'held' FROM pg_locks WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait_until(async || texts(&client, held).await.is_empty(), "the lock is still held").await;
}

/// What a killed loader sent last is still at work: its transaction ends first, one way or the other.
#[tokio::test]
async fn giving_up_waits_for_the_transaction_of_a_killed_loader() {
    let (database, client) = with_history("runs_orphan").await;
    let orphan = database.connect().await;
    execute(
        &orphan,
        "BEGIN;
         SELECT FROM profile_loader.run_lanes WHERE run_id = 1 AND lane = 0 FOR UPDATE;
         INSERT INTO profile_loader.run_transactions VALUES (1, 0, 999);
         UPDATE profile_loader.run_lanes SET inserted = 1500 WHERE run_id = 1 AND lane = 0",
    )
    .await;
    let url = database.url.clone();
    let abandoning =
        std::thread::spawn(move || run(binary().args(["runs", "abandon", "1", "--database-url", &url])));
    let waits = "SELECT 'waits' FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    wait_until(async || !texts(&client, waits).await.is_empty(), "it does not wait").await;
    execute(&orphan, "COMMIT").await;
    let output = abandoning.join().expect("it runs");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(output.stdout.contains("1,500 documents inserted"), "{}", output.stdout);
    let left = "SELECT count(*)::text FROM profile_loader.run_transactions";
    assert_eq!(texts(&client, left).await, ["0"]);
}

#[tokio::test]
async fn without_a_ledger_there_are_no_runs() {
    let database = support::database("runs_none");
    let mut client = database.connect().await;
    let check = || {
        assert_eq!(told(&database, "list"), "no runs into schema public\n");
        assert_eq!(told_json(&database, "list")["runs"], json!([]));
        assert_refused(&database, "show 7", 2, "there is no run 7 in the ledger of this database");
        assert_refused(&database, "abandon 7", 2, "runs list");
    };
    check();
    execute(&client, "CREATE SCHEMA profile_loader").await;
    check();
    migrate::up(&mut client, "public").await.expect("the ledger is made");
    check();
    // As the first release left it.
    execute(
        &client,
        "DROP TABLE profile_loader.ledger, profile_loader.runs, profile_loader.run_inputs, profile_loader.run_lanes,
             profile_loader.run_rejections, profile_loader.run_transactions, profile_loader.run_ddl,
             profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports,
             profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred",
    )
    .await;
    check();
}

#[tokio::test]
async fn a_ledger_that_is_newer_or_damaged_is_left_alone() {
    for (change, words) in [
        ("UPDATE profile_loader.ledger SET version = 9", "made by a newer profile-loader"),
        ("DELETE FROM profile_loader.ledger", "profile_loader.ledger has no row"),
        ("ALTER TABLE profile_loader.runs ADD COLUMN seconds integer", "was not made by this release"),
        ("DROP TABLE profile_loader.run_lanes", "there is no table profile_loader.run_lanes"),
        (
            "ALTER TABLE profile_loader.runs DROP CONSTRAINT ck_runs__state;
             UPDATE profile_loader.runs SET state = 'sleeping' WHERE id = 1",
            "run 1 is in a state that no release has written",
        ),
    ] {
        let (database, client) = with_history("runs_garbage").await;
        execute(&client, change).await;
        let rows = "SELECT r::text FROM profile_loader.runs AS r ORDER BY id";
        let before = texts(&client, rows).await;
        for command in ["list", "show 1", "abandon 1"] {
            assert_refused(&database, command, 5, words);
        }
        assert_eq!(texts(&client, rows).await, before, "{change}");
    }
}

#[tokio::test]
async fn a_role_is_told_what_it_may_not_do() {
    let (database, client) = with_history("runs_role").await;
    let role = format!("auditor_{}", database.name);
    execute(&client, &format!("CREATE ROLE {role} LOGIN")).await;
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let as_role =
        |words: &str| run(binary().arg("runs").args(words.split(' ')).args(["--database-url", &url]));
    let grant = async |output: Output, expected: &str| {
        assert_eq!(output.code, Some(5), "{}", output.stdout);
        let (_, sql) = output.stderr.trim_end().split_once("has to run: ").expect("it names the grants");
        // What the server said follows.
        let sql = sql.split(": ").next().expect("there is a first part");
        assert_eq!(sql.replace(&role, "role"), expected);
        execute(&client, sql).await;
    };
    grant(
        as_role("list"),
        "GRANT USAGE ON SCHEMA profile_loader TO \"role\"; \
         GRANT SELECT ON ALL TABLES IN SCHEMA profile_loader TO \"role\"",
    )
    .await;
    assert_eq!(as_role("list").stdout, told(&database, "list"));
    assert_eq!(as_role("show 1").stdout, told(&database, "show 1"));
    grant(
        as_role("abandon 1"),
        "GRANT USAGE ON SCHEMA profile_loader TO \"role\"; \
         GRANT SELECT ON profile_loader.migrations, profile_loader.ledger TO \"role\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON profile_loader.runs, profile_loader.run_inputs, \
         profile_loader.run_lanes, profile_loader.run_rejections, profile_loader.run_transactions, \
         profile_loader.run_ddl, profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports, \
         profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, profile_loader.run_deferred TO \"role\"",
    )
    .await;
    let theirs = format!("SELECT pid::text FROM pg_stat_activity WHERE usename = '{role}'");
    wait_until(async || texts(&client, &theirs).await.is_empty(), "the session before does not end").await;
    let output = as_role("abandon 1");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    execute(&client, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[test]
fn wrong_words_are_a_usage_error() {
    let database = support::database("runs_usage");
    for words in ["show", "show x", "list --limit -1", "list --all --limit 3", "abandon 1 --output yaml"] {
        let output = runs(&database, words);
        assert_eq!(output.code, Some(2), "{words}: {}{}", output.stdout, output.stderr);
    }
}
