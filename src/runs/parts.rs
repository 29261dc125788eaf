//! Runs that load a plan together: one for each part, and the plan's own, which is there before them and ends after them.
//!
//! The row of a part is what makes it loaded once: whoever holds the part's lock finds there that it is done, or where an
//! earlier attempt has stopped. A crash leaves the rows as they are.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    ops::Range,
    path::Path,
    time::Duration,
};

use tokio_postgres::{Client, Row, Transaction};

use super::{RunError, RunKey, failed, ledger::strategy_of, within};
use crate::{path_text::path_text, settings::Strategy};

/// What the ledger has as the part of the plan's own run.
const WHOLE: i32 = -1;

/// How much of the deferred documents goes into a row.
const PIECE_BYTES: u64 = 1 << 20;

/// The parts of a plan that go into one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartRange {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl PartRange {
    pub(crate) fn parts(self) -> Range<u32> {
        self.first..self.first + self.count
    }
}

/// A run that loads some of a plan, or the plan's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfPlan {
    /// The number of the plan's own run.
    pub(crate) whole: i64,
    /// None of the plan's own.
    pub(crate) part: Option<u32>,
}

/// A run of a plan as it stands in the ledger.
#[derive(Debug, Clone)]
pub(crate) struct PlanRun {
    pub(crate) id: i64,
    pub(crate) part: Option<u32>,
    pub(crate) state: String,
    pub(crate) strategy: Strategy,
    /// Settings that are not those at hand.
    pub(crate) differs_in: Vec<&'static str>,
}

impl PlanRun {
    /// Whether all of its documents are loaded, or what can't be is rejected.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state.as_str(), "complete" | "complete_with_rejects")
    }

    /// Whether nothing more is done for it.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_done() || self.state == "reject_limit"
    }

    /// Whether it can be resumed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "running" | "interrupted" | "failed")
    }
}

/// Whether there is a ledger that knows of parts.
pub(crate) async fn are_known(client: &Client) -> Result<bool, RunError> {
    let select = "SELECT pg_catalog.to_regclass('profile_loader.run_parts') IS NOT NULL";
    let row = client.query_one(select, &[]).await.map_err(failed("looking for the ledger"))?;
    Ok(row.get(0))
}

/// The runs of a plan, as far as they are there: its own first. With a part, its own and that of the part.
pub(crate) async fn of_plan(
    client: &Client,
    key: &RunKey,
    plan: &str,
    range: PartRange,
    part: Option<u32>,
) -> Result<Vec<PlanRun>, RunError> {
    let part = part.map(number);
    let rows = client
        .query(include_str!("../../sql/runs/of_plan.sql"), &[&key.db_schema, &plan, &part])
        .await
        .map_err(failed("looking for the runs of the plan in the ledger"))?;
    let run = |row: &Row| {
        let mut differs_in = key.differs_in(row);
        let known = [row.get::<_, i32>("first_part"), row.get("parts")];
        if known != [range.first, range.count].map(number) {
            differs_in.push("range of parts for this database (--targets)");
        }
        Ok(PlanRun {
            id: row.get("id"),
            part: u32::try_from(row.get::<_, i32>("part")).ok(),
            state: row.get("state"),
            strategy: strategy_of(row)?,
            differs_in,
        })
    };
    rows.iter().map(run).collect()
}

/// Writes down which part of which plan a run loads.
pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    run_id: i64,
    db_schema: &str,
    plan: &str,
    part: Option<u32>,
    range: PartRange,
) -> Result<(), RunError> {
    let insert = "INSERT INTO profile_loader.run_parts (run_id, db_schema, plan, part, first_part, parts)
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let part = part.map_or(WHOLE, number);
    let [first, count] = [range.first, range.count].map(number);
    transaction
        .execute(insert, &[&run_id, &db_schema, &plan, &part, &first, &count])
        .await
        .map_err(failed("writing to the ledger which part of the plan the run loads"))?;
    Ok(())
}

