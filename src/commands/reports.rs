//! `report`: draw JSON reports again, or add several up.

use std::path::PathBuf;

use super::{
    failure::{Failure, exit},
    output::{Output, print},
};
use crate::report::{RunReport, summary, write_report_file};

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
    let read = |path: &PathBuf| RunReport::from_file(path).map_err(|error| Failure::of(exit::USAGE, error));
    let mut reports: Vec<_> = request.reports.iter().map(read).collect::<Result<_, _>>()?;
    // Names of files may sort split 10 before split 2; what is bounded keeps what comes first in the input.
    if reports.iter().all(|report| report.plan.is_some()) {
        reports.sort_by_key(|report| report.plan.as_ref().and_then(|plan| plan.of.first().copied()));
    }
    let mut merged: Option<RunReport> = None;
    for report in reports {
        match &mut merged {
            None => merged = Some(report),
            Some(merged) => merged.merge(report).map_err(|error| Failure::of(exit::USAGE, error))?,
        }
    }
    let report = merged.ok_or_else(|| Failure::new(exit::USAGE, "no report is named"))?;
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
