//! What the input may be wrapped in and come from, and how it may be damaged.

use std::io::Write as _;

use serde_json::Value;

use crate::{
    documents::{faulty, generated, mixed, valid},
    folder::Folder,
    process::Output,
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).expect("writing to a Vec")
}

/// Read, rejected, blank.
fn counts(report: &Value) -> [u64; 3] {
    ["read", "rejected", "blank"].map(|name| report["documents"][name].as_u64().expect("a count is a number"))
}

fn report_of(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", output.stderr))
}

#[test]
fn every_wrapping_holds_the_same_documents() {
    let text = mixed(200, 9);
    let (first, second) = text.as_bytes().split_at(text.len() / 3);
    let wrappings: [(&str, Vec<u8>); 8] = [
        ("plain.ndjson", text.clone().into_bytes()),
        ("one.ndjson.gz", gzip(text.as_bytes())),
        ("members.ndjson.gz", [gzip(first), gzip(b""), gzip(second)].concat()),
        ("padded.ndjson.gz", [gzip(text.as_bytes()), vec![0; 10_240]].concat()),
        ("one.ndjson.zst", zstd(text.as_bytes())),
        ("frames.ndjson.zst", [zstd(first), zstd(second)].concat()),
        ("misnamed.ndjson", gzip(text.as_bytes())),
        ("misnamed.gz", text.clone().into_bytes()),
    ];
    let folder = Folder::new();
    let digest = format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex());
    for (name, bytes) in wrappings {
        folder.write(name, &bytes);
        let from_file = folder.run(&format!("validate {name} --output json"));
        let from_stdin = folder.run_fed("validate - --output json", |mut stdin| {
            stdin.write_all(&bytes).expect("the program reads");
        });
        for (source, output) in [(name, from_file), ("-", from_stdin)] {
            let report = report_of(&output);
            assert_eq!(counts(&report), [200, 23, 0], "{name}");
            let input = &report["inputs"][0];
            assert_eq!(
                (&input["source"], &input["digest"]),
                (&source.into(), &digest.clone().into()),
                "{name}"
            );
            assert_eq!(input["bytes"], text.len(), "{name}");
        }
    }
}

#[test]
fn several_inputs_and_globs_are_read_in_their_order() {
    let folder = Folder::with("b/2.ndjson", valid(1) + &faulty(2));
    folder.write("b/1.ndjson.gz", gzip(faulty(3).as_bytes()));
    folder.write("b/note.txt", "no documents");
    folder.write("a.ndjson", valid(4));
    let output = folder.run_fed("validate b/*.ndjson* - a.ndjson --output json", |mut stdin| {
        stdin.write_all(faulty(5).as_bytes()).expect("the program reads");
    });
    let report = report_of(&output);
    let sources: Vec<_> = report["inputs"].as_array().expect("a list").iter().map(|i| &i["source"]).collect();
    assert_eq!(sources, ["b/1.ndjson.gz", "b/2.ndjson", "-", "a.ndjson"]);
    let samples: Vec<_> = report["errors"][0]["samples"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|sample| format!("{}:{}", sample["source"].as_str().expect("a name"), sample["line"]))
        .collect();
    assert_eq!(samples, ["b/1.ndjson.gz:1", "b/2.ndjson:2", "-:1"]);
    assert_eq!(counts(&report), [5, 3, 0]);
}

#[test]
fn lines_end_in_several_ways() {
    let check = |text: String, expected: [u64; 3]| {
        for options in ["", "--chunk-bytes 1", "--chunk-bytes 7"] {
            let folder = Folder::with("customers.ndjson", &text);
            let output = folder.run(&format!("validate customers.ndjson --output json {options}"));
            assert_eq!(counts(&report_of(&output)), expected, "{options} {text:?}");
        }
    };
    check(String::new(), [0, 0, 0]);
    check(valid(1).trim_end().to_owned(), [1, 0, 0]);
    check(format!("\u{feff}{}{}", valid(1), faulty(2)), [2, 1, 0]);
    check((valid(1) + &faulty(2)).replace('\n', "\r\n"), [2, 1, 0]);
    check(format!("\n{}\r\n \t\n{}\n", valid(1), faulty(2)), [2, 1, 4]);
    check(format!("{}{}", valid(1), faulty(2).trim_end()), [2, 1, 0]);
    check(format!("\u{feff}{}\u{feff}{}", valid(1), valid(2)), [2, 1, 0]);
}

