//! Why a run came to its end, and all that it found and did.

use std::io;

use super::deferral::Deferral;
use crate::{
    input::{Chunk, InputError, SourceDigest},
    plan::BlockWriter,
    report::{RejectFiles, RejectsError, SeenIds, Tally, Timeline},
    runs::{LoadCounts, RunError},
    settings::Framing,
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
    /// Accepted documents can't be written.
    Blocks(io::Error),
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
    /// Without the end, which says that they are complete.
    pub blocks: Option<BlockWriter>,
    pub end: End,
}

impl Finished {
    pub(super) fn new(sources: usize, has_details: bool, load: LoadCounts) -> Self {
        Self {
            tally: Tally::with_details(has_details),
            documents_of_sources: vec![0; sources],
            lines_of_sources: vec![0; sources],
            seen_ids: SeenIds::default(),
            timeline: Timeline::default(),
            bytes: 0,
            digests: Vec::new(),
            load,
            not_loaded: 0,
            deferred: 0,
            unknown: 0,
            retries: 0,
            deferral: Deferral::None,
            blocks: None,
            is_verified: false,
            settled_earlier: 0,
            rejects: None,
            end: End::Complete,
        }
    }

    /// Counts the documents and lines of a chunk to their sources.
    pub(super) fn count_in_sources(&mut self, chunk: &Chunk, tally: &Tally) {
        for origin in &chunk.origins {
            self.documents_of_sources[origin.source] += 1;
            self.lines_of_sources[origin.source] += 1;
        }
        if !chunk.origins.is_empty() {
            return;
        }
        self.documents_of_sources[chunk.source] += tally.read;
        match chunk.framing {
            Framing::Ndjson => self.lines_of_sources[chunk.source] += tally.read + tally.blank,
            Framing::Json => self.lines_of_sources[chunk.source] = chunk.last_line(),
        }
    }
}
