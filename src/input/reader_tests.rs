//! Cutting, whatever the sizes.

use std::io::Write;

use proptest::prelude::*;

use super::{
    Chunk, ChunkReader, InputError, LINE_BYTES_MAX, Piece, Source, cut::LINES_MAX, sniff::HEAD_BYTES,
};
use crate::settings::FramingRequest;

fn source(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = Source::File(file.path().to_owned());
    (file, source)
}

fn chunks(bytes: &[u8], chunk_bytes: usize) -> Result<Vec<Chunk>, InputError> {
    let (_file, source) = source(bytes);
    let mut reader = ChunkReader::open(vec![source], FramingRequest::Auto, chunk_bytes)?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk(Vec::new())? {
        chunks.push(chunk);
    }
    assert_eq!(reader.digests().len(), 1);
    Ok(chunks)
}

fn check(bytes: &[u8], chunk_bytes: usize, expected: &[&str]) {
    let chunks = chunks(bytes, chunk_bytes).unwrap();
    let texts: Vec<_> = chunks.iter().map(|c| std::str::from_utf8(&c.bytes).unwrap()).collect();
    assert_eq!(texts, expected);
}

#[test]
fn lines_stay_whole() {
    check(b"", 8, &[]);
    check(b"\n", 8, &["\n"]);
    check(b"{}", 8, &["{}"]);
    check(b"{}\n{}\n", 1, &["{}\n", "{}\n"]);
    check(b"{}\n{}\n", 4, &["{}\n", "{}\n"]);
    check(b"{}\n{}\n", 6, &["{}\n{}\n"]);
    check(b"{}\n{}", 64, &["{}\n", "{}"]);
    check(b"{}\n{}\n{}", 1, &["{}\n", "{}\n", "{}"]);
    check(b"{}\r\n\r\n{1234567890}\r\n", 5, &["{}\r\n", "\r\n", "{1234567890}\r\n"]);
    check(b"\xef\xbb\xbf{}\n", 8, &["{}\n"]);
    check(b"\xef\xbb\xbf", 8, &[]);
}

#[test]
fn a_line_above_the_limit_passes_in_pieces() {
    for (over, ends_with) in [(2, ""), (2, "\n"), (100_000, "\n"), (3_000_000, "\n{}\n"), (2, "\n{}")] {
        let text = format!("{{}}\n{}{ends_with}", "x".repeat(LINE_BYTES_MAX + over));
        let chunks = chunks(text.as_bytes(), 1 << 20).unwrap();
        let joined: Vec<u8> = chunks.iter().flat_map(|c| c.bytes.clone()).collect();
        assert!(joined == text.as_bytes());
        let ends: Vec<_> =
            chunks.iter().filter(|c| matches!(c.piece, Piece::Long { ends: true, .. })).collect();
        assert!(ends.len() <= 1);
        for chunk in &chunks {
            assert!(chunk.bytes.len() <= LINE_BYTES_MAX + (2 << 20), "memory is bounded");
            if let Piece::Long { starts_at, .. } = chunk.piece {
                assert_eq!(starts_at, 3);
                assert_eq!(chunk.first_line, 2);
            }
        }
    }
}

#[test]
fn a_line_at_the_limit_is_a_line() {
    for end in ["", "\n", "\r\n"] {
        let text = format!("{}{end}", "x".repeat(LINE_BYTES_MAX));
        let chunks = chunks(text.as_bytes(), 1 << 20).unwrap();
        assert!(chunks.iter().all(|c| c.piece == Piece::Whole), "{end:?}");
    }
}

#[test]
fn damage_comes_after_the_whole_lines_before_it() {
    let lines: Vec<_> = (0..50_000).map(|i| format!("{{\"line\":{i}}}\n")).collect();
    let text = lines.concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let cut = whole.len() / 2;
    let (_file, source) = source(&whole[..cut]);
    let mut reader = ChunkReader::open(vec![source], FramingRequest::Auto, 4096).unwrap();
    let mut read = Vec::new();
    let error = loop {
        match reader.next_chunk(Vec::new()) {
            Ok(Some(chunk)) => read.extend(chunk.bytes),
            Ok(None) => panic!("the cut went unnoticed"),
            Err(error) => break error,
        }
    };
    assert!(!read.is_empty() && read.ends_with(b"\n") && text.as_bytes().starts_with(&read));
    assert!(error.is_temporary());
    assert!(matches!(error, InputError::BrokenOff { byte_offset, .. } if byte_offset <= cut as u64));
}

