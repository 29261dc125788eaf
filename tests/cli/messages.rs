//! Quiet and loud, colours, log lines, variables, and readers that go away.

use std::process::Stdio;

use serde_json::Value;

use crate::{
    documents::{faulty, mixed, valid},
    folder::Folder,
    full::make_full,
    process::run,
};

#[test]
fn quiet_leaves_the_result_and_errors() {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    let output = folder.run("validate customers.ndjson --quiet");
    assert_eq!((output.code, output.stderr.as_str()), (Some(1), ""));
    assert!(output.stdout.starts_with("validate: complete"), "{}", output.stdout);
    let output = folder.run("validate --quiet missing.ndjson");
    assert!(output.stderr.starts_with("error: there is no input file"), "{}", output.stderr);
}

#[test]
fn json_log_lines_can_be_parsed() {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    folder.write("socket/README", "nobody listens here");
    let host = folder.path("socket").to_str().expect("the path is UTF-8").replace('/', "%2F");
    let lines = [
        "validate missing.ndjson --log-format json -v".to_owned(),
        format!("load customers.ndjson --database-url postgresql:///app?host={host} --log-format json -v"),
    ];
    for line in lines {
        let output = folder.run(&line);
        assert_eq!(output.stdout, "");
        let mut levels = Vec::new();
        for line in output.stderr.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
            assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
            levels.push(line["level"].as_str().expect("a level").to_owned());
        }
        assert_eq!(levels.last().map(String::as_str), Some("error"));
    }
}

#[test]
fn variables_stand_for_options_and_options_win() {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    let check = |variable: &str, value: &str, options: &str, code: i32| {
        let mut command = folder.command(&format!("validate customers.ndjson {options}"));
        let output = run(command.env(format!("PROFILE_LOADER_{variable}"), value));
        assert_eq!(output.code, Some(code), "{variable}={value} {options}: {}", output.stderr);
        output
    };
    assert!(check("OUTPUT", "json", "", 1).stdout.starts_with('{'));
    assert!(check("OUTPUT", "json", "--output text", 1).stdout.starts_with("validate: "));
    check("MAX_REJECTS", "2", "", 3);
    check("MAX_REJECTS", "2", "--max-rejects 50%", 1);
    check("JSON_SCHEMA", "missing.json", "", 2);
    check("JOBS", "none", "", 2);
    check("JOBS", "none", "--jobs 2", 1);
    check("CHUNK_BYTES", "7", "", 1);
    check("QUIET", "true", "", 1);
    check("VERBOSE", "false", "", 1);
    check("COLOR", "always", "--report report.txt", 2);
    check("REJECTS", "by-variable", "", 1);
    assert_eq!(folder.names("by-variable").len(), 2);
    check("REJECTS", "unused", "--rejects by-option", 1);
    assert_eq!(folder.names("by-option").len(), 2);
    check("REPORT", "by-variable.json", "", 1);
    assert_eq!(folder.read_json("by-variable.json")["exit_code"], 1);
    assert!(!folder.path("unused").exists());
    let error = check("LOG_FORMAT", "json", "missing.ndjson", 2).stderr;
    assert!(error.starts_with('{'), "{error}");
}

/// No test has a terminal, so `auto` never colours here.
#[test]
fn colours_come_when_they_are_asked_for() {
    const ESCAPE: char = '\u{1b}';
    let folder = Folder::new();
    let is_coloured = |options: &str, no_color: Option<&str>| {
        let mut command = folder.command(&format!("validate missing.ndjson {options}"));
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let output = run(&mut command);
        assert!(output.stderr.contains("there is no input file missing.ndjson"), "{}", output.stderr);
        output.stderr.contains(ESCAPE)
    };
    assert!(!is_coloured("", None));
    assert!(!is_coloured("--color never", None));
    assert!(is_coloured("--color always", None));
    assert!(is_coloured("--color always", Some("1")), "the option is nearer than the variable");
    assert!(!is_coloured("", Some("1")));
    assert!(!is_coloured("--color always --log-format json", None));
}

/// What `profile-loader … | head -1` does, without the chance of being too fast.
#[test]
fn a_reader_that_goes_away_is_no_bug() {
    let folder = Folder::with("customers.ndjson", valid(1));
    folder.write("faulty.ndjson", faulty(1));
    for (words, code) in [
        ("validate customers.ndjson", 0),
        ("validate faulty.ndjson --output json", 1),
        ("schema", 0),
        ("--help", 0),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        drop(reader);
        let child = folder.command(words).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child.and_then(std::process::Child::wait_with_output).expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{words}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
    }
}

