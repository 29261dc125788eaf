//! `--map`, and the command `map`.

use serde_json::{Value, json};

use crate::{documents::valid, folder::Folder};

/// A document of another shape, line end included.
fn legacy(number: usize) -> String {
    valid(number).replace("\"firstName\"", "\"first_name\"").replace("\"lastName\"", "\"last_name\"")
}

const MAP: &str = "select(.deleted | not)\n\
    | {id, firstName: .first_name, lastName: .last_name, emails, privacySettings}\n";

fn counts(report: &Value) -> [u64; 5] {
    ["read", "accepted", "rejected", "dropped", "blank"]
        .map(|name| report["documents"][name].as_u64().expect("it is there"))
}

/// Codes and documents of all kinds of faults.
fn faults(report: &Value) -> Vec<(String, u64)> {
    let errors = report["errors"].as_array().expect("it is there").iter();
    let mut faults: Vec<_> = errors
        .map(|e| {
            (
                e["code"].as_str().expect("it is there").to_owned(),
                e["documents"].as_u64().expect("it is there"),
            )
        })
        .collect();
    faults.sort();
    faults
}

/// The report of `validate` with a map, as the schema of reports has it.
fn validated(folder: &Folder, map: &str, input: &str) -> Value {
    folder.write("map.jq", map);
    folder.write("in.ndjson", input);
    let output = folder.run("validate in.ndjson --map map.jq --rejects rejects --output json");
    assert!(matches!(output.code, Some(0 | 1)), "{}", output.stderr);
    crate::report_schema::assert_is_report(serde_json::from_str(&output.stdout).expect("it is there"))
}

#[test]
fn other_names_are_mapped_and_what_is_not_wanted_is_dropped() {
    let folder = Folder::new();
    let deleted = legacy(3).replace("{\"id\"", "{\"deleted\":true,\"id\"");
    let input = [legacy(1), "\n".to_owned(), deleted, legacy(2), legacy(4).replace("Ann", "")].concat();
    let report = validated(&folder, MAP, &input);
    assert_eq!(counts(&report), [4, 2, 1, 1, 1]);
    assert_eq!(faults(&report), [("schema:minLength".to_owned(), 1)]);
    assert_eq!(report["errors"][0]["pointer"], "/firstName");
    assert_eq!(report["errors"][0]["first"]["line"], 5);
    assert_eq!(report["map"]["source"], "map.jq");
    assert_eq!(report["map"]["sha256"].as_str().expect("it is there").len(), 64);
    // The file has what the input had.
    assert_eq!(folder.read("rejects/rejects.ndjson"), legacy(4).replace("Ann", "").into_bytes());
    let record: Value =
        serde_json::from_slice(&folder.read("rejects/rejects.errors.ndjson")).expect("it is there");
    assert_eq!(
        (&record["line"], &record["byte_offset"]),
        (&json!(5), &json!(input.len() - legacy(4).len() + 3))
    );
    assert_eq!(record["errors"][0]["of"], "the mapped document");
    // It loads again by the same command, once the document is right.
    folder.write("again.ndjson", legacy(4));
    assert_eq!(folder.run("validate again.ndjson --map map.jq").code, Some(0));
}

#[test]
fn the_summary_and_the_page_tell_of_the_map() {
    let folder = Folder::with("map.jq", MAP);
    folder.write("in.ndjson", [legacy(1), legacy(2).replace("Lee", "")].concat());
    let output =
        folder.run("validate in.ndjson --map map.jq --report r.html --report r.csv --metrics-file m.prom");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stdout.contains("0  dropped by the map\n"), "{}", output.stdout);
    assert!(output.stdout.contains("places are those of the mapped documents"), "{}", output.stdout);
    let page = String::from_utf8(folder.read("r.html")).expect("it is there");
    assert!(
        page.contains("dropped by the map") && page.contains("validate in.ndjson --map map.jq --rejects"),
        "{page}"
    );
    let metrics = String::from_utf8(folder.read("m.prom")).expect("it is there");
    assert!(metrics.contains("outcome=\"dropped\"} 0"), "{metrics}");
}

