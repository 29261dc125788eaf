//! SIGINT and SIGTERM while documents are coming in through a pipe that stays open.

use std::{
    io::{self, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{documents::mixed, folder::Folder};

/// More than a pipe and all buffers on the way hold: once it is written, the run is well under way.
const BYTES: usize = 2 << 20;

/// The window of one worker is four chunks, so what is read is checked but for a few thousand bytes.
const OPTIONS: &str = "--rejects rejects --jobs 1 --chunk-bytes 1000";

/// What a pipe of Linux holds.
const PIPE_BYTES: usize = 64 << 10;

/// No step here takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that has read documents and waits for more; ended with the test.
struct Running {
    child: Child,
    stdin: ChildStdin,
    written: usize,
}

impl Running {
    fn start(command: Command) -> Self {
        Self::start_into(command, Stdio::piped())
    }

    fn start_into(mut command: Command, stdout: Stdio) -> Self {
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let documents = mixed(100, 10);
        let mut written = 0;
        while written < BYTES {
            stdin.write_all(documents.as_bytes()).expect("the program reads");
            written += documents.len();
        }
        Self { child, stdin, written }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// The exit code and standard output; standard input stays open until then.
    fn end(mut self) -> (Option<i32>, String) {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("standard output is a pipe");
        pipe.read_to_string(&mut stdout).expect("standard output is UTF-8");
        let code = self.child.wait().expect("the program ends").code();
        drop(self.stdin);
        (code, stdout)
    }
}

fn check(signal: Signal, code: i32) {
    let folder = Folder::new();
    let run = Running::start(folder.command(&format!("validate - {OPTIONS} --output json")));
    let written = run.written;
    run.signal(signal);
    let (ended_with, stdout) = run.end();
    assert_eq!(ended_with, Some(code), "{stdout}");
    let report: Value = serde_json::from_str(&stdout).expect("the report is printed");
    assert_eq!((&report["outcome"], &report["exit_code"]), (&"interrupted".into(), &code.into()));
    let documents = &report["documents"];
    let (read, rejected) = (count(&documents["read"]), count(&documents["rejected"]));
    assert!(read > 1000 && rejected > 100, "{documents}");
    assert_eq!(report["rejects"]["documents"], "rejects/rejects.ndjson.partial");
    let kept = folder.read("rejects/rejects.ndjson.partial");
    assert_eq!(kept.split_inclusive(|byte| *byte == b'\n').count(), rejected);
    assert!(kept.len() < written, "only rejected lines are kept");
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count is a number")
}

#[test]
fn an_interrupt_ends_with_130_a_report_and_partial_reject_files() {
    check(Signal::INT, 130);
}

#[test]
fn a_termination_ends_with_143_a_report_and_partial_reject_files() {
    check(Signal::TERM, 143);
}

#[test]
fn the_summary_says_that_a_signal_stopped_it() {
    let folder = Folder::new();
    let run = Running::start(folder.command(&format!("validate - {OPTIONS}")));
    run.signal(Signal::INT);
    let (code, stdout) = run.end();
    assert_eq!(code, Some(130));
    assert!(stdout.starts_with("validate: stopped by a signal before the end of the input\n"), "{stdout}");
    assert!(stdout.contains("rejects/rejects.ndjson.partial\n"), "{stdout}");
}

/// Standard output is a pipe that is full, and that nobody reads: the orderly end after the first signal hangs there.
#[test]
fn a_second_signal_leaves_at_once() {
    let folder = Folder::new();
    let (nobody, mut full) = io::pipe().expect("a pipe can be made");
    full.write_all(&vec![b'x'; PIPE_BYTES]).expect("so much goes into a pipe");
    let command = folder.command(&format!("validate - {OPTIONS} --report 1.json"));
    let mut run = Running::start_into(command, full.into());
    run.signal(Signal::INT);
    let deadline = Instant::now() + PATIENCE;
    while !folder.path("1.json").exists() {
        assert!(Instant::now() < deadline, "the first signal begins an orderly end");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(run.child.try_wait().expect("it is our child").is_none(), "the end hangs");
    // What comes right after the first signal counts as its echo, so this is said until it is heard.
    while run.child.try_wait().expect("it is our child").is_none() {
        assert!(Instant::now() < deadline, "a second signal ends the program");
        run.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(run.child.wait().expect("it has ended").code(), Some(143));
    drop(nobody);
}
