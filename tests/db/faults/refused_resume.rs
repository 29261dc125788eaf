//! An attempt that is refused because its input was changed leaves what the run is recognised by as it was.

use std::{fs, process::Command};

use crate::{
    cases::{bulk_case, case, server},
    faults::{Case, Ended, INPUT, Loader, Shape, load_command, run_states},
    support::{Store, binary, run_with_stdin, texts},
};

/// What the newest run is recognised by.
async fn identity(store: &Store) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', r.id, r.head_bytes, r.head_digest, i.position, i.name)
               FROM profile_loader.runs AS r JOIN profile_loader.run_inputs AS i ON i.run_id = r.id
               WHERE r.id = (SELECT max(id) FROM profile_loader.runs) ORDER BY i.position";
    texts(&store.connect().await, sql).await
}

/// Dies after some commits; then the input is another one for one attempt. Returns what was the input.
async fn refused(case: &Case, store: &Store) -> Vec<u8> {
    let url = server().tcp_url(&store.database);
    let mut command = load_command(store, &url, &case.options);
    command.env("FAILPOINTS", "lane-after-commit=2*off->return");
    let ended = Loader::of(store, command).end();
    assert_eq!(ended.signal(), Some(6), "{}", ended.stderr);
    let before = identity(store).await;
    assert!(!before.is_empty());
    let original = fs::read(store.path(INPUT)).expect("it was written");
    let changed = String::from_utf8_lossy(&original).replace("\"firstName\":\"", "\"firstName\":\"X");
    fs::write(store.path(INPUT), changed).expect("the folder is writable");
    for _ in 0..2 {
        let refused = case.load(store);
        assert_eq!(refused.code(), Some(5), "{}", refused.stderr);
        assert_eq!(identity(store).await, before, "the identity was overwritten: {}", refused.stderr);
    }
    original
}

async fn assert_same_run(case: &Case, store: &Store, states: &[String], code: Option<i32>, stderr: &str) {
    assert_eq!(code, Some(1), "{stderr}");
    let now = run_states(store).await;
    assert_eq!(now.len(), states.len(), "no other run has begun: {stderr}");
    let (id, _) = states.last().and_then(|state| state.split_once(' ')).expect("there is a run");
    assert_eq!(now.last(), Some(&format!("{id} complete_with_rejects")), "{stderr}");
    case.assert_tables(store).await;
}

/// The command with another input.
fn load_of(store: &Store, case: &Case, input: &str) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args([
        "load",
        input,
        "--rejects",
        "rejects",
        "--report",
        "report.json",
    ]);
    command.args(["--database-url", &server().tcp_url(&store.database)]).args(&case.options);
    command
}

async fn is_recognised(case: &Case, by_stdin: bool) {
    let store = case.store();
    let original = refused(case, &store).await;
    let states = run_states(&store).await;
    if by_stdin {
        let output = run_with_stdin(load_of(&store, case, "-"), &original);
        assert_same_run(case, &store, &states, output.code, &output.stderr).await;
    } else {
        store.file("other.ndjson", &original);
        let ended: Ended = Loader::of(&store, load_of(&store, case, "other.ndjson")).end();
        assert_same_run(case, &store, &states, ended.code(), &ended.stderr).await;
    }
    case.leave(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_is_recognised_under_another_name_after_a_refused_attempt() {
    is_recognised(&*case(Shape::Many, "update").await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_is_recognised_from_a_pipe_after_a_refused_attempt() {
    is_recognised(&*case(Shape::Many, "update").await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_is_recognised_under_another_name_after_a_refused_attempt() {
    is_recognised(&*bulk_case(Shape::Many, "reject").await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_is_recognised_from_a_pipe_after_a_refused_attempt() {
    is_recognised(&*bulk_case(Shape::Many, "reject").await, true).await;
}
