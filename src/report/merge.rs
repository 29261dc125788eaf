//! Several reports to one, as if one run had read all of their inputs.

use thiserror::Error;

use super::{
    DryRun, LineCells, LoadReport, Outcome, RunReport, Throughput, fault_groups::FaultGroups,
    plan_share::Placed, tally::CELLS_MAX,
};

/// Why reports can't be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    #[error(
        "the reports are of different JSON Schemas ({one} and {other}), so their faults can't be compared"
    )]
    Schemas { one: String, other: String },
    #[error(
        "one report tells what a load did, and another what one would do; only reports of a kind can be added up"
    )]
    DryRun,
    #[error("split {split} is in two of the reports, so its documents would be counted twice")]
    SameSplit { split: u64 },
}

impl RunReport {
    /// Adds the report of what comes behind in the input. What can't be known of both together is none: the run's id,
    /// its reject files, documents over time.
    ///
    /// Reports of splits of one plan may come in any order; what they are of is told with them.
    pub fn merge(&mut self, later: Self) -> Result<(), MergeError> {
        if self.schema.sha256 != later.schema.sha256 {
            let name =
                |report: &Self| format!("{}, SHA-256 {:.12}…", report.schema.source, report.schema.sha256);
            return Err(MergeError::Schemas { one: name(self), other: name(&later) });
        }
        if self.load.is_some() && later.load.is_some() && self.dry_run.is_some() != later.dry_run.is_some() {
            return Err(MergeError::DryRun);
        }
        let Placed { mine, theirs, inputs } = self.place_inputs(&later)?;
        let (mut faults, mut sorted) = (FaultGroups::default(), Vec::new());
        let mut not_listed = self.combinations_not_listed + later.combinations_not_listed;
        faults.ungrouped_faults = self.errors_not_listed + later.errors_not_listed;
        for (report, at) in [(&mut *self, &mine), (&mut later.clone(), &theirs)] {
            let groups = std::mem::take(&mut report.errors).into_iter();
            let index: Vec<_> = groups.map(|group| faults.merge_group(group.into_group(at))).collect();
            for one in &report.combinations {
                sorted.push((
                    one.errors.iter().map(|at| index[*at]).collect::<Option<Vec<_>>>(),
                    one.documents,
                ));
            }
        }
        for (mut groups, documents) in sorted {
            groups.iter_mut().for_each(|groups| groups.sort_unstable());
            faults.add_combination(groups, documents);
        }
        self.merge_head(&later);
        self.inputs = inputs;
        for (cells, later) in [(&mut self.read_at, later.read_at), (&mut self.rejected_at, later.rejected_at)]
        {
            let placed = std::mem::replace(cells, LineCells::new(CELLS_MAX)).at_sources(&mine);
            *cells = placed.bounded(CELLS_MAX);
            cells.merge(&later.at_sources(&theirs));
        }
        let sorted = faults.into_sorted();
        not_listed += sorted.other_documents;
        self.set_faults(sorted);
        self.combinations_not_listed = not_listed;
        self.fields = both(self.fields.take(), later.fields, |one, other| one.merge(&other));
        self.duplicates = both(self.duplicates.take(), later.duplicates, |one, other| one.merge(&other));
        self.load = both(self.load.take(), later.load, |one, other| one.merge(&other));
        self.retry = None;
        self.dry_run = both(self.dry_run.take(), later.dry_run, DryRun::merge);
        Ok(())
    }

    /// Takes the inputs of both reports together, and the splits of a plan that both are of.
    fn place_inputs(&mut self, later: &Self) -> Result<Placed, MergeError> {
        let theirs = later.inputs.clone();
        match (&mut self.plan, &later.plan) {
            (Some(plan), Some(other)) if plan.digest == other.digest => {
                plan.add(other).map_err(|split| MergeError::SameSplit { split })?;
                Ok(plan.place(std::mem::take(&mut self.inputs), other, theirs))
            }
            (plan, _) => {
                *plan = None;
                Ok(Placed::behind(std::mem::take(&mut self.inputs), theirs))
            }
        }
    }

    fn merge_head(&mut self, later: &Self) {
        if self.command != later.command {
            "merge".clone_into(&mut self.command);
        }
        if worse(later.outcome) > worse(self.outcome) {
            (self.outcome, self.exit_code) = (later.outcome, later.exit_code);
        }
        self.failure = self.failure.take().or_else(|| later.failure.clone());
        if later.started_at < self.started_at {
            self.started_at.clone_from(&later.started_at);
        }
        self.settings.retain(|name, value| later.settings.get(name) == Some(value));
        if self.database != later.database {
            self.database = None;
        }
        let documents = &mut self.documents;
        documents.read += later.documents.read;
        documents.accepted += later.documents.accepted;
        documents.rejected += later.documents.rejected;
        documents.dropped += later.documents.dropped;
        documents.blank += later.documents.blank;
        let bytes =
            self.throughput.bytes(self.elapsed_seconds) + later.throughput.bytes(later.elapsed_seconds);
        self.elapsed_seconds += later.elapsed_seconds;
        self.throughput = Throughput::of(documents.read, bytes, self.elapsed_seconds);
        (self.run_id, self.rejects, self.timeline, self.baseline) = (None, None, None, None);
    }
}

/// How bad an outcome is for what it is merged into.
fn worse(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Complete => 0,
        Outcome::CompleteWithRejects => 1,
        Outcome::RejectLimit => 2,
        Outcome::Interrupted => 3,
        Outcome::Failed => 4,
    }
}

/// What is known of both; none where it is not known of one.
fn both<T>(one: Option<T>, other: Option<T>, merge: impl FnOnce(&mut T, T)) -> Option<T> {
    let (mut one, other) = (one?, other?);
    merge(&mut one, other);
    Some(one)
}

impl LoadReport {
    fn merge(&mut self, other: &Self) {
        if self.strategy != other.strategy {
            self.strategy = "several".into();
        }
        self.connections = self.connections.max(other.connections);
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.not_loaded += other.not_loaded;
        self.unknown += other.unknown;
        self.settled_earlier += other.settled_earlier;
        self.retries += other.retries;
        self.rows.add(other.rows);
    }
}
