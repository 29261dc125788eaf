//! Plans that are loaded by parts: tables, rejected documents and the report are those of one load of the same files,
//! whatever happens to the processes that load them.

mod bulk;
mod equal;
mod locks;
mod refused;
mod retry;
mod targets;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    Output, Store, Tables, binary, catalog, catalog_differences, digests, generate, report_schema, run,
    run_with_stdin,
};

const PARTS: u32 = 4;
const HEADER_BYTES: usize = 44;

/// Files with faulty documents and duplicates across them, their plan, and the blocks of each part.
struct Lake {
    folder: tempfile::TempDir,
    inputs: Vec<String>,
    splits: usize,
    parts: u32,
}

/// What a load has left.
#[derive(Debug, PartialEq)]
struct Left {
    tables: BTreeMap<&'static str, String>,
    /// Rejected documents byte for byte.
    rejects: Vec<Vec<u8>>,
    /// What is wrong with each, and where.
    errors: Vec<String>,
    report: Value,
}

impl Lake {
    fn new(documents: usize) -> Self {
        Self::with_parts(documents, PARTS)
    }

    fn with_parts(documents: usize, parts: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let generated = |seed: &str, invalid: &str| {
            let count = documents.to_string();
            generate(&["--count", &count, "--seed", seed, "--invalid", invalid])
        };
        let (one, other) = (generated("1", "0.05"), generated("2", "0.03"));
        // The same ids with other contents, and some once more as they were.
        let changed = replaced(&one, b"\"firstName\":\"", b"\"firstName\":\"Q");
        let some: Vec<_> = other.split_inclusive(|byte| *byte == b'\n').take(200).collect();
        let is_object =
            |line: &&[u8]| serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object());
        let some: Vec<_> = some.into_iter().filter(is_object).map(<[u8]>::trim_ascii_end).collect();
        let array = [b"[\n", &*some.join(&b",\n"[..]), b"\n]\n"].concat();
        let files = [("a.ndjson", one), ("b.ndjson", changed), ("c.json", array), ("d.ndjson", other)];
        let mut inputs = Vec::new();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("the folder is writable");
            inputs.push(name.to_owned());
        }
        let mut lake = Self { folder, inputs, splits: 0, parts };
        let count = parts.to_string();
        let options = ["-o", "plan.json", "--split-size", "64KiB", "--parts", &count];
        let planned = run(lake.program().arg("plan").args(&lake.inputs).args(options));
        assert_eq!(planned.code, Some(0), "{}", planned.stderr);
        lake.splits = lake.plan()["splits"].as_array().expect("a list").len();
        lake.scatter();
        lake
    }

    /// Writes the blocks of each part to a file, sorted.
    fn scatter(&self) {
        let mut blocks: BTreeMap<(u32, u32, u32), Vec<u8>> = BTreeMap::new();
        for split in 0..self.splits {
            let (number, report) = (split.to_string(), format!("split-{split}.json"));
            let rejects = format!("rejects-{split}");
            let options = ["--report", &report, "--rejects", &rejects, "--accept-rejects", "--quiet"];
            let mut command = self.program();
            command.args(["scatter", "--plan", "plan.json", "--split", &number]).args(options);
            let output = command.output().expect("the program starts");
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            let mut bytes = &output.stdout[..];
            while !bytes.is_empty() {
                let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
                let length = HEADER_BYTES + number(4) as usize;
                let key = (number(16), number(20), number(24));
                blocks.insert(key, bytes[..length].to_vec());
                bytes = &bytes[length..];
            }
        }
        for part in 0..self.parts {
            let of_part: Vec<u8> =
                blocks.range((part, 0, 0)..(part + 1, 0, 0)).flat_map(|(_, block)| block.clone()).collect();
            fs::write(self.path(&format!("part-{part}")), of_part).expect("the folder is writable");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("it is there")
    }

    fn plan(&self) -> Value {
        serde_json::from_slice(&self.read("plan.json")).expect("it is JSON")
    }

    fn program(&self) -> Command {
        let mut command = binary();
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// `load --plan` into a store.
    fn command(&self, store: &Store, step: &str, options: &[&str]) -> Command {
        let mut command = self.program();
        command.args(["load", "--plan", "plan.json", "--database-url", &store.database.url]);
        command.args(step.split(' ')).args(["--rejects", "loaded"]).args(options);
        command
    }

    fn part_command(&self, store: &Store, part: u32, options: &[&str]) -> Command {
        let small = ["--connections", "2", "--chunk-bytes", "4000", "--batch-bytes", "30000"];
        let report = format!("loaded-{part}.json");
        let mut command = self.command(store, &format!("--part {part}"), &[&small[..], options].concat());
        command.args(["--report", &report]);
        command
    }

    fn begin(&self, store: &Store, options: &[&str]) -> Output {
        run(&mut self.command(store, "--begin", options))
    }

    fn part(&self, store: &Store, part: u32, options: &[&str]) -> Output {
        self.feed(store, part, options, &self.read(&format!("part-{part}")))
    }

    /// Loads a part from what is not its file.
    fn feed(&self, store: &Store, part: u32, options: &[&str], blocks: &[u8]) -> Output {
        let mut command = self.part_command(store, part, options);
        command.stdin(Stdio::piped());
        run_with_stdin(command, blocks)
    }

    fn finish(&self, store: &Store, options: &[&str]) -> Output {
        let mut command = self.command(store, "--finish", options);
        command.args(["--report", "all.json"]);
        command.args((0..self.splits).map(|split| format!("split-{split}.json")));
        run(&mut command)
    }

    /// One load of the same files.
    async fn one_load(&self, options: &[&str]) -> (Store, Left) {
        let store = Store::new("one_load", Tables::Foreign);
        let mut command = self.program();
        command.arg("load").args(&self.inputs).args(["--database-url", &store.database.url]);
        command.args(["--rejects", "one", "--report", "one.json"]).args(options);
        let output = run(&mut command);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        let left = self.left(&store, "one.json", &["one"]).await;
        fs::remove_dir_all(self.path("one")).expect("it is ours");
        (store, left)
    }

    /// What the parts and the end have left.
    async fn loaded(&self, store: &Store) -> Left {
        let mut folders: Vec<_> = (0..self.splits).map(|split| format!("rejects-{split}")).collect();
        folders.extend((0..self.parts).map(|part| format!("loaded/part-{part}")));
        folders.extend(["", "-0", "-1", "-3"].map(|target| format!("loaded/finish{target}")));
        let folders: Vec<_> = folders.iter().map(String::as_str).collect();
        self.left(store, "all.json", &folders).await
    }

    async fn left(&self, store: &Store, report: &str, folders: &[&str]) -> Left {
        let lines = |name: &str| {
            let mut lines: Vec<Vec<u8>> = Vec::new();
            for folder in folders {
                let text = fs::read(self.path(folder).join(name)).unwrap_or_default();
                lines.extend(text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            }
            lines.sort();
            lines
        };
        let bare = |record: &Vec<u8>| {
            let mut record: Value = serde_json::from_slice(record).expect("a record is JSON");
            record.as_object_mut().expect("an object").remove("reject_line");
            record.to_string()
        };
        let mut errors: Vec<_> = lines("rejects.errors.ndjson").iter().map(bare).collect();
        errors.sort();
        let tables = digests(&store.connect().await, "public").await;
        let report: Value = serde_json::from_slice(&self.read(report)).expect("it is JSON");
        let report = without_circumstances(report_schema::assert_is_report(report));
        let left = Left { tables, rejects: lines("rejects.ndjson"), errors, report };
        // No file of customers' documents is left behind.
        assert!(!has_partial(&self.path("loaded")), "files of deferred documents are left");
        left
    }

    fn assert_part(&self, store: &Store, part: u32, options: &[&str]) {
        let output = self.part(store, part, options);
        assert!(matches!(output.code, Some(0 | 1)), "{output:?}");
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::new(), text);
    while let Some(at) = memchr::memmem::find(rest, from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// A load of another input.
fn other_load(store: &Store) -> Output {
    let input = store.file("other.ndjson", b"{}");
    let mut command = binary();
    command.arg("load").arg(input).args(["--database-url", &store.database.url]);
    run(command.arg("--rejects").arg(store.path("other")))
}

fn has_partial(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.map(|entry| entry.expect("it is readable").path()).any(|path| {
        path.is_dir() && has_partial(&path) || path.extension().is_some_and(|ending| ending == "partial")
    })
}

/// Without what differs from run to run, or is estimated where splits are checked by themselves.
fn without_circumstances(mut report: Value) -> Value {
    let fields = report.as_object_mut().expect("an object");
    for name in [
        "plan",
        "run_id",
        "exit_code",
        "settings",
        "rejects",
        "throughput",
        "timeline",
        "started_at",
        "elapsed_seconds",
        "duplicates",
    ] {
        fields.remove(name);
    }
    let load = fields["load"].as_object_mut().expect("it is of a load");
    load.remove("connections");
    load.remove("retries");
    report
}

fn assert_equal(found: &Left, expected: &Left) {
    assert_eq!(found.tables, expected.tables);
    assert_eq!(found.rejects.len(), expected.rejects.len());
    assert!(found.rejects == expected.rejects, "the rejected documents");
    assert_eq!(found.errors, expected.errors);
    for (name, value) in expected.report.as_object().expect("an object") {
        assert_eq!(&found.report[name], value, "{name}");
    }
}

fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, Some(code), "{output:?}");
    for words in words {
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.code, Some(code), "{}", output.stderr);
}

async fn assert_catalog(store: &Store, before: &[String]) {
    let differences = catalog_differences(&catalog(&store.connect().await).await, before);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
