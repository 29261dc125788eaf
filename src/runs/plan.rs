//! What is decided about a run as it begins, and holds for every attempt at it.

use tokio_postgres::{Client, GenericClient, Transaction};

use super::{RunError, failed};

/// How a run writes to the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunPlan {
    /// Lanes copy straight into the tables; otherwise they merge.
    pub(crate) copies: bool,
    /// One lane loads all documents in input order: a constraint may hold between profiles, and the earlier wins.
    pub(crate) in_order: bool,
    /// Documents may be deferred until all others are loaded.
    pub(crate) defers: bool,
}

/// Writes down what was decided; `dropped` is what was dropped of the tables, as JSON.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    run_id: i64,
    plan: RunPlan,
    dropped: &str,
) -> Result<(), RunError> {
    let RunPlan { copies, in_order, defers } = plan;
    transaction
        .execute(
            "INSERT INTO profile_loader.run_plans (run_id, copies, in_order, defers, dropped)
             VALUES ($1, $2, $3, $4, $5::text::jsonb)",
            &[&run_id, &copies, &in_order, &defers, &dropped],
        )
        .await
        .map_err(failed("writing to the ledger how the run loads"))?;
    Ok(())
}

pub(super) async fn read(client: &impl GenericClient, run_id: i64) -> Result<RunPlan, RunError> {
    let select = "SELECT copies, in_order, defers FROM profile_loader.run_plans WHERE run_id = $1";
    let row = client
        .query_opt(select, &[&run_id])
        .await
        .map_err(failed("reading from the ledger how the run loads"))?;
    let row = row.ok_or_else(|| gone(run_id))?;
    Ok(RunPlan { copies: row.get("copies"), in_order: row.get("in_order"), defers: row.get("defers") })
}

/// What a run has dropped of the tables and the tables lack, as the statements that restore it. The catalog says so,
/// whatever the ledger has as done.
pub(crate) async fn not_restored(client: &mut Client, run_id: i64) -> Result<Vec<String>, RunError> {
    let what = || failed("comparing the tables with what was dropped of them");
    let transaction = client.transaction().await.map_err(what())?;
    // So that definitions name every schema, as they did when they were written down.
    let empty = "SELECT pg_catalog.set_config('search_path', '', true)";
    transaction.query_one(empty, &[]).await.map_err(what())?;
    let rows = transaction
        .query(include_str!("../../sql/bulk/not_restored.sql"), &[&run_id])
        .await
        .map_err(what())?;
    if rows.is_empty() {
        return Err(gone(run_id));
    }
    let missing = rows.iter().filter_map(|row| row.get("sql")).collect();
    transaction.rollback().await.map_err(what())?;
    Ok(missing)
}

fn gone(run_id: i64) -> RunError {
    RunError::Ledger(format!("the row of run {run_id} in profile_loader.run_plans is gone"))
}
