//! Accepted documents of a chunk that go to their parts, and on to the blocks of these.

use std::{io, ops::Range};

use super::lines::to_u64;
use crate::{input::Chunk, plan::BlockWriter, report::SourceLocation};

/// Where an accepted document is in its chunk, and the part that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedDocument {
    start: u32,
    end: u32,
    /// How many lines of the chunk come before it.
    lines_before: u32,
    part: u32,
}

impl PlacedDocument {
    pub(super) fn of(chunk: &Chunk, bytes: Range<usize>, line: u64, part: u32) -> Self {
        let offset = |at: usize| u32::try_from(at).expect("an offset in a chunk");
        let lines_before = u32::try_from(line - chunk.first_line).expect("a chunk has few lines");
        Self { start: offset(bytes.start), end: offset(bytes.end), lines_before, part }
    }
}

pub(super) fn write_blocks(
    blocks: &mut BlockWriter,
    chunk: &Chunk,
    accepted: &[PlacedDocument],
) -> io::Result<()> {
    let offset = |at: u32| usize::try_from(at).expect("usize has 32 bits");
    for &PlacedDocument { start, end, lines_before, part } in accepted {
        let bytes = offset(start)..offset(end);
        let place = SourceLocation {
            source: chunk.source,
            line: chunk.first_line + u64::from(lines_before),
            byte_offset: chunk.byte_offset + to_u64(bytes.start),
        };
        blocks.push(part, place, &chunk.bytes[bytes])?;
    }
    Ok(())
}
