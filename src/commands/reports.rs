//! `report`: draw JSON reports again, or add several up.

use std::path::PathBuf;

use super::{
    failure::{Failure, exit},
    output::{Output, print},
};
use crate::report::{PlanShare, RunReport, read_plan_share, summary, write_report_file};

/// Which reports, and what becomes of them.
#[derive(Debug)]
pub(crate) struct ReportsRequest {
    /// JSON reports; several are added up in this order.
    pub(crate) reports: Vec<PathBuf>,
    /// Files to write, each in the form that its name tells.
    pub(crate) files: Vec<PathBuf>,
    /// What standard output gets; nothing where files are written and nobody asked for it.
    pub(crate) output: Option<Output>,
}

pub(crate) fn reports(request: &ReportsRequest) -> Result<u8, Failure> {
    let report = merge_files(&request.reports)?;
    for path in &request.files {
        write_report_file(&report, path).map_err(|error| Failure::of(exit::TEMPORARY, error))?;
    }
    match request.output {
        Some(Output::Text) => print(&summary(&report))?,
        Some(Output::Json) => print(&report.to_json())?,
        None => {}
    }
    Ok(exit::COMPLETE)
}

/// Adds reports up. Those of checking a plan's splits and of loading its parts tell two things of the same documents.
pub(super) fn merge_files(paths: &[PathBuf]) -> Result<RunReport, Failure> {
    let mut checked: Vec<RunReport> = Vec::new();
    let mut loaded = Vec::new();
    for group in in_groups(paths) {
        let mut of_group: Option<RunReport> = None;
        for path in group {
            let report = RunReport::from_file(path).map_err(|error| Failure::of(exit::USAGE, error))?;
            add(&mut of_group, report)?;
        }
        let is_of_parts = |report: &RunReport| report.plan.as_ref().is_some_and(PlanShare::is_of_parts);
        match of_group {
            Some(report) if is_of_parts(&report) => loaded.push(report),
            report => checked.extend(report),
        }
    }
    for report in loaded {
        let plan = report.plan.as_ref().map(|plan| &plan.digest);
        let same = checked.iter_mut().find(|checked| checked.plan.as_ref().map(|plan| &plan.digest) == plan);
        match same {
            Some(checked) => checked.join(report).map_err(|error| Failure::of(exit::USAGE, error))?,
            None => checked.push(report),
        }
    }
    let mut merged = None;
    checked.into_iter().try_for_each(|report| add(&mut merged, report))?;
    merged.ok_or_else(|| Failure::new(exit::USAGE, "no report is named"))
}

fn add(merged: &mut Option<RunReport>, report: RunReport) -> Result<(), Failure> {
    match merged {
        None => *merged = Some(report),
        Some(merged) => merged.merge(report).map_err(|error| Failure::of(exit::USAGE, error))?,
    }
    Ok(())
}

/// Reports of one plan, with the first split of each; or another report.
struct Group<'p> {
    /// Its digest, and whether they are of its parts.
    plan: Option<(String, bool)>,
    reports: Vec<(Option<u64>, &'p PathBuf)>,
}

/// Reports of one plan together, where the first of them stands, by their splits: names of files may sort split 10 before
/// split 2, and where something has a bound, what comes first in the input is kept.
fn in_groups<'p>(paths: &'p [PathBuf]) -> Vec<Vec<&'p PathBuf>> {
    let mut groups: Vec<Group<'p>> = Vec::new();
    for path in paths {
        let share = read_plan_share(path);
        let of = share.as_ref().map(|share| share.parts.as_ref().map_or(&share.of, |parts| &parts.of));
        let first = of.and_then(|of| of.first().map(|(first, _)| *first));
        let plan =
            share.map(|share| (share.is_of_parts(), share.digest)).map(|(parts, digest)| (digest, parts));
        match groups.iter_mut().find(|group| plan.is_some() && group.plan == plan) {
            Some(group) => group.reports.push((first, path)),
            None => groups.push(Group { plan, reports: vec![(first, path)] }),
        }
    }
    let in_order = |mut group: Group<'p>| {
        group.reports.sort_by_key(|(first, _)| *first);
        group.reports.into_iter().map(|(_, path)| path).collect()
    };
    groups.into_iter().map(in_order).collect()
}
