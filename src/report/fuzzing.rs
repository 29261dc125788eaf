//! Every form of a report at once, for fuzz targets.

use std::path::Path;

use super::{ReadReportError, RunReport, csv, html, metrics, terminal};

/// What is made of a report.
#[derive(Debug)]
pub struct Forms {
    pub page: String,
    pub table: String,
    pub summary: String,
    pub metrics: String,
}

impl Forms {
    pub fn of(report: &RunReport) -> Self {
        Self {
            page: html::page(report),
            table: csv::table(report),
            summary: terminal::summary(report),
            metrics: metrics::text(report, "", 0.0),
        }
    }
}

/// Reads a JSON report.
pub fn read(text: &[u8]) -> Result<RunReport, ReadReportError> {
    RunReport::from_json(text, Path::new("report.json"))
}
