//! Spellings of connection settings, with psql as the judge: what libpq takes, the program takes, for the same place; what
//! libpq refuses leads nowhere; and no password gets anywhere but where it was put.
//!
//! Where a session went, as whom, and whether it was encrypted, is read from the server's log, for both alike.

mod spelling;

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Seek, SeekFrom, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

use spelling::{Carrier, SECRET, Spelling};
use tempfile::TempDir;

use crate::support::{Output, Random, TestServer, binary, run};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem");

/// What people name their roles and databases; each is a user and a database of the server.
const NAMES: [&str; 6] = ["app", "App User", "o'brien", "b\\s;lash", "tenant@server", "a%2Fb?ü&=#"];

/// A server that asks for passwords, on a socket and on a TCP port with TLS.
struct Judge {
    server: TestServer,
    log_read: u64,
    home: TempDir,
    psql: PathBuf,
}

/// Where a session went: `[local]` or an address, the line of its authorization, and whether it was encrypted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Session {
    host: String,
    user_and_database: String,
    pub(crate) is_encrypted: bool,
}

impl Judge {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let server = TestServer::start(Some(port));
        server.execute("SET password_encryption = 'scram-sha-256'");
        for name in NAMES {
            let quoted = format!("\"{name}\"");
            let password = spelling::password_of(name).replace('\'', "''");
            server.execute(format!(
                "CREATE ROLE {quoted} LOGIN SUPERUSER PASSWORD E'{}'",
                password.replace('\\', "\\\\")
            ));
            server.execute(format!("CREATE DATABASE {quoted}"));
        }
        server.write("server.crt", include_str!("../support/tls/server.pem"));
        server.write("server.key", include_str!("../support/tls/server.key"));
        server.write("pg_hba.conf", "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n");
        for setting in [
            "ssl = on",
            "log_connections = on",
            "log_statement = 'all'",
            "log_line_prefix = '%a '",
            "lc_messages = 'C'",
        ] {
            server.execute(format!("ALTER SYSTEM SET {setting}"));
        }
        server.tell("restart fast");
        let home = tempfile::tempdir().expect("the temporary folder is writable");
        Self { server, log_read: 0, home, psql: find_psql() }
    }

    fn log_path(&self) -> PathBuf {
        self.server.dir.join("server.log")
    }

    /// What the log has got since this was asked last.
    fn new_log(&mut self) -> String {
        let mut file = fs::File::open(self.log_path()).expect("the server has a log");
        file.seek(SeekFrom::Start(self.log_read)).expect("the log is a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the log is readable");
        self.log_read += bytes.len() as u64;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs a command and says how it ended, what it said, and where its last session went.
    fn observe(
        &mut self,
        command: &mut Command,
        run: impl FnOnce(&mut Command) -> Output,
    ) -> (Output, Option<Session>, String) {
        self.new_log();
        let output = run(command);
        let log = self.new_log();
        (output, last_session(&log), log)
    }

    fn psql(&self, spelling: &Spelling) -> Command {
        let mut command = Command::new(&self.psql);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command.args(["-X", "-w", "-A", "-t", "-c", "SELECT 1", "-d", &spelling.text]);
        self.surround(&mut command, spelling);
        command
    }

    fn program(&self, spelling: &Spelling, words: &[&str]) -> Command {
        let mut command = binary();
        command.args(words).env("PROFILE_LOADER_DB_WAIT", "0");
        match spelling.carrier {
            Carrier::Option => command.args(["--database-url", &spelling.text]),
            Carrier::OptionVariable => command.env("PROFILE_LOADER_DATABASE_URL", &spelling.text),
            Carrier::DatabaseUrl => command.env("DATABASE_URL", &spelling.text),
        };
        self.surround(&mut command, spelling);
        command
    }

    /// The variables and files that both of them find.
    fn surround(&self, command: &mut Command, spelling: &Spelling) {
        spelling.write_files(self.home.path());
        command.env("HOME", self.home.path()).env("PGSSLROOTCERT", AUTHORITY).env("PGCONNECT_TIMEOUT", "5");
        command.envs(spelling.variables.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null());
    }
}

