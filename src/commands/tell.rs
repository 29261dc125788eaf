//! Gives a report out: to files, and to standard output as a summary or as JSON.

use std::path::PathBuf;

use super::{
    failure::{Failure, exit},
    output::{Output, print, print_result},
};
use crate::{
    console::Console,
    report::{Outcome, RunReport, summary, write_metrics_file, write_report_file},
};

/// Who gets the report.
#[derive(Debug)]
pub(crate) struct ReportOutput {
    /// Files that get the report, each in the form that its name tells.
    pub(crate) reports: Vec<PathBuf>,
    /// The file for Prometheus.
    pub(crate) metrics: Option<PathBuf>,
    pub(crate) output: Output,
    pub(crate) console: Console,
}

impl ReportOutput {
    /// The files that are written at the end.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.reports.iter().chain(&self.metrics)
    }

    /// The result is given out even when a report file can't be written; then that is what the run failed at. Returns
    /// the reason why not everyone has got it, unless the run has ended for another reason before.
    pub(super) fn tell(&self, report: &RunReport) -> Result<(), Failure> {
        let reports = self.reports.iter().map(|path| write_report_file(report, path));
        let metrics = self.metrics.iter().map(|path| write_metrics_file(report, path));
        let unwritten = reports.chain(metrics).filter_map(Result::err);
        let mut untold: Vec<_> = unwritten.map(|error| Failure::of(exit::TEMPORARY, error)).collect();
        if let Some(failure) = &report.failure {
            self.console.error(failure);
        }
        let text = match self.output {
            Output::Text => summary(report),
            Output::Json => report.to_json(),
        };
        // A check has its exit code to tell; a load whose result nobody got is not over.
        let printed = if report.load.is_some() { print_result(&text) } else { print(&text) };
        untold.extend(printed.err());
        // The last one is shown by who ends the program.
        let is_reason = !matches!(report.outcome, Outcome::Failed | Outcome::Interrupted);
        let reason = if is_reason { untold.pop() } else { None };
        untold.iter().for_each(|failure| self.console.error(&failure.to_string()));
        reason.map_or(Ok(()), Err)
    }
}
