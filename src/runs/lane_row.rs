//! How far a lane has come: its row in the ledger.

use std::collections::HashSet;

use tokio_postgres::Row;

use super::{LoadCounts, RunError, counts::ROW_COLUMNS};
use crate::{
    input::{Position, Watermark},
    report::RowCounts,
};

/// How far a lane has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneState {
    pub(crate) lane: i32,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) counts: LoadCounts,
    /// Of them, rejections that stand in the ledger from earlier attempts.
    pub(crate) rejected_before: u64,
    /// Whether the ledger has documents that the server refused while the tables were filled.
    pub(crate) has_refused: bool,
    /// Transactions that inserted profiles, as the rows' `xmin` has them.
    pub(crate) own_transactions: HashSet<u32>,
}

impl LaneState {
    /// What the input up to the watermark costs.
    pub(crate) fn cost_bytes(&self) -> u64 {
        self.watermark.as_ref().map_or(0, |watermark| watermark.cost_bytes)
    }

    /// Whether everything before `position` is committed.
    pub(crate) fn has_passed(&self, position: Position) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| position <= watermark.position)
    }

    pub(crate) fn advance(&mut self, watermark: Watermark, counts: LoadCounts, transactions: &[u32]) {
        self.watermark = Some(watermark);
        self.counts.add(counts);
        self.own_transactions.extend(transactions);
    }

    pub(crate) fn of(row: &Row) -> Result<Self, RunError> {
        let lane: i32 = row.get("lane");
        let nonsense = || RunError::Ledger(format!("the row of lane {lane} makes no sense"));
        let count = |column: &str| u64::try_from(row.get::<_, i64>(column)).map_err(|_| nonsense());
        let position: (Option<i32>, Option<i64>) = (row.get("source"), row.get("byte_offset"));
        let watermark = match (position, row.get::<_, Option<String>>("digest")) {
            ((Some(source), Some(byte_offset)), Some(digest)) => {
                let source = usize::try_from(source).map_err(|_| nonsense())?;
                let byte_offset = u64::try_from(byte_offset).map_err(|_| nonsense())?;
                let position = Position { source, byte_offset };
                Some(Watermark { position, digest, cost_bytes: count("cost_bytes")? })
            }
            ((None, None), None) => None,
            _ => return Err(nonsense()),
        };
        let mut rows = [0; 4];
        for (rows, column) in rows.iter_mut().zip(ROW_COLUMNS) {
            *rows = count(column)?;
        }
        let rows = RowCounts::of_tables(rows);
        let counts = LoadCounts {
            inserted: count("inserted")?,
            updated: count("updated")?,
            unchanged: count("unchanged")?,
            skipped: count("skipped")?,
            rejected: count("rejected")?,
            rows,
        };
        let xids: Vec<i64> = row.get("own_transactions");
        let own_transactions: Result<_, _> = xids.into_iter().map(u32::try_from).collect();
        let own_transactions = own_transactions.map_err(|_| nonsense())?;
        let (rejected_before, has_refused) = (counts.rejected, row.get("has_spills"));
        Ok(Self { lane, watermark, counts, rejected_before, has_refused, own_transactions })
    }
}
