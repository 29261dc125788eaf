//! What exports, logs, pipes and archives make of an input: what is read of it, and what is said about it.
//!
//! Each is read from a file and from standard input, as it is and in gzip.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::process::{Output, binary};

/// In every document, and in no message.
const SECRET: &str = "s3cret";

struct Case {
    /// The public report.
    source: &'static str,
    input: Vec<u8>,
    code: i32,
    /// Documents that are accepted, and rejected.
    counts: [u64; 2],
    /// In standard error, or in the report if there is one.
    says: &'static [&'static str],
}

pub(crate) fn document(number: usize) -> String {
    format!(
        r#"{{"id":"{number:08x}-8b86-4011-b42d-00c04fc964ff","firstName":"s3cret","lastName":"Łé漢字","emails":["s3cret{number}@example.com"],"privacySettings":{{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}}}"#
    )
}

/// Documents, with the same before and behind each.
pub(crate) fn each(before: &str, behind: &str) -> Vec<u8> {
    (0..3).flat_map(|number| [before, &document(number), behind].concat().into_bytes()).collect()
}

/// Something, and three documents behind it.
pub(crate) fn first(line: impl AsRef<[u8]>) -> Vec<u8> {
    [line.as_ref(), b"\n", &each("", "\n")].concat()
}

pub(crate) fn text() -> String {
    String::from_utf8(each("", "\n")).expect("documents are text")
}

pub(crate) fn pretty() -> String {
    let value: serde_json::Value = serde_json::from_str(&document(0)).expect("it is JSON");
    serde_json::to_string_pretty(&value).expect("it is JSON") + "\n"
}

pub(crate) fn strings() -> Vec<u8> {
    let lines: Vec<_> = text().lines().map(|line| serde_json::Value::from(line).to_string()).collect();
    (lines.join("\n") + "\n").into_bytes()
}

/// As Docker's json-file driver writes what a container prints: a long line in several pieces.
pub(crate) fn container_log() -> Vec<u8> {
    let text = text();
    let (begin, end) = text.split_at(40);
    let line = |log: &str| {
        let line =
            serde_json::json!({ "log": log, "stream": "stdout", "time": "2024-01-01T00:00:00.000000001Z" });
        format!("{line}\n")
    };
    let lines: String = end.split_inclusive('\n').map(line).collect();
    (line(begin) + &lines).into_bytes()
}

/// As COPY writes it.
pub(crate) fn csv_of_json() -> String {
    let quoted = text().replace('"', "\"\"").replace('\n', "\"\n\"");
    format!("\"{}\n", quoted.trim_end_matches('"'))
}

pub(crate) fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn utf32(text: &str, to_bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|c| to_bytes(u32::from(c))).collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

/// One file, as POSIX has it.
pub(crate) fn tar(bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..8].copy_from_slice(b"a.ndjson");
    header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
    header[148..156].fill(b' ');
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len() + 1024];
    [&header, bytes, &padding].concat()
}

fn sound(source: &'static str, input: Vec<u8>, accepted: u64) -> Case {
    Case { source, input, code: 0, counts: [accepted, 0], says: &[] }
}

