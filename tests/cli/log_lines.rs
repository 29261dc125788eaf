//! `--log-format json`: every line on standard error is one JSON object with the documented keys.

use serde_json::Value;

use crate::{
    documents::mixed,
    folder::Folder,
    process::{Output, run},
};

/// The lines of standard error; each has the keys that all have.
fn lines(output: &Output) -> Vec<Value> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = line["time"].as_str().expect("a time");
        humantime::parse_rfc3339(time).expect("it is RFC 3339");
        for (key, words) in [
            ("level", &["error", "warning", "info", "debug"][..]),
            ("event", &["message", "progress", "end", "failure"]),
        ] {
            assert!(words.contains(&line[key].as_str().expect("a word")), "{line}");
        }
        assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
        line
    };
    output.stderr.lines().map(line).collect()
}

#[test]
fn a_run_ends_with_its_counts() {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    let output = folder.run("validate customers.ndjson --log-format json -v");
    assert_eq!(output.code, Some(1));
    let lines = lines(&output);
    let end = lines.last().expect("a line");
    assert_eq!(end["event"], "end");
    assert_eq!(end["message"], "validate: complete, some documents were rejected");
    assert_eq!((&end["outcome"], &end["exit_code"]), (&"complete_with_rejects".into(), &1.into()));
    assert_eq!((&end["documents"]["read"], &end["documents"]["rejected"]), (&10.into(), &4.into()));
    assert!(end.get("run_id").is_none() && end["elapsed_seconds"].is_number(), "{end}");
    let quiet = folder.run("validate customers.ndjson --log-format json -q");
    assert_eq!(quiet.stderr, "");
}

#[test]
fn what_is_refused_is_an_object_too() {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    folder.write("nightly.toml", "log-format = 'json'\nmax-rejects = 'some'\n");
    folder.write("unknown.toml", "log-format = 'json'\nmux = 1\n");
    for (words, variable, code, message) in [
        ("validate missing.ndjson --log-format json", "", 2, "there is no input file missing.ndjson"),
        ("validate --log-format=json", "", 2, "no input is named"),
        ("--log-format json", "", 2, "no command is given"),
        ("load --log-format json --on-existing replace", "", 2, "invalid value 'replace' for '--on-existing"),
        ("validate --on-existing reject", "json", 2, "unexpected argument '--on-existing' found"),
        ("frobnicate", "json", 2, "unrecognized subcommand 'frobnicate'"),
        ("validate customers.ndjson --config nightly.toml", "", 2, "invalid value 'some' for 'max-rejects"),
        (
            "validate customers.ndjson --config unknown.toml",
            "",
            2,
            "unknown.toml, line 2: there is no option",
        ),
        (
            "validate customers.ndjson --log-format json --config none",
            "",
            2,
            "the configuration file none can't",
        ),
        (
            "load customers.ndjson --log-format json --database-url postgresql://127.0.0.1:1/x",
            "",
            4,
            "connecting to database x",
        ),
    ] {
        let mut command = folder.command(words);
        if !variable.is_empty() {
            command.env("PROFILE_LOADER_LOG_FORMAT", variable);
        }
        let output = run(&mut command);
        assert_eq!(output.code, Some(code), "{words}: {}", output.stderr);
        let lines = lines(&output);
        let last = lines.last().unwrap_or_else(|| panic!("{words}: a line"));
        assert_eq!((&last["event"], &last["exit_code"]), (&"failure".into(), &code.into()), "{words}");
        let told = last["message"].as_str().expect("a text");
        assert!(told.contains(message) && !told.contains("Usage:"), "{words}: {told}");
    }
    let text = folder.run("validate customers.ndjson --config nightly.toml --log-format text");
    assert!(text.stderr.starts_with("error: "), "{}", text.stderr);
}
