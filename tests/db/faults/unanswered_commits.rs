//! A signal while a COMMIT is unanswered: what it was about may be loaded or not, and that is what is told.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    cases::{case, server},
    faults::{Action, Case, Ended, FaultClass, Loader, Moment, Proxy, Shape, load_command},
    support::{Store, texts},
};

/// What is under way gets half a second here once a signal has come; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(6);

const COUNT: &str = "SELECT count(*)::text FROM customer_profiles";

/// A load whose COMMIT gets no answer is told to stop, and gives up; then its connection ends.
fn stopped_while_unanswered(case: &Case, store: &Store, moment: Moment, class: &mut FaultClass) -> Ended {
    let proxy = Proxy::start(server().address());
    let held = proxy.arm(moment, Action::Hold);
    // Nobody is to look after what is held.
    let options = case.options_with("--watch-every", "20s");
    let mut command = load_command(store, &proxy.url(&store.database.name), &options);
    command.env("PROFILE_LOADER_STOP_WITHIN", "500ms").args(["--output", "json"]);
    let mut loader = Loader::of(store, command);
    class.injected(held.fires_unless(|| loader.has_ended()));
    loader.signal(Signal::TERM);
    let ended = loader.ends_within(SOON);
    assert_eq!(ended.code(), Some(143), "{}", ended.stderr);
    ended
}

fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).expect("the report is printed")
}

fn count(report: &Value, pointer: &str) -> u64 {
    let count = report.pointer(pointer).and_then(Value::as_u64);
    count.unwrap_or_else(|| panic!("there is no {pointer} in the report: {}", report["load"]))
}

/// Each accepted document is told of once; returns how many are new for certain, and of how many nobody knows.
fn told(report: &Value) -> [u64; 2] {
    let of_load = |name| count(report, &format!("/load/{name}"));
    let unknown = of_load("unknown");
    let told = ["inserted", "updated", "unchanged", "skipped", "not_loaded"].map(of_load);
    let expected = count(report, "/documents/accepted") + of_load("settled_earlier");
    assert_eq!(told.iter().sum::<u64>() + unknown, expected, "{}", report["load"]);
    [of_load("inserted"), unknown]
}

async fn stored(store: &Store) -> u64 {
    texts(&store.connect().await, COUNT).await[0].parse().expect("it is a number")
}

/// The transaction is committed with the answer on its way, or ends with the connection.
async fn may_be_loaded(case: &Case, name: &str, moments: [Moment; 2]) {
    let mut class = FaultClass::new(name);
    for moment in moments {
        let store = case.store();
        let before = stored(&store).await;
        let ended = stopped_while_unanswered(case, &store, moment, &mut class);
        let [inserted, unknown] = told(&report(&ended));
        assert!(unknown > 0, "{moment:?}: {}", ended.stdout);
        // The transaction has ended once its locks are gone.
        let wait = "BEGIN; LOCK profile_loader.run_lanes; COMMIT";
        store.connect().await.batch_execute(wait).await.expect("the connection has ended with the proxy");
        let new = stored(&store).await - before;
        assert!((inserted..=inserted + unknown).contains(&new), "{new} of {inserted} and {unknown}");
        class.judge(case, &store, ended).await;
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn documents_of_an_unanswered_commit_may_be_loaded() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let name = format!("signal while COMMIT is unanswered ({on_existing})");
        may_be_loaded(&case, &name, [Moment::Commit(9), Moment::CommitAnswer(9)]).await;
    }
}

/// All of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_documents_of_an_atomic_load_may_be_loaded() {
    let mut case = Case::new(server(), Shape::One, "reject").await;
    case.options.push("--atomic");
    // COMMITs before it are those of the ledger.
    let moments = [Moment::Commit(2), Moment::CommitAnswer(2)];
    may_be_loaded(&case, "--atomic: signal while COMMIT is unanswered (reject)", moments).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn people_are_told_that_it_is_not_known() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("signal while COMMIT is unanswered, in words (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let held = proxy.arm(Moment::CommitAnswer(3), Action::Hold);
    let options = case.options_with("--watch-every", "20s");
    let mut command = load_command(&store, &proxy.url(&store.database.name), &options);
    command.env("PROFILE_LOADER_STOP_WITHIN", "500ms");
    let mut loader = Loader::of(&store, command);
    class.injected(held.fires_unless(|| loader.has_ended()));
    loader.signal(Signal::INT);
    let ended = loader.ends_within(SOON);
    drop(proxy);
    assert_eq!(ended.code(), Some(130), "{}", ended.stderr);
    assert!(ended.stdout.contains("outcome not known"), "{}", ended.stdout);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// A signal that finds every COMMIT answered leaves nothing in doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_in_time_leaves_no_doubt() {
    let case = case(Shape::Many, "reject").await;
    let mut class = FaultClass::new("signal, and COMMIT answered in time (reject)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let before = stored(&store).await;
    let held = proxy.arm(Moment::CommitAnswer(9), Action::Hold);
    let options = case.options_with("--watch-every", "20s");
    let mut command = load_command(&store, &proxy.url(&store.database.name), &options);
    command.args(["--output", "json"]);
    let mut loader = Loader::of(&store, command);
    class.injected(held.fires_unless(|| loader.has_ended()));
    loader.signal(Signal::TERM);
    held.release();
    let ended = loader.end();
    assert_eq!(ended.code(), Some(143), "{}", ended.stderr);
    let [inserted, unknown] = told(&report(&ended));
    assert_eq!((stored(&store).await - before, unknown), (inserted, 0));
    class.judge(&case, &store, ended).await;
    class.tell();
}
