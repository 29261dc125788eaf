//! The report of a run, format 2; the terminal summary is drawn from it, and so is every other form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Baseline, Combination, DryRun, Duplicates, ErrorGroup, FieldProfile, FixStep, LineCells, LoadReport,
    PlanShare, Tally, Timeline, fault_groups::SortedGroups, fix_order::fix_order,
};
use crate::map::DocumentMap;

/// Format number of [`RunReport`]; fields are only ever added under one number.
const FORMAT: u32 = 2;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub format: u32,
    pub tool: Tool,
    /// `validate`, `load` or `load --dry-run`.
    pub command: String,
    pub run_id: Option<i64>,
    pub outcome: Outcome,
    pub exit_code: u8,
    /// Why the run stopped before its end, without values.
    pub failure: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub elapsed_seconds: f64,
    /// Options that shape the result, as they were given or by default.
    pub settings: BTreeMap<String, String>,
    /// Name and version of the server; none without one.
    pub database: Option<String>,
    pub schema: SchemaIdentity,
    /// What made the documents out of those of the input: places of faults are places in what it made.
    #[serde(default)]
    pub map: Option<MapIdentity>,
    pub inputs: Vec<Input>,
    /// Of splits of a plan.
    #[serde(default)]
    pub plan: Option<PlanShare>,
    pub documents: DocumentCounts,
    pub load: Option<LoadReport>,
    /// Of `runs retry`.
    #[serde(default)]
    pub retry: Option<RetryOf>,
    /// Where nothing of the load was done.
    #[serde(default)]
    pub dry_run: Option<DryRun>,
    /// Those of most documents first.
    pub errors: Vec<ErrorGroup>,
    /// Faults beyond the groups that are kept; 0 unless a schema has hundreds of rules.
    pub errors_not_listed: u64,
    /// Rejected documents by the groups of faults that they have together.
    pub combinations: Vec<Combination>,
    /// Rejected documents whose combination is not listed.
    pub combinations_not_listed: u64,
    /// In which order fixing one group after another frees most documents.
    pub fix_order: Vec<FixStep>,
    /// Where in the input documents are, and where the rejected ones are.
    pub read_at: LineCells,
    pub rejected_at: LineCells,
    /// What the properties look like; only where a report was requested.
    pub fields: Option<FieldProfile>,
    /// Only where a report was requested.
    pub duplicates: Option<Duplicates>,
    /// An earlier report beside this one.
    #[serde(default)]
    pub baseline: Option<Baseline>,
    pub rejects: Option<RejectFilesReport>,
    pub throughput: Throughput,
    /// None of merged reports.
    pub timeline: Option<Timeline>,
}

/// The run whose rejected documents were loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOf {
    pub run_id: i64,
    /// How many it had rejected.
    pub rejected: u64,
    /// How many of these are loaded now.
    pub fixed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Complete,
    CompleteWithRejects,
    RejectLimit,
    Failed,
    Interrupted,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Complete, Self::CompleteWithRejects, Self::RejectLimit, Self::Failed, Self::Interrupted];

    /// As reports and the ledger have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithRejects => "complete_with_rejects",
            Self::RejectLimit => "reject_limit",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// None where it is the name of none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether the run is over; one that is not can be resumed.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteWithRejects | Self::RejectLimit)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaIdentity {
    /// `built-in`, or the file's path.
    pub source: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapIdentity {
    /// The file's path.
    pub source: String,
    pub sha256: String,
}

