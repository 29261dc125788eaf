//! The runs in the ledger: finding the one that a command goes on with, beginning it, ending it.
//!
//! A run is what one input, loaded with one set of settings, comes to, in however many attempts. A crash leaves
//! it as `running`, with watermarks that tell what is loaded.

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::{Client, Row};

use super::{
    LoadError,
    bulk::{self, Obstacle},
    failed,
    run::{Begun, Ending, InputIdentity, LaneState, Run, RunKey, Unfinished, application_name},
    transaction::bigint,
};
use crate::{failpoint, input::Watermark, settings::Strategy};

/// The unfinished runs that may be of this input, the newest first.
pub(super) async fn unfinished(
    client: &Object,
    key: &RunKey,
    input: &InputIdentity,
) -> Result<Vec<Unfinished>, LoadError> {
    let rows = client
        .query(include_str!("../../sql/runs/unfinished.sql"), &[&key.db_schema])
        .await
        .map_err(failed("looking for unfinished runs in the ledger"))?;
    let run = |row: &Row| {
        let names: Vec<String> = row.get("names");
        Unfinished {
            id: row.get("id"),
            differs_in: key.differs_in(row),
            has_same_names: input.has_names(&names),
            has_same_head: input.has_head(row.get("head_bytes"), row.get("head_digest")),
        }
    };
    Ok(rows.iter().map(run).filter(|run| run.has_same_names || run.has_same_head).collect())
}

/// What stands in the way of a bulk load, as far as it shows without locking anything.
pub(super) async fn obstacle(client: &mut Object, db_schema: &str) -> Result<Option<Obstacle>, LoadError> {
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let obstacle = bulk::obstacle(&transaction, db_schema).await?;
    transaction.rollback().await.map_err(failed("ROLLBACK"))?;
    Ok(obstacle)
}

/// Begins a new run with so many lanes; of a bulk load, takes off what it does without, or says why it can't.
pub(super) async fn begin(
    client: &mut Object,
    key: &RunKey,
    strategy: Strategy,
    lanes: usize,
    input: &InputIdentity,
) -> Result<Result<Begun, Obstacle>, LoadError> {
    let what = "writing the run to the ledger";
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
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
                &key.json_schema_sha256,
                &env!("CARGO_PKG_VERSION"),
                &lanes,
                &head_bytes,
                &input.head_digest(),
            ],
        )
        .await
        .map_err(failed(what))?;
    let (id, attempt): (i64, i32) = (row.get("id"), row.get("attempts"));
    write_inputs(&transaction, id, &input.names).await?;
    let all_lanes = if strategy == Strategy::Bulk { 2 * lanes } else { lanes };
    transaction
        .execute(
            "INSERT INTO profile_loader.run_lanes (run_id, lane, attempt)
             SELECT $1, n, $2 FROM pg_catalog.generate_series(0, $3 - 1) AS n",
            &[&id, &attempt, &all_lanes],
        )
        .await
        .map_err(failed(what))?;
    let taken = match strategy {
        Strategy::Merge => None,
        Strategy::Bulk => match bulk::take_off(&transaction, id, &key.db_schema).await? {
            Ok(taken) => Some(taken),
            Err(obstacle) => return Ok(Err(obstacle)),
        },
    };
    failpoint("run-beginning");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    let state = |lane| LaneState { lane, ..LaneState::default() };
    let run = Run {
        id,
        attempt,
        key: key.clone(),
        strategy,
        lanes: (0..lanes).map(state).collect(),
        spill_lanes: (lanes..all_lanes).map(state).collect(),
    };
    Ok(Ok(Begun { run, taken }))
}

