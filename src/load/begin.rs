//! Beginning a run: its rows in the ledger and, for a bulk load, what is dropped of the tables, in one transaction.

use tokio_postgres::{Client, Transaction};

use super::bulk::{self, DroppedDdl, Obstacle};
use crate::{
    failpoint,
    runs::{InputIdentity, Run, RunError, RunKey, RunPlan, failed, ledger, plan},
    settings::Strategy,
    tables::Table,
};

/// A run that was begun, and what was dropped of the tables for it.
#[derive(Debug)]
pub(crate) struct BegunRun {
    pub(crate) run: Run,
    pub(crate) dropped: Option<DroppedDdl>,
    /// Constraints that may hold between profiles, for which documents are loaded in input order.
    pub(crate) clashes: Vec<String>,
}

/// What a new run is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRun<'a> {
    pub(crate) key: &'a RunKey,
    pub(crate) strategy: Strategy,
    /// Unless documents are loaded in input order.
    pub(crate) lanes: usize,
    /// Whether there is a place for documents that are deferred.
    pub(crate) may_defer: bool,
    pub(crate) input: &'a InputIdentity,
}

/// What stands in the way of a bulk load, as far as it shows without locking anything.
pub(crate) async fn obstacle(client: &mut Client, db_schema: &str) -> Result<Option<Obstacle>, RunError> {
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let obstacle = bulk::obstacle(&transaction, db_schema).await?;
    transaction.rollback().await.map_err(failed("ROLLBACK"))?;
    Ok(obstacle)
}

/// Begins a new run; of a bulk load, drops what it does without, or says why it can't.
pub(crate) async fn begin(
    client: &mut Client,
    new: NewRun<'_>,
) -> Result<Result<BegunRun, Obstacle>, RunError> {
    let NewRun { key, strategy, input, .. } = new;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let clashes = clashes(&transaction, &key.db_schema).await?;
    let in_order = !clashes.is_empty();
    let plan = RunPlan {
        copies: strategy == Strategy::Bulk
            && !in_order
            && !has_triggers(&transaction, &key.db_schema).await?,
        in_order,
        defers: strategy == Strategy::Bulk || in_order && new.may_defer && !key.atomic,
    };
    let lanes = if in_order { 1 } else { new.lanes };
    let run = ledger::insert(&transaction, key, strategy, plan, lanes, input).await?;
    let dropped = match strategy {
        Strategy::Merge => None,
        Strategy::Bulk => match bulk::drop_ddl(&transaction, run.id, &key.db_schema, plan.copies).await? {
            Ok(dropped) => Some(dropped),
            Err(obstacle) => return Ok(Err(obstacle)),
        },
    };
    let objects = dropped.as_ref().map_or("[]", |dropped| &dropped.objects);
    plan::write(&transaction, run.id, plan, objects).await?;
    failpoint("run-beginning");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Ok(BegunRun { run, dropped, clashes }))
}

async fn clashes(transaction: &Transaction<'_>, db_schema: &str) -> Result<Vec<String>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = transaction
        .query(include_str!("../../sql/runs/clashes.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the constraints of the tables"))?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

async fn has_triggers(transaction: &Transaction<'_>, db_schema: &str) -> Result<bool, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let row = transaction
        .query_one(include_str!("../../sql/bulk/insert_triggers.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the triggers of the tables"))?;
    Ok(row.get("are_there"))
}
