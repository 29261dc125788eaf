//! The runs in the ledger: finding the one that a command resumes, writing a new one, ending it.
//!
//! A crash leaves a run as `running`, with watermarks that tell what is committed. What a run is recognised by is
//! written when it begins, and never by an attempt that may turn out to have another input.

use std::time::Duration;

use tokio_postgres::{Client, Row, Transaction};

use super::{
    Ending, InputIdentity, LaneState, Run, RunError, RunKey, RunPlan, RunSource, SessionRole, UnfinishedRun,
    etags, failed, parts, plan, rejected, within,
};
use crate::{failpoint, input::Watermark, settings::Strategy};

/// The unfinished runs that may be of this input, the newest first.
pub(crate) async fn unfinished(
    client: &Client,
    key: &RunKey,
    input: &InputIdentity,
) -> Result<Vec<UnfinishedRun>, RunError> {
    let rows = client
        .query(include_str!("../../sql/runs/unfinished.sql"), &[&key.db_schema])
        .await
        .map_err(failed("looking for unfinished runs in the ledger"))?;
    let run = |row: &Row| {
        let names: Vec<String> = row.get("names");
        Ok(UnfinishedRun {
            id: row.get("id"),
            strategy: strategy_of(row)?,
            defers: row.get("defers"),
            differs_in: key.differs_in(row),
            has_same_names: input.has_names(&names),
            has_same_head: input.has_head(row.get("head_bytes"), row.get("head_digest")),
        })
    };
    let runs = rows.iter().map(run).collect::<Result<Vec<_>, RunError>>()?;
    Ok(runs.into_iter().filter(|run| run.has_same_names || run.has_same_head).collect())
}

/// Writes a new run with so many lanes to the ledger.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    key: &RunKey,
    strategy: Strategy,
    plan: RunPlan,
    lanes: usize,
    input: &InputIdentity,
) -> Result<Run, RunError> {
    let what = "writing the run to the ledger";
    let lanes = i32::try_from(lanes).expect("few lanes");
    let head_bytes = i64::try_from(input.head.len()).expect("a head is short");
    let row = transaction
        .query_one(
            include_str!("../../sql/runs/begin.sql"),
            &[
                &key.db_schema,
                &strategy.name(),
                &key.atomic,
                &key.on_existing(),
                &key.rules_sha256(),
                &env!("CARGO_PKG_VERSION"),
                &lanes,
                &head_bytes,
                &input.head_digest(),
            ],
        )
        .await
        .map_err(failed(what))?;
    let (id, attempt): (i64, i32) = (row.get("id"), row.get("attempts"));
    write_inputs(transaction, id, &input.sources).await?;
    let all_lanes = if plan.defers { 2 * lanes } else { lanes };
    transaction
        .execute(
            "INSERT INTO profile_loader.run_lanes (run_id, lane, attempt)
             SELECT $1, n, $2 FROM pg_catalog.generate_series(0, $3 - 1) AS n",
            &[&id, &attempt, &all_lanes],
        )
        .await
        .map_err(failed(what))?;
    let state = |lane| LaneState { lane, ..LaneState::default() };
    Ok(Run {
        id,
        attempt,
        key: key.clone(),
        strategy,
        plan,
        of_plan: None,
        lanes: (0..lanes).map(state).collect(),
        spill_lanes: (lanes..all_lanes).map(state).collect(),
    })
}

