//! The connection that holds the target is lost, and again while the lock is being regained, at each message of
//! that: no other loader is there, so the load goes on.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    cases::{case, server},
    faults::{Action, Fault, FaultClass, Loader, Moment, PipedInput, Proxy, Shape, Side},
    support::Store,
};

/// Enough for the load to begin.
const FIRST_BYTES: usize = 100_000;

/// More than that: the lanes wait and say nothing.
const BATCH_BYTES: &str = "10000000";

/// More than regaining takes, with some attempts that fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// A load whose lanes are silent: all that passes is about the connection that holds the target.
struct Scene {
    store: Store,
    proxy: Proxy,
    input: PipedInput,
    loader: Loader,
    /// The server process that holds the lock.
    holder: String,
}

impl Scene {
    async fn new(on_existing: &'static str) -> Self {
        let case = case(Shape::One, on_existing).await;
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let input = PipedInput::of(&store, FIRST_BYTES);
        let mut options = case.options_with("--watch-every", "250ms");
        let bytes = options.iter().position(|option| *option == "--batch-bytes").expect("it is one of them");
        options[bytes + 1] = BATCH_BYTES;
        let loader = Loader::start(&store, &proxy.url(&store.database.name), &options);
        let mut scene = Self { store, proxy, input, loader, holder: String::new() };
        let control = format!(
            "SELECT 'is there' FROM pg_stat_activity
             WHERE datname = '{}' AND application_name LIKE 'profile-loader run % control'",
            scene.store.database.name
        );
        server().wait_for(&control);
        scene.holder = scene.holders().remove(0);
        scene
    }

    /// The process that holds the target for the run.
    fn holders(&self) -> Vec<String> {
        server().texts(&format!(
            "SELECT a.pid::text FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
             WHERE l.locktype = 'advisory' AND l.granted AND a.datname = '{}'
               AND a.application_name LIKE 'profile-loader run % control'",
            self.store.database.name
        ))
    }

    /// Loses the connection when it is next looked after; the server hears nothing of it and keeps the lock.
    fn lose(&self) -> Fault {
        self.proxy.arm(Moment::Kind(Side::Frontend, b'Q', 1), Action::Orphan)
    }

    /// Waits until another session holds the target for the run.
    fn regained(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(!self.loader.has_ended(), "{}", self.loader.stderr());
            if let Some(holder) = self.holders().pop().filter(|holder| *holder != self.holder) {
                self.holder = holder;
                return;
            }
            assert!(Instant::now() < deadline, "the lock is not regained: {}", self.loader.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether all of these faults fire before the lock is regained, which it is then.
    fn loses_again(&mut self, losses: &[(Moment, Action)]) -> bool {
        let mut last = self.lose();
        for (moment, action) in losses {
            last = self.proxy.arm_after(&last, *moment, *action);
        }
        self.regained();
        last.has_fired()
    }

    async fn ends(self, class: &mut FaultClass, on_existing: &'static str) {
        let Self { store, proxy, input, loader, .. } = self;
        input.finish(&store);
        let ended = loader.end();
        drop(proxy);
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&*case(Shape::One, on_existing).await, &store, ended).await;
    }
}

/// A loss at each message of this side in turn, until the lock is regained before the message comes.
async fn lost_at_each_message(on_existing: &'static str, side: Side, action: Action) {
    let mut class =
        FaultClass::new(format!("lost while it is regained, {side:?} {action:?} ({on_existing})"));
    let mut scene = Scene::new(on_existing).await;
    let mut number = 1;
    while scene.loses_again(&[(Moment::Message(side, number), action)]) {
        class.injected(true);
        number += 1;
    }
    // The session is set up, ended is the one that was lost, and the lock is taken.
    assert!(number > 10, "{number} messages");
    scene.ends(&mut class, on_existing).await;
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_each_message_of_the_loader() {
    lost_at_each_message("update", Side::Frontend, Action::CutBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphaned_at_each_message_of_the_loader() {
    lost_at_each_message("reject", Side::Frontend, Action::Orphan).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn cut_before_each_message_of_the_server() {
    lost_at_each_message("reject", Side::Backend, Action::CutBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphaned_at_each_message_of_the_server() {
    lost_at_each_message("update", Side::Backend, Action::Orphan).await;
}

/// Sessions that the server has not heard the end of pile up; each of them may be the one with the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphaned_several_times_in_a_row() {
    let mut class = FaultClass::new("lost several times while it is regained (update)");
    let mut scene = Scene::new("update").await;
    let identified = Moment::Statement("pg_terminate_backend", 1);
    let taking = Moment::Statement("pg_try_advisory_lock", 1);
    for losses in [&[identified, identified][..], &[taking, identified], &[identified, taking, identified]] {
        let losses: Vec<_> = losses.iter().map(|moment| (*moment, Action::Orphan)).collect();
        class.injected(scene.loses_again(&losses));
    }
    scene.ends(&mut class, "update").await;
    class.tell();
}

/// The lock is another loader's indeed: the load does not go on behind its back.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_loader_is_told_from_a_session_of_ones_own() {
    let mut class = FaultClass::new("target taken by another loader (update)");
    let mut scene = Scene::new("update").await;
    let lost = scene.lose();
    // No attempt gets through until the other has the lock.
    scene.proxy.turn_away(u64::MAX, crate::faults::Refusal::Close);
    assert!(lost.fires_unless(|| scene.loader.has_ended()), "{}", scene.loader.stderr());
    let other = scene.store.connect().await;
    server().terminate(&[scene.holder.clone()]);
    let taken = other
        .query_one("SELECT pg_try_advisory_lock(classid::int, objid::int) FROM (VALUES ($1::int, hashtext('public'))) AS l (classid, objid)", &[&i32::from_be_bytes(*b"prld")])
        .await
        .expect("it can be asked for");
    class.injected(taken.get(0));
    scene.proxy.let_through();
    let Scene { store, proxy, input, loader, .. } = scene;
    let ended = loader.end();
    assert_eq!(ended.code(), Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("another loader took the target"), "{}", ended.stderr);
    input.finish(&store);
    drop((proxy, other));
    class.judge(&*case(Shape::One, "update").await, &store, ended).await;
    class.tell();
}