#[test]
fn several_sources_count_their_own_lines() {
    let (_a, a) = source(b"{}\n{}\n");
    let (_b, b) = source(b"");
    let (_c, c) = source(b"{}");
    for has_digests in [true, false] {
        let sources = vec![b.clone(), a.clone(), b.clone(), c.clone()];
        let mut reader = ChunkReader::open(sources, FramingRequest::Auto, 3).unwrap();
        if !has_digests {
            reader = reader.without_digests();
        }
        let mut seen = Vec::new();
        while let Some(chunk) = reader.next_chunk(Vec::new()).unwrap() {
            let ended: Vec<_> = chunk.ended.iter().map(|digest| digest.bytes).collect();
            seen.push((chunk.sequence, chunk.source, chunk.first_line, chunk.byte_offset, ended));
        }
        assert_eq!(seen, [(0, 1, 1, 0, vec![0]), (1, 1, 2, 3, vec![]), (2, 3, 1, 0, vec![6, 0])]);
        assert_eq!(reader.digests().iter().map(|d| d.bytes).collect::<Vec<_>>(), [0, 6, 0, 2]);
        assert!(reader.digests().iter().all(|d| d.digest.is_some() == has_digests));
    }
}

#[test]
fn the_head_does_not_depend_on_chunks() {
    let long = "{\"x\":1}\n".repeat(10_000);
    for (texts, expected) in [
        (&[&b""[..], b"\xef\xbb\xbf{}\n", b"{}"][..], &b"\xef\xbb\xbf{}\n"[..]),
        (&[long.as_bytes()], &long.as_bytes()[..HEAD_BYTES]),
        (&[b""], b""),
    ] {
        for chunk_bytes in [1, 1000, 1 << 20] {
            let sources: Vec<_> = texts.iter().map(|text| source(text)).collect();
            let words = sources.iter().map(|(_, source)| source.clone()).collect();
            let reader = ChunkReader::open(words, FramingRequest::Auto, chunk_bytes).unwrap();
            assert!(reader.head() == expected);
        }
    }
}

#[test]
fn a_byte_order_mark_takes_nothing_of_the_head() {
    let long = format!("\"{{\\\"id\\\":\\\"{}", "x".repeat(2 * HEAD_BYTES));
    for mark in ["", "\u{feff}"] {
        for chunk_bytes in [1, HEAD_BYTES, 1 << 20] {
            let error = chunks(format!("{mark}{long}").as_bytes(), chunk_bytes).expect_err("it is a string");
            assert!(error.to_string().contains("JSON strings that hold JSON"), "{chunk_bytes}: {error}");
        }
    }
}

#[test]
fn a_chunk_holds_a_bounded_number_of_lines() {
    let chunks = chunks("{}\n".repeat(10_000).as_bytes(), 1 << 20).unwrap();
    let lines: Vec<_> = chunks.iter().map(|chunk| chunk.lines).collect();
    assert_eq!(lines, [LINES_MAX, LINES_MAX, 10_000 - 2 * LINES_MAX]);
}

proptest! {
    #[test]
    fn chunks_joined_are_the_input(
        lines in proptest::collection::vec("[a-z{}\r]{0,20}", 0..30),
        chunk_bytes in 1_usize..64,
        final_newline: bool,
    ) {
        let mut text = lines.join("\n");
        // Starts like an object, so that it is not taken for another format.
        text.insert_str(0, "{x}\n");
        if final_newline { text.push('\n'); }
        let chunks = chunks(text.as_bytes(), chunk_bytes).unwrap();
        let joined: Vec<u8> = chunks.iter().flat_map(|c| c.bytes.clone()).collect();
        prop_assert_eq!(joined, text.as_bytes());
        let mut offset = 0;
        for (index, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!(chunk.byte_offset, offset);
            offset += chunk.bytes.len() as u64;
            prop_assert!(index + 1 == chunks.len() || chunk.bytes.ends_with(b"\n"));
            let before = &text.as_bytes()[..usize::try_from(chunk.byte_offset).unwrap()];
            let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
            prop_assert_eq!(chunk.first_line, line);
            let lines = chunk.bytes.split_inclusive(|&byte| byte == b'\n').collect::<Vec<_>>();
            let documents = chunk.documents.iter().map(|span| &chunk.bytes[span.range()]);
            prop_assert_eq!(documents.collect::<Vec<_>>(), lines);
            prop_assert!(chunk.documents.iter().zip(0..).all(|(span, before)| span.lines_before() == before));
        }
    }
}
