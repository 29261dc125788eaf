//! What the tests share: a server that is left running, and the undisturbed loads that others are held against.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use tokio::sync::Mutex;

use crate::{
    faults::{Case, Counts, Loader, Proxy, Shape},
    support::{Store, TestServer},
};

/// The server of the tests that leave it running.
pub(crate) fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(TestServer::with_port)
}

/// The case of this shape and policy in that server, made once.
pub(crate) async fn case(shape: Shape, on_existing: &'static str) -> Arc<Case> {
    static CASES: Mutex<BTreeMap<(String, &'static str), Arc<Case>>> = Mutex::const_new(BTreeMap::new());
    let mut cases = CASES.lock().await;
    let key = (format!("{shape:?}"), on_existing);
    if let Some(case) = cases.get(&key) {
        return Arc::clone(case);
    }
    let case = Arc::new(Case::new(server(), shape, on_existing).await);
    cases.insert(key, Arc::clone(&case));
    case
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
