//! Compressed files, which several threads read at the same time: what is told is what one thread tells that reads one file
//! after another, to the byte.

use std::{fs, io::Write as _};

use serde_json::Value;

use crate::{
    documents::{faulty, generated, valid},
    folder::{Folder, without_times},
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

/// With a window of 2 to the power of `window_log` bytes.
fn zstd(text: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("there is memory");
    encoder.window_log(window_log).expect("zstd has such windows");
    encoder.write_all(text).expect("writing to a Vec");
    encoder.finish().expect("writing to a Vec")
}

/// All that is told of a run but for times.
struct Outcome {
    code: Option<i32>,
    report: Value,
    /// Of rejected documents, with their names.
    files: Vec<(String, Vec<u8>)>,
}

impl Outcome {
    fn of(folder: &Folder, words: &str, jobs: usize) -> Self {
        let words = format!("validate *.ndjson* {words} --jobs {jobs} --rejects rejects --output json");
        let output = folder.run(&words);
        let report =
            serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{words}: {}", output.stderr));
        let file = |name: String| (name.clone(), folder.read(&format!("rejects/{name}")));
        let files = folder.names("rejects").into_iter().map(file).collect();
        fs::remove_dir_all(folder.path("rejects")).expect("the folder is ours");
        Self { code: output.code, report: without_times(report), files }
    }
}

fn assert_is_the_same(folder: &Folder, words: &str, code: i32) {
    let one = Outcome::of(folder, words, 1);
    assert_eq!(one.code, Some(code), "{words}: {}", one.report);
    for jobs in [2, 4] {
        let several = Outcome::of(folder, words, jobs);
        assert_eq!(several.code, one.code, "{words} --jobs {jobs}: {}", several.report);
        assert_eq!(several.report, one.report, "{words} --jobs {jobs}");
        assert!(several.files == one.files, "{words} --jobs {jobs}: other files of rejected documents");
    }
}

/// Documents in files of every kind, the first ones empty.
fn files() -> Folder {
    let text = generated(4000);
    let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let part = |from: usize, to: usize| lines[from..to].concat();
    let folder = Folder::new();
    folder.write("00.ndjson.gz", gzip(b""));
    folder.write("01.ndjson", "");
    folder.write("02.ndjson.gz", gzip(&part(0, 1500)));
    folder.write("03.ndjson.zst", zstd(&part(1500, 1501), 17));
    folder.write("04.ndjson", part(1501, 2000));
    folder.write("05.ndjson.zst", zstd(&part(2000, 2400), 25));
    folder.write("06.ndjson.gz", [gzip(&part(2400, 2500)), gzip(b""), gzip(&part(2500, 2600))].concat());
    folder.write("07.ndjson.gz", gzip(b""));
    folder.write("08.ndjson.gz", gzip(&part(2600, 3999)));
    folder.write("09.ndjson.zst", zstd(part(3999, 4000).trim_ascii_end(), 17));
    folder
}

#[test]
fn documents_of_many_files() {
    let folder = files();
    for words in ["", "--chunk-bytes 1", "--chunk-bytes 3000"] {
        assert_is_the_same(&folder, words, 1);
    }
    // Some of the faulty documents have brackets too many.
    assert_is_the_same(&folder, "--framing json --chunk-bytes 3000", 2);
}

#[test]
fn a_limit_that_is_exceeded_between() {
    let folder = files();
    for limit in [0, 1, 150, 200, 300] {
        assert_is_the_same(&folder, &format!("--max-rejects {limit} --chunk-bytes 3000"), 3);
    }
}

/// What stands behind it is told as little as if it had not been read.
#[test]
fn a_file_that_is_cut_off_or_damaged_between() {
    let folder = files();
    let stored = folder.read("06.ndjson.gz");
    let mut damaged = stored.clone();
    let at = stored.len() - 300;
    damaged[at..at + 64].fill(0x55);
    let cut_off = gzip(valid(1).trim_end().strip_suffix('}').expect("an object").as_bytes());
    for (stored, code) in [(stored[..stored.len() - 9].to_vec(), 4), (damaged, 5), (cut_off, 4)] {
        folder.write("06.ndjson.gz", &stored);
        for words in ["", "--chunk-bytes 1", "--chunk-bytes 3000"] {
            assert_is_the_same(&folder, words, code);
        }
    }
}

#[test]
fn long_lines() {
    let long = |bytes: usize| format!("{{\"id\":\"{}\"}}\n", "x".repeat(bytes));
    let folder = Folder::new();
    for number in 0..4 {
        let text = [valid(number), long(5 << 20), faulty(number), long(17 << 20), valid(9 + number)].concat();
        folder.write(&format!("{number}.ndjson.gz"), gzip(text.as_bytes()));
    }
    assert_is_the_same(&folder, "", 1);
}
