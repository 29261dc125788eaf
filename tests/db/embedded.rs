//! `--embedded` as an operator uses it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    stopped::{count, end},
    support::{Output, binary, generate, run, tuples_written},
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/customers.ndjson");

/// More than a server needs to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a test that waits looks; all the time would take the time of what it waits for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("the temporary folder is writable");
        // As root, the server runs as another user, who has to be able to enter.
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("it is ours");
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = binary();
        command.env("PROFILE_LOADER_EMBEDDED", self.path("server"));
        command.env("PROFILE_LOADER_REJECTS", self.path("rejects"));
        command
    }

    fn load(&self) -> (Output, Value) {
        let output = run(self.command().args(["load", FIXTURES, "--output", "json"]));
        let report = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
        (output, report)
    }

    /// Waits until the server of a running load answers.
    async fn connect(&self) -> Client {
        let deadline = Instant::now() + PATIENCE;
        let mut config = Config::new();
        config.host_path(self.path("server/socket")).user("postgres").dbname("postgres");
        loop {
            if let Ok((client, connection)) = config.connect(NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            assert!(Instant::now() < deadline, "no server starts");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn has_server(&self) -> bool {
        self.path("server/data/postmaster.pid").exists()
    }
}

#[test]
fn the_fixtures_are_loaded_once() {
    let home = Home::new();
    let (output, report) = home.load();
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    for words in ["look into it while it runs:  ", "psql -h ", "start it again afterwards:   ", "pg_ctl"] {
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
    let counts = |report: &Value| {
        ["/load/inserted", "/load/unchanged", "/documents/rejected"].map(|pointer| count(report, pointer))
    };
    assert_eq!(counts(&report), [318, 1, 15]);
    let lines = |name: &str| {
        let bytes = fs::read(home.path("rejects").join(name)).expect("it was written");
        bytes.split_inclusive(|byte| *byte == b'\n').count()
    };
    assert_eq!((lines("rejects.ndjson"), lines("rejects.errors.ndjson")), (15, 15));
    assert!(!home.has_server(), "it was stopped");

    let (output, report) = home.load();
    assert_eq!((output.code, counts(&report)), (Some(1), [0, 319, 15]), "{}", output.stderr);
    let rows = report["load"]["rows"].as_object().expect("rows by table");
    assert!(rows.values().all(|count| count == 0), "{report}");
    assert!(!home.has_server(), "it was stopped");
}

/// The server's own statistics, which it keeps over a stop, count no row that the second load wrote.
#[tokio::test]
async fn the_second_load_writes_no_row() {
    let home = Home::new();
    home.load();
    let written = async || {
        let server =
            profile_loader::internals::postgres::LocalServer::start(&home.path("server")).expect("it starts");
        let (client, connection) = server.connection_config().connect(NoTls).await.expect("it answers");
        tokio::spawn(connection);
        let written = tuples_written(&client).await;
        drop(client);
        server.stop().expect("it stops");
        written
    };
    let before = written().await;
    let (output, _) = home.load();
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert_eq!(written().await, before);
}

#[tokio::test]
async fn a_signal_stops_the_server_too() {
    let home = Home::new();
    home.load();
    let mut command = home.command();
    command.args(["load", "-", "-q", "--chunk-bytes", "1000", "--output", "json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn().expect("the program starts");
    let stdin = started.stdin.as_mut().expect("its standard input is a pipe");
    stdin.write_all(&generate(&["--count", "5000"])).expect("the program reads");
    drop(home.connect().await);
    assert!(home.has_server());
    kill_process(Pid::from_child(&started), Signal::TERM).expect("the program runs");
    let (code, report, stderr) = end(started);
    assert_eq!((code, report["outcome"].as_str()), (Some(143), Some("interrupted")), "{stderr}");
    assert!(!home.has_server(), "it was stopped");
}

#[test]
fn folders_that_are_not_its_own_are_left_alone() {
    let home = Home::new();
    fs::create_dir(home.path("server")).expect("the folder is ours");
    fs::write(home.path("server/letter.txt"), "dear").expect("the folder is ours");
    let output = run(home.command().args(["load", FIXTURES]));
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(
        output.stderr.contains("holds something else than a server of profile-loader"),
        "{}",
        output.stderr
    );
    assert!(Path::exists(&home.path("server/letter.txt")));
    let two = ["migrate", "status", "--embedded", "--database-url", "postgresql://x/y"];
    let output = run(home.command().args(two));
    assert_eq!(output.code, Some(2), "two databases are named: {}", output.stderr);
}
