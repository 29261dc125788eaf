//! The JSON report as a file: written beside its place and renamed, so that nobody reads half of one.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{RunReport, rejects_error::space_to_free};

/// Why a report can't be written.
#[derive(Debug, Error)]
#[error("the report {} can't be written{}", crate::path_text::path_text(path), space_to_free(source, path))]
pub(crate) struct ReportFileError {
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
}

pub(crate) fn write_report_file(report: &RunReport, path: &Path) -> Result<(), ReportFileError> {
    let failed = |source| ReportFileError { path: path.to_owned(), source };
    let mut partial = OsString::from(path);
    partial.push(".partial");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&partial)
        .map_err(failed)?;
    file.write_all(report.to_json().as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| {
            // Half a report is of no use, and takes room that may be wanted.
            let _ = fs::remove_file(&partial);
            failed(error)
        })
}
