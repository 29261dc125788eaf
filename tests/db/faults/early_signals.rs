//! Signals before anything is loaded: while a name is resolved, while an input is hashed to tell whether it is that
//! of an unfinished run, while an input is opened that says nothing. Each ends the program at once.

use std::{
    fs::{self, File},
    io::Write as _,
    iter,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::{io::ioctl_fionread, process::Signal};

use crate::{
    cases::{case, load_to_hold, server},
    faults::{
        Action, Answer, Case, Ended, FaultClass, INPUT, LOOK_EVERY, Loader, Moment, NameServer, Proxy, Shape,
        load_command,
    },
    support::{Store, binary},
};

/// At once, on a busy machine. What the program is in the middle of takes half a minute at least.
const AT_ONCE: Duration = Duration::from_secs(12);

/// More than a load needs to come to its first step.
const PATIENCE: Duration = Duration::from_secs(30);

const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

/// Waits for the end of one that was sent this signal.
fn ends_at_once(loader: Loader, (signal, code): (Signal, i32)) -> Ended {
    loader.signal(signal);
    let ended = loader.ends_within(AT_ONCE);
    // Before signals are caught the system ends the program, which a shell tells with the same code.
    let by_signal = ended.signal() == Some(signal.as_raw());
    assert!(by_signal || ended.code() == Some(code), "{}: {}", ended.status, ended.stderr);
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_a_name_is_resolved() {
    let case = case(Shape::Few, "reject").await;
    let mut class = FaultClass::new("signal while a name is resolved (reject)");
    let (store, names) = (case.store(), NameServer::start(Answer::Silence));
    let url = format!("postgresql://postgres@db.profile-loader.test/{}", store.database.name);
    let commands: [&[&str]; 3] = [&["migrate", "status"], &["runs", "list"], &["migrate", "up"]];
    let other = |words: &&[&str]| {
        let mut command = binary();
        command.args(*words).args(["--database-url", &url]);
        command
    };
    let load = load_command(&store, &url, &case.options);
    for command in iter::once(load).chain(commands.iter().map(other)) {
        for signal in SIGNALS {
            let asked = names.queries();
            let mut loader = Loader::of(&store, names.command(&command));
            while names.queries() == asked {
                assert!(!loader.has_ended(), "{}", loader.stderr());
                thread::sleep(LOOK_EVERY);
            }
            class.injected(true);
            let ended = ends_at_once(loader, signal);
            assert!(ended.stderr.contains("stopped by a signal"), "{}", ended.stderr);
        }
    }
    let ended = case.load(&store);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// What comes after the documents of an unfinished run: 32 GiB of blank lines in a file of a megabyte.
fn blank_lines() -> Vec<u8> {
    const MEMBER_BYTES: usize = 64 << 20;
    const MEMBERS: usize = 512;
    let member = zstd::bulk::compress(&vec![b'\n'; MEMBER_BYTES], 1).expect("memory is writable");
    member.repeat(MEMBERS)
}

/// An input that begins like that of an unfinished run has to be read to where that run has come, to tell
/// whether it is the same. The ledger is made to say that this is far.
fn unfinished(case: &Case, store: &Store) {
    let proxy = Proxy::start(server().address());
    let held = proxy.arm(Moment::Commit(9), Action::Hold);
    let mut loader = load_to_hold(&proxy, case, store);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    loader.signal(Signal::KILL);
    assert_eq!(loader.end().signal(), Some(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_an_input_is_hashed() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("signal while an input is hashed (update)");
    let store = case.store();
    unfinished(&case, &store);
    let move_watermarks = |by: &str| {
        store.database.execute(&format!(
            "UPDATE profile_loader.run_lanes SET byte_offset = byte_offset {by}, cost_bytes = cost_bytes {by}
             WHERE byte_offset IS NOT NULL"
        ));
    };
    move_watermarks("+ 1e15::bigint");
    let text = fs::read(store.path(INPUT)).expect("it was written");
    let documents = zstd::bulk::compress(&text, 1).expect("memory is writable");
    let other = "other.ndjson.zst";
    store.file(other, &[documents, blank_lines()].concat());
    for signal in SIGNALS {
        let mut command = binary();
        command.current_dir(store.path("")).args(["load", other]).args(&case.options);
        command.args(["--database-url", &server().tcp_url(&store.database), "--rejects", "rejects"]);
        let mut loader = Loader::of(&store, command);
        // It holds the target, has no run yet, and asks nothing more.
        let hashing = format!(
            "SELECT pid::text FROM pg_stat_activity WHERE datname = '{}' AND state = 'idle'
             AND application_name = 'profile-loader control' AND clock_timestamp() - state_change > '1s'::interval",
            store.database.name
        );
        let deadline = Instant::now() + PATIENCE;
        while server().texts(&hashing).is_empty() {
            let is_over = loader.has_ended() || Instant::now() > deadline;
            assert!(!is_over, "nothing is hashed: {}", loader.stderr());
            thread::sleep(LOOK_EVERY);
        }
        class.injected(true);
        let ended = ends_at_once(loader, signal);
        assert!(ended.stderr.contains("stopped by a signal"), "{}", ended.stderr);
    }
    move_watermarks("- 1e15::bigint");
    fs::remove_file(store.path(other)).expect("it was written");
    let ended = case.load(&store);
    class.judge(&case, &store, ended).await;
    class.tell();
}

/// Neither more bytes nor an end come.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_an_input_says_nothing() {
    let case = case(Shape::Few, "reject").await;
    let store = case.store();
    let made = Command::new("mkfifo").arg(store.path("pipe.ndjson")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo makes a named pipe");
    let url = server().tcp_url(&store.database);
    for words in [&["validate"][..], &["load", "--rejects", "rejects", "--database-url", &url]] {
        for signal in SIGNALS {
            for input in ["pipe.ndjson", "-"] {
                let mut command = binary();
                command.current_dir(store.path("")).args(words).arg(input);
                let pipe = File::options().read(true).write(true).open(store.path("pipe.ndjson"));
                let mut pipe = pipe.expect("it is a pipe");
                let stdin = pipe.try_clone().expect("it is open").into();
                let mut loader = Loader::reading(&store, command, stdin);
                pipe.write_all(b"\n").expect("there is room");
                while ioctl_fionread(&pipe).expect("it is a pipe") > 0 {
                    assert!(!loader.has_ended(), "{}", loader.stderr());
                    thread::sleep(LOOK_EVERY);
                }
                ends_at_once(loader, signal);
            }
        }
    }
}
