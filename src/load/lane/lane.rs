//! A lane at work: what batches and the one transaction of an atomic load have in common.

use tokio::{
    sync::watch,
    time::{self, Duration},
};

use super::{
    context::{LaneContext, LaneEvent, Settled},
    pending::Pending,
    stop::Stop,
    transaction::Done,
    wait::wait_after,
};
use crate::{
    load::bulk::IdFilter,
    postgres::ErrorClass,
    runs::{LaneState, LoadCounts, RunError, Verdict},
    session::{LeasedSession, Pulse, Retries, SessionError},
    settings::Strategy,
};

/// How long the server is asked to end what is cancelled, which it would do by itself a little later.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Lane<'c, F> {
    pub(super) context: &'c LaneContext,
    pub(super) state: LaneState,
    verified: watch::Receiver<bool>,
    pub(super) stop: Stop,
    retries: Retries,
    /// Where lanes copy, of all ids; where they merge and defer, of those of deferred documents.
    pub(super) filter: IdFilter,
    pub(super) report: &'c F,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decided<'d> {
    Done(&'d Done),
    /// Nothing of it is in the tables but what an earlier attempt had committed.
    NotLoaded,
    /// Its COMMIT was sent, and it is not known whether it was done.
    Unknown,
}

impl<'c, F: Fn(LaneEvent) + Send + Sync> Lane<'c, F> {
    pub(super) fn new(
        context: &'c LaneContext,
        state: LaneState,
        verified: watch::Receiver<bool>,
        stop: Stop,
        report: &'c F,
    ) -> Self {
        let retries = Retries::new(context.db_wait);
        let filter = IdFilter::new(context.lanes);
        Self { context, state, verified, stop, retries, filter, report }
    }

    /// Waits until the input is known to be the run's; `false` when the run is to stop.
    pub(super) async fn may_begin(&mut self) -> bool {
        tokio::select! {
            verified = self.verified.wait_for(|verified| *verified) => verified.is_ok() && !self.stop.is_requested(),
            () = self.stop.requested() => false,
        }
    }

    /// Waits before another attempt, or passes the error on where there is to be none.
    pub(super) async fn wait_after(&mut self, error: RunError) -> Result<(), RunError> {
        let notice = |message| (self.report)(LaneEvent::Notice(message));
        let (outage, db_wait) = (&self.context.outage, self.context.db_wait);
        wait_after(error, &mut self.retries, &mut self.stop, outage, db_wait, notice).await?;
        (self.report)(LaneEvent::Retried);
        Ok(())
    }

    pub(super) fn went_forward(&mut self) {
        self.retries.went_forward();
        if let Some(message) = self.context.outage.ends() {
            (self.report)(LaneEvent::Notice(message));
        }
    }

    /// Reports what became of the documents of a batch.
    pub(super) fn settle(&self, batch: &[Pending], decided: Decided<'_>) {
        let (mut verdicts, mut rows) = match decided {
            Decided::Done(done) => (done.verdicts.iter(), done.counts.rows),
            Decided::NotLoaded | Decided::Unknown => Default::default(),
        };
        for pending in batch {
            // The rows of the batch are counted with its first part.
            let counts = LoadCounts { rows: std::mem::take(&mut rows), ..LoadCounts::default() };
            let mut settled = Settled {
                chunk: pending.part.chunk,
                counts,
                replayed: pending.replayed,
                rejected: pending.rejected.clone(),
                deferred: pending.deferred_before().collect(),
                unknown: 0,
            };
            if matches!(decided, Decided::Unknown) {
                settled.unknown = pending.undecided();
            }
            for (document, verdict) in pending.part.documents()[pending.first..].iter().zip(&mut verdicts) {
                settled.counts.count(verdict);
                match verdict {
                    Verdict::Rejected(fault) => settled.rejected.push((document.offset, fault.clone())),
                    Verdict::Deferred { .. } => settled.deferred.push(document.offset),
                    Verdict::Inserted | Verdict::Updated | Verdict::Unchanged | Verdict::Skipped => {}
                }
            }
            (self.report)(LaneEvent::Settled(settled));
        }
    }

    /// What comes with the same id as a document that was deferred has to follow it.
    pub(super) fn remember_deferred(&mut self, batch: &[Pending], done: &Done) {
        if self.context.strategy == Strategy::Bulk {
            // It has met all ids.
            return;
        }
        let documents = batch.iter().flat_map(|pending| &pending.part.documents()[pending.first..]);
        for (document, verdict) in documents.zip(&done.verdicts) {
            if matches!(verdict, Verdict::Deferred { .. }) {
                self.filter.meet(&document.id);
            }
        }
    }

    /// Closes a session that failed, and adds to the error what is known besides.
    pub(super) async fn after_failure(
        &self,
        session: LeasedSession,
        pulse: &Pulse,
        mut error: RunError,
    ) -> RunError {
        session.close();
        if error.class() == ErrorClass::Lost
            && !self.stop.is_requested()
            && let Some(backend) = pulse.backend()
        {
            self.context.watch.end_orphan(&backend).await;
        }
        if let RunError::Session(SessionError::Database { context, .. }) = &mut error
            && let Some(blocker) = pulse.blocker()
        {
            *context = Some(format!(" while it waited for a lock that is held by {blocker}"));
        }
        error
    }

    /// Ends a transaction that takes too long after a stop.
    pub(super) async fn cancel(&self, session: LeasedSession, pulse: &Pulse) {
        session.close();
        if let Some(backend) = pulse.backend() {
            let _ = time::timeout(CANCEL_TIMEOUT, self.context.watch.end_orphan(&backend)).await;
        }
    }
}
