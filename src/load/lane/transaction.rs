//! A lane's transaction: holds the lane's row in the ledger, stages and merges documents, moves the watermark.
//!
//! A crash, at any moment, leaves either all of it or nothing: rows of the four tables, watermark, counters,
//! rejections. When the answer to COMMIT is lost, the lane's row tells which.

use std::cmp::Ordering;

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{context::LaneContext, packs::RefusedColumns, stop::Stop};
use crate::{
    failpoint,
    input::{Position, Watermark},
    load::{
        bulk::{BulkBatch, BulkCopy, FirstIds},
        merge::{Batch, BatchDocument, Merge, MergeError, Merged, OwnTransactions, Rules, stage},
    },
    migrate,
    runs::{LaneState, LoadCounts, RunError, Verdict, failed, ledger::bigint},
    session::{Backend, Client, Pulse},
};

/// A transaction of one lane, begun.
pub(crate) struct LaneTransaction<'c> {
    transaction: Transaction<'c>,
    context: &'c LaneContext,
    pulse: &'c Pulse,
    has_staged: bool,
}

/// What a batch adds to a lane's state.
#[derive(Debug)]
pub(crate) struct Done {
    /// One for each document of the batch, in order.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) counts: LoadCounts,
}

/// Where the lane's row stands as a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneRow {
    AsLeft,
    /// A transaction whose answer was lost had been committed.
    Committed,
}

/// A server's refusal that the position of a document goes with.
pub(crate) struct Refused<'a> {
    pub(crate) position: Position,
    pub(crate) verdict: &'a Verdict,
}

impl<'c> LaneTransaction<'c> {
    /// Begins, and holds the lane's row. `next` is where the watermark will be after this transaction.
    pub(crate) async fn begin(
        client: &'c mut Client,
        context: &'c LaneContext,
        state: &LaneState,
        next: Option<Position>,
        pulse: &'c Pulse,
    ) -> Result<(Self, LaneRow), RunError> {
        identify(client, pulse).await?;
        let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
        let this = Self { transaction, context, pulse, has_staged: false };
        let row = this.hold(state, next).await?;
        if let Some(confirmed) = &context.confirmed {
            confirmed.refuse_behind_at_end(&*this.transaction).await?;
            pulse.beat();
        }
        Ok((this, row))
    }

    async fn hold(&self, state: &LaneState, next: Option<Position>) -> Result<LaneRow, RunError> {
        let run_id = self.context.run_id;
        let found = self
            .transaction
            .query_opt(include_str!("../../../sql/lanes/hold.sql"), &[&run_id, &state.lane])
            .await
            .map_err(failed("reading the lane's row in the ledger"))?;
        self.pulse.beat();
        let behind = |what| RunError::Behind { what };
        let found = found.ok_or_else(|| behind(format!("run {run_id}")))?;
        match found.get::<_, i32>("attempt").cmp(&self.context.attempt) {
            Ordering::Less => return Err(behind(format!("this attempt at run {run_id}"))),
            Ordering::Equal => {}
            Ordering::Greater => return Err(RunError::TakenOver { run_id }),
        }
        let (source, byte_offset): (Option<i32>, Option<i64>) =
            (found.get("source"), found.get("byte_offset"));
        let position = source.zip(byte_offset).map(|(source, byte_offset)| {
            let source = usize::try_from(source).unwrap_or(usize::MAX);
            Position { source, byte_offset: u64::try_from(byte_offset).unwrap_or(u64::MAX) }
        });
        let left = state.watermark.as_ref().map(|watermark| watermark.position);
        if position == left {
            Ok(LaneRow::AsLeft)
        } else if position < left {
            Err(behind(format!("documents that lane {} of run {run_id} has loaded", state.lane)))
        } else if next.is_some() && position == next {
            Ok(LaneRow::Committed)
        } else {
            let lane = state.lane;
            Err(RunError::Ledger(format!(
                "the watermark of lane {lane} of run {run_id} was moved by another"
            )))
        }
    }

    /// Stages and merges a batch.
    pub(crate) async fn load(
        &mut self,
        batch: &Batch<'_>,
        own: &mut OwnTransactions<'_>,
        stop: &Stop,
    ) -> Result<Done, MergeError> {
        let Merged { verdicts, rows } = if batch.originals.is_empty() {
            Merged::default()
        } else {
            self.stage(&batch.originals).await?;
            failpoint("lane-staged");
            let rules = Rules::read(&self.transaction, &self.context.db_schema).await?;
            self.pulse.beat();
            let mut merge = Merge {
                transaction: &self.transaction,
                sql: &self.context.sql,
                db_schema: &self.context.db_schema,
                on_clash: self.context.on_clash,
                rules,
                skips_replaced: rules.are_none(),
                on_existing: self.context.on_existing,
                own,
                is_stopping: &|| stop.is_requested(),
                pulse: self.pulse,
                staged: batch.originals.len(),
            };
            merge.documents(&batch.originals).await?
        };
        failpoint("lane-merged");
        self.refuse_drift(&verdicts).await?;
        let verdicts = batch.verdicts_of_all(verdicts);
        let mut counts = LoadCounts { rows, ..LoadCounts::default() };
        verdicts.iter().for_each(|verdict| counts.count(verdict));
        Ok(Done { verdicts, counts })
    }

