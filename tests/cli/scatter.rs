//! What `scatter` writes: each accepted document once, in its part and in input order, with its place.

use std::{
    collections::BTreeMap,
    io::Read as _,
    process::{Output, Stdio},
};

use serde_json::Value;
use twox_hash::XxHash3_64;

use crate::{
    documents::{faulty, generated, mixed, valid},
    folder::{Folder, without_times},
};

const HEADER_BYTES: usize = 44;
const END: u32 = u32::MAX;

/// A block as `src/input/blocks.rs` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    plan: Vec<u8>,
    part: u32,
    split: u32,
    number: u32,
    is_last: bool,
    /// Source, line, byte offset, text.
    documents: Vec<(u32, u64, u64, Vec<u8>)>,
    bytes: usize,
}

fn number(bytes: &mut &[u8], length: usize) -> u64 {
    let (number, rest) = bytes.split_at(length);
    *bytes = rest;
    number.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn small(bytes: &mut &[u8]) -> u32 {
    u32::try_from(number(bytes, 4)).expect("four bytes")
}

/// Takes a block from the front.
fn block(bytes: &mut &[u8]) -> Block {
    let header = &bytes[..HEADER_BYTES];
    let mut fields = &header[4..];
    assert_eq!(&header[..4], b"PLB3");
    let length = small(&mut fields) as usize;
    let (plan, rest) = fields.split_at(8);
    fields = rest;
    let [part, split, block, is_last, count] = [(); 5].map(|()| small(&mut fields));
    let mut payload = &bytes[HEADER_BYTES..HEADER_BYTES + length];
    let checked = XxHash3_64::oneshot(&[payload, &header[..36]].concat());
    assert_eq!(fields, checked.to_le_bytes(), "the checksum");
    *bytes = &bytes[HEADER_BYTES + length..];
    let mut documents = Vec::new();
    while !payload.is_empty() {
        let (length, source) = (small(&mut payload) as usize, small(&mut payload));
        let (line, byte_offset) = (number(&mut payload, 8), number(&mut payload, 8));
        documents.push((source, line, byte_offset, payload[..length].to_vec()));
        payload = &payload[length..];
    }
    assert_eq!(documents.len(), count as usize);
    let bytes = HEADER_BYTES + length;
    Block { plan: plan.to_vec(), part, split, number: block, is_last: is_last == 1, documents, bytes }
}

/// All blocks and the one behind them.
fn blocks(output: &Output) -> (Vec<Block>, Option<Block>) {
    let mut bytes = &output.stdout[..];
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        blocks.push(block(&mut bytes));
    }
    let end = blocks.pop_if(|block| block.part == END);
    assert!(blocks.iter().all(|block| block.part != END && (block.is_last || !block.documents.is_empty())));
    (blocks, end)
}

fn scatter(folder: &Folder, split: usize, options: &str) -> Output {
    let words = format!("scatter --plan plan.json --split {split} {options}");
    folder.command(&words).output().expect("the program starts")
}

fn plan(folder: &Folder, words: &str) -> usize {
    let planned = folder.run(&format!("plan {words} -o plan.json"));
    assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""));
    folder.read_json("plan.json")["splits"].as_array().expect("a list").len()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The id of a document, wherever it stands in its text.
fn id(document: &[u8]) -> String {
    let document: Value = serde_json::from_slice(document).expect("an accepted document is JSON");
    document["id"].as_str().expect("it has an id").to_ascii_lowercase()
}

