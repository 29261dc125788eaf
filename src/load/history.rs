//! What the ledger knows of runs, and giving one up.
//!
//! Looking is one read-only transaction. Giving up is one, too, that waits for whatever a killed loader left on
//! the server; a crash leaves the run as it was, or abandoned. The rows that the run had loaded stay. Before a bulk
//! load is given up, what it has taken off the tables is brought back, in a transaction for each statement.

mod run;

pub use run::{Committed, Lane, LaneWatermark, Run, RunDocuments, RunInput, RunSettings, RunState};

use serde::Serialize;
use thiserror::Error;
use tokio_postgres::{Client, IsolationLevel, Transaction, error::SqlState};

use super::{
    LoadError,
    bulk::{self, PendingStep},
    target_lock::{self, Holder},
};
use crate::{
    migrate::{self, LedgerState, MigrateError, denied_or_failed, failed},
    postgres::quote_identifier,
};

/// How long giving up waits for a transaction that a killed loader left behind: its backend notices that
/// nobody is there any more within this time, or it never does.
const ORPHAN_TIMEOUT_SECONDS: u32 = 60;

/// Why nothing can be said of runs, or one can't be given up.
#[derive(Debug, Error)]
pub enum HistoryError {
    #[error(transparent)]
    Ledger(#[from] MigrateError),
    #[error(
        "there is no run {id} in the ledger of this database; 'profile-loader runs list' tells those there are"
    )]
    Unknown { id: i64 },
    #[error("run {id} has ended ({state}); only one that can be resumed is given up")]
    Ended { id: i64, state: RunState },
    #[error("run {id} can't be given up while a loader is at work on schema {db_schema}: {holder}")]
    AtWork { id: i64, db_schema: String, holder: Holder },
    #[error(
        "run {id} can't be given up yet: the server has not ended a transaction of a loader that is gone; \
         try again in some minutes"
    )]
    Orphan { id: i64 },
    #[error("run {id} is not given up, because what it has taken off the tables can't be brought back")]
    Restore { id: i64, source: LoadError, pending: Vec<PendingStep> },
    #[error(transparent)]
    Load { source: LoadError },
}

/// The newest runs into one schema, and how many there are besides.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RunList {
    /// Newest first.
    pub runs: Vec<Run>,
    pub older: u64,
    pub into_other_schemas: u64,
}

/// Tells of at most `limit` runs; of none where there is no ledger.
pub async fn list(client: &mut Client, db_schema: &str, limit: Option<u32>) -> Result<RunList, HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    if !has_runs(&transaction, &needed).await? {
        return Ok(RunList::default());
    }
    let runs = read_runs(&transaction, None, Some(db_schema), limit.map(i64::from), &needed).await?;
    let row = transaction
        .query_one(
            "SELECT count(*) FILTER (WHERE db_schema = $1), count(*) FILTER (WHERE db_schema <> $1)
             FROM profile_loader.runs",
            &[&db_schema],
        )
        .await
        .map_err(failed("counting runs"))?;
    let all: usize = run::count(row.get(0)).try_into().unwrap_or(usize::MAX);
    let older = u64::try_from(all - runs.len()).expect("a count fits");
    Ok(RunList { runs, older, into_other_schemas: run::count(row.get(1)) })
}

/// All that is known of a run.
pub async fn show(client: &mut Client, id: i64) -> Result<(Run, Vec<Lane>, Vec<PendingStep>), HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    if !has_runs(&transaction, &needed).await? {
        return Err(HistoryError::Unknown { id });
    }
    let run = read_run(&transaction, id, &needed).await?;
    let pending = read_pending(transaction.client(), &run).await?;
    let rows = transaction
        .query("SELECT * FROM profile_loader.run_lanes WHERE run_id = $1 ORDER BY lane", &[&id])
        .await
        .map_err(denied_or_failed("reading profile_loader.run_lanes", &needed))?;
    Ok((run, rows.iter().map(run::lane).collect(), pending))
}

/// What a bulk load has taken off and not brought back.
async fn read_pending(client: &Client, run: &Run) -> Result<Vec<PendingStep>, HistoryError> {
    let pending = bulk::pending(client, &run.settings.db_schema).await;
    let pending = pending.map_err(|source| HistoryError::Load { source })?;
    Ok(pending.into_iter().filter(|step| step.run_id == run.id).collect())
}

