use std::io::Write as _;

use super::*;

pub(super) const DOCUMENT: &str = r#"{"id":"1","firstName":"A"}"#;

/// Documents framed as JSON has it.
pub(super) const JSON: Option<&str> = Some("JSON");

pub(super) fn check(head: impl AsRef<[u8]>, expected: Option<&str>) {
    let head = head.as_ref();
    let text = String::from_utf8_lossy(&head[..head.len().min(300)]);
    let found = match framing(head, FramingRequest::Auto, "f", "plain") {
        Ok(Framing::Ndjson) => None,
        Ok(Framing::Json) => JSON,
        Err(foreign) => Some(foreign.found),
    };
    assert_eq!(found, expected, "{text:?}");
}

fn foreign(head: &[u8], name: &str, form: &str) -> Option<Foreign> {
    framing(head, FramingRequest::Auto, name, form).err()
}

fn wide(text: &str, unit: fn(char) -> Vec<u8>) -> Vec<u8> {
    text.chars().flat_map(unit).collect()
}

type Encode = fn(char) -> Vec<u8>;

const WIDTHS: [(&str, Encode); 4] = [
    ("UTF-16", |c| u16::try_from(u32::from(c)).unwrap().to_le_bytes().to_vec()),
    ("UTF-16", |c| u16::try_from(u32::from(c)).unwrap().to_be_bytes().to_vec()),
    ("UTF-32", |c| u32::from(c).to_le_bytes().to_vec()),
    ("UTF-32", |c| u32::from(c).to_be_bytes().to_vec()),
];

#[test]
fn other_formats_are_named() {
    check(b"[{\"id\":1}]", JSON);
    check(b"\n\n  [\n {\"id\":1}\n]", JSON);
    check(b"{\n  \"id\": 1\n}\n", JSON);
    check(b"{\"id\": 1,\n \"firstName\": \"A\"}\n", JSON);
    check(b"{\r\n", JSON);
    check(b"\xff\xfe{\0", Some("UTF-16"));
    check(b"{\0\"\0", Some("UTF-16"));
    check(b"\xfe\xff\0{", Some("UTF-16"));
    check(b"id,firstName\n1,Ann\n", Some("CSV"));
    check(b"\"id\";\"firstName\"\n", Some("CSV"));
    check(b"id\tfirstName\n1\t\\N\n2\tB\n", Some("CSV"));
    check(b"<!doctype html>\n<html>", Some("an HTML or XML page"));
    check(b"PK\x03\x04..", Some("a ZIP archive"));
}

#[test]
fn ndjson_and_its_broken_lines_are_left_alone() {
    check(b"", None);
    check(b"\n \n", None);
    check(b"{}\n{}\n", None);
    check(b"{\"id\": 1\n{\"id\": 2}\n", None);
    check(b"{\"id\": 1,\n{\"id\": 2}\n", None);
    check(b"oops, a log line\n{\"id\": 2}\n", None);
    check(b"null\n1\n", None);
    check(b"\"a,b\"\n{}\n", None);
    check(b"{\"truncated\":\"li", None);
    check(b"\n{", None);
}

/// Whatever the first line is, documents below it are read.
#[test]
fn one_line_of_something_else_is_no_format() {
    let lines = [
        "[INFO] started",
        "[2024-01-01 12:00:00] started",
        "[1] started",
        "[1]",
        "[]",
        "[",
        "[{\"id\":1}]",
        "<7>Nov  7 12:00:00 host app: started",
        "<html>",
        "<p>502 Bad Gateway</p>",
        "<script>",
        "<?xml version=\"1.0\"?>",
        "data: {\"id\":1}",
        "id: 1\nevent: x\ndata: {}\n",
        "# a comment",
        "// a comment",
        "---",
        "-- a comment;",
        " id | doc \n----+-----",
        "+----+\n| id |\n+----+",
        r"\N",
        "id,firstName",
        "id,firstName\n1,Ann",
        "key\t{\"id\":1}",
        "\u{feff}{\"id\":1}",
        "\u{1e}{\"id\":1}",
        "\"{\\\"id\\\":1}\"",
        "\0",
        "{",
        "{\"id\": 1,",
        "{\"id\": 1,\n\"a\": 2",
        "{\"emails\": [",
        "{\"id\": 1, \"address\":",
        "x^\u{1}",
        "ORC",
        "PAR1",
        "BZh9",
        "{\"id\":1}\r{\"id\":2}",
    ];
    for line in lines {
        for documents in [1, 2, 40] {
            for blank in ["", "\n", "\r\n"] {
                let text = format!("{blank}{line}\n{}", format!("{DOCUMENT}\n").repeat(documents));
                check(text, None);
            }
        }
    }
}

