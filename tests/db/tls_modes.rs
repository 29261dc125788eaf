//! Modes of TLS against servers of every kind, with psql's answer beside ours. Where they differ, ours is the stricter
//! one, or verifies where psql has nothing to verify with.

mod auth;
mod judge;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use judge::{Judge, Told, certificate};

/// What came of it: refused, in clear, encrypted; psql's and ours.
const SAME: [&str; 3] = ["-", "p", "t"];

/// Settings besides the host, in the order of the columns.
const MODES: [(&str, &str); 10] = [
    ("no word, this machine", "hostaddr=127.0.0.1"),
    ("no word, elsewhere", "hostaddr=0.0.0.0"),
    ("disable", "hostaddr=127.0.0.1 sslmode=disable"),
    ("allow", "hostaddr=127.0.0.1 sslmode=allow"),
    ("prefer", "hostaddr=127.0.0.1 sslmode=prefer"),
    ("require", "hostaddr=127.0.0.1 sslmode=require"),
    ("require, root", "hostaddr=127.0.0.1 sslmode=require sslrootcert=ROOT"),
    ("verify-ca, root", "hostaddr=127.0.0.1 sslmode=verify-ca sslrootcert=ROOT"),
    ("verify-full, root", "hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=ROOT"),
    ("no word, elsewhere, root", "hostaddr=0.0.0.0 sslrootcert=ROOT"),
];

/// The server's certificate, the root, the host, and what came of each mode: one letter where psql's answer is ours, else
/// `psql/ours`. Without a word libpq prefers TLS wherever the server is; here one elsewhere is verified.
#[rustfmt::skip]
const TABLE: [(&str, &str, &str, &str); 19] = [
    ("right",               "ca",           "db.test",   "t t/- p p t t t t t t"),
    ("chain",               "ca",           "db.test",   "t t/- p p t t t t t t"),
    ("wildcard",            "ca",           "db.test",   "t t/- p p t t t t t t"),
    ("wildcard",            "ca",           "a.db.test", "t t/- p p t t t t - t/-"),
    ("other-host",          "ca",           "db.test",   "t t/- p p t t t t - t/-"),
    ("address",             "ca",           "127.0.0.1", "t t/- p p t t t t t t"),
    ("address",             "ca",           "db.test",   "t t/- p p t t t t - t/-"),
    ("right",               "ca",           "127.0.0.1", "t t/- p p t t t t - t/-"),
    ("address-as-name",     "ca",           "127.0.0.1", "t t/- p p t t t t t t"),
    ("common-name",         "ca",           "db.test",   "t t/- p p t t t t t t"),
    ("common-name-hidden",  "ca",           "db.test",   "t t/- p p t t t t - t/-"),
    ("common-name-limited", "ca",           "db.test",   "t t/- p p t t - - - p/-"),
    ("version-1",           "ca",           "db.test",   "t t/- p p t t t t t t"),
    ("self-signed",         "self-signed",  "db.test",   "t t/- p p t t t t t t"),
    ("self-signed",         "ca",           "db.test",   "t t/- p p t t - - - p/-"),
    ("wrong-ca",            "ca",           "db.test",   "t t/- p p t t - - - p/-"),
    ("expired",             "ca",           "db.test",   "t t/- p p t t - - - p/-"),
    ("for-clients",         "ca",           "db.test",   "t t/- p p t t - - - p/-"),
    ("expired-root",        "expired-root", "db.test",   "t t/- p p t t - - - p/-"),
];

fn cells(row: &str) -> Vec<(&str, &str)> {
    row.split_whitespace().map(|cell| cell.split_once('/').unwrap_or((cell, cell))).collect()
}

