//! What operators do to a bulk load: stop it in every phase, and change its input.

use std::{fs, time::Duration};

use rustix::process::Signal;

use super::{COPYING, FIRST_WHEN_RESTORED, all_moments};
use crate::{
    cases::{bulk_case, load_to_hold, server},
    faults::{Action, FaultClass, INPUT, Proxy, Shape},
    support::texts,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signals_end_a_load_in_time_while_existing_profiles_reject() {
    signals_end_a_load_in_time("reject", Signal::TERM, 143).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signals_end_a_load_in_time_while_existing_profiles_are_updated() {
    signals_end_a_load_in_time("update", Signal::INT, 130).await;
}

async fn signals_end_a_load_in_time(on_existing: &'static str, signal: Signal, code: i32) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: signal {signal:?} ({on_existing})"));
    // Before anything has begun there is nothing to go on with.
    for (index, moment) in all_moments().into_iter().enumerate().skip(1) {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
        loader.signal(signal);
        held.release();
        let ended = loader.ends_within(Duration::from_secs(10));
        class.injected(ended.code() == Some(code));
        assert!(ended.stderr.contains("run the same command again:\n"), "{}", ended.stderr);
        // Once all are restored, nobody is told that some may be missing.
        let may_lack = index < FIRST_WHEN_RESTORED;
        assert_eq!(
            ended.stderr.contains("the tables may lack indexes"),
            may_lack,
            "{moment:?}: {}",
            ended.stderr
        );
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// While an index is built that takes long: another session's lock makes it so.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signal_ends_what_takes_the_server_long() {
    let case = bulk_case(Shape::Many, "reject").await;
    let mut class = FaultClass::new("bulk: signal while the server builds (reject)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let held = proxy.arm(COPYING[0], Action::Hold);
    let mut loader = load_to_hold(&proxy, &case, &store);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    let foreign = store.connect().await;
    // Documents may come in beside it, but no index is built.
    let lock = "BEGIN; LOCK customer_profile_addresses IN ROW EXCLUSIVE MODE";
    foreign.batch_execute(lock).await.expect("it is free");
    held.release();
    server().wait_for(&format!(
        "SELECT 'waits' FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'
         AND application_name LIKE 'profile-loader run % restore' AND query LIKE 'CREATE UNIQUE INDEX%'",
        store.database.name
    ));
    loader.signal(Signal::TERM);
    let ended = loader.ends_within(Duration::from_secs(10));
    class.injected(ended.code() == Some(143));
    // Nothing of it goes on.
    let left = format!(
        "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity
         WHERE datname = '{}' AND application_name LIKE 'profile-loader%')",
        store.database.name
    );
    server().wait_for(&left);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    class.judge(&case, &store, ended).await;
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_input_that_was_changed_is_refused() {
    let case = bulk_case(Shape::Many, "update").await;
    let mut class = FaultClass::new("bulk: input changed between attempts (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let held = proxy.arm(COPYING[1], Action::Hold);
    let mut loader = load_to_hold(&proxy, &case, &store);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    loader.signal(Signal::KILL);
    assert_eq!(loader.end().signal(), Some(9));
    drop(proxy);
    let count = "SELECT count(*)::text FROM customer_profiles";
    let original = fs::read(store.path(INPUT)).expect("it was written");
    let changed = String::from_utf8_lossy(&original).replacen("\"firstName\":\"", "\"firstName\":\"X", 1);
    fs::write(store.path(INPUT), changed).expect("the folder is writable");
    let refused = case.load(&store);
    class.injected(refused.code() == Some(5));
    assert!(refused.stderr.contains("an earlier attempt has loaded"), "{}", refused.stderr);
    let before = texts(&store.connect().await, count).await;
    assert_eq!(case.load(&store).code(), Some(5));
    assert_eq!(texts(&store.connect().await, count).await, before, "nothing is written");
    fs::write(store.path(INPUT), &original).expect("the folder is writable");
    let ended = case.load(&store);
    class.judge(&case, &store, ended).await;
    class.tell();
}
