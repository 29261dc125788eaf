//! What becomes of accepted documents, one by one and in numbers.

use crate::{document::Fault, report::RowCounts, tables::Table};

/// Where the ledger has the rows written, in the order of [`Table::ALL`].
pub(super) const ROW_COLUMNS: [&str; Table::ALL.len()] =
    ["profile_rows", "address_rows", "email_rows", "phone_number_rows"];

/// What became of an accepted document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Inserted,
    Updated,
    Unchanged,
    Skipped,
    Rejected(Fault),
    /// It is deferred until the indexes are restored; whether the server had refused it without them.
    Deferred {
        by_server: bool,
    },
}

/// Documents that were decided on, and rows written for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LoadCounts {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub rejected: u64,
    pub rows: RowCounts,
}

impl LoadCounts {
    pub(crate) fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
        self.rows.add(other.rows);
    }

    /// Accepted documents that are in the tables or were skipped on purpose.
    pub(crate) fn loaded(self) -> u64 {
        self.inserted + self.updated + self.unchanged + self.skipped
    }

    pub(crate) fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Inserted => &mut self.inserted,
            Verdict::Updated => &mut self.updated,
            Verdict::Unchanged => &mut self.unchanged,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Rejected(_) => &mut self.rejected,
            Verdict::Deferred { .. } => return,
        } += 1;
    }
}
