//! Tests against PostgreSQL 17 or newer, whose roles can bound how long a transaction lasts. The server is the one
//! whose binaries come first on the PATH; with an older one the tests fail, they never pass unrun.
//! `scripts/test` runs them where such binaries can be had.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the other test programs share")]
mod support;

#[path = "../support/faults/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the other test programs share")]
mod faults;

mod transaction_timeout;

use std::sync::OnceLock;

use support::TestServer;

/// The server of all tests.
fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = TestServer::with_port();
        let version = server.texts("SHOW server_version_num").remove(0);
        assert!(
            version.parse::<u32>().is_ok_and(|number| number >= 170_000),
            "PostgreSQL {version} is too old"
        );
        server
    })
}
