//! `--config`: what a file of options says, what is nearer, and what it may not say.

use std::process::Command;

use serde_json::Value;

use crate::{
    documents::mixed,
    folder::Folder,
    process::{Output, run},
};

const VALIDATE: &str = "validate customers.ndjson --config nightly.toml";

/// A folder with ten documents, of which three are faulty, and this file.
fn folder(toml: &str) -> Folder {
    let folder = Folder::with("customers.ndjson", mixed(10, 3));
    folder.write("nightly.toml", toml);
    folder
}

fn run_with(command: &mut Command, variables: &[(&str, &str)]) -> Output {
    run(command.envs(variables.iter().map(|(name, value)| (format!("PROFILE_LOADER_{name}"), value))))
}

#[test]
fn the_command_line_comes_before_variables_before_the_file() {
    let folder = folder("max-rejects = 2\nrejects = \"of-file\"\nquiet = false\naccept-rejects = true\n");
    let check = |options: &str, variables: &[(&str, &str)], code: i32| {
        let output = run_with(&mut folder.command(&format!("{VALIDATE} {options}")), variables);
        assert_eq!(output.code, Some(code), "{options} {variables:?}: {}", output.stderr);
    };
    check("", &[], 3);
    assert!(folder.path("of-file").exists());
    check("", &[("MAX_REJECTS", "50%")], 0);
    check("--max-rejects 50%", &[("MAX_REJECTS", "1")], 0);
    check("--max-rejects 50%", &[("ACCEPT_REJECTS", "false")], 1);
    check("--max-rejects 50% --rejects of-option", &[], 0);
    assert!(folder.path("of-option").exists());
    let output = run_with(
        &mut folder.command("validate customers.ndjson --rejects x"),
        &[("CONFIG", "nightly.toml"), ("REJECTS", "of-variable")],
    );
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    assert!(!folder.path("of-variable").exists() && folder.path("x").exists());
}

#[test]
fn lists_flags_and_options_of_other_commands_are_understood() {
    let folder = folder(
        "# the night's\n\"max-rejects\" = [\"50%\", \"schema:format=2\", 'json:syntax = 0']\non-existing = \"update\"\n\
         output = 'json'\nreport = ['a.json', 'b.html']\njobs = 2\nconnections = 8\n",
    );
    let output = folder.run(&format!("{VALIDATE} -- "));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("standard output is JSON");
    assert_eq!(folder.read_report("a.json"), report);
    assert!(folder.path("b.html").exists());
    assert_eq!(report["settings"]["max-rejects"], "50%, schema:format=2, json:syntax=0");
    let sum = run(Command::new("sha256sum").arg(folder.path("nightly.toml"))).stdout;
    let sum = sum.split(' ').next().expect("a sum");
    assert_eq!(report["settings"]["config"], format!("nightly.toml (sha256:{sum})"));
}

#[test]
fn the_example_of_a_nightly_load_is_understood() {
    let folder = folder(include_str!("../../examples/systemd/nightly.toml"));
    let output = folder.run(VALIDATE);
    assert_eq!(output.code, Some(3), "more than its share is rejected: {}", output.stderr);
    for name in ["rejects", "last.html", "last.json"] {
        assert!(folder.path(name).exists(), "{name}: {}", output.stderr);
    }
    let output = folder.run("load customers.ndjson --config nightly.toml");
    assert!(output.stderr.contains("/etc/profile-loader/ca.pem"), "{}", output.stderr);
}

#[test]
fn contradictions_are_refused_within_the_file_and_overridden_from_outside() {
    let folder = folder("atomic = true\nconnections = 4\n");
    let output =
        folder.run("load customers.ndjson --config nightly.toml --database-url postgresql://127.0.0.1:1/x");
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("one transaction needs one connection"), "{}", output.stderr);

    folder.write("nightly.toml", "embedded = 'data'\ndatabase-url = 'postgresql://nobody@127.0.0.1:1/x'\n");
    let output = folder.run("runs list --config nightly.toml");
    let expected = "error: the argument 'embedded (nightly.toml, line 1)' cannot be used with 'database-url (nightly.toml, \
                    line 2)'";
    assert!(output.stderr.replace("embedded[=DIR]", "embedded").starts_with(expected), "{}", output.stderr);
    let url = "postgresql://someone@127.0.0.1:1/y?connect_timeout=2";
    let output = folder.run(&format!("runs list --config nightly.toml --database-url {url}"));
    assert!(output.stderr.contains("database y at 127.0.0.1, port 1, as someone"), "{}", output.stderr);

    folder.write("nightly.toml", "atomic = true\n");
    let output = folder.run(&format!(
        "load customers.ndjson --config nightly.toml --connections 4 --rejects x --database-url {url}"
    ));
    assert_eq!(output.code, Some(4), "the server is asked for: {}", output.stderr);
}

