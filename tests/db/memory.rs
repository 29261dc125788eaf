//! Peak memory, whatever the input holds: lines that somebody made to take as much as possible.
//!
//! Each figure is printed; `cargo test --test db memory -- --nocapture` shows them.
//!
//! What is measured is the program as it is run: `VmHWM` of `/proc/PID/status`, which only rises, read until it ends.

#![expect(clippy::print_stderr, reason = "the figures are for those who change the bounds")]

mod compressed;

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    http_server::{HttpServer, ServedFile, Treat},
    support::{Store, Tables, binary},
};

const MIB: usize = 1 << 20;

/// The longest line that is looked at as a document.
const LINE_BYTES: usize = 16 * MIB;

/// What each line gets one of its own in place of.
const ID: &str = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
const ID_JSON: &str = r#""6f9619ff-8b86-4011-b42d-00c04fc964ff""#;

const VALIDATE_MIB: u64 = 128;
const LOAD_MIB: u64 = 256;

/// How much more it may take to read from a server than from a file.
const NETWORK_MIB: u64 = 24;

/// A shape of line, how often it comes, and the code that each of them is rejected with; none where it is accepted.
struct Shape {
    name: &'static str,
    line: String,
    lines: usize,
    code: Option<&'static str>,
    json_schema: Option<String>,
}

fn shape(name: &'static str, line: String, lines: usize, code: &'static str) -> Shape {
    assert!(line.len() <= LINE_BYTES, "{name}: {}", line.len());
    Shape { name, line, lines, code: Some(code), json_schema: None }
}

/// `open`, as many of `item` as a line of so many bytes takes, `last` and `close`.
fn filled(bytes: usize, open: &str, item: &str, last: &str, close: &str) -> String {
    let room = bytes - open.len() - last.len() - close.len();
    [open, &item.repeat(room / item.len()), last, close].concat()
}

/// As many different keys as a line of so many bytes takes.
fn keys(bytes: usize) -> String {
    let mut line = "{".to_owned();
    for key in 0.. {
        if line.len() + 20 > bytes {
            break;
        }
        write!(line, "\"{key:x}\":0,").expect("writing to a String");
    }
    line + "\"\":0}"
}

