//! A private PostgreSQL server for one test process, and a database of its own for each test.
//!
//! The server is run by `server.sh`, which stays beside it and removes it when this process ends, in
//! whatever way. It listens on a unix socket only, so any number of test processes run side by side.
//! Without PostgreSQL's binaries the tests fail and say what to install; they never pass unrun.

use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio_postgres::{Client, Config, NoTls};

/// The kernel takes 107 bytes for a socket's path, 103 on macOS; `/.s.PGSQL.5432` is part of it.
const SOCKET_DIR_BYTES_MAX: usize = 88;

/// A server's data grows to two gibibytes at times, its WAL included, and two servers run beside each other.
const MEMORY_BYTES_MIN: u64 = 6 << 30;

/// A server; it lives as long as this value, and no longer than the process.
#[derive(Debug)]
pub(crate) struct TestServer {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    /// `server.sh`, and what it answers.
    script: Mutex<(Child, BufReader<ChildStdout>)>,
}

/// An empty database, dropped with this value.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// As `--database-url` takes it.
    pub(crate) url: String,
    /// Of the server's own database.
    pub(crate) server_url: String,
}

/// The server that most tests of this process share.
pub(crate) fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    SERVER.get_or_init(|| TestServer::start(None))
}

/// Creates a database in it.
pub(crate) fn database(name_hint: &str) -> Database {
    server().database(name_hint)
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
        execute(&self.server_url, &format!("CREATE DATABASE {name} TEMPLATE {}", self.name));
        let url = self.url.replace(&format!("/{}?", self.name), &format!("/{name}?"));
        Self { name, url, server_url: self.server_url.clone() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that fails may have left its server in any state.
        if !thread::panicking() {
            execute(&self.server_url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

impl TestServer {
    /// With a TCP port on this machine besides the socket, where one is given. Such a server is a test's own,
    /// which may stop it in any way: what it says is committed stays.
    pub(crate) fn start(tcp_port: Option<u16>) -> Self {
        Self::start_from(tcp_port, "")
    }

    /// The same with the data of the server that a connection string names, and as its standby.
    pub(crate) fn start_from(tcp_port: Option<u16>, primary: &str) -> Self {
        let port = tcp_port.unwrap_or(5432);
        let settings = tcp_port.map_or_else(String::new, |port| {
            format!("listen_addresses = '127.0.0.1'\nport = {port}\nsynchronous_commit = on")
        });
        let dir = server_dir();
        let mut command = Command::new("sh");
        command
            .args(["-c", include_str!("server.sh"), "server.sh"])
            .arg(&dir)
            .arg(settings)
            .arg(primary)
            .current_dir(&dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C on the tests' terminal must reach us, not the one that cleans up after us.
        command.process_group(0);
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&dir, Some(uid), Some(gid)).expect("root gives the server's folder away");
            command.uid(uid).gid(gid);
        }
        let mut script = command.spawn().expect("sh starts");
        let answers = BufReader::new(script.stdout.take().expect("its standard output is a pipe"));
        let server = Self { dir, port, script: Mutex::new((script, answers)) };
        server.tell("start");
        server
    }

    /// Has `server.sh` do something, and waits until it is done.
    pub(crate) fn tell(&self, command: &str) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let (script, answers) = &mut *script;
        let stdin = script.stdin.as_mut().expect("its standard input is a pipe");
        writeln!(stdin, "{command}").expect("server.sh listens");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("server.sh answers");
        assert_eq!(answer.trim_end(), "done", "the tests need a PostgreSQL server");
    }

    /// Creates a database; the hint is part of its name, for those who read the server's log.
    pub(crate) fn database(&self, name_hint: &str) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let hint: String = name_hint
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .take(40)
            .collect();
        let name = format!("{hint}_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.execute(format!("CREATE DATABASE {name}"));
        Database { url: self.url(&name), name, server_url: self.url("postgres") }
    }

    /// Writes a file into the data directory, readable for the server alone.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir.join("data").join(name);
        fs::write(&path, text).expect("the data directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&path, Some(uid), Some(gid)).expect("root gives the file away");
        }
    }

    /// A URL for a database of this server, as `--database-url` takes it.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket_dir = self.dir.to_str().expect("the socket's path is UTF-8");
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

/// The server is gone afterwards. That of the whole process is not dropped: it goes when its pipe does.
impl Drop for TestServer {
    fn drop(&mut self) {
        let (script, _) = self.script.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(script.stdin.take());
        drop(script.wait());
    }
}

fn execute(url: &str, sql: &str) {
    if let Err(error) = wait_apart(async { connect(url).await.batch_execute(sql).await }) {
        panic!("{sql}: {error:?}");
    }
}

/// On a thread of its own, because tests have a runtime on theirs.
pub(crate) fn wait_apart<T: Send>(future: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime starts")
                .block_on(future)
        });
        waits.join().expect("the server can be reached")
    })
}

pub(crate) async fn connect(url: &str) -> Client {
    let config: Config = url.parse().expect("the URL is well-formed");
    let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
    // Its error, if any, shows at the client too.
    tokio::spawn(connection);
    client
}

/// A new folder with a path short enough for a socket; in memory where there is room: a database has some hundred
/// files, and to make and remove them takes a disk's file system a quarter of a test's time.
fn server_dir() -> PathBuf {
    let new_dir = |parent: &Path| tempfile::Builder::new().prefix("profile-loader-test-").tempdir_in(parent);
    let memory = Path::new("/dev/shm");
    let free_bytes = rustix::fs::statvfs(memory).map_or(0, |space| space.f_bavail * space.f_frsize);
    if free_bytes >= MEMORY_BYTES_MIN
        && let Ok(dir) = new_dir(memory)
    {
        return dir.keep();
    }
    let temp_dir = std::env::temp_dir();
    let short = temp_dir.as_os_str().len() + 32 < SOCKET_DIR_BYTES_MAX;
    let dir = new_dir(if short { &temp_dir } else { Path::new("/tmp") });
    dir.expect("the temporary folder is writable").keep()
}

/// Whom the server runs as when the tests run as root, which PostgreSQL refuses.
pub(crate) fn unprivileged_user() -> Option<(u32, u32)> {
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