/// Goes on with a run: whatever an earlier attempt still has under way is ended first.
pub(super) async fn resume(
    client: &mut Object,
    id: i64,
    key: &RunKey,
    input: &InputIdentity,
) -> Result<Run, LoadError> {
    let what = "resuming the run in the ledger";
    end_sessions(client, id).await?;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let head_bytes = i64::try_from(input.head.len()).expect("a head is short");
    let row = transaction
        .query_opt(include_str!("../../sql/runs/resume.sql"), &[&id, &head_bytes, &input.head_digest()])
        .await
        .map_err(failed(what))?;
    let row = row.ok_or_else(|| LoadError::Ledger(format!("run {id} was ended by another")))?;
    let (attempt, lanes): (i32, i32) = (row.get("attempts"), row.get("lanes"));
    let strategy = match row.get("strategy") {
        "bulk" => Strategy::Bulk,
        _ => Strategy::Merge,
    };
    write_inputs(&transaction, id, &input.names).await?;
    transaction
        .execute(include_str!("../../sql/runs/take_lanes.sql"), &[&id, &attempt])
        .await
        .map_err(failed(what))?;
    let rows =
        transaction.query(include_str!("../../sql/runs/lanes.sql"), &[&id]).await.map_err(failed(what))?;
    let states = rows.iter().map(LaneState::of).collect::<Result<Vec<_>, _>>()?;
    let is_whole = (0..).zip(&states).all(|(number, lane)| lane.lane == number);
    let (lanes, all_lanes) = (usize::try_from(lanes).unwrap_or(0), states.len());
    let expected = if strategy == Strategy::Bulk { 2 * lanes } else { lanes };
    if lanes == 0 || !is_whole || all_lanes != expected {
        return Err(LoadError::Ledger(format!("run {id} lacks rows of its lanes")));
    }
    transaction.commit().await.map_err(failed("COMMIT"))?;
    let mut lanes_of_run = states;
    let spill_lanes = lanes_of_run.split_off(lanes);
    Ok(Run { id, attempt, key: key.clone(), strategy, lanes: lanes_of_run, spill_lanes })
}

/// Ends what a killed loader has left on the server.
pub(super) async fn end_sessions(client: &Client, id: i64) -> Result<(), LoadError> {
    for role in [LANE, RESTORE] {
        let name = application_name(id, role);
        client
            .query(include_str!("../../sql/runs/orphans.sql"), &[&name])
            .await
            .map_err(failed("ending the sessions of an earlier attempt"))?;
    }
    Ok(())
}

pub(super) async fn watermarks(client: &Object, id: i64) -> Result<Vec<Watermark>, LoadError> {
    let rows = client
        .query(include_str!("../../sql/runs/lanes.sql"), &[&id])
        .await
        .map_err(failed("reading the run's watermarks"))?;
    let lanes: Result<Vec<_>, _> = rows.iter().map(LaneState::of).collect();
    let row = client
        .query_one("SELECT lanes FROM profile_loader.runs WHERE id = $1", &[&id])
        .await
        .map_err(failed("reading the run's watermarks"))?;
    // Those of further lanes are places in the spill, not in the input.
    let of_input = usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    Ok(lanes?.into_iter().take(of_input).filter_map(|lane| lane.watermark).collect())
}

pub(super) async fn give_up(client: &mut Object, id: i64) -> Result<(), LoadError> {
    let what = "giving the run up in the ledger";
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let update = "UPDATE profile_loader.runs SET state = 'abandoned', ended_at = now() WHERE id = $1";
    transaction.execute(update, &[&id]).await.map_err(failed(what))?;
    forget(&transaction, id).await?;
    transaction.commit().await.map_err(failed("COMMIT"))
}

/// What is only needed to go on with a run.
async fn forget(transaction: &Transaction<'_>, id: i64) -> Result<(), LoadError> {
    for table in ["run_rejections", "run_transactions", "run_spills", "run_ddl"] {
        transaction
            .execute(&format!("DELETE FROM profile_loader.{table} WHERE run_id = $1"), &[&id])
            .await
            .map_err(failed("clearing the ledger of what an unfinished run needs"))?;
    }
    Ok(())
}

/// The role of lanes' sessions in their names.
pub(super) const LANE: &str = "lane";

/// The role of the sessions that bring back what a bulk load has taken off.
pub const RESTORE: &str = "restore";

async fn write_inputs(transaction: &Transaction<'_>, id: i64, names: &[String]) -> Result<(), LoadError> {
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
    Ok(())
}

/// Ends the run or this attempt at it; says so if another attempt has begun meanwhile.
pub(super) async fn finish(client: &mut Object, run: &Run, ending: &Ending) -> Result<(), LoadError> {
    let what = "writing the end of the run to the ledger";
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let [read, accepted, rejected] = ending.documents.map(bigint);
    let ended = transaction
        .execute(
            include_str!("../../sql/runs/finish.sql"),
            &[&run.id, &run.attempt, &ending.state, &read, &accepted, &rejected, &ending.failure],
        )
        .await
        .map_err(failed(what))?;
    if ended != 1 {
        return Err(LoadError::TakenOver { run_id: run.id });
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
    if ending.is_final {
        forget(&transaction, run.id).await?;
    }
    failpoint("run-ending");
    transaction.commit().await.map_err(failed("COMMIT"))
}
