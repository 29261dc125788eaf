//! A run as a value: what it is known by, how far its lanes have come, and how it ended.

use std::collections::HashSet;

use tokio_postgres::Row;

use super::{LoadCounts, LoadError, bulk::Taken};
use crate::{
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
    pub(super) fn on_existing(&self) -> &'static str {
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

    pub(super) fn differs_in(&self, row: &Row) -> Vec<&'static str> {
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
    pub(super) fn head_digest(&self) -> String {
        blake3::hash(&self.head).to_hex().to_string()
    }

    pub(super) fn has_head(&self, bytes: i64, digest: &str) -> bool {
        let head = usize::try_from(bytes).ok().and_then(|bytes| self.head.get(..bytes));
        head.is_some_and(|head| !head.is_empty() && blake3::hash(head).to_hex().as_str() == digest)
    }

    /// Standard input has no name that would tell one input from another.
    pub(super) fn has_names(&self, names: &[String]) -> bool {
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

pub(super) fn application_name(run_id: i64, role: &str) -> String {
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

    pub(super) fn of(row: &Row) -> Result<Self, LoadError> {
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
