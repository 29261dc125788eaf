//! The judges and the disturbers are tested themselves, against a real server.

mod exactly_once;
mod loader;
mod proxy;
mod server;
mod small_disk;

use std::sync::OnceLock;

use crate::support::TestServer;

/// The server of the tests that leave it running.
pub(crate) fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(TestServer::with_port)
}