#[test]
fn each_way_a_map_can_go_wrong_has_a_code() {
    let map = r#"if .n == 1 then ., . elif .n == 2 then error(.secret) elif .n == 3 then [.]
        elif .n == 4 then {a: nan} elif .n == 5 then def f: 1 + f; {a: f} elif .n == 6 then {a: ("x" * 99999999)}
        elif .n == 7 then .secret.x elif .n == 8 then empty else .document end"#;
    let documents = (1..=8).map(|n| format!("{{\"n\":{n},\"secret\":\"canary\"}}\n"));
    let good = format!("{{\"n\":9,\"document\":{}}}\n", valid(9).trim_end());
    let broken = ["{\"n\":8,\"n\":8}\n", "{\"n\":8\n", "\u{1}\n", "{\"n\":8,\"a\":\"\\ud800\"}\n", "[1]\n"];
    let input = documents.chain([good]).chain(broken.map(str::to_owned)).collect::<String>();
    let folder = Folder::new();
    let report = validated(&folder, map, &input);
    let expected = [
        ("json:duplicate_key", 1),
        ("json:lone_surrogate", 1),
        ("json:syntax", 1),
        ("json:syntax", 1),
        ("map:error", 3),
        ("map:limit", 1),
        ("map:limit", 1),
        ("map:many", 1),
        ("map:not_json", 1),
        ("map:not_object", 1),
    ];
    assert_eq!(faults(&report), expected.map(|(code, documents)| (code.to_owned(), documents)));
    assert_eq!(counts(&report), [14, 1, 12, 1, 0]);
    let told = [report.to_string().into_bytes(), folder.read("rejects/rejects.errors.ndjson")].concat();
    assert!(!String::from_utf8(told).expect("it is there").contains("canary"));
}

#[test]
fn the_same_in_every_framing_and_with_any_number_of_workers() {
    let documents: Vec<String> =
        (0..500).map(|n| legacy(n).trim_end().replace("Ann", if n % 9 == 0 { "" } else { "Ann" })).collect();
    let folder = Folder::with("map.jq", MAP);
    folder.write("lines.ndjson", documents.join("\n"));
    folder.write("array.json", format!("[{}]", documents.join(",\n ")));
    let told = |words: &str| {
        let output = folder.run(&format!("{words} --map map.jq --output json --chunk-bytes 3000"));
        let report: Value = serde_json::from_str(&output.stdout).expect("it is there");
        (counts(&report), faults(&report), report["fields"].clone())
    };
    let lines = told("validate lines.ndjson --jobs 1");
    assert_eq!(lines.0, [500, 444, 56, 0, 0]);
    assert_eq!(told("validate lines.ndjson --jobs 3"), lines);
    assert_eq!(told("validate array.json --jobs 2"), lines);
}

#[test]
fn a_map_that_can_not_be_used_is_refused() {
    let folder = Folder::with("in.ndjson", valid(1));
    folder.write("env.jq", ". as $d\n| $d + {a: env.HOME}\n");
    folder.write("broken.jq", "{a: 1");
    folder.write("long.jq", ".".repeat(70_000));
    for (words, expected) in [
        ("--map missing.jq", "the map missing.jq can't be read"),
        ("--map env.jq", "the map env.jq can't be used: line 2, column 12: there is no filter env/0"),
        ("--map broken.jq", "the map broken.jq can't be used: line 1, column 6: expected closing brace"),
        ("--map long.jq", "the map long.jq can't be read: it is longer than 64 KiB, so it is something else"),
        ("--map postgresql://u:secret@h/d", "--map looks like connection settings"),
    ] {
        let output = folder.run(&format!("validate in.ndjson {words}"));
        assert_eq!(output.code, Some(2), "{words}: {}", output.stderr);
        assert!(output.stderr.contains(expected), "{words}: {}", output.stderr);
    }
    assert_eq!(folder.run("map env.jq in.ndjson").code, Some(2));
}

