//! Cuts the sources into numbered chunks of whole lines, in constant memory.
//!
//! A line above [`LINE_BYTES_MAX`] passes as [`Piece::LongLine`] chunks: too long to be a document, but every
//! byte of it must reach the reject file. A read error comes after the whole lines that were read before it.

use std::{
    io::{self, Read},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{InputError, Source, buffer::Buffer, decompress::Decompressed, sniff, trail::Trail};

/// The longest line that is looked at as a document, in bytes without its line end.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is kept besides its bytes of a line that is rejected for one fault.
const LINE_COST_BYTES: usize = 256;

/// Most lines of a chunk: lines of two bytes, each of them rejected, take a hundred times as much in words.
const LINES_MAX: usize = 16 * 1024;

/// How much of a source is looked at to tell that it is no NDJSON.
const HEAD_BYTES: usize = 64 * 1024;

/// A run of whole lines of one source, or a part of one line that is too long.
#[derive(Debug)]
pub struct Chunk {
    /// Counts up from 0 over all sources.
    pub sequence: u64,
    /// Index of the source in the order they were named.
    pub source: usize,
    /// Where `bytes` starts in the decompressed source.
    pub byte_offset: u64,
    /// The 1-based number of the first line in the source.
    pub first_line: u64,
    /// How many lines there are, or end here.
    pub lines: usize,
    pub piece: Piece,
    /// Stored bytes of all sources that were used up to read this far, for progress.
    pub consumed: u64,
    /// Right after the last byte.
    pub end: Watermark,
    /// The source ends here, without a line end; the last line may be cut off.
    pub is_unterminated: bool,
    /// Of the sources that ended between the chunk before and this one.
    pub ended: Vec<SourceDigest>,
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// About how much memory the chunk takes while it is under way, in bytes: short lines, when each of them
    /// is rejected, take more in words about them than they are long.
    pub fn cost_bytes(&self) -> usize {
        self.bytes.len() + self.lines * LINE_COST_BYTES
    }
}

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Whole lines; only the last line of a source may lack its line end.
    Lines,
    /// A part of a line above [`LINE_BYTES_MAX`]; `starts_at` is the byte offset where that line starts.
    LongLine { starts_at: u64, ends: bool },
}

/// A place in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Index of the source in the order they were named.
    pub source: usize,
    /// In the decompressed source.
    pub byte_offset: u64,
}

/// A place in the input, and what came before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watermark {
    pub position: Position,
    /// BLAKE3, in hexadecimal, of the BLAKE3 digests (32 bytes each) of all sources before this one and of this
    /// one's bytes up to here.
    pub digest: String,
    /// What everything up to here costs (see [`Chunk::cost_bytes`]), however it is cut into chunks.
    pub cost_bytes: u64,
}

/// A source that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDigest {
    /// Decompressed bytes.
    pub bytes: u64,
    /// BLAKE3 of the decompressed stream, in hexadecimal.
    pub digest: String,
}

/// Reads sources one after another and hands out their chunks.
pub struct ChunkReader {
    sources: Vec<Source>,
    chunk_bytes: usize,
    /// Stored bytes used up of the source that is being read.
    consumed: Arc<AtomicU64>,
    /// Stored bytes of the sources before it.
    consumed_before: u64,
    current: Option<OpenSource>,
    next_source: usize,
    next_sequence: u64,
    trail: Trail,
    /// How many sources ended before the last chunk.
    ended_before: usize,
    /// The first bytes of the first source that is not empty.
    head: Vec<u8>,
    first: Option<Chunk>,
}

struct OpenSource {
    index: usize,
    stream: Decompressed,
    /// The first bytes, as they are.
    head: Vec<u8>,
    /// Bytes after the last line end that was handed out.
    rest: Vec<u8>,
    byte_offset: u64,
    line: u64,
    long_line_starts_at: Option<u64>,
    at_start: bool,
    ended: bool,
    failed: Option<io::Error>,
}

