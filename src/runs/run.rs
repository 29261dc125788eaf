//! A run as a value: what it is recognised by, its lanes, and how it ended.

use std::path::PathBuf;

use tokio_postgres::Row;

use super::{Confirmed, LaneState, LoadCounts, OfPlan, RunPlan};
use crate::{
    input::{SourceDigest, Watermark},
    report::Outcome,
    settings::{OnExisting, Strategy, StrategyRequest},
};

/// What shapes a run's result, besides its input.
#[derive(Debug, Clone)]
pub(crate) struct RunKey {
    pub(crate) db_schema: String,
    pub(crate) on_existing: OnExisting,
    pub(crate) json_schema_sha256: String,
    pub(crate) map_sha256: Option<String>,
    pub(crate) atomic: bool,
    /// Whichever a run was begun with is gone on with, unless one was asked for.
    pub(crate) strategy: StrategyRequest,
}

/// What an input is recognised by before it is read.
#[derive(Debug, Clone)]
pub(crate) struct InputIdentity {
    pub(crate) sources: Vec<RunSource>,
    /// The first bytes of the decompressed stream.
    pub(crate) head: Vec<u8>,
}

/// A source as the ledger knows it.
#[derive(Debug, Clone)]
pub(crate) struct RunSource {
    /// An absolute path, a URL without its query, or `-` for standard input.
    pub(crate) name: String,
    /// What a server calls the version that was read.
    pub(crate) etag: Option<String>,
}

/// A run that has begun, in this attempt.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) attempt: i32,
    pub(crate) key: RunKey,
    pub(crate) strategy: Strategy,
    pub(crate) plan: RunPlan,
    /// Of a run that loads some of a plan, or a plan's own.
    pub(crate) of_plan: Option<OfPlan>,
    pub(crate) lanes: Vec<LaneState>,
    /// The lanes that merge the deferred documents, where there may be any, as many as there are of the others. Their
    /// watermarks are positions in the spill.
    pub(crate) spill_lanes: Vec<LaneState>,
}

/// A run that did not come to its end and may be of the input at hand.
#[derive(Debug)]
pub(crate) struct UnfinishedRun {
    pub(crate) id: i64,
    pub(crate) strategy: Strategy,
    /// Whether it may have deferred documents.
    pub(crate) defers: bool,
    /// Settings that are not those at hand; nothing can be resumed then.
    pub(crate) differs_in: Vec<&'static str>,
    pub(crate) has_same_names: bool,
    pub(crate) has_same_head: bool,
}

/// How a run, or an attempt at it, ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// Read, accepted, rejected.
    pub(crate) documents: [u64; 3],
    pub(crate) failure: Option<String>,
    /// Once everything that earlier attempts had read is known to be in them.
    pub(crate) sources: Option<Vec<RunSource>>,
    /// Of the sources that were read to their end.
    pub(crate) digests: Vec<SourceDigest>,
    /// Of a run that is over, as JSON.
    pub(crate) report: Option<String>,
    /// Of a run that is over, the file with the records of its rejected documents, where the ledger is to have these.
    pub(crate) rejected: Option<PathBuf>,
    /// Blocks of documents that a part of a bulk load leaves to the plan's own run.
    pub(crate) deferred: Option<PathBuf>,
    /// What has to be there for it to be complete.
    pub(crate) confirmed: Option<Confirmed>,
}

/// What a session of a run is for; part of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionRole {
    Control,
    Lane,
    Restore,
    Watch,
}

/// What stands between the digests of JSON Schema and map.
const BEFORE_MAP: &str = " map ";

/// The digests of JSON Schema and map, of what the ledger has.
pub(crate) fn split_rules(rules: &str) -> (&str, Option<&str>) {
    match rules.split_once(BEFORE_MAP) {
        Some((schema, map)) => (schema, Some(map)),
        None => (rules, None),
    }
}

