//! Customer values appear in the reject file and nowhere else.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    documents::{generated, valid},
    folder::Folder,
    process::binary,
};

/// In every value of the documents below, and in property names that may be values.
const SECRETS: [&str; 3] = ["canary", "Canary", "4711471"];

/// Runs in every way of telling, and gives back all that is told besides the reject file.
fn all_that_is_told(folder: &Folder, input: &str) -> String {
    let mut told = String::new();
    for (options, code, errors) in [
        ("-v --report report.json --report report.html --report report.csv", 1, "rejects.errors.ndjson"),
        ("-v --log-format json --output json", 1, "rejects.errors.ndjson"),
        ("-v --max-rejects 20", 3, "rejects.errors.ndjson.partial"),
    ] {
        let output = folder.run(&format!("validate {input} --rejects rejects {options}"));
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        told += &output.stdout;
        told += &output.stderr;
        told += std::str::from_utf8(&folder.read(&format!("rejects/{errors}"))).expect("it is UTF-8");
    }
    let plan = folder.run(&format!("plan {input} -o plan.json"));
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    told += &(plan.stdout + &plan.stderr + &String::from_utf8_lossy(&folder.read("plan.json")));
    // Of scatter, standard output has what is accepted.
    let mut scatter =
        folder.command("scatter -v --plan plan.json --split 0 --report scatter.json --rejects of-split");
    let scatter = scatter.output().expect("the program starts");
    assert_eq!(scatter.status.code(), Some(1));
    told += &String::from_utf8_lossy(&scatter.stderr);
    told += &String::from_utf8_lossy(&folder.read("scatter.json"));
    told += &String::from_utf8_lossy(&folder.read("of-split/rejects.errors.ndjson"));
    for form in ["json", "html", "csv"] {
        told += std::str::from_utf8(&folder.read(&format!("report.{form}"))).expect("it is UTF-8");
    }
    told
}