#[test]
fn documents_behind_the_head_count() {
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(2 * HEAD_BYTES));
    for line in ["[INFO] started, at last", "[", "<html>", "data: {}", "id,name"] {
        check(format!("{line}\n{long}\n{long}\n"), None);
    }
    check(format!("{{\"id\":\n1}}\n{long}\n"), None);
    check(&long, None);
    check(format!("{long}\r{long}"), None);
}

#[test]
fn an_array_is_one_to_its_end() {
    let item = "{\"id\":1,\"emails\":[\"a\"]}";
    for text in [
        format!("[\n{item},\n{item}\n]\n"),
        format!("[\n{item}\n,{item}\n]\n"),
        format!("[{item},\n{item}]\n"),
        format!("[\n{item},\n{item}"),
        format!("[\n{item},\n{item},\n]\n"),
        format!("[{item}]\n[{item}]\n"),
        format!("[\n{}", format!("{item},\n").repeat(10_000)),
        format!("[{item}]\ntrailer\n"),
        "[]".to_owned(),
        "[\n  {\n    \"a\": {\"b\": 1}\n  }\n]".to_owned(),
    ] {
        check(text, JSON);
    }
}

#[test]
fn documents_over_several_lines() {
    let pretty = "{\n  \"id\": 1,\n  \"phoneNumbers\": [\n    {\"type\": \"home\"}\n  ]\n}\n";
    check(pretty.repeat(3), JSON);
    check(pretty.repeat(3000), JSON);
    check(format!("{pretty}{DOCUMENT}\n"), None);
    check(format!("{DOCUMENT}\n{pretty}"), None);
    for text in [
        format!("{{\"customers\":[\n{DOCUMENT},\n{DOCUMENT}\n]}}\n"),
        format!("{{\n  \"customers\": [\n    {DOCUMENT}\n  ]\n}}\n"),
        format!("{{\"customers\":[\n{}", format!("{DOCUMENT},\n").repeat(5000)),
    ] {
        check(text, Some("a JSON object with an array of documents"));
    }
}

#[test]
fn wide_text_is_told_with_and_without_its_mark() {
    let text = format!("{DOCUMENT}\n{}\n", DOCUMENT.replace('A', "Łé漢字"));
    for (name, unit) in WIDTHS {
        for start in ["", "\u{feff}", "\n", "\r\n\r\n", "\u{feff}\n", " "] {
            check(wide(&format!("{start}{text}"), unit), Some(name));
            check(wide(&format!("{start}[{text}]"), unit), Some(name));
            check(wide(&format!("{start}id,name\n1,2\n"), unit), Some(name));
        }
        // Appended to a blank line of bytes.
        check([b"\n".to_vec(), wide(&format!("\u{feff}{text}"), unit)].concat(), Some(name));
        if name == "UTF-16" {
            check([b"\r\n".to_vec(), wide(&text, unit)].concat(), Some(name));
        }
        // Behind documents it is a fault of its lines.
        check([format!("{DOCUMENT}\n").into_bytes(), wide(&text, unit)].concat(), None);
    }
    let fix = |text: Vec<u8>| foreign(&text, "f", "plain").unwrap().fix;
    let [little, big, ..] = WIDTHS;
    assert_eq!(fix(wide(&text, little.1)), "convert it with: iconv -f UTF-16LE -t UTF-8 f");
    assert_eq!(fix(wide(&text, big.1)), "convert it with: iconv -f UTF-16BE -t UTF-8 f");
    let marked = wide(&format!("\u{feff}{text}"), big.1);
    assert_eq!(fix(marked.clone()), "convert it with: iconv -f UTF-16 -t UTF-8 f");
    let behind_blank = [b"\n".to_vec(), marked].concat();
    assert_eq!(fix(behind_blank), "convert it with: tail -c +2 f | iconv -f UTF-16 -t UTF-8");
}

