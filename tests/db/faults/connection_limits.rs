//! Roles that may have few connections: any load that needs two of them ends as one without a limit does, and waits
//! for locks are not taken for a server that stands still.

use crate::{
    cases::{bulk_case, case, server},
    faults::{Action, Case, Ended, Loader, Moment, Outcome, Proxy, Role, Shape},
    support::{Store, texts},
};

/// Of a role that owns what the superuser owns, but not what superusers are exempt from.
fn limited(store: &Store, limit: usize) -> Role<'_> {
    Role::new(server(), store, &format!("CONNECTION LIMIT {limit} IN ROLE postgres"))
}

fn load_as(role: &Role<'_>, case: &Case, store: &Store) -> Ended {
    Loader::start(store, &role.url(), &case.options_with("--connections", "4")).end()
}

/// The lanes that the load would have are more than the role may have beside the one that holds the target. Each
/// limit below five has to be met: the server has refused a session.
async fn ends_as_without_a_limit(case: &Case, limit: usize) {
    let reference = case.store();
    let options = case.options_with("--connections", "4");
    let ended = Loader::start(&reference, &server().tcp_url(&reference.database), &options).end();
    let unlimited = Outcome::of(&reference, &ended).await;
    assert_eq!(unlimited.code, Some(1), "{}", ended.stderr);

    let store = case.store();
    let role = limited(&store, limit);
    let ended = load_as(&role, case, &store);
    assert!(limit > 4 || role.refusals() > 0, "the limit was not met");
    assert_eq!(ended.code(), Some(1), "limit {limit}: {}", ended.stderr);
    assert_eq!(Outcome::of(&store, &ended).await, unlimited, "limit {limit}: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_ends_with_two_connections() {
    ends_as_without_a_limit(&*bulk_case(Shape::Many, "reject").await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_ends_with_three_connections() {
    ends_as_without_a_limit(&*bulk_case(Shape::Many, "reject").await, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_ends_with_four_connections() {
    ends_as_without_a_limit(&*bulk_case(Shape::Many, "reject").await, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_ends_with_five_connections() {
    ends_as_without_a_limit(&*bulk_case(Shape::Many, "reject").await, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_that_updates_ends_with_two_connections() {
    ends_as_without_a_limit(&*bulk_case(Shape::Many, "update").await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_ends_with_two_to_five_connections() {
    let case = case(Shape::Many, "update").await;
    for limit in 2..=5 {
        ends_as_without_a_limit(&case, limit).await;
    }
}

/// Looks of the watch that the server refuses while a lock is waited for; two in a row ended a transaction once.
const REFUSED_LOOKS: usize = 12;

const TRIED_AGAIN: &str = "trying again";

/// Waits until the session of this kind waits for a lock; returns which one it is.
fn waits_for_a_lock(store: &Store, role: &str) -> Vec<String> {
    server().wait_for(&format!(
        "SELECT concat_ws(' ', pid, backend_start) FROM pg_stat_activity
         WHERE datname = '{}' AND wait_event_type = 'Lock'
         AND application_name LIKE 'profile-loader run % {role}'",
        store.database.name
    ))
}

/// The session waits on while the server refuses one look after another. Before that, and when it has got its lock, the load
/// may try a connection again: with two of them, it may have to wait for the server to end an earlier one, and a busy
/// machine is silent for longer than such a watch bears.
fn waits_on(role: &Role<'_>, store: &Store, loader: &mut Loader, kind: &str) {
    let waiting = waits_for_a_lock(store, kind);
    let tried_again = loader.stderr().matches(TRIED_AGAIN).count();
    let before = role.refusals();
    while role.refusals() < before + REFUSED_LOOKS {
        assert!(!loader.has_ended(), "{}", loader.stderr());
        assert_eq!(waits_for_a_lock(store, kind), waiting, "another session: {}", loader.stderr());
    }
    let stderr = loader.stderr();
    assert_eq!(stderr.matches(TRIED_AGAIN).count(), tried_again, "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_row_lock_is_waited_for_where_the_watch_gets_no_connection() {
    let case = case(Shape::One, "update").await;
    let store = case.store();
    let foreign = store.connect().await;
    foreign.batch_execute("BEGIN").await.expect("it is well");
    assert!(!texts(&foreign, "SELECT id::text FROM customer_profiles FOR UPDATE").await.is_empty());
    let role = limited(&store, 2);
    let mut loader = Loader::start(&store, &role.url(), &case.options_with("--watch-every", "100ms"));
    waits_on(&role, &store, &mut loader, "lane");
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    let ended = loader.end();
    case.assert_exactly_once(&store, &ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_index_build_is_waited_for_where_the_watch_gets_no_connection() {
    let case = bulk_case(Shape::One, "reject").await;
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let role = limited(&store, 2);
    let held = proxy.arm(Moment::Statement("CREATE UNIQUE INDEX", 1), Action::Hold);
    let url = role.of_url(&proxy.url(&store.database.name));
    let mut loader = Loader::start(&store, &url, &case.options_with("--watch-every", "100ms"));
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    let foreign = store.connect().await;
    // Documents may come in beside it, but no index is built.
    let lock = "BEGIN; LOCK customer_profiles, customer_profile_addresses, customer_profile_emails,
                customer_profile_phone_numbers IN ROW EXCLUSIVE MODE";
    foreign.batch_execute(lock).await.expect("it is free");
    held.release();
    waits_on(&role, &store, &mut loader, "restore");
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    let ended = loader.end();
    case.assert_exactly_once(&store, &ended).await;
}
