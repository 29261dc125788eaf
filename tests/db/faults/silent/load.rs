//! A load that meets silence: when it starts, in the middle of the startup, and after it has lost its connections.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{CONNECT_WITHIN, assert_says_silent, quick_load};
use crate::{
    cases::{case, load_through, server},
    faults::{Action, FaultClass, Moment, Proxy, Refusal, Shape, Side},
};

/// More attempts than a load makes with a server that answers and then drops the connection.
const ATTEMPTS: u64 = 12;

/// A load with `--db-wait 1s` and half a second for each attempt has to be over by then on a busy machine.
const SOON: Duration = Duration::from_secs(10);

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem");

/// However many attempts that takes, `--db-wait` alone says when it is enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silence_is_waited_out() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("silent server at the start (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    proxy.turn_away(u64::MAX, Refusal::Silence);
    let mut loader = quick_load(&case, &store, &proxy.url(&store.database.name), "10m");
    while proxy.counts().turned_away < ATTEMPTS {
        assert!(
            !loader.has_ended(),
            "it has ended after {} attempts: {}",
            proxy.counts().turned_away,
            loader.stderr()
        );
        thread::sleep(Duration::from_millis(5));
    }
    proxy.let_through();
    let ended = loader.end();
    class.injected(ended.stderr.contains("--db-wait"));
    assert_says_silent(&ended.stderr, proxy.port());
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silence_beyond_the_patience_ends_the_load_with_4() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("server that stays silent (update)");
    for parameters in [String::new(), format!("?sslmode=verify-full&sslrootcert={AUTHORITY}")] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        proxy.turn_away(u64::MAX, Refusal::Silence);
        let url = proxy.url(&store.database.name) + &parameters;
        let ended = quick_load(&case, &store, &url, "1s").ends_within(SOON);
        class.injected(proxy.counts().turned_away > 1);
        assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
        assert_says_silent(&ended.stderr, proxy.port());
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// The server answers the first message or some of what it has to say after it, and then nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silence_in_the_middle_of_the_startup() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("server falls silent during startup (reject)");
    for (number, db_wait, code) in [(1, "0", 4), (2, "0", 4), (4, "0", 4), (1, "60s", 1), (3, "60s", 1)] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let fault = proxy.arm(Moment::Message(Side::Backend, number), Action::Stall);
        let ended = quick_load(&case, &store, &proxy.url(&store.database.name), db_wait).ends_within(SOON);
        class.injected(fault.has_fired());
        assert_eq!(ended.code(), Some(code), "message {number}: {}", ended.stderr);
        assert_says_silent(&ended.stderr, proxy.port());
        drop(proxy);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// The program's own patience with one attempt is shorter than the operator's.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connect_timeout_of_the_operators_counts() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("server that answers late (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let held = proxy.arm(Moment::Message(Side::Backend, 1), Action::Hold);
    let url = proxy.url(&store.database.name) + "?connect_timeout=20";
    let mut loader = quick_load(&case, &store, &url, "60s");
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    // Longer than the load would give it by itself, whichever of its intervals that comes from.
    thread::sleep(CONNECT_WITHIN * 5);
    class.injected(true);
    assert_eq!(proxy.counts().connections, 1, "it still waits for the first answer: {}", loader.stderr());
    held.release();
    let ended = loader.end();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(!ended.stderr.contains("--db-wait"), "nothing was tried again: {}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// All connections are lost between two batches, and those that are made instead meet silence for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn silence_in_the_middle_of_a_load() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("server falls silent in the middle ({on_existing})"));
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
        let mut loader = quick_load(&case, &store, &proxy.url(&store.database.name), "60s");
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        proxy.turn_away(u64::MAX, Refusal::Silence);
        assert!(server().terminate_loaders(&store.database) > 0);
        held.release();
        while proxy.counts().turned_away < 8 {
            assert!(!loader.has_ended(), "{}", loader.stderr());
            thread::sleep(Duration::from_millis(5));
        }
        proxy.let_through();
        let ended = loader.end();
        class.injected(ended.stderr.contains("the load goes on after"));
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

/// What is half said when patience ends is not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_patience_is_no_wait() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("silent server, --db-wait 0 (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    proxy.turn_away(1, Refusal::Silence);
    let started = Instant::now();
    let ended = quick_load(&case, &store, &proxy.url(&store.database.name), "0").ends_within(SOON);
    class.injected(proxy.counts().turned_away == 1);
    assert!(started.elapsed() >= CONNECT_WITHIN, "one attempt has its time");
    assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
    assert_says_silent(&ended.stderr, proxy.port());
    let ended = load_through(&proxy, &case, &store).end();
    class.judge(&case, &store, ended).await;
    class.tell();
}
