//! Accepted documents on their way to their parts: blocks that whoever carries them need not look into.
//!
//! A block has documents of one split and one part, byte for byte and in input order. Numbers are little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | `PLB1` |
//! | 4 | how many bytes follow these 44 |
//! | 8 | of the plan's digest the first |
//! | 4 | the part; of the last block of a split, which has no documents, 4294967295 |
//! | 4 | the index of the source; of the last block the number of the split |
//! | 8 | where the first document begins in the decompressed source; of the last block how many blocks there were |
//! | 4 | how many documents |
//! | 8 | of the BLAKE3 of these 36 bytes and all that follow the 44, the first |
//!
//! Then come the documents: 4 bytes of length, 8 of the line, 8 of the byte offset, and the text with its line end.
//!
//! Sorted by source and offset, the blocks of a part hold its documents in input order. Where blocks end depends on
//! nothing but plan and split, so that each attempt gives the same.

use std::{
    fmt,
    io::{self, Write},
    mem,
};

use crate::report::SourceLocation;

const MAGIC: &[u8; 4] = b"PLB1";
const HEADER_BYTES: usize = 44;
/// Where the checksum is in the header.
const CHECKSUM_AT: usize = 36;

/// The part of the last block.
const END: u32 = u32::MAX;

/// A block is written once it has so many bytes, or fewer where there are many parts: each has one that is not full.
const BLOCK_BYTES_MAX: usize = 512 << 10;
const BLOCK_BYTES_MIN: usize = 8 << 10;
const ALL_BYTES: usize = 32 << 20;

/// Writes the blocks of a split.
pub(crate) struct BlockWriter {
    out: Box<dyn Write + Send>,
    plan: [u8; 8],
    split: u32,
    /// Index in the plan.
    source: u32,
    block_bytes: usize,
    /// Of each part the block that is not full.
    open: Vec<OpenBlock>,
    /// How many blocks.
    written: u64,
}

#[derive(Default)]
struct OpenBlock {
    bytes: Vec<u8>,
    documents: u32,
    first_offset: u64,
}

/// What a header tells besides its length and checksum.
struct Key {
    part: u32,
    source: u32,
    offset: u64,
    documents: u32,
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
        source: u32,
    ) -> Self {
        let parts = usize::try_from(parts).expect("usize has 32 bits");
        let block_bytes = (ALL_BYTES / parts).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
        let open = (0..parts).map(|_| OpenBlock::default()).collect();
        Self { out, plan, split, source, block_bytes, open, written: 0 }
    }

    pub(crate) fn parts(&self) -> u32 {
        u32::try_from(self.open.len()).expect("few parts")
    }

    /// Takes the next document of the split in.
    pub(crate) fn push(&mut self, part: u32, place: SourceLocation, document: &[u8]) -> io::Result<()> {
        let length = u32::try_from(document.len()).expect("a document is short");
        let before: [&[u8]; 3] =
            [&length.to_le_bytes(), &place.line.to_le_bytes(), &place.byte_offset.to_le_bytes()];
        if document.len() >= self.block_bytes {
            // A block of its own, which needs no memory.
            self.write_open(part)?;
            let key = Key { part, source: self.source, offset: place.byte_offset, documents: 1 };
            return self.write(&key, &[&before.concat(), document]);
        }
        let block = &mut self.open[usize::try_from(part).expect("usize has 32 bits")];
        if block.documents == 0 {
            // The last document usually has room in it, too.
            block.bytes.reserve(self.block_bytes + self.block_bytes / 8);
            block.first_offset = place.byte_offset;
        }
        before.into_iter().chain([document]).for_each(|bytes| block.bytes.extend_from_slice(bytes));
        block.documents += 1;
        let is_full = HEADER_BYTES + block.bytes.len() >= self.block_bytes;
        if is_full { self.write_open(part) } else { Ok(()) }
    }

    /// Writes what is left, and the block that says that there is no more.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        for part in 0..self.parts() {
            self.write_open(part)?;
        }
        let key = Key { part: END, source: self.split, offset: self.written, documents: 0 };
        self.write(&key, &[])?;
        self.out.flush()
    }

    fn write_open(&mut self, part: u32) -> io::Result<()> {
        let at = usize::try_from(part).expect("usize has 32 bits");
        let OpenBlock { mut bytes, documents, first_offset: offset } = mem::take(&mut self.open[at]);
        if documents == 0 {
            return Ok(());
        }
        self.write(&Key { part, source: self.source, offset, documents }, &[&bytes])?;
        bytes.clear();
        self.open[at].bytes = bytes;
        Ok(())
    }

    fn write(&mut self, key: &Key, documents: &[&[u8]]) -> io::Result<()> {
        let length: usize = documents.iter().map(|bytes| bytes.len()).sum();
        let length = u32::try_from(length).expect("a block is short");
        let fields: [&[u8]; 7] = [
            MAGIC,
            &length.to_le_bytes(),
            &self.plan,
            &key.part.to_le_bytes(),
            &key.source.to_le_bytes(),
            &key.offset.to_le_bytes(),
            &key.documents.to_le_bytes(),
        ];
        let mut header = fields.concat();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        documents.iter().for_each(|bytes| {
            hasher.update(bytes);
        });
        header.extend_from_slice(&hasher.finalize().as_bytes()[..HEADER_BYTES - CHECKSUM_AT]);
        self.out.write_all(&header)?;
        documents.iter().try_for_each(|bytes| self.out.write_all(bytes))?;
        self.written += 1;
        Ok(())
    }
}
