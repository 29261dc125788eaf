//! What operators do: stop a load, start two, change the input, hold locks, stop listening.

use std::{
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use rustix::process::Signal;

use crate::{
    cases::{case, load_to_hold, server},
    faults::{Action, Case, FaultClass, INPUT, Loader, Moment, Proxy, Shape, Side, load_command},
    support::{Store, texts},
};

/// Somewhere in the middle of a load.
const MIDDLE: Moment = Moment::Commit(9);

/// A load that was killed in the middle.
fn killed_in_the_middle(case: &Case, store: &Store) {
    let proxy = Proxy::start(server().address());
    let held = proxy.arm(MIDDLE, Action::Hold);
    let mut loader = load_to_hold(&proxy, case, store);
    assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
    loader.signal(Signal::KILL);
    assert_eq!(loader.end().signal(), Some(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signals_end_a_load_in_time_while_existing_profiles_reject() {
    signals_end_a_load_in_time("reject", Signal::INT, 130).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn signals_end_a_load_in_time_while_existing_profiles_are_updated() {
    signals_end_a_load_in_time("update", Signal::TERM, 143).await;
}

async fn signals_end_a_load_in_time(on_existing: &'static str, signal: Signal, code: i32) {
    let case = case(Shape::Many, on_existing).await;
    let mut class = FaultClass::new(format!("signal {signal:?} ({on_existing})"));
    for moment in [MIDDLE, Moment::Kind(Side::Frontend, b'd', 5), Moment::CommitAnswer(7)] {
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(moment, Action::Hold);
        let mut loader = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| loader.has_ended()), "{}", loader.stderr());
        loader.signal(signal);
        held.release();
        let ended = loader.ends_within(Duration::from_secs(10));
        class.injected(ended.code() == Some(code));
        assert!(ended.stderr.contains("run the same command again:\n"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(" load input.ndjson ")
                && ended.stderr.contains("(with the same --database-url)"),
            "{}",
            ended.stderr
        );
        class.judge(&case, &store, ended).await;
    }
    class.tell();
}

/// A lane that waits for a lock is given up in time, and whoever holds the lock is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lock_that_is_held_is_told_and_holds_no_stop_up() {
    let case = case(Shape::Many, "update").await;
    let mut class = FaultClass::new("signal while a lock is waited for (update)");
    let store = case.store();
    let holder = store.connect().await;
    holder
        .batch_execute("SET application_name = 'a report'; BEGIN; LOCK customer_profiles IN SHARE MODE")
        .await
        .expect("free");
    let mut loader = Loader::start(&store, &server().tcp_url(&store.database), &case.options);
    loader.says("waiting for a lock that is held by pid");
    assert!(
        loader.stderr().contains("(a report, as postgres, idle in transaction since"),
        "{}",
        loader.stderr()
    );
    let started = Instant::now();
    loader.signal(Signal::TERM);
    // Eight of its own, and some for a busy machine.
    let ended = loader.ends_within(Duration::from_secs(15));
    class.injected(ended.code() == Some(143));
    assert!(started.elapsed() > Duration::from_secs(5), "what is under way is given some time");
    holder.batch_execute("ROLLBACK").await.expect("the holder is well");
    drop(holder);
    class.judge(&case, &store, ended).await;
    class.tell();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_loaders_at_once() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("two loaders at once ({on_existing})"));
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(MIDDLE, Action::Hold);
        let mut first = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| first.has_ended()), "{}", first.stderr());

        let other = case.store();
        let url = server().tcp_url(&store.database);
        let started = Instant::now();
        let second = Loader::start(&other, &url, &case.options).end();
        // It takes one second; the rest is for a busy machine.
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(second.code(), Some(5), "{}", second.stderr);
        class.injected(true);
        assert!(second.stderr.contains("another loader is at work on these tables: "), "{}", second.stderr);
        assert!(second.stderr.contains("since 20"), "{}", second.stderr);

        held.release();
        let ended = first.end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_loader_may_wait_for_another() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let (store, proxy) = (case.store(), Proxy::start(server().address()));
        let held = proxy.arm(MIDDLE, Action::Hold);
        let mut first = load_to_hold(&proxy, &case, &store);
        assert!(held.fires_unless(|| first.has_ended()), "{}", first.stderr());
        let other = case.store();
        let mut command = load_command(&other, &server().tcp_url(&store.database), &case.options);
        command.arg("--wait-lock");
        let mut second = Loader::of(&other, command);
        second.says("waiting for another loader to end");
        held.release();
        assert_eq!(first.end().code(), Some(1));
        let second = second.end();
        assert_eq!(second.code(), Some(1), "{}", second.stderr);
        // It has found everything stored.
        case.assert_tables(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_input_that_was_changed_is_refused() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("input changed between attempts ({on_existing})"));
        let store = case.store();
        killed_in_the_middle(&case, &store);
        let count = "SELECT count(*)::text FROM customer_profiles";
        let before = texts(&store.connect().await, count).await;
        let original = fs::read(store.path(INPUT)).expect("it was written");
        let changed = String::from_utf8_lossy(&original).replacen("\"firstName\":\"", "\"firstName\":\"X", 1);
        // Ends before something that was committed.
        let committed = "SELECT max(byte_offset)::text FROM profile_loader.run_lanes
                         WHERE run_id = (SELECT max(id) FROM profile_loader.runs)";
        let committed: usize = texts(&store.connect().await, committed).await[0].parse().expect("a number");
        let short = &original[..committed / 2];
        let short = &short[..=short.iter().rposition(|byte| *byte == b'\n').expect("it has lines")];
        for text in [changed.as_bytes(), short] {
            fs::write(store.path(INPUT), text).expect("the folder is writable");
            let refused = case.load(&store);
            class.injected(refused.code() == Some(5));
            assert!(refused.stderr.contains("an earlier attempt has loaded"), "{}", refused.stderr);
            assert!(refused.stderr.contains("runs abandon"), "{}", refused.stderr);
            assert_eq!(texts(&store.connect().await, count).await, before, "nothing is written");
        }
        fs::write(store.path(INPUT), &original).expect("the folder is writable");
        let ended = case.load(&store);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

/// What the run that is given up has loaded stays, and the new one finds it stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unfinished_run_may_be_given_up() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let store = case.store();
        killed_in_the_middle(&case, &store);
        let mut command = load_command(&store, &server().tcp_url(&store.database), &case.options);
        command.args(["--resume", "never"]);
        let ended = Loader::of(&store, command).end();
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("is abandoned and a new one begins"), "{}", ended.stderr);
        case.assert_tables(&store).await;
        let states = "SELECT state FROM profile_loader.runs ORDER BY id DESC LIMIT 2";
        assert_eq!(texts(&store.connect().await, states).await, ["complete_with_rejects", "abandoned"]);
    }
}

