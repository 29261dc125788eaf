//! Ids of e-mails and phone numbers, taken from their sequences in blocks: the default of a column, called for each row,
//! costs as much as all else that COPY does.
//!
//! A sequence is locked, so that whoever wants a next value waits, read, and set to the end of the block, in a transaction of
//! its own that is rolled back: what `setval` does stands nevertheless (PostgreSQL manual, section "Sequence Manipulation
//! Functions"), and the lock is gone at once. A crash after that leaves a gap. Whatever commits rows with these ids comes
//! after it in the WAL, so no id is given out twice. Where a sequence can't be locked or is not the column's own, the server
//! numbers the rows.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::{
    failpoint,
    postgres::{ErrorClass, quote_identifier, quote_literal},
    report::RowCounts,
    runs::{RunError, failed},
    tables::Table,
};

/// Whoever wants a next value waits as long as we do. A transaction that has taken one holds its lock to its end; a lane that
/// takes a block lets go at once, however busy the server is.
const LOCK_TIMEOUT_SECONDS: u32 = 1;

/// Takes blocks of ids for all lanes.
#[derive(Debug, Default)]
pub(crate) struct IdBlocks {
    sequences: OnceCell<Vec<Sequence>>,
    is_given_up: AtomicBool,
    message: Mutex<Option<String>>,
}

/// A sequence that blocks may be taken from.
#[derive(Debug)]
struct Sequence {
    table: Table,
    /// Quoted, with its schema.
    name: String,
}

/// The first id of each table's block, where there is one; in the order of [`Table::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FirstIds([Option<i64>; 4]);

impl FirstIds {
    pub(super) fn of(self, table: Table) -> Option<i64> {
        self.0[table as usize]
    }
}

impl IdBlocks {
    /// Takes a block of each table for so many rows; outside of a transaction.
    pub(crate) async fn take(
        &self,
        client: &Client,
        db_schema: &str,
        rows: RowCounts,
    ) -> Result<FirstIds, RunError> {
        if self.is_given_up.load(Ordering::Relaxed) || rows.total() == 0 {
            return Ok(FirstIds::default());
        }
        let taken = async {
            let sequences = self.sequences.get_or_try_init(|| read(client, db_schema)).await?;
            take_blocks(client, db_schema, sequences, rows).await
        };
        match taken.await {
            Ok(ids) => {
                failpoint("ids-taken");
                Ok(ids)
            }
            Err(error) if is_for_the_server(error.class()) => {
                self.give_up(&error);
                client.batch_execute("ROLLBACK").await.map_err(failed("ROLLBACK"))?;
                Ok(FirstIds::default())
            }
            Err(error) => Err(error),
        }
    }

    /// What the operator has to hear of, once.
    pub(crate) fn take_message(&self) -> Option<String> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn give_up(&self, error: &RunError) {
        if !self.is_given_up.swap(true, Ordering::Relaxed) {
            let message = format!(
                "the ids of e-mails and phone numbers are given by the server, one by one, from here on, which is slower: {}",
                error.message()
            );
            *self.message.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
        }
    }
}

/// Whether an error says nothing of the connection: the session goes on, and the rows get their ids from the server.
fn is_for_the_server(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Locked | ErrorClass::Data | ErrorClass::Permanent)
}

async fn read(client: &Client, db_schema: &str) -> Result<Vec<Sequence>, RunError> {
    let tables: Vec<_> = numbered_tables().map(|(table, _)| table.name()).collect();
    let rows = client
        .query(include_str!("../../../sql/bulk/sequences.sql"), &[&db_schema, &tables])
        .await
        .map_err(failed("reading the sequences of the tables"))?;
    let sequence = |(table, _): (Table, _)| {
        let row = rows.iter().find(|row| row.get::<_, &str>("table_name") == table.name())?;
        Some(Sequence { table, name: row.get("name") })
    };
    Ok(numbered_tables().filter_map(sequence).collect())
}

fn numbered_tables() -> impl Iterator<Item = (Table, &'static str)> {
    Table::ALL.into_iter().filter_map(|table| Some((table, table.numbered_column()?)))
}

/// In one message to the server, which holds the locks for no longer than it takes there.
async fn take_blocks(
    client: &Client,
    db_schema: &str,
    sequences: &[Sequence],
    rows: RowCounts,
) -> Result<FirstIds, RunError> {
    let rows = rows.by_table();
    let wanted: Vec<_> = sequences.iter().filter(|one| rows[one.table as usize] > 0).collect();
    if wanted.is_empty() {
        return Ok(FirstIds::default());
    }
    let lock = |one: &&Sequence| {
        let column = one.table.numbered_column().expect("a sequence fills a column");
        let table = format!("{}.{}", quote_identifier(db_schema), one.table.name());
        // Changes nothing, and is the one statement that takes this lock on a sequence.
        format!("ALTER SEQUENCE {} OWNED BY {table}.{column}; ", one.name)
    };
    let take = |one: &&Sequence| {
        include_str!("../../../sql/bulk/reserve.sql")
            .replace("@table@", &(one.table as usize).to_string())
            .replace("@rows@", &rows[one.table as usize].to_string())
            .replace("@sequence@", &one.name)
            .replace("@literal@", &quote_literal(&one.name))
            + "; "
    };
    let locks: String = wanted.iter().map(lock).collect();
    let takes: String = wanted.iter().map(take).collect();
    let sql = format!("BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'; {locks}{takes}ROLLBACK");
    let answers = client.simple_query(&sql).await.map_err(failed("taking ids from the sequences"))?;
    let mut ids = FirstIds::default();
    for answer in answers {
        if let SimpleQueryMessage::Row(row) = answer
            && let Some(table) = row.get("table").and_then(|table| table.parse::<usize>().ok())
        {
            ids.0[table] = row.get("first").and_then(|first| first.parse().ok());
        }
    }
    Ok(ids)
}