#[test]
fn each_accepted_document_is_in_its_part_once() {
    let folder = Folder::new();
    let again: String = (0..60).map(valid).collect();
    let files = [
        ("a.ndjson", [generated(300), mixed(60, 7).into_bytes()].concat()),
        ("b.json", format!("[{},\n {}, {}]", valid(3).trim_end(), faulty(4), valid(5)).into_bytes()),
        ("c.ndjson", (again.replace('\n', "\r\n") + valid(9).trim_end()).into_bytes()),
    ];
    files.iter().for_each(|(name, text)| folder.write(name, text));
    let inputs = "a.ndjson b.json c.ndjson";
    folder.run(&format!("validate {inputs} --report whole.json --rejects whole"));
    let splits = plan(&folder, &format!("{inputs} --parts 5 --split-size 20KiB"));
    let digest = folder.read_json("plan.json")["digest"].as_str().map(blake3::Hash::from_hex);
    let digest = *digest.expect("a text").expect("a digest").as_bytes();
    let (mut parts, mut accepted) = (BTreeMap::<String, u32>::new(), 0);
    for split in 0..splits {
        let options = format!("--report {split}.json --rejects rejects-{split} --accept-rejects");
        let output = scatter(&folder, split, &options);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        assert_eq!(
            scatter(&folder, split, "--jobs 1 --chunk-bytes 100").stdout,
            output.stdout,
            "the same again"
        );
        let (blocks, end) = blocks(&output);
        let end = end.expect("it is complete");
        assert_eq!((end.split as usize, end.number as usize), (split, blocks.len()));
        let (mut last, mut numbers) = (BTreeMap::new(), BTreeMap::<u32, (u32, bool)>::new());
        for block in &blocks {
            assert_eq!(block.plan, digest[..8]);
            assert!(block.part < 5 && block.split as usize == split);
            let before = numbers.insert(block.part, (block.number, block.is_last));
            assert_eq!(before, block.number.checked_sub(1).map(|before| (before, false)));
            for (source, line, byte_offset, document) in &block.documents {
                let text = &files[*source as usize].1;
                let at = usize::try_from(*byte_offset).expect("a small file");
                assert!(text[at..].starts_with(document), "the bytes of its place");
                assert_eq!(*line, 1 + memchr::memchr_iter(b'\n', &text[..at]).count() as u64);
                let before = last.insert(block.part, *byte_offset);
                assert!(before.is_none_or(|before| before < *byte_offset), "input order");
                let part = *parts.entry(id(document)).or_insert(block.part);
                assert_eq!(part, block.part, "an id has one part");
                accepted += 1;
            }
        }
        assert!((0..5).all(|part| numbers[&part].1), "each part has a last block");
    }
    assert!((0..5).all(|part| parts.values().any(|of| *of == part)), "no part is empty");
    let whole = folder.read_report("whole.json");
    assert_eq!(whole["documents"]["accepted"], accepted);
    let reports: Vec<_> = (0..splits).map(|split| format!("{split}.json")).collect();
    let merged = folder.run(&format!("report merge {} --output json", reports.join(" "))).stdout;
    let merged = crate::report_schema::assert_is_report(serde_json::from_str(&merged).expect("it is JSON"));
    assert_eq!(merged["command"], "scatter");
    let bare = |report: Value| {
        let mut report = without_times(report);
        for name in ["command", "plan", "exit_code", "rejects"] {
            report.as_object_mut().expect("an object").remove(name);
        }
        report
    };
    assert_eq!(bare(merged), bare(whole));
}

/// The part is that of the document that the map makes; what is written is the original.
#[test]
fn a_map_decides_on_the_part() {
    let text: String = (0..200).map(valid).collect();
    let folder = Folder::with("a.ndjson", text.replace("\"id\":", "\"key\":"));
    folder.write("b.ndjson", &text);
    folder.write("m.jq", "select(.key | startswith(\"0000000\") | not) | .id = .key | del(.key)");
    let parts = |file: &str, options: &str, key: &str| {
        assert_eq!(plan(&folder, &format!("{file} --parts 3 {options}")), 1);
        let (blocks, end) = blocks(&scatter(&folder, 0, ""));
        assert!(end.is_some());
        let mut parts = BTreeMap::new();
        for block in &blocks {
            for (.., document) in &block.documents {
                let document: Value = serde_json::from_slice(document).expect("it is JSON");
                parts.insert(document[key].as_str().expect("a text").to_owned(), block.part);
            }
        }
        parts
    };
    let mapped = parts("a.ndjson", "--map m.jq", "key");
    let mut all = parts("b.ndjson", "", "id");
    assert_eq!(all.len(), 200);
    all.retain(|id, _| !id.starts_with("0000000"));
    assert_eq!((mapped.len(), &mapped), (184, &all));
}