/// Resumes a run: whatever an earlier attempt still has under way is ended first.
pub(crate) async fn resume(client: &mut Client, id: i64, key: &RunKey) -> Result<Run, RunError> {
    let what = "resuming the run in the ledger";
    end_sessions(client, id).await?;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let row = transaction
        .query_opt(include_str!("../../sql/runs/resume.sql"), &[&id])
        .await
        .map_err(failed(what))?;
    let row = row.ok_or_else(|| RunError::Ledger(format!("run {id} was ended by another")))?;
    let (attempt, lanes): (i32, i32) = (row.get("attempts"), row.get("lanes"));
    let strategy = strategy_of(&row)?;
    let plan = plan::read(&transaction, id).await?;
    transaction
        .execute(include_str!("../../sql/runs/take_lanes.sql"), &[&id, &attempt])
        .await
        .map_err(failed(what))?;
    let rows =
        transaction.query(include_str!("../../sql/runs/lanes.sql"), &[&id]).await.map_err(failed(what))?;
    let states = rows.iter().map(LaneState::of).collect::<Result<Vec<_>, _>>()?;
    let is_whole = (0..).zip(&states).all(|(number, lane)| lane.lane == number);
    let (lanes, all_lanes) = (usize::try_from(lanes).unwrap_or(0), states.len());
    let expected = if plan.defers { 2 * lanes } else { lanes };
    if lanes == 0 || !is_whole || all_lanes != expected {
        return Err(RunError::Ledger(format!("run {id} lacks rows of its lanes")));
    }
    transaction.commit().await.map_err(failed("COMMIT"))?;
    let mut lanes_of_run = states;
    let spill_lanes = lanes_of_run.split_off(lanes);
    let (key, of_plan) = (key.clone(), None);
    Ok(Run { id, attempt, key, strategy, plan, of_plan, lanes: lanes_of_run, spill_lanes })
}

/// Ends what a killed loader has left on the server.
pub(crate) async fn end_sessions(client: &Client, id: i64) -> Result<(), RunError> {
    for role in [SessionRole::Lane, SessionRole::Restore] {
        let name = role.application_name(id);
        client
            .query(include_str!("../../sql/runs/orphans.sql"), &[&name])
            .await
            .map_err(failed("ending the sessions of an earlier attempt"))?;
    }
    Ok(())
}

pub(crate) async fn watermarks(client: &Client, id: i64) -> Result<Vec<Watermark>, RunError> {
    let rows = client
        .query(include_str!("../../sql/runs/lanes.sql"), &[&id])
        .await
        .map_err(failed("reading the run's watermarks"))?;
    let lanes: Result<Vec<_>, _> = rows.iter().map(LaneState::of).collect();
    let row = client
        .query_one("SELECT lanes FROM profile_loader.runs WHERE id = $1", &[&id])
        .await
        .map_err(failed("reading the run's watermarks"))?;
    // Those of further lanes are positions in the spill, not in the input.
    let of_input = usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    Ok(lanes?.into_iter().take(of_input).filter_map(|lane| lane.watermark).collect())
}

/// Ends an unfinished run that is not to be resumed.
pub(crate) async fn abandon(client: &mut Client, id: i64) -> Result<(), RunError> {
    let what = "abandoning the run in the ledger";
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let update = "UPDATE profile_loader.runs SET state = 'abandoned', ended_at = now() WHERE id = $1";
    transaction.execute(update, &[&id]).await.map_err(failed(what))?;
    forget(&transaction, id).await?;
    transaction.commit().await.map_err(failed("COMMIT"))
}

/// What is only needed to go on with a run.
async fn forget(transaction: &Transaction<'_>, id: i64) -> Result<(), RunError> {
    for table in ["run_rejections", "run_transactions", "run_spills", "run_ddl", "run_plans"] {
        transaction
            .execute(&format!("DELETE FROM profile_loader.{table} WHERE run_id = $1"), &[&id])
            .await
            .map_err(failed("clearing the ledger of what an unfinished run needs"))?;
    }
    Ok(())
}

async fn write_inputs(transaction: &Transaction<'_>, id: i64, sources: &[RunSource]) -> Result<(), RunError> {
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    let what = "writing the run's inputs to the ledger";
    transaction
        .execute("DELETE FROM profile_loader.run_inputs WHERE run_id = $1", &[&id])
        .await
        .map_err(failed(what))?;
    transaction
        .execute(
            "INSERT INTO profile_loader.run_inputs (run_id, position, name)
             SELECT $1, n.position - 1, n.name FROM unnest($2::text[]) WITH ORDINALITY AS n (name, position)",
            &[&id, &names],
        )
        .await
        .map_err(failed(what))?;
    etags::write(transaction, id, sources).await
}

