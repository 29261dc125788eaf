//! A private PostgreSQL server for one test process, and a database of its own for each test.
//!
//! The server is started by `server.sh`, which stays beside it and removes it when this process ends, in
//! whatever way. It listens on a unix socket only, so any number of test processes run side by side.
//! Without PostgreSQL's binaries the tests fail and say what to install; they never pass unrun.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tokio_postgres::{Client, Config, NoTls};

/// The kernel takes 107 bytes for a socket's path, 103 on macOS; `/.s.PGSQL.5432` is part of it.
const SOCKET_DIR_BYTES_MAX: usize = 88;

/// The server of this test process; it lives as long as the process.
#[derive(Debug)]
pub(crate) struct TestServer {
    socket_dir: PathBuf,
    port: u16,
    /// Its standard input is held open and never written to: the server stops when that pipe closes.
    _watchdog: Child,
}

/// An empty database, dropped with this value.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// As `--database-url` takes it.
    pub(crate) url: String,
}

pub(crate) fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(|| TestServer::start(None))
}

/// Creates a database; the hint is part of its name, for those who read the server's log.
pub(crate) fn database(name_hint: &str) -> Database {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let hint: String = name_hint
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(40)
        .collect();
    let name = format!("{hint}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    server().execute(format!("CREATE DATABASE {name}"));
    let url = server().url(&name);
    Database { name, url }
}

impl Database {
    /// A new connection; its driver ends when the client is dropped.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.url).await
    }

    /// Runs statements over a connection that is gone when this returns.
    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.url, sql);
    }

    /// A database with the same contents; nobody may be connected to this one meanwhile.
    pub(crate) fn copy(&self) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}_copy_{}", self.name, COUNT.fetch_add(1, Ordering::Relaxed));
        server().execute(format!("CREATE DATABASE {name} TEMPLATE {}", self.name));
        Self { url: server().url(&name), name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        server().execute(format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

impl TestServer {
    /// With a TCP port on this machine besides the socket, where one is given.
    pub(crate) fn start(tcp_port: Option<u16>) -> Self {
        let port = tcp_port.unwrap_or(5432);
        let settings = tcp_port
            .map_or_else(String::new, |port| format!("listen_addresses = '127.0.0.1'\nport = {port}"));
        let dir = server_dir();
        let mut command = Command::new("sh");
        command
            .args(["-c", include_str!("server.sh"), "server.sh"])
            .arg(&dir)
            .arg(settings)
            .current_dir(&dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C on the tests' terminal must reach us, not the one that cleans up after us.
        command.process_group(0);
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&dir, Some(uid), Some(gid)).expect("root gives the server's folder away");
            command.uid(uid).gid(gid);
        }
        let mut watchdog = command.spawn().expect("sh starts");
        let mut answer = String::new();
        BufReader::new(watchdog.stdout.take().expect("its standard output is a pipe"))
            .read_line(&mut answer)
            .expect("server.sh answers");
        assert_eq!(answer.trim_end(), "ready", "the tests need a PostgreSQL server");
        Self { socket_dir: dir, port, _watchdog: watchdog }
    }

    /// Writes a file into the data directory, readable for the server alone.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.socket_dir.join("data").join(name);
        fs::write(&path, text).expect("the data directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&path, Some(uid), Some(gid)).expect("root gives the file away");
        }
    }

    /// A URL for a database of this server, as `--database-url` takes it.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket_dir = self.socket_dir.to_str().expect("the socket's path is UTF-8");
        format!(
            "postgresql://postgres@/{database}?host={}&port={}",
            socket_dir.replace('/', "%2F"),
            self.port
        )
    }

    /// Runs a statement as superuser.
    pub(crate) fn execute(&self, sql: impl AsRef<str>) {
        execute(&self.url("postgres"), sql.as_ref());
    }
}

/// On a thread of its own, because tests have a runtime on theirs.
fn execute(url: &str, sql: &str) {
    let statements = async { connect(url).await.batch_execute(sql).await };
    let result = thread::scope(|scope| {
        let runs = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts")
                .block_on(statements)
        });
        runs.join().expect("the server can be reached")
    });
    if let Err(error) = result {
        panic!("{sql}: {error:?}");
    }
}

async fn connect(url: &str) -> Client {
    let config: Config = url.parse().expect("the URL is well-formed");
    let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
    // Its error, if any, shows at the client too.
    tokio::spawn(connection);
    client
}

/// A new folder with a path short enough for a socket.
fn server_dir() -> PathBuf {
    let new_dir = |parent: &Path| tempfile::Builder::new().prefix("profile-loader-test-").tempdir_in(parent);
    let temp_dir = std::env::temp_dir();
    let short = temp_dir.as_os_str().len() + 32 < SOCKET_DIR_BYTES_MAX;
    let dir = new_dir(if short { &temp_dir } else { Path::new("/tmp") });
    dir.expect("the temporary folder is writable").keep()
}

/// Whom the server runs as when the tests run as root, which PostgreSQL refuses.
fn unprivileged_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
    let ids = |name: &str| {
        let mut fields = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((uid, gid))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("there is a user postgres or nobody"))
}