/// Cut or spoilt: documents before that are checked, and the report says how far it came.
#[test]
fn a_stream_that_breaks_off_or_is_damaged_names_source_and_byte() {
    let text = generated(3000);
    for (name, whole, form) in [("a.gz", gzip(&text), "gzip"), ("a.zst", zstd(&text), "zstd")] {
        let mut spoilt = whole.clone();
        let from = spoilt.len() / 2;
        spoilt[from..from + 64].fill(0x55);
        for (stored, code, what) in [
            (whole[..whole.len() - 9].to_vec(), 4, "breaks off"),
            (whole[..whole.len() / 2].to_vec(), 4, "breaks off"),
            (spoilt, 5, "is damaged"),
        ] {
            let folder = Folder::with(name, &stored);
            folder.write("good.ndjson", valid(1));
            let words = "--chunk-bytes 1000 --rejects rejects --output json";
            let output = folder.run(&format!("validate good.ndjson {name} {words}"));
            assert_eq!(output.code, Some(code), "{}", output.stderr);
            let begin = format!("error: {name} {what} at byte ");
            let rest = output.stderr.strip_prefix(&begin).unwrap_or_else(|| panic!("{}", output.stderr));
            let (byte, rest) = rest.split_once(' ').expect("words follow the number");
            assert!(byte.parse::<usize>().expect("a number") <= stored.len(), "{}", output.stderr);
            assert!(rest.starts_with(&format!("of the {form} stream")), "{}", output.stderr);

            let report = report_of(&output);
            assert_eq!((&report["outcome"], &report["exit_code"]), (&"failed".into(), &code.into()));
            let [read, rejected, _] = counts(&report);
            assert!(read > 1 && read <= 3001 && rejected > 0, "{read} read, {rejected} rejected");
            if code == 5 {
                assert!(rest.contains(&format!("that is lines 1 to {}", read - 1)), "{}", output.stderr);
            }
            assert_eq!(report["inputs"][0]["bytes"], valid(1).len());
            assert_eq!(report["inputs"][1]["bytes"], Value::Null, "it was not read to its end");
            assert_eq!(folder.names("rejects"), ["rejects.errors.ndjson.partial", "rejects.ndjson.partial"]);
        }
    }
}

/// Only the damaged member can't be trusted.
#[test]
fn lines_of_the_members_before_it_are_not_of_a_damaged_one() {
    let mut second = gzip(generated(2000).as_slice());
    let checksum = second.len() - 6;
    second[checksum] ^= 1;
    let folder = Folder::with("a.gz", [gzip(&generated(1000)), second].concat());
    let output = folder.run("validate a.gz --chunk-bytes 1000");
    assert_eq!(output.code, Some(5), "{}", output.stderr);
    assert!(output.stderr.contains("that is lines 1001 to 3000;"), "{}", output.stderr);
}

