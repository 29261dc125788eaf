//! Host names that can't be resolved: for the moment, which is waited for like a server that is gone, and not at
//! all, which is a slip of the pen until a server of that name has answered.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    cases::{case, server},
    faults::{
        Action, Answer, Case, FaultClass, LOOK_EVERY, Loader, Moment, NameServer, Proxy, Shape, Side,
        load_command,
    },
    support::{Store, binary},
};

const HOST: &str = "db.profile-loader.test";

/// For a program to start and end on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// Through a proxy, by a name.
fn url(proxy: &Proxy, store: &Store) -> String {
    proxy.url(&store.database.name).replace("127.0.0.1", HOST) + "?sslmode=disable"
}

fn load(names: &NameServer, case: &Case, store: &Store, proxy: &Proxy, db_wait: &'static str) -> Command {
    names.command(&load_command(store, &url(proxy, store), &case.options_with("--db-wait", db_wait)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_server_that_cannot_say_is_waited_for() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("name can't be resolved for the moment, at the start (reject)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let names = NameServer::start(Answer::TryAgain);
    let mut loader = Loader::of(&store, load(&names, &case, &store, &proxy, "60s"));
    loader.says("--db-wait");
    assert!(loader.stderr().contains(HOST), "it says which name: {}", loader.stderr());
    class.injected(names.queries() > 0);
    names.set(Answer::Found);
    let ended = loader.end();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_server_that_cannot_say_is_waited_for_as_long_as_db_wait_says() {
    let case = case(Shape::Few, "update").await;
    let mut class = FaultClass::new("name can't be resolved beyond --db-wait (update)");
    for (db_wait, waited) in [("2s", Duration::from_secs(2)), ("0", Duration::ZERO)] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let names = NameServer::start(Answer::TryAgain);
        let started = Instant::now();
        let loader = Loader::of(&store, load(&names, &case, &store, &proxy, db_wait));
        let ended = loader.ends_within(waited + SLACK);
        class.injected(names.queries() > 0);
        assert!(started.elapsed() >= waited, "{:?}: {}", started.elapsed(), ended.stderr);
        assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains(HOST), "it says which name: {}", ended.stderr);
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// Nobody waits for minutes to be told of a name that was mistyped.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_that_is_not_known_is_told_at_once() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("name not known at the start (reject)");
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let names = NameServer::start(Answer::NoSuchName);
    let ended = Loader::of(&store, load(&names, &case, &store, &proxy, "10m")).ends_within(SLACK);
    class.injected(names.queries() > 0);
    assert!(matches!(ended.code(), Some(4 | 5)), "{}", ended.stderr);
    assert!(ended.stderr.contains(HOST), "it says which name: {}", ended.stderr);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// A name that had a server a moment ago is no slip of the pen, whatever its name server says now.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_that_is_lost_in_the_middle_of_a_load_is_waited_for() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("name can't be resolved in the middle (update)");
    for answer in [Answer::TryAgain, Answer::NoSuchName] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let names = NameServer::start(Answer::Found);
        let held = proxy.arm(Moment::Kind(Side::Frontend, b'd', 6), Action::Hold);
        let mut loader = Loader::of(&store, load(&names, &case, &store, &proxy, "60s"));
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        names.set(answer);
        let asked = names.queries();
        assert!(server().terminate_loaders(&store.database) > 0);
        held.release();
        loader.says("--db-wait");
        while names.queries() < asked + 8 {
            assert!(!loader.has_ended(), "{answer:?}: {}", loader.stderr());
            thread::sleep(LOOK_EVERY);
        }
        names.set(Answer::Found);
        let ended = loader.end();
        assert_eq!(ended.code(), Some(1), "{answer:?}: {}", ended.stderr);
        class.injected(ended.stderr.contains("the load goes on after"));
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// The commands that do not wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_name_server_that_cannot_say_is_temporary() {
    let case = case(Shape::Few, "reject").await;
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    for words in [["migrate", "status"], ["runs", "list"]] {
        let names = NameServer::start(Answer::TryAgain);
        let mut command = binary();
        command.args(words).args(["--database-url", &url(&proxy, &store)]);
        let ended = Loader::of(&store, names.command(&command)).ends_within(SLACK);
        assert!(names.queries() > 0, "it asked");
        assert_eq!(ended.code(), Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains(HOST), "it says which name: {}", ended.stderr);
    }
}
