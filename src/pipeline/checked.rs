//! A chunk that was checked, and how much memory it takes, before and afterwards.

use std::mem;

use super::parts::PlacedDocument;
use crate::{
    document::record_bytes_max,
    input::{Chunk, Origin, Piece, Span},
    report::{ChunkRejects, Tally},
    rows::LanePart,
    settings::Framing,
};

/// A line longer than this is charged with what checking it takes.
const LONG_LINE_BYTES: usize = 2 << 20;

/// How many times its length a long line takes while it is checked.
const LONG_LINE_FACTOR: usize = 4;

/// A chunk with all that was found in it.
#[derive(Debug)]
pub(super) struct CheckedChunk {
    pub(super) chunk: Chunk,
    /// How long its text is, whether it is there still or not.
    pub(super) text_bytes: usize,
    pub(super) tally: Tally,
    pub(super) rejects: ChunkRejects,
    /// One for each lane, empty or not.
    pub(super) parts: Vec<LanePart>,
    /// Where there are parts.
    pub(super) accepted: Vec<PlacedDocument>,
    /// What the window charges for it.
    pub(super) charge: usize,
}

/// What a chunk may come to hold at most, once it is checked: its bytes, and rows of its documents or records of their
/// faults.
pub(super) fn charge_before(chunk: &Chunk) -> usize {
    let bytes = chunk.bytes.len();
    let documents = chunk.documents_max();
    let long = if bytes > LONG_LINE_BYTES && documents <= 1 { LONG_LINE_FACTOR * bytes } else { 0 };
    (bytes + record_bytes_max(documents.max(1), bytes)).max(long)
}

impl CheckedChunk {
    pub(super) fn of(
        chunk: Chunk,
        tally: Tally,
        rejects: ChunkRejects,
        parts: Vec<LanePart>,
        accepted: Vec<PlacedDocument>,
    ) -> Self {
        let text_bytes = chunk.bytes.len();
        let mut checked = Self { chunk, text_bytes, tally, rejects, parts, accepted, charge: 0 };
        checked.charge = checked.charge_after();
        // What lanes count a batch by: a window's worth of any chunks is more than a batch.
        checked.parts.iter_mut().for_each(|part| part.cost_bytes = checked.charge);
        checked
    }

    /// About as much as an ordinary chunk is charged by what it costs (see [`Chunk::cost_bytes`]), whose rows take as
    /// much as its text; more where it holds more.
    fn charge_after(&self) -> usize {
        let rows: usize = self.parts.iter().map(LanePart::bytes).sum();
        let accepted = self.accepted.capacity() * size_of::<PlacedDocument>();
        let places = self.chunk.documents.capacity() * size_of::<Span>()
            + self.chunk.origins.capacity() * size_of::<Origin>();
        let holds = self.chunk.bytes.capacity() + self.rejects.bytes() + rows + accepted + places;
        // What is freed of large pieces of memory is not all given back to the system.
        let share = if self.chunk.bytes.len() > LONG_LINE_BYTES { 2 * holds } else { holds / 3 * 2 };
        self.chunk.cost_bytes().max(share)
    }

    /// Lets go of the text but for what the reject file gets, and gives its memory back, if that is worth it.
    pub(super) fn shrink(&mut self) -> Option<Vec<u8>> {
        let is_needed = !self.parts.is_empty() || !self.accepted.is_empty();
        let kept: usize = self.rejects.lines.iter().map(|line| line.bytes.len()).sum();
        if is_needed
            || self.chunk.framing != Framing::Ndjson
            || self.chunk.piece != Piece::Whole
            || kept > self.text_bytes / 2
        {
            return None;
        }
        let mut text = Vec::with_capacity(kept);
        for line in &mut self.rejects.lines {
            let start = text.len();
            text.extend_from_slice(&self.chunk.bytes[line.bytes.clone()]);
            line.bytes = start..text.len();
        }
        self.charge = self.tally.bytes() + 2 * (text.len() + self.rejects.bytes());
        self.chunk.documents = Vec::new();
        Some(mem::replace(&mut self.chunk.bytes, text))
    }
}
