//! A server that is stopped, started again, crashed, and loses sessions: each has happened when it is said so.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tokio_postgres::{Client, error::SqlState};

use crate::{
    cases::server,
    faults::{SmallDisk, Stop},
    support::{Database, TestServer, server::connect, texts},
};

const ONE: &str = "SELECT 'one'";

async fn connect_as(server: &TestServer, database: &Database, application_name: &str) -> Client {
    connect(&format!("{}?application_name={application_name}", server.tcp_url(database))).await
}

/// The session has ended, for this reason where there was still time to say it.
async fn assert_ended(client: &Client, reason: &SqlState) {
    let error = client.query(ONE, &[]).await.expect_err("the session has ended");
    assert!(error.is_closed() || error.code().is_none_or(|code| code == reason), "{error:?}");
}

async fn stop_and_start(how: Stop, reason: &SqlState, words: &str) {
    let server = TestServer::with_port();
    let database = server.database("stopped");
    database.execute("CREATE TABLE kept AS SELECT 'kept' AS word");
    let client = connect_as(&server, &database, "other").await;
    client.batch_execute("BEGIN; INSERT INTO kept VALUES ('lost')").await.expect("the table is there");
    server.stop(how);
    assert!(std::net::TcpStream::connect(server.address()).is_err(), "nobody listens");
    assert_ended(&client, reason).await;
    server.start_again();
    assert!(server.log().contains(words), "{}", server.log());
    let client = connect_as(&server, &database, "other").await;
    assert_eq!(texts(&client, "SELECT word FROM kept").await, ["kept"]);
    drop(client);
}

#[tokio::test]
async fn a_server_stops_fast_and_starts_again() {
    stop_and_start(Stop::Fast, &SqlState::ADMIN_SHUTDOWN, "received fast shutdown request").await;
}

#[tokio::test]
async fn a_server_stops_at_once_and_recovers() {
    stop_and_start(Stop::Immediate, &SqlState::ADMIN_SHUTDOWN, "received immediate shutdown request").await;
}

#[tokio::test]
async fn a_server_that_crashes_comes_back() {
    let server = TestServer::with_port();
    let database = server.database("crashed");
    let victim = connect_as(&server, &database, "victim").await;
    let other = connect_as(&server, &database, "other").await;
    let pid = texts(&victim, "SELECT pg_backend_pid()::text").await;
    server.crash(&pid[0]);
    assert_ended(&victim, &SqlState::CRASH_SHUTDOWN).await;
    assert_ended(&other, &SqlState::CRASH_SHUTDOWN).await;
    assert_eq!(server.texts(ONE), ["one"]);
}

#[tokio::test]
async fn only_the_programs_sessions_in_one_database_are_ended() {
    let server = server();
    let (database, neighbour) = (server.database("ended"), server.database("spared"));
    let lanes = [
        connect_as(server, &database, "profile-loader").await,
        connect_as(server, &database, "profile-loader%20run%207%20lane").await,
    ];
    let spared =
        [connect_as(server, &database, "psql").await, connect_as(server, &neighbour, "profile-loader").await];
    assert_eq!(server.terminate_loaders(&database), lanes.len());
    for client in &lanes {
        assert_ended(client, &SqlState::ADMIN_SHUTDOWN).await;
    }
    for client in &spared {
        assert_eq!(texts(client, ONE).await, ["one"]);
    }
    assert_eq!(server.terminate_loaders(&database), 0);
    drop(spared);
}

/// What the process that is killed makes, and nobody else.
const ASKED: &str = "PROFILE_LOADER_TEST_IS_TO_BE_KILLED";

/// The processes that clean up notice the end of ours by the end of a pipe, which comes with any end.
#[test]
fn nothing_is_left_of_a_process_that_is_killed() {
    let program = env::current_exe().expect("it has a path");
    let mut command = Command::new(program);
    command.args(["--exact", "library::server::the_process_that_is_killed", "--nocapture"]);
    let mut process = command.env(ASKED, "1").stdout(Stdio::piped()).spawn().expect("it starts again");
    let lines = BufReader::new(process.stdout.take().expect("it is a pipe")).lines();
    let mut paths =
        lines.map_while(Result::ok).filter_map(|line| Some(PathBuf::from(line.strip_prefix("made ")?)));
    let [running, stopped, disk] = [(); 3].map(|()| paths.next().expect("it tells what it has made"));
    assert!(running.join("postmaster.pid").exists() && !stopped.join("postmaster.pid").exists());
    assert!(disk.exists());
    process.kill().expect("it waits for that");
    process.wait().expect("it is our child");
    let deadline = Instant::now() + Duration::from_secs(30);
    for path in [running, stopped, disk] {
        while path.exists() {
            assert!(Instant::now() < deadline, "{} is left", path.display());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn the_process_that_is_killed() {
    if env::var_os(ASKED).is_none() {
        return;
    }
    let servers = [TestServer::with_port(), TestServer::with_port()];
    servers[1].stop(Stop::Fast);
    let mount_point = tempfile::tempdir().expect("the temporary folder is writable").keep();
    let _disk = SmallDisk::mount(&mount_point, 1 << 20);
    let file = mount_point.join("file");
    fs::write(&file, "").expect("the disk is writable");
    let data = servers.each_ref().map(|server| server.dir.join("data"));
    for path in [&data[0], &data[1], &file] {
        write_line(&format!("made {}", path.display()));
    }
    loop {
        thread::park();
    }
}

/// The test framework may have begun a line.
fn write_line(line: &str) {
    let mut stdout = io::stdout();
    writeln!(stdout, "\n{line}").and_then(|()| stdout.flush()).expect("our parent listens");
}
