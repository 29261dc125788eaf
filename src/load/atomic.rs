//! `--atomic`: the whole load in one transaction of one lane, committed only when the whole run has gone well.
//!
//! A crash leaves nothing of it. What is told as settled on the way is so only once the collector has said
//! that everything is well and COMMIT was answered.

use tokio::sync::{mpsc, oneshot};

use super::{
    LaneEvent, LoadError,
    attempt::refused,
    batch::{Batch, documents_from},
    connections::Session,
    lane::{Lane, after_failure, give_up},
    merge::{MergeError, Own},
    replay::Pending,
    run::LaneState,
    transaction::{Done, LaneTransaction, Row},
    watch::Pulse,
};
use crate::{failpoint, rows::LanePart};

/// How the one transaction ended.
enum Outcome {
    Committed,
    /// On purpose.
    RolledBack,
    /// COMMIT was sent and not answered.
    Unanswered(LoadError),
}

pub(super) async fn run<F>(
    mut lane: Lane<'_, F>,
    mut parts: mpsc::Receiver<LanePart>,
) -> Result<(), LoadError>
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
    let outcome = tokio::select! {
        outcome = transact(&mut lane, &mut session, &pulse, first, &mut parts) => outcome,
        () = stop.expired() => {
            give_up(lane.context, session, &pulse).await;
            return Ok(());
        }
    };
    match outcome {
        Ok(Outcome::RolledBack) => Ok(()),
        Ok(Outcome::Committed) => {
            (lane.tell)(LaneEvent::Committed);
            Ok(())
        }
        Ok(Outcome::Unanswered(error)) => {
            let error = after_failure(lane.context, session, &pulse, &lane.stop, error).await;
            settle_commit(&mut lane, &before, error).await
        }
        Err(error) => Err(after_failure(lane.context, session, &pulse, &lane.stop, error).await),
    }
}

/// Before anything was sent, a server that is gone can be waited for.
async fn connect<F>(lane: &mut Lane<'_, F>) -> Result<Session, LoadError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    loop {
        match lane.context.connections.get().await {
            Ok(session) => {
                lane.went_forward();
                return Ok(session);
            }
            Err(error) => lane.wait_after(error).await?,
        }
    }
}

async fn transact<F>(
    lane: &mut Lane<'_, F>,
    session: &mut Session,
    pulse: &Pulse,
    first: Vec<Pending>,
    parts: &mut mpsc::Receiver<LanePart>,
) -> Result<Outcome, LoadError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let (context, tell) = (lane.context, lane.tell);
    let notice = |words| tell(LaneEvent::Notice(words));
    let begin = LaneTransaction::begin(session.client(), context, &lane.state, None, pulse);
    let (mut transaction, row) = context.watch.over(pulse, &notice, begin).await??;
    assert_eq!(row, Row::AsLeft, "nothing was sent that could have been committed");
    let mut next = Some(first);
    while let Some(pending) = next {
        if lane.stop.is_asked() {
            skip_rest(lane, &pending, parts).await?;
            break;
        }
        let load = load(lane, &mut transaction, &pending);
        match context.watch.over(pulse, &notice, load).await? {
            Ok((done, new)) => {
                lane.settle(&pending, Some(&done));
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
        return Ok(Outcome::RolledBack);
    }
    failpoint("atomic-answered");
    match context.watch.over(pulse, &notice, transaction.commit()).await.flatten() {
        Ok(()) => Ok(Outcome::Committed),
        Err(error) => Ok(Outcome::Unanswered(error)),
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
    let documents = pending.iter().flat_map(|pending| documents_from(&pending.part, pending.first));
    let batch = Batch::new(documents.collect());
    let mut own = Own::new(&lane.state.own_transactions, false);
    let done = transaction.load(&batch, &mut own, &lane.stop).await?;
    let mut counts = lane.state.counts;
    counts.add(done.counts);
    let new = own.into_new();
    let end = &pending.last().expect("a batch has a part").part.end;
    let refused = refused(pending, &done.verdicts);
    transaction.record(lane.state.lane, end, &counts, &refused, &new).await?;
    drop(refused);
    Ok((done, new))
}

/// Tells of this batch and of all that comes after it without loading any of it.
async fn skip_rest<F>(
    lane: &mut Lane<'_, F>,
    pending: &[Pending],
    parts: &mut mpsc::Receiver<LanePart>,
) -> Result<(), LoadError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    lane.settle(pending, None);
    while let Some(batch) = lane.next_batch(parts).await? {
        lane.settle(&batch, None);
    }
    Ok(())
}

/// Whether all is well with the run and what was loaded is to stand.
async fn answer<F>(lane: &Lane<'_, F>) -> bool
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let (question, answer) = oneshot::channel();
    (lane.tell)(LaneEvent::ReadyToCommit(question));
    answer.await.unwrap_or(false)
}

/// Finds out whether the unanswered COMMIT was done: the lane's row says so. `before` is how the lane began.
async fn settle_commit<F>(
    lane: &mut Lane<'_, F>,
    before: &LaneState,
    unanswered: LoadError,
) -> Result<(), LoadError>
where
    F: Fn(LaneEvent) + Send + Sync,
{
    let next = lane.state.watermark.as_ref().map(|watermark| watermark.position);
    loop {
        let mut session = connect(lane).await?;
        let pulse = Pulse::default();
        let client = session.client();
        let row = match LaneTransaction::begin(client, lane.context, before, next, &pulse).await {
            Ok((transaction, row)) => transaction.roll_back().await.map(|()| row),
            Err(error) => Err(error),
        };
        let error = match row {
            Ok(Row::Committed) => {
                (lane.tell)(LaneEvent::Committed);
                return Ok(());
            }
            Ok(Row::AsLeft) => return Err(unanswered),
            Err(error) => error,
        };
        let error = after_failure(lane.context, session, &pulse, &lane.stop, error).await;
        lane.wait_after(error).await?;
    }
}