#[test]
fn line_ends_and_separators_of_others() {
    let cr = "lines that end in CR alone";
    check(format!("{DOCUMENT}\r{DOCUMENT}\r"), Some(cr));
    check(format!("\r[INFO] a\r{DOCUMENT}\r{DOCUMENT}"), Some(cr));
    check(format!("{DOCUMENT}\r").repeat(5000), Some(cr));
    check(format!("{DOCUMENT}\r"), None);
    check(format!("{DOCUMENT}\r\r\n{DOCUMENT}\r\n"), None);
    check("{\"id\":1,\r\"a\":[\r{\"b\":1},\r{\"b\":2}\r]}\r", None);
    check("id,a\r1,2\r", Some("CSV"));
    check(format!("\u{1e}{DOCUMENT}\n").repeat(3), JSON);
    check(format!("\n\u{1e}{DOCUMENT}\r\n").repeat(5000), JSON);
    check("\u{1e}{\n  \"id\": 1\n}\n".repeat(3), JSON);
    check(format!("\u{1e}{DOCUMENT}\n{DOCUMENT}\n"), None);
}

#[test]
fn documents_in_strings() {
    let string = |text: &str| serde_json::to_string(text).unwrap();
    let found = "JSON strings that hold JSON";
    check(string(DOCUMENT), Some(found));
    check(format!("{}\n", string(DOCUMENT)).repeat(3), Some(found));
    check(format!("{}\n", string(DOCUMENT)).repeat(5000), Some(found));
    check(format!("{}\n{DOCUMENT}\n", string(DOCUMENT)), None);
    check("\"a\"\n\"b\"\n", None);
    check("\"{\"\n", None);
    check(format!("{}\n", string(&string(DOCUMENT))), Some(found));
    for head in ["", "doc\n"] {
        let text = format!("{head}\"{{\"\"id\"\":1}}\"\n\"{{\"\"id\"\":2}}\"\n");
        check(text, Some("CSV with JSON in its only column"));
    }
}

#[test]
fn documents_in_logs_of_containers() {
    let line = |log: &str| {
        format!("{{\"log\":{},\"stream\":\"stdout\",\"time\":\"2024\"}}\n", serde_json::json!(log))
    };
    let log = line(&format!("{DOCUMENT}\n")) + &line("started\n");
    check(&log, Some("a log of Docker"));
    check(log.repeat(5000), Some("a log of Docker"));
    check(format!("{log}{DOCUMENT}\n"), None);
    check(line(&"x".repeat(2 * HEAD_BYTES)), None);
    let fix = |log: &str| foreign(log.as_bytes(), "f", "plain").unwrap().fix;
    assert_eq!(fix(&log), "take the lines out with: jq -j .log f");
    assert_eq!(fix(&line(DOCUMENT)), "take the lines out with: jq -r .log f");
}

#[test]
fn text_that_is_no_ndjson() {
    let prefixed = "lines with something before each document";
    check(format!("data: {DOCUMENT}\n\n").repeat(3), Some("server-sent events"));
    check(format!(": hi\n\nid: 1\nevent: x\ndata: {DOCUMENT}\n\n"), Some("server-sent events"));
    check(format!("data: {DOCUMENT}\n"), None);
    check(format!("[INFO] {DOCUMENT}\n").repeat(3), Some(prefixed));
    check(format!("7\t{DOCUMENT}\n").repeat(5000), Some(prefixed));
    check("[INFO] started\n[INFO] stopped\n", None);
    check("started, at last\nstopped, at last\n", None);
    check("id,name\n{'id':1,'name':2}\n", None);
    check(" id | name \n----+------\n 1 | a\n", Some("a table as psql or mysql draws it"));
    check("+----+\n| id |\n+----+\n", Some("a table as psql or mysql draws it"));
    check("--\n-- PostgreSQL database dump\n--\nSET x = 0;\n", Some("an SQL script"));
    check("-[ RECORD 1 ]---\nid | 1\n", Some("a table as psql or mysql draws it"));
    check("5f0c,A,B\n6f0c,C,D\n", Some("CSV"));
    check("2024-01-01 12:00:00,123 a\n2024-01-01 12:00:01,123 b\n", None);
    let script = "<html><head><script>\nx =\n{\"a\":1}\n</script></head></html>\n";
    check(script, Some("an HTML or XML page"));
    check(format!("{script}{DOCUMENT}\n"), None);
    check("INSERT INTO t VALUES (1);\n", Some("an SQL script"));
    check("---\nid: 1\nname: a\n", Some("YAML"));
    check("- id: 1\n  name: a\n", Some("YAML"));
    check(format!("'{DOCUMENT}'\n").repeat(3), Some("documents in single quotes"));
    check(format!(" '{DOCUMENT}' ,\n").repeat(5000), Some("documents in single quotes"));
    check(format!("'{DOCUMENT}'\n{DOCUMENT}\n"), None);
    check("%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", Some("a PDF file"));
    check(format!("%PDF-1.4\n{DOCUMENT}\n"), None);
    check("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", Some("a pointer of Git LFS"));
    check("-----BEGIN PGP MESSAGE-----\n\nx\n", Some("a message of OpenPGP"));
    check("H4sIAAAAAAAAA6tWykxRsqrOTczMU6oFAG\n", Some("a compressed stream in Base64"));
    check(
        format!("<html>\n<script type=\"application/json\">\n{DOCUMENT}\n</script>\n"),
        Some("an HTML or XML page"),
    );
}

