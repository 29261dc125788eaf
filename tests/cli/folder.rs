//! A folder for each test. The program runs in it, so that its messages name files without a path.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Output, binary, run};

#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("the temporary folder is writable"))
    }

    /// A folder with one file.
    pub(crate) fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, bytes);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        fs::write(path, bytes).expect("the file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn read_json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).expect("the file holds JSON")
    }

    pub(crate) fn read_report(&self, name: &str) -> Value {
        crate::report_schema::assert_is_report(self.read_json(name))
    }

    /// The files in a folder of this folder, sorted.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).unwrap_or_else(|error| panic!("{dir}: {error}"));
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("names are UTF-8");
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("the folder is readable"))).collect();
        names.sort();
        names
    }

    /// The program with these words, of which none holds a blank, about to run in this folder.
    pub(crate) fn command(&self, words: &str) -> Command {
        command_in(self.0.path(), words)
    }

    pub(crate) fn run(&self, words: &str) -> Output {
        run(&mut self.command(words))
    }

    /// Runs it with `feed` in charge of standard input, which ends when `feed` lets go of it.
    pub(crate) fn run_fed(&self, words: &str, feed: impl FnOnce(ChildStdin)) -> Output {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        feed(child.stdin.take().expect("standard input is a pipe"));
        let output = child.wait_with_output().expect("the program ends");
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }
}

/// The program with these words, about to run in `dir`, whatever terminal the tests have.
pub(crate) fn command_in(dir: &Path, words: &str) -> Command {
    let mut command = binary();
    // What is said about usage names the options that were given.
    command.env_remove("PROFILE_LOADER_STRATEGY");
    command.args(words.split_whitespace()).current_dir(dir).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    // What can't be reached here will not come.
    command.env("PROFILE_LOADER_DB_WAIT", "0");
    command
}

/// By another process: one of ours that another test starts meanwhile would have the file open for writing, and what is open
/// for writing can't be started.
pub(crate) fn copy_program(to: &Path) {
    let status = Command::new("cp").arg(binary().get_program()).arg(to).status().expect("there is cp");
    assert!(status.success(), "{} can be written", to.display());
}

/// A report without what differs from run to run.
pub(crate) fn without_times(mut report: Value) -> Value {
    let fields = report.as_object_mut().expect("a report is an object");
    for name in ["started_at", "elapsed_seconds", "throughput", "timeline"] {
        assert!(fields.remove(name).is_some(), "the report has {name}");
    }
    report
}
