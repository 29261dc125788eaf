//! Whatever the sizes of chunks and sections, and however a file is compressed, its lines are those of a simple split, and a
//! later attempt takes up where any chunk ended, of the same file only.

#![no_main]

use std::{io::Write, sync::atomic::AtomicU64};

use libfuzzer_sys::fuzz_target;
use profile_loader::{
    internals::input::{
        ChunkReader, InputError, LINE_BYTES_MAX, Section, Source, Survey, SurveyedSection, survey,
    },
    settings::{Framing, FramingRequest},
};
use profile_loader_fuzz::{Document, Outcome, come_again_from_rejects, drain, file, read, read_again};

const NDJSON: FramingRequest = FramingRequest::Only(Framing::Ndjson);
/// How much of a source is looked at to tell what it is, and a byte order mark.
const HEAD_BYTES: usize = 48 + 3;
const BOM: &[u8] = b"\xef\xbb\xbf";

fuzz_target!(|input: &[u8]| {
    let Some((&[chunk, other_chunk, section, at, form], text)) = input.split_first_chunk() else { return };
    if [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd"].iter().any(|magic| text.starts_with(magic)) {
        return;
    }
    if text.strip_prefix(BOM).unwrap_or(text).starts_with(b"\x1e\x1e\x1e") {
        return; // A reject file of records.
    }
    let chunk_bytes = 1 + usize::from(chunk) * usize::from(chunk) / 20;
    let source = file(text);
    let found = read(&source, NDJSON, chunk_bytes);
    let other = read(&source, NDJSON, 1 + usize::from(other_chunk));
    assert_eq!(found.error_text(), other.error_text());
    if found.error.is_some() {
        return; // It is recognised as no NDJSON.
    }
    let expected = lines(text);
    assert_eq!(found.documents, expected);
    assert_eq!(other.documents, expected);
    assert_eq!(found.text, text.strip_prefix(BOM).unwrap_or(text));
    assert_eq!(found.ends.last(), other.ends.last(), "what is kept of an input is no matter of its chunks");

    let again = read_again(&source, NDJSON, 1 + usize::from(other_chunk), &found.ends);
    assert_eq!((again.error_text(), again.documents), (None, lines(text)));
    let auto = read(&source, FramingRequest::Auto, chunk_bytes);
    if auto.error.is_none() && auto.framing == Some(Framing::Ndjson) {
        assert_eq!(auto.documents, expected);
    }
    assert_eq!(sections(&source, usize::from(section), chunk_bytes), expected);
    changed(text, &found, at, chunk_bytes);
    come_again_from_rejects(&expected, Framing::Ndjson);
    compressed(text, form, at, chunk_bytes);
});

fn lines(text: &[u8]) -> Vec<Document> {
    let mut byte_offset = if text.starts_with(BOM) { 3 } else { 0 };
    let lines = text[byte_offset..].split_inclusive(|byte| *byte == b'\n').zip(1..);
    lines
        .map(|(text, line)| {
            let document = Document { line, byte_offset: byte_offset as u64, text: text.to_vec() };
            byte_offset += text.len();
            document
        })
        .collect()
}

/// The lines of all sections, each read by a reader of its own.
fn sections(source: &Source, section_bytes: usize, chunk_bytes: usize) -> Vec<Document> {
    let read = AtomicU64::new(0);
    let Survey { bytes, digest, compression, framing, sections } =
        survey(source, NDJSON, section_bytes as u64, &read).expect("it was read before");
    assert_eq!(read.into_inner(), bytes);
    let count = sections.len();
    let read = |section: SurveyedSection| {
        let section = Section {
            file_bytes: bytes,
            range: section.start..section.start + section.bytes,
            first_line: section.first_line,
            is_compressed: compression != "plain",
            framing,
            digest: Some(section.digest),
            file_digest: (count > 1).then(|| digest.clone()),
        };
        let mut reader =
            ChunkReader::open_section(source.clone(), section, chunk_bytes).expect("it was read before");
        let outcome = drain(&mut reader);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        outcome.documents
    };
    sections.into_iter().flat_map(read).collect()
}

/// A byte that an attempt has seen is another one, or something follows its end.
fn changed(text: &[u8], seen: &Outcome, at: u8, chunk_bytes: usize) {
    let Some(last) = found_line(text) else { return };
    let mut other = text.to_vec();
    let place = usize::from(at) % text.len();
    other[place] ^= 1;
    let again = read_again(&file(&other), NDJSON, chunk_bytes, &seen.ends);
    assert!(again.error.is_some(), "a changed byte is noticed");

    if text.len() < HEAD_BYTES {
        return; // More of it could make it look like something else.
    }
    for more in [&b"\n"[..], b"\r\n", b"x", b"\r", b"{}\n{}"] {
        let again = read_again(&file(&[text, more].concat()), NDJSON, chunk_bytes, &seen.ends);
        let goes_on = !last.ends_with(b"\n") && !more.starts_with(b"\n") && !more.starts_with(b"\r\n");
        match again.error_text() {
            None => assert!(!goes_on || last.len() > LINE_BYTES_MAX, "a line that goes on is another one"),
            Some(error) if error.contains("changed") => assert!(goes_on, "{error}"),
            Some(_) => {} // It is recognised as no NDJSON now.
        }
    }
}

fn found_line(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(BOM).unwrap_or(text).split_inclusive(|byte| *byte == b'\n').last()
}

/// Members or frames that begin anywhere; and what is left of them where the file breaks off.
fn compressed(text: &[u8], form: u8, at: u8, chunk_bytes: usize) {
    let (head, tail) = text.split_at(usize::from(at).min(text.len()));
    let parts = [head, tail].map(|part| if form % 2 == 0 { gzip(part) } else { zstd(part) });
    let stored = parts.concat();
    let found = read(&file(&stored), NDJSON, chunk_bytes);
    assert_eq!((found.error_text(), &found.documents), (None, &lines(text)));

    let cut = usize::from(form) % stored.len();
    let broken = read(&file(&stored[..cut]), NDJSON, chunk_bytes);
    if cut < 6 || matches!(broken.error, Some(InputError::Format { .. })) {
        return; // Too short to be told from text, or its first lines look like something else.
    }
    let is_whole = cut == parts[0].len();
    assert_eq!(broken.error.is_none(), is_whole, "{:?}", broken.error);
    assert!(broken.error.is_none_or(|error| error.is_temporary()));
    if !is_whole {
        assert!(broken.documents.iter().zip(&found.documents).all(|(one, other)| one == other));
        assert!(broken.documents.len() <= found.documents.len());
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes all")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).expect("memory takes all")
}
