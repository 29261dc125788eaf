//! The runs in the ledger: finding the one that a command goes on with, beginning it, ending it.
//!
//! A run is what one input, loaded with one set of settings, comes to, in however many attempts. A crash leaves
//! it as `running`, with watermarks that tell what is loaded.

use std::collections::HashSet;

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::{Client, Row};

use super::{
    LoadCounts, LoadError,
    bulk::{self, Obstacle, Taken},
    failed,
    transaction::bigint,
};
use crate::{
    failpoint,
    input::{Position, SourceDigest, Watermark},
    report::RowCounts,
    settings::{OnExisting, Strategy, StrategyWish},
};

/// What shapes a run's result, besides its input.
#[derive(Debug, Clone)]
pub struct RunKey {
    pub db_schema: String,
    pub on_existing: OnExisting,
    pub json_schema_sha256: String,
    pub atomic: bool,
    /// Whichever a run was begun with is gone on with, unless one was asked for.
    pub strategy: StrategyWish,
}

/// What an input is recognised by before it is read.
#[derive(Debug, Clone)]
pub struct InputIdentity {
    /// Absolute paths, `-` for standard input.
    pub names: Vec<String>,
    /// The first bytes of the decompressed stream.
    pub head: Vec<u8>,
}

/// A run that has begun, in this attempt.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: i64,
    pub attempt: i32,
    pub key: RunKey,
    pub strategy: Strategy,
    pub lanes: Vec<LaneState>,
    /// Of a bulk load: the lanes that merge what was put off, as many as there are of the others. Their
    /// watermarks are places in the spill.
    pub spill_lanes: Vec<LaneState>,
}

/// A run that was begun, and what was taken off the tables for it.
#[derive(Debug)]
pub struct Begun {
    pub run: Run,
    pub taken: Option<Taken>,
}

/// How far a lane has come.
#[derive(Debug, Clone, Default)]
pub struct LaneState {
    pub lane: i32,
    pub watermark: Option<Watermark>,
    pub counts: LoadCounts,
    /// Of them, rejections that stand in the ledger from earlier attempts.
    pub(super) rejected_before: u64,
    /// Whether the ledger keeps documents that the server refused in bulk.
    pub(super) has_spills: bool,
    /// Transactions that inserted profiles, as the rows' `xmin` has them.
    pub(super) own_transactions: HashSet<u32>,
}

/// A run that did not come to its end and may be of the input at hand.
#[derive(Debug)]
pub struct Unfinished {
    pub id: i64,
    /// Settings that are not those at hand; nothing can be resumed then.
    pub differs_in: Vec<&'static str>,
    pub has_same_names: bool,
    pub has_same_head: bool,
}

/// How a run, or an attempt at it, ended.
#[derive(Debug)]
pub struct Ending {
    pub state: &'static str,
    /// Whether it is not to be resumed.
    pub is_final: bool,
    /// Read, accepted, rejected.
    pub documents: [u64; 3],
    pub failure: Option<String>,
    /// Of the sources that were read to their end.
    pub digests: Vec<SourceDigest>,
}

impl RunKey {
    fn on_existing(&self) -> &'static str {
        match self.on_existing {
            OnExisting::Reject => "reject",
            OnExisting::Skip => "skip",
            OnExisting::Update => "update",
        }
    }

    fn takes_strategy(&self, name: &str) -> bool {
        match self.strategy {
            StrategyWish::Auto => true,
            StrategyWish::Only(strategy) => strategy.name() == name,
        }
    }

    fn differs_in(&self, row: &Row) -> Vec<&'static str> {
        let is_same = |column, wanted: &str| row.get::<_, &str>(column) == wanted;
        [
            ("--strategy", self.takes_strategy(row.get("strategy"))),
            ("--atomic", row.get::<_, bool>("atomic") == self.atomic),
            ("--on-existing", is_same("on_existing", self.on_existing())),
            ("the JSON Schema", is_same("json_schema_sha256", &self.json_schema_sha256)),
            ("the version of profile-loader", is_same("tool_version", env!("CARGO_PKG_VERSION"))),
        ]
        .into_iter()
        .filter_map(|(name, is_same)| (!is_same).then_some(name))
        .collect()
    }
}

