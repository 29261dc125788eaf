//! Odd compressed streams are read as gzip and zstd read them themselves.

#![expect(clippy::print_stderr, reason = "a tool that is missing is told")]

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::inputs::{each, gzip, validate};

/// As bgzip writes it: members with the length of each in an extra field, and an empty one at the end.
fn bgzip(parts: &[&[u8]]) -> Vec<u8> {
    let member = |text: &&[u8]| {
        let builder = flate2::GzBuilder::new().extra(b"BC\x02\0\x1b\0".as_slice());
        let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).expect("writing to a Vec");
        encoder.finish().expect("writing to a Vec")
    };
    parts.iter().chain([&&b""[..]]).flat_map(member).collect()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).expect("writing to a Vec")
}

/// RFC 8878, section 3.1.2.
fn skippable(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("it is short").to_le_bytes();
    [&[0x50 + number, 0x2a, 0x4d, 0x18], &length[..], bytes].concat()
}

/// A stream, and the exit code for it.
type Stream = (&'static str, Vec<u8>, i32);

fn gzip_streams(one: &[u8], two: &[u8]) -> Vec<Stream> {
    let both = [gzip(one), gzip(two)].concat();
    vec![
        ("members", both.clone(), 0),
        ("an empty member", [gzip(b""), gzip(one), gzip(b"")].concat(), 0),
        ("zero padding", [both.clone(), vec![0; 10_240]].concat(), 0),
        ("one zero byte", [both.clone(), vec![0]].concat(), 0),
        ("bgzip", bgzip(&[one, two]), 0),
        ("bgzip, padded", [bgzip(&[one, two]), vec![0; 512]].concat(), 0),
        ("garbage", [both.clone(), b"garbage".to_vec()].concat(), 2),
        ("padding and garbage", [both.clone(), vec![0; 512], b"garbage".to_vec()].concat(), 2),
        ("padding and a member", [gzip(one), vec![0; 512], gzip(two)].concat(), 2),
        ("a member that is cut", both[..both.len() - 9].to_vec(), 4),
        ("a header that is cut", [both, gzip(one)[..5].to_vec()].concat(), 4),
    ]
}

fn zstd_streams(one: &[u8], two: &[u8]) -> Vec<Stream> {
    let both = [zstd(one), zstd(two)].concat();
    vec![
        ("frames", both.clone(), 0),
        ("an empty frame", [zstd(b""), zstd(one), zstd(b"")].concat(), 0),
        ("a skippable frame first", [skippable(0, b"anything"), both.clone()].concat(), 0),
        ("skippable frames", [zstd(one), skippable(15, b""), skippable(1, &[0; 999]), zstd(two)].concat(), 0),
        ("a skippable frame last", [both.clone(), skippable(14, b"seek table")].concat(), 0),
        ("garbage", [both.clone(), b"garbage".to_vec()].concat(), 2),
        ("zero padding", [both.clone(), vec![0; 512]].concat(), 2),
        ("a frame that is cut", both[..both.len() - 5].to_vec(), 4),
        ("a skippable frame that is cut", [both, skippable(0, b"anything")[..12].to_vec()].concat(), 4),
    ]
}

/// What the tool makes of it, and whether it has nothing to say against it.
fn oracle(tool: &str, stored: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut command = Command::new(tool);
    command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        eprintln!("there is no {tool}, so nothing is compared with it");
        return None;
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    let stored = stored.to_vec();
    let feed = std::thread::spawn(move || stdin.write_all(&stored));
    let output = child.wait_with_output().expect("the tool ends");
    // It may have ended before all was read.
    let _ = feed.join().expect("writing does not panic");
    Some((output.stdout, output.status.success()))
}

fn check(tool: &str, streams: Vec<Stream>) {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    for (name, stored, code) in streams {
        fs::write(folder.path().join("in"), &stored).expect("the folder is writable");
        let output = validate(folder.path(), "in", b"");
        assert_eq!(output.code, Some(code), "{tool}: {name}: {}", output.stderr);
        let Some((text, is_sound)) = oracle(tool, &stored) else { continue };
        assert_eq!(is_sound, code == 0, "{tool} itself: {name}");
        let report = fs::read_to_string(folder.path().join("report.json")).expect("it was written");
        let report: serde_json::Value = serde_json::from_str(&report).expect("a report is JSON");
        let accepted = report["documents"]["accepted"].as_u64().expect("a number");
        if code != 4 {
            let lines = text.split_inclusive(|byte| *byte == b'\n').count();
            assert_eq!(accepted, lines as u64, "{tool}: {name}");
        }
        if code == 0 {
            let digest = format!("blake3:{}", blake3::hash(&text).to_hex());
            assert_eq!(report["inputs"][0]["digest"], digest, "{tool}: {name}");
        }
    }
}

#[test]
fn gzip_and_the_program_make_the_same_of_it() {
    let text = each("", "\n");
    let (one, two) = text.split_at(text.len() / 3);
    check("gzip", gzip_streams(one, two));
}

#[test]
fn zstd_and_the_program_make_the_same_of_it() {
    let text = each("", "\n");
    let (one, two) = text.split_at(text.len() / 3);
    check("zstd", zstd_streams(one, two));
}
