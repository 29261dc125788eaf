//! A lane that looks: what is stored under the ids of some documents, and what would become of these.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;

use super::{
    context::ForeseeContext,
    decide::{Decider, Foreseen},
};
use crate::{
    load::{
        contents::{Contents, ID},
        lane::{BatchLimits, LaneEvent, LaneInput, Settled, Stop, wait_after},
    },
    postgres::ErrorClass,
    rows::LanePart,
    runs::{RunError, Verdict, failed},
    session::{Backend, LeasedSession, Pulse, Retries, Uuid},
};

/// Says of each part, in order, what would become of its documents.
pub(crate) async fn run_foreseeing_lane(
    context: Arc<ForeseeContext>,
    input: LaneInput,
    report: impl Fn(LaneEvent) + Send + Sync,
) -> Result<(), RunError> {
    let LaneInput { mut parts, stop, .. } = input;
    let mut lane = Lane {
        retries: Retries::new(context.db_wait),
        decider: Decider::new(context.on_existing, context.profiles_max),
        context: &context,
        stop,
        report: &report,
    };
    while let Some(batch) = next_batch(&mut parts, context.limits).await {
        match lane.stored(&batch).await {
            Ok(Some(stored)) => lane.settle(&batch, &stored),
            stopped => {
                batch.iter().for_each(|part| report(LaneEvent::Settled(Settled::not_loaded(part.chunk))));
                stopped?;
            }
        }
    }
    if context.is_atomic {
        let (answer, is_committed) = oneshot::channel();
        report(LaneEvent::ReadyToCommit(answer));
        match is_committed.await {
            Ok(true) => report(LaneEvent::Committed),
            _ => context.forget(),
        }
    }
    Ok(())
}

/// A batch's worth of parts: ids that are looked up together are in the order of the index, the more the better.
async fn next_batch(parts: &mut mpsc::Receiver<LanePart>, limits: BatchLimits) -> Option<Vec<LanePart>> {
    let (mut batch, mut cost_bytes) = (Vec::new(), 0);
    while cost_bytes < limits.cost_bytes && batch.len() < limits.chunks {
        let Some(part) = parts.recv().await else { break };
        cost_bytes += part.cost_bytes;
        batch.push(part);
    }
    (!batch.is_empty()).then_some(batch)
}

struct Lane<'c, F> {
    context: &'c ForeseeContext,
    decider: Decider,
    retries: Retries,
    stop: Stop,
    report: &'c F,
}

/// Stored profiles by their ids.
type Stored = HashMap<[u8; 16], Row>;

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    /// What is stored under ids of the batch; `None` when the run is to stop.
    async fn stored(&mut self, batch: &[LanePart]) -> Result<Option<Stored>, RunError> {
        if self.stop.is_requested() {
            return Ok(None);
        }
        let documents = batch.iter().flat_map(LanePart::documents);
        let mut ids: Vec<_> = documents.map(|one| one.id).filter(|id| !self.decider.knows(id)).collect();
        // In the order of the index.
        ids.sort_unstable();
        ids.dedup();
        let ids: Vec<_> = ids.into_iter().map(Uuid).collect();
        let Some(sql) = self.context.stored_sql.as_deref().filter(|_| !ids.is_empty()) else {
            return Ok(Some(Stored::new()));
        };
        loop {
            match self.ask(sql, &ids).await {
                Ok(Some(rows)) => {
                    self.retries.went_forward();
                    if let Some(message) = self.context.outage.ends() {
                        (self.report)(LaneEvent::Notice(message));
                    }
                    let of_id = |row: Row| (row.get::<_, Uuid>(ID).0, row);
                    return Ok(Some(rows.into_iter().map(of_id).collect()));
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    let notice = |message| (self.report)(LaneEvent::Notice(message));
                    let Self { context, retries, stop, .. } = self;
                    wait_after(error, retries, stop, &context.outage, context.db_wait, notice).await?;
                    (self.report)(LaneEvent::Retried);
                }
            }
        }
    }

    async fn ask(&self, sql: &str, ids: &[Uuid]) -> Result<Option<Vec<Row>>, RunError> {
        let context = self.context;
        let (pulse, mut stop) = (Pulse::default(), self.stop.clone());
        let mut session = tokio::select! {
            session = context.sessions.lease() => session?,
            () = stop.requested() => return Ok(None),
        };
        let notice = |message| (self.report)(LaneEvent::Notice(message));
        let looked = tokio::select! {
            watched = context.watch.over(&pulse, &notice, look(&mut session, sql, ids, &pulse)) => {
                watched.map_err(RunError::from).flatten()
            }
            // Nothing is lost with it.
            () = stop.requested() => {
                session.close();
                return Ok(None);
            }
        };
        if let Err(error) = &looked {
            session.close();
            if error.class() == ErrorClass::Lost
                && let Some(backend) = pulse.backend()
            {
                context.watch.end_orphan(&backend).await;
            }
        }
        looked.map(Some)
    }

    fn settle(&mut self, batch: &[LanePart], stored: &Stored) {
        let mut foreseen = Foreseen::default();
        let forgotten = self.decider.forgotten();
        for part in batch {
            let mut settled = Settled::not_loaded(part.chunk);
            for (index, document) in part.documents().iter().enumerate() {
                let contents = Contents::of_document(part.row(index));
                let find = || stored.get(&document.id).map(Contents::of_stored);
                let verdict =
                    self.decider.decide(document.id, &contents, find, &mut settled.counts, &mut foreseen);
                if let Verdict::Rejected(fault) = verdict {
                    settled.rejected.push((document.offset, fault));
                }
            }
            (self.report)(LaneEvent::Settled(settled));
        }
        foreseen.forgotten = self.decider.forgotten() - forgotten;
        self.context.add(&foreseen);
    }
}

async fn look(
    session: &mut LeasedSession,
    sql: &str,
    ids: &[Uuid],
    pulse: &Pulse,
) -> Result<Vec<Row>, RunError> {
    let client = session.client();
    let row = client
        .query_one(include_str!("../../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    pulse.set_backend(Backend { pid: row.get("pid"), started: row.get("started") });
    let what = || failed("reading the stored profiles");
    let statement = client.prepare_cached(sql).await.map_err(what())?;
    let rows = client.query(&statement, &[&ids]).await.map_err(what())?;
    pulse.beat();
    Ok(rows)
}
