//! A lane's batches, a transaction each, and what it does when one fails.

use tokio::sync::mpsc;

use super::{
    context::{LaneContext, LaneEvent},
    lane::{Decided, Lane},
    pending::Pending,
    refused::{deferred_by_server, rejected},
    stop::Stop,
    transaction::{Done, LaneRow, LaneTransaction, identify},
};
use crate::{
    load::{
        bulk::{BulkBatch, BulkPart, FirstIds},
        merge::{Batch, MergeError, OwnTransactions, documents_from},
    },
    rows::LanePart,
    runs::{LaneState, RunError},
    session::{LeasedSession, Pulse},
    settings::Strategy,
};

pub(super) async fn run<F>(mut lane: Lane<'_, F>, mut parts: mpsc::Receiver<LanePart>) -> Result<(), RunError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    while let Some(pending) = lane.next_batch(&mut parts).await? {
        let mut unconfirmed = None;
        let done = lane.load(&pending, &mut unconfirmed).await;
        if let Ok(Some(done)) = &done {
            lane.remember_deferred(&pending, done);
        }
        let decided = match &done {
            Ok(Some(done)) => Decided::Done(done),
            Ok(None) | Err(_) if unconfirmed.is_some() => Decided::Unknown,
            Ok(None) | Err(_) => Decided::NotLoaded,
        };
        lane.settle(&pending, decided);
        done?;
    }
    Ok(())
}

/// What a transaction has to do.
enum Work<'a> {
    Merge(Batch<'a>),
    Bulk(BulkBatch<'a>),
}

/// What a transaction did whose COMMIT was sent, while it is not known whether it was done.
#[derive(Debug)]
struct Unconfirmed {
    done: Done,
    new_transactions: Vec<u32>,
}

impl<'a> Work<'a> {
    fn of(strategy: Strategy, pending: &'a [Pending]) -> Self {
        match strategy {
            Strategy::Bulk => {
                let part = |one: &'a Pending| BulkPart {
                    part: &one.part,
                    first: one.first,
                    deferred: &one.deferred,
                };
                Self::Bulk(BulkBatch::new(pending.iter().map(part).collect()))
            }
            Strategy::Merge => {
                let documents =
                    pending.iter().flat_map(|one| documents_from(&one.part, one.first, &one.deferred));
                Self::Merge(Batch::new(documents.collect()))
            }
        }
    }
}

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    /// In one transaction, tried until it is committed or there is no point in another attempt; `None` when the run
    /// is to stop. `unconfirmed` is what one did whose COMMIT got no answer.
    async fn load(
        &mut self,
        pending: &[Pending],
        unconfirmed: &mut Option<Unconfirmed>,
    ) -> Result<Option<Done>, RunError> {
        if !self.may_begin().await {
            return Ok(None);
        }
        let work = Work::of(self.context.strategy, pending);
        loop {
            let error = match self.attempt(&work, pending, unconfirmed).await {
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

    async fn attempt(
        &mut self,
        work: &Work<'_>,
        pending: &[Pending],
        unconfirmed: &mut Option<Unconfirmed>,
    ) -> Result<Done, MergeError> {
        let (context, report) = (self.context, self.report);
        let pulse = Pulse::default();
        let mut stop = self.stop.clone();
        let mut session = tokio::select! {
            session = context.sessions.lease() => session?,
            () = stop.expired() => return Err(MergeError::Stopped),
        };
        let notice = |message| report(LaneEvent::Notice(message));
        let transaction =
            transact(context, &self.state, &self.stop, &mut session, work, pending, unconfirmed, &pulse);
        let result = tokio::select! {
            watched = context.watch.over(&pulse, &notice, transaction) => {
                watched.map_err(|error| MergeError::Failed(error.into())).flatten()
            }
            () = stop.expired() => {
                self.cancel(session, &pulse).await;
                return Err(MergeError::Stopped);
            }
        };
        context.id_blocks.take_message().into_iter().for_each(notice);
        match result {
            Ok(Unconfirmed { done, new_transactions }) => {
                let end = &pending.last().expect("a batch has a part").part.end;
                self.state.advance(end.clone(), done.counts, &new_transactions);
                Ok(done)
            }
            Err(MergeError::Failed(error)) => Err(self.after_failure(session, &pulse, error).await.into()),
            Err(error) => Err(error),
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a lane that a transaction borrows one by one")]
async fn transact(
    context: &LaneContext,
    state: &LaneState,
    stop: &Stop,
    session: &mut LeasedSession,
    work: &Work<'_>,
    pending: &[Pending],
    unconfirmed: &mut Option<Unconfirmed>,
    pulse: &Pulse,
) -> Result<Unconfirmed, MergeError> {
    let end = &pending.last().expect("a batch has a part").part.end;
    let next = Some(end.position);
    let ids = match work {
        Work::Merge(_) => FirstIds::default(),
        Work::Bulk(batch) => {
            let client = session.client();
            identify(client, pulse).await?;
            context.id_blocks.take(client, &context.db_schema, batch.numbered_rows()).await?
        }
    };
    let (mut transaction, row) =
        LaneTransaction::begin(session.client(), context, state, next, pulse).await?;
    if row == LaneRow::Committed {
        transaction.roll_back().await?;
        let unknown = || RunError::Ledger("a batch was committed that this run did not send".to_owned());
        return Ok(unconfirmed.take().ok_or_else(unknown)?);
    }
    // One whose answer was lost was rolled back.
    *unconfirmed = None;
    let mut own = OwnTransactions::new(&state.own_transactions, context.owns_all);
    let done = match work {
        Work::Merge(batch) => transaction.load(batch, &mut own, stop).await,
        Work::Bulk(batch) => transaction.copy(batch, ids, stop).await,
    };
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            // The session goes on only if the server has confirmed this.
            return Err(transaction.roll_back().await.map_or_else(MergeError::Failed, |()| error));
        }
    };
    let mut counts = state.counts;
    counts.add(done.counts);
    let refused = rejected(pending, &done.verdicts);
    let new_transactions = own.into_new();
    transaction.record(state.lane, end, &counts, &refused, &new_transactions).await?;
    drop(refused);
    transaction.record_refused(state.lane, &deferred_by_server(pending, &done.verdicts)).await?;
    *unconfirmed = Some(Unconfirmed { done, new_transactions });
    transaction.commit().await?;
    Ok(unconfirmed.take().expect("it was just put there"))
}
