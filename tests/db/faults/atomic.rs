//! `--atomic`: whatever ends the load, all of it is stored or nothing.

use rustix::process::Signal;

use crate::{
    cases::{load_through, load_to_hold, server},
    faults::{Action, Case, FaultClass, Loader, Moment, Proxy, Shape, Side, load_command},
    support::texts,
};

const COUNT: &str = "SELECT count(*)::text FROM customer_profiles";

/// Several batches; what is left has to be what a load in several transactions leaves.
async fn atomic(on_existing: &'static str) -> Case {
    let mut case = Case::new(server(), Shape::One, on_existing).await;
    case.options.push("--atomic");
    case
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cuts() {
    for on_existing in ["reject", "update"] {
        let case = atomic(on_existing).await;
        let mut class = FaultClass::new(format!("--atomic: connection cut ({on_existing})"));
        for (moment, action, is_stored) in [
            (Moment::Kind(Side::Frontend, b'd', 2), Action::CutBefore, false),
            (Moment::Kind(Side::Frontend, b'd', 6), Action::Orphan, false),
            // COMMITs before it are those of the ledger.
            (Moment::Commit(2), Action::CutBefore, false),
            (Moment::CommitAnswer(2), Action::CutBefore, true),
            (Moment::CommitAnswer(2), Action::Orphan, true),
        ] {
            let store = case.store();
            let before = texts(&store.connect().await, COUNT).await;
            let proxy = Proxy::start(server().address());
            let fault = proxy.arm(moment, action);
            let ended = load_through(&proxy, &case, &store).end();
            class.injected(fault.has_fired());
            drop(proxy);
            if is_stored {
                case.assert_tables(&store).await;
                assert_eq!(ended.code(), Some(1), "the lost answer is found out: {}", ended.stderr);
            } else {
                assert_eq!(texts(&store.connect().await, COUNT).await, before, "{moment:?}");
                assert_eq!(ended.code(), Some(4), "{moment:?}: {}", ended.stderr);
            }
            class.judge(&case, &store, ended).await;
        }
        class.tell();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn kills_and_signals() {
    for on_existing in ["reject", "update"] {
        let case = atomic(on_existing).await;
        let mut class = FaultClass::new(format!("--atomic: kill -9, SIGTERM ({on_existing})"));
        for (signal, code) in [(Signal::KILL, None), (Signal::TERM, Some(143))] {
            let store = case.store();
            let before = texts(&store.connect().await, COUNT).await;
            let proxy = Proxy::start(server().address());
            let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
            let mut loader = load_to_hold(&proxy, &case, &store);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            loader.signal(signal);
            held.release();
            let ended = loader.end();
            class.injected(ended.code() == code);
            drop(proxy);
            assert_eq!(texts(&store.connect().await, COUNT).await, before);
            class.judge(&case, &store, ended).await;
        }
        let store = case.store();
        let mut command = load_command(&store, &server().tcp_url(&store.database), &case.options);
        command.env("FAILPOINTS", "atomic-answered=return");
        let ended = Loader::of(&store, command).end();
        class.injected(ended.signal() == Some(6));
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

/// Nothing stays of what was loaded before the limit was passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn too_many_rejects() {
    let case = atomic("reject").await;
    let store = case.store();
    let before = texts(&store.connect().await, COUNT).await;
    let mut command = load_command(&store, &server().tcp_url(&store.database), &case.options);
    command.args(["--max-rejects", "20", "--output", "json"]);
    let ended = Loader::of(&store, command).end();
    assert_eq!(ended.code(), Some(3), "{}", ended.stderr);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("the report is printed");
    assert_eq!((&report["load"]["inserted"], &report["load"]["unchanged"]), (&0.into(), &0.into()));
    assert_eq!(report["load"]["not_loaded"], report["documents"]["accepted"]);
    assert_eq!(texts(&store.connect().await, COUNT).await, before);
}
