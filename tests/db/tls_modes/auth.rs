//! Who the server is and who we are, beyond the modes: passwords, channel binding, certificates of clients, revocation,
//! and the servers that `target_session_attrs` wants.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{
    assert_told,
    judge::{Judge, PASSWORD, certificate},
    path,
};

/// Settings besides the host, psql's answer and ours, and what ours says.
type Row<'r> = (&'r str, &'r str, &'r str, &'r str);

fn check(judge: &mut Judge, rows: &[Row<'_>]) {
    for (rest, psql, ours, words) in rows {
        let rest = rest.replace("ROOT", &certificate("ca")).replace("PASSWORD", PASSWORD);
        let settings = judge.settings(&rest);
        let told = judge.psql(&settings);
        assert_eq!(told.letter, *psql, "{rest}: {}", told.stderr);
        let told = judge.ours(&settings);
        assert_eq!(told.letter, *ours, "{rest}: {}", told.stderr);
        assert!(told.stderr.contains(words), "{rest}: {words}: {}", told.stderr);
    }
}

#[test]
fn passwords_go_to_the_right_server() {
    let mut judge = Judge::new();
    #[rustfmt::skip]
    check(&mut judge, &[
        ("user=clear password=PASSWORD sslmode=disable",                      "p", "-", "in clear"),
        ("user=clear password=PASSWORD",                                      "t", "-", "in clear"),
        ("user=clear password=PASSWORD sslmode=require",                      "t", "-", "in clear"),
        ("user=clear password=PASSWORD sslmode=require sslrootcert=ROOT",     "t", "t", ""),
        ("user=clear password=PASSWORD sslmode=verify-full sslrootcert=ROOT", "t", "t", ""),
        ("user=md5 password=PASSWORD",                                        "t", "t", "as an MD5 hash, which is weak"),
        ("user=md5 password=PASSWORD sslmode=disable",                        "p", "p", "as an MD5 hash"),
        ("user=scram password=PASSWORD sslmode=disable",                      "p", "p", ""),
        ("user=scram password=PASSWORD",                                      "t", "t", ""),
        ("user=scram password=wrong",                                         "-", "-", "password authentication failed"),
        ("user=scram",                                                        "-", "-", "none is given"),
    ]);
    // Over a socket nobody listens.
    let socket = judge.server.dir.to_str().expect("the path is UTF-8").to_owned();
    let settings =
        format!("host={socket} port={} user=clear password={PASSWORD} dbname=postgres", judge.server.port);
    assert_eq!((judge.psql(&settings).letter, judge.ours(&settings).letter), ("p", "p"));
}

#[test]
fn the_password_is_bound_to_the_connection() {
    let mut judge = Judge::new();
    #[rustfmt::skip]
    check(&mut judge, &[
        ("user=scram password=PASSWORD channel_binding=require",                 "t", "t", ""),
        ("user=scram password=PASSWORD channel_binding=require sslmode=require", "t", "t", ""),
        ("user=scram password=PASSWORD channel_binding=prefer",                  "t", "t", ""),
        ("user=scram password=PASSWORD channel_binding=disable",                 "t", "t", ""),
        ("user=scram password=PASSWORD channel_binding=require sslmode=disable", "-", "-", "bind the password"),
        ("user=md5 password=PASSWORD channel_binding=require",                   "-", "-", "bind the password"),
        ("user=either channel_binding=require",                                  "-", "-", "bind the password"),
    ]);
    let variables = [("PGCHANNELBINDING", "require"), ("PGPASSWORD", PASSWORD)];
    for (user, letter) in [("scram", "t"), ("md5", "-"), ("either", "-")] {
        let settings = judge.settings(&format!("user={user}"));
        let (psql, ours) = (judge.psql_with(&settings, &variables), judge.ours_with(&settings, &variables));
        assert_eq!((psql.letter, ours.letter), (letter, letter), "{user}: {}", ours.stderr);
    }
    // A certificate of version 1 binds as well.
    judge.show("version-1");
    let settings = judge.settings(&format!("user=scram password={PASSWORD} channel_binding=require"));
    for version in ["TLSv1.2", "TLSv1.3"] {
        let settings =
            format!("{settings} ssl_min_protocol_version={version} ssl_max_protocol_version={version}");
        assert_eq!((judge.psql(&settings).letter, judge.ours(&settings).letter), ("t", "t"), "{version}");
    }
    // psql 15 does not know it.
    for (rest, letter) in [
        ("user=scram require_auth=scram-sha-256", "t"),
        ("user=md5 require_auth=scram-sha-256", "-"),
        ("user=either require_auth=scram-sha-256", "-"),
        ("user=either require_auth=!none", "-"),
        ("user=either require_auth=none", "t"),
        ("user=md5 require_auth=!password", "t"),
    ] {
        let told = judge.ours(&judge.settings(&format!("{rest} password={PASSWORD}")));
        let words = if letter == "-" { "which require_auth does not allow" } else { "" };
        assert_told(&told, letter, &[words]);
    }
}

/// Asks whoever comes for the password in clear, and tells what it was sent.
fn eavesdropper() -> (u16, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let heard = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("the program comes");
        let mut startup = [0; 512];
        let read = client.read(&mut startup).expect("it says who it is");
        let mut heard = startup[..read].to_vec();
        client.write_all(b"R\0\0\0\x08\0\0\0\x03").expect("it listens");
        client.read_to_end(&mut heard).ok();
        heard
    });
    (port, heard)
}

