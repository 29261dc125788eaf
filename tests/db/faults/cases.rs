//! What the tests share: a server that is left running, and the undisturbed loads that others are held against.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Arc, OnceLock},
};

use tokio::sync::{Mutex, OnceCell};

use crate::{
    faults::{Case, Counts, Loader, Proxy, Shape, load_command},
    support::{Store, TestServer},
};

/// The server of the tests that leave it running.
pub(crate) fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(TestServer::with_port)
}

type Key = (&'static str, Shape, &'static str);

/// The merge of this shape and policy in that server, made once.
pub(crate) async fn case(shape: Shape, on_existing: &'static str) -> Arc<Case> {
    // Boxed: it is large, and every test holds it.
    Box::pin(once(("merge", shape, on_existing), Case::new(server(), shape, on_existing))).await
}

/// The same for a bulk load into empty tables.
pub(crate) async fn bulk_case(shape: Shape, on_existing: &'static str) -> Arc<Case> {
    Box::pin(once(("bulk", shape, on_existing), Case::bulk(server(), shape, on_existing))).await
}

/// The merge of one pretty-printed array.
pub(crate) async fn array_case(on_existing: &'static str) -> Arc<Case> {
    let case = Case::of_array(server(), Shape::Many, on_existing);
    Box::pin(once(("merge of an array", Shape::Many, on_existing), case)).await
}

/// The same for a bulk load of it into empty tables.
pub(crate) async fn bulk_array_case(on_existing: &'static str) -> Arc<Case> {
    let case = Case::bulk_of_array(server(), Shape::Many, on_existing);
    Box::pin(once(("bulk load of an array", Shape::Many, on_existing), case)).await
}

/// The same for a merge of documents that clash with each other.
pub(crate) async fn in_order_case(shape: Shape, on_existing: &'static str) -> Arc<Case> {
    Box::pin(once(("in order", shape, on_existing), Case::in_order(server(), shape, on_existing))).await
}

/// Tests that need the same one wait for the first of them, and not for others.
async fn once(key: Key, make: impl Future<Output = Case>) -> Arc<Case> {
    static CASES: Mutex<BTreeMap<Key, Arc<OnceCell<Arc<Case>>>>> = Mutex::const_new(BTreeMap::new());
    let cell = Arc::clone(CASES.lock().await.entry(key).or_default());
    Arc::clone(cell.get_or_init(|| async { Arc::new(make.await) }).await)
}

/// A load of another input than the case's own file.
pub(crate) fn load_of(case: &Case, store: &Store, input: &str) -> Command {
    let command = load_command(store, &server().tcp_url(&store.database), &case.options);
    let mut words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    words[1] = input.into();
    let mut other = Command::new(command.get_program());
    other.current_dir(store.path("")).args(words);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

/// Starts an attempt through a proxy.
pub(crate) fn load_through(proxy: &Proxy, case: &Case, store: &Store) -> Loader {
    Loader::start(store, &proxy.url(&store.database.name), &case.options)
}

/// The same for one that a message is held back of: the watchdog would make the connection anew before long.
pub(crate) fn load_to_hold(proxy: &Proxy, case: &Case, store: &Store) -> Loader {
    let options = case.options_with("--watch-every", "20s");
    Loader::start(store, &proxy.url(&store.database.name), &options)
}

/// What passes in an undisturbed load.
pub(crate) fn traffic(case: &Case) -> Counts {
    let (store, proxy) = (case.store(), Proxy::start(server().address()));
    let ended = load_through(&proxy, case, &store).end();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    proxy.counts()
}
