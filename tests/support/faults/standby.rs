//! A standby of a test's server, by streaming replication, which can be cut off and takes over.

use super::{proxy::Proxy, server_control::free_port};
use crate::support::{
    Store, TestServer,
    server::{connect, wait_apart},
    texts,
};

/// What the standby calls itself, for `synchronous_standby_names`.
const NAME: &str = "standby";

#[derive(Debug)]
pub(crate) struct Standby {
    server: TestServer,
    /// Between the two servers, while they are connected.
    replication: Option<Proxy>,
}

impl Standby {
    /// A copy of the server as it is, which receives all that comes after it.
    pub(crate) fn of(primary: &TestServer) -> Self {
        let replication = Proxy::start(primary.address());
        let port = replication.port();
        let conninfo = format!("host=127.0.0.1 port={port} user=postgres application_name={NAME}");
        let server = TestServer::start_from(Some(free_port()), &conninfo);
        let this = Self { server, replication: Some(replication) };
        primary.wait_for(&format!(
            "SELECT 'streams' FROM pg_stat_replication WHERE application_name = '{NAME}' AND state = 'streaming'"
        ));
        this
    }

    pub(crate) fn server(&self) -> &TestServer {
        &self.server
    }

    /// Nothing reaches it any more.
    pub(crate) fn cut_off(&mut self) {
        self.replication = None;
    }

    /// It takes writes when this returns.
    pub(crate) fn promote(&self) {
        self.server.execute("SELECT pg_promote()");
        self.server.wait_for("SELECT 'is primary' WHERE NOT pg_is_in_recovery()");
    }

    /// The database of a store is looked at and dropped here from now on.
    pub(crate) fn takes_over(&self, store: &mut Store) {
        let database = &mut store.database;
        (database.url, database.server_url) = (self.server.url(&database.name), self.server.url("postgres"));
    }
}

/// How far a run has come by a server's ledger.
pub(crate) fn watermarks(server: &TestServer, store: &Store) -> Vec<String> {
    let url = server.url(&store.database.name);
    let sql = "SELECT concat_ws(' ', lane, source, byte_offset) FROM profile_loader.run_lanes ORDER BY lane";
    wait_apart(async { texts(&connect(&url).await, sql).await })
}

/// Every COMMIT of the primary waits for its standby from now on; the setting goes with `make_alone`.
pub(crate) fn make_synchronous(primary: &TestServer) {
    primary.execute(format!("ALTER SYSTEM SET synchronous_standby_names = '{NAME}'"));
    primary.execute("SELECT pg_reload_conf()");
    primary.wait_for("SELECT 'is' FROM pg_stat_replication WHERE sync_state = 'sync'");
}

/// A former primary, started again for the next test, waits for no standby.
pub(crate) fn make_alone(primary: &TestServer) {
    primary.write("postgresql.auto.conf", "");
}
