//! Which ids a lane has met: a Bloom filter, because no index can tell while the tables are filled.
//!
//! It never forgets an id; now and then it takes a new one for one it has met, and that document merely takes
//! the longer way. The same ids in the same order always get the same answers, in every attempt at a run.

use std::fmt;

use fastbloom::BloomFilter;

/// One in so many new ids is taken for one that was met.
const FALSE_POSITIVES: f64 = 0.001;

/// Ids of all lanes that the first filter is made for: 1.8 bytes each. Twice as many for each one after it, up
/// to a bound.
const FIRST_IDS: usize = 8 << 20;
const STEP_IDS_MAX: usize = 128 << 20;

/// Fixed, so that a resumed run decides as the one before it did.
const SEED: u128 = 0x7072_6f66_696c_652d_6c6f_6164_6572_2e31;

pub(crate) struct IdFilter {
    filters: Vec<BloomFilter>,
    /// How many ids the last filter still takes.
    room: usize,
    next_ids: usize,
    ids_max: usize,
}

impl fmt::Debug for IdFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdFilter").field("filters", &self.filters.len()).finish_non_exhaustive()
    }
}

impl IdFilter {
    /// For one of so many lanes.
    pub(crate) fn new(lanes: usize) -> Self {
        Self::growing(FIRST_IDS / lanes, STEP_IDS_MAX / lanes)
    }

    fn growing(first_ids: usize, ids_max: usize) -> Self {
        Self { filters: Vec::new(), room: 0, next_ids: first_ids.max(1), ids_max: ids_max.max(1) }
    }

    /// Whether an id may have been met.
    pub(crate) fn has_met(&self, id: &[u8; 16]) -> bool {
        self.filters.iter().any(|filter| filter.contains(id))
    }

    /// Takes an id in; whether it may have been met before.
    pub(crate) fn meet(&mut self, id: &[u8; 16]) -> bool {
        if self.room == 0 {
            let ids = self.next_ids;
            let filter = BloomFilter::with_false_pos(FALSE_POSITIVES).seed(&SEED).expected_items(ids);
            self.filters.push(filter);
            self.room = ids;
            self.next_ids = (2 * ids).min(self.ids_max);
        }
        let (last, full) = self.filters.split_last_mut().expect("there is one with room");
        if full.iter().any(|filter| filter.contains(id)) || last.insert(id) {
            return true;
        }
        self.room -= 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_met_again_and_few_new_ones_seem_to_be() {
        let mut filter = IdFilter::growing(1000, 4000);
        let mistaken: usize = (0..20_000_u128).map(|id| usize::from(filter.meet(&id.to_be_bytes()))).sum();
        assert!(mistaken < 20_000 * 7 / 500, "{mistaken} of 20,000 in {} filters", filter.filters.len());
        assert_eq!(filter.filters.len(), 7);
        assert!((0..20_000_u128).all(|id| filter.meet(&id.to_be_bytes())));
    }

    #[test]
    fn the_same_ids_get_the_same_answers() {
        let answers = || {
            let mut filter = IdFilter::growing(100, 100);
            (0..5000_u128).map(|id| filter.meet(&(id % 4000).to_be_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(answers(), answers());
    }
}