/// Documents with a fault of every kind, in which every value is a secret.
fn documents_of_secrets() -> Vec<String> {
    const ID: &str = r#""id":"0f9619ff-8b86-4011-b42d-00c04fc964ff""#;
    const NAMES: &str = r#""firstName":"canary","lastName":"canary""#;
    const EMAILS: &str = r#""emails":["canary@canary.example"]"#;
    const PRIVACY: &str = r#""privacySettings":{"marketingEmailsEnabled":true,"twoFactorEnabled":true}"#;
    let document = |parts: &[&str]| format!("{{{}}}", parts.join(","));
    let with = |part: &str| document(&[ID, NAMES, EMAILS, PRIVACY, part]);
    let address = |part: &str| {
        with(&format!(
            r#""address":{{"line1":"canary","city":"canary","state":"canary","postalCode":"4711471",{part}}}"#
        ))
    };
    let number = |number: &str| with(&format!(r#""phoneNumbers":[{{"type":"mobile","number":{number}}}]"#));
    let long = "canary".repeat(60);
    vec![
        document(&[r#""id":"canary""#, NAMES, EMAILS, PRIVACY]),
        document(&[r#""id":4711471"#, NAMES, EMAILS, PRIVACY]),
        document(&[ID, NAMES, PRIVACY, r#""emails":["canary"]"#]),
        document(&[ID, NAMES, PRIVACY, r#""emails":"canary@canary.example""#]),
        document(&[ID, NAMES, PRIVACY, r#""emails":["canary@canary.example","canary@canary.example"]"#]),
        document(&[ID, NAMES, PRIVACY, &format!(r#""emails":["\"{long}\"@canary.example"]"#)]),
        document(&[ID, NAMES, EMAILS, r#""privacySettings":{"canary":true}"#]),
        document(&[ID, NAMES, EMAILS, r#""privacySettings":"canary""#]),
        document(&[ID, EMAILS, PRIVACY, r#""firstName":{"canary":4711471},"lastName":["canary"]"#]),
        document(&[ID, EMAILS, PRIVACY, r#""firstName":"canary\u0000","lastName":"canary\ud83d""#]),
        document(&[ID, EMAILS, PRIVACY, r#""firstName":"canary\u0000","lastName":"canary""#]),
        document(&[ID, NAMES, NAMES, EMAILS, PRIVACY]),
        with(r#""canary":"canary""#),
        with(r#""canary":{"canary":[{"canary":1,"canary":2}]}"#),
        with(r#""canary@canary.example":null,"canary/4711471~":0"#),
        with(r#""lastname":"canary","dateOfCanary":"4711471""#),
        with(r#""middleName":"canary","middleName":"canary""#),
        number(r#""canary""#),
        number(r#""0 4711471""#),
        number("4711471"),
        with(r#""phoneNumbers":[{"type":"canary","number":"+4711471"}]"#),
        with(r#""phoneNumbers":[{"canary":"+4711471"},"canary"]"#),
        address(r#""country":"canary""#),
        address(r#""canary":"canary""#),
        address(r#""country":"DE","line2":["canary"]"#),
        with("canary"),
        with(r#""middleName":canary"#),
        with(r#""middleName":"can\canary""#),
        with("\"middleName\":\"canary\tcanary\""),
        with(r#""middleName":4711471canary"#),
        with(r#""middleName":"canary"#),
        with(r#""middleName":"canary"}{"canary":"canary""#),
        document(&[ID, NAMES, EMAILS, PRIVACY]) + " canary",
        "\"canary\"".to_owned(),
        "[\"canary\", 4711471]".to_owned(),
        "4711471".to_owned(),
        "canary".to_owned(),
    ]
}

#[test]
fn no_value_of_a_rejected_document_is_told() {
    let documents = documents_of_secrets();
    let mut input = valid(1) + &documents.join("\n") + "\n";
    input += &"canary".repeat(3 << 20); // above 16 MiB
    let mut input = input.into_bytes();
    input.extend_from_slice(b"\n{\"firstName\":\"canary\xe9\"}\n");
    let folder = Folder::with("customers.ndjson", &input);
    let told = all_that_is_told(&folder, "customers.ndjson");
    for secret in SECRETS {
        if let Some(at) = told.find(secret) {
            panic!("{secret} is told: {}", &told[at.saturating_sub(200)..(at + 100).min(told.len())]);
        }
    }
    let report = folder.read_report("report.json");
    assert_eq!(report["documents"]["rejected"], documents.len() + 2, "each of them is faulty");
    assert!(folder.read("rejects/rejects.ndjson") == input[valid(1).len()..], "the reject file has it all");
}

/// The same for generated documents: no string of a rejected one, but for the words of the JSON Schema.
#[test]
fn no_string_of_a_generated_document_is_told() {
    let folder = Folder::with("input.ndjson", generated(3000));
    let told = all_that_is_told(&folder, "input.ndjson");
    let schema = folder.run("schema").stdout;
    let rejects = folder.read("rejects/rejects.ndjson");
    let rejects = String::from_utf8_lossy(&rejects);
    let strings: BTreeSet<&str> =
        rejects.split('"').filter(|text| text.len() > 4 && text.contains(char::is_alphabetic)).collect();
    assert!(strings.len() > 1000, "{} strings", strings.len());
    for text in strings {
        let has = |all: &str| memchr::memmem::find(all.as_bytes(), text.as_bytes()).is_some();
        let is_told = has(&told) && !has(&schema);
        assert!(!is_told, "{text:?} is told");
    }
}

/// A process that is killed so that it would leave a core dump, with documents in its memory, leaves none.
#[test]
#[cfg(target_os = "linux")]
fn there_are_no_core_dumps() {
    let folder = Folder::new();
    let program = binary();
    // As far as the tests themselves may have them.
    let script = "ulimit -c $(ulimit -Hc); exec \"$0\" validate -";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program.get_program()).current_dir(folder.path("."));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // More than a pipe holds: it is being read.
    stdin.write_all(valid(1).repeat(1000).as_bytes()).expect("the program reads");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    kill_process(Pid::from_child(&child), Signal::ABORT).expect("it runs");
    let status = child.wait().expect("it ends");
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
    assert_eq!(folder.names("."), [""; 0], "nothing is left");
}