#[test]
fn archives_and_streams() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(DOCUMENT.as_bytes()).unwrap();
    check(encoder.finish().unwrap(), Some("a zlib stream"));
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(format!("{DOCUMENT}\n").repeat(9000).as_bytes()).unwrap();
    check(encoder.finish().unwrap(), Some("a zlib stream"));
    check("x^ is no zlib stream\n", None);
    check(zstd::encode_all(DOCUMENT.as_bytes(), 3).unwrap(), Some("compressed twice"));
    let mut tar = vec![0; 512];
    tar[..8].copy_from_slice(b"a.ndjson");
    let sum = tar.iter().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * u32::from(b' ');
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    check([tar.clone(), DOCUMENT.into(), b"\n".to_vec()].concat(), Some("a tar archive"));
    tar[0] = b'b';
    check([tar, DOCUMENT.into(), b"\n".to_vec()].concat(), None);
    for (start, expected) in [
        (&b"\x04\x22\x4d\x18\x64\x40"[..], "an lz4 stream"),
        (b"\x1f\x9d\x90", "a stream of compress"),
        (b"\x1f\x8b\x08", "compressed twice"),
        (b"\x5d\0\0\x80\0\xff", "an lzma stream"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (b"BZh91AY&SY\xd3\x5f", "a bzip2 stream"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"ORC\x08\x03", "an ORC file"),
        (b"Obj\x01\x04", "an Avro file"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"PGDMP\x01\x0e", "a dump of pg_dump in its custom format"),
        (b"\x20\0\0\0\x07_id\0", "a BSON dump"),
        (b"\x1b\x02\xff\x01\x80\x03\xfe\n\x04", "binary data"),
    ] {
        check(start, Some(expected));
    }
}

#[test]
fn brotli_is_told_by_its_name() {
    let stream = b"\x1b\x02\xff\x01\x80\x03\xfe\n\x04";
    let found = |head: &[u8], name| foreign(head, name, "plain").map(|foreign| (foreign.found, foreign.fix));
    let fix = "pipe it in: brotli -dc a.json.br | profile-loader … -".to_owned();
    assert_eq!(found(stream, "a.json.br"), Some(("a brotli stream", fix)));
    assert_eq!(found(stream, "a.json").map(|(found, _)| found), Some("binary data"));
    assert_eq!(found(b"{}\n", "a.br"), None);
}

#[test]
fn programs_and_holes_are_not_wide_text() {
    let program =
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\x40\x10\0\0\0\0\0\0\x40\0\0\0\0\0\0\0";
    check(program, Some("a program"));
    check([&program[..], format!("\n{DOCUMENT}\n").as_bytes()].concat(), Some("a program"));
    check(&program[4..], Some("binary data"));
    check(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0", Some("a program"));
    check("MZ\n", None);
    check(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", Some("a picture"));
    for zeros in [512, 4096, HEAD_BYTES, 2 * HEAD_BYTES] {
        check(vec![0; zeros], Some("a hole"));
        // Where documents come into sight it is one line's fault.
        let text = format!("{DOCUMENT}\n{DOCUMENT}\n");
        let expected = if zeros < HEAD_BYTES { None } else { Some("a hole") };
        check([&vec![0; zeros][..], text.as_bytes()].concat(), expected);
    }
}

#[test]
fn text_in_another_encoding_is_not_binary() {
    check(b"{\"id\":\"\xe9\"}\n", None);
    check(b"caf\xe9\nd\xe9j\xe0\n", None);
    check(b"\x1b[32mINFO\x1b[0m started\n", None);
    check([0; 40], None);
}

#[test]
fn the_command_names_the_file_and_unwraps_it() {
    let wrapped = b"{\"customers\":[\n{\"id\":1},\n";
    let fix = |name, form| foreign(wrapped, name, form).unwrap().fix;
    let command = "jq -c '.[] | arrays[]'";
    assert_eq!(fix("a.json", "plain"), format!("write one document a line with: {command} a.json"));
    assert_eq!(fix("a.gz", "gzip"), format!("write one document a line with: gunzip -c a.gz | {command}"));
    assert_eq!(fix("-", "plain"), format!("write one document a line with: {command}"));
}
