//! What would become of documents, one after another, and what they would change; pure.

use super::remembered::Remembered;
use crate::{
    load::{
        contents::{COLUMNS, Contents, Difference},
        merge,
        row_changes::RowChanges,
    },
    report::RowCounts,
    runs::{LoadCounts, Verdict},
    settings::OnExisting,
};

/// What would be written besides the counts of documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Foreseen {
    /// Of stored profiles that would be updated, how many would get another value, by [`COLUMNS`].
    columns: [u64; COLUMNS.len()],
    pub(crate) rows: [RowChanges; 4],
    /// Documents whose profile there was no room to remember.
    pub(crate) forgotten: u64,
}

impl Foreseen {
    /// Table, column, and of how many stored profiles it would change.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        COLUMNS.iter().zip(self.columns).map(|((table, column), profiles)| (table.name(), *column, profiles))
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.columns.iter_mut().zip(other.columns).for_each(|(sum, more)| *sum += more);
        self.add_rows(other.rows);
        self.forgotten += other.forgotten;
    }

    fn add_rows(&mut self, rows: [RowChanges; 4]) {
        self.rows.iter_mut().zip(rows).for_each(|(sum, more)| sum.add(more));
    }

    fn add_difference(&mut self, difference: &Difference) {
        for (bit, count) in self.columns.iter_mut().enumerate() {
            *count += u64::from(difference.columns >> bit & 1);
        }
        self.add_rows(difference.rows);
    }
}

/// A lane's documents, in input order.
#[derive(Debug)]
pub(super) struct Decider {
    on_existing: OnExisting,
    remembered: Remembered,
}

impl Decider {
    pub(super) fn new(on_existing: OnExisting, profiles_max: usize) -> Self {
        Self { on_existing, remembered: Remembered::new(profiles_max) }
    }

    /// Whether what is stored under this id has no say any more.
    pub(super) fn knows(&self, id: &[u8; 16]) -> bool {
        self.remembered.has(id)
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.remembered.forgotten()
    }

    /// What would become of the next document; `stored` is asked where no document before it would have changed what is
    /// stored under its id. Counts what would be written.
    pub(super) fn decide<'s>(
        &mut self,
        id: [u8; 16],
        document: &Contents<'_>,
        stored: impl FnOnce() -> Option<Contents<'s>>,
        counts: &mut LoadCounts,
        foreseen: &mut Foreseen,
    ) -> Verdict {
        let (difference, is_ours) = match self.remembered.difference(&id, document) {
            Some(difference) => (Some(difference), true),
            None => (stored().map(|stored| document.difference(&stored)), false),
        };
        let written = match difference {
            Some(difference) if !difference.is_any => {
                counts.unchanged += 1;
                return Verdict::Unchanged;
            }
            Some(difference) => match self.on_existing {
                OnExisting::Update => difference,
                OnExisting::Skip => {
                    counts.skipped += 1;
                    return Verdict::Skipped;
                }
                OnExisting::Reject => {
                    counts.rejected += 1;
                    let fault = if is_ours { merge::duplicate() } else { merge::exists() };
                    return Verdict::Rejected(fault);
                }
            },
            None => {
                counts.inserted += 1;
                self.remembered.remember(id, document);
                let rows = inserted(document);
                foreseen.add_rows(rows);
                counts.rows.add(row_counts(rows));
                return Verdict::Inserted;
            }
        };
        counts.updated += 1;
        self.remembered.remember(id, document);
        foreseen.add_difference(&written);
        counts.rows.add(row_counts(written.rows));
        Verdict::Updated
    }
}

fn inserted(document: &Contents<'_>) -> [RowChanges; 4] {
    let count = |length: usize| u64::try_from(length).expect("a length has 64 bits");
    let address = u64::from(document.address.is_some());
    [1, address, count(document.emails.len()), count(document.phones.len())]
        .map(|added| RowChanges { added, ..RowChanges::default() })
}

fn row_counts(rows: [RowChanges; 4]) -> RowCounts {
    RowCounts::of_tables(rows.map(RowChanges::total))
}
