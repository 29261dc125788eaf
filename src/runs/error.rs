//! Why a run can't go on.

use std::{io, time::Duration};

use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::{postgres::ErrorClass, session::SessionError};

/// Nothing of the batch at hand is in the tables, or the ledger says that all of it is.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("restoring {label} failed{}", fix.as_ref().map_or_else(String::new, |fix| format!(" ({fix})")))]
    Restore {
        label: String,
        /// What to do about it, where more is known than the source says.
        fix: Option<String>,
        source: Box<RunError>,
    },
    #[error("another process has taken run {run_id} over and loads it now")]
    TakenOver { run_id: i64 },
    /// Without what is lost, the ledger and the tables still fit together.
    #[error(
        "the server lacks {what}, though it was confirmed: a standby has taken over that had not received all of it (its \
         replication is asynchronous), or a former primary answers that was not taken out of service; the same command \
         goes on from what the server has"
    )]
    Behind { what: String },
    #[error("another loader took the target while the connection that held it was lost: {holder}")]
    LockLost { holder: String },
    #[error(
        "what the run had dropped of the tables is not all restored, though the ledger has no more of it to do; \
         somebody has to run: {}", missing.join("; ")
    )]
    NotRestored { missing: Vec<String> },
    #[error(
        "the tables were changed while the run loads into them, and refuse documents for it: {differences}; nothing of \
         the batch at hand is loaded ('profile-loader migrate verify' gives the SQL that fixes each)"
    )]
    Drift { differences: String },
    #[error("the ledger is not what this run left there: {0}")]
    Ledger(String),
    #[error("reading {path} for profile_loader.rejected_documents failed: {source}")]
    RejectRecords { path: String, source: io::Error },
    #[error("reading or writing the deferred documents in {path} failed: {source}")]
    Deferred { path: String, source: io::Error },
    #[error(
        "these constraints may hold between profiles, so documents have to be loaded in input order, which parts can't do: \
         {constraints}; load the inputs without a plan, or make the plan anew with --parts 1"
    )]
    InOrder { constraints: String },
}

impl RunError {
    /// The error and its causes, on one line, without values of rows.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Session(error) => error.message(),
            Self::Restore { source, .. } => format!("{self}: {}", source.message()),
            _ => self.to_string(),
        }
    }

    /// Of an error of the server.
    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Session(SessionError::Database { source, .. }) => source.code().map(SqlState::code),
            Self::Restore { source, .. } => source.sqlstate(),
            _ => None,
        }
    }

    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Session(error) => error.class(),
            Self::Restore { source, .. } => source.class(),
            Self::Behind { .. } => ErrorClass::Behind,
            Self::TakenOver { .. }
            | Self::LockLost { .. }
            | Self::NotRestored { .. }
            | Self::Drift { .. }
            | Self::Ledger(_)
            | Self::RejectRecords { .. }
            | Self::Deferred { .. }
            | Self::InOrder { .. } => ErrorClass::Permanent,
        }
    }
}

/// Bounds what takes no time while the server is well; without an answer the connection is as good as lost.
pub(crate) async fn within<T>(time: Duration, answer: impl Future<Output = T>) -> Result<T, RunError> {
    let stalled = |_| SessionError::Stalled { seconds: time.as_secs() }.into();
    tokio::time::timeout(time, answer).await.map_err(stalled)
}

/// Turns an error of the server into one that says what was attempted.
pub(crate) fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> RunError {
    move |source| SessionError::Database { what, context: None, source }.into()
}