impl std::fmt::Debug for ChunkReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkReader").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl ChunkReader {
    /// Looks at the start of every regular file and reads the first chunk, so that an input that is no
    /// NDJSON stops before anything is done.
    pub fn open(sources: Vec<Source>, chunk_bytes: usize) -> Result<Self, InputError> {
        assert!(chunk_bytes > 0, "a chunk holds at least one byte");
        for source in &sources {
            if source.stored_bytes().is_some() {
                probe(source)?;
            }
        }
        let mut reader = Self {
            sources,
            chunk_bytes,
            consumed: Arc::default(),
            consumed_before: 0,
            current: None,
            next_source: 0,
            next_sequence: 0,
            trail: Trail::new(),
            ended_before: 0,
            head: Vec::new(),
            first: None,
        };
        reader.first = reader.read_chunk(Vec::new())?;
        Ok(reader)
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The sources read to their end so far, in order.
    pub fn digests(&self) -> &[SourceDigest] {
        self.trail.finished()
    }

    /// The first 64 KiB of the decompressed stream of the first source that is not empty; less, if that is all
    /// there is of it.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Lets the stream be read only if it still is what it was where these places were taken. To be called
    /// before the first chunk is asked for.
    pub fn expect(&mut self, watermarks: Vec<Watermark>) {
        self.trail.expect(watermarks);
    }

    /// Whether the stream was read beyond all places that were expected.
    pub fn is_verified(&self) -> bool {
        self.trail.is_verified()
    }

    /// The next chunk, in `buffer`'s memory where it can be reused; `None` after the last source.
    pub fn next_chunk(&mut self, buffer: Vec<u8>) -> Result<Option<Chunk>, InputError> {
        let chunk = match self.first.take() {
            Some(chunk) => Some(chunk),
            None => self.read_chunk(buffer)?,
        };
        let Some(mut chunk) = chunk else {
            self.trail.finish(&self.sources)?;
            return Ok(None);
        };
        self.trail.pass(&mut chunk, &self.sources)?;
        chunk.ended = self.digests()[self.ended_before..].to_vec();
        self.ended_before = chunk.source;
        Ok(Some(chunk))
    }

    fn read_chunk(&mut self, mut buffer: Vec<u8>) -> Result<Option<Chunk>, InputError> {
        loop {
            let Some(mut open) = self.current.take() else {
                if self.next_source == self.sources.len() {
                    return Ok(None);
                }
                self.current = Some(self.open_next()?);
                continue;
            };
            let name = || self.sources[open.index].name();
            match open.read_chunk(buffer, self.chunk_bytes, &name())? {
                Ok(mut chunk) => {
                    if self.head.is_empty() {
                        self.head = mem::take(&mut open.head);
                    }
                    chunk.consumed = self.consumed_before + self.consumed.load(Ordering::Relaxed);
                    chunk.sequence = self.next_sequence;
                    self.next_sequence += 1;
                    self.current = Some(open);
                    return Ok(Some(chunk));
                }
                Err(unused) => {
                    buffer = unused;
                    self.consumed_before += self.consumed.load(Ordering::Relaxed);
                    self.trail.finish_source(open.byte_offset);
                }
            }
        }
    }

    fn open_next(&mut self) -> Result<OpenSource, InputError> {
        let index = self.next_source;
        self.next_source += 1;
        let source = &self.sources[index];
        let stream = Decompressed::new(source.open()?, Arc::clone(&self.consumed))
            .map_err(|error| InputError::Open { name: source.name(), source: error })?;
        Ok(OpenSource {
            index,
            stream,
            head: Vec::new(),
            rest: Vec::new(),
            byte_offset: 0,
            line: 1,
            long_line_starts_at: None,
            at_start: true,
            ended: false,
            failed: None,
        })
    }
}

/// Refuses a file whose first bytes are not NDJSON; damage is left to the read that meets it.
fn probe(source: &Source) -> Result<(), InputError> {
    let name = source.name();
    let stream = Decompressed::new(source.open()?, Arc::new(AtomicU64::new(0)))
        .map_err(|error| InputError::Open { name: name.clone(), source: error })?;
    let mut head = Vec::new();
    // An error keeps what was read before it, which is all that is wanted here.
    let is_damaged = stream.take(HEAD_BYTES as u64).read_to_end(&mut head).is_err();
    refuse_foreign(whole_lines(&head[sniff::bom_bytes(&head)..], is_damaged), &name)
}

