//! What the ledger knows of runs, for those who look: one read-only transaction each.

mod record;

pub(crate) use record::{
    CommittedCounts, LaneRecord, PlanRecord, RunDocuments, RunInput, RunRecord, RunState,
};

use serde::Serialize;
use thiserror::Error;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::{PendingStep, RunError, etags, pending_steps, target_lock::Holder};
use crate::{
    migrate::{self, BULK_VERSION, LedgerState, MigrateError, REPORTS_VERSION, denied_or_failed, failed},
    postgres::quote_identifier,
};

/// Why nothing can be said of runs, or one can't be abandoned.
#[derive(Debug, Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Ledger(#[from] MigrateError),
    #[error(
        "there is no run {id} in the ledger of this database; 'profile-loader runs list' lists those there are"
    )]
    Unknown { id: i64 },
    #[error(
        "the ledger has no report of run {id}: it has not come to its end, an older release has loaded it, or its report was \
         too long to be kept"
    )]
    NoReport { id: i64 },
    #[error(
        "run {id} loads part {part} of a plan, and only the plan is abandoned as a whole: profile-loader runs abandon {whole}"
    )]
    PartOfPlan { id: i64, part: u32, whole: i64 },
    #[error("run {id} has ended ({state}); only one that can be resumed is abandoned")]
    Ended { id: i64, state: RunState },
    #[error("run {id} can't be abandoned while a loader is at work on schema {db_schema}: {holder}")]
    AtWork { id: i64, db_schema: String, holder: Holder },
    #[error(
        "run {id} can't be abandoned yet: the server has not ended a transaction of a loader that is gone; \
         try again in some minutes"
    )]
    Orphan { id: i64 },
    #[error("run {id} is not abandoned, because what it has dropped of the tables can't be restored")]
    Restore { id: i64, source: RunError, pending: Vec<PendingStep> },
    #[error(transparent)]
    Run { source: RunError },
}

/// The newest runs into one schema, and how many there are besides.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RunList {
    /// Newest first.
    pub runs: Vec<RunRecord>,
    pub older: u64,
    pub into_other_schemas: u64,
}

/// Lists at most `limit` runs; of none where there is no ledger.
pub(crate) async fn list(
    client: &mut Client,
    db_schema: &str,
    limit: Option<u32>,
) -> Result<RunList, HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    if !has_runs(&transaction, &needed).await? {
        return Ok(RunList::default());
    }
    let mut runs = read_runs(&transaction, None, Some(db_schema), limit.map(i64::from), &needed).await?;
    set_plans(&transaction, &mut runs, &needed).await?;
    let row = transaction
        .query_one(
            "SELECT count(*) FILTER (WHERE db_schema = $1), count(*) FILTER (WHERE db_schema <> $1)
             FROM profile_loader.runs",
            &[&db_schema],
        )
        .await
        .map_err(failed("counting runs"))?;
    let all: usize = record::count(row.get(0)).try_into().unwrap_or(usize::MAX);
    let older = u64::try_from(all - runs.len()).expect("a count fits");
    Ok(RunList { runs, older, into_other_schemas: record::count(row.get(1)) })
}

/// All that is known of a run.
pub(crate) async fn show(
    client: &mut Client,
    id: i64,
) -> Result<(RunRecord, Vec<LaneRecord>, Vec<PendingStep>), HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    if !has_runs(&transaction, &needed).await? {
        return Err(HistoryError::Unknown { id });
    }
    let mut run = read_run(&transaction, id, &needed).await?;
    if migrate::ledger_state(&transaction, &needed).await? == LedgerState::Current {
        let etags = etags::read(&transaction, id).await;
        for (position, etag) in
            etags.map_err(denied_or_failed("reading profile_loader.run_etags", &needed))?
        {
            if let Some(input) = run.inputs.get_mut(position) {
                input.etag = Some(etag);
            }
        }
    }
    set_plans(&transaction, std::slice::from_mut(&mut run), &needed).await?;
    let pending = read_pending(transaction.client(), &run).await?;
    let rows = transaction
        .query("SELECT * FROM profile_loader.run_lanes WHERE run_id = $1 ORDER BY lane", &[&id])
        .await
        .map_err(denied_or_failed("reading profile_loader.run_lanes", &needed))?;
    Ok((run, rows.iter().map(record::lane).collect(), pending))
}

