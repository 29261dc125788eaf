//! Where something comes in the input: counts by stretches of lines, in constant memory.
//!
//! All stretches of a source are 2^`level` lines long, and the level is the least at which few enough of them hold
//! anything. It depends on what is counted and on nothing else, so parts that are merged equal the whole.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Counts of documents by where they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCells {
    /// A cell has 2^`level` lines.
    #[serde(deserialize_with = "read_level")]
    level: u32,
    /// Rising by source and place.
    cells: Vec<Cell>,
    /// In sources behind those of the cells: there are more sources than cells.
    elsewhere: u64,
    #[serde(skip, default = "usize_max")]
    cells_max: usize,
}

/// A stretch of lines of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(usize, u64, u64)", from = "(usize, u64, u64)")]
pub struct Cell {
    /// Index of the source in the order they were named.
    pub source: usize,
    /// Of the first line, counted from 0 in cells.
    pub index: u64,
    pub count: u64,
}

/// At this level a source is one cell.
const LEVEL_MAX: u32 = u64::BITS - 1;

/// A report that was edited may hold any.
fn read_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let level = u32::deserialize(deserializer)?;
    if level <= LEVEL_MAX {
        Ok(level)
    } else {
        Err(D::Error::custom("a stretch of more lines than there are"))
    }
}

fn usize_max() -> usize {
    usize::MAX
}

impl LineCells {
    pub(crate) fn new(cells_max: usize) -> Self {
        Self { level: 0, cells: Vec::new(), elsewhere: 0, cells_max }
    }

    /// The same with the bound that it was made with, which is not written down.
    pub(crate) fn bounded(mut self, cells_max: usize) -> Self {
        self.cells_max = cells_max;
        self.coarsen();
        self
    }

    /// Counts a document; `line` is 1-based.
    pub(crate) fn add(&mut self, source: usize, line: u64) {
        let index = (line - 1) >> self.level;
        if let Some(last) = self.cells.last_mut()
            && (last.source, last.index) == (source, index)
        {
            last.count += 1;
            return;
        }
        self.insert(Cell { source, index, count: 1 });
        self.coarsen();
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        while self.level < other.level {
            self.raise();
        }
        let shift = self.level - other.level;
        for cell in &other.cells {
            self.insert(Cell { index: cell.index >> shift, ..*cell });
        }
        self.elsewhere += other.elsewhere;
        self.coarsen();
    }

    /// Whether there are so many sources at least.
    pub(crate) fn has_sources_within(&self, sources: usize) -> bool {
        self.cells.iter().all(|cell| cell.source < sources)
    }

    /// The same with other indices for the sources, which rise as they did.
    pub(crate) fn at_sources(mut self, indices: &[usize]) -> Self {
        self.cells.iter_mut().for_each(|cell| cell.source = indices[cell.source]);
        self
    }

    pub fn total(&self) -> u64 {
        self.cells.iter().map(|cell| cell.count).sum::<u64>() + self.elsewhere
    }

    /// How many are in sources behind those of the cells.
    pub fn elsewhere(&self) -> u64 {
        self.elsewhere
    }

    /// Cells as source, first line, lines and count.
    pub fn stretches(&self) -> impl Iterator<Item = (usize, u64, u64, u64)> + '_ {
        let lines = 1 << self.level;
        self.cells
            .iter()
            .map(move |cell| (cell.source, (cell.index << self.level).saturating_add(1), lines, cell.count))
    }

    fn insert(&mut self, cell: Cell) {
        let place = (cell.source, cell.index);
        let at = match self.cells.last() {
            Some(last) if (last.source, last.index) < place => Err(self.cells.len()),
            _ => self.cells.binary_search_by_key(&place, |cell| (cell.source, cell.index)),
        };
        match at {
            Ok(at) => self.cells[at].count += cell.count,
            Err(at) => self.cells.insert(at, cell),
        }
    }

    fn coarsen(&mut self) {
        while self.cells.len() > self.cells_max {
            if self.level < LEVEL_MAX {
                self.raise();
            } else if let Some(last) = self.cells.pop() {
                self.elsewhere += last.count;
            }
        }
    }

    fn raise(&mut self) {
        self.level += 1;
        self.cells.iter_mut().for_each(|cell| cell.index >>= 1);
        self.cells.dedup_by(|later, cell| {
            let is_same = (later.source, later.index) == (cell.source, cell.index);
            if is_same {
                cell.count += later.count;
            }
            is_same
        });
    }
}

impl From<Cell> for (usize, u64, u64) {
    fn from(cell: Cell) -> Self {
        (cell.source, cell.index, cell.count)
    }
}

impl From<(usize, u64, u64)> for Cell {
    fn from((source, index, count): (usize, u64, u64)) -> Self {
        Self { source, index, count }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(places: &[(usize, u64)]) -> LineCells {
        let mut cells = LineCells::new(16);
        places.iter().for_each(|&(source, line)| cells.add(source, line));
        cells
    }

    #[test]
    fn a_level_that_no_input_leads_to_is_refused() {
        let read = |level: u64| {
            serde_json::from_str::<LineCells>(&format!(
                r#"{{"level":{level},"cells":[[0,1,1]],"elsewhere":0}}"#
            ))
        };
        assert_eq!(
            read(63).expect("one cell a source").stretches().next(),
            Some((0, 1 + (1 << 63), 1 << 63, 1))
        );
        for level in [64, 4_000_000_000, u64::MAX] {
            assert!(read(level).is_err(), "{level}");
        }
    }

    proptest! {
        #[test]
        fn parts_merged_equal_the_whole(
            places in proptest::collection::vec((0_usize..30, 1_u64..5000), 0..200),
            cut in 0_usize..200,
        ) {
            let whole = of(&places);
            let (one, other) = places.split_at(cut.min(places.len()));
            let mut merged = of(one);
            merged.merge(&of(other));
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(whole.total(), u64::try_from(places.len()).unwrap());
            prop_assert!(whole.cells.len() <= 16);
        }
    }

    #[test]
    fn cells_are_as_fine_as_they_may_be() {
        let cells = of(&(1..=20).map(|line| (0, line)).collect::<Vec<_>>());
        let stretches: Vec<_> = cells.stretches().collect();
        assert_eq!(stretches[..2], [(0, 1, 2, 2), (0, 3, 2, 2)]);
        assert_eq!(stretches.len(), 10);
    }

    #[test]
    fn sources_that_have_no_cell_are_counted() {
        let cells = of(&(0..20).map(|source| (source, 7)).collect::<Vec<_>>());
        assert_eq!((cells.stretches().count(), cells.elsewhere()), (16, 4));
    }
}