/// Three documents are accepted.
fn beside(source: &'static str, input: Vec<u8>, rejected: u64, says: &'static [&'static str]) -> Case {
    Case { source, input, code: 1, counts: [3, rejected], says }
}

fn refused(source: &'static str, input: impl Into<Vec<u8>>, says: &'static [&'static str]) -> Case {
    Case { source, input: input.into(), code: 2, counts: [0, 0], says }
}

/// The first bytes of one for Linux.
const PROGRAM: &[u8] =
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\x40\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0";

const BOM: &str = "\u{feff}";
const ISSUE: &str = "own: neighbours of a report";

#[rustfmt::skip]
fn lines() -> Vec<Case> {
    let log = &["text of a log"][..];
    vec![
        beside("vectordotdev/vector#18341", first("[INFO] started"), 1, &["a line of a log"]),
        beside(ISSUE, first("[2024-01-01 12:00:00] started, at last"), 1, &["a line of a log"]),
        beside(ISSUE, first("[1] started"), 1, &["a line of a log"]),
        beside(ISSUE, first("2024-01-01T12:00:00Z INFO started"), 1, &["a line of a log"]),
        beside(ISSUE, first("WARN: id,name"), 1, &["a line of a log"]),
        beside(ISSUE, first(format!("[INFO] {}", document(9))), 1, log),
        beside("ozontech/file.d#912", first("<7>Nov  7 12:00:00 host app: started"), 1, &["syslog"]),
        beside("ozontech/file.d#912", first(format!("<7>1 2024-01-01T00:00:00Z h a - - - {}", document(9))), 1, log),
        beside("elastic/logstash#5481", first(format!("data: {}", document(9))), 1, &["'data: '", "sed 's/^data: *//'"]),
        beside(ISSUE, first("id: 1\nevent: x\ndata: {}\n"), 3, &["server-sent event"]),
        beside("mongo-express/mongo-express#433", first("["), 1, &["bracket of an array"]),
        beside(ISSUE, first("[]"), 1, &["not an object"]),
        beside(ISSUE, first(format!("[{}]", document(9))), 1, &["an array: write", "then .[] else . end"]),
        beside(ISSUE, first("<p>502 Bad Gateway</p>"), 1, &["HTML"]),
        beside(ISSUE, first("<html>\n<body>\n</body>\n</html>"), 4, &["HTML"]),
        beside(ISSUE, first("<script>"), 1, &["HTML"]),
        beside(ISSUE, first("# exported,by,x"), 1, &["a comment"]),
        beside(ISSUE, first("// exported,by,x"), 1, &["a comment"]),
        beside(ISSUE, first("---"), 1, &["YAML"]),
        beside(ISSUE, first(" doc \n-----"), 2, &["drawn table"]),
        beside(ISSUE, first("+----+"), 1, &["drawn table"]),
        beside("stackoverflow.com/questions/24190039", first(r"\N"), 1, &["COPY"]),
        beside(ISSUE, first("id,name"), 1, &[]),
        beside(ISSUE, first(format!("9\t{}", document(9))), 1, &["text stands before a document"]),
        beside(ISSUE, first("{"), 1, &[]),
        beside("simonw/sqlite-utils#417", first(document(9).replace(",\"last", ",\n\"last")), 2, &[]),
        beside("duckdb/duckdb#23120", first(format!("{}{}", document(8), document(9))), 1, &["another document follows", "jq -c ."]),
        beside("duckdb/duckdb#23120", first(format!("{}TRAILER", document(9))), 1, &["something follows"]),
        beside("ClickHouse/ClickHouse#5770", first(format!("{},", document(9))), 1, &["a comma follows the document"]),
        beside("jqlang/jq#3156", first(format!("\u{1e}{}", document(9))), 1, &["U+001E", r"tr -d '\036'"]),
        beside("duckdb/duckdb#16568", first(format!("{BOM}{BOM}{}", document(9))), 1, &["U+FEFF"]),
        beside("duckdb/duckdb#16568", first(format!("\n{BOM}{}", document(9))), 1, &["U+FEFF", "sed"]),
        beside("duckdb/duckdb#16568", first(format!("{}{BOM}{}", document(8), document(9))), 1, &["U+FEFF"]),
        Case { source: "duckdb/duckdb#16568", input: each(BOM, "\n"), code: 1, counts: [1, 2], says: &["U+FEFF"] },
        beside("ndjson.org", first(format!("{}\r{}", document(8), document(9))), 1, &["U+000D", r"tr '\r' '\n'"]),
        beside("ndjson.org", first(document(9).replace("s3cret", "s3cret\r")), 1, &["U+000D"]),
        beside("datalad/datalad#3523", first("\u{2028}"), 1, &["U+2028"]),
        beside("datalad/datalad#3523", [each("", "\n"), b"\x1a\n".to_vec()].concat(), 1, &["U+001A"]),
        beside("airbytehq/airbyte#3476", first([0; 40]), 1, &["U+0000"]),
        beside(ISSUE, first([&[0; 4096], document(9).as_bytes()].concat()), 1, &["a hole", r"tr -d '\000'"]),
        beside(ISSUE, [each("", "\n"), vec![0; 4096]].concat(), 1, &["a hole", "missing"]),
        beside(ISSUE, [each("", "\n"), vec![0; 17 << 20]].concat(), 1, &["longer than 16 MiB: it holds a hole", r"tr -d '\000'"]),
        beside(ISSUE, [&each("", "\n"), PROGRAM, b"\n"].concat(), 1, &["not text", "a program"]),
        beside(ISSUE, first(format!("'{}'", document(9))), 1, &["single quotes", "sed"]),
        beside(ISSUE, first(format!("9\t{} in 3 ms", document(9))), 1, &["before a document and behind it"]),
        beside("airbytehq/airbyte#3476", first(utf16(&document(9), u16::to_be_bytes)), 1, &["UTF-16", "iconv"]),
        beside("airbytehq/airbyte#3476", first([b"{}\n".to_vec(), utf16(&format!("{BOM}{}", document(9)), u16::to_le_bytes)].concat()), 2, &["UTF-16", "iconv"]),
        beside(ISSUE, [each("", "\n"), strings()].concat(), 3, &["a string that seems to hold a document", "fromjson"]),
        sound("duckdb/duckdb#16568", [BOM.as_bytes(), &each("", "\n")].concat(), 3),
        sound("ndjson.org", each("", "\r\n"), 3),
        sound("ndjson.org", each("\n \t\n", "\r\r\n"), 3),
        sound("ndjson.org", [document(0).as_bytes(), b"\r"].concat(), 1),
        sound("ndjson.org", document(0).replace(",\"", ",\r\"").into_bytes(), 1),
        sound(ISSUE, each(" ", "\n"), 3),
    ]
}

#[rustfmt::skip]
fn formats() -> Vec<Case> {
    let cr = &["CR alone", r"tr '\r' '\n'"][..];
    vec![
        refused("ClickHouse/ClickHouse#5770", [&b"{\"customers\":[\n"[..], &each("", ",\n"), document(3).as_bytes(), b"\n]}\n"].concat(), &["an array of documents", "jq -c '.[] | arrays[]'"]),
        refused("simonw/sqlite-utils#417", pretty().trim_end().to_owned() + ",\n" + &pretty(), &["documents with commas between them", "jq -c ."]),
        refused(ISSUE, strings(), &["JSON strings that hold JSON", "jq -c fromjson"]),
        refused(ISSUE, csv_of_json(), &["CSV with JSON in its only column"]),
        refused("ndjson.org", each("", "\r"), cr),
        refused("ndjson.org", each("\r", "\r"), cr),
        refused(ISSUE, each("data: ", "\n\n"), &["server-sent events", "sed -n"]),
        refused(ISSUE, each("id: 1\nevent: x\ndata: ", "\n\n"), &["server-sent events"]),
        refused(ISSUE, each("[INFO] ", "\n"), &["before each document", "sed"]),
        refused(ISSUE, each("'", "'\n"), &["documents in single quotes", "sed"]),
        refused(ISSUE, container_log(), &["a log of Docker", "jq -j .log"]),
        refused(ISSUE, vec![0; 4096], &["a hole", "missing", r"tr -d '\000'"]),
        refused(ISSUE, PROGRAM, &["a program"]),
        refused(ISSUE, [PROGRAM, b"\n", &each("", "\n")].concat(), &["a program"]),
        refused(ISSUE, b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", &["a PDF file", "ask for the data"]),
        refused(ISSUE, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", &["a PDF file", "ask for the data"]),
        refused("elixir-ecto/postgrex#594", utf16(&text(), u16::to_le_bytes), &["UTF-16", "iconv -f UTF-16LE"]),
        refused("elixir-ecto/postgrex#594", utf16(&text(), u16::to_be_bytes), &["UTF-16", "iconv -f UTF-16BE"]),
        refused("elixir-ecto/postgrex#594", utf16(&format!("{BOM}{}", text()), u16::to_le_bytes), &["UTF-16", "iconv -f UTF-16 "]),
        refused("elixir-ecto/postgrex#594", utf16(&format!("\n{}", text()), u16::to_le_bytes), &["UTF-16", "iconv"]),
        refused("elixir-ecto/postgrex#594", utf16(&format!("\r\n{}", text()), u16::to_be_bytes), &["UTF-16", "iconv"]),
        refused("elixir-ecto/postgrex#594", [b"\n".to_vec(), utf16(&format!("{BOM}{}", text()), u16::to_be_bytes)].concat(), &["UTF-16", "tail -c +2"]),
        refused("elixir-ecto/postgrex#594", utf32(&format!("{BOM}{}", text()), u32::to_le_bytes), &["UTF-32", "iconv -f UTF-32"]),
        refused("elixir-ecto/postgrex#594", utf32(&format!("{BOM}{}", text()), u32::to_be_bytes), &["UTF-32", "iconv -f UTF-32"]),
        refused("elixir-ecto/postgrex#594", utf32(&text(), u32::to_le_bytes), &["UTF-32", "iconv -f UTF-32LE"]),
        refused("elixir-ecto/postgrex#594", utf32(&format!("\n{}", text()), u32::to_be_bytes), &["UTF-32", "iconv -f UTF-32BE"]),
        refused("matrixorigin/matrixone#14485", tar(&each("", "\n")), &["a tar archive", "tar -x"]),
        refused("greenelab/crossref#12", zlib(&each("", "\n")), &["a zlib stream", "pigz -dc"]),
        refused("greenelab/crossref#12", gzip(&gzip(&each("", "\n"))), &["compressed twice", "gunzip -c"]),
        refused("greenelab/crossref#12", gzip(&zstd::encode_all(&each("", "\n")[..], 3).expect("writing to a Vec")), &["compressed twice"]),
        refused("greenelab/crossref#12", b"\x04\x22\x4d\x18\x64\x40\xa7\x05\0\0\0\x01{}", &["an lz4 stream", "lz4 -dc"]),
        refused("greenelab/crossref#12", b"\xfd7zXZ\0\0\x04", &["an xz stream", "xz -dc"]),
        refused("greenelab/crossref#12", b"BZh91AY&SY\xd3\x5f\x01", &["a bzip2 stream", "bzip2 -dc"]),
        refused("greenelab/crossref#12", b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff", &["an lzma stream", "xz --format=lzma -dc"]),
        refused("greenelab/crossref#12", b"\x1f\x9d\x90\x7b\xfa", &["a stream of compress", "gzip -dc"]),
        refused("greenelab/crossref#12", b"7z\xbc\xaf\x27\x1c\0\x04", &["a 7z archive", "7z x -so"]),
        refused("greenelab/crossref#12", b"PK\x03\x04\x14\0", &["a ZIP archive", "unzip -p"]),
        refused("greenelab/crossref#12", b"Obj\x01\x04\x16avro.schema", &["an Avro file"]),
        refused("greenelab/crossref#12", b"PAR1\x15\x04\x15", &["a Parquet file"]),
        refused("greenelab/crossref#12", b"ORC\x08\x03\x10", &["an ORC file"]),
        refused("greenelab/crossref#12", b"SQLite format 3\0\x10\0", &["an SQLite database"]),
        refused("greenelab/crossref#12", b"PGDMP\x01\x0e\0", &["pg_dump", "pg_restore"]),
        refused("nao1215/sqly#389", b"id,firstName\n1,s3cret\n2,s3cret\n", &["CSV"]),
        refused("nao1215/sqly#389", b"\xef\xbb\xbf\"id\";\"firstName\"\r\n\"1\";\"a;b\"\r\n", &["CSV"]),
        refused("stackoverflow.com/questions/24190039", b"1\tAnn\t\\N\n2\tBea\t\\N\n", &["CSV"]),
        refused(ISSUE, b"\n<!DOCTYPE html>\n<html>s3cret</html>\n", &["an HTML or XML page"]),
        refused(ISSUE, b" id | name \n----+-----\n 1 | s3cret\n", &["psql"]),
        refused(ISSUE, b"+----+\n| id |\n+----+\n", &["mysql"]),
        refused(ISSUE, b"---\nid: 1\nname: s3cret\n", &["YAML"]),
        refused(ISSUE, b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n", &["Git LFS", "git lfs pull"]),
    ]
}

/// Documents in other framings than NDJSON.
#[rustfmt::skip]
fn framings() -> Vec<Case> {
    let array = |documents: &[u8]| [b"[", documents, b"]\n"].concat();
    let of = |documents: &str| array(documents.as_bytes());
    let all = format!("{},{},{}", document(0), document(1), document(2));
    let stops = |input: Vec<u8>, accepted, says| Case { source: ISSUE, input, code: 2, counts: [accepted, 0], says };
    let ends = |input: Vec<u8>, accepted, says| Case { source: ISSUE, input, code: 4, counts: [accepted, 0], says };
    vec![
        sound("mongo-express/mongo-express#433", of(&all), 3),
        sound("mongo-express/mongo-express#433", [&b"\n[\n"[..], &each("", ",\n"), document(3).as_bytes(), b"\n]\n"].concat(), 4),
        sound(ISSUE, format!("{BOM}[{all}]\r\n[]\n[{}]", document(3)).into_bytes(), 4),
        sound("simonw/sqlite-utils#417", pretty().into_bytes(), 1),
        sound("simonw/sqlite-utils#417", of(&pretty()), 1),
        sound("duckdb/duckdb#23120", each("", ""), 3),
        sound("duckdb/duckdb#23120", each("", " "), 3),
        sound("jqlang/jq#3156", each("\u{1e}", "\n"), 3),
        sound("jqlang/jq#3191", format!("\u{1e}{}", pretty()).into_bytes(), 1),
        sound(ISSUE, b"[]".to_vec(), 0),
        beside(ISSUE, of(&format!("{all},12,null")), 2, &["not an object"]),
        beside(ISSUE, of(&format!("{all},[{}]", document(3))), 1, &["an array: write"]),
        beside(ISSUE, of(&format!("{all},oops")), 1, &["not valid JSON"]),
        beside(ISSUE, of(&format!("{{'id':1}},{all}")), 1, &["not valid JSON"]),
        beside(ISSUE, of(&format!("{},{all}", document(4).replace("s3cret", "\"s3cret\""))), 1, &["not valid JSON"]),
        beside(ISSUE, [&each("\u{1e}", "\n"), &b"\x1e{\"id\":\n"[..]].concat(), 1, &["EOF while parsing"]),
        stops(of(&format!("{all},")), 3, &["a comma before the ]", "byte "]),
        stops(of(&format!("{},,{}", document(0), document(1))), 1, &["a comma where a document has to stand"]),
        stops([of(&all), b"trailer".to_vec()].concat(), 3, &["text between documents that is no JSON (line 2,"]),
        stops(of(&all.replacen(']', "", 1)), 0, &["whose end can't be told", "where none can stand"]),
        stops(of(&format!("{},{}", document(0), document(1).replacen("\",", ",", 1))), 1, &["a quote of a string seems"]),
        ends(of(&all)[..all.len() - 9].to_vec(), 2, &["ends in the middle of a document (line 1, which starts at byte "]),
        ends(array(format!("\n{all}\n").as_bytes())[..all.len() + 3].to_vec(), 3, &["ends inside the array that starts at line 1, byte 0"]),
    ]
}

pub(crate) fn validate(folder: &std::path::Path, name: &str, input: &[u8]) -> Output {
    let mut command = binary();
    command.current_dir(folder).args(["validate", name, "--report", "report.json"]);
    let _ = fs::remove_file(folder.join("report.json"));
    feed(&mut command, if name == "-" { input } else { b"" })
}

fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may have ended at the first bytes.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

fn check(case: &Case) {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let wrapped = gzip(&case.input);
    let plain_name = if case.input.starts_with(b"\x1f\x8b") { "wrapped.gz" } else { "plain" };
    fs::write(folder.path().join(plain_name), &case.input).expect("the folder is writable");
    fs::write(folder.path().join("a.gz"), &wrapped).expect("the folder is writable");
    for (name, input) in [(plain_name, &case.input), ("-", &case.input), ("a.gz", &wrapped), ("-", &wrapped)]
    {
        let output = validate(folder.path(), name, input);
        let report = fs::read_to_string(folder.path().join("report.json")).unwrap_or_default();
        let told = format!(
            "{}: {name}: {:?}\n{}{report}",
            case.source,
            String::from_utf8_lossy(&case.input[..case.input.len().min(80)]),
            output.stderr
        );
        assert_eq!(output.code, Some(case.code), "{told}");
        assert!(!format!("{}{}{report}", output.stdout, output.stderr).contains(SECRET), "{told}");
        let messages = messages_of(&report, case.counts, &told) + &output.stderr;
        for words in case.says {
            assert!(messages.contains(words), "no '{words}': {told}");
        }
        assert!(!messages.contains("panicked"), "{told}");
    }
}

/// All messages of a report, whose counts are as expected.
fn messages_of(report: &str, counts: [u64; 2], told: &str) -> String {
    if report.is_empty() {
        return String::new();
    }
    let report: serde_json::Value = serde_json::from_str(report).expect("a report is JSON");
    let found = ["accepted", "rejected"].map(|name| report["documents"][name].as_u64().unwrap_or(u64::MAX));
    assert_eq!(found, counts, "{told}");
    let errors = report["errors"].as_array().expect("a list");
    errors.iter().filter_map(|error| error["message"].as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_line_of_something_else_is_one_lines_fault() {
    lines().iter().for_each(check);
}

#[test]
fn other_framings_are_read_as_they_are() {
    framings().iter().for_each(check);
}

#[test]
fn other_formats_are_refused_with_the_command() {
    formats().iter().for_each(check);
}
