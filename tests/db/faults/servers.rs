//! The server's own troubles: backends that are ended, stops and restarts while documents are copied and
//! committed, deadlocks, and the limits that a role brings along.

use crate::{
    cases::{case, load_through, server},
    faults::{Action, Case, FaultClass, Moment, Proxy, Shape, Side, Stop},
    support::{Store, TestServer, texts},
};

/// While documents are copied, before COMMIT is sent, and before its answer is told.
const MOMENTS: [Moment; 3] =
    [Moment::Kind(Side::Frontend, b'd', 6), Moment::Commit(9), Moment::CommitAnswer(9)];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn terminated_backends() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("terminated backend ({on_existing})"));
        for moment in MOMENTS {
            let (store, proxy) = (case.store(), Proxy::start(server().address()));
            let held = proxy.arm(moment, Action::Hold);
            let mut loader = load_through(&proxy, &case, &store);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            class.injected(server().terminate_loaders(&store.database) > 0);
            held.release();
            let ended = loader.end();
            assert_eq!(ended.code(), Some(1), "a load gets over that by itself: {}", ended.stderr);
            class.judge(&case, &store, ended).await;
        }
        class.tell();
    }
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
                let mut loader = load_through(&proxy, &case, &store);
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
async fn forget_crashed_sessions(store: &Store) {
    let client = store.connect().await;
    let tables = "SELECT format('DROP TABLE %s', c.oid::regclass) FROM pg_class AS c
                  WHERE c.relpersistence = 't' AND c.relkind = 'r'
                  AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'profile-loader%')";
    for drop in texts(&client, tables).await {
        client.batch_execute(&drop).await.expect("nobody uses it");
    }
}

/// Limits that are meant for an API do not stop a load.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn limits_of_the_role() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("limits set for the role (update)");
    let store = case.store();
    for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        store.database.execute(&format!("ALTER DATABASE {} SET {limit} = '1ms'", store.database.name));
    }
    let fired = server().texts(&format!(
        "SELECT 'set' FROM pg_db_role_setting WHERE array_length(setconfig, 1) = 3
         AND setdatabase = (SELECT oid FROM pg_database WHERE datname = '{}')",
        store.database.name
    ));
    class.injected(fired == ["set"]);
    let ended = case.load(&store);
    for limit in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        store.database.execute(&format!(
            "SET statement_timeout = 0; SET lock_timeout = 0; ALTER DATABASE {} RESET {limit}",
            store.database.name
        ));
    }
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// A foreign session and a lane each hold what the other wants; the server ends the lane's transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deadlocks() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("deadlock with a foreign session (update)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    // The lane's transaction holds a lock on what it has written, and is about to commit.
    let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 3), Action::Hold);
    let mut loader = load_through(&proxy, &case, &store);
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
    let deadlocks = server().texts(&format!(
        "SELECT deadlocks::text FROM pg_stat_database WHERE datname = '{}' AND deadlocks > 0",
        store.database.name
    ));
    class.injected(!deadlocks.is_empty());
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}
