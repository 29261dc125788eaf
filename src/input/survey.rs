//! What is known of a file once it was read through: its digest, what it is wrapped in, and, of plain NDJSON, where its lines
//! can be cut into sections of about the same length.

use std::{
    io::Read as _,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{InputError, Source, Version, decompress::Decompressed, probe::probe, section};
use crate::{
    bound::bound,
    settings::{Framing, FramingRequest},
};

const READ_BYTES: usize = bound(1 << 20, 50);

/// What a server says of a file.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) version: Version,
    /// `plain`, `gzip` or `zstd`.
    pub(crate) compression: &'static str,
    pub(crate) framing: Framing,
}

/// Looks at the first bytes of a file behind a URL, whose server says which version they are of.
pub(crate) fn pin(source: &Source, request: FramingRequest) -> Result<Option<Pinned>, InputError> {
    let Some(remote) = source.as_remote() else { return Ok(None) };
    let (compression, framing) = probe(source, request)?;
    let version =
        remote.version().filter(|version| version.length.is_some() && version.strong_etag().is_some());
    Ok(version.map(|version| Pinned { version: version.clone(), compression, framing }))
}

/// A file that was read through.
#[derive(Debug, PartialEq, Eq)]
pub struct Survey {
    /// As it is stored.
    pub bytes: u64,
    /// BLAKE3 of the stored bytes, in hexadecimal.
    pub digest: String,
    /// `plain`, `gzip` or `zstd`.
    pub compression: &'static str,
    pub framing: Framing,
    /// At least one; together they are the file.
    pub sections: Vec<SurveyedSection>,
}

/// Whole lines of a file, or all of it.
#[derive(Debug, PartialEq, Eq)]
pub struct SurveyedSection {
    pub start: u64,
    pub bytes: u64,
    pub first_line: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub digest: String,
}

/// Reads a file through. Sections have about `section_bytes`, where it can be cut; `read` counts stored bytes, for progress.
pub fn survey(
    source: &Source,
    request: FramingRequest,
    section_bytes: u64,
    read: &AtomicU64,
) -> Result<Survey, InputError> {
    let mut file = section::open_to_survey(source)?;
    let (compression, framing) = probe(source, request)?;
    let is_plain = compression == Decompressed::PLAIN && framing == Framing::Ndjson;
    let is_cut = is_plain && source.as_remote().is_none();
    let bytes = source.stored_bytes().unwrap_or(0);
    let sections = bytes.div_ceil(section_bytes.max(1)).max(1);
    let mut cutter = Cutter::new(if is_cut { bytes.div_ceil(sections).max(1) } else { u64::MAX });
    let mut whole = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(InputError::read(source.name(), whole.count(), error));
            }
        };
        whole.update(&buffer[..count]);
        read.fetch_add(count as u64, Ordering::Relaxed);
        cutter.add(&buffer[..count]);
    }
    let digest = whole.finalize().to_hex().to_string();
    Ok(Survey { bytes: whole.count(), digest, compression, framing, sections: cutter.finish() })
}

/// Cuts behind the line end at which a section has become long enough.
struct Cutter {
    section_bytes: u64,
    done: Vec<SurveyedSection>,
    start: u64,
    first_line: u64,
    lines: u64,
    hasher: blake3::Hasher,
}

impl Cutter {
    fn new(section_bytes: u64) -> Self {
        let hasher = blake3::Hasher::new();
        Self { section_bytes, done: Vec::new(), start: 0, first_line: 1, lines: 0, hasher }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        loop {
            // A section that is long enough ends with the line that its last byte is in.
            let missing = self.section_bytes.saturating_sub(self.hasher.count()).saturating_sub(1);
            let from = usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len());
            let Some(end) = memchr::memchr(b'\n', &bytes[from..]) else { break };
            let (section, rest) = bytes.split_at(from + end + 1);
            self.take(section);
            self.end_section();
            bytes = rest;
        }
        self.take(bytes);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    fn end_section(&mut self) {
        let hasher = std::mem::take(&mut self.hasher);
        let bytes = hasher.count();
        let digest = hasher.finalize().to_hex().to_string();
        let section = SurveyedSection { start: self.start, bytes, first_line: self.first_line, digest };
        self.done.push(section);
        self.start += bytes;
        self.first_line += std::mem::take(&mut self.lines);
    }

    fn finish(mut self) -> Vec<SurveyedSection> {
        if self.done.is_empty() || self.hasher.count() > 0 {
            self.end_section();
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sections(pieces: &[&[u8]], section_bytes: u64) -> Vec<SurveyedSection> {
        let mut cutter = Cutter::new(section_bytes);
        pieces.iter().for_each(|piece| cutter.add(piece));
        cutter.finish()
    }

    #[test]
    fn sections_end_with_lines() {
        let cut = |text: &[u8], section_bytes| -> Vec<(u64, u64, u64)> {
            let sections = sections(&[text], section_bytes);
            sections.iter().map(|one| (one.start, one.bytes, one.first_line)).collect()
        };
        assert_eq!(cut(b"", 4), [(0, 0, 1)]);
        assert_eq!(cut(b"ab", 4), [(0, 2, 1)]);
        assert_eq!(cut(b"abc\n", 4), [(0, 4, 1)]);
        assert_eq!(cut(b"abc\nd", 4), [(0, 4, 1), (4, 1, 2)]);
        assert_eq!(cut(b"abcd\ne\nf\n", 4), [(0, 5, 1), (5, 4, 2)]);
        assert_eq!(cut(b"a\n\nb\n", 1), [(0, 2, 1), (2, 1, 2), (3, 2, 3)]);
        assert_eq!(cut(b"a\nb\n", u64::MAX), [(0, 4, 1)]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_file_is_read(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..200),
            section_bytes in 1_u64..50,
            at in 0_usize..200,
        ) {
            let whole = sections(&[&text], section_bytes);
            let (one, other) = text.split_at(at.min(text.len()));
            prop_assert_eq!(&sections(&[one, other], section_bytes), &whole);
            let mut start = 0;
            for section in &whole {
                prop_assert_eq!(section.start, start);
                let before = &text[..usize::try_from(start).unwrap()];
                prop_assert_eq!(section.first_line, 1 + memchr::memchr_iter(b'\n', before).count() as u64);
                start += section.bytes;
            }
            prop_assert_eq!(start, text.len() as u64);
        }
    }
}
