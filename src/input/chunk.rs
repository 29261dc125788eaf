//! What the input is cut into: chunks of whole lines or documents, and positions in the stream.

use std::ops::Range;

pub(crate) use crate::document::HOLE_BYTES_MIN;
use crate::{bound::bound, document, settings::Framing};

/// Longer lines and documents pass in pieces.
pub const LINE_BYTES_MAX: usize = bound(document::LINE_BYTES_MAX, 1000);

/// What is kept besides its bytes of a line that is rejected for one fault.
const LINE_COST_BYTES: usize = 256;

/// A run of whole lines or documents of one source, or a part of one that is too long.
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
    pub framing: Framing,
    pub piece: Piece,
    /// Where its documents are in `bytes`, in order; of NDJSON its lines, each with its line end, blank ones too. None of a piece.
    pub documents: Vec<Span>,
    /// Of each of the documents where it stands in a source of its own, where these are not what is read.
    pub origins: Vec<Origin>,
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
        self.bytes.len() + self.documents_max() * LINE_COST_BYTES
    }

    /// How many documents there are, or end here, at most.
    pub(crate) fn documents_max(&self) -> usize {
        match (self.framing, self.piece) {
            (Framing::Ndjson, _) => self.lines,
            (Framing::Json, Piece::Whole) => self.documents.len(),
            (Framing::Json, Piece::Long { ends, .. }) => usize::from(ends),
        }
    }

    /// The document that begins at this byte of the chunk.
    pub(crate) fn document_at(&self, start: usize) -> Span {
        self.documents[self.index_of(start)]
    }

    /// Where a document stands in its own source, where that is not what is read.
    pub(crate) fn origin(&self, document: Span) -> Option<Origin> {
        (!self.origins.is_empty()).then(|| self.origins[self.index_of(document.range().start)])
    }

    fn index_of(&self, start: usize) -> usize {
        let index = self.documents.binary_search_by_key(&start, |document| document.range().start);
        index.expect("a document begins there")
    }

    /// The document of a chunk that has one only, or what may be the beginning of one.
    pub(crate) fn last_document(&self) -> &[u8] {
        match (self.framing, self.documents.last()) {
            (Framing::Ndjson, _) => &self.bytes,
            (Framing::Json, Some(span)) => &self.bytes[span.range()],
            (Framing::Json, None) => &[],
        }
    }

    /// Its line, and where that document begins in the source.
    pub(crate) fn place_of_last_document(&self) -> (u64, u64) {
        let (start, lines) = match self.documents.last() {
            Some(last) => (last.range().start, last.lines_before()),
            None => (0, 0),
        };
        let start = u64::try_from(start).expect("a length has 64 bits");
        (self.first_line + lines, self.byte_offset + start)
    }

    /// The last line of which some is here.
    pub(crate) fn last_line(&self) -> u64 {
        let ended = u64::try_from(self.lines).expect("a length has 64 bits");
        self.first_line + ended - u64::from(self.bytes.ends_with(b"\n"))
    }
}

/// Where a document is in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
    lines_before: u32,
}

impl Span {
    /// Before which so many lines end in the chunk.
    pub(crate) fn new(range: Range<usize>, lines_before: usize) -> Self {
        let offset = |at| u32::try_from(at).expect("an offset in a chunk");
        Self { start: offset(range.start), end: offset(range.end), lines_before: offset(lines_before) }
    }

    /// The same without the first `count` bytes of the chunk, in which so many lines end.
    pub(super) fn without_front(self, count: usize, lines: usize) -> Self {
        let less = |at: u32, count| usize::try_from(at).expect("usize has 32 bits") - count;
        Self::new(less(self.start, count)..less(self.end, count), less(self.lines_before, lines))
    }

    /// How many lines end in the chunk before it.
    pub fn lines_before(self) -> u64 {
        u64::from(self.lines_before)
    }

    pub fn range(self) -> Range<usize> {
        let at = |offset| usize::try_from(offset).expect("usize has 32 bits");
        at(self.start)..at(self.end)
    }
}

/// Where a document stands in its own source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index among those that the plan has.
    pub source: usize,
    /// 1-based.
    pub line: u64,
    pub byte_offset: u64,
}

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Whole lines, of which only the last line of a source may lack its line end; or whole documents.
    Whole,
    /// A part of a line or document above [`LINE_BYTES_MAX`]; `line` and `starts_at` (a byte offset) are where it starts, and
    /// `has_hole` whether so many bytes of it hold [`HOLE_BYTES_MIN`] zero bytes in a row.
    Long { line: u64, starts_at: u64, ends: bool, has_hole: bool },
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
    /// one's bytes up to here; before that of a source whose framing is not the one that its first bytes have, the
    /// option that says so.
    pub digest: String,
    /// What everything up to here costs (see [`Chunk::cost_bytes`]), however it is cut into chunks.
    pub cost_bytes: u64,
}

/// A source that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDigest {
    /// Decompressed bytes.
    pub bytes: u64,
    /// BLAKE3 of the decompressed stream, in hexadecimal, where it was asked for.
    pub digest: Option<String>,
}
