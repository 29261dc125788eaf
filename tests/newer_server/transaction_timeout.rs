//! `transaction_timeout` of a role: a load's transactions take as long as they take, and so do those that build
//! indexes, write the ledger, make tables and abandon runs.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    faults::{Action, Case, Ended, FaultClass, Loader, Moment, PipedInput, Proxy, Shape, load_command},
    server,
    support::{Store, Tables, binary},
};

const LIMIT: Duration = Duration::from_millis(500);

/// More than the program needs to come to where it waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// For all sessions of the tests' role in this database that begin from now on.
fn limit(store: &Store) {
    server().execute(format!(
        "ALTER ROLE postgres IN DATABASE {} SET transaction_timeout = '{}ms'",
        store.database.name,
        LIMIT.as_millis()
    ));
}

fn lift_limit(store: &Store) {
    server().execute(format!("ALTER ROLE postgres IN DATABASE {} RESET ALL", store.database.name));
}

/// Waits until a transaction of the program has lasted longer than the role allows.
fn lasts(loader: &mut Loader, store: &Store) {
    let lasting = format!(
        "SELECT 'lasts' FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'profile-loader%'
         AND clock_timestamp() - xact_start > '{}ms'::interval",
        store.database.name,
        LIMIT.as_millis() * 2
    );
    let deadline = Instant::now() + PATIENCE;
    while server().texts(&lasting).is_empty() {
        let is_over = loader.has_ended() || Instant::now() > deadline;
        assert!(!is_over, "no transaction lasts: {}", loader.stderr());
        thread::sleep(Duration::from_millis(5));
    }
}

/// The load has waited for long in a transaction, and nothing had to be tried again.
async fn ends(class: &mut FaultClass, case: &Case, store: &Store, ended: Ended) {
    lift_limit(store);
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
    class.injected(true);
    class.judge(case, store, ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_atomic_load_lasts_as_long_as_its_input() {
    for on_existing in ["reject", "update"] {
        let mut case = Case::new(server(), Shape::One, on_existing).await;
        case.options.push("--atomic");
        let mut class = FaultClass::new(format!("transaction_timeout of the role, --atomic ({on_existing})"));
        let store = case.store();
        limit(&store);
        let input = PipedInput::of(&store, 400_000);
        let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
        lasts(&mut loader, &store);
        input.finish(&store);
        ends(&mut class, &case, &store, loader.end()).await;
        class.tell();
    }
}

/// Somebody reads the tables for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_merge_lasts_as_long_as_others_hold_locks() {
    let case = Case::new(server(), Shape::Many, "update").await;
    let mut class = FaultClass::new("transaction_timeout of the role, merge (update)");
    let store = case.store();
    let foreign = store.connect().await;
    foreign.batch_execute("BEGIN; LOCK customer_profiles IN SHARE MODE").await.expect("it is free");
    limit(&store);
    let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
    lasts(&mut loader, &store);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    ends(&mut class, &case, &store, loader.end()).await;
    class.tell();
}

/// What drops indexes waits, what copies, what builds an index, and what checks a foreign key.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bulk_load_lasts_as_long_as_it_takes() {
    let case = Case::bulk(server(), Shape::Many, "reject").await;
    let mut class = FaultClass::new("transaction_timeout of the role, bulk (reject)");
    for moment in [
        Moment::Statement("DROP CONSTRAINT", 3),
        Moment::Statement("UPDATE profile_loader.run_lanes", 4),
        Moment::Statement("PRIMARY KEY USING INDEX", 1),
        Moment::Statement("VALIDATE CONSTRAINT", 1),
        Moment::Statement("COPY pg_temp.profile_loader_staged", 2),
    ] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        limit(&store);
        let held = proxy.arm(moment, Action::Hold);
        let options = case.options_with("--watch-every", "20s");
        let mut loader = Loader::start(&store, &proxy.url(&store.database.name), &options);
        assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
        lasts(&mut loader, &store);
        held.release();
        ends(&mut class, &case, &store, loader.end()).await;
    }
    class.tell();
}

/// An index that takes the server long: another session's lock makes it so.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_index_takes_as_long_as_it_takes() {
    let case = Case::bulk(server(), Shape::Many, "update").await;
    let mut class = FaultClass::new("transaction_timeout of the role, index build (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let foreign = store.connect().await;
    limit(&store);
    let held = proxy.arm(Moment::Statement("CREATE UNIQUE INDEX", 1), Action::Hold);
    let options = case.options_with("--watch-every", "20s");
    let mut loader = Loader::start(&store, &proxy.url(&store.database.name), &options);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    // Documents may come in beside it, but no index is built.
    let lock = "BEGIN; LOCK customer_profiles, customer_profile_addresses IN ROW EXCLUSIVE MODE";
    foreign.batch_execute(lock).await.expect("they are free");
    held.release();
    lasts(&mut loader, &store);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    ends(&mut class, &case, &store, loader.end()).await;
    class.tell();
}

/// A command beside a session that holds locks on the ledger.
async fn command_lasts(store: &Store, words: &[&str]) {
    let foreign = store.connect().await;
    limit(store);
    let tables = "profile_loader.migrations, profile_loader.runs, profile_loader.run_lanes";
    foreign.batch_execute(&format!("BEGIN; LOCK {tables}")).await.expect("they are free");
    let mut command = binary();
    command.args(words).args(["--database-url", &server().tcp_url(&store.database)]);
    let mut loader = Loader::of(store, command);
    lasts(&mut loader, store);
    foreign.batch_execute("ROLLBACK").await.expect("it is well");
    drop(foreign);
    let ended = loader.end();
    lift_limit(store);
    assert_eq!(ended.code(), Some(0), "{words:?}: {}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn migrate_lasts_as_long_as_others_hold_locks() {
    let store = Store::at(server().database("transaction_timeout"), Tables::Migrated);
    let mut up = binary();
    up.args(["migrate", "up", "--database-url", &server().tcp_url(&store.database)]);
    assert_eq!(Loader::of(&store, up).end().code(), Some(0));
    for action in ["status", "verify", "up", "sql", "down"] {
        command_lasts(&store, &["migrate", action]).await;
    }
}

/// Abandoned is a bulk load that was killed while it copied: what it dropped is restored.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn runs_last_as_long_as_others_hold_locks() {
    let case = Case::bulk(server(), Shape::Many, "update").await;
    for words in [&["runs", "list"][..], &["runs", "show", "2"], &["runs", "abandon", "2"]] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(Moment::Statement("UPDATE profile_loader.run_lanes", 4), Action::Hold);
        let options = case.options_with("--watch-every", "20s");
        let command = load_command(&store, &proxy.url(&store.database.name), &options);
        let mut loader = Loader::of(&store, command);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        loader.signal(Signal::KILL);
        assert_eq!(loader.end().signal(), Some(9));
        drop(proxy);
        command_lasts(&store, words).await;
    }
}

/// Nothing else of a newer server is in a load's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_undisturbed_load_is_as_on_older_servers() {
    for on_existing in ["reject", "update"] {
        for case in [
            Case::new(server(), Shape::Many, on_existing).await,
            Case::bulk(server(), Shape::Many, on_existing).await,
        ] {
            let store = case.store();
            let ended = case.load(&store);
            case.assert_exactly_once(&store, &ended).await;
        }
    }
}
