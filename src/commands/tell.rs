//! Gives a report out: to files, and to standard output as a summary or as JSON.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    failure::{Failure, exit},
    output::{Output, print, print_result},
};
use crate::{
    console::Console,
    report::{DocumentCounts, Outcome, RunReport, end_words, summary, write_metrics_file, write_report_file},
};

/// What a line at the end tells that a program reads.
#[derive(Serialize)]
struct EndFigures<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<i64>,
    outcome: Outcome,
    exit_code: u8,
    elapsed_seconds: f64,
    documents: &'a DocumentCounts,
}

impl<'a> EndFigures<'a> {
    fn of(report: &'a RunReport) -> Self {
        let RunReport { run_id, outcome, exit_code, elapsed_seconds, documents, .. } = report;
        Self {
            run_id: *run_id,
            outcome: *outcome,
            exit_code: *exit_code,
            elapsed_seconds: *elapsed_seconds,
            documents,
        }
    }
}

/// Who gets the report.
#[derive(Debug)]
pub(crate) struct ReportOutput {
    /// Files that get the report, each in the form that its name tells.
    pub(crate) reports: Vec<PathBuf>,
    /// The file for Prometheus.
    pub(crate) metrics: Option<PathBuf>,
    /// None where standard output has something else.
    pub(crate) output: Option<Output>,
    pub(crate) console: Console,
}

impl ReportOutput {
    /// The files that are written at the end, and what each is, for messages.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let reports = self.reports.iter().map(|path| ("the report", path));
        reports.chain(self.metrics.iter().map(|path| ("the metrics file", path)))
    }

    /// The result is given out even when a report file can't be written; then that is what the run failed at. Returns
    /// the reason why not everyone has got it, unless the run has ended for another reason before.
    pub(super) fn tell(&self, report: &RunReport) -> Result<(), Failure> {
        let reports = self.reports.iter().map(|path| write_report_file(report, path));
        let metrics = self.metrics.iter().map(|path| write_metrics_file(report, path));
        let unwritten = reports.chain(metrics).filter_map(Result::err);
        let mut untold: Vec<_> = unwritten.map(|error| Failure::of(exit::TEMPORARY, error)).collect();
        if let Some(failure) = &report.failure {
            self.console.failure(failure, report.exit_code);
        }
        let text = self.output.map(|output| match output {
            Output::Text => summary(report),
            Output::Json => report.to_json(),
        });
        let printed = match text {
            None => Ok(()),
            // A check has its exit code to tell; a load whose result nobody got is not over.
            Some(text) if report.load.is_some() => print_result(&text),
            Some(text) => print(&text),
        };
        untold.extend(printed.err());
        self.console.end(&end_words(report), &EndFigures::of(report));
        // The last one is shown by who ends the program.
        let is_reason = !matches!(report.outcome, Outcome::Failed | Outcome::Interrupted);
        let reason = if is_reason { untold.pop() } else { None };
        untold.iter().for_each(|failure| self.console.error(&failure.to_string()));
        reason.map_or(Ok(()), Err)
    }
}
