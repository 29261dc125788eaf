//! Gives a report out: to files, and to standard output as a summary or as JSON.

use std::path::PathBuf;

use super::{
    failure::{Failure, exit},
    output::{Output, print, print_result},
};
use crate::{
    console::Console,
    report::{Outcome, RunReport, summary, write_report_file},
};

/// Who gets the report.
#[derive(Debug)]
pub(crate) struct ReportOutput {
    /// Files that get the JSON report.
    pub(crate) reports: Vec<PathBuf>,
    pub(crate) output: Output,
    pub(crate) console: Console,
}

impl ReportOutput {
    /// The result is given out even when a report file can't be written; then that is what the run failed at. Returns
    /// the reason why not everyone has got it, unless the run has ended for another reason before.
    pub(super) fn tell(&self, report: &RunReport) -> Result<(), Failure> {
        let unwritten = self.reports.iter().filter_map(|path| write_report_file(report, path).err());
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
