//! Blocks of documents that were accepted elsewhere, each with the place that it has in its own source, as a stream of chunks.
//!
//! A block has documents of one split and one part, byte for byte and in input order. Numbers are little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | `PLB3` |
//! | 4 | how many bytes follow these 44 |
//! | 8 | of the plan's digest the first |
//! | 4 | the part |
//! | 4 | the split |
//! | 4 | how many blocks of this split and part come before |
//! | 4 | 1 where it is the last block of this split and part, which may have no documents; else 0 |
//! | 4 | how many documents |
//! | 8 | the XXH3-64 of all that follow the 44, and of these 36 bytes behind them |
//!
//! Then come the documents: 4 bytes of length, 4 of the index of the source, 8 of the line, 8 of the byte offset in the
//! decompressed source, and the text with its line end.
//!
//! Sorted by split and number, the blocks of a part hold its documents in input order. Each split has a last block for each
//! part, so whoever reads a part knows, without asking anybody, whether it has all of it, and finds out that a block is
//! missing before anything behind it is handed out. The checksum is against accidents on the way, and not against somebody
//! who makes blocks up: who can write a part's blocks can write documents into them.

use std::{
    hash::Hasher as _,
    io::{self, BufReader, Read},
    mem,
};

use twox_hash::XxHash3_64;

use super::{
    InputError, Source,
    chunk::{Chunk, LINE_BYTES_MAX, Origin, Piece, Span, Watermark},
};
use crate::settings::Framing;

/// Up to the last byte, which is the version.
const MAGIC: &[u8; 4] = b"PLB3";
pub(crate) const BLOCK_HEADER_BYTES: usize = 44;
/// Where the checksum is in the header.
const CHECKSUM_AT: usize = 36;
/// What stands before the text of a document.
const DOCUMENT_HEADER_BYTES: usize = 24;
/// Many short documents, or one as long as can be.
const BLOCK_BYTES_MAX: usize = LINE_BYTES_MAX + (2 << 20);
const READ_BYTES: usize = 64 << 10;

/// What a block's header tells besides its length and checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockKey {
    /// Of the plan's digest.
    pub(crate) plan: [u8; 8],
    pub(crate) part: u32,
    pub(crate) split: u32,
    pub(crate) number: u32,
    pub(crate) is_last: bool,
    pub(crate) documents: u32,
}

impl BlockKey {
    /// The header of a block whose documents take so many bytes and have this checksum.
    pub(crate) fn header(&self, length: usize, checksum: BlockChecksum) -> [u8; BLOCK_HEADER_BYTES] {
        let length = u32::try_from(length).expect("a block is short");
        let fields: [&[u8]; 8] = [
            MAGIC,
            &length.to_le_bytes(),
            &self.plan,
            &self.part.to_le_bytes(),
            &self.split.to_le_bytes(),
            &self.number.to_le_bytes(),
            &u32::from(self.is_last).to_le_bytes(),
            &self.documents.to_le_bytes(),
        ];
        let mut header = [0; BLOCK_HEADER_BYTES];
        header[..CHECKSUM_AT].copy_from_slice(&fields.concat());
        let checksum = checksum.with_header(&header);
        header[CHECKSUM_AT..].copy_from_slice(&checksum);
        header
    }

    /// The header's key and how many bytes follow it; none where it is no header.
    fn of(header: &[u8; BLOCK_HEADER_BYTES]) -> Option<(Self, usize)> {
        let number = |at: usize| u32::from_le_bytes(*header[at..].first_chunk().expect("it is long enough"));
        let (length, is_last) = (usize::try_from(number(4)).ok()?, number(28));
        let key = Self {
            plan: *header[8..].first_chunk().expect("it is long enough"),
            part: number(16),
            split: number(20),
            number: number(24),
            is_last: is_last == 1,
            documents: number(32),
        };
        (header.starts_with(MAGIC) && is_last <= 1 && length <= BLOCK_BYTES_MAX).then_some((key, length))
    }
}

/// The checksum of a block while its documents come in.
#[derive(Default)]
pub(crate) struct BlockChecksum(XxHash3_64);

impl BlockChecksum {
    pub(crate) fn add(&mut self, documents: &[u8]) {
        self.0.write(documents);
    }

