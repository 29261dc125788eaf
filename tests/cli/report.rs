//! Reports in all of their forms: they agree, they can be added up and drawn again, and nothing in them is a customer's.

use serde_json::Value;

use crate::{
    documents::{generated, mixed, valid},
    folder::{Folder, without_times},
};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// The cells of a CSV table without line ends within cells.
fn cells(table: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let line = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).expect("cells are quoted");
        line.split("\",\"").map(|cell| cell.replace("\"\"", "\"")).collect()
    };
    table.split_terminator("\r\n").map(cells).collect()
}

#[test]
fn all_forms_tell_the_same() {
    let folder = Folder::with("in.ndjson", generated(3000));
    let told = folder.run("validate in.ndjson --report r.html --report r.json --report r.csv");
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let report = folder.read_report("r.json");
    let page = String::from_utf8(folder.read("r.html")).expect("a page is UTF-8");
    let table = cells(&String::from_utf8(folder.read("r.csv")).expect("a table is UTF-8"));
    for (count, in_page, in_summary) in [
        ("read", "documents read", "documents read"),
        ("accepted", "accepted, ", "accepted"),
        ("rejected", "rejected, ", "rejected"),
    ] {
        let count = grouped(number(&report["documents"][count]));
        assert!(page.contains(&format!("<b>{count}</b>{in_page}")), "{count} {in_page}");
        assert!(told.stdout.contains(&format!("{count}  {in_summary}")), "{count} in {}", told.stdout);
    }
    let errors = report["errors"].as_array().expect("a list");
    assert_eq!(table.len(), 1 + errors.len());
    for (error, row) in errors.iter().zip(&table[1..]) {
        assert_eq!([&row[0], &row[1]], [error["code"].as_str().unwrap(), error["pointer"].as_str().unwrap()]);
        assert_eq!(row[6..8], [error["count"].to_string(), error["documents"].to_string()]);
    }
    assert_eq!(table[1][8], report["documents"]["read"].to_string());
    let read = lines(&folder.read("in.ndjson"));
    let freed = report["fix_order"].as_array().unwrap().last().unwrap();
    assert_eq!(freed["freed_in_all"], report["documents"]["rejected"]);
    assert_eq!(read, number(&report["documents"]["read"]) + number(&report["documents"]["blank"]));
    for name in ["fields", "duplicates"] {
        assert!(!report[name].is_null(), "{name}");
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.split_inclusive(|byte| *byte == b'\n').count() as u64
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The report of two parts added up is that of the whole, times aside, wherever it is cut.
#[test]
fn parts_added_up_equal_the_whole() {
    let mut documents: Vec<String> =
        String::from_utf8_lossy(&generated(400)).split_inclusive('\n').map(str::to_owned).collect();
    // Ids that come again, with the same text and with another.
    for index in [3, 50, 51] {
        documents.push(documents[index].clone());
        documents.insert(200 + index, documents[index].replace("true", "false"));
    }
    documents.insert(17, "\n".to_owned());
    documents.extend(mixed(40, 3).split_inclusive('\n').map(str::to_owned));
    let folder = Folder::new();
    for cut in [0, 1, 100, 231, documents.len() - 1, documents.len()] {
        let (one, other) = documents.split_at(cut);
        folder.write("a.ndjson", one.concat());
        folder.write("b.ndjson", other.concat());
        folder.run("validate a.ndjson b.ndjson --report whole.json");
        folder.run("validate a.ndjson --report a.json");
        folder.run("validate b.ndjson --report b.json");
        let merged = folder.run("report merge a.json b.json --output json");
        assert_eq!((merged.code, merged.stderr.as_str()), (Some(0), ""));
        let merged: Value = serde_json::from_str(&merged.stdout).expect("a report is JSON");
        assert_eq!(
            without_times(crate::report_schema::assert_is_report(merged)),
            without_times(folder.read_report("whole.json")),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_report_is_drawn_again_as_it_was() {
    let folder = Folder::with("in.ndjson", generated(500));
    let told = folder.run("validate in.ndjson --report r.json --report r.html --report r.csv");
    let again = folder.run("report r.json --html again.html --report again.csv --report again.json");
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""), "{}", again.stderr);
    for ending in ["html", "csv", "json"] {
        let [one, other] = [format!("r.{ending}"), format!("again.{ending}")].map(|name| folder.read(&name));
        assert!(one == other, "{ending}");
    }
    assert_eq!(folder.run("report r.json").stdout, told.stdout);
}

#[test]
fn what_is_no_report_is_refused() {
    let folder = Folder::with("in.ndjson", mixed(10, 3));
    folder.run("validate in.ndjson --report r.json");
    let report = String::from_utf8(folder.read("r.json")).expect("it is UTF-8");
    let check = |text: &str, said: &str| {
        folder.write("odd.json", text);
        let output = folder.run("report odd.json");
        assert_eq!(output.code, Some(2), "{said}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{}", output.stderr);
    };
    check("{", "odd.json is not a JSON report of profile-loader");
    check("{\"format\": 1}", "has format 1, and this release reads format 2");
    check(&report.replace("\"accepted\": 6", "\"accepted\": 7"), "contradicts itself");
    folder.write("own.schema.json", "{}");
    folder.run("validate in.ndjson --json-schema own.schema.json --report other.json");
    let output = folder.run("report merge r.json other.json");
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("different JSON Schemas"), "{}", output.stderr);
    assert_eq!(folder.run("report none.json").code, Some(2));
    assert_eq!(folder.run("report r.json --html page.txt").code, Some(2));
}

/// A throughput and a time that are possible each say more bytes than can be counted.
#[test]
fn edited_throughputs_add_up() {
    let folder = Folder::with("in.ndjson", crate::documents::valid(1));
    folder.run("validate in.ndjson --report r.json");
    let mut report: Value = serde_json::from_slice(&folder.read("r.json")).expect("it is JSON");
    report["elapsed_seconds"] = 1e15.into();
    report["throughput"]["bytes_per_second"] = 1e15.into();
    folder.write("edited.json", report.to_string());
    let merged = folder.run("report merge edited.json edited.json --output json");
    assert_eq!(merged.code, Some(0), "{}", merged.stderr);
}

/// The page has a bound, asks for nothing, and runs nothing, whatever names a schema and files have.
#[test]
fn a_page_is_bounded_and_harmless() {
    let names: Vec<_> = (0..1200)
        .map(|index| format!("<script>alert({index})</script>\u{202e}\u{1b}[31m{}", "é".repeat(300)))
        .collect();
    let properties: serde_json::Map<_, _> =
        names.iter().map(|name| (name.clone(), serde_json::json!({"type": "string"}))).collect();
    let schema = serde_json::json!({"properties": properties});
    let folder = Folder::with("own.schema.json", schema.to_string());
    let mut input = String::new();
    for (index, chunk) in names.chunks(40).enumerate() {
        let document: serde_json::Map<_, _> = chunk.iter().map(|name| (name.clone(), index.into())).collect();
        input += &(Value::Object(document).to_string() + "\n");
    }
    let odd_name = "<img src=x onerror=alert(1)>.ndjson";
    folder.write(odd_name, &input);
    let mut command =
        folder.command("validate --json-schema own.schema.json --report r.html --report r.json");
    let output = crate::process::run(command.arg(odd_name));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(folder.read_report("r.json")["errors"].as_array().unwrap().len() > 900);
    let page = String::from_utf8(folder.read("r.html")).expect("a page is UTF-8");
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(page.contains("default-src 'none'"));
    for odd in ["<script", "<img", "\u{202e}", "\u{1b}", "http://", "https://", "url(", "@import"] {
        assert!(!page.contains(odd), "{odd:?}");
    }
}

/// A length or a value that few documents have is not told in the page.
#[test]
fn what_few_documents_have_is_not_told_apart() {
    let long = valid(1).replace("\"Ann\"", &format!("\"{}\"", "A".repeat(47)));
    let folder = Folder::with("in.ndjson", (2..100).map(valid).collect::<String>() + &long);
    folder.run("validate in.ndjson --report r.html");
    let page = String::from_utf8(folder.read("r.html")).expect("a page is UTF-8");
    assert!(page.contains("fewer than 5") && !page.contains(">47<"));
}

#[test]
fn rejects_may_be_accepted() {
    let folder = Folder::with("in.ndjson", mixed(100, 10));
    let output = folder.run("validate in.ndjson --accept-rejects --report r.json");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let report = folder.read_report("r.json");
    assert_eq!((&report["outcome"], &report["exit_code"]), (&"complete_with_rejects".into(), &0.into()));
    assert_eq!(folder.run("validate in.ndjson --accept-rejects --max-rejects 3").code, Some(3));
}

/// The value of a sample in the text format of Prometheus.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    Some(line[name.len() + 1..].parse().expect("a number"))
}

#[test]
fn figures_for_prometheus_know_the_last_success() {
    let folder = Folder::with("in.ndjson", mixed(100, 10));
    let metrics = |options: &str| {
        folder.run(&format!("validate in.ndjson --metrics-file nightly.prom {options}"));
        String::from_utf8(folder.read("nightly.prom")).expect("it is UTF-8")
    };
    let first = metrics("");
    let command = "command=\"validate\"";
    let of = |text: &str, name: &str, label: &str| {
        sample(text, &format!("profile_loader_{name}{{{command}{label}}}"))
    };
    assert_eq!(of(&first, "run_documents", ",outcome=\"accepted\""), Some(90.0));
    assert_eq!(of(&first, "run_documents", ",outcome=\"rejected\""), Some(10.0));
    assert_eq!(of(&first, "run_faults", ",code=\"schema:required\""), Some(10.0));
    assert_eq!((of(&first, "run_success", ""), of(&first, "run_exit_code", "")), (Some(1.0), Some(1.0)));
    let success = of(&first, "last_success_timestamp_seconds", "").expect("it is known");
    // A run that stops at its limit is no success, and the last one stays known.
    let second = metrics("--max-rejects 3");
    assert_eq!(of(&second, "run_success", ""), Some(0.0));
    assert_eq!(of(&second, "last_success_timestamp_seconds", ""), Some(success));
    assert!(of(&second, "run_timestamp_seconds", "") >= Some(success));
    for line in second.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("profile_loader_") && value.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(folder.names("."), ["in.ndjson", "nightly.prom"]);
    assert_eq!(folder.run("validate in.ndjson --metrics-file nightly.txt").code, Some(2));
    let output = folder.run("validate in.ndjson --metrics-file missing/nightly.prom");
    let words = "error: the metrics file missing/nightly.prom can't be written: there is no folder missing";
    assert!(output.code == Some(2) && output.stderr.starts_with(words), "{}", output.stderr);
}

/// Each kind of fault beside what it was, and an exit code of its own for nights that nobody watches.
#[test]
fn a_baseline_tells_what_is_new() {
    let folder = Folder::new();
    let with = |from: &str, to: &str| valid(7).replace(from, to);
    let [null, long, empty] =
        [with("\"Ann\"", "null"), with("\"Lee\"", "\"Lee\",\"middleName\":\"\""), with("\"Ann\"", "\"\"")];
    folder.write("old.ndjson", mixed(2000, 20) + &null + &long);
    folder.write("new.ndjson", mixed(2000, 5) + &null + &empty);
    folder.run("validate old.ndjson --report old.json");
    let run = |options: &str| {
        folder.run(&format!(
            "validate new.ndjson --baseline old.json --report new.json --report new.html {options}"
        ))
    };
    let output = run("");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output.stdout.contains("since the baseline: 1 new, 1 gone, 1 grown and 0 shrunk"),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("new: schema:minLength /firstName"), "{}", output.stdout);
    let report = folder.read_report("new.json");
    let changes: Vec<_> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .zip(report["baseline"]["errors"].as_array().unwrap())
        .map(|(error, before)| (error["code"].as_str().unwrap(), before["change"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("schema:required", "grown"), ("schema:type", "same"), ("schema:minLength", "new")]);
    assert_eq!(report["baseline"]["gone"][0]["pointer"], "/middleName");
    let page = String::from_utf8(folder.read("new.html")).expect("a page is UTF-8");
    assert!(page.contains("▲ grown, was") && page.contains("+ new") && page.contains("Gone"));
    assert_eq!(run("--fail-on-new").code, Some(3));
    assert_eq!(run("--fail-on-new --accept-rejects").code, Some(3));
    folder.run("validate new.ndjson --report old.json");
    assert_eq!(run("--fail-on-new").code, Some(1));
    assert_eq!(folder.run("validate new.ndjson --fail-on-new").code, Some(2));
    assert_eq!(folder.run("validate new.ndjson --baseline none.json").code, Some(2));
}

#[test]
fn a_kind_of_fault_may_have_a_limit_of_its_own() {
    let folder = Folder::with("in.ndjson", mixed(3000, 10) + &valid(1).replace("\"Ann\"", "null"));
    let code = |limits: &[&str]| {
        let mut command = folder.command("validate in.ndjson");
        for limit in limits {
            command.args(["--max-rejects", limit]);
        }
        let output = crate::process::run(&mut command);
        (output.code, output.stdout + &output.stderr)
    };
    assert_eq!(code(&["schema:required=300"]).0, Some(1));
    assert_eq!(code(&["schema:required=299"]).0, Some(3));
    assert_eq!(code(&["schema:required=10%", "schema:type /firstName=1"]).0, Some(1));
    assert_eq!(code(&["schema:type /firstName=0"]).0, Some(3));
    assert_eq!(code(&["schema:type /lastName=0", "json:syntax=0"]).0, Some(1));
    assert_eq!(code(&["schema:required=9.5%"]).0, Some(3));
    assert_eq!(code(&["50%", "schema:required=299", "4000"]).0, Some(3));
    for odd in ["required=1", "schema:=1", "schema:type firstName=1", "schema:type=few", "="] {
        let (code, told) = code(&[odd]);
        assert_eq!(code, Some(2), "{odd}: {told}");
    }
}
