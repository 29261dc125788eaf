//! The server's own troubles: backends that are ended, stops and restarts while documents are copied and
//! committed, deadlocks, and the limits that a role brings along.

use crate::{
    cases::{case, load_to_hold, server},
    faults::{Action, Case, FaultClass, Loader, Moment, Proxy, Shape, Side, Stop},
    support::{Store, TestServer, texts},
};

/// While documents are copied, before COMMIT is sent, and before its answer is told.
const MOMENTS: [Moment; 3] =
    [Moment::Kind(Side::Frontend, b'd', 6), Moment::Commit(9), Moment::CommitAnswer(9)];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn terminated_backends_while_existing_profiles_reject() {
    terminated_backends("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn terminated_backends_while_existing_profiles_are_updated() {
    terminated_backends("update").await;
}

async fn terminated_backends(on_existing: &'static str) {
    let case = case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("terminated backend ({on_existing})"));
    for moment in MOMENTS {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        class.injected(server().terminate_loaders(&store.database) > 0);
        held.release();
        let ended = loader.end();
        assert_eq!(ended.code(), Some(1), "a load gets over that by itself: {}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stopped_servers() {
    let server = TestServer::with_port();
    for on_existing in ["reject", "update"] {
        let case = Case::new(&server, Shape::Many, on_existing).await;
        let mut class =
            FaultClass::new(format!("server stopped fast and immediate, and restarted ({on_existing})"));
        for how in [Stop::Fast, Stop::Immediate] {
            for moment in MOMENTS {
                let (store, proxy) = (case.store(), Proxy::start(server.address()));
                let held = proxy.arm(moment, Action::Hold);
                let mut loader = load_to_hold(&proxy, &case, &store);
                assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
                server.stop(how);
                held.release();
                loader.says("--db-wait");
                server.start_again();
                let ended = loader.end();
                class.injected(ended.stderr.contains("the load goes on after"));
                assert_eq!(ended.code(), Some(1), "{how:?} {moment:?}: {}", ended.stderr);
                forget_crashed_sessions(&store).await;
                class.judge(&case, &store, ended).await;
            }
        }
        class.tell();
    }
}

/// The temporary tables of sessions that were there when the server crashed stay until autovacuum finds them;
/// here they go now.
pub(crate) async fn forget_crashed_sessions(store: &Store) {
    let client = store.connect().await;
    let tables = "SELECT format('DROP TABLE %s', c.oid::regclass) FROM pg_class AS c
                  WHERE c.relpersistence = 't' AND c.relkind = 'r'
                  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'profile-loader%')";
    for drop in texts(&client, tables).await {
        client.batch_execute(&drop).await.expect("nobody uses it");
    }
}

/// Limits that are meant for an API do not stop a load, which waits here for longer than they allow.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn limits_of_the_role() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("limits set for the role ({on_existing})"));
        let store = case.store();
        let foreign = store.connect().await;
        foreign.batch_execute("BEGIN; LOCK customer_profiles IN SHARE MODE").await.expect("it is free");
        let name = &store.database.name;
        for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
            server().execute(format!("ALTER DATABASE {name} SET {limit} = '{LIMIT_MS}ms'"));
        }
        let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
        loader.says("waiting for a lock");
        let waiting = format!(
            "SELECT 'waits' FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'
             AND application_name LIKE 'profile-loader%'
             AND clock_timestamp() - query_start > '{LIMIT_MS}ms'::interval"
        );
        class.injected(server().wait_for(&waiting)[0] == "waits");
        foreign.batch_execute("ROLLBACK").await.expect("it is well");
        drop(foreign);
        let ended = loader.end();
        server().execute(format!("ALTER DATABASE {name} RESET ALL"));
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

/// Shorter than what is waited for, longer than any statement of an undisturbed load.
const LIMIT_MS: u32 = 2000;

/// A foreign session and a lane each hold what the other wants; the server ends the lane's transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deadlocks() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("deadlock with a foreign session (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    // A lane is copying: it holds its row of the ledger, and no lock of the tables yet.
    let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 3), Action::Hold);
    let mut loader = load_to_hold(&proxy, &case, &store);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    let foreign = store.connect().await;
    // The lanes hold their rows of the ledger, and want the profiles that this holds.
    foreign
        .batch_execute("SET deadlock_timeout = '60s'; BEGIN; LOCK customer_profiles")
        .await
        .expect("it is free");
    held.release();
    let lock = tokio::spawn(async move {
        // One of the lanes waits for us by now, or will; this waits for it.
        let result = foreign.batch_execute("LOCK profile_loader.run_lanes; COMMIT").await;
        result.map_err(|error| error.to_string())
    });
    let ended = loader.end();
    lock.await.expect("the foreign session does not panic").expect("the lane is the one that is ended");
    // Sessions tell what they counted when they end.
    let deadlocks = server().wait_for(&format!(
        "SELECT deadlocks::text FROM pg_stat_database WHERE datname = '{}' AND deadlocks > 0",
        store.database.name
    ));
    class.injected(!deadlocks.is_empty());
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}
