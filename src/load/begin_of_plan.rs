//! Beginning the runs that load a plan together, in one transaction each: the plan's own, which drops what a bulk load does
//! without, and those of its parts.
//!
//! A crash leaves a run with its row in `run_parts`, or neither.

use tokio_postgres::{Client, Transaction};

use super::{
    begin::BegunRun,
    bulk::{self, Obstacle},
    merge,
};
use crate::{
    failpoint,
    runs::{
        InputIdentity, OfPlan, PartRange, RunError, RunKey, RunPlan, RunSource, failed, ledger, parts, plan,
    },
    settings::Strategy,
};

/// The plan's own runs are begun one at a time: the first key of a lock, `prlb`.
const BEGIN_CLASS: i32 = i32::from_be_bytes(*b"prlb");

/// How much of a plan's digest names it.
const DIGEST_SHOWN: usize = 12;

/// A run that loads some of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewOfPlan<'a> {
    pub(crate) key: &'a RunKey,
    pub(crate) strategy: Strategy,
    pub(crate) lanes: usize,
    /// The plan's digest.
    pub(crate) plan: &'a str,
    /// How many parts it has.
    pub(crate) parts: u32,
    /// Those that go into this database.
    pub(crate) range: PartRange,
    /// None for the plan's own run.
    pub(crate) part: Option<u32>,
    /// The plan's own run, where it has begun; one that is over and is to be loaded anew, where there is no part.
    pub(crate) whole: Option<i64>,
}

/// Begins a new run of a plan. The first part of a plan that merges begins the plan's own run as well, where nobody has.
pub(crate) async fn begin_of_plan(
    client: &mut Client,
    new: NewOfPlan<'_>,
) -> Result<Result<BegunRun, Obstacle>, RunError> {
    let NewOfPlan { key, strategy, .. } = new;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let drops = new.part.is_none() && strategy == Strategy::Bulk;
    if drops && let Some(obstacle) = bulk::lock_tables(&transaction, &key.db_schema).await? {
        return Ok(Err(obstacle));
    }
    let clashes = merge::constraints(&transaction, &key.db_schema).await?;
    let clashes: Vec<_> =
        clashes.into_iter().map(|clash| format!("{} of table {}", clash.name, clash.table)).collect();
    let in_order = !clashes.is_empty();
    if in_order && new.parts > 1 {
        return Err(RunError::InOrder { constraints: clashes.join(", ") });
    }
    if drops {
        if in_order {
            return Ok(Err(Obstacle::BetweenProfiles { constraint: clashes.join(", ") }));
        }
        let triggers = bulk::insert_triggers(&transaction, &key.db_schema).await?;
        if let Some((trigger, table)) = triggers.into_iter().next() {
            return Ok(Err(Obstacle::Trigger { trigger, table: table.name().to_owned() }));
        }
    }
    let begun = match new.part {
        None => {
            if let Some(over) = new.whole {
                parts::forget(&transaction, over).await?;
            }
            begin_whole(&transaction, new, in_order).await?
        }
        Some(_) => {
            let whole = match new.whole {
                Some(whole) => whole,
                None => whole_of_first(&transaction, new, in_order).await?,
            };
            begin_part(&transaction, new, whole, in_order).await?
        }
    };
    failpoint("run-beginning");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Ok(BegunRun { clashes, ..begun }))
}

/// The plan's own run, which another part may begin at the same moment.
async fn whole_of_first(
    transaction: &Transaction<'_>,
    new: NewOfPlan<'_>,
    in_order: bool,
) -> Result<i64, RunError> {
    let what = "looking for the plan's own run";
    let lock = "SELECT pg_catalog.pg_advisory_xact_lock($1, pg_catalog.hashtext($2))";
    transaction.query_one(lock, &[&BEGIN_CLASS, &new.plan]).await.map_err(failed(what))?;
    let find = "SELECT run_id FROM profile_loader.run_parts WHERE db_schema = $1 AND plan = $2 AND part = -1";
    let found = transaction.query_opt(find, &[&new.key.db_schema, &new.plan]).await.map_err(failed(what))?;
    match found {
        Some(row) => Ok(row.get(0)),
        None => Ok(begin_whole(transaction, NewOfPlan { part: None, ..new }, in_order).await?.run.id),
    }
}

async fn begin_whole(
    transaction: &Transaction<'_>,
    new: NewOfPlan<'_>,
    in_order: bool,
) -> Result<BegunRun, RunError> {
    let NewOfPlan { key, strategy, lanes, .. } = new;
    // It loads what bulk loads of parts leave to it, by merging.
    let how = RunPlan { copies: false, in_order: false, defers: false };
    let lanes = if in_order { 1 } else { lanes };
    let mut run = ledger::insert(transaction, key, strategy, how, lanes, &identity(new)).await?;
    let dropped = match strategy {
        Strategy::Merge => None,
        Strategy::Bulk => Some(bulk::drop_ddl(transaction, run.id, &key.db_schema, true, Vec::new()).await?),
    };
    plan::write(transaction, run.id, how, dropped.as_ref().map_or("[]", |dropped| &dropped.objects)).await?;
    parts::insert(transaction, run.id, &key.db_schema, new.plan, None, new.range).await?;
    run.of_plan = Some(OfPlan { whole: run.id, part: None });
    Ok(BegunRun { run, dropped, clashes: Vec::new() })
}

async fn begin_part(
    transaction: &Transaction<'_>,
    new: NewOfPlan<'_>,
    whole: i64,
    in_order: bool,
) -> Result<BegunRun, RunError> {
    let NewOfPlan { key, strategy, lanes, part, .. } = new;
    let copies = strategy == Strategy::Bulk;
    let how = RunPlan { copies, in_order, defers: copies || in_order };
    let lanes = if in_order { 1 } else { lanes };
    let mut run = ledger::insert(transaction, key, strategy, how, lanes, &identity(new)).await?;
    plan::write(transaction, run.id, how, "[]").await?;
    parts::insert(transaction, run.id, &key.db_schema, new.plan, part, new.range).await?;
    run.of_plan = Some(OfPlan { whole, part });
    Ok(BegunRun { run, dropped: None, clashes: Vec::new() })
}

/// What the ledger shows as its input. No other load is taken for one of this input.
fn identity(new: NewOfPlan<'_>) -> InputIdentity {
    let plan = &new.plan[..DIGEST_SHOWN];
    let name = match new.part {
        None if new.range.count == new.parts => format!("plan {plan}, all {} parts", new.parts),
        None => {
            let PartRange { first, count } = new.range;
            format!("plan {plan}, parts {first} to {} of {}", first + count - 1, new.parts)
        }
        Some(part) => format!("plan {plan}, part {part} of {}", new.parts),
    };
    InputIdentity { sources: vec![RunSource { name, etag: None }], head: Vec::new() }
}