/// The plan's own run of one that loads a part, with its number; of other runs none.
pub(crate) async fn whole_of(client: &Client, run_id: i64) -> Result<Option<(OfPlan, Vec<i64>)>, RunError> {
    let rows = client
        .query(
            "SELECT p.run_id, p.part, p.run_id = $1 AS is_it
             FROM profile_loader.run_parts AS p
             JOIN profile_loader.run_parts AS one USING (db_schema, plan)
             WHERE one.run_id = $1 ORDER BY p.part",
            &[&run_id],
        )
        .await
        .map_err(failed("asking which plan the run is of"))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let part = rows.iter().find(|row| row.get("is_it")).map_or(WHOLE, |row| row.get("part"));
    let of_plan = OfPlan { whole: first.get("run_id"), part: u32::try_from(part).ok() };
    Ok(Some((of_plan, rows.iter().skip(1).map(|row| row.get("run_id")).collect())))
}

/// Lets go of a plan that is over, so that it can be loaded anew.
pub(crate) async fn forget(transaction: &Transaction<'_>, whole: i64) -> Result<(), RunError> {
    forget_deferred(transaction, whole).await?;
    let delete = "DELETE FROM profile_loader.run_parts AS p USING profile_loader.run_parts AS one
                  WHERE one.run_id = $1 AND p.db_schema = one.db_schema AND p.plan = one.plan";
    let what = "clearing the ledger of a plan that is over";
    transaction.execute(delete, &[&whole]).await.map_err(failed(what))?;
    Ok(())
}

/// Takes away the deferred documents of a plan.
pub(super) async fn forget_deferred(transaction: &Transaction<'_>, whole: i64) -> Result<(), RunError> {
    let delete = "DELETE FROM profile_loader.run_deferred AS d
                  USING profile_loader.run_parts AS p, profile_loader.run_parts AS one
                  WHERE one.run_id = $1 AND p.db_schema = one.db_schema AND p.plan = one.plan AND d.run_id = p.run_id";
    let what = "clearing the ledger of the deferred documents of a plan";
    transaction.execute(delete, &[&whole]).await.map_err(failed(what))?;
    Ok(())
}

/// The report of a run that is over, as JSON.
pub(crate) async fn report(client: &Client, run_id: i64) -> Result<Option<String>, RunError> {
    let select = "SELECT report FROM profile_loader.run_reports WHERE run_id = $1";
    let row =
        client.query_opt(select, &[&run_id]).await.map_err(failed("reading a report from the ledger"))?;
    Ok(row.map(|row| row.get(0)))
}

/// Keeps the blocks of deferred documents that a file holds; the server may take `answer` for each statement.
pub(super) async fn keep_deferred(
    transaction: &Transaction<'_>,
    run_id: i64,
    path: &Path,
    answer: Duration,
) -> Result<(), RunError> {
    let what = "keeping deferred documents in profile_loader.run_deferred";
    // Written before, where the answer to COMMIT was lost.
    let delete = "DELETE FROM profile_loader.run_deferred WHERE run_id = $1";
    within(answer, transaction.execute(delete, &[&run_id])).await?.map_err(failed(what))?;
    let unreadable = |source: io::Error| RunError::Deferred { path: path_text(path), source };
    let mut file = File::open(path).map_err(unreadable)?;
    for number in 0_i32.. {
        let mut piece = Vec::new();
        (&mut file).take(PIECE_BYTES).read_to_end(&mut piece).map_err(unreadable)?;
        if piece.is_empty() {
            break;
        }
        let insert = "INSERT INTO profile_loader.run_deferred (run_id, number, blocks) VALUES ($1, $2, $3)";
        within(answer, transaction.execute(insert, &[&run_id, &number, &piece]))
            .await?
            .map_err(failed(what))?;
    }
    Ok(())
}

/// Writes the deferred documents of these runs, one after another, to a file.
pub(crate) async fn read_deferred(
    client: &Client,
    runs: &[i64],
    path: &Path,
    answer: Duration,
) -> Result<(), RunError> {
    let what = "reading deferred documents from profile_loader.run_deferred";
    let unwritable = |source: io::Error| RunError::Deferred { path: path_text(path), source };
    let mut file = fs::OpenOptions::new().append(true).open(path).map_err(unwritable)?;
    for run_id in runs {
        for number in 0_i32.. {
            let select = "SELECT blocks FROM profile_loader.run_deferred WHERE run_id = $1 AND number = $2";
            let row =
                within(answer, client.query_opt(select, &[run_id, &number])).await?.map_err(failed(what))?;
            let Some(row) = row else { break };
            file.write_all(row.get(0)).map_err(unwritable)?;
        }
    }
    Ok(())
}

fn number(part: u32) -> i32 {
    i32::try_from(part).expect("few parts")
}
