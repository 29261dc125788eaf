//! The same documents have the same verdicts, whatever stands between them, however they are compressed, and wherever they come
//! from.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::{
    documents::generated,
    folder::Folder,
    http_server::{HttpServer, ServedFile, Treat},
    process::Output,
};

/// Small ranges and chunks, so that there are many of both.
const QUICK: &str = "--range-bytes 30000 --chunk-bytes 20000";

/// Documents of many kinds, faulty ones among them, that are JSON.
fn documents() -> Vec<Value> {
    let lines = String::from_utf8_lossy(&generated(600)).into_owned();
    lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The documents, with something before, between and behind them.
fn framed(documents: &[String], [before, between, behind]: [&str; 3]) -> Vec<u8> {
    format!("{before}{}{behind}", documents.join(between)).into_bytes()
}

fn framings(documents: &[Value]) -> Vec<(&'static str, Vec<u8>)> {
    let compact: Vec<_> = documents.iter().map(Value::to_string).collect();
    let pretty: Vec<_> =
        documents.iter().map(|value| serde_json::to_string_pretty(value).expect("it is JSON")).collect();
    vec![
        ("NDJSON", framed(&compact, ["", "\n", "\n"])),
        ("an array, a document a line", framed(&compact, ["[\n", ",\n", "\n]\n"])),
        ("an array on one line", framed(&compact, ["[", ",", "]"])),
        ("a pretty-printed array", framed(&pretty, ["[\n", ",\n", "\n]\n"])),
        ("without white space", framed(&compact, ["", "", ""])),
        ("pretty-printed, one after another", framed(&pretty, ["", "\n", "\n"])),
        ("records of RFC 7464", framed(&compact, ["\u{1e}", "\n\u{1e}", "\n"])),
        ("pretty-printed records", framed(&pretty, ["\u{1e}", "\n\u{1e}", "\n"])),
    ]
}

fn wrappings(bytes: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes).expect("writing to a Vec");
    let zstd = zstd::encode_all(bytes, 3).expect("writing to a Vec");
    [("plain", bytes.to_vec()), ("gzip", gzip.finish().expect("writing to a Vec")), ("zstd", zstd)]
}

/// What became of the documents; and where the rejected ones stand, and what they are read as.
fn verdicts(folder: &Folder, output: &Output) -> (Value, Vec<Value>) {
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let report: Value = serde_json::from_str(&output.stdout).expect("the report is JSON");
    let of_group =
        |group: &Value| json!([group["code"], group["pointer"], group["documents"], group["message"]]);
    let groups: Vec<_> = report["errors"].as_array().expect("a list").iter().map(of_group).collect();
    let errors = String::from_utf8(folder.read("rejects/rejects.errors.ndjson")).expect("it is UTF-8");
    let mut records: Vec<Value> =
        errors.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let rejects = String::from_utf8(folder.read("rejects/rejects.ndjson")).expect("it is UTF-8");
    let rejects = rejects.replace('\u{1e}', "");
    let rejected = serde_json::Deserializer::from_str(&rejects).into_iter::<Value>();
    let rejected: Vec<_> = rejected.map(|value| value.expect("it is JSON")).collect();
    assert_eq!(records.len(), rejected.len());
    for record in &mut records {
        record["source"] = Value::Null;
    }
    let mut counts = report["documents"].clone();
    // Lines that hold nothing.
    counts["blank"] = Value::Null;
    (json!([counts, groups, rejected]), records)
}

#[test]
fn verdicts_do_not_depend_on_how_documents_come() {
    let folder = Folder::new();
    let options = format!("--output json --rejects rejects {QUICK}");
    let mut first: Option<Value> = None;
    for (framing, bytes) in framings(&documents()) {
        let mut places: Option<Vec<Value>> = None;
        for (wrapping, stored) in wrappings(&bytes) {
            folder.write("input", &stored);
            let server = HttpServer::start(ServedFile::of(stored.clone()), |_| Treat::Fine);
            for source in ["file", "URL", "pipe"] {
                let output = match source {
                    "file" => folder.run(&format!("validate input {options}")),
                    "URL" => folder.run(&format!("validate {} {options}", server.url("input"))),
                    _ => folder.run_fed(&format!("validate - {options}"), |mut stdin| {
                        stdin.write_all(&stored).expect("the program reads");
                    }),
                };
                let what = format!("{framing}, {wrapping}, {source}");
                let (verdicts, found) = verdicts(&folder, &output);
                assert_eq!(verdicts, *first.get_or_insert_with(|| verdicts.clone()), "{what}");
                assert_eq!(found, *places.get_or_insert_with(|| found.clone()), "{what}");
            }
        }
    }
}
