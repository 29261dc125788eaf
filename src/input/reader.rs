//! Cuts the sources into numbered chunks of whole lines or documents, in constant memory.
//!
//! One above `LINE_BYTES_MAX` passes as [`Piece::Long`](super::Piece) chunks: too long to be a document, but every byte of
//! it must reach the reject file. A read error comes after the whole lines or documents that were read before it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    InputError, Source,
    apart::{Patience, SourcesApart},
    blocks::{BlockStream, PartBlocks},
    chunk::{Chunk, SourceDigest, Watermark},
    decompress::Decompressed,
    open_source::{NextChunk, OpenSource},
    probe::probe_all,
    section::{self, Section, SeenBytes},
    stream_digest::StreamDigest,
};
use crate::settings::{Framing, FramingRequest};

/// Reads sources one after another and hands out their chunks.
pub struct ChunkReader {
    sources: Vec<Source>,
    framing: FramingRequest,
    /// Of the one source, where it is not all of it that is read.
    section: Option<(Section, SeenBytes)>,
    /// Where it is blocks of documents that are read.
    blocks: Option<BlockStream>,
    /// How many of the sources that were looked at are.
    compressed: usize,
    patience: Option<Patience>,
    chunk_bytes: usize,
    /// Stored bytes used up of the source that is being read.
    consumed: Arc<AtomicU64>,
    /// Stored bytes of the sources before it.
    consumed_before: u64,
    current: Option<OpenSource>,
    next_source: usize,
    next_sequence: u64,
    digest: StreamDigest,
    /// How many sources ended before the last chunk.
    ended_before: usize,
    /// The first bytes of the first source that is not empty.
    head: Vec<u8>,
    first: Option<Chunk>,
    /// A buffer that was read into and is in no chunk.
    spare: Option<Vec<u8>>,
}

