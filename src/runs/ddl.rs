//! What unfinished bulk loads have dropped of the tables and not restored.

use tokio_postgres::Client;

use super::{RunError, failed};

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
    };
    Ok(rows.iter().map(step).collect())
}
