//! What the lanes of a run share, what each is given, and what it reports.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use super::stop::Stop;
use crate::{
    document::Fault,
    load::{
        bulk::{CopySql, IdBlocks},
        merge::{MergeSql, OnClash},
    },
    rows::LanePart,
    runs::{Confirmed, LaneState, LoadCounts, Run},
    session::{Outage, SessionPool, Watch},
    settings::{OnExisting, Strategy},
};

/// When a batch is loaded. Both count what the input held, not this lane's share of it, so that all lanes
/// commit at about the same pace and a bounded window of the input is enough for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    pub(crate) cost_bytes: usize,
    pub(crate) chunks: usize,
}

/// What the lanes of a phase do with documents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneWork {
    /// The run's, or merging for the documents that were deferred.
    pub(crate) strategy: Strategy,
    pub(crate) on_clash: OnClash,
    /// What was loaded before, without which nothing is loaded.
    pub(crate) confirmed: Option<Confirmed>,
}

/// What the lanes of a run share.
#[derive(Debug)]
pub(crate) struct LaneContext {
    pub(crate) run_id: i64,
    pub(crate) lanes: usize,
    /// Which attempt at the run this is; a later one puts us out of it.
    pub(crate) attempt: i32,
    pub(crate) atomic: bool,
    pub(crate) on_existing: OnExisting,
    pub(crate) limits: BatchLimits,
    pub(crate) db_wait: Duration,
    pub(crate) strategy: Strategy,
    pub(crate) on_clash: OnClash,
    pub(crate) confirmed: Option<Confirmed>,
    pub(crate) db_schema: String,
    /// Whether a stored profile that differs is this run's own, whoever wrote it: the tables were empty.
    pub(crate) owns_all: bool,
    pub(crate) sql: MergeSql,
    pub(crate) copy_sql: CopySql,
    pub(crate) id_blocks: IdBlocks,
    /// Whether documents were refused that were to be copied last.
    pub(crate) has_refused: AtomicBool,
    pub(crate) sessions: SessionPool,
    pub(crate) watch: Arc<Watch>,
    pub(crate) outage: Outage,
}

/// What one lane is given.
#[derive(Debug)]
pub(crate) struct LaneInput {
    pub(crate) state: LaneState,
    pub(crate) parts: mpsc::Receiver<LanePart>,
    /// Nothing is loaded before this is true: what the ledger has as loaded is in the input still.
    pub(crate) verified: watch::Receiver<bool>,
    pub(crate) stop: Stop,
}

/// What a lane reports.
#[derive(Debug)]
pub(crate) enum LaneEvent {
    Settled(Settled),
    /// A message for the operator while the run goes on.
    Notice(String),
    /// Something failed and is tried again.
    Retried,
    /// The one transaction of an atomic load holds everything; the answer is whether it is committed.
    ReadyToCommit(oneshot::Sender<bool>),
    /// It was committed.
    Committed,
    /// Its COMMIT was sent, and it is not known whether it was done.
    CommitUnknown,
}

/// One chunk's documents of one lane: decided and, but for an atomic load, committed.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) chunk: u64,
    pub(crate) counts: LoadCounts,
    /// Documents that an earlier attempt had committed; they are counted in the ledger.
    pub(crate) replayed: u64,
    /// Line offsets in the chunk, rising, of the documents that only the server could refuse.
    pub(crate) rejected: Vec<(u32, Fault)>,
    /// Line offsets in the chunk, rising, of the documents that are deferred until the indexes are restored.
    pub(crate) deferred: Vec<u32>,
    /// Documents whose transaction may have been committed or not.
    pub(crate) unknown: u64,
}

impl Settled {
    /// Nothing was done with its documents, as far as it says.
    pub(in crate::load) fn not_loaded(chunk: u64) -> Self {
        Self {
            chunk,
            counts: LoadCounts::default(),
            replayed: 0,
            rejected: Vec::new(),
            deferred: Vec::new(),
            unknown: 0,
        }
    }
}

impl LaneContext {
    /// `limits` bound a batch; `db_wait` is how long a server that is gone is waited for.
    pub(crate) fn new(
        run: &Run,
        LaneWork { strategy, on_clash, confirmed }: LaneWork,
        sessions: SessionPool,
        watch: Arc<Watch>,
        limits: BatchLimits,
        db_wait: Duration,
    ) -> Self {
        Self {
            run_id: run.id,
            lanes: run.lanes.len(),
            attempt: run.attempt,
            atomic: run.key.atomic,
            on_existing: run.key.on_existing,
            limits,
            db_wait,
            strategy,
            on_clash,
            confirmed,
            db_schema: run.key.db_schema.clone(),
            owns_all: run.strategy == Strategy::Bulk,
            sql: MergeSql::in_schema(&run.key.db_schema),
            copy_sql: CopySql::in_schema(&run.key.db_schema),
            id_blocks: IdBlocks::default(),
            has_refused: AtomicBool::default(),
            sessions,
            watch,
            outage: Outage::default(),
        }
    }

    /// Ends the sessions of these lanes, which have ended, for those of the next phase.
    pub(crate) fn end_sessions(&self) {
        self.sessions.end_sessions();
    }
}