/// A valid document with something in the place of a property.
fn document(property: &str, json: &str) -> String {
    let mut text = String::from("{");
    let properties = [
        ("id", ID_JSON),
        ("firstName", r#""A""#),
        ("lastName", r#""B""#),
        ("emails", r#"["a@example.com"]"#),
        ("privacySettings", r#"{"marketingEmailsEnabled":true,"twoFactorEnabled":false}"#),
    ];
    for (name, value) in properties {
        if name != property {
            write!(text, "\"{name}\":{value},").expect("writing to a String");
        }
    }
    text + &format!("\"{property}\":{json}}}")
}

fn emails(count: usize, email: impl Fn(usize) -> String) -> String {
    let emails: Vec<_> = (0..count).map(|number| format!("\"{}\"", email(number))).collect();
    format!("[{}]", emails.join(","))
}

fn long_lines() -> Vec<Shape> {
    let long = LINE_BYTES;
    let some = 4;
    let key = "k".repeat(8 * MIB);
    let inside: String = (0..1000).map(|_| "\"a\":1,").collect();
    let any =
        r#"{"additionalProperties":{"additionalProperties":{"type":"string"},"items":{"type":"string"}}}"#;
    vec![
        shape("duplicate keys", filled(long, "{", "\"a\":1,", "\"a\":1", "}"), some, "json:too_many_values"),
        shape("keys", keys(long), some, "json:too_many_values"),
        shape("items", filled(long, "{\"emails\":[", "0,", "0", "]}"), some, "json:too_many_values"),
        shape("empty arrays", filled(long, "{\"emails\":[", "[],", "0", "]}"), some, "json:too_many_values"),
        shape(
            "empty objects",
            filled(long, "{\"phoneNumbers\":[", "{},", "0", "]}"),
            some,
            "json:too_many_values",
        ),
        shape("one string", filled(long, "{\"id\":\"", "x", "", "\"}"), some, "schema:format"),
        shape("one string with escapes", filled(long, "{\"id\":\"", "\\n", "", "\"}"), some, "schema:format"),
        shape("one string of characters", filled(long, "{\"id\":\"", "ß", "", "\"}"), some, "schema:format"),
        shape("one e-mail", filled(long, "{\"emails\":[\"a@", "ß.", "", "de\"]}"), some, "schema:required"),
        shape("one number", filled(long, "{\"id\":", "7", "", "}"), some, "json:syntax"),
        shape("digits of a fraction", filled(long, "{\"id\":0.", "7", "", "}"), some, "schema:type"),
        shape("blanks", filled(long, "{", " ", "", "}"), some, "schema:required"),
        shape("nested", filled(long, "{\"a\":", "[", "", ""), some, "json:too_deep"),
        shape("one unknown name", filled(long, "{\"", "n", "", "\":0}"), some, "report:more_faults"),
        shape(
            "one unknown name with escapes",
            filled(long, "{\"", "\\n", "", "\":0}"),
            some,
            "schema:additionalProperties",
        ),
        shape(
            "no UTF-8 at the end",
            filled(long, "{\"id\":\"", "x", "", "\u{fffd}\"}"),
            some,
            "schema:format",
        ),
        shape(
            "duplicates below a long key",
            format!("{{\"{key}\":{{{inside}\"a\":1}}}}"),
            some,
            "json:duplicate_key",
        ),
        Shape {
            json_schema: Some(any.to_owned()),
            ..shape(
                "faults below a long key",
                format!("{{\"{key}\":[{}1]}}", "1,".repeat(1000)),
                some,
                "schema:type",
            )
        },
    ]
}

fn short_lines() -> Vec<Shape> {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127));
    let bad_phones =
        |count: usize| format!("[{}]", vec![r#"{"type":"x","number":"y","z":1}"#; count].join(","));
    vec![
        shape("empty objects a line", "{}".to_owned(), 150_000, "schema:required"),
        shape(
            "a thousand faults a line",
            filled(4000, "{\"emails\":[", "1,", "1", "]}"),
            1000,
            "schema:type",
        ),
        shape(
            "a few faults in a short line",
            "{\"emails\":[1,1,1,1,1,1,1]}".to_owned(),
            80_000,
            "schema:type",
        ),
        shape(
            "phone numbers with three faults each",
            document("phoneNumbers", &bad_phones(100)),
            2000,
            "schema:enum",
        ),
        shape("misspelled names", document("first_name", "1"), 8000, "schema:additionalProperties"),
        shape("deep", deep, 8000, "schema:additionalProperties"),
        shape(
            "too long e-mails",
            document("emails", &emails(50, |n| format!("a{n}@{}.de", "b".repeat(330)))),
            500,
            "schema:format",
        ),
        shape(
            "many faults and values",
            filled(150_000, "{\"emails\":[", "1,", "1", "]}"),
            60,
            "report:more_faults",
        ),
        shape(
            "duplicate keys in short lines",
            filled(2000, "{", "\"a\":1,", "\"a\":1", "}"),
            2000,
            "json:duplicate_key",
        ),
    ]
}

fn accepted() -> Vec<Shape> {
    let good = |name, line: String, lines| Shape { code: None, ..shape(name, line, lines, "") };
    let short = |number: usize| format!("{number}@b.de");
    vec![
        good(
            "accepted: one long text",
            document("firstName", &format!("\"{}\"", "x".repeat(LINE_BYTES - 400))),
            6,
        ),
        good(
            "accepted: a long text with escapes",
            document("firstName", &format!("\"{}\"", "\\n".repeat(LINE_BYTES / 2 - 400))),
            6,
        ),
        good("accepted: many e-mails", document("emails", &emails(60_000, short)), 12),
        good("accepted: some e-mails", document("emails", &emails(100, short)), 6000),
    ]
}

/// The input in a file, and a blank line between any two of its lines now and then.
fn write(path: &Path, shape: &Shape) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("the folder is writable"));
    for number in 0..shape.lines {
        let id = format!("{number:08x}-8b86-4011-b42d-00c04fc964ff");
        file.write_all(shape.line.replacen(ID, &id, 1).as_bytes()).expect("there is room");
        file.write_all(if number % 3 == 2 { b"\n\n" } else { b"\n" }).expect("there is room");
    }
}

/// Runs the program to its end; its peak memory in MiB and its JSON report.
fn peak(mut command: Command) -> (u64, Value) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().expect("it is a pipe");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("the report is UTF-8");
        text
    });
    let mut peak_kib = 0;
    while child.try_wait().expect("it is our child").is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
            peak_kib = peak_kib.max(kib);
        }
        thread::sleep(Duration::from_millis(3));
    }
    let text = reading.join().expect("it is read");
    (peak_kib / 1024, serde_json::from_str(&text).unwrap_or_else(|_| panic!("no report: {text}")))
}

/// One at a time: what is measured wants the memory, and what is beside it the processors.
static MEASURING: Mutex<()> = Mutex::new(());

