//! The documents of one transaction, copied straight into the four tables.
//!
//! Deferred documents are cut out of what is sent. When the server refuses a document it doesn't say which: the range
//! goes back to its savepoint and its halves are copied by themselves; the few documents that are left in the end are
//! deferred, to be decided on one by one when the indexes are restored.

use std::ops::Range;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use futures_util::{SinkExt, pin_mut};

use crate::{
    load::merge::{MergeError, of_a_document},
    postgres::quote_identifier,
    report::RowCounts,
    rows::{COPY_HEADER, COPY_TRAILER, ChildRows, LanePart},
    runs::{RunError, Verdict, failed},
    session::Pulse,
    tables::Table,
};

/// Documents that the server refuses together with others are not told apart further than this: judging a few of
/// them later costs less than finding the one.
const DEFERRED_AT_ONCE: usize = 16;

/// How much goes to the socket at once.
const FRAME_BYTES: usize = 256 * 1024;

/// COPY into each of the tables, in their order.
#[derive(Debug)]
pub(crate) struct CopySql([String; 4]);

impl CopySql {
    pub(crate) fn in_schema(db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        Self(Table::ALL.map(|table| {
            let columns: Vec<_> = table.copied_columns().map(|column| column.name).collect();
            let columns = columns.join(", ");
            format!("COPY {schema}.{} ({columns}) FROM STDIN (FORMAT binary)", table.name())
        }))
    }
}

/// The documents of a transaction with their rows.
pub(crate) struct BulkBatch<'a> {
    parts: Vec<BulkPart<'a>>,
    /// Of all documents, in order.
    documents: Vec<BulkDocument>,
}

/// A part: its documents from `first` on, without those that are deferred.
pub(crate) struct BulkPart<'a> {
    pub(crate) part: &'a LanePart,
    pub(crate) tables: &'a [Bytes; 4],
    pub(crate) first: usize,
    /// Indices, rising.
    pub(crate) deferred: &'a [usize],
}

#[derive(Debug, Clone, Copy)]
struct BulkDocument {
    part: usize,
    /// In its part.
    index: usize,
    children: ChildRows,
    is_deferred: bool,
}

impl<'a> BulkBatch<'a> {
    pub(crate) fn new(parts: Vec<BulkPart<'a>>) -> Self {
        let mut documents = Vec::new();
        for (part, one) in parts.iter().enumerate() {
            for (index, document) in one.part.documents().iter().enumerate().skip(one.first) {
                let is_deferred = one.deferred.binary_search(&index).is_ok();
                documents.push(BulkDocument { part, index, children: document.children, is_deferred });
            }
        }
        Self { parts, documents }
    }

    /// What is sent to a table for a range of documents: slices of the parts' buffers, cut where one is deferred.
    fn slices(&self, range: Range<usize>, table: usize) -> Vec<Bytes> {
        let mut slices: Vec<(usize, Range<usize>)> = Vec::new();
        for document in self.documents[range].iter().filter(|document| !document.is_deferred) {
            let ranges = self.parts[document.part].part.ranges(document.index..document.index + 1);
            let range = ranges[table].clone();
            match slices.last_mut() {
                Some((part, last)) if *part == document.part && last.end == range.start => {
                    last.end = range.end;
                }
                _ => slices.push((document.part, range)),
            }
        }
        let slice = |(part, range): (usize, Range<usize>)| self.parts[part].tables[table].slice(range);
        slices.into_iter().filter(|(_, range)| !range.is_empty()).map(slice).collect()
    }

    fn rows(&self, range: Range<usize>) -> RowCounts {
        let mut rows = RowCounts::default();
        for document in self.documents[range].iter().filter(|document| !document.is_deferred) {
            rows.customer_profiles += 1;
            rows.customer_profile_addresses += document.children.addresses;
            rows.customer_profile_emails += document.children.emails;
            rows.customer_profile_phone_numbers += document.children.phone_numbers;
        }
        rows
    }
}

/// Copies documents; says what became of each, and which rows were written.
pub(crate) async fn copy_documents(
    transaction: &Transaction<'_>,
    sql: &CopySql,
    batch: &BulkBatch<'_>,
    is_stopping: &(dyn Fn() -> bool + Sync),
    pulse: &Pulse,
) -> Result<(Vec<Verdict>, RowCounts), MergeError> {
    let documents = batch.documents.len();
    let verdict = |document: &BulkDocument| {
        if document.is_deferred { Verdict::Deferred { by_server: false } } else { Verdict::Inserted }
    };
    let mut verdicts: Vec<_> = batch.documents.iter().map(verdict).collect();
    let mut rows = RowCounts::default();
    let mut todo = Vec::from([Range { start: 0, end: documents }]);
    while let Some(range) = todo.pop() {
        if range.len() < documents && is_stopping() {
            return Err(MergeError::Stopped);
        }
        match in_savepoint(transaction, sql, batch, range.clone(), pulse).await? {
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
    Ok((verdicts, rows))
}

/// All of the documents or, where the server refuses one of them, `None` of them.
async fn in_savepoint(
    transaction: &Transaction<'_>,
    sql: &CopySql,
    batch: &BulkBatch<'_>,
    range: Range<usize>,
    pulse: &Pulse,
) -> Result<Option<RowCounts>, RunError> {
    let expected = batch.rows(range.clone());
    if expected == RowCounts::default() {
        return Ok(Some(expected));
    }
    let execute = async |what, sql: &str| transaction.batch_execute(sql).await.map_err(failed(what));
    execute("setting a savepoint", "SAVEPOINT copied").await?;
    let copied = async {
        let rows = copy_range(transaction, sql, batch, range, pulse).await?;
        // A constraint that the owner made deferrable speaks now, not at the end of the transaction.
        execute("checking deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE").await?;
        Ok(rows)
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
    execute("going back to the savepoint", "ROLLBACK TO SAVEPOINT copied; RELEASE SAVEPOINT copied").await?;
    Ok(None)
}

async fn copy_range(
    transaction: &Transaction<'_>,
    sql: &CopySql,
    batch: &BulkBatch<'_>,
    range: Range<usize>,
    pulse: &Pulse,
) -> Result<RowCounts, RunError> {
    let mut rows = [0; 4];
    for (table, rows) in rows.iter_mut().enumerate() {
        let slices = batch.slices(range.clone(), table);
        if !slices.is_empty() {
            *rows = copy(transaction, &sql.0[table], slices, pulse).await?;
        }
    }
    Ok(RowCounts::of_tables(rows))
}

async fn copy(
    transaction: &Transaction<'_>,
    sql: &str,
    slices: Vec<Bytes>,
    pulse: &Pulse,
) -> Result<u64, RunError> {
    let statement = transaction.prepare_cached(sql).await.map_err(failed("preparing COPY"))?;
    let sink = transaction.copy_in::<_, Bytes>(&statement).await.map_err(failed("COPY"))?;
    pin_mut!(sink);
    sink.feed(Bytes::from_static(COPY_HEADER)).await.map_err(failed("COPY"))?;
    for mut slice in slices {
        while !slice.is_empty() {
            let piece = slice.split_to(slice.len().min(FRAME_BYTES));
            sink.feed(piece).await.map_err(failed("COPY"))?;
            pulse.beat();
        }
    }
    sink.feed(Bytes::from_static(COPY_TRAILER)).await.map_err(failed("COPY"))?;
    let rows = sink.finish().await.map_err(failed("COPY"))?;
    pulse.beat();
    Ok(rows)
}