/// Of a head that broke off, the lines that are there to their end: half a line looks like many things.
fn whole_lines(head: &[u8], is_broken_off: bool) -> &[u8] {
    match memchr::memrchr(b'\n', head) {
        Some(end) if is_broken_off => &head[..=end],
        None if is_broken_off => &[],
        _ => head,
    }
}

fn refuse_foreign(head: &[u8], name: &str) -> Result<(), InputError> {
    match sniff::foreign(head, name) {
        Some(sniff::Foreign { found, mend }) => {
            Err(InputError::Format { name: name.to_owned(), found, mend })
        }
        None => Ok(()),
    }
}

/// The part of a buffer that becomes a chunk.
struct Cut {
    length: usize,
    /// How many of its bytes are line ends.
    lines: usize,
    piece: Piece,
}

/// Whole lines from the front, as `OpenSource::cut` wants them, if a line ends in the buffer.
fn after_line_end(filled: &[u8], chunk_bytes: usize) -> Option<Cut> {
    let (head, tail) = filled.split_at(filled.len().min(chunk_bytes));
    let Some(end) = memchr::memrchr(b'\n', head) else {
        let end = head.len() + memchr::memchr(b'\n', tail)?;
        return Some(Cut { length: end + 1, lines: 1, piece: Piece::Lines });
    };
    let lines = memchr::memchr_iter(b'\n', head).count();
    // Counting is much faster than to look for the line ends one by one.
    let end = match lines {
        ..=LINES_MAX => end,
        _ => memchr::memchr_iter(b'\n', head).nth(LINES_MAX - 1).expect("there are more"),
    };
    Some(Cut { length: end + 1, lines: lines.min(LINES_MAX), piece: Piece::Lines })
}

impl OpenSource {
    /// The next chunk, or the unused buffer at the end of the source.
    fn read_chunk(
        &mut self,
        buffer: Vec<u8>,
        chunk_bytes: usize,
        name: &str,
    ) -> Result<Result<Chunk, Vec<u8>>, InputError> {
        let mut buffer = Buffer::reusing(buffer);
        buffer.push(&self.rest);
        self.rest.clear();
        self.fill(&mut buffer, chunk_bytes);
        if mem::take(&mut self.at_start) {
            self.fill(&mut buffer, HEAD_BYTES);
            self.head = buffer.filled()[..buffer.filled().len().min(HEAD_BYTES)].to_vec();
            let bom = sniff::bom_bytes(buffer.filled());
            buffer.remove_front(bom);
            self.byte_offset += bom as u64;
            refuse_foreign(whole_lines(buffer.filled(), self.failed.is_some()), name)?;
        }
        let Some(Cut { length, lines, piece }) = self.cut(&mut buffer, chunk_bytes) else {
            return match self.failed.take() {
                Some(error) => Err(self.explain(error, name)),
                None => Ok(Err(buffer.into_bytes(0))),
            };
        };
        self.rest.extend_from_slice(&buffer.filled()[length..]);
        let bytes = buffer.into_bytes(length);
        let chunk = Chunk {
            sequence: 0,
            source: self.index,
            byte_offset: self.byte_offset,
            first_line: self.line,
            lines,
            piece,
            consumed: 0,
            end: Watermark::default(),
            is_unterminated: piece == Piece::Lines && !bytes.ends_with(b"\n"),
            ended: Vec::new(),
            bytes,
        };
        self.byte_offset += length as u64;
        self.line += lines as u64;
        Ok(Ok(chunk))
    }

