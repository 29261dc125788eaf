//! Limits that a role brings along, for every session of the program: they are meant for an API, and the program
//! waits here for longer than they allow.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    cases::{bulk_case, case, load_to_hold, server},
    faults::{Action, Case, FaultClass, Loader, Moment, PipedInput, Proxy, Shape, load_command},
    support::{Store, Tables, binary},
};

const LIMIT: Duration = Duration::from_millis(500);

/// More than the program needs to come to where it waits.
const PATIENCE: Duration = Duration::from_secs(20);

const LIMITS: [&str; 4] =
    ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"];

/// For all sessions of the tests' role in this database that begin from now on.
fn limit(store: &Store) {
    for name in LIMITS {
        server().execute(format!(
            "ALTER ROLE postgres IN DATABASE {} SET {name} = '{}ms'",
            store.database.name,
            LIMIT.as_millis()
        ));
    }
}

fn lift_limits(store: &Store) {
    server().execute(format!("ALTER ROLE postgres IN DATABASE {} RESET ALL", store.database.name));
}

/// Waits until the query returns something, which it does not if the program is ended by a limit.
fn wait_for(loader: &mut Loader, sql: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while rows.is_empty() {
        let is_over = loader.has_ended() || Instant::now() > deadline;
        assert!(!is_over, "{sql} is in vain: {}", loader.stderr());
        thread::sleep(Duration::from_millis(5));
        rows = server().texts(sql);
    }
    rows
}

/// A session of the program waits for a lock for longer than a statement may take, and than it may wait.
fn waits(loader: &mut Loader, store: &Store) {
    wait_for(
        loader,
        &format!(
            "SELECT 'waits' FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'
             AND application_name LIKE 'profile-loader%'
             AND clock_timestamp() - query_start > '{}ms'::interval",
            store.database.name,
            LIMIT.as_millis() * 2
        ),
    );
}

/// The sessions of a load that is silent are those that it began with.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn idle_sessions_stay() {
    let case = case(Shape::One, "update").await;
    let mut class = FaultClass::new("limits set for the role, silent input (update)");
    let store = case.store();
    limit(&store);
    let input = PipedInput::of(&store, 100_000);
    let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
    let sessions = |age: Duration| {
        format!(
            "SELECT string_agg(concat_ws(' ', pid, application_name), ', ' ORDER BY pid) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name LIKE 'profile-loader run % control'
               AND clock_timestamp() - backend_start > '{}ms'::interval
             HAVING count(*) > 0",
            store.database.name,
            age.as_millis()
        )
    };
    let young = wait_for(&mut loader, &sessions(Duration::ZERO));
    // In vain when it is ended each time: another loader may come meanwhile.
    let old = wait_for(&mut loader, &sessions(LIMIT * 3));
    class.injected(true);
    assert_eq!(old, young, "the session that holds the target was ended");
    input.finish(&store);
    let ended = loader.end();
    lift_limits(&store);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// One transaction that waits for its input.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_atomic_load_may_wait_for_its_input() {
    let mut case = Case::new(server(), Shape::One, "reject").await;
    case.options.push("--atomic");
    let mut class = FaultClass::new("limits set for the role, --atomic, silent input (reject)");
    let store = case.store();
    limit(&store);
    let input = PipedInput::of(&store, 400_000);
    let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
    let idle = format!(
        "SELECT 'idle' FROM pg_stat_activity WHERE datname = '{}' AND state = 'idle in transaction'
         AND application_name LIKE 'profile-loader run % lane'
         AND clock_timestamp() - state_change > '{}ms'::interval",
        store.database.name,
        LIMIT.as_millis() * 2
    );
    class.injected(!wait_for(&mut loader, &idle).is_empty());
    input.finish(&store);
    let ended = loader.end();
    lift_limits(&store);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// What drops indexes waits, and what builds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_may_wait_for_locks() {
    let case = bulk_case(Shape::Many, "reject").await;
    let mut class = FaultClass::new("limits set for the role, bulk (reject)");
    let locks = [
        "LOCK customer_profiles IN SHARE MODE",
        // Documents may come in beside it, but no index is built.
        "LOCK customer_profile_addresses IN ROW EXCLUSIVE MODE",
    ];
    for (index, lock) in locks.into_iter().enumerate() {
        let store = case.store();
        let foreign = store.connect().await;
        limit(&store);
        let proxy = Proxy::start(server().address());
        let lock = format!("BEGIN; {lock}");
        let mut loader = if index == 0 {
            foreign.batch_execute(&lock).await.expect("it is free");
            Loader::start(&store, &proxy.url(&store.database.name), &case.options)
        } else {
            let held = proxy.arm(Moment::Statement("CREATE UNIQUE INDEX", 1), Action::Hold);
            let mut loader = load_to_hold(&proxy, &case, &store);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            foreign.batch_execute(&lock).await.expect("it is free");
            held.release();
            loader
        };
        if index == 0 {
            // In short attempts of its own, so that others come through.
            loader.says("the tables can't be locked to drop their indexes, because pid");
        } else {
            waits(&mut loader, &store);
        }
        class.injected(true);
        foreign.batch_execute("ROLLBACK").await.expect("it is well");
        drop(foreign);
        let ended = loader.end();
        lift_limits(&store);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        let trying_again = ended.stderr.matches("trying again").count();
        assert_eq!(trying_again, usize::from(index == 0), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// A command beside a session that holds locks on all of the ledger.
async fn command_waits(store: &Store, words: &[&str]) {
    let foreign = store.connect().await;
    limit(store);
    let tables = "profile_loader.migrations, profile_loader.runs, profile_loader.run_lanes";
    foreign.batch_execute(&format!("BEGIN; LOCK {tables}")).await.expect("they are free");
    let mut command = binary();
    command.args(words).args(["--database-url", &server().tcp_url(&store.database)]);
    let mut loader = Loader::of(store, command);
    waits(&mut loader, store);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    let ended = loader.end();
    lift_limits(store);
    assert_eq!(ended.code(), Some(0), "{words:?}: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn migrate_may_wait_for_locks() {
    let store = Store::at(server().database("limits"), Tables::Migrated);
    assert_eq!(store.load(&[], b"").code, Some(0));
    for action in ["status", "verify", "up", "sql", "down"] {
        command_waits(&store, &["migrate", action]).await;
    }
}

/// A run that was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn runs_may_wait_for_locks() {
    for words in [&["runs", "list"][..], &["runs", "show", "2"], &["runs", "abandon", "2"]] {
        let case = bulk_case(Shape::Many, "update").await;
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(Moment::Statement("UPDATE profile_loader.run_lanes", 4), Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        loader.signal(Signal::KILL);
        assert_eq!(loader.end().signal(), Some(9));
        drop(proxy);
        command_waits(&store, words).await;
    }
}

/// The load, too, reads the ledger before it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_load_may_wait_for_the_ledger() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("limits set for the role, ledger locked (reject)");
    let store = case.store();
    let foreign = store.connect().await;
    limit(&store);
    foreign.batch_execute("BEGIN; LOCK profile_loader.migrations").await.expect("it is free");
    let command = load_command(&store, &server().tcp_url(&store.database), &case.options);
    let mut loader = Loader::of(&store, command);
    waits(&mut loader, &store);
    class.injected(true);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    let ended = loader.end();
    lift_limits(&store);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}
