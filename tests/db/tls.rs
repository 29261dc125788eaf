//! TLS to a server that takes nothing else: verified, or refused.

use std::net::TcpListener;

use crate::support::{Output, TestServer, binary, run};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem");

/// A server with a TCP port that answers to TLS only, with a certificate for `localhost` and 127.0.0.1.
fn tls_server() -> (TestServer, u16) {
    // Free when it was asked for; the system does not give it out again so soon.
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    (TestServer::start(Some(port)), port)
}

fn load(variables: &[(&str, &str)]) -> Output {
    let rejects = tempfile::tempdir().expect("the temporary folder is writable");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.ndjson");
    let mut command = binary();
    command.args(["load", fixtures, "--rejects"]).arg(rejects.path()).envs(variables.iter().copied());
    run(&mut command)
}

#[test]
fn a_servers_certificate_is_verified() {
    let (server, port) = tls_server();
    server.write("server.crt", include_str!("../support/tls/server.pem"));
    server.write("server.key", include_str!("../support/tls/server.key"));
    server.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 trust\n");
    server.execute("ALTER SYSTEM SET ssl = on");
    server.execute("SELECT pg_reload_conf()");

    let url = |host: &str, rest: &str| format!("postgresql://postgres@{host}:{port}/postgres{rest}");
    let refused = |variables: &[(&str, &str)], words: &str| {
        let output = load(variables);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert_eq!(output.code, Some(5), "{}", output.stderr);
    };
    let root = format!("sslrootcert={AUTHORITY}");

    let verified = url("localhost", &format!("?sslmode=verify-full&{root}"));
    // The server takes up its new settings in its own time; the fixtures hold faulty documents.
    let is_loaded = || load(&[("DATABASE_URL", &verified)]).code == Some(1);
    assert!((0..50).any(|_| is_loaded()), "{}", load(&[("DATABASE_URL", &verified)]).stderr);

    let port_text = port.to_string();
    let variables = [
        ("DATABASE_HOST", "127.0.0.1"),
        ("DATABASE_PORT", &port_text),
        ("DATABASE_USER", "postgres"),
        ("DATABASE_NAME", "postgres"),
        ("DATABASE_SSL", "true"),
        ("DATABASE_SSL_CA", include_str!("../support/tls/ca.pem")),
    ];
    let output = load(&variables);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stdout.contains("319  unchanged"), "{}", output.stdout);

    refused(&[("DATABASE_URL", &url("localhost", "?sslmode=disable"))], "no encryption");
    let unknown = url("localhost", "?sslmode=verify-full");
    refused(&[("DATABASE_URL", &unknown)], "UnknownIssuer");
    refused(&[("DATABASE_URL", &unknown)], "name the certificate of its CA with sslrootcert");
    let output = load(&[("DATABASE_URL", &url("localhost", "?sslmode=require"))]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(output.stderr.matches("encrypts and verifies nothing").count(), 1, "{}", output.stderr);
    // A socket has no TLS, which is told once.
    let output = load(&[("DATABASE_URL", &format!("{}&sslmode=require", server.url("postgres")))]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(output.stderr.matches("TLS is asked for and not used").count(), 1, "{}", output.stderr);
    let other_name = url("ip6-localhost", &format!("?sslmode=verify-full&{root}&hostaddr=127.0.0.1"));
    refused(&[("DATABASE_URL", &other_name)], "certificate");
}

/// What `openssl req -x509` makes is a CA's certificate, which counts as a server's where it is named itself.
#[test]
fn a_certificate_that_is_its_own_authority() {
    let (server, port) = tls_server();
    let url = |root: &str| {
        format!("postgresql://postgres@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={root}")
    };
    let root = |name: &str| format!("{}/tests/support/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    server.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 trust\n");
    server.write("server.crt", include_str!("../support/tls/own-ca.pem"));
    server.write("server.key", include_str!("../support/tls/own-ca.key"));
    server.execute("ALTER SYSTEM SET ssl = on");
    server.execute("SELECT pg_reload_conf()");
    let told = |url: &str, words: &str| {
        // The server takes up its new settings in its own time.
        let is_told = || load(&[("DATABASE_URL", url)]).stderr.contains(words);
        assert!((0..50).any(|_| is_told()), "{}", load(&[("DATABASE_URL", url)]).stderr);
    };
    told(&url(&root("ca.pem")), "CaUsedAsEndEntity");
    told(&url(&root("ca.pem")), "or name this very certificate with sslrootcert");
    let url_of_ca = url(&root("own-ca.pem"));
    let output = load(&[("DATABASE_URL", &url_of_ca)]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    server.write("server.crt", include_str!("../support/tls/self-signed.pem"));
    server.write("server.key", include_str!("../support/tls/self-signed.key"));
    server.execute("SELECT pg_reload_conf()");
    // Signed by another key of the same name.
    told(&url_of_ca, "name the certificate of its CA with sslrootcert");
    let output = load(&[("DATABASE_URL", &url(&root("self-signed.pem")))]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
}
