//! A load that is disturbed: started beside the test, watched, killed, signalled, and waited for.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Output, Run, Store, binary};

/// The input's name in every store: the same in all reports and reject files.
pub(crate) const INPUT: &str = "input.ndjson";

const REJECTS: &str = "rejects";
const REPORT: &str = "report.json";

/// Of one attempt to connect to one host, and of an answer that takes no time: much for a server that answers, and
/// little for one that is silent.
const CONNECT_WITHIN: &str = "2s";
const ANSWER_WITHIN: &str = "7s";

/// Longer than any load of a test takes; one that is not over by then hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Often enough for tests that wait, and seldom enough for those that work meanwhile.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A load that runs; killed if the test ends before it.
#[derive(Debug)]
pub(crate) struct Loader {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The command of all attempts of a load: what it names is relative to the store's folder, and stays there.
pub(crate) fn load_command(store: &Store, url: &str, options: &[&str]) -> Command {
    let mut command = binary();
    command.current_dir(store.path("")).args(["load", INPUT, "--database-url", url]);
    command.env("PROFILE_LOADER_CONNECT_WITHIN", CONNECT_WITHIN);
    command.env("PROFILE_LOADER_ANSWER_WITHIN", ANSWER_WITHIN);
    command.args(["--rejects", REJECTS, "--report", REPORT]).args(options);
    command
}

impl Loader {
    pub(crate) fn start(store: &Store, url: &str, options: &[&str]) -> Self {
        Self::of(store, load_command(store, url, options))
    }

    /// Runs a command; what it says goes to files, so it never waits for a reader.
    pub(crate) fn of(store: &Store, command: Command) -> Self {
        Self::reading(store, command, Stdio::null())
    }

    /// The same with something on standard input.
    pub(crate) fn reading(store: &Store, mut command: Command, stdin: Stdio) -> Self {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| store.path(name));
        let create = |path: &Path| File::create(path).expect("the folder is writable");
        command.stdin(stdin).stdout(create(&stdout)).stderr(create(&stderr));
        let child = command.spawn().expect("the program starts");
        Self { child, stdout, stderr }
    }

    /// What it has said on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// Waits until it has said this on standard error.
    pub(crate) fn says(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_over = self.has_ended() || Instant::now() >= deadline;
            let stderr = self.stderr();
            if stderr.contains(words) {
                return;
            }
            assert!(!is_over, "no '{words}': {stderr}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ended {
        self.ends_within(PATIENCE)
    }

    pub(crate) fn ends_within(mut self, time: Duration) -> Ended {
        let deadline = Instant::now() + time;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "the load does not end: {}", self.stderr());
            thread::sleep(LOOK_EVERY);
        };
        Ended { status, stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    /// The exit code; none when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// All that a run has left which came to its end.
    pub(crate) fn into_run(self, store: &Store) -> Run {
        let output = Output { code: self.code(), stdout: self.stdout, stderr: self.stderr };
        Run::of(output, Some(&store.path(REPORT)), &store.path(REJECTS))
    }
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    let mut file = File::open(path).expect("it was created");
    file.read_to_string(&mut text).expect("the program speaks UTF-8");
    text
}

/// The files under a folder, relative to it.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("it is below");
                found.push(name.display().to_string());
            }
        }
    }
    found.sort();
    found
}