/// The report of a run that came to its end, as JSON.
pub(crate) async fn report(client: &mut Client, id: i64) -> Result<String, HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    match migrate::ledger_state(&transaction, &needed).await? {
        LedgerState::Current => {}
        LedgerState::Outdated { version } if version >= REPORTS_VERSION => {}
        LedgerState::Outdated { .. } => return Err(HistoryError::NoReport { id }),
        LedgerState::Missing => return Err(HistoryError::Unknown { id }),
    }
    let row = transaction
        .query_opt("SELECT report FROM profile_loader.run_reports WHERE run_id = $1", &[&id])
        .await
        .map_err(denied_or_failed("reading profile_loader.run_reports", &needed))?;
    if row.is_none() {
        read_run(&transaction, id, &needed).await?;
    }
    row.map(|row| row.get("report")).ok_or(HistoryError::NoReport { id })
}

/// A later run that has kept its rejected documents in the same file.
pub(crate) async fn later_with_rejects(
    client: &mut Client,
    id: i64,
    documents: &str,
) -> Result<Option<i64>, HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    let row = transaction
        .query_one(include_str!("../../sql/runs/later_with_rejects.sql"), &[&id, &documents])
        .await
        .map_err(denied_or_failed("reading profile_loader.run_reports", &needed))?;
    Ok(row.get(0))
}

/// Says which runs are of a plan; a ledger of an older release knows of none.
async fn set_plans(
    transaction: &Transaction<'_>,
    runs: &mut [RunRecord],
    needed: &str,
) -> Result<(), HistoryError> {
    if migrate::ledger_state(transaction, needed).await? != LedgerState::Current {
        return Ok(());
    }
    let ids: Vec<i64> = runs.iter().map(|run| run.id).collect();
    let rows = transaction
        .query(include_str!("../../sql/runs/plans_of.sql"), &[&ids])
        .await
        .map_err(denied_or_failed("reading profile_loader.run_parts", needed))?;
    for row in &rows {
        let id: i64 = row.get("run_id");
        runs.iter_mut().filter(|run| run.id == id).for_each(|run| record::set_plan(run, row));
    }
    Ok(())
}

/// What a bulk load has dropped and not restored.
pub(crate) async fn read_pending(client: &Client, run: &RunRecord) -> Result<Vec<PendingStep>, HistoryError> {
    let pending = pending_steps(client, &run.settings.db_schema).await;
    let pending = pending.map_err(|source| HistoryError::Run { source })?;
    Ok(pending.into_iter().filter(|step| step.run_id == run.id).collect())
}

/// One picture for all that is read.
async fn begin_to_look(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    transaction.start().await.map_err(failed("BEGIN"))
}

/// Quoted.
pub(crate) async fn role(transaction: &Transaction<'_>) -> Result<String, MigrateError> {
    let row = transaction
        .query_one("SELECT current_user::text", &[])
        .await
        .map_err(failed("asking for the role"))?;
    Ok(quote_identifier(row.get(0)))
}

/// False where no ledger is there, or one from before there were bulk loads.
async fn has_runs(transaction: &Transaction<'_>, needed: &str) -> Result<bool, MigrateError> {
    Ok(match migrate::ledger_state(transaction, needed).await? {
        LedgerState::Current => true,
        LedgerState::Outdated { version } => version >= BULK_VERSION,
        LedgerState::Missing => false,
    })
}

/// Only a ledger of this release can be written to.
pub(crate) async fn refuse_outdated(client: &mut Client) -> Result<(), HistoryError> {
    let transaction = begin_to_look(client).await?;
    let needed = migrate::grant_to_look(&role(&transaction).await?);
    match migrate::ledger_state(&transaction, &needed).await? {
        LedgerState::Outdated { version } if version >= BULK_VERSION => Err(MigrateError::NoLedger.into()),
        LedgerState::Current | LedgerState::Missing | LedgerState::Outdated { .. } => Ok(()),
    }
}

pub(crate) async fn read_run(
    transaction: &Transaction<'_>,
    id: i64,
    needed: &str,
) -> Result<RunRecord, HistoryError> {
    let mut runs = read_runs(transaction, Some(id), None, None, needed).await?;
    runs.pop().ok_or(HistoryError::Unknown { id })
}

async fn read_runs(
    transaction: &Transaction<'_>,
    id: Option<i64>,
    db_schema: Option<&str>,
    limit: Option<i64>,
    needed: &str,
) -> Result<Vec<RunRecord>, MigrateError> {
    let rows = transaction
        .query(include_str!("../../sql/ledger/runs.sql"), &[&id, &db_schema, &limit])
        .await
        .map_err(denied_or_failed("reading profile_loader.runs", needed))?;
    rows.iter().map(record::run).collect()
}