    /// Where the buffer is to be cut: after the last line end of its first `chunk_bytes`, or of the last line
    /// that a chunk takes, else after the first one that follows, reading on while there is none.
    /// `None` when there is nothing (more) to hand out.
    fn cut(&mut self, buffer: &mut Buffer, chunk_bytes: usize) -> Option<Cut> {
        if let Some(starts_at) = self.long_line_starts_at {
            let end = memchr::memchr(b'\n', buffer.filled());
            let ends = end.is_some() || (self.ended && self.failed.is_none());
            if ends {
                self.long_line_starts_at = None;
            } else if self.ended {
                return None;
            }
            let length = end.map_or(buffer.filled().len(), |end| end + 1);
            let piece = Piece::LongLine { starts_at, ends };
            return Some(Cut { length, lines: usize::from(end.is_some()), piece });
        }
        loop {
            let filled = buffer.filled();
            if let Some(cut) = after_line_end(filled, chunk_bytes) {
                return Some(cut);
            }
            if self.ended {
                let whole = self.failed.is_none() && !filled.is_empty();
                return whole.then_some(Cut { length: filled.len(), lines: 0, piece: Piece::Lines });
            }
            // One byte more than the limit may still be the line's carriage return.
            if filled.len() > LINE_BYTES_MAX + 1 {
                self.long_line_starts_at = Some(self.byte_offset);
                let piece = Piece::LongLine { starts_at: self.byte_offset, ends: false };
                return Some(Cut { length: filled.len(), lines: 0, piece });
            }
            let target = filled.len() + chunk_bytes;
            self.fill(buffer, target);
        }
    }

    /// Reads until `buffer` holds `target` bytes, the source ends, or a read fails.
    fn fill(&mut self, buffer: &mut Buffer, target: usize) {
        if self.ended {
            return;
        }
        match buffer.fill(&mut self.stream, target) {
            Ok(ended) => self.ended = ended,
            Err(error) => {
                self.ended = true;
                self.failed = Some(error);
            }
        }
    }

    fn explain(&self, source: io::Error, name: &str) -> InputError {
        let fault = self.stream.fault();
        let (name, byte_offset) = (name.to_owned(), fault.byte_offset);
        if fault.unreadable {
            InputError::Read { name, byte_offset, source }
        } else {
            InputError::Damaged { name, form: self.stream.form, byte_offset, source }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn source(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let source = Source::File(file.path().to_owned());
        (file, source)
    }

    fn chunks(bytes: &[u8], chunk_bytes: usize) -> Result<Vec<Chunk>, InputError> {
        let (_file, source) = source(bytes);
        let mut reader = ChunkReader::open(vec![source], chunk_bytes)?;
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
                chunks.iter().filter(|c| matches!(c.piece, Piece::LongLine { ends: true, .. })).collect();
            assert!(ends.len() <= 1);
            for chunk in &chunks {
                assert!(chunk.bytes.len() <= LINE_BYTES_MAX + (2 << 20), "memory is bounded");
                if let Piece::LongLine { starts_at, .. } = chunk.piece {
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
            assert!(chunks.iter().all(|c| c.piece == Piece::Lines), "{end:?}");
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
        let mut reader = ChunkReader::open(vec![source], 4096).unwrap();
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
        assert!(matches!(error, InputError::Damaged { byte_offset, .. } if byte_offset <= cut as u64));
    }

    #[test]
    fn several_sources_count_their_own_lines() {
        let (_a, a) = source(b"{}\n{}\n");
        let (_b, b) = source(b"");
        let (_c, c) = source(b"{}");
        let mut reader = ChunkReader::open(vec![a, b, c], 3).unwrap();
        let mut seen = Vec::new();
        while let Some(chunk) = reader.next_chunk(Vec::new()).unwrap() {
            let ended: Vec<_> = chunk.ended.iter().map(|digest| digest.bytes).collect();
            seen.push((chunk.sequence, chunk.source, chunk.first_line, chunk.byte_offset, ended));
        }
        assert_eq!(seen, [(0, 0, 1, 0, vec![]), (1, 0, 2, 3, vec![]), (2, 2, 1, 0, vec![6, 0])]);
        assert_eq!(reader.digests().iter().map(|d| d.bytes).collect::<Vec<_>>(), [6, 0, 2]);
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
                let reader = ChunkReader::open(words, chunk_bytes).unwrap();
                assert!(reader.head() == expected);
            }
        }
    }

    #[test]
    fn a_chunk_holds_a_bounded_number_of_lines() {
        let chunks = chunks("{}\n".repeat(40_000).as_bytes(), 1 << 20).unwrap();
        let lines: Vec<_> = chunks.iter().map(|chunk| chunk.lines).collect();
        assert_eq!(lines, [LINES_MAX, LINES_MAX, 40_000 - 2 * LINES_MAX]);
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
            }
        }
    }
}
