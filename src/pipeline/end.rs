//! Why a run came to its end, and all that it found and did.

use super::deferral::Deferral;
use crate::{
    input::{InputError, SourceDigest},
    report::{RejectFiles, RejectsError, SeenIds, Tally, Timeline},
    runs::{LoadCounts, RunError},
};

/// A signal that stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// Why a run came to its end.
#[derive(Debug)]
pub(crate) enum End {
    Complete,
    RejectLimit,
    Signal(Signal),
    Input(InputError),
    Lane(RunError),
    Rejects(RejectsError),
    /// A bug. The panic hook has told where; its words may quote a document and are not kept.
    Panicked,
}

/// All that a run found and did.
#[derive(Debug)]
pub(crate) struct Finished {
    pub tally: Tally,
    pub documents_of_sources: Vec<u64>,
    /// Documents and blank lines.
    pub lines_of_sources: Vec<u64>,
    /// Only where the tally has details.
    pub seen_ids: SeenIds,
    pub timeline: Timeline,
    /// Decompressed.
    pub bytes: u64,
    /// Of the sources that were read to their end, in order.
    pub digests: Vec<SourceDigest>,
    pub load: LoadCounts,
    /// Accepted documents whose transaction never came.
    pub not_loaded: u64,
    /// Accepted documents whose COMMIT was sent and not answered.
    pub unknown: u64,
    /// How often something failed and was tried again.
    pub retries: u64,
    /// Accepted documents that were deferred.
    pub deferred: u64,
    /// What was given to defer documents, or to read those.
    pub deferral: Deferral,
    /// Documents that an earlier attempt settled and that were not read again; none at the end of a whole input.
    pub settled_earlier: u64,
    /// Whether all that earlier attempts had read is known to be in the input.
    pub is_verified: bool,
    /// Still open.
    pub rejects: Option<RejectFiles>,
    pub end: End,
}
