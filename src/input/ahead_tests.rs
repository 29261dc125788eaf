//! Decompressing before their turn makes no difference to what comes out of files, and when.

use std::{fs, io::Write, path::PathBuf};

use super::{ChunkReader, InputError, Source, Watermark};

/// Lines that stay long when they are compressed, different ones for each seed.
fn text(bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = Vec::with_capacity(bytes + 64);
    while text.len() < bytes {
        writeln!(text, "{{\"id\":\"{:032x}{:032x}\"}}", random.u128(..), random.u128(..)).unwrap();
    }
    text
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

/// Files that are worth a thread and others, of every form.
fn files() -> Vec<Vec<u8>> {
    let long = |seed| text(1_500_000, seed);
    vec![
        gzip(&long(1)),
        gzip(&long(2)),
        gzip(&text(100, 3)),
        text(2_000_000, 4),
        [gzip(&long(5)), gzip(b""), gzip(&text(300_000, 6))].concat(),
        zstd(&long(7)),
        zstd(&long(8)),
        Vec::new(),
        gzip(&[b"\xef\xbb\xbf", &long(9)[..]].concat()),
        gzip(&long(10)[..1_400_001]),
    ]
}

fn store(contents: &[Vec<u8>]) -> (tempfile::TempDir, Vec<Source>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(nth, bytes): (usize, &Vec<u8>)| {
        let path: PathBuf = folder.path().join(format!("{nth:02}"));
        fs::write(&path, bytes).unwrap();
        Source::File(path)
    };
    let sources = contents.iter().enumerate().map(write).collect();
    (folder, sources)
}

/// What was read: of each chunk its place and its bytes, then the digests and the error.
#[derive(Debug, PartialEq)]
struct Reading {
    chunks: Vec<(usize, u64, u64, Watermark)>,
    digests: Vec<String>,
    error: Option<String>,
    has_consumed: u64,
}

fn read(reader: &mut ChunkReader) -> Reading {
    let (mut chunks, mut has_consumed) = (Vec::new(), 0);
    let error = loop {
        match reader.next_chunk(Vec::new()) {
            Ok(Some(chunk)) => {
                assert!(chunk.consumed >= has_consumed, "progress goes on");
                has_consumed = chunk.consumed;
                chunks.push((chunk.source, chunk.byte_offset, chunk.first_line, chunk.end));
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    let digests = reader.digests().iter().map(|digest| digest.digest.clone()).collect();
    // How much was consumed for a chunk depends on how much is decompressed at once; for all of them it doesn't.
    let has_consumed = if error.is_none() { has_consumed } else { 0 };
    Reading { chunks, digests, error, has_consumed }
}

fn check(contents: &[Vec<u8>]) -> Reading {
    let (_folder, sources) = store(contents);
    let open = || ChunkReader::open(sources.clone(), 1 << 20).unwrap();
    let here = read(&mut open());
    for jobs in [1, 2, 3, 100] {
        let mut reader = open();
        reader.read_ahead(jobs);
        assert_eq!(read(&mut reader), here, "{jobs} jobs");
    }
    here
}

#[test]
fn chunks_digests_and_watermarks_are_the_same() {
    let reading = check(&files());
    assert_eq!((reading.error, reading.digests.len()), (None, 10));
}

#[test]
fn a_damaged_file_is_told_after_all_before_it_and_with_the_same_words() {
    let whole = files();
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 70_000].to_vec();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        bytes
    };
    let trailing = [&whole[0][..], b"{}"].concat();
    let two_members = [&whole[0][..], &flipped(&whole[1])].concat();
    for (damaged, words) in [
        (cut(&whole[0]), "breaks off at byte"),
        (flipped(&whole[0]), "is damaged at byte"),
        (trailing, "holds something behind its gzip stream"),
        (two_members, "that is lines "),
        (cut(&whole[5]), "breaks off at byte"),
    ] {
        let reading = check(&[whole[0].clone(), whole[1].clone(), damaged, whole[0].clone()]);
        assert_eq!(reading.digests.len(), 2);
        assert!(reading.chunks.iter().any(|(source, ..)| *source == 1));
        let error = reading.error.unwrap();
        assert!(error.contains("02") && error.contains(words), "{error}");
    }
}

#[test]
fn a_file_that_went_away_is_told_in_its_turn() {
    let (folder, sources) = store(&files()[..4]);
    let mut reader = ChunkReader::open(sources, 1 << 20).unwrap();
    fs::remove_file(folder.path().join("02")).unwrap();
    reader.read_ahead(8);
    let reading = read(&mut reader);
    assert_eq!(reading.digests.len(), 2);
    assert!(reading.error.unwrap().contains("02 can't be opened"));
}

#[test]
fn who_stops_in_the_middle_waits_for_nothing() {
    let (_folder, sources) = store(&files());
    let mut reader = ChunkReader::open(sources, 1 << 20).unwrap();
    reader.read_ahead(4);
    for _ in 0..2 {
        assert!(matches!(reader.next_chunk(Vec::new()), Ok::<_, InputError>(Some(_))));
    }
    drop(reader);
}
