//! What unfinished bulk loads have dropped of the tables and not restored.

use tokio_postgres::Client;

use super::{RunError, failed};
use crate::tables::Table;

/// A statement that is still to restore something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingStep {
    pub(crate) run_id: i64,
    pub(crate) step: i32,
    /// What it restores, human-readable.
    pub(crate) label: String,
    pub(crate) sql: String,
    /// Numbers of the steps that have to be done before.
    pub(crate) after: Vec<i32>,
    /// Size of its table.
    pub(crate) bytes: i64,
    /// Tables that it needs and that were dropped or renamed meanwhile.
    pub(crate) missing_tables: Vec<String>,
    /// Somebody else has made what it restores.
    pub(crate) is_there: bool,
}

/// Of all unfinished bulk loads into a schema, in their order.
pub(crate) async fn pending_steps(client: &Client, db_schema: &str) -> Result<Vec<PendingStep>, RunError> {
    let rows = client
        .query(include_str!("../../sql/bulk/pending.sql"), &[&db_schema])
        .await
        .map_err(failed("reading what is still to be restored"))?;
    let step = |row: &tokio_postgres::Row| PendingStep {
        run_id: row.get("run_id"),
        step: row.get("step"),
        label: row.get("label"),
        sql: row.get("sql"),
        after: row.get("after"),
        bytes: row.get("bytes"),
        missing_tables: row.get("missing"),
        is_there: row.get("is_there"),
    };
    Ok(rows.iter().map(step).collect())
}

/// Those of the four tables that are not there.
pub(crate) async fn missing_tables(client: &Client, db_schema: &str) -> Result<Vec<String>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = client
        .query(include_str!("../../sql/catalog/missing.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("looking for the tables"))?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}
