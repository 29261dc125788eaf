//! What an earlier attempt at the same run had committed, recognised in the input as it is read again.

use tokio::sync::mpsc;

use super::{
    context::LaneEvent,
    lane::{Decided, Lane},
    packs::unpack,
    pending::Pending,
};
use crate::{
    document::Fault,
    input::Position,
    load::merge::OnClash,
    rows::LanePart,
    runs::{RunError, failed, ledger::bigint},
    settings::Strategy,
};

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    /// Waits for a batch's worth of parts, settling those that an earlier attempt had committed; `None` at the end.
    pub(super) async fn next_batch(
        &mut self,
        parts: &mut mpsc::Receiver<LanePart>,
    ) -> Result<Option<Vec<Pending>>, RunError> {
        let (mut batch, mut cost_bytes) = (Vec::new(), 0);
        let limits = self.context.limits;
        while cost_bytes < limits.cost_bytes && batch.len() < limits.chunks {
            let Some(part) = parts.recv().await else { break };
            let pending = self.replay(part).await?;
            if self.state.has_passed(pending.part.end.position) {
                self.settle(&[pending], Decided::NotLoaded);
            } else {
                cost_bytes += pending.part.cost_bytes;
                batch.push(pending);
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    async fn replay(&mut self, part: LanePart) -> Result<Pending, RunError> {
        let mut pending = Pending::whole(part);
        if self.context.strategy == Strategy::Bulk {
            pending.defer_for_copying(&mut self.filter);
        }
        if let Some(watermark) = &self.state.watermark {
            let mark = watermark.position;
            self.replay_committed(&mut pending, mark).await?;
        }
        if self.context.on_clash == OnClash::Defer && self.context.strategy == Strategy::Merge {
            pending.defer_for_merging(&mut self.filter);
        }
        Ok(pending)
    }

    /// Recognises the documents before the watermark.
    async fn replay_committed(&mut self, pending: &mut Pending, mark: Position) -> Result<(), RunError> {
        let part = &pending.part;
        let source = part.end.position.source;
        let is_committed =
            |offset: u32| Position { source, byte_offset: part.byte_offset + u64::from(offset) } < mark;
        let first = part.documents().partition_point(|document| is_committed(document.offset));
        let end = if source == mark.source {
            mark.byte_offset.min(part.end.position.byte_offset)
        } else {
            part.end.position.byte_offset
        };
        let section = Section { source, start: part.byte_offset, end };
        pending.first = first;
        if first > 0 && self.state.rejected_before > 0 {
            let rows = self.ask(include_str!("../../../sql/lanes/rejected.sql"), section).await?;
            pending.rejected = rows.iter().flat_map(|row| section.rejected(row)).collect();
            pending.rejected.sort_unstable_by_key(|(offset, _)| *offset);
            let index_of =
                |offset| pending.part.documents().binary_search_by_key(offset, |document| document.offset);
            if pending.rejected.iter().any(|(offset, _)| index_of(offset).is_err()) {
                return Err(RunError::Ledger(
                    "it has a document as rejected that is not accepted any more".to_owned(),
                ));
            }
        }
        if first > 0 && self.state.has_refused {
            let rows = self.ask(include_str!("../../../sql/lanes/spilled.sql"), section).await?;
            let offsets: Vec<_> = rows.iter().map(|row| section.offset_of(row.get("byte_offset"))).collect();
            pending.add_deferred(&offsets)?;
        }
        let uncommitted = pending.rejected.len() + pending.deferred_before().count();
        let committed = first.checked_sub(uncommitted).ok_or_else(|| {
            RunError::Ledger(format!("it has more rejections of lane {} than documents", self.state.lane))
        })?;
        pending.replayed = u64::try_from(committed).expect("a length has 64 bits");
        Ok(())
    }

    /// What the ledger keeps of an earlier attempt about a section of the input.
    async fn ask(
        &mut self,
        sql: &'static str,
        section: Section,
    ) -> Result<Vec<tokio_postgres::Row>, RunError> {
        loop {
            match self.ask_once(sql, section).await {
                Ok(rows) => {
                    self.went_forward();
                    return Ok(rows);
                }
                Err(error) => self.wait_after(error).await?,
            }
        }
    }

    async fn ask_once(
        &self,
        sql: &'static str,
        section: Section,
    ) -> Result<Vec<tokio_postgres::Row>, RunError> {
        let mut session = self.context.sessions.lease().await?;
        let (run_id, lane) = (self.context.run_id, self.state.lane);
        let source = i32::try_from(section.source).expect("few sources");
        let (start, end) = (bigint(section.start), bigint(section.end));
        let rows = session.client().query(sql, &[&run_id, &lane, &source, &start, &end]).await;
        rows.map_err(|source| {
            session.close();
            failed("reading what an earlier attempt had put aside")(source)
        })
    }
}

/// A part of a source: a chunk, or as much of it as is committed.
#[derive(Debug, Clone, Copy)]
struct Section {
    source: usize,
    start: u64,
    end: u64,
}

impl Section {
    /// The line offset in the chunk.
    fn offset_of(self, byte_offset: i64) -> u32 {
        u32::try_from(bigint(self.start).abs_diff(byte_offset)).expect("an offset in a chunk")
    }

    /// The documents of a row of the ledger that stand in it.
    fn rejected(self, row: &tokio_postgres::Row) -> Vec<(u32, Fault)> {
        let (offsets, words) = unpack(row.get("byte_offset"), row.get("message"));
        let is_inside = |offset: &i64| (bigint(self.start)..bigint(self.end)).contains(offset);
        let fault = Fault::of_document(row.get::<_, String>("code"), words.to_owned());
        offsets.into_iter().filter(is_inside).map(|offset| (self.offset_of(offset), fault.clone())).collect()
    }
}