#[test]
fn a_password_is_not_sent_before_it_is_refused() {
    let mut judge = Judge::new();
    let (port, heard) = eavesdropper();
    let settings = format!("host=127.0.0.1 port={port} user=u dbname=d sslmode=disable password={PASSWORD}");
    assert_told(&judge.ours(&settings), "-", &["in clear"]);
    let heard = heard.join().expect("it ends");
    let has = |text: &str| heard.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("user\0u\0") && !has(PASSWORD), "{heard:?}");
}

#[test]
fn clients_show_their_certificates() {
    let mut judge = Judge::new();
    let copy = |judge: &Judge, from: &str, to: &str, mode| {
        judge.put_into_home(to, path(from).to_str().expect("the path is UTF-8"), mode)
    };
    let own = certificate("client");
    let key = copy(&judge, "client.key", "own.key", 0o600);
    let open = copy(&judge, "client.key", "open.key", 0o644);
    let group = copy(&judge, "client.key", "group.key", 0o640);
    let encrypted = copy(&judge, "client-encrypted.key", "encrypted.key", 0o600);
    let other = copy(&judge, "server.key", "other.key", 0o600);
    let is_root = rustix::process::geteuid().is_root();
    let pair = |key: &str| format!("user=with_certificate sslmode=require sslcert={own} sslkey={key}");
    let decrypts = format!("openssl pkey -in {encrypted}");
    #[rustfmt::skip]
    check(&mut judge, &[
        (&pair(&key),                                       "t", "t", ""),
        (&pair(&open),                                      "-", "-", "chmod 600"),
        (&pair(&group),                                     if is_root { "t" } else { "-" }, if is_root { "t" } else { "-" }, ""),
        (&pair(&encrypted),                                 "-", "-", &decrypts),
        (&pair(&other),                                     "-", "-", ""),
        (&pair("/no/such.key"),                             "-", "-", "/no/such.key"),
        ("user=with_certificate sslmode=require",           "-", "-", "valid client certificate"),
        ("user=with_certificate sslmode=disable",           "-", "-", "no encryption"),
    ]);
    let settings = judge.settings("user=with_certificate");
    let variables = [("PGSSLCERT", &*own), ("PGSSLKEY", &key)];
    let (psql, ours) = (judge.psql_with(&settings, &variables), judge.ours_with(&settings, &variables));
    assert_eq!((psql.letter, ours.letter), ("t", "t"), "{}", ours.stderr);
    copy(&judge, "client.pem", ".postgresql/postgresql.crt", 0o644);
    copy(&judge, "client.key", ".postgresql/postgresql.key", 0o600);
    assert_eq!((judge.psql(&settings).letter, judge.ours(&settings).letter), ("t", "t"));
    // Nobody asked for that one, nor for TLS.
    copy(&judge, "client.key", ".postgresql/postgresql.key", 0o644);
    let told = judge.ours(&judge.settings("user=either"));
    assert_told(&told, "t", &["client certificate of ~/.postgresql is not used"]);
}

#[test]
fn revoked_certificates_are_refused() {
    let mut judge = Judge::new();
    let verified = "user=either sslmode=verify-ca sslrootcert=ROOT";
    for (name, list, letter, words) in [
        ("right", "revocations", "t", ""),
        ("right", "old-revocations", "-", "get the CA's newest list"),
        ("revoked", "revocations", "-", "has revoked it"),
    ] {
        judge.show(name);
        let list = certificate(list);
        check(
            &mut judge,
            &[(&format!("{verified} sslcrl={list}"), letter, letter, words), (verified, "t", "t", "")],
        );
        let folder = judge.put_into_home(&format!("lists-{name}/list.pem"), &list, 0o644);
        let folder = folder.strip_suffix("/list.pem").expect("it is in there");
        let settings =
            judge.settings(&format!("{verified} sslcrldir={folder}").replace("ROOT", &certificate("ca")));
        // libpq looks for the hash of the CA's name in there.
        assert_told(&judge.ours(&settings), letter, &[words]);
    }
}