/// Gives a run up, so that the same command begins a new one. Returns it as it is now.
pub async fn abandon(client: &mut Client, id: i64) -> Result<Run, HistoryError> {
    let (run, ..) = show(client, id).await?;
    let db_schema = run.settings.db_schema.clone();
    if !run.state.can_resume() && run.state != RunState::Running {
        return Err(HistoryError::Ended { id, state: run.state });
    }
    let taken = target_lock::try_take(client, &db_schema).await.map_err(failed("locking the target"))?;
    taken.map_err(|holder| HistoryError::AtWork { id, db_schema, holder })?;
    bring_back(client, &run).await?;
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(failed("BEGIN"))?;
    let role = role(&transaction).await?;
    migrate::refuse_load_without_privilege(&transaction, &role).await?;
    wait_for_orphans(&transaction, id).await?;
    give_up(&transaction, id).await?;
    let run = read_run(&transaction, id, &migrate::grant_to_look(&role)).await?;
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(run)
}

/// Ends what a killed loader may still be at, and brings back what it had taken off.
async fn bring_back(client: &mut Client, run: &Run) -> Result<(), HistoryError> {
    let id = run.id;
    if read_pending(client, run).await?.is_empty() {
        return Ok(());
    }
    super::ledger::end_sessions(client, id).await.map_err(|source| HistoryError::Load { source })?;
    let steps = read_pending(client, run).await?;
    let Err(source) = bulk::restore_alone(client, &steps).await else { return Ok(()) };
    let pending = read_pending(client, run).await.unwrap_or_default();
    Err(HistoryError::Restore { id, source, pending })
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

async fn give_up(transaction: &Transaction<'_>, id: i64) -> Result<(), HistoryError> {
    let updated = transaction
        .execute(
            "UPDATE profile_loader.runs SET state = 'abandoned', ended_at = now()
             WHERE id = $1 AND state IN ('running', 'interrupted', 'failed')",
            &[&id],
        )
        .await
        .map_err(failed("giving the run up"))?;
    if updated == 0 {
        // It came to its end between the first look and the lock.
        let run = read_run(transaction, id, "").await?;
        return Err(HistoryError::Ended { id, state: run.state });
    }
    for sql in [
        "DELETE FROM profile_loader.run_rejections WHERE run_id = $1",
        "DELETE FROM profile_loader.run_transactions WHERE run_id = $1",
        "DELETE FROM profile_loader.run_spills WHERE run_id = $1",
        "DELETE FROM profile_loader.run_ddl WHERE run_id = $1",
    ] {
        transaction.execute(sql, &[&id]).await.map_err(failed("giving the run up"))?;
    }
    Ok(())
}

/// One picture for all that is read.
async fn begin_to_look(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    transaction.start().await.map_err(failed("BEGIN"))
}

/// Quoted.
async fn role(transaction: &Transaction<'_>) -> Result<String, MigrateError> {
    let row = transaction
        .query_one("SELECT current_user::text", &[])
        .await
        .map_err(failed("asking for the role"))?;
    Ok(quote_identifier(row.get(0)))
}

/// False where no ledger is there, or one from before there were runs.
async fn has_runs(transaction: &Transaction<'_>, needed: &str) -> Result<bool, MigrateError> {
    Ok(migrate::ledger_state(transaction, needed).await? == LedgerState::Current)
}

async fn read_run(transaction: &Transaction<'_>, id: i64, needed: &str) -> Result<Run, HistoryError> {
    let mut runs = read_runs(transaction, Some(id), None, None, needed).await?;
    runs.pop().ok_or(HistoryError::Unknown { id })
}

async fn read_runs(
    transaction: &Transaction<'_>,
    id: Option<i64>,
    db_schema: Option<&str>,
    limit: Option<i64>,
    needed: &str,
) -> Result<Vec<Run>, MigrateError> {
    let rows = transaction
        .query(include_str!("../../sql/ledger/runs.sql"), &[&id, &db_schema, &limit])
        .await
        .map_err(denied_or_failed("reading profile_loader.runs", needed))?;
    rows.iter().map(run::run).collect()
}
