//! From lane parts to the four tables.
//!
//! A lane owns one connection and loads its documents in input order, a batch a transaction. A crash leaves
//! whole batches, never a part of a document; a document is settled once its transaction is committed.

mod batch;
pub mod history;
mod lane;
mod merge;
mod refusal;
mod session;
pub mod target_lock;

use thiserror::Error;

pub use lane::{BatchLimits, Settled, run_lane};
pub use session::Session;

use crate::{document::Fault, report::RowCounts};

/// Why a lane can't go on. Nothing of the batch at hand is in the tables.
#[derive(Debug, Error)]
#[error("{what} failed")]
pub struct LoadError {
    pub what: &'static str,
    #[source]
    pub source: tokio_postgres::Error,
}

fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> LoadError {
    move |source| LoadError { what, source }
}

/// What became of an accepted document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Inserted,
    Updated,
    Unchanged,
    Skipped,
    Rejected(Fault),
}

/// Documents and rows that were settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadCounts {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub rejected: u64,
    pub rows: RowCounts,
}

impl LoadCounts {
    pub fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
        self.rows.add(other.rows);
    }

    /// Accepted documents that are in the tables or were skipped on purpose.
    pub fn settled(self) -> u64 {
        self.inserted + self.updated + self.unchanged + self.skipped
    }

    fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Inserted => &mut self.inserted,
            Verdict::Updated => &mut self.updated,
            Verdict::Unchanged => &mut self.unchanged,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Rejected(_) => &mut self.rejected,
        } += 1;
    }
}
