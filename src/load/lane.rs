//! A lane: its documents in input order, a batch a transaction, and what it does when a transaction fails.
//!
//! What the lane had committed in an earlier attempt at the same run is not loaded again: documents before its
//! watermark are told as settled, those among them that the server had refused with the ledger's words.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time,
};

use super::{
    Connections, LoadCounts, LoadError, Retries, Stop, Verdict, Watch, atomic,
    attempt::{Unconfirmed, Work, transact},
    bulk::{CopySql, SeenIds},
    connections::{MergeSql, Session},
    merge::MergeError,
    outage::Outage,
    replay::Pending,
    retry::Class,
    run::LaneState,
    transaction::Done,
    watch::Pulse,
};
use crate::{
    document::Fault,
    rows::LanePart,
    settings::{OnExisting, Strategy},
};

/// When a batch is loaded. Both count what the input held, not this lane's share of it, so that all lanes
/// commit at about the same pace and a bounded window of the input is enough for all of them.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    pub cost_bytes: usize,
    pub chunks: usize,
}

/// What the lanes of a run share.
#[derive(Debug)]
pub struct LaneContext {
    pub(super) run_id: i64,
    pub(super) lanes: usize,
    /// Which attempt at the run this is; a later one puts us out of it.
    pub(super) attempt: i32,
    pub(super) atomic: bool,
    pub(super) on_existing: OnExisting,
    pub(super) limits: BatchLimits,
    pub(super) patience: Duration,
    pub(super) strategy: Strategy,
    /// Whether a stored profile that differs is this run's own, whoever wrote it: the tables were empty.
    pub(super) owns_all: bool,
    pub(super) sql: MergeSql,
    pub(super) copy_sql: CopySql,
    pub(super) connections: Connections,
    pub(super) watch: Watch,
    pub(super) outage: Outage,
}

/// What one lane is given.
#[derive(Debug)]
pub struct LanePlan {
    pub state: LaneState,
    pub parts: mpsc::Receiver<LanePart>,
    /// Nothing is loaded before this is true: what the ledger has as loaded is in the input still.
    pub verified: watch::Receiver<bool>,
    pub stop: Stop,
}

/// What a lane tells of.
#[derive(Debug)]
pub enum LaneEvent {
    Settled(Settled),
    /// Something to tell the operator while the run goes on.
    Notice(String),
    /// The one transaction of an atomic load holds everything; the answer is whether it is committed.
    ReadyToCommit(oneshot::Sender<bool>),
    /// It was committed.
    Committed,
}

/// One chunk's documents of one lane: decided and, but for an atomic load, committed.
#[derive(Debug)]
pub struct Settled {
    pub chunk: u64,
    pub counts: LoadCounts,
    /// Documents that an earlier attempt had settled; they are counted in the ledger.
    pub replayed: u64,
    /// Line offsets in the chunk, rising, of the documents that only the server could refuse.
    pub rejected: Vec<(u32, Fault)>,
    /// Line offsets in the chunk, rising, of the documents that are put off until the indexes are back.
    pub spilled: Vec<u32>,
}

impl LaneContext {
    /// `limits` bound a batch; `patience` is how long a server that is gone is waited for. `strategy` is that of
    /// these lanes: the run's, or merging for what a bulk load has put off.
    pub fn new(
        run: &super::Run,
        strategy: Strategy,
        connections: Connections,
        watch: Watch,
        limits: BatchLimits,
        patience: Duration,
    ) -> Self {
        Self {
            run_id: run.id,
            lanes: run.lanes.len(),
            attempt: run.attempt,
            atomic: run.key.atomic,
            on_existing: run.key.on_existing,
            limits,
            patience,
            strategy,
            owns_all: run.strategy == Strategy::Bulk,
            sql: MergeSql::in_schema(&run.key.db_schema),
            copy_sql: CopySql::in_schema(&run.key.db_schema),
            connections,
            watch,
            outage: Outage::default(),
        }
    }
}