/// Ends the run or this attempt at it; says so if another attempt has begun meanwhile. The server may take `answer` for
/// each step.
pub(crate) async fn finish(
    client: &mut Client,
    run: &Run,
    ending: &Ending,
    answer: Duration,
) -> Result<(), RunError> {
    let transaction = within(answer, end(client, run, ending)).await.flatten()?;
    if let Some(errors) = &ending.rejected {
        rejected::write(&transaction, run.id, errors, answer).await?;
    }
    if let Some(deferred) = ending.deferred.as_deref().filter(|_| ending.outcome.is_final()) {
        parts::keep_deferred(&transaction, run.id, deferred, answer).await?;
    }
    if run.is_whole_plan() && ending.outcome.is_final() {
        within(answer, parts::forget_deferred(&transaction, run.id)).await.flatten()?;
    }
    failpoint("run-ending");
    within(answer, transaction.commit()).await?.map_err(failed("COMMIT"))
}

async fn end<'c>(client: &'c mut Client, run: &Run, ending: &Ending) -> Result<Transaction<'c>, RunError> {
    let what = "writing the end of the run to the ledger";
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let [read, accepted, rejected] = ending.documents.map(bigint);
    let ended = transaction
        .execute(
            include_str!("../../sql/runs/finish.sql"),
            &[&run.id, &run.attempt, &ending.outcome.name(), &read, &accepted, &rejected, &ending.failure],
        )
        .await
        .map_err(failed(what))?;
    if ended != 1 {
        return Err(why_not_ours(&transaction, run).await?);
    }
    if let Some(confirmed) = &ending.confirmed {
        confirmed.refuse_behind_at_end(&transaction).await?;
    }
    if let Some(sources) = &ending.sources {
        write_inputs(&transaction, run.id, sources).await?;
    } else if run.of_plan.is_none() {
        // Not the run's input, as far as is known: what the ledger has of it stays.
        return Ok(transaction);
    }
    for (position, digest) in (0_i32..).zip(&ending.digests) {
        transaction
            .execute(
                "UPDATE profile_loader.run_inputs SET bytes = $3, digest = $4 WHERE run_id = $1 AND position = $2",
                &[&run.id, &position, &bigint(digest.bytes), &digest.digest],
            )
            .await
            .map_err(failed(what))?;
    }
    if ending.outcome.is_final() {
        forget(&transaction, run.id).await?;
    }
    if let Some(report) = &ending.report {
        // Written before, where the answer to COMMIT was lost.
        let insert = "INSERT INTO profile_loader.run_reports (run_id, report) VALUES ($1, $2)
                      ON CONFLICT (run_id) DO UPDATE SET report = excluded.report";
        transaction.execute(insert, &[&run.id, report]).await.map_err(failed(what))?;
    }
    Ok(transaction)
}

/// Why this attempt is not the one that the ledger has.
async fn why_not_ours(transaction: &Transaction<'_>, run: &Run) -> Result<RunError, RunError> {
    let attempts = "SELECT attempts FROM profile_loader.runs WHERE id = $1";
    let row =
        transaction.query_opt(attempts, &[&run.id]).await.map_err(failed("reading whose the run is"))?;
    Ok(if row.is_none_or(|row| row.get::<_, i32>("attempts") < run.attempt) {
        RunError::Behind { what: format!("this attempt at run {}", run.id) }
    } else {
        RunError::TakenOver { run_id: run.id }
    })
}

/// A count or an offset as PostgreSQL has it.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).expect("63 bits are enough for bytes and documents")
}

pub(super) fn strategy_of(row: &Row) -> Result<Strategy, RunError> {
    let name: &str = row.get("strategy");
    Strategy::of_name(name).ok_or_else(|| RunError::Ledger(format!("it has a run with the strategy {name}")))
}
