//! The server of `--embedded`, with real binaries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use profile_loader::internals::postgres::{LocalServer, LocalServerError};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use tokio_postgres::config::Host;

/// More than a server needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn data_outlive_the_server() {
    let dir = temp_dir();
    let server = start(dir.path());
    execute(&server, "CREATE TABLE kept (n integer); INSERT INTO kept VALUES (1)");
    server.stop().expect("it stops");
    assert!(!pid_file(dir.path()).exists());

    let server = start(dir.path());
    execute(&server, "INSERT INTO kept VALUES (2)");
    drop(server);
    assert!(!pid_file(dir.path()).exists(), "dropping it stops it");
}

#[test]
fn only_its_user_reaches_it() {
    let dir = temp_dir();
    let server = start(dir.path());
    let mode = |name: &str| {
        let metadata = fs::metadata(dir.path().join(name)).expect("it exists");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("socket"), mode("data"), mode("server.log")), (0o700, 0o700, 0o600));
    execute(
        &server,
        "DO $$ BEGIN
            ASSERT current_setting('listen_addresses') = '';
            ASSERT current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on';
            ASSERT current_setting('data_checksums') = 'on';
        END $$",
    );
}

#[test]
fn a_crashed_server_starts_again() {
    let dir = temp_dir();
    let server = start(dir.path());
    execute(&server, "CREATE TABLE kept (n integer)");
    kill_postmaster(dir.path());
    server.stop().expect_err("there is nothing left to stop");
    assert!(pid_file(dir.path()).exists(), "the crash left its pid file");

    let server = start(dir.path());
    execute(&server, "INSERT INTO kept VALUES (1)");
}

#[test]
fn a_pid_file_with_the_number_of_another_process_is_stale() {
    let dir = temp_dir();
    start(dir.path()).stop().expect("it stops");
    let data = dir.path().join("data");
    let text = format!("{}\n{}\n1700000000\n5432\n\n\n\nready\n", std::process::id(), data.display());
    for lock_file in [pid_file(dir.path()), dir.path().join("socket/.s.PGSQL.5432.lock")] {
        fs::write(lock_file, &text).expect("the folder is writable");
    }
    start(dir.path()).stop().expect("it stops");
}

#[test]
fn an_interrupted_set_up_is_begun_again() {
    let dir = temp_dir();
    start(dir.path()).stop().expect("it stops");
    let (data, unfinished) = (dir.path().join("data"), dir.path().join("data.new.7"));
    fs::rename(data, &unfinished).expect("the folder is writable");
    start(dir.path()).stop().expect("it stops");
    assert!(!unfinished.exists());
}

#[test]
fn a_folder_in_use_is_refused() {
    let dir = temp_dir();
    let server = start(dir.path());
    let error = LocalServer::start(dir.path()).expect_err("it is in use");
    assert!(
        matches!(error, LocalServerError::Running { pid, .. } if pid == postmaster(dir.path())),
        "{error}"
    );
    execute(&server, "SELECT 1");
}

#[test]
fn a_foreign_folder_is_refused() {
    let dir = temp_dir();
    fs::write(dir.path().join("thesis.tex"), "").expect("the folder is writable");
    let error = LocalServer::start(dir.path()).expect_err("it is foreign");
    assert!(matches!(error, LocalServerError::Foreign { .. }), "{error}");
}

#[test]
fn a_folder_out_of_reach_is_refused() {
    let parent = temp_dir();
    let dir = parent.path().join("closed");
    fs::create_dir(&dir).expect("the folder is writable");
    // The one closes it to the user that root steps down to, the other to everybody else.
    for closed in [parent.path(), &dir] {
        fs::set_permissions(closed, fs::Permissions::from_mode(0o500)).expect("it is ours");
    }
    let error = LocalServer::start(&dir).expect_err("it can't be written");
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(matches!(error, LocalServerError::Unreachable { .. }), "{error}");
}

#[test]
fn data_of_another_version_are_refused() {
    let dir = temp_dir();
    fs::create_dir(dir.path().join("data")).expect("the folder is writable");
    fs::write(dir.path().join("data/profile_loader.conf"), "").expect("the folder is writable");
    fs::write(dir.path().join("data/PG_VERSION"), "8.4\n").expect("the folder is writable");
    let error = LocalServer::start(dir.path()).expect_err("nobody has PostgreSQL 8.4");
    assert!(matches!(&error, LocalServerError::Version { data, .. } if data == "8.4"), "{error}");
}

#[test]
fn a_long_path_gets_its_socket_elsewhere() {
    let parent = temp_dir();
    let dir = parent.path().join("it's a long name ".repeat(8));
    let server = start(&dir);
    execute(&server, "SELECT 1");
    assert!(!dir.join("socket").exists());
    let config = server.connection_config();
    let [Host::Unix(socket_dir)] = config.get_hosts() else { panic!("not a socket: {config:?}") };
    // The printed commands work in a shell as they stand.
    shell(&format!("{} -c 'SELECT 1'", server.psql_command()));
    let again = server.start_again_command();
    server.stop().expect("it stops");
    shell(&again);
    let error = LocalServer::start(&dir).expect_err("it runs again");
    assert!(matches!(error, LocalServerError::Running { .. }), "{error}");
    kill_postmaster(&dir);
    start(&dir).stop().expect("it stops");
    assert!(!socket_dir.exists(), "nothing stays in the temporary folder");
}

/// A folder that other users may enter: as root, the server is another user.
fn temp_dir() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("embedded-").permissions(fs::Permissions::from_mode(0o755));
    builder.tempdir().expect("a folder can be made")
}

fn start(dir: &Path) -> LocalServer {
    LocalServer::start(dir).expect("the server starts")
}

fn execute(server: &LocalServer, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let (client, connection) = server.connection_config().connect(NoTls).await.expect("it answers");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect("the statement succeeds");
    });
}

fn shell(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().expect("sh starts");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn pid_file(dir: &Path) -> PathBuf {
    dir.join("data/postmaster.pid")
}

fn postmaster(dir: &Path) -> u32 {
    let text = fs::read_to_string(pid_file(dir)).expect("there is a pid file");
    text.lines().next().and_then(|line| line.parse().ok()).expect("its first line is a process id")
}

/// Returns when the process is gone, or a zombie that nobody has waited for.
fn kill_postmaster(dir: &Path) {
    let pid = postmaster(dir);
    shell(&format!("kill -9 {pid}"));
    let deadline = Instant::now() + PATIENCE;
    let lives = || fs::read_link(format!("/proc/{pid}/cwd")).is_ok();
    while lives() {
        assert!(Instant::now() < deadline, "process {pid} does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}
