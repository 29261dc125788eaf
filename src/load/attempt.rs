//! One transaction of a lane: what it has to do, from the lane's row in the ledger to COMMIT.

use super::{
    LoadError, Stop, Verdict,
    batch::{Batch, documents_from},
    bulk::BulkBatch,
    connections::Session,
    lane::LaneContext,
    merge::{MergeError, Own},
    replay::Pending,
    run::LaneState,
    transaction::{Done, LaneTransaction, Refused, Row},
    watch::Pulse,
};
use crate::{input::Position, settings::Strategy};

/// What a transaction has to do.
pub(super) enum Work<'a> {
    Merge(Batch<'a>),
    Bulk(BulkBatch<'a>),
}

impl<'a> Work<'a> {
    pub(super) fn of(strategy: Strategy, pending: &'a [Pending]) -> Self {
        match strategy {
            Strategy::Bulk => Self::Bulk(BulkBatch::new(pending)),
            Strategy::Merge => {
                let documents =
                    pending.iter().flat_map(|pending| documents_from(&pending.part, pending.first));
                Self::Merge(Batch::new(documents.collect()))
            }
        }
    }
}

/// What a transaction did, while it is not known whether it was committed.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) done: Done,
    pub(super) new_transactions: Vec<u32>,
}

#[expect(clippy::too_many_arguments, reason = "the parts of a lane that a transaction borrows one by one")]
pub(super) async fn transact(
    context: &LaneContext,
    state: &LaneState,
    stop: &Stop,
    session: &mut Session,
    batch: &Work<'_>,
    pending: &[Pending],
    unconfirmed: &mut Option<Unconfirmed>,
    pulse: &Pulse,
) -> Result<Unconfirmed, MergeError> {
    let end = &pending.last().expect("a batch has a part").part.end;
    let next = Some(end.position);
    let (mut transaction, row) =
        LaneTransaction::begin(session.client(), context, state, next, pulse).await?;
    if row == Row::Committed {
        transaction.roll_back().await?;
        let stranger = || LoadError::Ledger("a batch was committed that this run did not send".to_owned());
        return Ok(unconfirmed.take().ok_or_else(stranger)?);
    }
    let mut own = Own::new(&state.own_transactions, context.owns_all);
    let done = match batch {
        Work::Merge(batch) => transaction.load(batch, &mut own, stop).await,
        Work::Bulk(batch) => transaction.copy(batch, stop).await,
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
    let refused = refused(pending, &done.verdicts);
    let new_transactions = own.into_new();
    transaction.record(state.lane, end, &counts, &refused, &new_transactions).await?;
    drop(refused);
    transaction.record_spills(state.lane, &spilled_by_server(pending, &done.verdicts)).await?;
    *unconfirmed = Some(Unconfirmed { done, new_transactions });
    transaction.commit().await?;
    Ok(unconfirmed.take().expect("it was just put there"))
}

/// The refused documents of a batch with where they stand.
pub(super) fn refused<'a>(pending: &[Pending], verdicts: &'a [Verdict]) -> Vec<Refused<'a>> {
    let is_rejected = |verdict: &Verdict| matches!(verdict, Verdict::Rejected(_));
    positions(pending)
        .zip(verdicts)
        .filter(|(_, verdict)| is_rejected(verdict))
        .map(|(position, verdict)| Refused { position, verdict })
        .collect()
}

fn spilled_by_server(pending: &[Pending], verdicts: &[Verdict]) -> Vec<Position> {
    let is_refused = |verdict: &Verdict| *verdict == Verdict::Spilled { by_server: true };
    positions(pending)
        .zip(verdicts)
        .filter(|(_, verdict)| is_refused(verdict))
        .map(|(position, _)| position)
        .collect()
}

/// Where the documents stand that were to be loaded.
fn positions(pending: &[Pending]) -> impl Iterator<Item = Position> {
    pending.iter().flat_map(|pending| {
        let part = &pending.part;
        part.documents()[pending.first..].iter().map(|document| Position {
            source: part.end.position.source,
            byte_offset: part.byte_offset + u64::from(document.offset),
        })
    })
}
