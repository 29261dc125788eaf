//! What can be known is known before a run is begun; once it has begun, every way out writes its end to the ledger and
//! says how to go on.

use std::fs::{self, File};

use rustix::process::Signal;

use crate::{
    cases::{bulk_case, case, server},
    faults::{Action, Case, Ended, Loader, Moment, Proxy, Refusal, Shape, load_command, run_states},
    support::{Store, texts},
};

/// The state of the newest run, and what is said of it. `code` is the program's.
async fn assert_said(store: &Store, ended: &Ended, code: i32, state: &str) {
    assert_eq!(ended.code(), Some(code), "{}", ended.stderr);
    let states = run_states(store).await;
    let newest = states.last().expect("a run has begun");
    let (id, found) = newest.split_once(' ').expect("a number and a state");
    assert_eq!(found, state, "run {id}: {}", ended.stderr);
    let unfinished = format!("run {id} is unfinished; ");
    assert!(ended.stderr.contains(&unfinished), "no '{unfinished}': {}", ended.stderr);
    let says_how = ["run the same command again:\n  ", "the same command resumes it"];
    assert!(says_how.iter().any(|words| ended.stderr.contains(words)), "{}", ended.stderr);
}

/// The number of the run that begins next.
async fn next_run(store: &Store) -> i64 {
    let sql = "SELECT coalesce(max(id), 0)::text FROM profile_loader.runs";
    texts(&store.connect().await, sql).await[0].parse::<i64>().expect("a number") + 1
}

fn start(case: &Case, store: &Store, options: &[&str], failpoints: &str) -> Loader {
    let url = server().tcp_url(&store.database);
    let mut command = load_command(store, &url, &[&case.options[..], options].concat());
    command.env("FAILPOINTS", failpoints);
    Loader::of(store, command)
}

async fn both() -> [std::sync::Arc<Case>; 2] {
    [bulk_case(Shape::Few, "reject").await, case(Shape::Few, "reject").await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_folder_of_reject_files_is_a_file() {
    for case in both().await {
        let store = case.store();
        let file = store.file("rejects", b"");
        let before = run_states(&store).await;
        let ended = case.load(&store);
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        assert_eq!(run_states(&store).await, before, "nothing was begun: {}", ended.stderr);
        fs::remove_file(file).expect("it is ours");
        case.assert_exactly_once(&store, &case.load(&store)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_folder_of_reject_files_is_locked_by_another_run() {
    for case in both().await {
        let store = case.store();
        fs::create_dir(store.path("rejects")).expect("the folder is ours");
        let folder = File::open(store.path("rejects")).expect("it is there");
        folder.lock().expect("nobody else has it");
        let before = run_states(&store).await;
        let ended = case.load(&store);
        assert!(ended.stderr.contains("another run writes"), "{}", ended.stderr);
        assert_eq!(ended.code(), Some(2), "{}", ended.stderr);
        assert_eq!(run_states(&store).await, before, "nothing was begun: {}", ended.stderr);
        drop(folder);
        case.assert_exactly_once(&store, &case.load(&store)).await;
    }
}

/// A folder has the name of the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_file_of_deferred_documents_can_not_be_created() {
    let case = bulk_case(Shape::Few, "reject").await;
    let probe = case.store();
    let spill = spill_name(&case, &probe).await;
    let store = case.store();
    fs::create_dir_all(store.path(&spill)).expect("the folder is ours");
    let ended = case.load(&store);
    assert!(ended.stderr.contains(&spill), "{}", ended.stderr);
    assert_said(&store, &ended, 2, "failed").await;
    fs::remove_dir(store.path(&spill)).expect("it is ours");
    case.assert_exactly_once(&store, &case.load(&store)).await;
}

/// As it is called after a load that died while it was there.
async fn spill_name(case: &Case, store: &Store) -> String {
    let id = next_run(store).await;
    let ended = start(case, store, &[], "bulk-copied=return").end();
    assert_eq!(ended.signal(), Some(6), "{}", ended.stderr);
    let entries = fs::read_dir(store.path("rejects")).expect("the folder is there");
    let mut names =
        entries.map(|entry| entry.expect("it is readable").file_name().into_string().expect("UTF-8"));
    let is_spill = |name: &String| name.contains(&format!("run-{id}")) && !name.starts_with("rejects.");
    format!("rejects/{}", names.find(is_spill).expect("the load defers documents"))
}

/// From when the run is written to the ledger on; the connection that holds the target stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn connections_are_refused_once_a_run_has_begun() {
    for case in both().await {
        for refusal in [Refusal::Close, Refusal::Error("53300")] {
            let (store, proxy) = (case.store(), Proxy::start(server().address()));
            let held = proxy.arm(Moment::Statement("INSERT INTO profile_loader.run_lanes", 1), Action::Hold);
            let options = case.options_with("--db-wait", "0");
            let mut loader = Loader::start(&store, &proxy.url(&store.database.name), &options);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            proxy.turn_away(u64::MAX, refusal);
            held.release();
            let ended = loader.end();
            assert!(proxy.counts().turned_away > 0, "{}", ended.stderr);
            assert_said(&store, &ended, 4, "failed").await;
            drop(proxy);
            case.assert_exactly_once(&store, &case.load(&store)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signal_comes_right_after_a_run_has_begun() {
    for case in both().await {
        let store = case.store();
        let running = "SELECT id::text FROM profile_loader.runs WHERE state = 'running'";
        let client = store.connect().await;
        let mut loader = start(&case, &store, &[], "run-begun=sleep(1000)");
        while texts(&client, running).await.is_empty() {
            assert!(!loader.has_ended(), "{}", loader.stderr());
        }
        loader.signal(Signal::TERM);
        let ended = loader.end();
        drop(client);
        assert_said(&store, &ended, 143, "interrupted").await;
        case.assert_exactly_once(&store, &case.load(&store)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panic_right_after_a_run_has_begun() {
    for case in both().await {
        let store = case.store();
        let ended = start(&case, &store, &[], "run-begun=panic").end();
        assert!(ended.stderr.contains("has met a bug"), "{}", ended.stderr);
        assert_said(&store, &ended, 70, "running").await;
        case.assert_exactly_once(&store, &case.load(&store)).await;
    }
}

/// In a lane, and while indexes are restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_panic_while_a_run_loads() {
    let moments = [("restoring", "running"), ("lane-staged", "failed")];
    for (case, (name, state)) in both().await.into_iter().zip(moments) {
        let store = case.store();
        let ended = start(&case, &store, &[], &format!("{name}=panic")).end();
        assert!(ended.stderr.contains("has met a bug"), "{}", ended.stderr);
        assert_said(&store, &ended, 70, state).await;
        case.assert_exactly_once(&store, &case.load(&store)).await;
    }
}
