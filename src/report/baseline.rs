//! An earlier report beside a report: what is told.

use serde::{Deserialize, Serialize};

/// An earlier report beside this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// When the earlier run began.
    pub started_at: String,
    pub documents_read: u64,
    pub documents_rejected: u64,
    /// For each of the `errors` of [`RunReport`](super::RunReport) what it was before.
    pub errors: Vec<Before>,
    /// Kinds of faults that have gone.
    pub gone: Vec<Gone>,
    /// What of the field profile has moved.
    pub moved: Vec<Moved>,
}

/// A kind of fault as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub documents: u64,
    pub change: Change,
}

/// How the share of documents with a kind of fault has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    New,
    Grown,
    Shrunk,
    Same,
}

/// A kind of fault that no document has any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    pub code: String,
    pub pointer: String,
    pub message: String,
    pub documents: u64,
}

/// A figure of the field profile, then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    pub pointer: String,
    /// `present` (per document), `median`, `99th percentile`, `maximum`, or `share of` a public value.
    pub what: String,
    pub before: f64,
    pub now: f64,
}
