//! Loads that lose their connections or are told to stop while documents come in: what they say is what is
//! stored, and the same command again goes on with them.

use std::{
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio_postgres::Client;

use crate::support::{Store, Tables, assert_stored, binary, document_lines, generate, texts};

/// About 2 MB: with chunks of 1000 bytes a lane has loaded several batches when all of it is read.
const DOCUMENTS: &str = "5000";

/// No step here takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a test that waits looks; all the time would take the time of what it waits for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The lanes' sessions of the load that runs.
const LANES: &str = "pg_stat_activity
     WHERE application_name LIKE 'profile-loader run % lane' AND datname = current_database()";

/// Starts a load from standard input and waits until documents are stored; more input is awaited then.
async fn start_load(mut command: Command, input: &[u8], client: &Client) -> Child {
    command.args(["load", "-", "--chunk-bytes", "1000", "--output", "json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdin = child.stdin.as_mut().expect("its standard input is a pipe");
    stdin.write_all(input).expect("the program reads");
    wait_for_documents(client).await;
    child
}

async fn wait_for_documents(client: &Client) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let count = "SELECT CASE WHEN to_regclass('customer_profiles') IS NULL THEN '0'
                     ELSE (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM customer_profiles', \
                           false, true, '')))[1]::text END";
        if texts(client, count).await != ["0"] {
            return;
        }
        assert!(Instant::now() < deadline, "no document arrives");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn wait_for_waiting_lanes(client: &Client, lanes: usize) {
    let waiting = format!("SELECT pid::text FROM {LANES} AND wait_event_type = 'Lock'");
    let deadline = Instant::now() + PATIENCE;
    while texts(client, &waiting).await.len() < lanes {
        assert!(Instant::now() < deadline, "lanes don't wait");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The exit code, the report and standard error.
pub(crate) fn end(child: Child) -> (Option<i32>, Value, String) {
    let output = child.wait_with_output().expect("the program ends");
    let report = serde_json::from_slice(&output.stdout).expect("the report is printed");
    (output.status.code(), report, String::from_utf8(output.stderr).expect("it is UTF-8"))
}

pub(crate) fn count(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).expect("a count")
}

/// Ends the lanes' connections of the load that runs.
async fn end_sessions(client: &Client) {
    let ended = texts(client, &format!("SELECT pg_terminate_backend(pid)::text FROM {LANES}")).await;
    assert!(
        !ended.is_empty() && ended.iter().all(|ended| ended == "true"),
        "lanes lost connections: {ended:?}"
    );
}

fn command(store: &Store, rejects: &Path) -> Command {
    let mut command = binary();
    command.args(["--log-format", "text", "-q"]);
    command.env("DATABASE_URL", &store.database.url).env("PROFILE_LOADER_REJECTS", rejects);
    command
}

/// Loads the whole input again, and compares all that is stored with it.
async fn complete(store: &Store, client: &Client, input: &[u8]) {
    let run = store.load(&[], input);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("(attempt 2)"), "{}", run.stderr);
    let total = u64::try_from(document_lines(input).len()).expect("few documents");
    assert_eq!(run.counts(), [total, 0, 0, 0, 0], "as if it had never been stopped");
    assert_stored(client, document_lines(input).into_iter().map(|(_, line)| line)).await;
}

/// A foreign session keeps the lanes waiting in the middle of their transactions, and then they are ended.
#[tokio::test]
async fn lost_connections_are_made_again() {
    let store = Store::new("lost", Tables::Foreign);
    let (client, foreign) = (store.connect().await, store.connect().await);
    foreign.batch_execute("BEGIN; LOCK customer_profiles IN SHARE MODE").await.expect("it is free");
    let rejects = tempfile::tempdir().expect("the temporary folder is writable");
    let input = generate(&["--count", DOCUMENTS, "--seed", "9"]);
    let mut command = command(&store, rejects.path());
    command.args(["load", "--connections", "2", "--output", "json"]).arg(store.file("lost.ndjson", &input));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    wait_for_waiting_lanes(&client, 2).await;
    end_sessions(&client).await;
    foreign.batch_execute("ROLLBACK").await.expect("it is well");

    let (code, report, stderr) = end(child);
    assert_eq!((code, report["outcome"].as_str()), (Some(0), Some("complete")), "{stderr}");
    assert_eq!(stderr.matches("trying again").count(), 1, "an outage is told once: {stderr}");
    assert_eq!(count(&report, "/load/inserted").to_string(), DOCUMENTS);
    assert_stored(&client, document_lines(&input).into_iter().map(|(_, line)| line)).await;
}

#[tokio::test]
async fn a_signal_ends_a_load_after_what_is_under_way() {
    for (signal, exit_code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let store = Store::new("signal", Tables::Foreign);
        let client = store.connect().await;
        let rejects = tempfile::tempdir().expect("the temporary folder is writable");
        let input = generate(&["--count", DOCUMENTS, "--seed", "9"]);
        let child = start_load(command(&store, rejects.path()), &input, &client).await;
        kill_process(Pid::from_child(&child), signal).expect("the program runs");
        let (code, report, stderr) = end(child);
        assert_eq!((code, report["outcome"].as_str()), (Some(exit_code), Some("interrupted")), "{stderr}");
        let inserted = count(&report, "/load/inserted");
        let accepted = count(&report, "/documents/accepted");
        assert_eq!(count(&report, "/load/not_loaded") + inserted, accepted, "{report}");
        let stored = texts(&client, "SELECT count(*)::text FROM customer_profiles").await;
        assert_eq!(stored, [inserted.to_string()]);
        complete(&store, &client, &input).await;
    }
}

/// The search for hundreds of refused documents takes a while; whatever ends it, what was found counts once.
#[tokio::test]
async fn a_search_for_refused_documents_may_end_in_the_middle() {
    for lose_connections in [true, false] {
        let store = Store::new("search", Tables::Foreign);
        store.database.execute("ALTER TABLE customer_profiles ADD CHECK (right(id::text, 1) <> '7')");
        let client = store.connect().await;
        let rejects = tempfile::tempdir().expect("the temporary folder is writable");
        let input = generate(&["--count", DOCUMENTS, "--seed", "9"]);
        let file = store.file("search.ndjson", &input);
        let options = ["--batch-bytes", "300000", "--chunk-bytes", "10000", "--output", "json"];
        let start = || {
            let mut command = command(&store, rejects.path());
            command.arg("load").arg(&file).args(options);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
        };
        let child = start();
        wait_for_documents(&client).await;
        if lose_connections {
            end_sessions(&client).await;
        } else {
            kill_process(Pid::from_child(&child), Signal::TERM).expect("the program runs");
        }
        let (mut code, mut report, mut stderr) = end(child);
        if !lose_connections {
            assert_eq!(code, Some(143), "{stderr}");
            assert!(count(&report, "/load/not_loaded") > 0, "{report}");
            (code, report, stderr) = end(start());
        }
        assert_eq!(code, Some(1), "{stderr}");
        let stored = texts(&client, "SELECT count(*)::text FROM customer_profiles").await;
        assert_eq!(stored, [count(&report, "/load/inserted").to_string()]);
        let lines = document_lines(&input);
        let is_refused = |line: &[u8]| {
            let document: Value = serde_json::from_slice(line).expect("it is generated");
            document["id"].as_str().expect("an id").ends_with('7')
        };
        let refused: Vec<u8> =
            lines.iter().filter(|(_, line)| is_refused(line)).flat_map(|(_, line)| line.to_vec()).collect();
        assert!(!refused.is_empty());
        let rejected = std::fs::read(rejects.path().join("rejects.ndjson")).expect("there are rejects");
        assert!(rejected == refused, "each refused document is kept once, in input order");
    }
}

/// One connection holds the target, so one is left for four lanes.
#[tokio::test]
async fn lanes_share_the_connections_that_there_are() {
    let store = Store::new("few", Tables::Foreign);
    store.database.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 2 IN ROLE postgres");
    let input = generate(&["--count", DOCUMENTS, "--seed", "9"]);
    let file = store.file("few.ndjson", &input);
    let rejects = tempfile::tempdir().expect("the temporary folder is writable");
    let mut command = command(&store, rejects.path());
    command.env("DATABASE_URL", store.database.url.replace("postgres@", "few@"));
    command.args(["load", "--connections", "4", "--output", "json", "--db-wait", "10s"]).arg(file);
    command.args(["--batch-bytes", "100000", "--chunk-bytes", "10000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let (code, _, stderr) = end(child);
    let client = store.connect().await;
    assert_eq!(code, Some(0), "{stderr}");
    assert_stored(&client, document_lines(&input).into_iter().map(|(_, line)| line)).await;
    store.database.execute("DROP OWNED BY few; DROP ROLE few");
}