/// `/dev/full` is a disk without room. Everything that can be told is told, and so is what can't.
#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_ends_with_4() {
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("there is /dev/full");
    let end = |folder: &Folder, stdout: Stdio, words: &str| {
        let child = folder.command(words).stdout(stdout).stderr(Stdio::piped()).spawn();
        let output = child.and_then(std::process::Child::wait_with_output).expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let no_room = "No space left on device (os error 28)";
    let stdout_error = format!(
        "error: standard output can't be written: {no_room}; free space there and run the same command again\n"
    );
    let report_error = format!(
        "error: the report reports/1.json can't be written; free space under reports and run the same command \
         again: {no_room}\n"
    );
    let folder = Folder::with("customers.ndjson", valid(1));
    folder.write("cut.ndjson", "{");
    folder.write("reports/README", "");
    let fill = || make_full(&folder.path("reports/1.json.partial"));
    let reports = "--report reports/1.json --report reports/2.json";

    let (code, _, stderr) = end(&folder, full().into(), "validate customers.ndjson");
    assert_eq!((code, stderr), (Some(4), stdout_error.clone()));

    if !fill() {
        return;
    }
    let (code, stdout, stderr) =
        end(&folder, Stdio::piped(), &format!("validate customers.ndjson {reports}"));
    assert_eq!((code, stderr), (Some(4), report_error.clone()));
    assert!(stdout.starts_with("validate: complete"), "{stdout}");
    assert_eq!(
        folder.names("reports"),
        ["2.json", "README"],
        "the other report is written, and no half of one"
    );

    fill();
    let (code, _, stderr) = end(&folder, full().into(), &format!("validate customers.ndjson {reports}"));
    assert_eq!((code, stderr), (Some(4), report_error.clone() + &stdout_error));

    // What the run failed at comes first.
    let (code, _, stderr) = end(&folder, full().into(), "validate cut.ndjson");
    assert!(code == Some(4) && stderr.starts_with("error: cut.ndjson ends in the middle"), "{stderr}");
    assert!(stderr.ends_with(&stdout_error), "{stderr}");

    let words = format!("validate customers.ndjson {reports}");
    assert_eq!(folder.run(&words).code, Some(0));
    assert_eq!(folder.names("reports"), ["1.json", "2.json", "README"]);
    assert_eq!(end(&folder, full().into(), "schema").0, Some(4));
}

/// Schemas of the server's and the ledger's are refused before anything is connected to.
#[test]
fn reserved_schemas_are_not_for_customers() {
    let folder = Folder::with("customers.ndjson", valid(1));
    for schema in ["pg_catalog", "pg_toast", "pg_temp", "pg_temp_3", "information_schema", "profile_loader"] {
        for command in ["load customers.ndjson", "migrate up", "migrate verify", "migrate sql", "runs list"] {
            let url = "postgresql://app@127.0.0.1:1/app";
            let output = folder.run(&format!("{command} --database-url {url} --db-schema {schema}"));
            assert_eq!(output.code, Some(2), "{command} {schema}: {}", output.stderr);
            let words = format!("the schema {schema} ");
            assert!(
                output.stderr.contains(&words) && output.stderr.contains("--db-schema"),
                "{}",
                output.stderr
            );
        }
    }
}

#[test]
fn a_schema_that_takes_longer_is_told_once_and_why_with_v() {
    let folder = Folder::with("customers.ndjson", valid(1) + &valid(2));
    let schema = folder.run("schema").stdout;
    folder.write("same.json", &schema);
    folder.write("more.json", schema.replacen('{', r#"{"anyOf": [true, false],"#, 1));
    let count = |line: &str, words: &str| {
        let output = folder.run(line);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output.stderr.matches(words).count()
    };
    assert_eq!(count("validate customers.ndjson --json-schema same.json -v", "one pass"), 0);
    assert_eq!(count("validate customers.ndjson --json-schema more.json", "checked in one pass"), 1);
    assert_eq!(count("validate customers.ndjson --json-schema more.json -v", "`anyOf` of the document"), 1);
    assert_eq!(count("validate customers.ndjson --json-schema more.json -q", "pass"), 0);
}