/// Each mode against the server as it is now; the differences from the row.
fn differences(judge: &mut Judge, row: &(&str, &str, &str, &str), port: u16) -> Vec<String> {
    let (name, root, host, expected) = *row;
    let expected = cells(expected);
    assert_eq!(expected.len(), MODES.len(), "{row:?}");
    let mut differences = Vec::new();
    for ((mode, settings), expected) in MODES.iter().zip(expected) {
        let settings = settings.replace("ROOT", &certificate(root));
        let settings = format!("host={host} port={port} user=either dbname=postgres {settings}");
        let (psql, ours) = (judge.psql(&settings), judge.ours(&settings));
        if (psql.letter, ours.letter) != expected {
            let told = format!("{}\n{}", psql.stderr, ours.stderr);
            differences.push(format!("{name}, {host}, {mode}: {}/{}\n{told}", psql.letter, ours.letter));
        }
        assert!(SAME.contains(&ours.letter));
    }
    differences
}

#[test]
fn each_mode_with_each_certificate() {
    let mut judge = Judge::new();
    let port = judge.server.port;
    let mut wrong = Vec::new();
    for row in &TABLE {
        judge.show(row.0);
        wrong.extend(differences(&mut judge, row, port));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Answers a request for TLS with "no" and hands the rest on, as somebody between may do to read along.
struct Naysayer {
    port: u16,
    refusals: Arc<AtomicUsize>,
}

impl Naysayer {
    fn new(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let refusals = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refusals);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                thread::spawn(move || Self::serve(client, server, &count));
            }
        });
        Self { port, refusals }
    }

    fn serve(mut client: TcpStream, server: u16, count: &AtomicUsize) -> Option<()> {
        const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
        let mut first = [0; 8];
        client.read_exact(&mut first).ok()?;
        let mut upstream = TcpStream::connect(("127.0.0.1", server)).ok()?;
        if first == SSL_REQUEST {
            count.fetch_add(1, Ordering::SeqCst);
            client.write_all(b"N").ok()?;
        } else {
            upstream.write_all(&first).ok()?;
        }
        let (mut from, mut to) = (client.try_clone().ok()?, upstream.try_clone().ok()?);
        thread::spawn(move || {
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(std::net::Shutdown::Write));
        });
        std::io::copy(&mut upstream, &mut client).ok()?;
        client.shutdown(std::net::Shutdown::Write).ok()
    }
}

