//! The staging rows of one chunk for one lane: what workers hand to lanes.

use std::ops::Range;

use crate::{
    document::Profile,
    input::{Chunk, Watermark},
};

use super::encode::{StagedRow, encode_staged};

/// Bits of a document's `seq` that hold its byte offset in the chunk.
const OFFSET_BITS: u32 = 25;

/// Chunks are shorter than this, so that an offset fits into its bits.
pub const CHUNK_BYTES_MAX: usize = 1 << OFFSET_BITS;

/// Accepted documents of one chunk whose ids belong to one lane, in input order.
#[derive(Debug, Default)]
pub struct LanePart {
    /// The chunk's sequence number.
    pub chunk: u64,
    /// What the chunk costs (see `Chunk::cost_bytes`), whatever share of it is this lane's.
    pub cost_bytes: usize,
    /// Where the chunk starts in its source.
    pub byte_offset: u64,
    /// Where the chunk ends.
    pub end: Watermark,
    rows: Vec<u8>,
    documents: Vec<PartDocument>,
}

/// A document of a part.
#[derive(Debug, Clone, Copy)]
pub struct PartDocument {
    pub id: [u8; 16],
    /// Where its line starts in the chunk.
    pub offset: u32,
    pub children: ChildRows,
    row_end: usize,
}

/// How many rows a document has in the tables below its profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChildRows {
    pub addresses: u64,
    pub emails: u64,
    pub phone_numbers: u64,
}

impl ChildRows {
    fn of(profile: &Profile<'_>) -> Self {
        let count = |length| u64::try_from(length).expect("a length has 64 bits");
        Self {
            addresses: u64::from(profile.address.is_some()),
            emails: count(profile.emails.len()),
            phone_numbers: count(profile.phone_numbers.len()),
        }
    }
}

impl LanePart {
    /// One without documents yet.
    pub fn of(chunk: &Chunk) -> Self {
        assert!(chunk.bytes.len() < CHUNK_BYTES_MAX, "a chunk is shorter than an offset can tell");
        Self {
            chunk: chunk.sequence,
            cost_bytes: chunk.cost_bytes(),
            byte_offset: chunk.byte_offset,
            end: chunk.end.clone(),
            ..Self::default()
        }
    }

    /// Adds the document whose line starts at `offset` in the chunk.
    pub fn push(&mut self, profile: &Profile<'_>, offset: usize) {
        let offset = u32::try_from(offset).expect("an offset is below CHUNK_BYTES_MAX");
        encode_staged(profile, self.seq(offset), &mut self.rows);
        self.documents.push(PartDocument {
            id: profile.id,
            offset,
            children: ChildRows::of(profile),
            row_end: self.rows.len(),
        });
    }

    /// Unique in the run, rising in input order.
    pub fn seq(&self, offset: u32) -> u64 {
        self.chunk << OFFSET_BITS | u64::from(offset)
    }

    pub fn documents(&self) -> &[PartDocument] {
        &self.documents
    }

    /// The staging row of the document at `index`.
    pub fn row(&self, index: usize) -> StagedRow<'_> {
        StagedRow(&self.rows[self.row_range(index)])
    }

    fn row_range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.documents[before].row_end);
        start..self.documents[index].row_end
    }
}

/// The lane that an id belongs to: the same for every run with as many lanes.
pub fn lane_of(id: [u8; 16], lanes: usize) -> usize {
    let (high, low) = id.split_at(8);
    let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("half of an id"));
    // Ids need not be random; the odd multiplier (2^64 / the golden ratio) spreads even those that count up.
    let mixed = (half(high) ^ half(low).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let lanes = u64::try_from(lanes).expect("few lanes");
    usize::try_from((mixed >> 32) % lanes).expect("below the number of lanes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_count_up_spread_over_the_lanes() {
        for lanes in [1, 2, 3, 4, 7] {
            let mut counts = vec![0_u32; lanes];
            for id in 0..10_000_u128 {
                counts[lane_of(id.to_be_bytes(), lanes)] += 1;
            }
            let fair = 10_000 / u32::try_from(lanes).unwrap();
            assert!(counts.iter().all(|&count| count.abs_diff(fair) < fair / 10 + 1), "{counts:?}");
        }
    }
}
