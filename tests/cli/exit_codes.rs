//! Each exit code that needs no database, with all that an operator sees then.

use std::fmt::Write as _;

use crate::{
    documents::{faulty, mixed, valid},
    folder::Folder,
    process::Output,
    snapshots::assert_transcript,
};

/// Runs the command lines one after another; each has to end with `code`.
fn transcript(folder: &Folder, code: i32, lines: &[&str]) -> String {
    let mut transcript = String::new();
    for line in lines {
        let output = folder.run(line);
        assert_eq!(output.code, Some(code), "{line}\n{}{}", output.stderr, output.stdout);
        let Output { stdout, stderr, .. } = output;
        write!(transcript, "$ profile-loader {line}\n{stderr}{stdout}\n").expect("writing to a String");
    }
    transcript
}

#[test]
fn code_0_when_every_document_is_valid() {
    let folder = Folder::with("customers.ndjson", mixed(3, 7).replace(&faulty(0), &valid(0)));
    folder.write("empty.ndjson", "");
    folder.write("blank.ndjson", "\n  \r\n\n");
    let lines = ["validate customers.ndjson", "validate empty.ndjson", "validate blank.ndjson", "validate -"];
    assert_transcript("exit_code_0", &transcript(&folder, 0, &lines));
    transcript(&folder, 0, &["--help", "--version", "validate -h", "schema"]);
    transcript(
        &folder,
        0,
        &["validate customers.ndjson --max-rejects 0", "validate empty.ndjson --max-rejects 0%"],
    );
}

#[test]
fn code_1_when_documents_were_rejected() {
    let folder = Folder::with("customers.ndjson", mixed(5, 4));
    let lines = ["validate customers.ndjson", "validate customers.ndjson --rejects rejects"];
    assert_transcript("exit_code_1", &transcript(&folder, 1, &lines));
}

#[test]
fn code_2_when_an_input_is_not_there_or_cannot_be_one() {
    let folder = Folder::with("customers.ndjson", valid(1));
    folder.write("export/part.ndjson", valid(2));
    folder.write("rejects/rejects.ndjson.partial", faulty(3));
    let lines = [
        "validate",
        "validate custmers.ndjson",
        "validate nothing/like/it",
        "validate *.gz",
        "validate [",
        "validate export",
        "validate - -",
        "validate rejects/rejects.ndjson.partial --rejects rejects",
        "validate customers.ndjson --rejects customers.ndjson",
    ];
    assert_transcript("exit_code_2_inputs", &transcript(&folder, 2, &lines));
}

#[test]
fn code_2_when_an_input_is_not_ndjson() {
    let folder = Folder::with("customers.ndjson", valid(1));
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| {
        let text = format!("\u{feff}{}", valid(1));
        text.encode_utf16().flat_map(to_bytes).collect::<Vec<_>>()
    };
    folder.write("little.json", utf16(u16::to_le_bytes));
    folder.write("big.json", utf16(u16::to_be_bytes));
    folder.write("wrapped.json", format!("{{\"customers\":[\n  {}]}}", valid(1)));
    folder.write("comma.json", format!("[\n{},]", valid(1)));
    folder.write("quote.json", format!("[\n{},\n{}]", valid(1).replacen("\",", ",", 1), valid(2)));
    folder.write("export.csv", "id,firstName,lastName\n1,Ann,Lee\n");
    folder.write("login.html", "<!doctype html>\n<title>Please log in</title>\n");
    folder.write("export.zip", b"PK\x03\x04\x14\0");
    folder.write("export.xz", b"\xfd7zXZ\0\0");
    folder.write("export.bz2", b"BZh91AY&SY");
    folder.write("export.parquet", b"PAR1\x15\x04");
    let lines = [
        "validate wrapped.json",
        "validate comma.json",
        "validate quote.json",
        "validate little.json",
        "validate big.json",
        "validate export.csv",
        "validate login.html",
        "validate export.zip",
        "validate export.xz",
        "validate export.bz2",
        "validate export.parquet",
        "validate customers.ndjson wrapped.json",
    ];
    assert_transcript("exit_code_2_formats", &transcript(&folder, 2, &lines));
    assert_eq!(
        folder.run("validate customers.ndjson wrapped.json").stdout,
        "",
        "looked at before the first is read"
    );
}