    fn with_header(mut self, header: &[u8; BLOCK_HEADER_BYTES]) -> [u8; BLOCK_HEADER_BYTES - CHECKSUM_AT] {
        self.0.write(&header[..CHECKSUM_AT]);
        self.0.finish().to_le_bytes()
    }
}

/// What stands before the text of a document.
pub(crate) fn document_header(
    length: usize,
    source: usize,
    line: u64,
    byte_offset: u64,
) -> [u8; DOCUMENT_HEADER_BYTES] {
    let number =
        |number: usize| u32::try_from(number).expect("documents are short and sources few").to_le_bytes();
    let mut header = [0; DOCUMENT_HEADER_BYTES];
    header[..4].copy_from_slice(&number(length));
    header[4..8].copy_from_slice(&number(source));
    header[8..16].copy_from_slice(&line.to_le_bytes());
    header[16..].copy_from_slice(&byte_offset.to_le_bytes());
    header
}

/// Which blocks a stream has to hold.
#[derive(Debug, Clone)]
pub(crate) struct PartBlocks {
    pub(crate) plan: [u8; 8],
    pub(crate) part: u32,
    pub(crate) first_split: u32,
    /// How many.
    pub(crate) splits: u32,
    /// How many sources there are, whose indices the documents have.
    pub(crate) sources: usize,
}

/// Reads the blocks of a part.
pub(super) struct BlockStream {
    expected: PartBlocks,
    open: Option<Box<dyn Read + Send>>,
    next_source: usize,
    /// The split and number of the block that comes next.
    next: (u32, u32),
    block: Vec<u8>,
    /// Of all documents handed out.
    byte_offset: u64,
    documents: u64,
    consumed: u64,
    has_ended: bool,
}

impl BlockStream {
    pub(super) fn new(expected: PartBlocks) -> Self {
        let (byte_offset, documents, consumed) = (0, 0, 0);
        let (open, next_source, next, block) = (None, 0, (expected.first_split, 0), Vec::new());
        Self { expected, open, next_source, next, block, byte_offset, documents, consumed, has_ended: false }
    }

    /// The documents of the next blocks, about as many as a chunk has; none after the last block.
    pub(super) fn next_chunk(
        &mut self,
        mut bytes: Vec<u8>,
        chunk_bytes: usize,
        sources: &[Source],
    ) -> Result<Option<Chunk>, InputError> {
        bytes.clear();
        let (mut documents, mut origins) = (Vec::new(), Vec::new());
        while bytes.len() < chunk_bytes && !self.has_ended {
            if self.read_block(sources)? {
                self.unpack(&mut bytes, &mut documents, &mut origins, sources)?;
            } else {
                self.has_ended = true;
            }
        }
        if documents.is_empty() {
            return Ok(None);
        }
        let (byte_offset, first_line, lines) = (self.byte_offset, self.documents + 1, documents.len());
        self.byte_offset += to_u64(bytes.len());
        self.documents += to_u64(lines);
        Ok(Some(Chunk {
            sequence: 0,
            source: 0,
            byte_offset,
            first_line,
            lines,
            framing: Framing::Json,
            piece: Piece::Whole,
            documents,
            origins,
            consumed: self.consumed,
            end: Watermark::default(),
            is_unterminated: false,
            ended: Vec::new(),
            bytes,
        }))
    }

    /// Reads the block that has to come next; false where all have come.
    fn read_block(&mut self, sources: &[Source]) -> Result<bool, InputError> {
        let mut header = [0; BLOCK_HEADER_BYTES];
        let read = self.read(&mut header, sources)?;
        let is_whole = self.next.0 == self.expected.first_split + self.expected.splits;
        if read == 0 && is_whole {
            return Ok(false);
        }
        if read < BLOCK_HEADER_BYTES {
            return Err(self.cut_off(sources));
        }
        let Some((key, length)) = BlockKey::of(&header) else {
            let is_other_version = header[..3] == MAGIC[..3] && header[3] != MAGIC[3];
            let what = if is_other_version {
                "it holds a block of another version of profile-loader, which has to load it"
            } else {
                "it holds something that is no block"
            };
            return Err(self.refuse(sources, what.to_owned()));
        };
        self.refuse_other(&key, sources)?;
        self.block.resize(length, 0);
        let mut block = mem::take(&mut self.block);
        let read = self.read(&mut block, sources)?;
        self.block = block;
        if read < length {
            return Err(self.cut_off(sources));
        }
        let mut checksum = BlockChecksum::default();
        checksum.add(&self.block);
        if checksum.with_header(&header) != header[CHECKSUM_AT..] {
            return Err(InputError::BlockDamaged {
                name: self.name(sources),
                split: key.split,
                number: key.number,
            });
        }
        self.next = if key.is_last { (key.split + 1, 0) } else { (key.split, key.number + 1) };
        Ok(true)
    }

