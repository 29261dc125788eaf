//! The server that a load was connected to takes no writes any more, as after a failover: it is waited for like
//! one that is gone, over new connections. The same for every error with which a server ends a session.

mod standby;

use crate::{
    cases::{case, load_to_hold, server},
    faults::{Action, Case, FaultClass, Loader, Moment, Proxy, Shape, Side, Stop, load_command},
    servers::forget_crashed_sessions,
    support::{Store, Tables, TestServer, binary},
};

/// While documents are copied, and as a transaction is about to end.
const MOMENTS: [Moment; 2] =
    [Moment::Kind(Side::Frontend, b'd', 6), Moment::Statement("UPDATE profile_loader.run_lanes", 4)];

/// As a transaction holds its row of the ledger; its error is the first of the session.
const HOLDING: Moment = Moment::Statement("AND l.lane = $2\nFOR UPDATE", 5);

/// Ended by an administrator, in a crash, in a shutdown, because it was idle, because its transaction was; a
/// server that has become read-only; a connection that failed at the server.
const SQLSTATES: [&str; 7] = ["57P01", "57P02", "57P03", "57P05", "25P03", "25006", "08006"];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn errors_that_end_a_session_are_waited_out() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("session ended with an error, by SQLSTATE (update)");
    for sqlstate in SQLSTATES {
        for moment in [MOMENTS[0], HOLDING] {
            let (store, proxy) = (case.store(), Proxy::start(server().address()));
            let fault = proxy.arm(moment, Action::Fail(sqlstate));
            let ended = Loader::start(&store, &proxy.url(&store.database.name), &case.options).end();
            class.injected(fault.has_fired());
            drop(proxy);
            assert_eq!(ended.code(), Some(1), "{sqlstate}: {}", ended.stderr);
            class.judge(&case, &store, ended).await;
        }
    }
    class.tell();
}

/// Whoever does not wait is told that the same command may succeed later.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn errors_that_end_a_session_are_temporary() {
    let case = case(Shape::Many, "reject").await;
    let mut class = FaultClass::new("session ended with an error, by SQLSTATE, --db-wait 0 (reject)");
    let options = case.options_with("--db-wait", "0");
    for sqlstate in SQLSTATES {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let fault = proxy.arm(HOLDING, Action::Fail(sqlstate));
        let ended = Loader::start(&store, &proxy.url(&store.database.name), &options).end();
        class.injected(fault.has_fired());
        drop(proxy);
        assert_eq!(ended.code(), Some(4), "{sqlstate}: {}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

fn set_read_only(server: &TestServer, store: &Store, value: &str) {
    server.execute(format!(
        "ALTER DATABASE {} SET default_transaction_read_only = {value}",
        store.database.name
    ));
}

/// Sessions that began while the server took no writes take none afterwards: new ones are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_takes_no_writes_is_waited_for() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("server read-only for a while ({on_existing})"));
        for moment in MOMENTS {
            let (store, proxy) = (case.store(), Proxy::start(server().address()));
            let held = proxy.arm(moment, Action::Hold);
            let mut loader = load_to_hold(&proxy, &case, &store);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            set_read_only(server(), &store, "on");
            assert!(server().terminate_loaders(&store.database) > 0);
            held.release();
            loader.says("--db-wait");
            refused_writes(&proxy, &mut loader);
            set_read_only(server(), &store, "off");
            let ended = loader.end();
            assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
            class.injected(ended.stderr.contains("the load goes on after"));
            class.judge(&case, &store, ended).await;
        }
        class.tell();
    }
}

/// Waits until a new session has been made, was refused a write, and another has been made since.
fn refused_writes(proxy: &Proxy, loader: &mut Loader) {
    for _ in 0..2 {
        let refused = proxy.arm(Moment::Error("25006", 1), Action::Pass);
        assert!(refused.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    }
}

/// A standby takes over only after a while; until then it takes sessions, and no writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_standby_is_waited_for_until_it_is_promoted() {
    let server = TestServer::with_port();
    let case = Case::new(&server, Shape::Many, "update").await;
    let mut class = FaultClass::new("server stopped and started as a standby, then promoted (update)");
    for moment in MOMENTS {
        let (store, proxy) = (case.store(), Proxy::start(server.address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        server.stop(Stop::Fast);
        server.write("standby.signal", "");
        held.release();
        loader.says("--db-wait");
        server.start_again();
        refused_writes(&proxy, &mut loader);
        server.execute("SELECT pg_promote()");
        let ended = loader.end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.injected(ended.stderr.contains("the load goes on after"));
        forget_crashed_sessions(&store).await;
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// Before anything has begun, and for the commands that do not wait: the same command may succeed later.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_takes_no_writes_is_temporary() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("server read-only at the start, --db-wait 0 (reject)");
    let options = case.options_with("--db-wait", "0");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let url = proxy.url(&store.database.name);
    let refused = |command| {
        let ended = Loader::of(&store, command).end();
        assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
        (ended.stderr.contains("default_transaction_read_only is on"), ended)
    };
    set_read_only(server(), &store, "on");
    let (has_fired, ended) = refused(load_command(&store, &url, &options));
    class.injected(has_fired);
    set_read_only(server(), &store, "off");
    class.judge(&case, &store, ended).await;

    let empty = Store::at(server().database("read_only"), Tables::Migrated);
    set_read_only(server(), &empty, "on");
    let mut command = binary();
    command.args(["migrate", "up", "--database-url", &proxy.url(&empty.database.name)]);
    let (has_fired, _) = refused(command);
    assert!(has_fired);
    class.tell();
}
