//! Several reports to one, as if one run had read all of their inputs.

use thiserror::Error;

use super::{
    DryRun, LineCells, LoadReport, Outcome, RunReport, Throughput,
    fault_groups::FaultGroups,
    plan_share::{Placed, Twice},
    tally::CELLS_MAX,
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
    #[error("part {part} is in two of the reports, so its documents would be counted twice")]
    SamePart { part: u64 },
    #[error(
        "reports of checking and of loading a plan add up only where both are whole, and these lack {missing}"
    )]
    NotWhole { missing: String },
    #[error("one report is of checking splits of a plan, and the other of loading its parts")]
    Stages,
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
        self.merge_head(&later);
        self.inputs = inputs;
        self.merge_faults(&later, &mine, &theirs);
        for (cells, later) in [(&mut self.read_at, later.read_at), (&mut self.rejected_at, later.rejected_at)]
        {
            add_cells(cells, later, &mine, &theirs);
        }
        self.fields = both(self.fields.take(), later.fields, |one, other| one.merge(&other));
        self.duplicates = both(self.duplicates.take(), later.duplicates, |one, other| one.merge(&other));
        self.load = both(self.load.take(), later.load, |one, other| one.merge(&other));
        self.retry = None;
        self.dry_run = both(self.dry_run.take(), later.dry_run, DryRun::merge);
        Ok(())
    }

    /// Adds what became of documents that this report of checking has as accepted, as the parts of the plan were loaded.
    pub(crate) fn join(&mut self, loaded: Self) -> Result<(), MergeError> {
        let shares = self.plan.as_ref().zip(loaded.plan.as_ref());
        let (plan, parts) =
            shares.filter(|(one, other)| one.digest == other.digest).ok_or(MergeError::Stages)?;
        if let Some(missing) = plan.not_in_it().or_else(|| parts.not_in_it()) {
            return Err(MergeError::NotWhole { missing });
        }
        let both = parts.parts.clone();
        self.judge_again(loaded);
        if let Some(plan) = &mut self.plan {
            plan.parts = both;
        }
        Ok(())
    }

    /// Adds what became later of documents that this report has as accepted; both have the same inputs.
    pub(crate) fn judge_again(&mut self, later: Self) {
        assert_eq!(self.inputs.len(), later.inputs.len(), "both are of all inputs");
        let at: Vec<_> = (0..self.inputs.len()).collect();
        self.merge_faults(&later, &at, &at);
        add_cells(&mut self.rejected_at, later.rejected_at.clone(), &at, &at);
        for (input, later) in self.inputs.iter_mut().zip(&later.inputs) {
            input.rejected += later.rejected;
        }
        let counted = self.documents;
        let bytes = self.throughput.bytes(self.elapsed_seconds);
        self.merge_head(&Self { throughput: Throughput::of(0, 0, 0.0), ..later.clone() });
        let (later_read, rejected) = (later.documents.read, later.documents.rejected);
        self.documents = counted;
        self.documents.accepted -= rejected;
        self.documents.rejected += rejected;
        self.throughput = Throughput::of(counted.read, bytes, self.elapsed_seconds);
        self.settings.extend(later.settings);
        self.database = later.database;
        later.command.clone_into(&mut self.command);
        self.load = match (self.load.take(), later.load) {
            (Some(mut earlier), Some(later)) => {
                // Those that were deferred.
                earlier.not_loaded = earlier.not_loaded.saturating_sub(later_read);
                earlier.merge(&later);
                Some(earlier)
            }
            (earlier, later) => later.or(earlier),
        };
    }

    fn merge_faults(&mut self, later: &Self, mine: &[usize], theirs: &[usize]) {
        let (mut faults, mut sorted) = (FaultGroups::default(), Vec::new());
        let mut not_listed = self.combinations_not_listed + later.combinations_not_listed;
        faults.ungrouped_faults = self.errors_not_listed + later.errors_not_listed;
        for (report, at) in [(&mut *self, mine), (&mut later.clone(), theirs)] {
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
        let sorted = faults.into_sorted();
        not_listed += sorted.other_documents;
        self.set_faults(sorted);
        self.combinations_not_listed = not_listed;
    }

    /// Takes the inputs of both reports together, and the splits of a plan that both are of.
    fn place_inputs(&mut self, later: &Self) -> Result<Placed, MergeError> {
        let theirs = later.inputs.clone();
        match (&mut self.plan, &later.plan) {
            (Some(plan), Some(other)) if plan.digest == other.digest => {
                if plan.is_of_parts() != other.is_of_parts() {
                    return Err(MergeError::Stages);
                }
                plan.add(other).map_err(|twice| match twice {
                    Twice::Split(split) => MergeError::SameSplit { split },
                    Twice::Part(part) => MergeError::SamePart { part },
                })?;
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
        // What an edited report has may be more than can be counted.
        let bytes = self.throughput.bytes(self.elapsed_seconds);
        let bytes = bytes.saturating_add(later.throughput.bytes(later.elapsed_seconds));
        self.elapsed_seconds += later.elapsed_seconds;
        self.throughput = Throughput::of(documents.read, bytes, self.elapsed_seconds);
        (self.run_id, self.rejects, self.timeline, self.baseline) = (None, None, None, None);
    }
}

fn add_cells(cells: &mut LineCells, later: LineCells, mine: &[usize], theirs: &[usize]) {
    let placed = std::mem::replace(cells, LineCells::new(CELLS_MAX)).at_sources(mine);
    *cells = placed.bounded(CELLS_MAX);
    cells.merge(&later.at_sources(theirs));
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
