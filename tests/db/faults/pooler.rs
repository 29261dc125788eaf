//! A server that stops and starts again behind a pooler in session mode, and a pooler that does.

use std::path::Path;

use crate::{
    faults::{Action, Case, FaultClass, Loader, Moment, Proxy, Shape, Side, Stop},
    servers::forget_crashed_sessions,
    support::{
        TestServer,
        pooler::{PgBouncer, pgbouncer},
    },
};

/// While documents are copied, before COMMIT is sent, and before its answer is told.
const MOMENTS: [Moment; 3] =
    [Moment::Kind(Side::Frontend, b'd', 6), Moment::Commit(9), Moment::CommitAnswer(9)];

const NAME: &str = "pooler";

/// Before the proxy.
fn start(program: &Path, server: &TestServer, proxy: &Proxy) -> PgBouncer {
    let settings = format!("pool_mode = session\n[databases]\n* = host=127.0.0.1 port={}", proxy.port());
    PgBouncer::start(program, server, NAME, &settings)
}

/// A merge and a bulk load.
async fn cases(server: &TestServer) -> [(&'static str, Case); 2] {
    [
        ("merge, update", Case::new(server, Shape::Many, "update").await),
        ("bulk, reject", Case::bulk(server, Shape::Many, "reject").await),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn servers_that_restart_behind_a_pooler() {
    let Some(program) = pgbouncer() else { return };
    let server = TestServer::with_port();
    for (what, case) in cases(&server).await {
        let mut class = FaultClass::new(format!("server restarted behind PgBouncer ({what})"));
        for (how, moment) in [Stop::Fast, Stop::Immediate].into_iter().zip(MOMENTS) {
            let (store, proxy) = (case.store(), Proxy::start(server.address()));
            let pgbouncer = start(&program, &server, &proxy);
            let held = proxy.arm(moment, Action::Hold);
            let options = case.options_with("--watch-every", "20s");
            let mut loader = Loader::start(&store, &pgbouncer.url(&store.database.name), &options);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            server.stop(how);
            held.release();
            loader.says("--db-wait");
            server.start_again();
            let ended = loader.end();
            class.injected(ended.stderr.contains("the load goes on after"));
            assert_eq!(ended.code(), Some(1), "{how:?} {moment:?}: {}", ended.stderr);
            drop(pgbouncer);
            forget_crashed_sessions(&store).await;
            class.judge(&case, &store, ended).await;
        }
        class.tell();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn poolers_that_are_killed_and_started_again() {
    let Some(program) = pgbouncer() else { return };
    let server = TestServer::with_port();
    for (what, case) in cases(&server).await {
        let mut class = FaultClass::new(format!("PgBouncer killed and started again ({what})"));
        for moment in MOMENTS {
            let (store, proxy) = (case.store(), Proxy::start(server.address()));
            let pgbouncer = start(&program, &server, &proxy);
            let held = proxy.arm(moment, Action::Hold);
            let options = case.options_with("--watch-every", "20s");
            let mut loader = Loader::start(&store, &pgbouncer.url(&store.database.name), &options);
            assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
            drop(pgbouncer);
            held.release();
            loader.says("--db-wait");
            let pgbouncer = start(&program, &server, &proxy);
            let ended = loader.end();
            class.injected(ended.stderr.contains("the load goes on after"));
            assert_eq!(ended.code(), Some(1), "{moment:?}: {}", ended.stderr);
            drop(pgbouncer);
            class.judge(&case, &store, ended).await;
        }
        class.tell();
    }
}
