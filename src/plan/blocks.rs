//! Accepted documents on their way to their parts: blocks that whoever carries them need not look into. What a block is
//! stands in `src/input/blocks.rs`.
//!
//! Where blocks end depends on nothing but plan and split, so that each attempt gives the same. Each part gets a last block
//! of each split, with or without documents. Behind all of them comes one of the part 4294967295, which is no part, with
//! the split and how many blocks there were: without it the split is not whole.

use std::{
    fmt,
    io::{self, Write},
    mem,
};

use crate::{
    input::{BLOCK_HEADER_BYTES, BlockChecksum, BlockKey, document_header},
    report::SourceLocation,
};

/// The part of the last block of a split.
const END: u32 = u32::MAX;

/// The part of documents that wait for the end of a bulk load; their splits are the parts that they come from.
pub(crate) const DEFERRED: u32 = u32::MAX - 1;

/// A block is written once it has so many bytes, or fewer where there are many parts: each has one that is not full.
const BLOCK_BYTES_MAX: usize = 512 << 10;
const BLOCK_BYTES_MIN: usize = 8 << 10;
const ALL_BYTES: usize = 32 << 20;

/// So many bytes of a block go into its checksum at once, while the processor still has them at hand.
const SUMMED_BYTES: usize = 16 << 10;

/// Writes the blocks of a split.
pub(crate) struct BlockWriter {
    out: Box<dyn Write + Send>,
    plan: [u8; 8],
    split: u32,
    /// The index of the split's source in the plan; none where documents are of any.
    source: Option<usize>,
    block_bytes: usize,
    /// Of each part the block that is not full.
    open: Vec<OpenBlock>,
    /// The number of the first of them.
    first_part: u32,
    /// How many blocks.
    written: u32,
}

#[derive(Default)]
struct OpenBlock {
    bytes: Vec<u8>,
    /// Of the first `summed` of them.
    checksum: BlockChecksum,
    summed: usize,
    documents: u32,
    /// How many blocks were written before it.
    number: u32,
}

impl OpenBlock {
    /// Takes what is new into the checksum.
    fn add_up(&mut self) {
        self.checksum.add(&self.bytes[self.summed..]);
        self.summed = self.bytes.len();
    }
}

impl fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockWriter").field("split", &self.split).finish_non_exhaustive()
    }
}

impl BlockWriter {
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        plan: [u8; 8],
        parts: u32,
        split: u32,
        source: Option<usize>,
    ) -> Self {
        let parts = usize::try_from(parts).expect("usize has 32 bits");
        let block_bytes = (ALL_BYTES / parts).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
        let open = (0..parts).map(|_| OpenBlock::default()).collect();
        Self { out, plan, split, source, block_bytes, open, first_part: 0, written: 0 }
    }

    /// For the deferred documents of one part.
    pub(super) fn of_deferred(out: Box<dyn Write + Send>, plan: [u8; 8], part: u32) -> Self {
        Self { first_part: DEFERRED, ..Self::new(out, plan, 1, part, None) }
    }

    pub(crate) fn parts(&self) -> u32 {
        u32::try_from(self.open.len()).expect("few parts")
    }

    /// Takes the next document in.
    pub(crate) fn push(&mut self, part: u32, place: SourceLocation, document: &[u8]) -> io::Result<()> {
        let SourceLocation { source, line, byte_offset } = place;
        // A split is read alone, as if it were the first source.
        let source = self.source.unwrap_or(source);
        let header = document_header(document.len(), source, line, byte_offset);
        let at = usize::try_from(part).expect("usize has 32 bits");
        if document.len() >= self.block_bytes {
            // A block of its own, which needs no memory.
            if self.open[at].documents > 0 {
                self.write_open(at, false)?;
            }
            let mut checksum = BlockChecksum::default();
            [&header[..], document].iter().for_each(|bytes| checksum.add(bytes));
            return self.write(at, 1, false, &[&header, document], checksum);
        }
        let block = &mut self.open[at];
        if block.documents == 0 {
            // The last document usually has room in it, too.
            block.bytes.reserve(self.block_bytes + self.block_bytes / 8);
        }
        block.bytes.extend_from_slice(&header);
        block.bytes.extend_from_slice(document);
        block.documents += 1;
        if block.bytes.len() - block.summed >= SUMMED_BYTES {
            block.add_up();
        }
        let is_full = BLOCK_HEADER_BYTES + block.bytes.len() >= self.block_bytes;
        if is_full { self.write_open(at, false) } else { Ok(()) }
    }

    /// Writes the last block of each part, and the one that says that there is no more.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        for at in 0..self.open.len() {
            self.write_open(at, true)?;
        }
        if self.first_part != DEFERRED {
            let (plan, split, number) = (self.plan, self.split, self.written);
            let key = BlockKey { plan, part: END, split, number, is_last: true, documents: 0 };
            self.out.write_all(&key.header(0, BlockChecksum::default()))?;
        }
        self.out.flush()
    }

    fn write_open(&mut self, at: usize, is_last: bool) -> io::Result<()> {
        let block = &mut self.open[at];
        block.add_up();
        let (mut bytes, documents) = (mem::take(&mut block.bytes), mem::take(&mut block.documents));
        let checksum = mem::take(&mut block.checksum);
        block.summed = 0;
        self.write(at, documents, is_last, &[&bytes], checksum)?;
        bytes.clear();
        self.open[at].bytes = bytes;
        Ok(())
    }

    fn write(
        &mut self,
        at: usize,
        documents: u32,
        is_last: bool,
        pieces: &[&[u8]],
        checksum: BlockChecksum,
    ) -> io::Result<()> {
        let part = self.first_part + u32::try_from(at).expect("few parts");
        let number = self.open[at].number;
        let key = BlockKey { plan: self.plan, part, split: self.split, number, is_last, documents };
        let length = pieces.iter().map(|bytes| bytes.len()).sum();
        self.out.write_all(&key.header(length, checksum))?;
        pieces.iter().try_for_each(|bytes| self.out.write_all(bytes))?;
        self.open[at].number += 1;
        self.written += 1;
        Ok(())
    }
}