#[test]
fn what_customers_are_called_stays_in_the_reject_file() {
    let folder = Folder::new();
    let map = ".x as $x | if .n == 0 then error($x) elif .n == 1 then {($x): $x} elif .n == 2 then .x.x \
        elif .n == 3 then ($x | fromjson) elif .n == 4 then ($x | test($x + \"[\")) \
        elif .n == 5 then {id: $x, firstName: $x, emails: [$x]} elif .n == 6 then ($x | uuid5($x)) else ($x | tonumber) end";
    let input = (0..9).map(|n| format!("{{\"n\":{n},\"x\":\"canary4711\"}}\n")).collect::<Vec<_>>().concat();
    folder.write("map.jq", map);
    folder.write("in.ndjson", &input);
    let mut told = String::new();
    for options in ["-v --report r.json --report r.html --report r.csv", "-v --log-format json --output json"]
    {
        let output = folder.run(&format!("validate in.ndjson --map map.jq --rejects rejects {options}"));
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        told += &(output.stdout + &output.stderr);
    }
    let preview = folder.run("map map.jq in.ndjson --first 20");
    assert_eq!(preview.code, Some(1), "{}", preview.stderr);
    told += &(preview.stdout + &preview.stderr);
    for file in ["r.json", "r.html", "r.csv", "rejects/rejects.errors.ndjson"] {
        told += &String::from_utf8(folder.read(file)).expect("it is there");
    }
    assert!(!told.contains("canary") && !told.contains("4711"), "{told}");
    assert_eq!(folder.read("rejects/rejects.ndjson"), input.into_bytes());
}

#[test]
fn a_map_is_looked_at_before_it_is_used() {
    let folder = Folder::with("map.jq", MAP);
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&legacy(2)).expect("it is there"))
            .expect("it is there");
    folder.write(
        "in.json",
        format!("[{{\"deleted\":true}},\n{pretty},\n{}]", legacy(3).replace("Lee", "").trim_end()),
    );
    let hidden = folder.run("map map.jq in.json --first 2");
    assert_eq!(hidden.code, Some(0), "{}", hidden.stderr);
    assert!(
        hidden.stdout.contains("in.json, line 1\n  before   16 bytes\n  verdict  dropped\n"),
        "{}",
        hidden.stdout
    );
    assert!(
        hidden.stdout.contains("in.json, line 2\n") && !hidden.stdout.contains("Ann"),
        "{}",
        hidden.stdout
    );
    let shown = folder.run("map map.jq in.json --show-values");
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    assert!(shown.stdout.contains("\"firstName\":\"Ann\",\"lastName\":\"Lee\""), "{}", shown.stdout);
    assert!(
        shown.stdout.contains("  verdict  rejected\n           schema:minLength /lastName: "),
        "{}",
        shown.stdout
    );
}

/// One above the limit is told of as well: nothing is passed over.
#[test]
fn a_document_above_the_limit_is_shown_as_rejected() {
    let folder = Folder::with("map.jq", ".");
    folder.write("in.ndjson", [valid(1), format!("{}\n", "x".repeat(40 << 20)), valid(3)].concat());
    let output = folder.run("map map.jq in.ndjson --first 2");
    let long = "in.ndjson, line 2\n  verdict  rejected\n           json:line_too_long: ";
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stdout.contains(long) && !output.stdout.contains("line 3"), "{}", output.stdout);
}

#[test]
fn what_ends_a_loop_without_end_ends_in_time_and_memory() {
    let folder = Folder::new();
    let report = validated(
        &folder,
        "def f: [f]; def g: try g catch g; if .deep then f else g end",
        "{\"deep\":true}\n{}\n",
    );
    assert_eq!(faults(&report), [("map:limit".to_owned(), 2)]);
}