/// Another form, other chunks and workers are the same input and the same run.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_does_not_shape_the_result_may_change() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("compressed, other chunks and workers ({on_existing})"));
        let store = case.store();
        killed_in_the_middle(&case, &store);
        let text = fs::read(store.path(INPUT)).expect("it was written");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).expect("memory is writable");
        fs::write(store.path(INPUT), encoder.finish().expect("it ends")).expect("the folder is writable");
        let options = case.options_with("--chunk-bytes", "1777");
        let mut command = load_command(&store, &server().tcp_url(&store.database), &options);
        command.args(["--jobs", "3"]);
        let ended = Loader::of(&store, command).end();
        class.injected(ended.stderr.contains("(attempt 2)"));
        assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}

/// Nobody reads the result: the run is not over, and the next attempt tells it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn closed_standard_output() {
    for on_existing in ["reject", "update"] {
        let case = case(Shape::Many, on_existing).await;
        let mut class = FaultClass::new(format!("closed standard output ({on_existing})"));
        let store = case.store();
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let mut command = load_command(&store, &server().tcp_url(&store.database), &case.options);
        let output = command
            .stdin(std::process::Stdio::null())
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output()
            .expect("the program runs");
        class.injected(output.status.code() == Some(4));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("standard output can't be written"), "{stderr}");
        let ended = case.load(&store);
        class.judge(&case, &store, ended).await;
        class.tell();
    }
}
