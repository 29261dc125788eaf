//! What the program says, word by word; times, rates and the version are filtered.
//!
//! After a change of words: `INSTA_UPDATE=always cargo test --test cli`, then read the difference.

use std::path::Path;

use crate::{
    documents::{faulty, valid},
    folder::{Folder, command_in},
    process::run,
};

const FILTERS: [(&str, &str); 6] = [
    (r" in [\d.]+ s \([\d,]+/s\)", " in [time] ([rate]/s)"),
    (r#""(started_at|version)": "[^"]+""#, r#""$1": "[…]""#),
    (r#""(elapsed_seconds|documents_per_second|bytes_per_second)": [\d.e+-]+"#, r#""$1": […]"#),
    (r#""timeline": \{[^}]*\}"#, r#""timeline": […]"#),
    (r"profile-loader \d+\.\d+\.\d+", "profile-loader [version]"),
    (r"\(os error \d+\)", "(os error […])"),
];

/// Compares with `snapshots/NAME.snap`.
pub(crate) fn assert_transcript(name: &str, transcript: &str) {
    insta::with_settings!({
        filters => FILTERS,
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, transcript);
    });
}

fn stdout_of(words: &str) -> String {
    let output = run(&mut command_in(Path::new(env!("CARGO_MANIFEST_DIR")), words));
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn help() {
    for (name, words) in [
        ("help", "--help"),
        ("help_short", "-h"),
        ("help_validate", "validate --help"),
        ("help_load", "load --help"),
        ("help_runs", "runs --help"),
        ("help_runs_list", "runs list --help"),
        ("help_runs_retry", "runs retry --help"),
    ] {
        assert_transcript(name, &stdout_of(words));
    }
    assert_transcript("version", &stdout_of("--version"));
}

#[test]
fn help_is_what_no_command_gets_too() {
    let output = Folder::new().run("");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert_eq!(output.stderr, stdout_of("--help"));
}

#[test]
fn the_schema_is_the_one_in_the_source_tree() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/document/customer_profile.schema.json");
    assert_eq!(stdout_of("schema"), std::fs::read_to_string(path).expect("the schema is in the source tree"));
}

#[test]
fn the_summary_of_the_realistic_mix() {
    assert_transcript("summary_of_customers", &stdout_of("validate fixtures/customers.ndjson"));
}

#[test]
fn a_small_report() {
    let folder = Folder::with("good.ndjson", valid(1) + "\n" + &valid(2));
    folder.write("bad.ndjson", valid(3) + &faulty(4) + &faulty(5).replace("@example.com", "") + "{\n");
    let output =
        folder.run("validate good.ndjson bad.ndjson --output json --report report.json --rejects rejects");
    assert_eq!(output.code, Some(1));
    assert_transcript("report", &output.stdout);
    assert_eq!(folder.read("report.json"), output.stdout.as_bytes(), "the file is what is printed");
    let errors = String::from_utf8(folder.read("rejects/rejects.errors.ndjson")).expect("it is UTF-8");
    assert_transcript("rejects_errors", &errors);
}