impl MapIdentity {
    pub(crate) fn of(map: &DocumentMap) -> Self {
        Self { source: map.source.clone(), sha256: map.sha256.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub source: String,
    /// Decompressed bytes; `null` for a source that was not read to its end.
    pub bytes: Option<u64>,
    pub documents: u64,
    pub rejected: u64,
    /// Documents and blank lines.
    pub lines: u64,
    /// `blake3:` and the hash of the decompressed bytes, in hexadecimal, where they were all read and it was asked for.
    pub digest: Option<String>,
}

/// read = accepted + rejected + dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCounts {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Of which the map made nothing, as it was told to.
    #[serde(default)]
    pub dropped: u64,
    /// Lines without a document.
    pub blank: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectFilesReport {
    pub documents: String,
    pub errors: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    pub documents_per_second: f64,
    pub bytes_per_second: f64,
}

impl RunReport {
    pub const FORMAT: u32 = FORMAT;

    /// Puts in what was found; `inputs` are there already.
    pub(crate) fn set_faults(&mut self, sorted: SortedGroups) {
        let names: Vec<_> = self.inputs.iter().map(|input| input.source.as_str()).collect();
        self.errors_not_listed = sorted.ungrouped_faults;
        self.errors = sorted.groups.into_iter().map(|group| ErrorGroup::of(group, &names)).collect();
        self.combinations = sorted.combinations;
        self.combinations_not_listed = sorted.other_documents;
        let documents: Vec<_> = self.errors.iter().map(|group| group.documents).collect();
        self.fix_order = fix_order(&documents, &self.combinations);
    }

    /// Documents that are loaded, or would be.
    pub(crate) fn settled(&self) -> u64 {
        let open = self.load.as_ref().map_or(0, |load| load.not_loaded + load.unknown);
        self.documents.accepted.saturating_sub(open)
    }

    /// Checks what has to add up; a failure is a bug of ours, and no report is better than a wrong one.
    pub fn assert_adds_up(&self) {
        assert_eq!(self.contradiction(), None, "a report adds up");
    }

    /// What in it contradicts the rest.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let documents = &self.documents;
        let sum = |of: fn(&Input) -> u64| self.inputs.iter().map(of).sum::<u64>();
        let combined: u64 = self.combinations.iter().map(|one| one.documents).sum();
        let refers_to = |at: &usize| *at < self.errors.len();
        let is_input = |input: usize| input < self.inputs.len();
        let settled = self.load.as_ref().is_none_or(|load| {
            load.inserted + load.updated + load.unchanged + load.skipped + load.not_loaded + load.unknown
                == documents.accepted + load.settled_earlier
        });
        let checks = [
            (
                documents.read == documents.accepted + documents.rejected + documents.dropped,
                "read = accepted + rejected + dropped",
            ),
            (documents.read == sum(|input| input.documents), "the documents of the inputs"),
            (documents.rejected == sum(|input| input.rejected), "the rejected documents of the inputs"),
            (documents.rejected == combined + self.combinations_not_listed, "the combinations of faults"),
            (
                [&self.read_at, &self.rejected_at].iter().all(|at| at.has_sources_within(self.inputs.len())),
                "the inputs that documents are in",
            ),
            (documents.read == self.read_at.total(), "where the documents are"),
            (documents.rejected == self.rejected_at.total(), "where the rejected documents are"),
            (
                self.plan.as_ref().is_none_or(|plan| plan.is_sound(self.inputs.len())),
                "the splits of the plan",
            ),
            (settled, "what became of the accepted documents"),
            (
                self.combinations.iter().all(|one| one.errors.iter().all(refers_to)),
                "the combinations' faults",
            ),
            (self.fix_order.iter().all(|step| refers_to(&step.error)), "the order to fix faults in"),
            (
                self.baseline.as_ref().is_none_or(|baseline| baseline.errors.len() == self.errors.len()),
                "the baseline's faults",
            ),
            (
                self.errors.iter().all(|group| {
                    group.at.has_sources_within(self.inputs.len())
                        && is_input(group.first.input)
                        && is_input(group.last.input)
                        && group.samples.iter().all(|sample| is_input(sample.place.input))
                }),
                "the inputs of the faults",
            ),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
    }
}

impl DocumentCounts {
    pub(crate) fn of(tally: &Tally) -> Self {
        let &Tally { read, accepted, rejected, dropped, blank, .. } = tally;
        Self { read, accepted, rejected, dropped, blank }
    }
}

impl Throughput {
    #[expect(clippy::cast_precision_loss, reason = "rates are shown to a few digits")]
    pub fn of(documents: u64, bytes: u64, elapsed_seconds: f64) -> Self {
        let seconds = elapsed_seconds.max(1e-9);
        Self { documents_per_second: documents as f64 / seconds, bytes_per_second: bytes as f64 / seconds }
    }

    /// How many bytes it was in so many seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are shown to a few digits"
    )]
    pub(super) fn bytes(self, elapsed_seconds: f64) -> u64 {
        (self.bytes_per_second * elapsed_seconds.max(1e-9)).round() as u64
    }
}
