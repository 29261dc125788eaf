//! Connections that are cut, orphaned, stalled, refused and slow, at messages that are named.

use std::{fs, time::Duration};

use crate::{
    cases::{case, load_through, load_to_hold, server, traffic},
    faults::{Action, Case, FaultClass, Loader, Moment, Proxy, Refusal, Shape, Side},
    support::{Random, Store},
};

/// One load through a proxy with this fault, after which the store is as it was; false when it ends before its
/// moment comes.
pub(crate) async fn disturb(
    class: &mut FaultClass,
    case: &Case,
    store: &Store,
    moment: Moment,
    action: Action,
) -> bool {
    let proxy = Proxy::start(server().address());
    let fault = proxy.arm(moment, action);
    let ended = load_through(&proxy, case, store).end();
    if !fault.has_fired() {
        assert_eq!(ended.code(), Some(1), "{moment:?} {action:?}: {}", ended.stderr);
        case.assert_exactly_once(store, &ended).await;
        case.put_back(store).await;
        return false;
    }
    class.injected(true);
    // What the proxy still holds open is none of the program's doing.
    drop(proxy);
    // Where nothing had begun it gives up; from then on it fixes what was cut by itself.
    assert!(matches!(ended.code(), Some(1 | 4)), "{moment:?} {action:?}: {}", ended.stderr);
    class.judge(case, store, ended).await;
    case.put_back(store).await;
    true
}