impl LaneContext {
    /// Opens one session, so that what is wrong with all of them shows before anything is begun.
    pub async fn try_one_connection(&self) -> Result<(), LoadError> {
        self.connections.try_one().await
    }
}

/// Loads parts until there are no more; tells of each, in order, once it is settled. After a stop it finishes
/// its transaction, if that does not take too long, and tells of the rest without having loaded it.
pub async fn run_lane(
    context: Arc<LaneContext>,
    plan: LanePlan,
    tell: impl Fn(LaneEvent) + Send + Sync,
) -> Result<(), LoadError> {
    let LanePlan { state, parts, verified, stop } = plan;
    let retries = Retries::new(context.patience);
    let seen = (context.strategy == Strategy::Bulk).then(|| SeenIds::new(context.lanes));
    let lane = Lane { context: &context, state, verified, stop, retries, seen, tell: &tell };
    if context.atomic { atomic::run(lane, parts).await } else { run(lane, parts).await }
}

/// A lane at work.
pub(super) struct Lane<'c, F> {
    pub(super) context: &'c LaneContext,
    pub(super) state: LaneState,
    verified: watch::Receiver<bool>,
    pub(super) stop: Stop,
    pub(super) retries: Retries,
    /// Of a bulk load.
    pub(super) seen: Option<SeenIds>,
    pub(super) tell: &'c F,
}

