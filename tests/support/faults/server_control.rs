//! What a test does to its server: stops it in any mode, starts it again, ends sessions, reads its log.
//!
//! Each of these has happened when its function returns, or the test fails.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt as _, chown},
    path::PathBuf,
    process,
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Database, TestServer,
    server::{connect, unprivileged_user, wait_apart},
    texts,
};

/// Ports that the system does not give out by itself, so a server finds its own free when it starts again.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// More than a backend needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server is stopped; `pg_ctl` calls it the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Sessions are ended and roll back.
    Fast,
    /// As in a crash: the next start recovers.
    Immediate,
}

/// The sessions of the program in one database, or in all.
const SESSIONS: &str = "FROM pg_stat_activity WHERE application_name LIKE 'profile-loader%'";

impl TestServer {
    /// A server with a TCP port, for the tests that fail its connections.
    pub(crate) fn with_port() -> Self {
        Self::start(Some(free_port()))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// By TCP, as `--database-url` takes it.
    pub(crate) fn tcp_url(&self, database: &Database) -> String {
        format!("postgresql://postgres@{}/{}", self.address(), database.name)
    }

    pub(crate) fn stop(&self, how: Stop) {
        self.tell(match how {
            Stop::Fast => "stop fast",
            Stop::Immediate => "stop immediate",
        });
    }

    pub(crate) fn start_again(&self) {
        self.tell("start");
    }

    /// Its log, from its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("server.log")).expect("the server writes its log")
    }

    /// A folder beside the data directory.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir(&path).expect("the server's folder is writable");
        path
    }

    /// Makes such a folder, or what is mounted there, the server's own.
    pub(crate) fn owns_folder(&self, name: &str) {
        let path = self.dir.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&path, Some(uid), Some(gid)).expect("root gives the folder away");
        }
    }

    /// The first column of each row, which has to be text; as superuser, in the server's own database.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let url = self.url("postgres");
        wait_apart(async { texts(&connect(&url).await, sql).await })
    }

    /// Waits until a query, over a new session each time, returns rows.
    pub(crate) fn wait_for(&self, sql: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.texts(sql);
            if !rows.is_empty() {
                return rows;
            }
            assert!(Instant::now() < deadline, "in vain: {sql}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the program's sessions in a database; returns how many there were, and they are gone.
    pub(crate) fn terminate_loaders(&self, database: &Database) -> usize {
        let of = format!("{SESSIONS} AND datname = '{}'", database.name);
        self.terminate(&self.texts(&format!("SELECT pid::text {of}")))
    }

    /// Ends these sessions, as `pg_terminate_backend` does.
    pub(crate) fn terminate(&self, pids: &[String]) -> usize {
        let list = pids.join(", ");
        let is_one = format!("pid = ANY ('{{{list}}}')");
        let sql = format!("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE {is_one}");
        let ended = self.texts(&sql);
        assert!(ended.iter().all(|ended| ended == "true"), "a session can't be ended");
        self.wait_for(&format!(
            "SELECT 'gone' WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE {is_one})"
        ));
        ended.len()
    }

    /// Kills a backend as a crash would, upon which the server ends all sessions and recovers.
    pub(crate) fn crash(&self, pid: &str) {
        let started = "SELECT pg_postmaster_start_time()::text";
        let before = self.texts(started);
        let sessions = self.log().matches("all server processes terminated; reinitializing").count();
        let number = pid.parse().ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(number, Signal::KILL).expect("the backend is ours to kill");
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches("all server processes terminated; reinitializing").count() == sessions
            || !self.is_up()
        {
            assert!(Instant::now() < deadline, "the server does not come back");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.texts(started), before, "the same postmaster is at work");
    }

    pub(crate) fn is_down(&self) -> bool {
        !self.is_up()
    }

    fn is_up(&self) -> bool {
        let url = self.url("postgres");
        wait_apart(async {
            let config: tokio_postgres::Config = url.parse().expect("the URL is well-formed");
            config.connect(tokio_postgres::NoTls).await.is_ok()
        })
    }
}

pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that start one after the other begin far from each other.
    let count = PORTS.end - PORTS.start;
    let first = u16::try_from(process::id().wrapping_mul(997) % u32::from(count)).expect("it is below count");
    let tried = (0..count).map(|_| {
        let offset = u32::from(first) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        PORTS.start + u16::try_from(offset % u32::from(count)).expect("it is below count")
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    tried.into_iter().find(is_free).expect("some port is free")
}