/// Goes on from the first of these messages by so many, until there is none.
pub(crate) async fn at_messages(
    case: &Case,
    name: &str,
    side: Side,
    action: Action,
    [first, step]: [u64; 2],
) {
    let most = traffic(case).messages[usize::from(side == Side::Backend)];
    let mut class =
        FaultClass::new(format!("{action:?} at messages of the {side:?}, from {first} by {step} ({name})"));
    let store = case.store();
    let mut number = first;
    while disturb(&mut class, case, &store, Moment::Message(side, number), action).await {
        number += step;
    }
    assert!(number > most / 2, "{number} of about {most} messages");
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_loader_first_quarter() {
    cut_before_every_message("reject", Side::Frontend, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_loader_second_quarter() {
    cut_before_every_message("reject", Side::Frontend, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_loader_third_quarter() {
    cut_before_every_message("reject", Side::Frontend, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_loader_fourth_quarter() {
    cut_before_every_message("reject", Side::Frontend, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_server_first_quarter() {
    cut_before_every_message("update", Side::Backend, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_server_second_quarter() {
    cut_before_every_message("update", Side::Backend, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_server_third_quarter() {
    cut_before_every_message("update", Side::Backend, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_every_message_of_the_server_fourth_quarter() {
    cut_before_every_message("update", Side::Backend, 4).await;
}

/// Every fourth of them, so that the quarters run beside each other.
async fn cut_before_every_message(on_existing: &'static str, side: Side, first: u64) {
    let case = case(Shape::Few, on_existing).await;
    at_messages(&case, on_existing, side, Action::CutBefore, [first, 4]).await;
}

/// Little else than before the next one: with the other policy, and fewer of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_after_messages_of_the_loader() {
    let case = case(Shape::Few, "update").await;
    at_messages(&case, "update", Side::Frontend, Action::CutAfter, [1, 7]).await;
}

type NthMoment = fn(u64) -> Moment;

/// The server has not heard of it, has done it, or has done it and said so.
const SIDES_OF_COMMIT: [(NthMoment, Action); 6] = [
    (Moment::Commit, Action::CutBefore),
    (Moment::Commit, Action::CutAfter),
    (Moment::Commit, Action::Orphan),
    (Moment::CommitAnswer, Action::CutBefore),
    (Moment::CommitAnswer, Action::CutAfter),
    (Moment::CommitAnswer, Action::Orphan),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_on_both_sides_of_every_commit_while_existing_profiles_reject() {
    cut_on_both_sides_of_every_commit("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_on_both_sides_of_every_commit_while_existing_profiles_are_updated() {
    cut_on_both_sides_of_every_commit("update").await;
}

async fn cut_on_both_sides_of_every_commit(on_existing: &'static str) {
    let case = case(Shape::Few, on_existing).await;
    let mut class = FaultClass::new(format!("both sides of COMMIT ({on_existing})"));
    let store = case.store();
    for (moment, action) in SIDES_OF_COMMIT {
        let mut number = 1;
        while disturb(&mut class, &case, &store, moment(number), action).await {
            number += 1;
        }
        assert!(number > 4, "there are several transactions");
    }
    class.tell();
}

/// What was tried again is told, to people who watch from afar as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_tried_again_is_counted() {
    let case = case(Shape::One, "update").await;
    let store = case.store();
    let proxy = Proxy::start(server().address());
    let fault = proxy.arm(Moment::Kind(Side::Frontend, b'd', 3), Action::CutBefore);
    let options = [&case.options[..], &["--metrics-file", "nightly.prom"]].concat();
    let ended = Loader::start(&store, &proxy.url(&store.database.name), &options).end();
    assert!(fault.has_fired());
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    let run = ended.into_run(&store);
    assert_eq!(run.report["load"]["retries"], 1, "{}", run.stderr);
    let metrics = fs::read_to_string(store.path("nightly.prom")).expect("it was written");
    assert!(metrics.contains("profile_loader_run_retries{command=\"load\"} 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphans_while_existing_profiles_reject() {
    orphans("reject", 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphans_while_existing_profiles_are_updated() {
    orphans("update", 4).await;
}

/// The server does not hear of the end: sessions live on, in a transaction, with locks.
async fn orphans(on_existing: &'static str, seed: u64) {
    let case = case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("orphaned session ({on_existing})"));
    let mut random = Random(seed);
    let messages = traffic(&case).messages;
    let store = case.store();
    while class.fired() < 15 {
        let moment = Moment::Message(Side::Frontend, 1 + random.next() % messages[0]);
        disturb(&mut class, &case, &store, moment, Action::Orphan).await;
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_open_while_existing_profiles_reject() {
    half_open("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_open_while_existing_profiles_are_updated() {
    half_open("update").await;
}

/// Nothing arrives any more and nobody says so: in a lane, while it is copied and while it is committed, and in
/// the connection that holds the target.
async fn half_open(on_existing: &'static str) {
    let case = case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("half-open connection ({on_existing})"));
    let store = case.store();
    for moment in [
        Moment::Kind(Side::Frontend, b'd', 3),
        Moment::Kind(Side::Frontend, b'd', 11),
        Moment::Commit(9),
        Moment::CommitAnswer(8),
        Moment::Message(Side::Frontend, 1),
        Moment::Message(Side::Frontend, 12),
    ] {
        assert!(disturb(&mut class, &case, &store, moment, Action::Stall).await, "{moment:?}");
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refused_connections_while_existing_profiles_reject() {
    refused_connections("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refused_connections_while_existing_profiles_are_updated() {
    refused_connections("update").await;
}

/// A server that is not there, is starting, or has no connection left: before anything has begun, and after all
/// connections were lost.
async fn refused_connections(on_existing: &'static str) {
    let case = case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("refused connection ({on_existing})"));
    for refusal in [Refusal::Close, Refusal::Error("57P03"), Refusal::Error("53300")] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        proxy.turn_away(3, refusal);
        let ended = load_through(&proxy, &case, &store).end();
        class.injected(proxy.counts().turned_away == 3);
        assert!(ended.stderr.contains("--db-wait"), "{}", ended.stderr);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;

        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        proxy.turn_away(4, refusal);
        assert!(server().terminate_loaders(&store.database) > 0);
        held.release();
        let ended = loader.end();
        class.injected(proxy.counts().turned_away == 4);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// Not waited for: the load ends at once, and the same command completes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lost_without_patience() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("lost connection, --db-wait 0 (update)");
    let options = case.options_with("--db-wait", "0");
    for moment in [Moment::Kind(Side::Frontend, b'd', 5), Moment::CommitAnswer(10)] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let fault = proxy.arm(moment, Action::CutBefore);
        let ended = Loader::start(&store, &proxy.url(&store.database.name), &options).end();
        class.injected(fault.has_fired());
        assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// A slow network is no reason for anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn slow() {
    let mut class = FaultClass::new("slow connection");
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        proxy.slow_down(Some(60_000));
        let ended = load_through(&proxy, &case, &store).end();
        class.injected(proxy.counts().delayed > Duration::from_secs(2));
        assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}