impl RunKey {
    pub(crate) fn on_existing(&self) -> &'static str {
        match self.on_existing {
            OnExisting::Reject => "reject",
            OnExisting::Skip => "skip",
            OnExisting::Update => "update",
        }
    }

    /// What the ledger has in its column `json_schema_sha256`. A release that knows no maps takes it for another schema.
    pub(crate) fn rules_sha256(&self) -> String {
        match &self.map_sha256 {
            None => self.json_schema_sha256.clone(),
            Some(map) => format!("{}{BEFORE_MAP}{map}", self.json_schema_sha256),
        }
    }

    fn takes_strategy(&self, name: &str) -> bool {
        match self.strategy {
            StrategyRequest::Auto => true,
            StrategyRequest::Only(strategy) => strategy.name() == name,
        }
    }

    pub(crate) fn differs_in(&self, row: &Row) -> Vec<&'static str> {
        let (schema, map) = split_rules(row.get("json_schema_sha256"));
        let is_same = |column, wanted: &str| row.get::<_, &str>(column) == wanted;
        [
            ("--strategy", self.takes_strategy(row.get("strategy"))),
            ("--atomic", row.get::<_, bool>("atomic") == self.atomic),
            ("--on-existing", is_same("on_existing", self.on_existing())),
            ("the JSON Schema", schema == self.json_schema_sha256),
            ("--map", map == self.map_sha256.as_deref()),
            ("the version of profile-loader", is_same("tool_version", env!("CARGO_PKG_VERSION"))),
        ]
        .into_iter()
        .filter_map(|(name, is_same)| (!is_same).then_some(name))
        .collect()
    }
}

impl InputIdentity {
    pub(crate) fn head_digest(&self) -> String {
        blake3::hash(&self.head).to_hex().to_string()
    }

    pub(crate) fn has_head(&self, bytes: i64, digest: &str) -> bool {
        let head = usize::try_from(bytes).ok().and_then(|bytes| self.head.get(..bytes));
        head.is_some_and(|head| !head.is_empty() && blake3::hash(head).to_hex().as_str() == digest)
    }

    /// Standard input has no name that would tell one input from another.
    pub(crate) fn has_names(&self, names: &[String]) -> bool {
        let is_same = self.sources.iter().map(|source| &source.name).eq(names);
        is_same && !names.iter().any(|name| name == "-")
    }
}

impl Run {
    /// What the input still has to hold.
    pub(crate) fn watermarks(&self) -> Vec<Watermark> {
        self.lanes.iter().filter_map(|lane| lane.watermark.clone()).collect()
    }

    /// What earlier attempts committed.
    pub(crate) fn counts(&self) -> LoadCounts {
        counts_of(&self.lanes)
    }

    /// What earlier attempts committed of the deferred documents.
    pub(crate) fn spill_counts(&self) -> LoadCounts {
        counts_of(&self.spill_lanes)
    }

    /// What all of its lanes have loaded, as its attempts were told.
    pub(crate) fn confirmed(&self, counts: LoadCounts) -> Confirmed {
        Confirmed { lanes: i32::MAX, ..self.confirmed_input(counts) }
    }

    /// The same of those that load the input, without deferred documents.
    pub(crate) fn confirmed_input(&self, counts: LoadCounts) -> Confirmed {
        let lanes = i32::try_from(self.lanes.len()).expect("few lanes");
        Confirmed { run_id: self.id, lanes, counts }
    }

    /// Whether it restores what was dropped of the tables, and merges documents that were deferred, once its input is loaded.
    pub(crate) fn ends_bulk(&self) -> bool {
        self.strategy == Strategy::Bulk && self.of_plan.is_none()
    }

    /// Whether its deferred documents are left to the plan's own run.
    pub(crate) fn leaves_deferred(&self) -> bool {
        self.plan.copies && self.of_plan.is_some_and(|of_plan| of_plan.part.is_some())
    }

    /// Whether it is the plan's own run.
    pub(crate) fn is_whole_plan(&self) -> bool {
        self.of_plan.is_some_and(|of_plan| of_plan.part.is_none())
    }

    /// The number of the run that is abandoned where this one is not to be resumed.
    pub(crate) fn to_abandon(&self) -> i64 {
        self.of_plan.map_or(self.id, |of_plan| of_plan.whole)
    }

    /// How its lanes write.
    pub(crate) fn lane_strategy(&self) -> Strategy {
        if self.plan.copies { Strategy::Bulk } else { Strategy::Merge }
    }

    /// The part of the run that merges the documents that were deferred.
    #[must_use]
    pub(crate) fn of_spill(&self) -> Self {
        Self { lanes: self.spill_lanes.clone(), spill_lanes: Vec::new(), ..self.clone() }
    }

    /// The name of its sessions.
    pub(crate) fn application_name(&self, role: SessionRole) -> String {
        role.application_name(self.id)
    }
}

impl SessionRole {
    pub(crate) fn application_name(self, run_id: i64) -> String {
        let role = match self {
            Self::Control => "control",
            Self::Lane => "lane",
            Self::Restore => "restore",
            Self::Watch => "watch",
        };
        format!("profile-loader run {run_id} {role}")
    }
}

fn counts_of(lanes: &[LaneState]) -> LoadCounts {
    let mut counts = LoadCounts::default();
    lanes.iter().for_each(|lane| counts.add(lane.counts));
    counts
}
