//! `--atomic`: the whole load in one transaction of one lane, committed only when the whole run has gone well.
//!
//! A crash leaves nothing of it. What is reported on the way stands only once the
//! collector has said that everything is well and COMMIT was answered.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::{
    context::LaneEvent,
    lane::{Decided, Lane},
    pending::Pending,
    refused::rejected,
    transaction::{Done, LaneRow, LaneTransaction},
};
use crate::{
    failpoint,
    load::merge::{Batch, MergeError, OwnTransactions, documents_from},
    rows::LanePart,
    runs::{LaneState, RunError},
    session::{LeasedSession, Pulse},
};

/// How the one transaction ended.
enum AtomicEnd {
    Committed,
    /// On purpose.
    RolledBack,
    /// COMMIT was sent and not answered.
    Unanswered(RunError),
}

pub(crate) async fn run<F>(mut lane: Lane<'_, F>, mut parts: mpsc::Receiver<LanePart>) -> Result<(), RunError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let Some(first) = lane.next_batch(&mut parts).await? else {
        answer(&lane).await;
        return Ok(());
    };
    if !lane.may_begin().await {
        return skip_rest(&mut lane, &first, &mut parts).await;
    }
    let before = lane.state.clone();
    let mut session = connect(&mut lane).await?;
    let pulse = Pulse::default();
    let mut stop = lane.stop.clone();
    let has_sent_commit = AtomicBool::new(false);
    let end = tokio::select! {
        end = transact(&mut lane, &mut session, &pulse, first, &mut parts, &has_sent_commit) => end,
        () = stop.expired() => {
            lane.cancel(session, &pulse).await;
            if has_sent_commit.load(Ordering::Relaxed) {
                (lane.report)(LaneEvent::CommitUnknown);
            }
            return Ok(());
        }
    };
    match end {
        Ok(AtomicEnd::RolledBack) => Ok(()),
        Ok(AtomicEnd::Committed) => {
            (lane.report)(LaneEvent::Committed);
            Ok(())
        }
        Ok(AtomicEnd::Unanswered(error)) => {
            let error = lane.after_failure(session, &pulse, error).await;
            let settled = settle_commit(&mut lane, &before, error).await;
            if let Err((error, is_known)) = settled {
                if !is_known {
                    (lane.report)(LaneEvent::CommitUnknown);
                }
                return Err(error);
            }
            Ok(())
        }
        Err(error) => Err(lane.after_failure(session, &pulse, error).await),
    }
}

/// Before anything was sent, a server that is gone can be waited for.
async fn connect<F>(lane: &mut Lane<'_, F>) -> Result<LeasedSession, RunError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    loop {
        match lane.context.sessions.lease().await {
            Ok(session) => {
                lane.went_forward();
                return Ok(session);
            }
            Err(error) => lane.wait_after(error.into()).await?,
        }
    }
}

async fn transact<F>(
    lane: &mut Lane<'_, F>,
    session: &mut LeasedSession,
    pulse: &Pulse,
    first: Vec<Pending>,
    parts: &mut mpsc::Receiver<LanePart>,
    has_sent_commit: &AtomicBool,
) -> Result<AtomicEnd, RunError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let (context, report) = (lane.context, lane.report);
    let notice = |message| report(LaneEvent::Notice(message));
    let begin = LaneTransaction::begin(session.client(), context, &lane.state, None, pulse);
    let (mut transaction, row) = context.watch.over(pulse, &notice, begin).await??;
    assert_eq!(row, LaneRow::AsLeft, "nothing was sent that could have been committed");
    let mut next = Some(first);
    while let Some(pending) = next {
        if lane.stop.is_requested() {
            skip_rest(lane, &pending, parts).await?;
            break;
        }
        let load = load(lane, &mut transaction, &pending);
        match context.watch.over(pulse, &notice, load).await? {
            Ok((done, new)) => {
                lane.settle(&pending, Decided::Done(&done));
                let end = pending.last().expect("a batch has a part").part.end.clone();
                lane.state.advance(end, done.counts, &new);
            }
            Err(MergeError::Stopped) => {
                skip_rest(lane, &pending, parts).await?;
                break;
            }
            Err(MergeError::Failed(error)) => return Err(error),
            Err(MergeError::LeftOut) => unreachable!("such a document is rejected"),
        }
        next = lane.next_batch(parts).await?;
    }
    if !answer(lane).await {
        transaction.roll_back().await?;
        return Ok(AtomicEnd::RolledBack);
    }
    failpoint("atomic-answered");
    has_sent_commit.store(true, Ordering::Relaxed);
    match context.watch.over(pulse, &notice, transaction.commit()).await.map_err(RunError::from).flatten() {
        Ok(()) => Ok(AtomicEnd::Committed),
        Err(error) => Ok(AtomicEnd::Unanswered(error)),
    }
}

async fn load<F>(
    lane: &Lane<'_, F>,
    transaction: &mut LaneTransaction<'_>,
    pending: &[Pending],
) -> Result<(Done, Vec<u32>), MergeError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let documents = pending.iter().flat_map(|one| documents_from(&one.part, one.first, &one.deferred));
    let batch = Batch::new(documents.collect());
    let mut own = OwnTransactions::new(&lane.state.own_transactions, false);
    let done = transaction.load(&batch, &mut own, &lane.stop).await?;
    let mut counts = lane.state.counts;
    counts.add(done.counts);
    let new = own.into_new();
    let end = &pending.last().expect("a batch has a part").part.end;
    let refused = rejected(pending, &done.verdicts);
    transaction.record(lane.state.lane, end, &counts, &refused, &new).await?;
    drop(refused);
    Ok((done, new))
}

/// Tells of this batch and of all that comes after it without loading any of it.
async fn skip_rest<F>(
    lane: &mut Lane<'_, F>,
    pending: &[Pending],
    parts: &mut mpsc::Receiver<LanePart>,
) -> Result<(), RunError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    lane.settle(pending, Decided::NotLoaded);
    while let Some(batch) = lane.next_batch(parts).await? {
        lane.settle(&batch, Decided::NotLoaded);
    }
    Ok(())
}

/// Whether all is well with the run and what was loaded is to stand.
async fn answer<F>(lane: &Lane<'_, F>) -> bool
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let (question, answer) = oneshot::channel();
    (lane.report)(LaneEvent::ReadyToCommit(question));
    answer.await.unwrap_or(false)
}

/// Finds out whether the unanswered COMMIT was done: the lane's row says so. `before` is how the lane began. With an
/// error comes whether it is known that nothing was committed.
async fn settle_commit<F>(
    lane: &mut Lane<'_, F>,
    before: &LaneState,
    unanswered: RunError,
) -> Result<(), (RunError, bool)>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let next = lane.state.watermark.as_ref().map(|watermark| watermark.position);
    loop {
        let mut session = connect(lane).await.map_err(|error| (error, false))?;
        let pulse = Pulse::default();
        let client = session.client();
        let row = match LaneTransaction::begin(client, lane.context, before, next, &pulse).await {
            Ok((transaction, row)) => transaction.roll_back().await.map(|()| row),
            Err(error) => Err(error),
        };
        let error = match row {
            Ok(LaneRow::Committed) => {
                (lane.report)(LaneEvent::Committed);
                return Ok(());
            }
            Ok(LaneRow::AsLeft) => return Err((unanswered, true)),
            Err(error) => error,
        };
        let error = lane.after_failure(session, &pulse, error).await;
        lane.wait_after(error).await.map_err(|error| (error, false))?;
    }
}
