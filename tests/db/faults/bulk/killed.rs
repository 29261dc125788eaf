//! `kill -9` of a bulk load, at seeded moments and at those that are named.

use rustix::process::Signal;

use super::all_moments;
use crate::{
    cases::{bulk_case, load_to_hold, server},
    faults::{Action, FaultClass, Proxy, Shape},
    killed::killed,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_existing_profiles_reject() {
    let case = bulk_case(Shape::Many, "reject").await;
    killed(&case, "bulk: kill -9 (reject)", 20, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_existing_profiles_are_updated() {
    let case = bulk_case(Shape::Many, "update").await;
    killed(&case, "bulk: kill -9 (update)", 20, 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn in_every_phase_and_existing_profiles_reject() {
    in_every_phase("reject").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn in_every_phase_and_existing_profiles_are_updated() {
    in_every_phase("update").await;
}

async fn in_every_phase(on_existing: &'static str) {
    let case = bulk_case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("bulk: kill -9 in every phase ({on_existing})"));
    for moment in all_moments() {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{moment:?}: {}", loader.stderr());
        loader.signal(Signal::KILL);
        let ended = loader.end();
        class.injected(ended.signal() == Some(9));
        // What it has sent is still to be done when the next attempt begins.
        held.release();
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}
