//! What the input is cut into: chunks of whole lines, and positions in the stream.

pub(crate) use crate::document::HOLE_BYTES_MIN;
pub use crate::document::LINE_BYTES_MAX;

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
    /// A part of a line above [`LINE_BYTES_MAX`]; `starts_at` is the byte offset where that line starts, and `has_hole` whether
    /// so many bytes of it hold [`HOLE_BYTES_MIN`] zero bytes in a row.
    LongLine { starts_at: u64, ends: bool, has_hole: bool },
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