/// Blocks are as long as they are said to be, and each of them ends where it ends in every attempt.
#[test]
fn blocks_have_a_length() {
    let text: String = (0..20_000).map(valid).collect();
    let folder = Folder::with("a.ndjson", &text);
    assert_eq!(plan(&folder, "a.ndjson --parts 2"), 1);
    let output = scatter(&folder, 0, "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (found, end) = blocks(&output);
    assert!(end.is_some());
    let last: Vec<_> = (0..2).map(|part| found.iter().rposition(|block| block.part == part)).collect();
    for (at, block) in found.iter().enumerate() {
        let is_full = (512 << 10..513 << 10).contains(&block.bytes);
        assert!(is_full || last.contains(&Some(at)), "{} bytes", block.bytes);
    }
    assert!(found.len() > 6, "{}", found.len());
}

/// A document that is longer than blocks are has one to itself, between those before and behind it.
#[test]
fn a_long_document_has_a_block() {
    let long = valid(50).replace("\"emails\"", &format!("{}\"emails\"", " ".repeat(1 << 20)));
    let text = (0..50).map(valid).collect::<String>() + &long + &(51..100).map(valid).collect::<String>();
    let folder = Folder::with("a.ndjson", &text);
    assert_eq!(plan(&folder, "a.ndjson --parts 1"), 1);
    let (blocks, end) = blocks(&scatter(&folder, 0, ""));
    assert_eq!(blocks.iter().map(|block| block.documents.len()).collect::<Vec<_>>(), [50, 1, 49]);
    assert_eq!(end.map(|end| end.number), Some(3));
    let written: Vec<u8> =
        blocks.into_iter().flat_map(|block| block.documents).flat_map(|one| one.3).collect();
    assert!(written == text.as_bytes());
}

/// What is not whole has no last block.
#[test]
fn what_was_stopped_has_no_end() {
    let folder = Folder::with("a.ndjson", mixed(3000, 10));
    assert_eq!(plan(&folder, "a.ndjson --parts 2 --split-size 1MiB"), 1);
    let output = scatter(&folder, 0, "--max-rejects 20");
    assert_eq!((output.status.code(), blocks(&output).1), (Some(3), None));
    folder.write("a.ndjson", mixed(3000, 10).replace("ann2999@", "bob2999@"));
    let output = scatter(&folder, 0, "");
    assert_eq!((output.status.code(), blocks(&output).1), (Some(5), None));
    assert!(stderr(&output).contains("a.ndjson is not what it was"), "{}", stderr(&output));
}

#[test]
fn who_does_not_read_on_is_told() {
    let text: String = (0..20_000).map(valid).collect();
    let folder = Folder::with("a.ndjson", &text);
    assert_eq!(plan(&folder, "a.ndjson"), 1);
    let mut command = folder.command("scatter --plan plan.json --split 0 --report r.json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("it is a pipe");
    stdout.read_exact(&mut [0; 100]).expect("there is a block");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("standard output can't be written"), "{}", stderr(&output));
    assert_eq!(folder.read_report("r.json")["outcome"], "failed");
}

#[test]
fn a_split_has_to_be_named() {
    let folder = Folder::with("a.ndjson", mixed(10, 1000));
    plan(&folder, "a.ndjson");
    for (words, said) in [
        ("scatter", "--plan <FILE>"),
        ("scatter --plan plan.json", "--split <N>"),
        ("scatter --plan plan.json --split 1", "has no split 1: there are 1"),
        ("scatter --plan plan.json --split 0 a.ndjson", "unexpected argument"),
        ("scatter --plan plan.json --split 0 --report plan.json", "this very command reads it"),
    ] {
        let output = folder.run(words);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{words}");
        assert!(output.stderr.contains(said), "{words}: {}", output.stderr);
    }
}