/// The server cuts a name that it does not know within a character, and psql says so.
pub(crate) fn run_psql(command: &mut Command) -> Output {
    let output = command.output().expect("psql starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The program itself where it is known: what Debian has on the path is a script that takes longer to find it than it runs.
pub(crate) fn find_psql() -> PathBuf {
    let found = glob::glob("/usr/lib/postgresql/*/bin/psql").into_iter().flatten().flatten();
    found.max().unwrap_or_else(|| "psql".into())
}

pub(crate) fn last_session(log: &str) -> Option<Session> {
    let received = log.lines().rev().find_map(|line| line.split_once("connection received: host="));
    let authorized = log.lines().rev().find_map(|line| line.split_once("connection authorized: "))?.1;
    let names = authorized.split(" application_name=").next()?.split(" SSL enabled").next()?;
    Some(Session {
        host: received?.1.split(' ').next()?.to_owned(),
        user_and_database: names.to_owned(),
        is_encrypted: authorized.contains(" SSL enabled"),
    })
}

fn assert_silent(told: &str, spelling: &Spelling) {
    assert!(!told.contains(SECRET), "{spelling:?}\n{told}");
}

/// Each way of telling in its turn.
fn words(index: usize) -> &'static [&'static str] {
    let all: [&[&str]; 4] = [
        &["migrate", "status"],
        &["migrate", "status", "-v", "--log-format", "json"],
        &["runs", "list", "-v"],
        &["runs", "list", "--output", "json", "--log-format", "json"],
    ];
    all[index % all.len()]
}

#[test]
fn what_libpq_takes_leads_to_the_same_place() {
    let mut judge = Judge::new();
    let mut random = Random(12);
    let mut taken = 0;
    for index in 0..160 {
        let spelling = Spelling::sound(&mut random, &judge.server.dir, judge.server.port);
        let (psql, expected, _) = judge.observe(&mut judge.psql(&spelling), run_psql);
        assert_eq!(psql.code, Some(0), "{spelling:?}\n{}", psql.stderr);
        let expected = expected.expect("psql had a session");
        let (output, session, log) = judge.observe(&mut judge.program(&spelling, words(index)), run);
        let session = session.unwrap_or_else(|| panic!("{spelling:?}\n{}", output.stderr));
        assert_eq!(
            (&session.host, &session.user_and_database),
            (&expected.host, &expected.user_and_database),
            "{spelling:?}"
        );
        assert_eq!(session.is_encrypted, expected.is_encrypted, "{spelling:?}");
        assert_eq!(output.code, Some(0), "{spelling:?}\n{}", output.stderr);
        assert_silent(&format!("{}{}{log}", output.stdout, output.stderr), &spelling);
        taken += 1;
    }
    assert_eq!(taken, 160);
}

/// What was spoiled by one character may lead to the same place as psql, or to an error; never elsewhere, and the
/// password is not told.
#[test]
fn what_was_mistyped_is_not_told() {
    let mut judge = Judge::new();
    let mut random = Random(34);
    let (mut same, mut refused, mut stricter) = (0, 0, 0);
    for index in 0..120 {
        let spelling =
            Spelling::sound(&mut random, &judge.server.dir, judge.server.port).spoiled(&mut random);
        let (output, session, log) = judge.observe(&mut judge.program(&spelling, words(index)), run);
        assert_silent(&format!("{}{}{log}", output.stdout, output.stderr), &spelling);
        let (psql, expected, _) = judge.observe(&mut judge.psql(&spelling), run_psql);
        match (output.code, psql.code) {
            (Some(0), code) => {
                assert_eq!(code, Some(0), "{spelling:?}\n{}", psql.stderr);
                let places =
                    [session, expected].map(|session| session.map(|one| (one.host, one.user_and_database)));
                assert_eq!(places[0], places[1], "{spelling:?}");
                same += 1;
            }
            (code, Some(0)) => {
                assert_eq!(code, Some(2), "{spelling:?}\n{}", output.stderr);
                stricter += 1;
            }
            (code, _) => {
                assert!(matches!(code, Some(2 | 4 | 5)), "{spelling:?}\n{}", output.stderr);
                refused += 1;
            }
        }
    }
    assert!(same >= 3 && refused >= 20 && stricter <= 12, "{same} {refused} {stricter}");
}

/// A load that holds its sessions open: neither the process, nor the sessions, nor the ledger have the password.
#[test]
fn no_place_of_a_load_has_the_password() {
    let judge = Judge::new();
    let mut random = Random(56);
    let rejects = judge.home.path().join("rejects");
    for carrier in [Carrier::Option, Carrier::DatabaseUrl, Carrier::OptionVariable] {
        let mut spelling = Spelling::sound(&mut random, &judge.server.dir, judge.server.port);
        spelling.carrier = carrier;
        let mut command = judge.program(&spelling, &["load", "-", "-v"]);
        command
            .arg("--rejects")
            .arg(&rejects)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let documents = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.ndjson"))
            .expect("there are fixtures");
        let mut input = child.stdin.take().expect("its standard input is a pipe");
        // More than is looked at to tell what it is.
        for _ in 0..16 {
            input.write_all(&documents).expect("it reads");
        }
        let url = judge.server.url("postgres");
        let count = |what: &str| {
            let sql = format!("SELECT count(*) FROM pg_catalog.pg_stat_activity AS a WHERE {what}");
            crate::support::server::wait_apart(async {
                crate::support::server::connect(&url)
                    .await
                    .query_one(&sql, &[])
                    .await
                    .expect("it answers")
                    .get::<_, i64>(0)
            })
        };
        while count("a.application_name LIKE 'profile-loader%'") == 0 {
            if child.try_wait().expect("it is ours").is_some() {
                let output = child.wait_with_output().expect("it has ended");
                panic!("{spelling:?}: the load has ended: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
        let cmdline = fs::read(format!("/proc/{}/cmdline", child.id())).expect("there is a process");
        let is_there = String::from_utf8_lossy(&cmdline).contains(SECRET);
        assert!(!is_there || matches!(carrier, Carrier::Option), "{spelling:?}");
        let (begin, end) = SECRET.split_at(3);
        assert_eq!(count(&format!("a::text LIKE '%{begin}' || '{end}%'")), 0, "{spelling:?}");
        // Breaks off, so that the message says how to go on.
        input.write_all(b"{\"id\": ").expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_silent(&told, &spelling);
        assert!(told.contains("319 ") || told.contains("unfinished"), "{told}");
    }
    for database in NAMES {
        let (begin, end) = SECRET.split_at(3);
        let ledger = "SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
            LATERAL pg_catalog.query_to_xml(pg_catalog.format('SELECT * FROM %s', c.oid::regclass), true, false, '') AS x
            WHERE n.nspname = 'profile_loader' AND c.relkind = 'r' AND x::text LIKE '%BEGIN' || 'END%'";
        let sql = ledger.replace("BEGIN", begin).replace("END", end);
        let url = judge.server.url(&percent(database));
        let found: i64 = crate::support::server::wait_apart(async {
            crate::support::server::connect(&url).await.query_one(&sql, &[]).await.expect("it answers").get(0)
        });
        assert_eq!(found, 0, "{database}");
    }
    assert!(!fs::read_to_string(judge.log_path()).expect("the server has a log").contains(SECRET));
}

fn percent(name: &str) -> String {
    name.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02x}").expect("a text can be written to");
        encoded
    })
}
