//! What an earlier attempt at the same run had settled, recognised in the input as it comes by again.

use super::{LaneEvent, LoadError, failed, lane::Lane, transaction::bigint};
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
}

impl<F: Fn(LaneEvent) + Send + Sync> Lane<'_, F> {
    pub(super) async fn replay(&mut self, part: LanePart) -> Result<Pending, LoadError> {
        let Some(watermark) = &self.state.watermark else {
            return Ok(Pending { part, first: 0, replayed: 0, rejected: Vec::new() });
        };
        let mark = watermark.position;
        let source = part.end.position.source;
        let is_settled =
            |offset: u32| Position { source, byte_offset: part.byte_offset + u64::from(offset) } < mark;
        let first = part.documents().partition_point(|document| is_settled(document.offset));
        let rejected = if first == 0 || self.state.rejected_before == 0 {
            Vec::new()
        } else {
            let end = if source == mark.source {
                mark.byte_offset.min(part.end.position.byte_offset)
            } else {
                part.end.position.byte_offset
            };
            self.rejected_between(source, part.byte_offset, end).await?
        };
        let settled = first.checked_sub(rejected.len()).ok_or_else(|| {
            LoadError::Ledger(format!("it has more rejections of lane {} than documents", self.state.lane))
        })?;
        let replayed = u64::try_from(settled).expect("a length has 64 bits");
        Ok(Pending { part, first, replayed, rejected })
    }

    /// The rejections that the ledger keeps of a chunk that starts at `start`.
    async fn rejected_between(
        &mut self,
        source: usize,
        start: u64,
        end: u64,
    ) -> Result<Vec<(u32, Fault)>, LoadError> {
        loop {
            match self.ask_rejected(source, start, end).await {
                Ok(rejected) => {
                    self.went_forward();
                    return Ok(rejected);
                }
                Err(error) => self.wait_after(error).await?,
            }
        }
    }

    async fn ask_rejected(
        &self,
        source: usize,
        start: u64,
        end: u64,
    ) -> Result<Vec<(u32, Fault)>, LoadError> {
        let mut session = self.context.connections.get().await?;
        let (run_id, lane) = (self.context.run_id, self.state.lane);
        let source = i32::try_from(source).expect("few sources");
        let rows = session
            .client()
            .query(
                include_str!("../../sql/lanes/rejected.sql"),
                &[&run_id, &lane, &source, &bigint(start), &bigint(end)],
            )
            .await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(source) => {
                session.close();
                return Err(failed("reading the rejections of an earlier attempt")(source));
            }
        };
        let rejection = |row: &tokio_postgres::Row| {
            let offset = bigint(start).abs_diff(row.get("byte_offset"));
            let offset = u32::try_from(offset).expect("an offset in a chunk");
            let (code, message): (String, String) = (row.get("code"), row.get("message"));
            (offset, Fault::of_document(code, message))
        };
        Ok(rows.iter().map(rejection).collect())
    }
}
