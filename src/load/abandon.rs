//! Abandoning a run.
//!
//! It is one transaction that waits for whatever a killed loader left on the server; a crash leaves the run as it was,
//! or abandoned. The rows that the run had loaded stay. Before a bulk load is abandoned, what it has dropped of the
//! tables is restored, in a transaction for each statement. What it has dropped of a table that is not there any more,
//! because somebody has dropped or renamed it, is left to whoever did, and what somebody has made again is left as it is: this is the one way out of such a run.

use tokio_postgres::{Client, IsolationLevel, Transaction, error::SqlState};

use super::bulk;
use crate::{
    migrate::{self, failed},
    postgres::Target,
    runs::{
        OfPlan, PendingStep, RunError,
        history::{self, HistoryError, RunRecord, RunState},
        ledger, parts, plan, target_lock,
    },
    settings::Strategy,
};

/// How long to wait for a transaction that a killed loader left behind: its backend notices that nobody is there any
/// more within this time, or it never does.
const ORPHAN_TIMEOUT_SECONDS: u32 = 60;

/// A run as it is once it is abandoned.
pub(crate) struct Abandoned {
    pub(crate) run: RunRecord,
    /// What could not be restored, because its table is missing.
    pub(crate) left: Vec<PendingStep>,
}

/// Abandons a run, so that the same command begins a new one.
pub(crate) async fn abandon(
    client: &mut Client,
    target: &Target,
    id: i64,
) -> Result<Abandoned, HistoryError> {
    history::refuse_outdated(client).await?;
    let (run, ..) = history::show(client, id).await?;
    let of_plan = parts::whole_of(client, id).await.map_err(|source| HistoryError::Run { source })?;
    let of_parts = match of_plan {
        Some((OfPlan { whole, part: Some(part) }, _)) => {
            return Err(HistoryError::PartOfPlan { id, part, whole });
        }
        Some((_, of_parts)) => of_parts,
        None => Vec::new(),
    };
    let db_schema = run.settings.db_schema.clone();
    if !run.state.can_resume() && run.state != RunState::RUNNING {
        return Err(HistoryError::Ended { id, state: run.state });
    }
    let taken =
        target_lock::take_once_free(client, &db_schema).await.map_err(failed("locking the target"))?;
    taken.map_err(|holder| HistoryError::AtWork { id, db_schema, holder })?;
    let left = if run.settings.strategy == Strategy::Bulk.name() {
        restore(client, target, &run, &of_parts).await?
    } else {
        Vec::new()
    };
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(failed("BEGIN"))?;
    let role = history::role(&transaction).await?;
    migrate::refuse_load_without_privilege(&transaction, &role).await?;
    wait_for_orphans(&transaction, id).await?;
    for part in of_parts {
        wait_for_orphans(&transaction, part).await?;
        // Those that are done stay so.
        mark(&transaction, part).await?;
    }
    if mark(&transaction, id).await? == 0 {
        // It came to its end between the first look and the lock.
        let run = history::read_run(&transaction, id, "").await?;
        return Err(HistoryError::Ended { id, state: run.state });
    }
    parts::forget(&transaction, id).await.map_err(|source| HistoryError::Run { source })?;
    let run = history::read_run(&transaction, id, &migrate::grant_to_look(&role)).await?;
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Abandoned { run, left })
}

/// Ends what a killed loader may still be at, and restores what it had dropped; returns what can't be restored, because
/// its table is missing.
async fn restore(
    client: &mut Client,
    target: &Target,
    run: &RunRecord,
    of_parts: &[i64],
) -> Result<Vec<PendingStep>, HistoryError> {
    let id = run.id;
    if history::read_pending(client, run).await?.is_empty() {
        refuse_incomplete(client, id).await?;
        return Ok(Vec::new());
    }
    for id in [&[id][..], of_parts].concat() {
        ledger::end_sessions(client, id).await.map_err(|source| HistoryError::Run { source })?;
    }
    let steps = history::read_pending(client, run).await?;
    let (steps, left): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| step.missing_tables.is_empty());
    let steps: Vec<_> = steps.into_iter().filter(|step| !step.is_there).collect();
    let Err(source) = bulk::restore_alone(client, target, &steps).await else {
        // What a table that is gone has lacked is told.
        if left.is_empty() {
            refuse_incomplete(client, id).await?;
        }
        return Ok(left);
    };
    let pending = history::read_pending(client, run).await.unwrap_or_default();
    Err(HistoryError::Restore { id, source, pending })
}

/// Refuses tables that lack something that the run has dropped, whatever the ledger says.
async fn refuse_incomplete(client: &mut Client, id: i64) -> Result<(), HistoryError> {
    let missing = plan::not_restored(client, id).await.map_err(|source| HistoryError::Run { source })?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(HistoryError::Run { source: RunError::NotRestored { missing } })
}

/// What a killed loader sent last may still be at work; it holds the row of its lane.
async fn wait_for_orphans(transaction: &Transaction<'_>, id: i64) -> Result<(), HistoryError> {
    let sql = format!(
        "SET LOCAL lock_timeout = '{ORPHAN_TIMEOUT_SECONDS}s';
         SET LOCAL statement_timeout = 0;
         SELECT FROM profile_loader.run_lanes WHERE run_id = {id} FOR UPDATE"
    );
    match transaction.batch_execute(&sql).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Err(HistoryError::Orphan { id }),
        result => Ok(result.map_err(failed("waiting for what a killed loader left"))?),
    }
}

/// Says whether it was unfinished.
async fn mark(transaction: &Transaction<'_>, id: i64) -> Result<u64, HistoryError> {
    let updated = transaction
        .execute(
            "UPDATE profile_loader.runs SET state = 'abandoned', ended_at = now()
             WHERE id = $1 AND state IN ('running', 'interrupted', 'failed')",
            &[&id],
        )
        .await
        .map_err(failed("abandoning the run"))?;
    if updated == 0 {
        return Ok(0);
    }
    for sql in [
        "DELETE FROM profile_loader.run_rejections WHERE run_id = $1",
        "DELETE FROM profile_loader.run_transactions WHERE run_id = $1",
        "DELETE FROM profile_loader.run_spills WHERE run_id = $1",
        "DELETE FROM profile_loader.run_ddl WHERE run_id = $1",
        "DELETE FROM profile_loader.run_plans WHERE run_id = $1",
    ] {
        transaction.execute(sql, &[&id]).await.map_err(failed("abandoning the run"))?;
    }
    Ok(updated)
}