fn check(store: &Store, shape: &Shape, command: &[&str], limit_mib: u64) {
    let _alone = MEASURING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let input = store.path("input.ndjson");
    write(&input, shape);
    let mut program = binary();
    program.args(command).arg(&input).args(["--output", "json", "--jobs", "2", "--quiet"]);
    program.arg("--rejects").arg(store.path("rejects"));
    if let Some(text) = &shape.json_schema {
        program.arg("--json-schema").arg(store.file("schema.json", text.as_bytes()));
    }
    let (peak_mib, report) = peak(program);
    eprintln!("{:>4} MiB  {} {}", peak_mib, command[0], shape.name);
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).expect("a count");
    let lines = u64::try_from(shape.lines).expect("few lines");
    assert_eq!(count("/documents/read"), lines, "{}: {report}", shape.name);
    assert_eq!(count("/documents/blank"), lines / 3, "{}", shape.name);
    match shape.code {
        None => assert_eq!(count("/documents/accepted"), lines, "{}: {report}", shape.name),
        Some(code) => {
            assert_eq!(count("/documents/rejected"), lines, "{}", shape.name);
            let errors = report["errors"].as_array().expect("a list");
            assert!(errors.iter().any(|error| error["code"] == code), "{}: {}", shape.name, report["errors"]);
        }
    }
    assert!(peak_mib > 0 && peak_mib <= limit_mib, "{}: {peak_mib} MiB of {limit_mib}", shape.name);
    fs::remove_file(&input).expect("it is ours");
}

#[test]
fn of_a_check() {
    let store = Store::new("memory", Tables::Migrated);
    for shape in long_lines().iter().chain(&short_lines()).chain(&accepted()) {
        check(&store, shape, &["validate"], VALIDATE_MIB);
    }
}

#[test]
fn of_a_load_that_merges() {
    of_a_load("merge", &["--on-existing", "update"]);
}

#[test]
fn of_a_bulk_load() {
    of_a_load("bulk", &[]);
}

fn of_a_load(strategy: &str, options: &[&str]) {
    for shape in short_lines().iter().chain(&accepted()).chain(&long_lines()[..2]) {
        let store = Store::new("memory", Tables::Migrated);
        let url = store.database.url.clone();
        let load = ["load", "--database-url", &url, "--connections", "4", "--strategy", strategy];
        check(&store, shape, &[&load[..], options].concat(), LOAD_MIB);
    }
}

/// Ranges that were fetched ahead, or blocks of a stream, wait in memory.
#[test]
fn over_the_network() {
    let _alone = MEASURING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = crate::support::generate(&["--count", "200000", "--seed", "73"]);
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let file = folder.path().join("input.ndjson");
    fs::write(&file, &text).expect("the folder is ours");
    let peak_of = |input: &str, what: &str| {
        let mut program = binary();
        program.args(["validate", input, "--jobs", "2", "--output", "json", "--quiet"]);
        let (peak_mib, report) = peak(program);
        eprintln!("{peak_mib:>4} MiB  {what}");
        assert_eq!(report["documents"]["read"], 200_000, "{report}");
        peak_mib
    };
    let of_file = peak_of(file.to_str().expect("it is UTF-8"), "from a file");
    for (has_ranges, what) in [(true, "in ranges"), (false, "as a stream")] {
        let served = ServedFile { has_ranges, ..ServedFile::of(text.clone()) };
        let server = HttpServer::start(served, |_| Treat::Fine);
        let peak_mib = peak_of(&server.url("input.ndjson"), what);
        assert!(peak_mib <= of_file + NETWORK_MIB, "{what}: {peak_mib} MiB, and {of_file} from a file");
    }
}

/// Files of one document each take no buffer each, and large ones no more than one.
#[test]
fn of_many_files() {
    let text = crate::support::generate(&["--count", "4000", "--seed", "71"]);
    let store = Store::new("memory", Tables::Migrated);
    let folder = store.path("many");
    fs::create_dir(&folder).expect("the folder is ours");
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        fs::write(folder.join(format!("{number:05}.ndjson")), line).expect("the folder is ours");
    }
    let large = crate::support::generate(&["--count", "100000", "--seed", "72", "--invalid", "0"]);
    for number in 0..10 {
        let to = 1 + large[..(number + 1) * (large.len() / 10)]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .expect("lines");
        let from = large[..number * (large.len() / 10)]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        fs::write(store.path(&format!("large{number}.ndjson")), &large[from..to])
            .expect("the folder is ours");
    }
    for (name, files, limit_mib, load) in [
        ("many", "many/*.ndjson", VALIDATE_MIB, None),
        ("many", "many/*.ndjson", LOAD_MIB, Some("merge")),
        ("large", "large*.ndjson", VALIDATE_MIB, None),
        ("large", "large*.ndjson", LOAD_MIB, Some("bulk")),
    ] {
        let store = Store::new("memory", Tables::Migrated);
        let mut program = binary();
        match load {
            None => program.arg("validate"),
            Some(strategy) => {
                program.args(["load", "--database-url", &store.database.url, "--strategy", strategy])
            }
        };
        program
            .arg(folder.parent().expect("it has one").join(files))
            .args(["--jobs", "2", "--output", "json"]);
        program.arg("--rejects").arg(store.path("rejects"));
        let (peak_mib, report) = peak(program);
        eprintln!("{peak_mib:>4} MiB  {name} {load:?}");
        assert!(report["documents"]["read"].as_u64() >= Some(4000), "{report}");
        assert!(peak_mib > 0 && peak_mib <= limit_mib, "{name} {load:?}: {peak_mib} MiB of {limit_mib}");
    }
}