#[test]
fn the_url_of_the_file_is_told_as_such() {
    let folder = folder("database-url = 'postgresql://u@h/db?nonsense=1'\n");
    let output = folder.run("runs list --config nightly.toml");
    assert!(output.stderr.contains("database-url of --config"), "{}", output.stderr);
}

#[test]
fn what_the_file_may_not_say_is_refused_with_its_line() {
    let folder = folder("");
    for (toml, expected) in [
        (
            "jobs = 2\non-exsting = 'update'",
            "line 2: there is no option of this name; did you mean on-existing?",
        ),
        ("on_existing = 'update'", "line 1: there is no option of this name; did you mean on-existing?"),
        ("zzz = 1", "line 1: there is no option of this name; there are quiet, "),
        ("config = 'other.toml'", "line 1: --config <FILE> is given on the command line only"),
        ("yes-delete-data = true", "line 1: --yes-delete-data is given on the command line only"),
        ("password = 'Hvnx7'", "line 1: password does not belong into this file"),
        ("\n\ndatabase-password = 'Hvnx7'", "line 3: database-password does not belong into this file"),
        ("[load]\non-existing = 'update'", "line 1: load is a table; options stand at the top"),
        ("jobs = 1.5", "line 1: jobs is a float; give a text in quotation marks, or a whole number"),
        ("jobs = 0x10", "line 1: jobs is a integer"),
        ("jobs = [1, 2]", "line 1: jobs takes one value"),
        ("jobs = true", "line 1: jobs takes a value, in quotation marks"),
        ("quiet = 'yes'", "line 1: quiet is either true or false"),
        ("jobs = 1\njobs = 2", "line 2: this is not TOML: duplicate key"),
        ("quiet = true\nrejects = \"Hvnx7", "line 2: this is not TOML: "),
    ] {
        folder.write("nightly.toml", toml);
        let output = folder.run(VALIDATE);
        let expected = format!("error: nightly.toml, {expected}");
        assert_eq!(output.code, Some(2), "{toml}: {}", output.stderr);
        assert!(output.stderr.starts_with(&expected), "{toml}: {}", output.stderr);
        assert!(!output.stderr.contains("Hvnx7"), "{}", output.stderr);
    }
    for url in ["postgresql://u:Hvnx7@h/db", "host=h password=Hvnx7", "postgresql://h/db?pass%77ord=Hvnx7"] {
        folder.write("nightly.toml", format!("database-url = '{url}'"));
        // Of a command without a database as well: the file is the same.
        for words in ["runs list --config nightly.toml", VALIDATE] {
            let output = folder.run(words);
            assert_eq!(output.code, Some(2), "{words} {url}: {}", output.stderr);
            let expected =
                "error: nightly.toml, line 1: the password of database-url does not belong into this file";
            assert!(output.stderr.starts_with(expected), "{words}: {}", output.stderr);
            assert!(!output.stderr.contains("Hvnx7"), "{words}: {}", output.stderr);
        }
    }
    folder.write("nightly.toml", "max-rejects = 'some'");
    let output = folder.run(VALIDATE);
    let expected = "error: invalid value 'some' for 'max-rejects (nightly.toml, line 1)'";
    assert!(output.stderr.starts_with(expected), "{}", output.stderr);
    folder.write("nightly.toml", "fail-on-new = true");
    let output = folder.run(VALIDATE);
    assert!(output.stderr.starts_with("error: in nightly.toml: "), "{}", output.stderr);
    assert!(output.stderr.contains("--baseline"), "{}", output.stderr);
}

#[test]
fn files_that_are_none_are_refused() {
    let folder = folder("");
    folder.write("latin.toml", b"rejects = 'M\xfcller'");
    folder.write("long.toml", " ".repeat((1 << 20) + 1));
    for (name, expected) in [
        ("missing.toml", "can't be read: No such file"),
        (".", "can't be read: Is a directory"),
        ("latin.toml", "is not UTF-8"),
        ("long.toml", "can't be read: it is longer than 1 MiB"),
    ] {
        let output = folder.run(&format!("validate customers.ndjson --config {name}"));
        assert_eq!(output.code, Some(2), "{name}: {}", output.stderr);
        let expected = format!("error: the configuration file {name} {expected}");
        assert!(output.stderr.starts_with(&expected), "{}", output.stderr);
    }
}
