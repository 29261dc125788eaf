//! Beginning a run: its rows in the ledger and, for a bulk load, what is dropped of the tables, in one transaction.

use tokio_postgres::Client;

use super::{
    bulk::{self, DroppedDdl, Obstacle},
    merge,
};
use crate::{
    failpoint,
    postgres::{ErrorClass, quote_identifier},
    runs::{InputIdentity, Run, RunError, RunKey, RunPlan, failed, ledger, plan},
    settings::Strategy,
    tables::Table,
};

/// How long a look at the tables waits for whoever has locked them.
const LOOK_TIMEOUT_SECONDS: u32 = 1;

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

/// What stands in the way of a bulk load, as far as it shows without locking anything. Tables that somebody has locked
/// can't be looked at: whoever begins the run waits for them.
pub(crate) async fn obstacle(client: &mut Client, db_schema: &str) -> Result<Option<Obstacle>, RunError> {
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let soon = format!("SET LOCAL lock_timeout = '{LOOK_TIMEOUT_SECONDS}s'");
    transaction.batch_execute(&soon).await.map_err(failed("setting the lock time-out"))?;
    let obstacle = match bulk::obstacle(&transaction, db_schema).await {
        Err(error) if error.class() == ErrorClass::Locked => None,
        looked => looked?,
    };
    transaction.rollback().await.map_err(failed("ROLLBACK"))?;
    Ok(obstacle)
}

/// Tables that hold nothing, though a run has committed rows to them: somebody has emptied them, or made them anew, and a
/// run that is resumed loads none of these rows again.
pub(crate) async fn emptied(
    client: &Client,
    db_schema: &str,
    run_id: i64,
) -> Result<Vec<&'static str>, RunError> {
    let what = "reading whether the tables hold what the run has loaded";
    let sql = include_str!("../../sql/runs/rows_written.sql");
    let rows: Vec<i64> = client.query_one(sql, &[&run_id]).await.map_err(failed(what))?.get("rows");
    let mut emptied = Vec::new();
    for (table, _) in Table::ALL.iter().zip(rows).filter(|(_, rows)| *rows > 0) {
        let sql = format!("SELECT EXISTS (SELECT FROM {}.{})", quote_identifier(db_schema), table.name());
        let row = client.query_one(&sql, &[]).await.map_err(failed(what))?;
        if !row.get::<_, bool>(0) {
            emptied.push(table.name());
        }
    }
    Ok(emptied)
}

/// Begins a new run; of a bulk load, drops what it does without, or says why it can't.
pub(crate) async fn begin(
    client: &mut Client,
    new: NewRun<'_>,
) -> Result<Result<BegunRun, Obstacle>, RunError> {
    let NewRun { key, strategy, input, .. } = new;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    // The locks first: where they can't be had, no number of a run is used up.
    if strategy == Strategy::Bulk
        && let Some(obstacle) = bulk::lock_tables(&transaction, &key.db_schema).await?
    {
        return Ok(Err(obstacle));
    }
    let clashes = merge::constraints(&transaction, &key.db_schema).await?;
    let clashes: Vec<_> =
        clashes.into_iter().map(|clash| format!("{} of table {}", clash.name, clash.table)).collect();
    let in_order = !clashes.is_empty();
    let triggers = match strategy {
        Strategy::Merge => Vec::new(),
        Strategy::Bulk => bulk::insert_triggers(&transaction, &key.db_schema).await?,
    };
    let plan = RunPlan {
        copies: strategy == Strategy::Bulk && !in_order && triggers.is_empty(),
        in_order,
        defers: strategy == Strategy::Bulk || in_order && new.may_defer && !key.atomic,
    };
    let lanes = if in_order { 1 } else { new.lanes };
    let run = ledger::insert(&transaction, key, strategy, plan, lanes, input).await?;
    let dropped = match strategy {
        Strategy::Merge => None,
        Strategy::Bulk => {
            Some(bulk::drop_ddl(&transaction, run.id, &key.db_schema, plan.copies, triggers).await?)
        }
    };
    let objects = dropped.as_ref().map_or("[]", |dropped| &dropped.objects);
    plan::write(&transaction, run.id, plan, objects).await?;
    failpoint("run-beginning");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Ok(BegunRun { run, dropped, clashes }))
}