impl InputIdentity {
    fn head_digest(&self) -> String {
        blake3::hash(&self.head).to_hex().to_string()
    }

    fn has_head(&self, bytes: i64, digest: &str) -> bool {
        let head = usize::try_from(bytes).ok().and_then(|bytes| self.head.get(..bytes));
        head.is_some_and(|head| !head.is_empty() && blake3::hash(head).to_hex().as_str() == digest)
    }

    /// Standard input has no name that would tell one input from another.
    fn has_names(&self, names: &[String]) -> bool {
        self.names == names && !names.iter().any(|name| name == "-")
    }
}

impl Run {
    pub fn is_resumed(&self) -> bool {
        self.attempt > 1
    }

    /// What the input has to hold still.
    pub fn watermarks(&self) -> Vec<Watermark> {
        self.lanes.iter().filter_map(|lane| lane.watermark.clone()).collect()
    }

    /// What earlier attempts settled.
    pub fn counts(&self) -> LoadCounts {
        counts_of(&self.lanes)
    }

    /// What earlier attempts settled of what was put off.
    pub fn spill_counts(&self) -> LoadCounts {
        counts_of(&self.spill_lanes)
    }

    /// The part of the run that merges what a bulk load has put off.
    #[must_use]
    pub fn of_spill(&self) -> Self {
        Self { lanes: self.spill_lanes.clone(), spill_lanes: Vec::new(), ..self.clone() }
    }

    /// The name of its sessions.
    pub fn application_name(&self, role: &str) -> String {
        application_name(self.id, role)
    }
}

fn counts_of(lanes: &[LaneState]) -> LoadCounts {
    let mut counts = LoadCounts::default();
    lanes.iter().for_each(|lane| counts.add(lane.counts));
    counts
}

fn application_name(run_id: i64, role: &str) -> String {
    format!("profile-loader run {run_id} {role}")
}

impl LaneState {
    /// What the input up to the watermark costs.
    pub fn cost_bytes(&self) -> u64 {
        self.watermark.as_ref().map_or(0, |watermark| watermark.cost_bytes)
    }

    /// Whether everything before `position` is settled.
    pub(super) fn has_passed(&self, position: Position) -> bool {
        self.watermark.as_ref().is_some_and(|watermark| position <= watermark.position)
    }

    pub(super) fn advance(&mut self, watermark: Watermark, counts: LoadCounts, transactions: &[u32]) {
        self.watermark = Some(watermark);
        self.counts.add(counts);
        self.own_transactions.extend(transactions);
    }

    fn of(row: &Row) -> Result<Self, LoadError> {
        let lane: i32 = row.get("lane");
        let strange = || LoadError::Ledger(format!("the row of lane {lane} makes no sense"));
        let count = |column: &str| u64::try_from(row.get::<_, i64>(column)).map_err(|_| strange());
        let place: (Option<i32>, Option<i64>) = (row.get("source"), row.get("byte_offset"));
        let watermark = match (place, row.get::<_, Option<String>>("digest")) {
            ((Some(source), Some(byte_offset)), Some(digest)) => {
                let source = usize::try_from(source).map_err(|_| strange())?;
                let byte_offset = u64::try_from(byte_offset).map_err(|_| strange())?;
                let position = Position { source, byte_offset };
                Some(Watermark { position, digest, cost_bytes: count("cost_bytes")? })
            }
            ((None, None), None) => None,
            _ => return Err(strange()),
        };
        let rows = RowCounts {
            customer_profiles: count("profile_rows")?,
            customer_profile_addresses: count("address_rows")?,
            customer_profile_emails: count("email_rows")?,
            customer_profile_phone_numbers: count("phone_number_rows")?,
        };
        let counts = LoadCounts {
            inserted: count("inserted")?,
            updated: count("updated")?,
            unchanged: count("unchanged")?,
            skipped: count("skipped")?,
            rejected: count("rejected")?,
            rows,
        };
        let xids: Vec<i64> = row.get("own_transactions");
        let own_transactions: Result<_, _> = xids.into_iter().map(u32::try_from).collect();
        let own_transactions = own_transactions.map_err(|_| strange())?;
        let (rejected_before, has_spills) = (counts.rejected, row.get("has_spills"));
        Ok(Self { lane, watermark, counts, rejected_before, has_spills, own_transactions })
    }
}

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