    fn refuse_other(&self, key: &BlockKey, sources: &[Source]) -> Result<(), InputError> {
        let (split, number) = self.next;
        let what = if key.plan != self.expected.plan {
            "it holds a block of another plan".to_owned()
        } else if key.part != self.expected.part {
            format!("it holds a block of part {}", key.part)
        } else if (key.split, key.number) != self.next {
            let (other, another) = (key.split, key.number);
            let wanted = if split == self.expected.first_split + self.expected.splits {
                "no block is left".to_owned()
            } else {
                format!("block {number} of split {split} comes next")
            };
            format!(
                "it holds block {another} of split {other} where {wanted}, so blocks are missing, come twice, or are not \
                 sorted by split and number"
            )
        } else {
            return Ok(());
        };
        Err(self.refuse(sources, what))
    }

    /// Reads as much as there is, over the sources one after another.
    fn read(&mut self, buffer: &mut [u8], sources: &[Source]) -> Result<usize, InputError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(open) = &mut self.open else {
                let Some(source) = sources.get(self.next_source) else { break };
                self.open = Some(Box::new(BufReader::with_capacity(READ_BYTES, source.open()?)));
                self.next_source += 1;
                continue;
            };
            match open.read(&mut buffer[filled..]) {
                Ok(0) => self.open = None,
                Ok(count) => {
                    filled += count;
                    self.consumed += to_u64(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(InputError::read(self.name(sources), self.consumed, error)),
            }
        }
        Ok(filled)
    }

    /// Takes the documents out of the block that was read.
    fn unpack(
        &self,
        bytes: &mut Vec<u8>,
        documents: &mut Vec<Span>,
        origins: &mut Vec<Origin>,
        sources: &[Source],
    ) -> Result<(), InputError> {
        let mut rest = &self.block[..];
        while let Some((header, text)) = rest.split_first_chunk::<DOCUMENT_HEADER_BYTES>() {
            let small = |at: usize| {
                let number = u32::from_le_bytes(*header[at..].first_chunk().expect("it is long enough"));
                usize::try_from(number).expect("usize has 32 bits")
            };
            let large =
                |at: usize| u64::from_le_bytes(*header[at..].first_chunk().expect("it is long enough"));
            let (length, source) = (small(0), small(4));
            if length > text.len() || source >= self.expected.sources {
                break;
            }
            let start = bytes.len();
            bytes.extend_from_slice(&text[..length]);
            // The line end is no part of what it says, and a document with a line break is told apart in another way.
            let line_end = usize::from(text[..length].ends_with(b"\n"));
            documents.push(Span::new(start..bytes.len() - line_end, documents.len()));
            origins.push(Origin { source, line: large(8), byte_offset: large(16) });
            rest = &text[length..];
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.refuse(sources, "it holds a block whose documents are not told apart".to_owned()))
    }

    /// Of the source that is being read.
    fn name(&self, sources: &[Source]) -> String {
        sources[self.next_source.saturating_sub(1).min(sources.len() - 1)].name()
    }

    fn refuse(&self, sources: &[Source], what: String) -> InputError {
        InputError::NotTheBlocks { name: self.name(sources), part: self.expected.part, what }
    }

    fn cut_off(&self, sources: &[Source]) -> InputError {
        let (split, number) = self.next;
        let (name, part, splits) = (self.name(sources), self.expected.part, self.expected.splits);
        InputError::BlocksCutOff { name, part, split, number, splits }
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