#[test]
fn what_else_tls_is_told() {
    let mut judge = Judge::new();
    #[rustfmt::skip]
    check(&mut judge, &[
        ("user=either sslmode=require sslsni=0",                        "t", "t", ""),
        ("user=either sslmode=require ssl_min_protocol_version=TLSv1.3", "t", "t", ""),
        ("user=either sslmode=require ssl_max_protocol_version=TLSv1.2", "t", "t", ""),
        ("user=either sslmode=require ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "-", "-", ""),
        ("user=either sslmode=require gssencmode=disable sslcompression=0", "t", "t", ""),
        ("user=either sslmode=require sslcert='' sslcrl=''",            "t", "t", ""),
        ("user=either sslmode=verify-full sslrootcert=ROOT hostaddr=127.0.0.1", "t", "t", ""),
        ("user=either sslmode=verify-full sslrootcert=/no/such.pem",    "-", "-", "/no/such.pem"),
        ("user=either sslmode=require sslrootcert=/no/such.pem",        "t", "-", "/no/such.pem"),
    ]);
    // Before PostgreSQL 17 a server expects a request first.
    let direct = "user=either sslmode=verify-full sslnegotiation=direct";
    let settings = judge.settings(&format!("{direct} sslrootcert={}", certificate("ca")));
    assert_told(&judge.ours(&settings), "-", &[]);
    let (old, weak) = (format!("port={}", judge.server.port), settings.replace("verify-full", "prefer"));
    assert_told(&judge.ours(&weak), "-", &["needs sslmode=verify-full"]);
    // What is encrypted ends before the server, which sees the rest in clear.
    let port = terminator(judge.server.port, Some(b"postgresql"));
    let told = judge.ours(&settings.replace(&old, &format!("port={port}")));
    assert_told(&told, "p", &[]);
    for alpn in [None, Some(&b"http/1.1"[..])] {
        let port = terminator(judge.server.port, alpn);
        assert_told(&judge.ours(&settings.replace(&old, &format!("port={port}"))), "-", &[]);
    }
}

/// Takes TLS at once, as PostgreSQL 17 does, with a protocol's name or without, and hands on what is in it.
fn terminator(server: u16, alpn: Option<&[u8]>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::from_pem_file(path("right.pem")).expect("it is a certificate");
    let key = PrivateKeyDer::from_pem_file(path("server.key")).expect("it is a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("there are versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("they belong together");
    config.alpn_protocols = alpn.into_iter().map(<[u8]>::to_vec).collect();
    let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = listener.local_addr().expect("it is bound").port();
    listener.set_nonblocking(true).expect("it is a socket");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is a socket");
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    port
}

/// A standby without a primary, beside a primary.
#[test]
fn the_server_that_is_wanted_is_found() {
    let (mut primary, mut standby) = (Judge::new(), Judge::new());
    standby.server.write("standby.signal", "");
    standby.server.tell("restart fast");
    #[rustfmt::skip]
    check(&mut primary, &[
        ("user=either target_session_attrs=any",            "t", "t", ""),
        ("user=either target_session_attrs=primary",        "t", "t", ""),
        ("user=either target_session_attrs=read-write",     "t", "t", ""),
        ("user=either target_session_attrs=prefer-standby", "t", "t", ""),
        ("user=either target_session_attrs=standby",        "-", "-", "is no standby"),
        ("user=either target_session_attrs=read-only",      "-", "-", "takes writes"),
        ("user=either target_session_attrs=read-only options='-c default_transaction_read_only=on'", "t", "t", ""),
        ("user=either target_session_attrs=read-write options='-c default_transaction_read_only=on'", "-", "-", "read-only"),
    ]);
    let settings = primary.settings("user=either");
    let variables = [("PGTARGETSESSIONATTRS", "standby")];
    let (psql, ours) = (primary.psql_with(&settings, &variables), primary.ours_with(&settings, &variables));
    assert_eq!((psql.letter, ours.letter), ("-", "-"), "{}", ours.stderr);

    let ports = [standby.server.port, primary.server.port];
    for (wanted, is_standby) in [
        ("primary", false),
        ("read-write", false),
        ("standby", true),
        ("read-only", true),
        ("prefer-standby", true),
    ] {
        for [first, second] in [ports, [ports[1], ports[0]]] {
            let settings = format!(
                "host=127.0.0.1,localhost hostaddr=127.0.0.1,127.0.0.1 port={first},{second} user=either dbname=postgres \
                 target_session_attrs={wanted} load_balance_hosts=random"
            );
            let known = settings.replace(" load_balance_hosts=random", "");
            let expected = if is_standby { ports[0] } else { ports[1] };
            assert_eq!(primary.psql(&known).stdout.trim(), expected.to_string(), "{wanted}");
            let _ = standby.new_log();
            let ours = primary.ours(&settings);
            let is_there = standby.new_log().contains("application_name=profile-loader");
            if is_standby {
                assert!(
                    is_there && ours.stderr.contains("is a standby, which takes no writes"),
                    "{}",
                    ours.stderr
                );
            } else {
                assert_eq!(ours.letter, "t", "{wanted}: {}", ours.stderr);
            }
        }
    }
}
