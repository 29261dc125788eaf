//! From lane parts to the four tables, exactly once.
//!
//! A lane loads its documents in input order, a batch a transaction, and moves its watermark in the ledger in
//! the same transaction. A crash leaves whole batches, never a part of a document, and watermarks that say
//! which; a document is settled once its transaction is committed.

mod atomic;
mod attempt;
mod batch;
pub mod bulk;
mod connections;
mod control;
pub mod history;
mod lane;
mod ledger;
mod merge;
mod outage;
mod refusal;
mod replay;
mod retry;
mod run;
mod stop;
pub mod target_lock;
mod transaction;
mod watch;
mod wire;

use std::time::Duration;

use thiserror::Error;

pub use connections::Connections;
pub use control::{Control, ControlError, Limits, connect};
pub use lane::{BatchLimits, LaneContext, LaneEvent, LanePlan, Settled, run_lane};
pub use ledger::RESTORE;
pub use retry::Retries;
pub use run::{Begun, Ending, InputIdentity, LaneState, Run, RunKey, Unfinished};
pub use stop::{Stop, Stopping};
pub use watch::Watch;

use crate::{document::Fault, postgres, report::RowCounts};
use retry::Class;

/// Why a lane can't go on. Nothing of the batch at hand is in the tables, or the ledger says that all of it is.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{what} failed{}", context.as_deref().unwrap_or_default())]
    Database {
        what: &'static str,
        /// What is known besides, such as who held a lock.
        context: Option<String>,
        source: tokio_postgres::Error,
    },
    #[error("connecting failed")]
    Connecting { source: tokio_postgres::Error },
    #[error("the server stopped answering: no sign of it for {seconds} s while the connection stayed open")]
    Stalled { seconds: u64 },
    #[error("bringing back {label} failed")]
    Restore { label: String, source: Box<LoadError> },
    #[error("another process has taken run {run_id} over and loads it now")]
    TakenOver { run_id: i64 },
    #[error("another loader took the target while the connection that held it was lost: {holder}")]
    LockLost { holder: String },
    #[error("the ledger is not what this run left there: {0}")]
    Ledger(String),
}

impl LoadError {
    /// The error and its cause, on one line.
    pub fn in_words(&self) -> String {
        match self {
            Self::Database { source, .. } | Self::Connecting { source } => {
                format!("{self}: {}", postgres::describe(source))
            }
            Self::Restore { source, .. } => format!("{self}: {}", source.in_words()),
            _ => self.to_string(),
        }
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Database { source, .. } => retry::class_of_statement(source),
            Self::Connecting { source } => retry::class_of_connecting(source),
            Self::Restore { source, .. } => source.class(),
            Self::Stalled { .. } => Class::Lost,
            Self::TakenOver { .. } | Self::LockLost { .. } | Self::Ledger(_) => Class::Permanent,
        }
    }

    /// Whether somebody held a lock for longer than we wait for one.
    pub fn is_lock_timeout(&self) -> bool {
        self.class() == Class::Locked
    }

    /// Whether the same command may succeed later without anybody mending anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database { source, .. } | Self::Connecting { source } => postgres::is_temporary(source),
            Self::Restore { source, .. } => source.is_temporary(),
            Self::Stalled { .. } => true,
            Self::TakenOver { .. } | Self::LockLost { .. } | Self::Ledger(_) => false,
        }
    }
}

/// Bounds what takes no time while the server is well; without an answer the connection is as good as lost.
async fn within<T>(time: Duration, answer: impl Future<Output = T>) -> Result<T, LoadError> {
    let stalled = |_| LoadError::Stalled { seconds: time.as_secs() };
    tokio::time::timeout(time, answer).await.map_err(stalled)
}

fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> LoadError {
    move |source| LoadError::Database { what, context: None, source }
}

/// What became of an accepted document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Inserted,
    Updated,
    Unchanged,
    Skipped,
    Rejected(Fault),
    /// It waits in the spill until the indexes are back; whether the server had refused it without them.
    Spilled {
        by_server: bool,
    },
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
            Verdict::Spilled { .. } => return,
        } += 1;
    }
}