async fn run<F>(mut lane: Lane<'_, F>, mut parts: mpsc::Receiver<LanePart>) -> Result<(), LoadError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    while let Some(pending) = lane.next_batch(&mut parts).await? {
        let done = lane.load(&pending).await;
        lane.settle(&pending, done.as_ref().ok().and_then(Option::as_ref));
        done?;
    }
    Ok(())
}

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    /// Waits for a batch's worth of parts, settling those that an earlier attempt had loaded; `None` at the end.
    pub(super) async fn next_batch(
        &mut self,
        parts: &mut mpsc::Receiver<LanePart>,
    ) -> Result<Option<Vec<Pending>>, LoadError> {
        let (mut batch, mut cost_bytes) = (Vec::new(), 0);
        let limits = self.context.limits;
        while cost_bytes < limits.cost_bytes && batch.len() < limits.chunks {
            let Some(part) = parts.recv().await else { break };
            let pending = self.replay(part).await?;
            if self.state.has_passed(pending.part.end.position) {
                self.settle(&[pending], None);
            } else {
                cost_bytes += pending.part.cost_bytes;
                batch.push(pending);
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// In one transaction, tried until it is committed or hope is lost; `None` when the run is to stop.
    async fn load(&mut self, pending: &[Pending]) -> Result<Option<Done>, LoadError> {
        if !self.may_begin().await {
            return Ok(None);
        }
        let batch = Work::of(self.context.strategy, pending);
        let mut unconfirmed = None;
        loop {
            let error = match self.attempt(&batch, pending, &mut unconfirmed).await {
                Ok(done) => {
                    self.went_forward();
                    return Ok(Some(done));
                }
                Err(MergeError::Stopped) => return Ok(None),
                Err(MergeError::LeftOut) => unreachable!("such a document is rejected"),
                Err(MergeError::Failed(error)) => error,
            };
            self.wait_after(error).await?;
        }
    }

    /// Waits until the input is known to be the run's; `false` when the run is to stop.
    pub(super) async fn may_begin(&mut self) -> bool {
        tokio::select! {
            verified = self.verified.wait_for(|verified| *verified) => verified.is_ok() && !self.stop.is_asked(),
            () = self.stop.asked() => false,
        }
    }

    /// One transaction. `unconfirmed` is what one did whose COMMIT got no answer.
    async fn attempt(
        &mut self,
        batch: &Work<'_>,
        pending: &[Pending],
        unconfirmed: &mut Option<Unconfirmed>,
    ) -> Result<Done, MergeError> {
        let (context, tell) = (self.context, self.tell);
        let pulse = Pulse::default();
        let mut stop = self.stop.clone();
        let mut session = tokio::select! {
            session = context.connections.get() => session?,
            () = stop.expired() => return Err(MergeError::Stopped),
        };
        let notice = |words| tell(LaneEvent::Notice(words));
        let work =
            transact(context, &self.state, &self.stop, &mut session, batch, pending, unconfirmed, &pulse);
        let result = tokio::select! {
            watched = context.watch.over(&pulse, &notice, work) => watched.map_err(MergeError::Failed).flatten(),
            () = stop.expired() => {
                give_up(context, session, &pulse).await;
                return Err(MergeError::Stopped);
            }
        };
        match result {
            Ok(Unconfirmed { done, new_transactions }) => {
                let end = &pending.last().expect("a batch has a part").part.end;
                self.state.advance(end.clone(), done.counts, &new_transactions);
                Ok(done)
            }
            Err(MergeError::Failed(error)) => {
                Err(after_failure(context, session, &pulse, &self.stop, error).await.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Waits before another attempt, or passes the error on where there is to be none.
    pub(super) async fn wait_after(&mut self, error: LoadError) -> Result<(), LoadError> {
        if self.stop.is_asked() {
            return Err(error);
        }
        let Some(delay) = self.retries.after(&error) else { return Err(error) };
        if error.class() != Class::Conflict
            && let Some(words) = self.context.outage.begins(&error, self.context.patience)
        {
            (self.tell)(LaneEvent::Notice(words));
        }
        tokio::select! {
            () = time::sleep(delay) => Ok(()),
            () = self.stop.asked() => Err(error),
        }
    }

    pub(super) fn went_forward(&mut self) {
        self.retries.went_forward();
        if let Some(words) = self.context.outage.ends() {
            (self.tell)(LaneEvent::Notice(words));
        }
    }

    /// Tells what became of the documents; without `done`, only of those that were loaded earlier.
    pub(super) fn settle(&self, batch: &[Pending], done: Option<&Done>) {
        let mut verdicts = done.map_or(&[][..], |done| &done.verdicts).iter();
        // The rows of the batch are counted with its first part.
        let mut rows = done.map_or_else(Default::default, |done| done.counts.rows);
        for pending in batch {
            let counts = LoadCounts { rows: std::mem::take(&mut rows), ..LoadCounts::default() };
            let (replayed, rejected) = (pending.replayed, pending.rejected.clone());
            let spilled = pending.spilled_before().collect();
            let mut settled = Settled { chunk: pending.part.chunk, counts, replayed, rejected, spilled };
            for (document, verdict) in pending.part.documents()[pending.first..].iter().zip(&mut verdicts) {
                settled.counts.count(verdict);
                match verdict {
                    Verdict::Rejected(fault) => settled.rejected.push((document.offset, fault.clone())),
                    Verdict::Spilled { .. } => settled.spilled.push(document.offset),
                    Verdict::Inserted | Verdict::Updated | Verdict::Unchanged | Verdict::Skipped => {}
                }
            }
            (self.tell)(LaneEvent::Settled(settled));
        }
    }
}

/// Closes a session that failed, unless it is as good as new, and adds to the error what is known besides.
pub(super) async fn after_failure(
    context: &LaneContext,
    session: Session,
    pulse: &Pulse,
    stop: &Stop,
    mut error: LoadError,
) -> LoadError {
    session.close();
    if error.class() == Class::Lost
        && !stop.is_asked()
        && let Some(backend) = pulse.backend()
    {
        context.watch.end_orphan(&backend).await;
    }
    if let LoadError::Database { context, .. } = &mut error
        && let Some(blocker) = pulse.blocker()
    {
        *context = Some(format!(" while it waited for a lock that is held by {blocker}"));
    }
    error
}

/// How long the server is asked to end what is given up, which it would do by itself a little later.
const GIVE_UP_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) async fn give_up(context: &LaneContext, session: Session, pulse: &Pulse) {
    session.close();
    if let Some(backend) = pulse.backend() {
        let _ = time::timeout(GIVE_UP_TIMEOUT, context.watch.end_orphan(&backend)).await;
    }
}
