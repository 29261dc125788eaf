//! What an earlier attempt at the same run had settled, recognised in the input as it comes by again.

use bytes::Bytes;

use super::{LaneEvent, LoadError, bulk::SeenIds, failed, lane::Lane, transaction::bigint};
use crate::{document::Fault, input::Position, rows::LanePart};

/// A part, of which the documents from `first` on are still to be loaded.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) part: LanePart,
    pub(super) first: usize,
    /// Documents before `first` that are settled and counted in the ledger.
    pub(super) replayed: u64,
    /// Those before `first` that the server had refused: line offset in the chunk, rising.
    pub(super) rejected: Vec<(u32, Fault)>,
    /// Of a bulk load.
    pub(super) bulk: Option<PendingBulk>,
}

/// What a bulk load knows of a part besides.
#[derive(Debug)]
pub(super) struct PendingBulk {
    /// The rows, a buffer a table.
    pub(super) tables: [Bytes; 4],
    /// Indices, rising, of the documents that go to the spill.
    spilled: Vec<usize>,
}

impl PendingBulk {
    /// Documents go to the spill whose id may have come before, and those that an owner's index may not hold.
    fn of(part: &mut LanePart, seen: &mut SeenIds) -> Self {
        let tables = part.take_table_rows().0.map(Bytes::from);
        let mut spilled = Vec::new();
        for (index, document) in part.documents().iter().enumerate() {
            // In any case, so that whatever comes after it with the same id follows it.
            if seen.meet(&document.id) || document.has_long_row {
                spilled.push(index);
            }
        }
        Self { tables, spilled }
    }

    pub(super) fn is_spilled(&self, index: usize) -> bool {
        self.spilled.binary_search(&index).is_ok()
    }

    /// Adds documents that the server had refused, by the line offsets in the chunk.
    fn add(&mut self, part: &LanePart, offsets: &[u32]) -> Result<(), LoadError> {
        for offset in offsets {
            let index = part.documents().binary_search_by_key(offset, |document| document.offset);
            let index = index.map_err(|_| {
                LoadError::Ledger("it has a document as put off that is not accepted any more".to_owned())
            })?;
            if let Err(at) = self.spilled.binary_search(&index) {
                self.spilled.insert(at, index);
            }
        }
        Ok(())
    }
}

impl Pending {
    /// Line offsets in the chunk, rising, of the documents before `first` that go to the spill.
    pub(super) fn spilled_before(&self) -> impl Iterator<Item = u32> {
        let spilled = self.bulk.as_ref().map_or(&[][..], |bulk| &bulk.spilled);
        let settled = spilled.iter().take_while(|index| **index < self.first);
        settled.map(|&index| self.part.documents()[index].offset)
    }
}

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    pub(super) async fn replay(&mut self, mut part: LanePart) -> Result<Pending, LoadError> {
        let bulk = self.seen.as_mut().map(|seen| PendingBulk::of(&mut part, seen));
        let Some(watermark) = &self.state.watermark else {
            return Ok(Pending { part, first: 0, replayed: 0, rejected: Vec::new(), bulk });
        };
        let mark = watermark.position;
        let source = part.end.position.source;
        let is_settled =
            |offset: u32| Position { source, byte_offset: part.byte_offset + u64::from(offset) } < mark;
        let first = part.documents().partition_point(|document| is_settled(document.offset));
        let end = if source == mark.source {
            mark.byte_offset.min(part.end.position.byte_offset)
        } else {
            part.end.position.byte_offset
        };
        let stretch = Stretch { source, start: part.byte_offset, end };
        let mut pending = Pending { part, first, replayed: 0, rejected: Vec::new(), bulk };
        if first > 0 && self.state.rejected_before > 0 {
            let rows = self.ask(include_str!("../../sql/lanes/rejected.sql"), stretch).await?;
            pending.rejected = rows.iter().map(|row| (stretch.offset_of(row), fault_of(row))).collect();
        }
        if first > 0 && self.state.has_spills {
            let rows = self.ask(include_str!("../../sql/lanes/spilled.sql"), stretch).await?;
            let offsets: Vec<_> = rows.iter().map(|row| stretch.offset_of(row)).collect();
            if let Some(bulk) = &mut pending.bulk {
                bulk.add(&pending.part, &offsets)?;
            }
        }
        let unsettled = pending.rejected.len() + pending.spilled_before().count();
        let settled = first.checked_sub(unsettled).ok_or_else(|| {
            LoadError::Ledger(format!("it has more rejections of lane {} than documents", self.state.lane))
        })?;
        pending.replayed = u64::try_from(settled).expect("a length has 64 bits");
        Ok(pending)
    }

    /// What the ledger keeps of an earlier attempt about a stretch of the input.
    async fn ask(
        &mut self,
        sql: &'static str,
        stretch: Stretch,
    ) -> Result<Vec<tokio_postgres::Row>, LoadError> {
        loop {
            match self.ask_once(sql, stretch).await {
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
        stretch: Stretch,
    ) -> Result<Vec<tokio_postgres::Row>, LoadError> {
        let mut session = self.context.connections.get().await?;
        let (run_id, lane) = (self.context.run_id, self.state.lane);
        let source = i32::try_from(stretch.source).expect("few sources");
        let (start, end) = (bigint(stretch.start), bigint(stretch.end));
        let rows = session.client().query(sql, &[&run_id, &lane, &source, &start, &end]).await;
        rows.map_err(|source| {
            session.close();
            failed("reading what an earlier attempt had put aside")(source)
        })
    }
}

/// A part of a source: a chunk, or as much of it as is settled.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    source: usize,
    start: u64,
    end: u64,
}

impl Stretch {
    /// The line offset in the chunk.
    fn offset_of(self, row: &tokio_postgres::Row) -> u32 {
        let offset = bigint(self.start).abs_diff(row.get("byte_offset"));
        u32::try_from(offset).expect("an offset in a chunk")
    }
}

fn fault_of(row: &tokio_postgres::Row) -> Fault {
    let (code, message): (String, String) = (row.get("code"), row.get("message"));
    Fault::of_document(code, message)
}