#[test]
fn code_2_when_the_words_make_no_sense() {
    let folder = Folder::with("customers.ndjson", valid(1));
    let lines = [
        "vaildate customers.ndjson",
        "validate customers.ndjson --reject rejects",
        "validate customers.ndjson --jobs 0",
        "validate customers.ndjson --chunk-bytes 0",
        "validate customers.ndjson --max-rejects 101%",
        "validate customers.ndjson --max-rejects few",
        "validate customers.ndjson --report report.txt",
        "validate customers.ndjson --report nowhere/report.json",
        "validate customers.ndjson --max-rejects -1",
        "validate customers.ndjson --output xml",
        "validate customers.ndjson --color sometimes",
        "validate customers.ndjson --log-format xml",
        "validate customers.ndjson -q -v",
        "load customers.ndjson --connections 0",
        "load customers.ndjson --connections 65",
        "load customers.ndjson --on-existing replace",
        "load customers.ndjson --embedded=data --database-url postgresql://db.example/app",
    ];
    assert_transcript("exit_code_2_usage", &transcript(&folder, 2, &lines));
    assert_eq!(folder.names("."), ["customers.ndjson"], "nothing was made");
}

#[test]
fn code_2_when_the_database_is_not_named_rightly() {
    let folder = Folder::with("customers.ndjson", valid(1));
    let lines = [
        "load customers.ndjson",
        "load customers.ndjson --database-url mysql://db.example/app",
        "load customers.ndjson --database-url postgresql://db.example/app?sslmode=maybe",
        "load customers.ndjson --database-url postgresql://db.example:port/app",
    ];
    assert_transcript("exit_code_2_database", &transcript(&folder, 2, &lines));
}

#[test]
fn code_2_when_the_json_schema_cannot_be_used() {
    let folder = Folder::with("customers.ndjson", valid(1));
    folder.write("folder/file", "");
    folder.write("broken.json", "{\"type\": \"object\"\n");
    folder.write("type.json", r#"{"type": "objekt"}"#);
    folder.write("format.json", r#"{"properties": {"id": {"type": "string", "format": "uid"}}}"#);
    folder.write("pattern.json", r#"{"properties": {"id": {"pattern": "("}}}"#);
    folder.write("remote.json", r#"{"$ref": "https://schemas.example/customer.json"}"#);
    folder.write("local.json", r#"{"$ref": "file:///etc/passwd"}"#);
    let lines = [
        "validate customers.ndjson --json-schema missing.json",
        "validate customers.ndjson --json-schema folder",
        "validate customers.ndjson --json-schema broken.json",
        "validate customers.ndjson --json-schema type.json",
        "validate customers.ndjson --json-schema format.json",
        "validate customers.ndjson --json-schema pattern.json",
        "validate customers.ndjson --json-schema remote.json",
        "validate customers.ndjson --json-schema local.json",
    ];
    assert_transcript("exit_code_2_json_schema", &transcript(&folder, 2, &lines));
}

#[test]
fn code_3_when_too_many_documents_were_rejected() {
    let folder = Folder::with("customers.ndjson", mixed(100, 10));
    assert_eq!(folder.run("validate customers.ndjson --max-rejects 10").code, Some(1));
    assert_eq!(folder.run("validate customers.ndjson --max-rejects 10%").code, Some(1));
    let lines = [
        "validate customers.ndjson --max-rejects 9",
        "validate customers.ndjson --max-rejects 9.9%",
        "validate customers.ndjson --max-rejects 0 --rejects rejects",
    ];
    assert_transcript("exit_code_3", &transcript(&folder, 3, &lines));
    assert_eq!(folder.names("rejects"), ["rejects.errors.ndjson.partial", "rejects.ndjson.partial"]);
}

/// Faulty documents first, good ones behind: the share is past its limit only before the end.
#[test]
fn a_share_counts_from_1000_documents_on() {
    let faulty_first = |faulty_count: usize, count: usize| -> String {
        (0..count).map(|number| if number < faulty_count { faulty(number) } else { valid(number) }).collect()
    };
    let folder = Folder::with("late.ndjson", faulty_first(999, 9990));
    folder.write("early.ndjson", faulty_first(1001, 10_010));
    let code = |name: &str| {
        folder.run(&format!("validate {name} --max-rejects 10% --chunk-bytes 1 --report report.json")).code
    };
    // 999 of the first 1000 are faulty, so both stop there.
    assert_eq!((code("late.ndjson"), code("early.ndjson")), (Some(3), Some(3)));
    assert_eq!(folder.read_report("report.json")["documents"]["read"], 1000);
    folder.write("short.ndjson", faulty_first(99, 990));
    assert_eq!(code("short.ndjson"), Some(1), "10 % of 990 at the end, looked at only there");
    folder.write("short.ndjson", faulty_first(100, 990));
    assert_eq!(code("short.ndjson"), Some(3));
}