/// A decoder may give nothing of a stream before it sees the damage.
#[test]
fn what_came_of_a_damaged_stream_is_told_whatever_its_length() {
    let flipped = |mut stored: Vec<u8>, from_end: usize| {
        let at = stored.len() - from_end;
        stored[at] ^= 1;
        stored
    };
    let with_checksum = |text: &str| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("writing to a Vec");
        encoder.include_checksum(true).expect("zstd has checksums");
        encoder.set_pledged_src_size(Some(text.len() as u64)).expect("nothing is written yet");
        encoder.write_all(text.as_bytes()).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    };
    let (one, two) = (valid(1), valid(1) + &valid(2));
    // The reserved type of a block, RFC 1951 section 3.2.3.
    let no_block = [&gzip(b"")[..10], &[0x07; 20]].concat();
    let second_of = |stored: &[u8]| [&gzip(two.as_bytes()), stored].concat();
    let untrusted = "so what was read of it can't be trusted: that is";
    // A frame of known size is decompressed at once where there is room for it.
    for (stored, chunk_bytes, words) in [
        (flipped(with_checksum(&two), 1), 1_000_000, "; no line was read of it; bring".to_owned()),
        (flipped(with_checksum(&two), 1), 1, format!(", {untrusted} lines 1 to 2; bring")),
        (flipped(gzip(two.as_bytes()), 6), 1, format!(", {untrusted} lines 1 to 2; bring")),
        (flipped(gzip(two.as_bytes()), 6), 1_000_000, format!(", {untrusted} lines 1 to 2; bring")),
        (flipped(gzip(one.as_bytes()), 6), 1_000_000, format!(", {untrusted} line 1; bring")),
        (
            flipped(gzip(one.trim_end().as_bytes()), 6),
            1_000_000,
            "; no line was read of it; bring".to_owned(),
        ),
        (no_block.clone(), 1_000_000, "; no line was read of it; bring".to_owned()),
        (
            second_of(&no_block),
            1_000_000,
            "; no line was read of the damaged part, and what comes before it, up to line 2, is sound"
                .to_owned(),
        ),
        (second_of(&flipped(gzip(one.as_bytes()), 6)), 1_000_000, format!(", {untrusted} line 3; bring")),
    ] {
        let folder = Folder::with("a", &stored);
        let output = folder.run(&format!("validate a --chunk-bytes {chunk_bytes}"));
        assert_eq!(output.code, Some(5), "{}", output.stderr);
        assert!(output.stderr.contains(&words), "no '{words}': {}", output.stderr);
    }
}

/// Sound, but with something behind it that is none of ours: no attempt will ever read it.
#[test]
fn what_is_behind_a_stream_is_no_reason_to_try_again() {
    for (name, stored) in [("a.gz", gzip(valid(1).as_bytes())), ("a.zst", zstd(valid(1).as_bytes()))] {
        for rest in [valid(2).into_bytes(), b"\r\n".to_vec()] {
            let folder = Folder::with(name, [stored.clone(), rest].concat());
            let output = folder.run(&format!("validate {name}"));
            assert_eq!(output.code, Some(2), "{}", output.stderr);
            assert!(output.stderr.contains("holds something behind its"), "{}", output.stderr);
        }
    }
}

/// The last line lacks its end and so does its JSON: no fault of a document, but of the copy.
#[test]
fn an_input_that_ends_in_a_document_ends_with_4_until_it_is_complete() {
    let whole = valid(1) + &faulty(2) + &valid(3);
    let last_line = valid(1).len() + faulty(2).len();
    for (name, wrap) in
        [("a.ndjson", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>), ("a.gz", gzip), ("a.zst", zstd)]
    {
        for options in ["", "--chunk-bytes 1"] {
            for end in [last_line + 1, last_line + 30, whole.len() - 2] {
                let folder = Folder::with(name, wrap(&whole.as_bytes()[..end]));
                folder.write("b.ndjson", valid(4));
                let words = format!("validate {name} b.ndjson --rejects rejects --output json {options}");
                let output = folder.run(&words);
                assert_eq!(output.code, Some(4), "{}", output.stderr);
                let expected = format!(
                    "error: {name} ends in the middle of a document (line 3, which starts at byte {last_line}): its \
                     producer died or the copy is incomplete; complete it, or remove that line, and run the same \
                     command again\n"
                );
                assert_eq!(output.stderr, expected);
                let report = report_of(&output);
                assert_eq!((&report["outcome"], &report["exit_code"]), (&"failed".into(), &4.into()));
                assert_eq!(counts(&report), [2, 1, 0], "the half document is none");
                for input in report["inputs"].as_array().expect("a list") {
                    assert_eq!((&input["bytes"], &input["digest"]), (&Value::Null, &Value::Null));
                }
                assert_eq!(folder.read("rejects/rejects.ndjson.partial"), faulty(2).as_bytes());

                folder.write(name, wrap(whole.trim_end().as_bytes()));
                assert_eq!(counts(&report_of(&folder.run(&words))), [4, 1, 0], "no line end is needed");
            }
        }
    }
}

