//! PgBouncer before a test's server, on a socket of its own; it ends with this value, or with the test process.

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio_postgres::{Config, NoTls};

use super::server::{TestServer, unprivileged_user, wait_apart};

/// More than it needs to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Debian has it where not every user looks.
const PLACES: [&str; 2] = ["/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"];

/// Runs it until standard input ends.
const SCRIPT: &str = "trap '' PIPE; \"$0\" -q \"$1\" >/dev/null 2>&1 & read -r _; kill -9 $!; wait";

#[derive(Debug)]
pub(crate) struct PgBouncer {
    /// Below that of the server, and gone with it.
    dir: PathBuf,
    script: Child,
}

/// Where it is; without it, its tests say on standard error that they are left out.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("pgbouncer"));
    let found = on_path.chain(PLACES.map(PathBuf::from)).find(|program| program.exists());
    if found.is_none() {
        let words = b"PgBouncer is not installed: its test is left out\n";
        std::io::stderr().write_all(words).expect("standard error is open");
    }
    found
}

impl PgBouncer {
    /// With these lines at the end of its settings. The name is for those who start another one in its place.
    pub(crate) fn start(program: &Path, server: &TestServer, name: &str, settings: &str) -> Self {
        let dir = server.dir.join(name);
        fs::create_dir_all(&dir).expect("the server's folder is writable");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {}\n\
             auth_type = trust\nauth_file = {}\nserver_login_retry = 1\n{settings}\n",
            server.dir.display(),
            server.port,
            dir.display(),
            dir.join("users").display(),
        );
        fs::write(dir.join("users"), "\"postgres\" \"\"\n").expect("the folder is writable");
        fs::write(dir.join("pgbouncer.ini"), text).expect("the folder is writable");
        if let Some((uid, gid)) = unprivileged_user() {
            chown(&dir, Some(uid), Some(gid)).expect("root gives the folder away");
        }
        let script = run(program, &dir);
        let pgbouncer = Self { dir, script };
        pgbouncer.wait_until_up();
        pgbouncer
    }

    /// As `--database-url` takes it.
    pub(crate) fn url(&self, database: &str) -> String {
        let dir = self.dir.to_str().expect("the socket's path is UTF-8").replace('/', "%2F");
        format!("postgresql://postgres@/{database}?host={dir}&port=6432")
    }

    fn wait_until_up(&self) {
        let config: Config = self.url("postgres").parse().expect("the URL is well-formed");
        let deadline = Instant::now() + PATIENCE;
        while wait_apart(async { config.connect(NoTls).await.is_err() }) {
            assert!(Instant::now() < deadline, "PgBouncer does not start");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run(program: &Path, dir: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(program).arg(dir.join("pgbouncer.ini")).current_dir(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C on the tests' terminal must reach us, not the one that cleans up after us.
    command.process_group(0);
    if let Some((uid, gid)) = unprivileged_user() {
        command.uid(uid).gid(gid);
    }
    command.spawn().expect("sh starts")
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        drop(self.script.wait());
    }
}