    /// Copies a batch straight into the tables, with ids from blocks where there are some.
    pub(crate) async fn copy(
        &mut self,
        batch: &BulkBatch<'_>,
        ids: FirstIds,
        stop: &Stop,
    ) -> Result<Done, MergeError> {
        let copy = BulkCopy {
            transaction: &self.transaction,
            sql: &self.context.copy_sql,
            db_schema: &self.context.db_schema,
            batch,
            ids,
            has_refused: &self.context.has_refused,
            is_stopping: &|| stop.is_requested(),
            pulse: self.pulse,
        };
        let (verdicts, rows) = copy.documents().await?;
        self.refuse_drift(&verdicts).await?;
        let mut counts = LoadCounts { rows, ..LoadCounts::default() };
        verdicts.iter().for_each(|verdict| counts.count(verdict));
        failpoint("bulk-copied");
        Ok(Done { verdicts, counts })
    }

    /// Where the server refused documents, it may be for tables that somebody has changed meanwhile, which is not the
    /// documents' fault.
    async fn refuse_drift(&self, verdicts: &[Verdict]) -> Result<(), RunError> {
        let is_refused = |verdict: &Verdict| match verdict {
            Verdict::Rejected(fault) => fault.code.starts_with("db:"),
            Verdict::Deferred { by_server } => *by_server,
            _ => false,
        };
        if !verdicts.iter().any(is_refused) {
            return Ok(());
        }
        let what = "reading what the tables are like";
        // Looking changes the search path, which somebody's triggers may need.
        self.transaction.batch_execute("SAVEPOINT looked").await.map_err(failed(what))?;
        let drift = migrate::drift(&self.transaction, &self.context.db_schema).await.map_err(failed(what))?;
        let back = "ROLLBACK TO SAVEPOINT looked; RELEASE SAVEPOINT looked";
        self.transaction.batch_execute(back).await.map_err(failed(what))?;
        self.pulse.beat();
        drift.map_or(Ok(()), |differences| Err(RunError::Drift { differences }))
    }

    /// COPY in the order of the ids, which is the order that the indexes like.
    async fn stage(&mut self, documents: &[BatchDocument<'_>]) -> Result<(), RunError> {
        if std::mem::replace(&mut self.has_staged, true) {
            let empty = "TRUNCATE pg_temp.profile_loader_staged";
            self.transaction.batch_execute(empty).await.map_err(failed("emptying the staging table"))?;
        }
        let mut documents: Vec<_> = documents.iter().collect();
        documents.sort_unstable_by_key(|document| (document.id, document.seq));
        stage(&self.transaction, documents.iter().map(|document| document.row.0), self.pulse).await
    }

    /// Writes down what the lane will have done once this is committed.
    pub(crate) async fn record(
        &self,
        lane: i32,
        watermark: &Watermark,
        counts: &LoadCounts,
        refused: &[Refused<'_>],
        new_transactions: &[u32],
    ) -> Result<(), RunError> {
        let run_id = self.context.run_id;
        if !refused.is_empty() {
            let rows = RefusedColumns::of(refused);
            let parameters: [&(dyn ToSql + Sync); 6] =
                [&run_id, &lane, &rows.sources, &rows.byte_offsets, &rows.codes, &rows.messages];
            self.execute(include_str!("../../../sql/lanes/reject.sql"), &parameters).await?;
        }
        if !new_transactions.is_empty() {
            let xids: Vec<i64> = new_transactions.iter().map(|&xid| i64::from(xid)).collect();
            self.execute(include_str!("../../../sql/lanes/own.sql"), &[&run_id, &lane, &xids]).await?;
        }
        let source = i32::try_from(watermark.position.source).expect("few sources");
        let [byte_offset, cost_bytes] = [watermark.position.byte_offset, watermark.cost_bytes].map(bigint);
        let LoadCounts { inserted, updated, unchanged, skipped, rejected, rows } = *counts;
        let documents = [inserted, updated, unchanged, skipped, rejected].map(bigint);
        let rows = rows.by_table().map(bigint);
        let mut parameters: Vec<&(dyn ToSql + Sync)> =
            vec![&run_id, &lane, &source, &byte_offset, &watermark.digest, &cost_bytes];
        for count in documents.iter().chain(&rows) {
            parameters.push(count);
        }
        self.execute(include_str!("../../../sql/lanes/advance.sql"), &parameters).await
    }

    /// Writes down which documents the server refused while the indexes are dropped.
    pub(crate) async fn record_refused(&self, lane: i32, refused: &[Position]) -> Result<(), RunError> {
        if refused.is_empty() {
            return Ok(());
        }
        let sources: Vec<_> =
            refused.iter().map(|at| i32::try_from(at.source).expect("few sources")).collect();
        let byte_offsets: Vec<_> = refused.iter().map(|at| bigint(at.byte_offset)).collect();
        let parameters: [&(dyn ToSql + Sync); 4] = [&self.context.run_id, &lane, &sources, &byte_offsets];
        self.execute(include_str!("../../../sql/lanes/spill.sql"), &parameters).await
    }

    async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), RunError> {
        let failed = failed("writing the lane's progress to the ledger");
        self.transaction.execute(sql, parameters).await.map_err(failed)?;
        self.pulse.beat();
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), RunError> {
        failpoint("lane-before-commit");
        self.transaction.commit().await.map_err(failed("COMMIT"))?;
        failpoint("lane-after-commit");
        Ok(())
    }

    pub(crate) async fn roll_back(self) -> Result<(), RunError> {
        self.transaction.rollback().await.map_err(failed("ROLLBACK"))
    }
}

/// Lets the watch see what the session does.
pub(super) async fn identify(client: &Client, pulse: &Pulse) -> Result<(), RunError> {
    let row = client
        .query_one(include_str!("../../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    pulse.set_backend(Backend { pid: row.get("pid"), started: row.get("started") });
    Ok(())
}
