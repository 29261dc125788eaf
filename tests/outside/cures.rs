//! The commands that messages print are run: what they make of the input is what the program takes.

#![expect(clippy::print_stderr, reason = "a tool that is missing is told")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::inputs::{
    container_log, csv_of_json, document, each, first, gzip, pretty, strings, tar, text, utf16, validate,
};

struct Case {
    input: Vec<u8>,
    /// What the command needs besides a shell.
    tool: &'static str,
    /// Documents that are accepted of what the command writes.
    accepted: u64,
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let case = |input, tool, accepted| Case { input, tool, accepted };
    let wrapped = [&b"{\"customers\":[\n"[..], &each("", ",\n"), document(3).as_bytes(), b"\n]}\n"].concat();
    let with_commas = pretty().trim_end().to_owned() + ",\n" + &pretty();
    vec![
        case(each("'", "'\n"), "sed", 3),
        case(each(" '", "', \r\n"), "sed", 3),
        case(first(format!("'{}';", document(9))), "sed", 4),
        case(first(format!("9\t{}", document(9))), "sed", 4),
        case(first(format!("9\t{} in 3 ms", document(9))), "sed", 4),
        case(first(format!("INFO {} in 3 ms", document(9))), "sed", 4),
        case(first(format!("data: {}", document(9))), "sed", 4),
        case(first(format!("{},", document(9))), "sed", 4),
        case(each("[INFO] ", "\n"), "sed", 3),
        case(each("data: ", "\n\n"), "sed", 3),
        case(csv_of_json().into_bytes(), "sed", 3),
        case(first([&[0; 4096], document(9).as_bytes()].concat()), "tr", 4),
        case([&vec![0; 70_000][..], &each("", "\n")].concat(), "tr", 3),
        case(first(format!("\u{1e}{}", document(9))), "tr", 4),
        case(each("", "\r"), "tr", 3),
        case(container_log(), "jq", 3),
        case(wrapped, "jq", 4),
        case(with_commas.into_bytes(), "jq", 2),
        case(strings(), "jq", 3),
        case(utf16(&text(), u16::to_le_bytes), "iconv", 3),
        case(utf16(&text(), u16::to_be_bytes), "iconv", 3),
        case(tar(&each("", "\n")), "tar", 3),
        case(gzip(&gzip(&each("", "\n"))), "gunzip", 3),
    ]
}

fn shell(folder: &Path, words: &str, input: &Path) -> Output {
    let input = fs::File::open(input).expect("the input is there");
    let mut command = Command::new("sh");
    command.args(["-c", words]).current_dir(folder).stdin(Stdio::from(input));
    command.output().expect("there is a shell")
}

/// The last command of a message: behind "with", or what is piped into the program.
fn command_in(message: &str) -> Option<&str> {
    let message = message.trim_end();
    if let Some((_, command)) = message.rsplit_once("pipe it in: ") {
        return command.strip_suffix(" | profile-loader … -");
    }
    let (_, command) = message.rsplit_once(" with: ").or_else(|| message.rsplit_once(" with "))?;
    Some(command)
}

#[test]
fn the_commands_of_messages_make_documents_of_the_input() {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let input = folder.path().join("it's input");
    for Case { input: bytes, tool, accepted } in cases() {
        fs::write(&input, &bytes).expect("the folder is writable");
        if !shell(folder.path(), &format!("command -v {tool}"), &input).status.success() {
            eprintln!("there is no {tool}, so its commands are not tried");
            continue;
        }
        let output = validate(folder.path(), "it's input", b"");
        let report = fs::read_to_string(folder.path().join("report.json")).unwrap_or_default();
        let messages = if report.is_empty() { output.stderr } else { first_message(&report) };
        let command = command_in(&messages).unwrap_or_else(|| panic!("no command in {messages}"));
        let made = shell(folder.path(), command, &input);
        assert!(made.status.success(), "{command}: {}", String::from_utf8_lossy(&made.stderr));
        fs::write(folder.path().join("made"), &made.stdout).expect("the folder is writable");
        let output = validate(folder.path(), "made", b"");
        assert_eq!(output.code, Some(0), "{command}: {}{}", output.stdout, output.stderr);
        let report = fs::read_to_string(folder.path().join("report.json")).expect("it was written");
        let report: serde_json::Value = serde_json::from_str(&report).expect("a report is JSON");
        assert_eq!(report["documents"]["accepted"], accepted, "{command}");
    }
}

fn first_message(report: &str) -> String {
    let report: serde_json::Value = serde_json::from_str(report).expect("a report is JSON");
    report["errors"][0]["message"].as_str().expect("there is a fault").to_owned()
}
