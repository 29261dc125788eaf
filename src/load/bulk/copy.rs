//! The documents of one transaction, copied straight into the four tables.
//!
//! When the server refuses a document it doesn't say which. All go back to their savepoint, those that are refused are found
//! (`refused.rs`) and deferred, to be decided on one by one when the indexes are restored, and the others are copied. Where they
//! can't be found, halves are copied by themselves, and the few documents that are left in the end are deferred.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::{Bytes, BytesMut};
use deadpool_postgres::Transaction;
use futures_util::{SinkExt, pin_mut};

use super::{
    batch::{BulkBatch, BulkDocument, SentDocument},
    ids::FirstIds,
};
use crate::{
    load::merge::{MergeError, of_a_document},
    postgres::quote_identifier,
    report::RowCounts,
    rows::{COPY_HEADER, COPY_TRAILER, rows_in, with_id},
    runs::{RunError, Verdict, failed},
    session::Pulse,
    tables::Table,
};

/// Documents that the server refuses together with others are not told apart further than this: judging a few of
/// them later costs less than finding the one.
const DEFERRED_AT_ONCE: usize = 16;

/// How much goes to the socket at once.
const FRAME_BYTES: usize = 256 * 1024;

/// COPY into each of the tables, in their order: without ids, and with ids in front.
#[derive(Debug)]
pub(crate) struct CopySql([[String; 2]; 4]);

impl CopySql {
    pub(crate) fn in_schema(db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        Self(Table::ALL.map(|table| {
            let columns: Vec<_> = table.copied_columns().map(|column| column.name).collect();
            let numbered: Vec<_> = table.numbered_column().into_iter().chain(columns.clone()).collect();
            [columns, numbered].map(|columns| {
                let columns = columns.join(", ");
                format!("COPY {schema}.{} ({columns}) FROM STDIN (FORMAT binary)", table.name())
            })
        }))
    }
}

/// What a batch is copied with.
pub(crate) struct BulkCopy<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) sql: &'a CopySql,
    pub(crate) db_schema: &'a str,
    pub(crate) batch: &'a BulkBatch<'a>,
    /// Of blocks for all documents of the batch.
    pub(crate) ids: FirstIds,
    /// Whether documents of the batch before were refused, so that these are looked at before they are copied.
    pub(crate) has_refused: &'a AtomicBool,
    pub(crate) is_stopping: &'a (dyn Fn() -> bool + Sync),
    pub(crate) pulse: &'a Pulse,
}