/// Whoever says no gets what was meant to go in clear, and nothing else.
#[test]
fn each_mode_where_tls_is_denied() {
    let row = "p p/- p p p - - - - p/-";
    let mut judge = Judge::new();
    let naysayer = Naysayer::new(judge.server.port);
    let mut wrong = differences(&mut judge, &("a man in the middle", "ca", "db.test", row), naysayer.port);
    // All but disable and allow ask for TLS; psql and ours.
    assert_eq!(naysayer.refusals.load(Ordering::SeqCst), 16);
    let settings = format!("host=db.test port={} user=either dbname=postgres", naysayer.port);
    let local = judge.ours(&format!("{settings} hostaddr=127.0.0.1"));
    assert!(!local.stderr.contains("not encrypted"), "this machine needs none: {}", local.stderr);
    let prefers = judge.ours(&format!("{settings} hostaddr=0.0.0.0 sslmode=prefer"));
    assert!(prefers.stderr.contains("is not encrypted: the server offers no TLS"), "{}", prefers.stderr);
    let silent = judge.ours(&format!("{settings} hostaddr=0.0.0.0"));
    assert!(silent.stderr.contains("or say sslmode=disable"), "{}", silent.stderr);

    judge.server.execute("ALTER SYSTEM SET ssl = off");
    judge.server.tell("restart fast");
    let port = judge.server.port;
    wrong.extend(differences(&mut judge, &("no TLS", "ca", "db.test", row), port));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A server's rules may let a role in with TLS only, or without it only.
#[test]
fn each_mode_where_the_servers_rules_insist() {
    #[rustfmt::skip]
    let table = [
        ("tls_only",   "disable", "-"), ("tls_only",   "allow", "t"), ("tls_only",   "prefer", "t"), ("tls_only",   "require", "t"), ("tls_only", "", "t"),
        ("plain_only", "disable", "p"), ("plain_only", "allow", "p"), ("plain_only", "prefer", "p"), ("plain_only", "require", "-"), ("plain_only", "", "p"),
    ];
    let mut judge = Judge::new();
    for (user, mode, expected) in table {
        let mode = if mode.is_empty() { String::new() } else { format!("sslmode={mode}") };
        let settings = judge.settings(&format!("user={user} {mode}"));
        let (psql, ours) = (judge.psql(&settings), judge.ours(&settings));
        assert_eq!((psql.letter, ours.letter), (expected, expected), "{user} {mode}: {}", ours.stderr);
        let fell_back = user == "plain_only"
            && !mode.contains("disable")
            && !mode.contains("allow")
            && ours.letter == "p";
        assert_eq!(
            ours.stderr.contains("is not encrypted: TLS failed"),
            fell_back,
            "{user} {mode}: {}",
            ours.stderr
        );
    }
}

fn assert_told(told: &Told, letter: &str, words: &[&str]) {
    assert_eq!(told.letter, letter, "{}", told.stderr);
    for word in words {
        assert!(told.stderr.contains(word), "{word}: {}", told.stderr);
    }
}

/// What to do is said: the two ways out where nobody said a word, and how to verify where nothing is verified.
#[test]
fn the_ways_out_are_named() {
    let mut judge = Judge::new();
    let elsewhere =
        format!("host=db.test hostaddr=0.0.0.0 port={} user=either dbname=postgres", judge.server.port);
    let told = judge.ours(&elsewhere);
    assert_told(&told, "-", &["UnknownIssuer", "sslrootcert=FILE", "or say sslmode=require"]);
    let told = judge.ours(&format!("{elsewhere} sslmode=require"));
    assert_told(&told, "t", &["encrypts and verifies nothing", "sslmode=verify-full and sslrootcert=FILE"]);
    let told = judge.ours(&judge.settings("user=either sslmode=verify-ca"));
    assert_told(&told, "-", &["sslrootcert=FILE"]);
    for (variables, letter, words) in [
        (&[("DATABASE_SSL", "false")][..], "p", ""),
        (&[("DATABASE_SSL", "no-verify")], "t", "DATABASE_SSL=no-verify encrypts and verifies nothing"),
        (&[("DATABASE_SSL", "true")], "-", "UnknownIssuer"),
        (&[("DATABASE_SSL", "true"), ("DATABASE_SSL_CA", &certificate("ca"))], "t", ""),
        (&[("DATABASE_SSL", "no-verify"), ("DATABASE_SSL_CA", &certificate("other-ca"))], "t", "no-verify"),
        (&[("PGSSLMODE", "require"), ("PGSSLROOTCERT", &certificate("other-ca"))], "-", "UnknownIssuer"),
        (&[("PGSSLMODE", "verify-full"), ("DATABASE_SSL", "false")], "-", "UnknownIssuer"),
    ] {
        let told = judge.ours_with(&judge.settings("user=either"), variables);
        assert_told(&told, letter, &[words]);
    }
    judge.show("self-signed");
    let told = judge.ours(&judge.settings("user=either sslmode=verify-full sslrootcert=system"));
    assert_told(&told, "-", &["CaUsedAsEndEntity"]);
}

/// The user's own root certificate counts as in libpq: require verifies with it.
#[test]
fn the_users_own_root_is_found() {
    let mut judge = Judge::new();
    let settings = judge.settings("user=either sslmode=require");
    for (root, letter) in [("ca", "t"), ("other-ca", "-")] {
        judge.put_into_home(".postgresql/root.crt", &certificate(root), 0o644);
        assert_eq!((judge.psql(&settings).letter, judge.ours(&settings).letter), (letter, letter), "{root}");
    }
    // Without a word this machine needs no verified server.
    assert_eq!(judge.ours(&judge.settings("user=either")).letter, "t");
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/modes")).join(name)
}
