//! Plans, and splits of them: what they find adds up to what one run over everything finds.

use std::{fmt::Write as _, fs, io::Write as _};

use proptest::prelude::*;
use serde_json::Value;

use crate::{
    documents::{faulty, generated, mixed, valid},
    folder::{Folder, without_times},
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

/// How many splits the plan in `plan.json` has.
pub(crate) fn splits(folder: &Folder) -> usize {
    folder.read_json("plan.json")["splits"].as_array().expect("a list").len()
}

/// Checks each split by itself and adds the reports up, in another order than that of the splits.
fn added_up(folder: &Folder, splits: usize, options: &str) -> Value {
    let mut reports = String::new();
    for split in (0..splits).rev() {
        let output = folder.run(&format!(
            "validate --plan plan.json --split {split} --report {split}.json --rejects rejects-{split} {options}"
        ));
        assert!(matches!(output.code, Some(0 | 1)), "{}", output.stderr);
        let report = folder.read_report(&format!("{split}.json"));
        assert_eq!(
            (&report["plan"]["of"], report["inputs"].as_array().map(Vec::len)),
            (&serde_json::json!([[split, split]]), Some(1))
        );
        write!(reports, " {split}.json").expect("writing to a String");
    }
    let merged = folder.run(&format!("report merge{reports} --output json"));
    assert_eq!((merged.code, merged.stderr.as_str()), (Some(0), ""));
    crate::report_schema::assert_is_report(serde_json::from_str(&merged.stdout).expect("it is JSON"))
}

/// A report without what one of splits has besides.
fn without_plan(mut report: Value) -> Value {
    report.as_object_mut().expect("a report is an object").insert("plan".to_owned(), Value::Null);
    without_times(without_files(report))
}

fn without_files(mut report: Value) -> Value {
    report.as_object_mut().expect("a report is an object").insert("rejects".to_owned(), Value::Null);
    report
}

/// Why documents were rejected, without the line of the reject file, which counts anew in each.
fn reasons(folder: &Folder, dir: &str) -> Vec<Value> {
    let path = folder.path(&format!("{dir}/rejects.errors.ndjson"));
    let text = fs::read_to_string(path).unwrap_or_default();
    let reason = |line: &str| {
        let mut reason: Value = serde_json::from_str(line).expect("each line is JSON");
        reason.as_object_mut().expect("an object").remove("reject_line");
        reason
    };
    text.lines().map(reason).collect()
}

/// Plans with splits of about so many bytes, and compares with one run.
fn assert_splits_add_up(folder: &Folder, inputs: &str, split_size: u64) -> usize {
    let whole = folder.run(&format!("validate {inputs} --report whole.json --rejects whole"));
    assert!(matches!(whole.code, Some(0 | 1)), "{}", whole.stderr);
    let planned = folder.run(&format!("plan {inputs} -o plan.json --split-size {split_size}"));
    assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
    let splits = splits(folder);
    assert_splits_add_up_to(folder, splits, "");
    splits
}

/// Compares with what one run has left in `whole.json` and `whole`.
pub(crate) fn assert_splits_add_up_to(folder: &Folder, splits: usize, options: &str) {
    let merged = added_up(folder, splits, options);
    assert_eq!(merged["plan"]["of"], serde_json::json!([[0, splits - 1]]));
    assert_eq!(without_plan(merged), without_plan(folder.read_report("whole.json")));
    let rejected: Vec<_> =
        (0..splits).flat_map(|split| reasons(folder, &format!("rejects-{split}"))).collect();
    assert_eq!(rejected, reasons(folder, "whole"));
    let documents = |dir: &str| fs::read(folder.path(&format!("{dir}/rejects.ndjson"))).unwrap_or_default();
    let of_splits: Vec<u8> = (0..splits).flat_map(|split| documents(&format!("rejects-{split}"))).collect();
    if !of_splits.contains(&0x1e) {
        assert!(of_splits == documents("whole"), "rejected documents are the same");
    }
}

/// A line of some kind, with its end.
fn line() -> impl Strategy<Value = String> {
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    let text = prop_oneof![
        8 => (0_usize..40).prop_map(valid),
        2 => (0_usize..40).prop_map(faulty),
        1 => (0_usize..40).prop_map(|number| valid(number).replace("\"Ann\"", "null")),
        1 => Just(String::new()),
        1 => Just("  ".to_owned()),
        1 => Just("\u{1f}\u{8b} no document".to_owned()),
        1 => Just("{\"id\": [1, 2".to_owned()),
    ];
    (text, end).prop_map(|(text, end)| text.trim_end().to_owned() + end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splits_add_up_to_one_run(
        lines in proptest::collection::vec(line(), 0..60),
        cut in 0_usize..60,
        split_size in prop_oneof![Just(1_u64), 2_u64..3000, Just(1 << 20)],
        has_mark in any::<bool>(),
        ends in any::<bool>(),
    ) {
        let (one, other) = lines.split_at(cut.min(lines.len()));
        let folder = Folder::new();
        // A first line that is a document, or the file might be taken for something else.
        let mark = if has_mark { "\u{feff}" } else { "" };
        folder.write("a.ndjson", mark.to_owned() + &valid(7) + &one.concat());
        let other = valid(8) + &other.concat() + valid(9).trim_end();
        folder.write("b.ndjson", if ends { other + "\n" } else { other });
        assert_splits_add_up(&folder, "a.ndjson b.ndjson", split_size);
    }
}

/// What can't be cut is one split, empty files are one, and names of reports need no order.
#[test]
fn every_kind_of_file_has_its_splits() {
    let folder = Folder::new();
    folder.write("a.ndjson", generated(150));
    folder.write("b.ndjson.gz", gzip(mixed(60, 4).as_bytes()));
    folder.write("c.ndjson.zst", zstd::encode_all(mixed(30, 3).as_bytes(), 3).expect("writing to a Vec"));
    folder.write("d.json", format!("[\n{},\n{}]", valid(70), faulty(71)));
    folder.write("e.ndjson", "");
    folder.write("f.ndjson.gz", gzip(b""));
    let inputs = "a.ndjson b.ndjson.gz c.ndjson.zst d.json e.ndjson f.ndjson.gz";
    let splits = assert_splits_add_up(&folder, inputs, 4096);
    assert!(splits > 12, "{splits}");
}

/// A line above the limit is in one split, however short splits are.
#[test]
fn a_line_above_the_limit_is_not_cut() {
    let folder = Folder::new();
    let long = valid(3).replace("Ann", &"A".repeat(17 << 20));
    folder.write("a.ndjson", mixed(20, 3) + &long + &mixed(20, 4));
    assert_eq!(assert_splits_add_up(&folder, "a.ndjson", 1 << 20), 2);
}

/// The plan has what documents are held against, so that a machine needs no other file.
#[test]
fn schema_map_and_framing_are_the_plans() {
    let folder = Folder::new();
    folder.write("a.txt", mixed(40, 5).replace("firstName", "first"));
    folder.write("m.jq", ".firstName = .first | del(.first)");
    folder.write("s.json", r#"{"required": ["lastName", "middleName"]}"#);
    let options = "--map m.jq --json-schema s.json --framing ndjson";
    folder.run(&format!("validate a.txt {options} --report whole.json"));
    let planned = folder.run(&format!("plan a.txt {options} -o plan.json --split-size 2KiB"));
    assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
    for name in ["m.jq", "s.json"] {
        fs::remove_file(folder.path(name)).expect("it is there");
    }
    let merged = added_up(&folder, splits(&folder), "");
    assert_eq!(without_plan(merged), without_plan(without_files(folder.read_report("whole.json"))));
}

#[test]
fn a_file_that_was_changed_is_told() {
    let folder = Folder::new();
    let text: String = (1..=100).map(valid).collect();
    let plan = || {
        folder.write("a.ndjson", &text);
        folder.write("b.ndjson.gz", gzip(text.as_bytes()));
        assert_eq!(folder.run("plan a.ndjson b.ndjson.gz -o plan.json --split-size 10KiB").code, Some(0));
        splits(&folder)
    };
    let check = |split: usize, said: &str| {
        let output = folder.run(&format!("validate --plan plan.json --split {split} --output json"));
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    };
    let splits = plan();
    assert_eq!(splits, 3);
    folder.write("a.ndjson", text.replace("ann60@", "bob60@"));
    folder.write("b.ndjson.gz", gzip(text.replace("ann60@", "bob60@").as_bytes()));
    assert_eq!(folder.run("validate --plan plan.json --split 0").code, Some(0), "it is as it was");
    check(1, "a.ndjson is not what it was when the plan was made: bytes ");
    check(2, "b.ndjson.gz is not what it was when the plan was made: ");
    plan();
    folder.write("a.ndjson", text.clone() + "\n");
    check(0, &format!("it had {} bytes and has {}", text.len(), text.len() + 1));
    plan();
    // A line end that has gone is a change, too, before it is taken for a document that is cut off.
    folder.write("a.ndjson", text[..text.len() - 2].to_owned() + "  ");
    check(1, "a.ndjson is not what it was");
    plan();
    fs::remove_file(folder.path("a.ndjson")).expect("it is there");
    assert_eq!(folder.run("validate --plan plan.json --split 0").code, Some(2));
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let folder = Folder::with("a.ndjson", mixed(50, 1000));
    folder.write("page.ndjson", "<!doctype html>\n<html></html>\n");
    assert_eq!(folder.run("plan a.ndjson -o plan.json --split-size 4KiB").code, Some(0));
    folder.write("odd.json", "{\"format\": 7}");
    for (words, said) in [
        ("plan -o p.json", "no input is named"),
        ("plan a.ndjson", "--out <FILE>"),
        ("plan - -o p.json", "- is no file that can be read more than once"),
        ("plan page.ndjson -o p.json", "page.ndjson is not NDJSON"),
        ("plan none.ndjson -o p.json", "there is no input file none.ndjson"),
        ("plan a.ndjson -o a.ndjson", "the plan a.ndjson can't be written: this very command reads it"),
        ("plan a.ndjson -o no/p.json", "there is no folder no"),
        ("plan a.ndjson -o p.json --parts 0", "give a number from 1 to 4096"),
        ("plan a.ndjson -o p.json --split-size none", "give a number of bytes"),
        ("validate --plan plan.json", "--split <N>"),
        ("validate --split 0", "--plan <FILE>"),
        ("validate a.ndjson --plan plan.json --split 0", "cannot be used with"),
        ("validate --plan plan.json --split 0 --map m.jq", "cannot be used with"),
        ("validate --plan plan.json --split 3", "has no split 3: there are 3, counted from 0"),
        ("validate --plan none.json --split 0", "the plan none.json can't be read"),
        ("validate --plan odd.json --split 0", "has format 7, and this release reads format 1"),
        ("validate --plan a.ndjson --split 0", "a.ndjson is not a plan of profile-loader"),
        ("validate --plan plan.json --split 0 --report plan.json", "this very command reads it"),
    ] {
        let output = folder.run(words);
        assert_eq!(output.code, Some(2), "{words}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{words}: {}", output.stderr);
        assert!(!folder.path("p.json").exists(), "{words}");
    }
    let plan = String::from_utf8(folder.read("plan.json")).expect("it is UTF-8");
    folder.write("plan.json", plan.replace("\"parts\": 16", "\"parts\": 17"));
    let output = folder.run("validate --plan plan.json --split 0");
    assert!(output.stderr.contains("was changed after it was made"), "{}", output.stderr);
}

/// A variable names the split, as schedulers give it to the processes that they start.
#[test]
fn variables_name_the_split() {
    let folder = Folder::with("a.ndjson", mixed(50, 1000));
    folder.run("plan a.ndjson -o plan.json --split-size 4KiB");
    let mut command = folder.command("validate --output json");
    command.env("PROFILE_LOADER_PLAN", "plan.json").env("PROFILE_LOADER_SPLIT", "2");
    let output = crate::process::run(&mut command);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!(report["plan"]["of"], serde_json::json!([[2, 2]]));
    // What is typed counts.
    let mut command = folder.command("validate a.ndjson --output json");
    command.env("PROFILE_LOADER_PLAN", "plan.json").env("PROFILE_LOADER_SPLIT", "2");
    let output = crate::process::run(&mut command);
    let report: Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!((&report["plan"], &report["documents"]["read"]), (&Value::Null, &50.into()));
}

#[test]
fn reports_say_what_they_are_of() {
    let folder = Folder::with("a.ndjson", mixed(50, 10));
    folder.write("b.ndjson", mixed(10, 1000));
    let planned = folder.run("plan a.ndjson b.ndjson -o plan.json --split-size 4KiB");
    assert!(planned.stdout.contains("4  splits, from 0"), "{}", planned.stdout);
    for split in 0..4 {
        folder.run(&format!("validate --plan plan.json --split {split} --report {split}.json"));
    }
    let summary = |words: &str| folder.run(words).stdout;
    assert!(summary("report 2.json").contains("split 2 of a plan of 4, counted from 0"));
    let some = "splits 0, 2 to 3 of a plan of 4, counted from 0; not in it: 1";
    assert!(summary("report merge 3.json 0.json 2.json").contains(some));
    assert!(summary("report merge 3.json 0.json 2.json 1.json").contains("all 4 splits of a plan"));
    folder.run("report merge 0.json 1.json --html page.html --report some.json");
    let page = String::from_utf8(folder.read("page.html")).expect("a page is UTF-8");
    assert!(page.contains("splits 0 to 1 of a plan of 4"));
    assert!(summary("report merge some.json 2.json 3.json").contains("all 4 splits of a plan"));
    let twice = folder.run("report merge some.json 1.json");
    assert_eq!(twice.code, Some(2));
    assert!(twice.stderr.contains("split 1 is in two of the reports"), "{}", twice.stderr);
    let plan = folder.run("report merge plan.json some.json");
    assert_eq!(plan.code, Some(2));
    assert!(plan.stderr.contains("plan.json is a plan, not a report"), "{}", plan.stderr);
    // Of two plans each adds up by itself, in whatever order their reports come.
    folder.run("plan b.ndjson -o other.json --split-size 1KiB");
    for split in 0..2 {
        folder.run(&format!("validate --plan other.json --split {split} --report other-{split}.json"));
    }
    let both = folder.run("report merge 0.json other-1.json 3.json 1.json other-0.json 2.json --output json");
    let both: Value = serde_json::from_str(&both.stdout).expect("it is JSON");
    let sources: Vec<_> =
        both["inputs"].as_array().expect("a list").iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["a.ndjson", "b.ndjson", "b.ndjson"]);
    assert_eq!(both["documents"]["read"], 70);
    // With another report it is one of several inputs.
    folder.run("validate b.ndjson --report b.json");
    let mixed = folder.run("report merge 0.json b.json --output json");
    let mixed: Value = serde_json::from_str(&mixed.stdout).expect("it is JSON");
    assert_eq!((&mixed["plan"], mixed["inputs"].as_array().map(Vec::len)), (&Value::Null, Some(2)));
}

/// The commands as the README has them, for each split.
#[test]
fn what_the_readme_says_of_dry_runs_works() {
    let readme = include_str!("../../README.md");
    let (_, commands) = readme.split_once("too small for the dry run").expect("it is there");
    let commands = commands.split("```").nth(1).expect("a block follows");
    let folder = Folder::with("lake/a.ndjson", mixed(60, 100));
    folder.write("lake/b.ndjson", mixed(50, 7));
    let mut ran = 0;
    for command in commands.trim().lines() {
        let words = command.split('#').next().expect("there is one").trim();
        let words =
            words.strip_prefix("profile-loader ").expect("a command").replace("/lake/customers/", "lake/");
        let splits = if words.contains("17") { 0..2 } else { 0..1 };
        for split in splits {
            let script = format!("exec \"$0\" {}", words.replace("17", &split.to_string()));
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &script]).arg(crate::process::binary().get_program());
            let output = crate::process::run(shell.current_dir(folder.path("")));
            assert!(matches!(output.code, Some(0 | 1)), "{words}: {}", output.stderr);
            ran += 1;
        }
    }
    assert_eq!(ran, 4);
    assert!(folder.path("all.html").exists());
}
