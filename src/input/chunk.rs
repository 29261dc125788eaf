//! Cuts the sources into numbered chunks of whole lines, in constant memory.
//!
//! A line above [`LINE_BYTES_MAX`] passes as [`Piece::LongLine`] chunks: too long to be a document, but every
//! byte of it must reach the reject file. A read error comes after the whole lines that were read before it.

use std::{
    io::Read,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    InputError, Source,
    decompress::Decompressed,
    open_source::{HEAD_BYTES, OpenSource, refuse_foreign, whole_lines},
    sniff,
    trail::Trail,
};

/// The longest line that is looked at as a document, in bytes without its line end.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is kept besides its bytes of a line that is rejected for one fault.
const LINE_COST_BYTES: usize = 256;

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
        Ok(OpenSource::new(index, stream))
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