#[test]
fn a_last_line_that_is_wrong_in_another_way_is_rejected() {
    let check = |end: &str, code: i32| {
        let folder = Folder::with("a.ndjson", valid(1) + end);
        assert_eq!(folder.run("validate a.ndjson").code, Some(code), "{end}");
        let output = folder.run_fed("validate -", |mut stdin| {
            stdin.write_all((valid(1) + end).as_bytes()).expect("the program reads");
        });
        assert_eq!(output.code, Some(code), "{end}");
    };
    check("{'id", 1);
    check("{}}", 1);
    check("oops", 1);
    check("{\"id\":", 4);
    check("{\"id\":\n", 1);
    check("{\"id\":\r\n", 1);
    check(" \t", 0);
    let folder = Folder::with("brace.ndjson", "{");
    assert_eq!(
        folder.run("validate brace.ndjson").code,
        Some(4),
        "one byte of a document is no other format"
    );
}

#[test]
fn a_server_that_is_not_there_ends_with_4_before_anything_is_written() {
    let folder = Folder::with("customers.ndjson", valid(1));
    folder.write("socket/README", "nobody listens here");
    let host = folder.path("socket").to_str().expect("the path is UTF-8").replace('/', "%2F");
    let targets = [format!("postgresql://loader:hunter2@/app?host={host}"), unused_port()];
    for target in targets {
        let output = folder.run(&format!("load customers.ndjson --database-url {target}"));
        assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""), "{}", output.stderr);
        assert!(output.stderr.contains("connecting to database app at "), "{}", output.stderr);
        assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
        assert_eq!(folder.names("."), ["customers.ndjson", "socket"], "nothing was made");
    }
}

/// A port that the system has just given out and taken back.
fn unused_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    format!("postgresql://loader:hunter2@127.0.0.1:{port}/app")
}

/// Of `zstd --long=27`, and `--ultra -22`: the decoder would keep 128 MiB.
#[test]
fn a_zstd_window_that_takes_too_much_memory_is_refused() {
    for (log, code) in [(25, 0), (26, 2), (27, 2)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("writing to a Vec");
        encoder.window_log(log).expect("zstd has windows of this size");
        encoder.write_all(valid(1).as_bytes()).expect("writing to a Vec");
        let folder = Folder::with("long.ndjson.zst", encoder.finish().expect("writing to a Vec"));
        let output = folder.run("validate long.ndjson.zst");
        assert_eq!(output.code, Some(code), "{log}: {}", output.stderr);
        assert_eq!(
            output.stderr.contains("zstd -dc --long=31 long.ndjson.zst |"),
            code == 2,
            "{}",
            output.stderr
        );
    }
}

/// By whatever name it comes again.
#[test]
fn an_input_that_is_named_twice_is_told() {
    let folder = Folder::with("a.ndjson", valid(1));
    folder.write("b.ndjson", valid(2));
    std::os::unix::fs::symlink("a.ndjson", folder.path("c.ndjson")).expect("links can be made");
    for (words, expected) in [
        ("a.ndjson b.ndjson", None),
        ("a.ndjson a.ndjson", Some("warning: a.ndjson is named more than once; its documents are read")),
        ("a.ndjson b.ndjson ./a.ndjson", Some("warning: ./a.ndjson is the same as a.ndjson; its documents")),
        ("*.ndjson", Some("warning: c.ndjson is the same as a.ndjson; ")),
        ("*.ndjson b.ndjson a.ndjson", Some("as a.ndjson, and 2 other inputs were named before as well; ")),
    ] {
        for command in ["validate", "plan -o plan.json"] {
            let output = folder.run(&format!("{command} {words}"));
            assert_eq!(output.code, Some(0), "{command} {words}: {}", output.stderr);
            match expected {
                Some(expected) => assert!(output.stderr.contains(expected), "{words}: {}", output.stderr),
                None => assert!(!output.stderr.contains("warning"), "{words}: {}", output.stderr),
            }
        }
    }
}
