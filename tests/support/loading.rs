//! A database to load into, a folder for what belongs to it, and runs of `load` with all they leave behind.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::Client;

use super::process::{Output, binary};
use super::server::{Database, database};
use super::tables::Tables;

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) database: Database,
    dir: TempDir,
}

/// A run that came to its end, and what it left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The JSON report.
    pub(crate) report: Value,
    /// `rejects.ndjson`; empty when there is none.
    pub(crate) rejects: Vec<u8>,
    /// The lines of `rejects.errors.ndjson`.
    pub(crate) errors: Vec<Value>,
}

impl Store {
    pub(crate) fn new(name_hint: &str, tables: Tables) -> Self {
        Self::at(database(name_hint), tables)
    }

    /// In a database that was just made.
    pub(crate) fn at(database: Database, tables: Tables) -> Self {
        let store = Self::of(database);
        tables.prepare(&store.database);
        store
    }

    fn of(database: Database) -> Self {
        Self { database, dir: tempfile::tempdir().expect("a folder can be made") }
    }

    /// The same tables and contents in another database; nobody may be connected to this one meanwhile.
    pub(crate) fn copy(&self) -> Self {
        Self::of(self.database.copy())
    }

    /// What it holds, for copies as long as the server lives.
    pub(crate) fn into_template(self) -> Database {
        self.database
    }

    pub(crate) fn copy_of(template: &Database) -> Self {
        Self::of(template.copy())
    }

    pub(crate) async fn connect(&self) -> Client {
        self.database.connect().await
    }

    /// A place in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of these lines, or bytes, in the folder.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the folder is writable");
        path
    }

    /// Loads these bytes from a file.
    pub(crate) fn load(&self, options: &[&str], input: &[u8]) -> Run {
        let path = self.file("input.ndjson", input);
        self.load_file(options, &path)
    }

    pub(crate) fn load_file(&self, options: &[&str], input: &Path) -> Run {
        let mut command = self.command(options);
        command.arg(input);
        self.run(command, &[])
    }

    pub(crate) fn load_stdin(&self, options: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(options);
        command.arg("-");
        self.run(command, input)
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = binary();
        command.args(["load", "--database-url", &self.database.url]).args(options);
        command
    }

    fn run(&self, mut command: Command, stdin: &[u8]) -> Run {
        let rejects = self.path("rejects");
        if rejects.exists() {
            fs::remove_dir_all(&rejects).expect("the folder is ours");
        }
        let report = self.path("report.json");
        command.arg("--rejects").arg(&rejects).arg("--report").arg(&report);
        Run::of(run_with_stdin(command, stdin), Some(&report), &rejects)
    }
}

impl Run {
    /// Reads what a run of `load` or `validate` left; without a report file, it is on standard output.
    pub(crate) fn of(output: Output, report: Option<&Path>, rejects: &Path) -> Self {
        let report = match report {
            Some(path) => fs::read(path).unwrap_or_else(|_| panic!("no report: {output:?}")),
            None => output.stdout.clone().into_bytes(),
        };
        let read = |name: &str| fs::read(rejects.join(name)).unwrap_or_default();
        let errors = read("rejects.errors.ndjson");
        let errors = errors.split_inclusive(|byte| *byte == b'\n');
        Self {
            code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
            report: super::report_schema::assert_is_report(
                serde_json::from_slice(&report).expect("the report is JSON"),
            ),
            rejects: read("rejects.ndjson"),
            errors: errors.map(|line| serde_json::from_slice(line).expect("each line is JSON")).collect(),
        }
    }

    /// Inserted, updated, unchanged, skipped, rejected.
    pub(crate) fn counts(&self) -> [u64; 5] {
        let count = |pointer: &str| self.report.pointer(pointer).and_then(Value::as_u64).expect("a count");
        ["/load/inserted", "/load/updated", "/load/unchanged", "/load/skipped", "/documents/rejected"]
            .map(count)
    }

    /// Line and codes of each rejected document.
    pub(crate) fn rejected(&self) -> Vec<(usize, Vec<String>)> {
        let code = |error: &Value| error["code"].as_str().expect("an error has a code").to_owned();
        let codes = |record: &Value| record["errors"].as_array().expect("errors").iter().map(code).collect();
        self.errors.iter().map(|record| (line_number(record), codes(record))).collect()
    }
}

/// The 1-based line that a record of the errors file is about.
pub(crate) fn line_number(record: &Value) -> usize {
    let line = record["line"].as_u64().expect("a record has a line");
    usize::try_from(line).expect("a line number is small")
}

/// The lines of a text that hold a document, with their 1-based numbers and line ends; of an array the documents, each
/// with the number of its first line.
pub(crate) fn document_lines(text: &[u8]) -> Vec<(usize, &[u8])> {
    if text.starts_with(ARRAY) {
        return documents_of_array(text);
    }
    let lines = (1..).zip(text.split_inclusive(|byte| *byte == b'\n'));
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect()
}

/// How an array begins whose commas and brackets stand on lines of their own.
const ARRAY: &[u8] = b"[\n";

fn documents_of_array(text: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut documents, mut start, mut first_line) = (Vec::new(), ARRAY.len(), 2);
    let mut at = start;
    for (number, line) in (2..).zip(text[start..].split_inclusive(|byte| *byte == b'\n')) {
        if matches!(line, b",\n" | b"]\n") {
            documents.push((first_line, &text[start..at]));
            (start, first_line) = (at + line.len(), number + 1);
        }
        at += line.len();
    }
    documents
}

/// The documents that have to be stored at last: of each id the first, or the last where it is updated.
pub(crate) fn surviving<'a>(stored: &'a [u8], text: &'a [u8], run: &Run, on_existing: &str) -> Vec<&'a [u8]> {
    let is_refused_alone = |codes: &[String]| codes.iter().any(|code| !code.starts_with("load:"));
    let refused: HashSet<_> = run
        .rejected()
        .into_iter()
        .filter(|(_, codes)| is_refused_alone(codes))
        .map(|(line, _)| line)
        .collect();
    let lines = document_lines(text).into_iter().filter(|(line, _)| !refused.contains(line));
    let mut by_id = BTreeMap::new();
    for (_, line) in document_lines(stored).into_iter().chain(lines) {
        let document: Value = serde_json::from_slice(line).expect("an accepted line is JSON");
        let id = document["id"].as_str().expect("an accepted document has an id").to_ascii_lowercase();
        if on_existing == "update" {
            by_id.insert(id, line);
        } else {
            by_id.entry(id).or_insert(line);
        }
    }
    by_id.into_values().collect()
}

pub(crate) fn run_with_stdin(mut command: Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("its standard input is a pipe");
    let output = thread::scope(|scope| {
        // A program that reads nothing closes the pipe, which is its right.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().expect("the program ends")
    });
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// Documents as NDJSON.
pub(crate) fn ndjson<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    documents.into_iter().flat_map(|document| format!("{document}\n").into_bytes()).collect()
}

/// What `examples/generate` writes.
pub(crate) fn generate(options: &[&str]) -> Vec<u8> {
    let program = Path::new(env!("CARGO_BIN_EXE_profile-loader")).with_file_name("examples/generate");
    assert!(program.exists(), "{} is missing; build it with: cargo build --examples", program.display());
    let output = Command::new(program).args(options).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
