//! The rows of one chunk for one lane: what workers hand to lanes.

use std::ops::Range;

use crate::{
    document::Profile,
    input::{Chunk, Watermark},
    tables::Table,
};

use super::{
    direct::{TableRows, has_long_row},
    encode::{StagedRow, encode_staged},
};

/// Bits of a document's `seq` that hold its byte offset in the chunk.
const OFFSET_BITS: u32 = 25;

/// Chunks are shorter than this, so that an offset fits into its bits.
pub(crate) const CHUNK_BYTES_MAX: usize = 1 << OFFSET_BITS;

/// Accepted documents of one chunk whose ids belong to one lane, in input order.
#[derive(Debug, Default)]
pub struct LanePart {
    /// The chunk's sequence number.
    pub chunk: u64,
    /// What the window charges for the chunk, whatever share of it is this lane's.
    pub cost_bytes: usize,
    /// Where the chunk starts in its source.
    pub byte_offset: u64,
    /// Where the chunk ends.
    pub end: Watermark,
    rows: PartRows,
    documents: Vec<PartDocument>,
}

/// What lanes make of documents, and so the form that rows are encoded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// One row a document for a staging table: merging.
    Staged,
    /// Rows of the four tables themselves.
    Tables,
}

/// The encoded rows of some documents.
#[derive(Debug)]
enum PartRows {
    Staged(Vec<u8>),
    Tables(TableRows),
}

impl Default for PartRows {
    fn default() -> Self {
        Self::Staged(Vec::new())
    }
}

/// A document of a part.
#[derive(Debug, Clone, Copy)]
pub struct PartDocument {
    pub id: [u8; 16],
    /// Where its line starts in the chunk.
    pub offset: u32,
    pub children: ChildRows,
    /// A row of it may be too long for an index that is off while tables are filled.
    pub has_long_row: bool,
    /// Where its rows end: in each table's buffer, or, where they are staged, in the first only.
    ends: [u32; 4],
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

    pub(crate) fn add(&mut self, other: Self) {
        self.addresses += other.addresses;
        self.emails += other.emails;
        self.phone_numbers += other.phone_numbers;
    }
}

impl LanePart {
    /// One without documents yet.
    pub fn of(chunk: &Chunk, form: RowForm) -> Self {
        assert!(chunk.bytes.len() < CHUNK_BYTES_MAX, "a chunk is shorter than an offset can tell");
        Self {
            chunk: chunk.sequence,
            cost_bytes: chunk.cost_bytes(),
            byte_offset: chunk.byte_offset,
            end: chunk.end.clone(),
            rows: match form {
                RowForm::Staged => PartRows::Staged(Vec::new()),
                RowForm::Tables => PartRows::Tables(TableRows::default()),
            },
            documents: Vec::new(),
        }
    }

    /// Adds the document whose line starts at `offset` in the chunk.
    pub fn push(&mut self, profile: &Profile<'_>, offset: usize) {
        let offset = u32::try_from(offset).expect("an offset is below CHUNK_BYTES_MAX");
        let seq = self.seq(offset);
        let ends = match &mut self.rows {
            PartRows::Staged(rows) => {
                encode_staged(profile, seq, rows);
                [u32::try_from(rows.len()).expect("a chunk's rows are below 4 GiB"), 0, 0, 0]
            }
            PartRows::Tables(rows) => {
                rows.push(profile);
                rows.ends()
            }
        };
        let (children, has_long_row) = (ChildRows::of(profile), has_long_row(profile));
        self.documents.push(PartDocument { id: profile.id, offset, children, has_long_row, ends });
    }

    /// How much memory it takes.
    pub fn bytes(&self) -> usize {
        let rows = match &self.rows {
            PartRows::Staged(rows) => rows.capacity(),
            PartRows::Tables(rows) => rows.0.iter().map(Vec::capacity).sum(),
        };
        rows + self.documents.capacity() * size_of::<PartDocument>()
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
        let PartRows::Staged(rows) = &self.rows else { unreachable!("the rows are the tables'") };
        StagedRow(&rows[self.ranges(index..index + 1)[0].clone()])
    }

    /// Where the rows of successive documents stand: in each table's buffer, or, where they are staged, in the
    /// first.
    pub fn ranges(&self, documents: Range<usize>) -> [Range<usize>; 4] {
        let at = |count: usize, buffer: usize| match count.checked_sub(1) {
            Some(last) => usize::try_from(self.documents[last].ends[buffer]).expect("usize has 32 bits"),
            None => 0,
        };
        [0, 1, 2, 3].map(|buffer| at(documents.start, buffer)..at(documents.end, buffer))
    }

    /// What stands in the buffer of a table at a range that [`Self::ranges`] gave.
    pub(crate) fn table_rows(&self, range: Range<usize>, table: Table) -> &[u8] {
        let PartRows::Tables(rows) = &self.rows else { unreachable!("the rows are staged") };
        &rows.0[table as usize][range]
    }
}

/// The lane that an id belongs to: the same for every run with as many lanes.
pub(crate) fn lane_of(id: [u8; 16], lanes: usize) -> usize {
    let (high, low) = id.split_at(8);
    let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("half of an id"));
    // Ids need not be random; the odd multiplier (2^64 / the golden ratio) spreads even those that count up.
    let mixed = (half(high) ^ half(low).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let lanes = u64::try_from(lanes).expect("few lanes");
    usize::try_from((mixed >> 32) % lanes).expect("below the number of lanes")
}

/// The part that an id belongs to, in every plan with as many parts. It has nothing to do with the lane of the id: the documents
/// of a part go to all lanes.
pub(crate) fn part_of(id: [u8; 16], parts: u32) -> u32 {
    let (high, low) = id.split_at(8);
    let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("half of an id"));
    // SplitMix64 of one half, and of that with the other.
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mixed = mix(mix(half(high)) ^ half(low));
    u32::try_from((mixed >> 32) % u64::from(parts)).expect("below the number of parts")
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

    #[test]
    fn each_part_has_documents_for_all_lanes() {
        for (parts, lanes) in [(1, 4), (2, 2), (4, 4), (7, 4), (16, 8)] {
            let mut counts = vec![vec![0_u32; lanes]; parts as usize];
            for id in 0..100_000_u128 {
                let id = (id << 40 | id).to_be_bytes();
                counts[part_of(id, parts) as usize][lane_of(id, lanes)] += 1;
            }
            let fair = 100_000 / parts / u32::try_from(lanes).unwrap();
            for counts in counts {
                assert!(counts.iter().all(|&count| count.abs_diff(fair) < fair / 5 + 1), "{counts:?}");
            }
        }
    }

    /// Whoever has blocks of an older program finds them in the parts that this one would choose.
    #[test]
    fn ids_stay_in_their_parts() {
        let parts: Vec<_> = (0..8_u128).map(|id| part_of((id * 0x9e37_79b9).to_be_bytes(), 1000)).collect();
        assert_eq!(parts, [0, 285, 903, 735, 729, 686, 474, 212]);
    }
}
