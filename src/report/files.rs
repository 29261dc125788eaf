//! The report as a file, in the form that the name's ending tells: written beside its place and renamed, so that nobody
//! reads half of one.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, de::IgnoredAny};
use thiserror::Error;

use super::{
    PlanShare, RunReport, csv, html, metrics,
    numbers::PossibleNumbers,
    own_file::{self, Readers},
    rejects_error::space_to_free,
};
use crate::read_file::{LONG, SHORT, read_at_most, read_text_at_most};

/// Why a report can't be written.
#[derive(Debug, Error)]
#[error("{what} {} can't be written{}", crate::path_text::path_text(path), space_to_free(source, path))]
pub(crate) struct ReportFileError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl RunReport {
    /// The report as indented JSON with a final line end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report is plain data");
        text.push('\n');
        text
    }

    /// The report as JSON of at most so many bytes: without samples where it is too long with them, and none where even
    /// that is too long.
    pub(crate) fn bounded_json(&self, bytes_max: usize) -> Option<String> {
        let json = |report: &Self| {
            let text = serde_json::to_string(report).expect("a report is plain data");
            (text.len() <= bytes_max).then_some(text)
        };
        json(self).or_else(|| {
            let mut shorter = self.clone();
            shorter.errors.iter_mut().for_each(|group| group.samples.clear());
            json(&shorter)
        })
    }

    /// Reads a JSON report.
    pub fn from_file(path: &Path) -> Result<Self, ReadReportError> {
        let text = read_at_most(path, LONG)
            .map_err(|source| ReadReportError::Read { path: path.to_owned(), source })?;
        Self::from_json(&text, path)
    }

    /// Reads a JSON report; `path` is where it comes from, for messages.
    pub(crate) fn from_json(text: &[u8], path: &Path) -> Result<Self, ReadReportError> {
        let path = || path.to_owned();
        let format: Format = serde_json::from_slice(text)
            .map_err(|source| ReadReportError::NotAReport { path: path(), source })?;
        if format.splits.is_some() {
            return Err(ReadReportError::Plan { path: path() });
        }
        if format.format != Self::FORMAT {
            return Err(ReadReportError::Format { path: path(), format: format.format });
        }
        serde_json::from_slice::<PossibleNumbers>(text)
            .map_err(|source| ReadReportError::NotAReport { path: path(), source })?;
        let report: Self = serde_json::from_slice(text)
            .map_err(|source| ReadReportError::NotAReport { path: path(), source })?;
        match report.contradiction() {
            None => Ok(report),
            Some(what) => Err(ReadReportError::Contradiction { path: path(), what }),
        }
    }
}

#[derive(Deserialize)]
struct Share {
    #[serde(default)]
    plan: Option<PlanShare>,
}

/// Of which splits a JSON report is, where it is of any and can be read: reading all of it says why not.
pub(crate) fn read_plan_share(path: &Path) -> Option<PlanShare> {
    serde_json::from_slice::<Share>(&read_at_most(path, LONG).ok()?).ok()?.plan
}

#[derive(Deserialize)]
struct Format {
    format: u32,
    /// Only plans have any.
    splits: Option<IgnoredAny>,
}

/// Why a report can't be read.
#[derive(Debug, Error)]
pub enum ReadReportError {
    #[error("the report {} can't be read", crate::path_text::path_text(path))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not a JSON report of profile-loader", crate::path_text::path_text(path))]
    NotAReport { path: PathBuf, source: serde_json::Error },
    #[error(
        "{} is a plan, not a report; name the reports of its splits alone",
        crate::path_text::path_text(path)
    )]
    Plan { path: PathBuf },
    #[error(
        "the report {} has format {format}, and this release reads format {}; make it anew",
        crate::path_text::path_text(path),
        RunReport::FORMAT
    )]
    Format { path: PathBuf, format: u32 },
    #[error("the report {} contradicts itself: {what}", crate::path_text::path_text(path))]
    Contradiction { path: PathBuf, what: &'static str },
}

/// The report in the form that a file's name tells: a page, a table, or else JSON.
fn text_for(report: &RunReport, path: &Path) -> String {
    let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => html::page(report),
        Some("csv") => csv::table(report),
        _ => report.to_json(),
    }
}

pub(crate) fn write_report_file(report: &RunReport, path: &Path) -> Result<(), ReportFileError> {
    write_file("the report", &text_for(report, path), path)
}

/// For Prometheus' textfile collector, which must never find half a file.
pub(crate) fn write_metrics_file(report: &RunReport, path: &Path) -> Result<(), ReportFileError> {
    let before = read_text_at_most(path, SHORT).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    write_file("the metrics file", &metrics::text(report, &before, now.as_secs_f64()), path)
}

/// Writes a file as a whole; `what` it is, for messages.
pub(crate) fn write_file(what: &'static str, text: &str, path: &Path) -> Result<(), ReportFileError> {
    let failed = |source| ReportFileError { what, path: path.to_owned(), source };
    let mut partial = OsString::from(path);
    partial.push(".partial");
    let mut file = own_file::create(Path::new(&partial), Readers::Umask).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| {
            // Half a report is of no use, and takes room that may be wanted.
            let _ = fs::remove_file(&partial);
            failed(error)
        })
}