impl BulkCopy<'_> {
    /// Copies all documents; says what became of each, and which rows were written.
    pub(crate) async fn documents(&self) -> Result<(Vec<Verdict>, RowCounts), MergeError> {
        let documents = self.batch.documents();
        let verdict = |document: &BulkDocument| {
            if document.is_deferred { Verdict::Deferred { by_server: false } } else { Verdict::Inserted }
        };
        let mut verdicts: Vec<_> = documents.iter().map(verdict).collect();
        if !self.has_refused.load(Ordering::Relaxed)
            && let Some(rows) = self.in_savepoint(0..documents.len(), &verdicts).await?
        {
            return Ok((verdicts, rows));
        }
        let rows = match self.without_refused(&mut verdicts).await? {
            Some(rows) => rows,
            None => self.in_halves(&mut verdicts).await?,
        };
        Ok((verdicts, rows))
    }

    async fn in_halves(&self, verdicts: &mut [Verdict]) -> Result<RowCounts, MergeError> {
        let mut rows = RowCounts::default();
        let mut todo = Vec::from([Range { start: 0, end: verdicts.len() }]);
        while let Some(range) = todo.pop() {
            if (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            match self.in_savepoint(range.clone(), verdicts).await? {
                Some(copied) => rows.add(copied),
                None if range.len() <= DEFERRED_AT_ONCE => {
                    let inserted = verdicts[range].iter_mut().filter(|one| **one == Verdict::Inserted);
                    inserted.for_each(|verdict| *verdict = Verdict::Deferred { by_server: true });
                }
                None => {
                    let middle = range.start + range.len() / 2;
                    todo.push(middle..range.end);
                    todo.push(range.start..middle);
                }
            }
        }
        Ok(rows)
    }

    /// Those of a range of the documents that are to be inserted still.
    pub(super) fn chosen<'b>(
        &'b self,
        range: Range<usize>,
        verdicts: &'b [Verdict],
    ) -> impl Iterator<Item = &'b SentDocument> {
        let is_chosen = move |index| range.contains(&index) && verdicts[index] == Verdict::Inserted;
        self.batch.sent().filter(move |one| is_chosen(one.index()))
    }

    /// All documents of a range that are to be inserted or, where the server refuses one of them, `None` of them.
    pub(super) async fn in_savepoint(
        &self,
        range: Range<usize>,
        verdicts: &[Verdict],
    ) -> Result<Option<RowCounts>, RunError> {
        let chosen = || self.chosen(range.clone(), verdicts);
        let expected = self.batch.rows(chosen());
        if expected == RowCounts::default() {
            return Ok(Some(expected));
        }
        let execute = async |what, sql: &str| self.transaction.batch_execute(sql).await.map_err(failed(what));
        execute("setting a savepoint", "SAVEPOINT copied").await?;
        let copied = async {
            let mut rows = [0; 4];
            for (table, rows) in Table::ALL.into_iter().zip(&mut rows) {
                if expected.by_table()[table as usize] > 0 {
                    *rows = self.table(table, chosen()).await?;
                }
            }
            // A constraint that the owner made deferrable speaks now, not at the end of the transaction.
            execute("checking deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE").await?;
            Ok(RowCounts::of_tables(rows))
        };
        match copied.await {
            // A trigger of the owner's can leave rows out without an error.
            Ok(rows) if rows == expected => {
                execute("releasing the savepoint", "RELEASE SAVEPOINT copied").await?;
                return Ok(Some(rows));
            }
            Ok(_) => {}
            Err(error) if of_a_document(&error).is_some() => {}
            // The whole transaction is about to be rolled back.
            Err(error) => return Err(error),
        }
        let back = "ROLLBACK TO SAVEPOINT copied; RELEASE SAVEPOINT copied";
        execute("going back to the savepoint", back).await?;
        Ok(None)
    }

    async fn table<'b>(
        &self,
        table: Table,
        documents: impl Iterator<Item = &'b SentDocument>,
    ) -> Result<u64, RunError> {
        let first_id = self.ids.of(table);
        let sql = &self.sql.0[table as usize][usize::from(first_id.is_some())];
        let statement = self.transaction.prepare_cached(sql).await.map_err(failed("preparing COPY"))?;
        let sink = self.transaction.copy_in::<_, Bytes>(&statement).await.map_err(failed("COPY"))?;
        pin_mut!(sink);
        let mut frame = BytesMut::with_capacity(FRAME_BYTES);
        frame.extend_from_slice(COPY_HEADER);
        for document in documents {
            let rows = self.batch.rows_of(document, table);
            let mut ids = first_id.map(|first| {
                let before = i64::try_from(document.rows_before(table)).expect("fewer rows than ids");
                first + before..
            });
            // A document may have as many rows as the longest line holds.
            for row in rows_in(rows) {
                match ids.as_mut().and_then(Iterator::next) {
                    Some(id) => {
                        let (head, rest) = with_id(row, id);
                        frame.extend_from_slice(&head);
                        frame.extend_from_slice(rest);
                    }
                    None => frame.extend_from_slice(row),
                }
                if frame.len() >= FRAME_BYTES {
                    sink.feed(frame.split().freeze()).await.map_err(failed("COPY"))?;
                    self.pulse.beat();
                    frame.reserve(FRAME_BYTES);
                }
            }
        }
        frame.extend_from_slice(COPY_TRAILER);
        sink.feed(frame.freeze()).await.map_err(failed("COPY"))?;
        let rows = sink.finish().await.map_err(failed("COPY"))?;
        self.pulse.beat();
        Ok(rows)
    }
}
