//! A lane: its documents in input order, a batch a transaction, and the search for the one document that the
//! server refuses.
//!
//! A document is settled when the transaction is committed that wrote it or left it alone; what is not
//! settled is not in the tables.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    LoadCounts, LoadError, Session, Verdict,
    batch::{self, BatchDocument},
    merge::{MergeError, merge},
    refusal,
};
use crate::{document::Fault, rows::LanePart, settings::OnExisting};

/// When a batch is loaded. Both count what the input held, not this lane's share of it, so that all lanes
/// commit at about the same pace and a bounded window of the input is enough for all of them.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    pub cost_bytes: usize,
    pub chunks: usize,
}

/// One chunk's documents of one lane, all decided and committed.
#[derive(Debug)]
pub struct Settled {
    pub chunk: u64,
    pub counts: LoadCounts,
    /// Line offsets in the chunk, rising, of the documents that only the server could refuse.
    pub rejected: Vec<(u32, Fault)>,
}

/// Loads parts until there are no more; tells of each, in order, once it is committed. After `stop` it
/// finishes its transaction and tells of the rest without having loaded it.
pub async fn run_lane(
    mut session: Session,
    on_existing: OnExisting,
    limits: BatchLimits,
    mut parts: mpsc::Receiver<LanePart>,
    stop: Arc<AtomicBool>,
    settle: impl Fn(Settled),
) -> Result<(), LoadError> {
    let mut batch = Vec::new();
    let mut cost_bytes = 0;
    while let Some(part) = parts.recv().await {
        cost_bytes += part.cost_bytes;
        batch.push(part);
        if cost_bytes >= limits.cost_bytes || batch.len() >= limits.chunks {
            load_batch(&mut session, on_existing, &batch, &stop, &settle).await?;
            batch.clear();
            cost_bytes = 0;
        }
    }
    load_batch(&mut session, on_existing, &batch, &stop, &settle).await
}

async fn load_batch(
    session: &mut Session,
    on_existing: OnExisting,
    parts: &[LanePart],
    stop: &AtomicBool,
    settle: &impl Fn(Settled),
) -> Result<(), LoadError> {
    let documents = batch::documents(parts);
    let mut verdicts = Vec::with_capacity(documents.len());
    let mut counts = LoadCounts::default();
    let result = load_documents(session, on_existing, &documents, stop, &mut verdicts, &mut counts).await;
    // What was committed before a failure or a stop counts; the documents after it have no verdict.
    let mut verdicts = verdicts.into_iter();
    for part in parts {
        // The rows of the batch are counted with its first part.
        let mut settled =
            Settled { chunk: part.chunk, counts: std::mem::take(&mut counts), rejected: Vec::new() };
        for (document, verdict) in part.documents().iter().zip(&mut verdicts) {
            settled.counts.count(&verdict);
            if let Verdict::Rejected(fault) = verdict {
                settled.rejected.push((document.offset, fault));
            }
        }
        settle(settled);
    }
    result
}

/// How often a transaction is done again that a deadlock with another session ended.
const CONFLICTS_MAX: u32 = 10;

/// How often a document is tried again whose rows did not all arrive: another session may have changed some of
/// them in between, which does not happen twice.
const LEFT_OUT_MAX: u32 = 2;

/// In one transaction, or, where the server refuses a document, in the halves of the halves around it.
/// `verdicts` are those of the first documents, as far as it came.
async fn load_documents(
    session: &mut Session,
    on_existing: OnExisting,
    documents: &[BatchDocument<'_>],
    stop: &AtomicBool,
    verdicts: &mut Vec<Verdict>,
    counts: &mut LoadCounts,
) -> Result<(), LoadError> {
    let mut todo = Vec::from([Range { start: 0, end: documents.len() }]);
    let mut conflicts = 0;
    while let Some(range) = todo.pop() {
        if range.is_empty() || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let fault = match merge(session, &documents[range.clone()], on_existing, stop).await {
            Ok(merged) => {
                verdicts.extend(merged.verdicts);
                counts.rows.add(merged.rows);
                conflicts = 0;
                continue;
            }
            Err(MergeError::Failed(error))
                if refusal::is_conflict(&error.source) && conflicts < CONFLICTS_MAX =>
            {
                conflicts += 1;
                todo.push(range);
                continue;
            }
            Err(MergeError::LeftOut) if range.len() == 1 && conflicts < LEFT_OUT_MAX => {
                conflicts += 1;
                todo.push(range);
                continue;
            }
            Err(MergeError::Failed(error)) => match refusal::of_a_document(&error.source) {
                Some(refused) => refusal::fault(refused),
                None => return Err(error),
            },
            Err(MergeError::Stopped) => return Ok(()),
            Err(MergeError::LeftOut) => refusal::suppressed(),
        };
        conflicts = 0;
        if range.len() == 1 {
            verdicts.push(Verdict::Rejected(fault));
        } else {
            let middle = range.start + range.len() / 2;
            todo.push(middle..range.end);
            todo.push(range.start..middle);
        }
    }
    Ok(())
}