impl std::fmt::Debug for ChunkReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkReader").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl ChunkReader {
    /// Looks at the start of every file that can be read again and reads the first chunk, so that an input that holds no
    /// documents stops before anything is done.
    pub fn open(
        sources: Vec<Source>,
        framing: FramingRequest,
        chunk_bytes: usize,
    ) -> Result<Self, InputError> {
        let compressed = probe_all(&sources, framing)?;
        let mut reader = Self { compressed, ..Self::new(sources, framing, None, chunk_bytes) };
        reader.first = reader.read_chunk(Vec::new())?;
        Ok(reader)
    }

    /// Reads blocks of documents, which the sources hold one after another. Nothing is read before the first chunk is asked
    /// for.
    pub(crate) fn open_blocks(sources: Vec<Source>, blocks: PartBlocks, chunk_bytes: usize) -> Self {
        let framing = FramingRequest::Only(Framing::Json);
        let reader = Self::new(sources, framing, None, chunk_bytes);
        Self { blocks: Some(BlockStream::new(blocks)), ..reader }
    }

    /// Reads a section of a file that was looked at before: what is no document in it is the fault of its line.
    pub fn open_section(source: Source, section: Section, chunk_bytes: usize) -> Result<Self, InputError> {
        let framing = FramingRequest::Only(section.framing);
        let mut reader = Self::new(vec![source], framing, Some((section, SeenBytes::default())), chunk_bytes);
        reader.first = reader.read_chunk(Vec::new())?;
        Ok(reader)
    }

    /// Nothing is read yet.
    pub(super) fn new(
        sources: Vec<Source>,
        framing: FramingRequest,
        section: Option<(Section, SeenBytes)>,
        chunk_bytes: usize,
    ) -> Self {
        assert!(chunk_bytes > 0, "a chunk holds at least one byte");
        let mut digest = StreamDigest::new();
        if let Some((section, _)) = &section {
            digest.begin_at(section.range.start);
            if section.known_digest().is_some() {
                digest.leave_out();
            }
        }
        Self {
            sources,
            framing,
            section,
            blocks: None,
            compressed: 0,
            patience: None,
            chunk_bytes,
            consumed: Arc::default(),
            consumed_before: 0,
            current: None,
            next_source: 0,
            next_sequence: 0,
            digest,
            ended_before: 0,
            head: Vec::new(),
            first: None,
            spare: None,
        }
    }

    /// For whoever asks for no digests.
    pub(crate) fn without_digests(mut self) -> Self {
        self.digest.leave_out();
        self
    }

    pub(super) fn with_patience(self, patience: Patience) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// The sources, to be read at the same time in place of this reader; `None` where that gains nothing or can't be done.
    pub(crate) fn apart(&self) -> Option<SourcesApart> {
        let gains = self.section.is_none() && self.compressed > 1;
        let of = || SourcesApart::of(&self.sources, self.framing, self.chunk_bytes, self.digest.is_wanted());
        gains.then(of).flatten()
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Who hears from now on that a server is waited for.
    pub(crate) fn listen(&self, listener: impl Fn(String) + Send + 'static) {
        // One hears of all of them.
        if let Some(remote) = self.sources.iter().find_map(Source::as_remote) {
            remote.listen(listener);
        }
    }

    /// Stored bytes that will be read, where that is known before.
    pub(crate) fn stored_bytes(&self) -> Option<u64> {
        match &self.section {
            Some((section, _)) => Some(section.range.end - section.range.start),
            None => self.sources.iter().map(Source::stored_bytes).sum(),
        }
    }

    /// The sources read to their end so far, in order.
    pub fn digests(&self) -> &[SourceDigest] {
        self.digest.finished()
    }

    /// The first 64 KiB of the decompressed stream of the first source that is not empty; less, if that is all
    /// there is of it.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Lets the stream be read only if it still is what it was where these places were taken. To be called
    /// before the first chunk is asked for.
    pub fn require_watermarks(&mut self, watermarks: Vec<Watermark>) {
        self.digest.require_watermarks(watermarks);
    }

    /// Whether the stream was read beyond all places that were expected.
    pub fn is_verified(&self) -> bool {
        self.digest.is_verified()
    }

    /// The next chunk, in `buffer`'s memory where it can be reused; `None` after the last source.
    pub fn next_chunk(&mut self, buffer: Vec<u8>) -> Result<Option<Chunk>, InputError> {
        let chunk = match self.first.take() {
            Some(chunk) => Some(chunk),
            None => self.read_chunk(buffer)?,
        };
        let Some(mut chunk) = chunk else {
            self.digest.finish(&self.sources)?;
            return Ok(None);
        };
        self.digest.pass(&mut chunk, &self.sources)?;
        chunk.ended = self.digests()[self.ended_before..].to_vec();
        self.ended_before = chunk.source;
        Ok(Some(chunk))
    }

    fn read_chunk(&mut self, buffer: Vec<u8>) -> Result<Option<Chunk>, InputError> {
        let mut buffer = self.spare.take().unwrap_or(buffer);
        if let Some(blocks) = &mut self.blocks {
            let chunk = blocks.next_chunk(buffer, self.chunk_bytes, &self.sources)?;
            return Ok(chunk.map(|mut chunk| {
                chunk.sequence = self.next_sequence;
                self.next_sequence += 1;
                chunk
            }));
        }
        loop {
            let Some(mut open) = self.current.take() else {
                if self.next_source == self.sources.len() {
                    return Ok(None);
                }
                self.current = Some(self.open_next()?);
                continue;
            };
            let index = open.index;
            let name = || self.sources[index].name();
            match open.read_chunk(buffer, self.chunk_bytes, self.framing, &name())? {
                NextChunk::Chunk(mut chunk, spare) => {
                    if let (true, Some((section, seen))) = (chunk.is_unterminated, &self.section) {
                        // Before its last document is taken for one that is cut off.
                        seen.verify(section, &name())?;
                    }
                    self.spare = spare;
                    if let Some(framing) = open.overridden.take() {
                        self.digest.begin_overridden(framing);
                    }
                    if self.head.is_empty() {
                        self.head = mem::take(&mut open.head);
                    }
                    chunk.consumed = self.consumed_before + self.consumed.load(Ordering::Relaxed);
                    chunk.sequence = self.next_sequence;
                    self.next_sequence += 1;
                    self.current = Some(open);
                    return Ok(Some(*chunk));
                }
                NextChunk::Ended(unused) => {
                    buffer = unused;
                    self.consumed_before += self.consumed.load(Ordering::Relaxed);
                    match &self.section {
                        None => self.digest.finish_source(open.byte_offset),
                        Some((section, seen)) => {
                            seen.verify(section, &name())?;
                            self.digest.finish_section(open.byte_offset, section);
                        }
                    }
                }
            }
        }
    }

    fn open_next(&mut self) -> Result<OpenSource, InputError> {
        let index = self.next_source;
        self.next_source += 1;
        let source = &self.sources[index];
        let stored = match &self.section {
            None => source.open()?,
            Some((section, seen)) => section::open(source, section, seen)?,
        };
        let consumed = Arc::clone(&self.consumed);
        let stream = match &self.section {
            // What stands at the beginning of a line is no mark of compression.
            Some((section, _)) if !section.is_compressed => Ok(Decompressed::plain(stored, consumed)),
            _ => Decompressed::new(stored, consumed),
        };
        let stream = stream.map_err(|error| InputError::open(source.name(), error))?;
        Ok(match &self.section {
            None => OpenSource::new(index, stream, self.patience.clone()),
            Some((section, _)) => OpenSource::of_section(index, stream, section),
        })
    }
}
