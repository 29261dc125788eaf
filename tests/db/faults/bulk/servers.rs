//! Servers that end sessions, stop and start again in every phase of a bulk load.

use super::{COPYING, MERGING, RESTORING};
use crate::{
    cases::{bulk_case, load_to_hold, server},
    faults::{Action, Case, FaultClass, Moment, Proxy, Shape, Stop},
    servers::forget_crashed_sessions,
    support::TestServer,
};

fn moments() -> Vec<Moment> {
    [&COPYING[..], &RESTORING, &MERGING].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn terminated_backends_while_existing_profiles_reject() {
    terminated_backends("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn terminated_backends_while_existing_profiles_are_updated() {
    terminated_backends("update").await;
}

async fn terminated_backends(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: terminated backend ({on_existing})"));
    for moment in moments() {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
        class.injected(server().terminate_loaders(&store.database) > 0);
        held.release();
        let ended = loader.end();
        assert_eq!(ended.code(), Some(1), "a load gets over that by itself: {}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn servers_that_stop_fast() {
    stopped("reject", Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn servers_that_crash() {
    stopped("update", Stop::Immediate).await;
}

async fn stopped(on_existing: &'static str, how: Stop) {
    let server = TestServer::with_port();
    let case = Case::bulk(&server, Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: server stopped ({how:?}) and restarted ({on_existing})"));
    for moment in moments() {
        let (store, proxy) = (case.store(), Proxy::start(server.address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
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
    class.tell();
}
