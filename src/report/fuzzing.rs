//! Every form of a report at once, and reject files, for fuzz targets.

use std::{fs, path::Path};

use super::{ChunkRejects, ReadReportError, RejectFiles, Rejection, RunReport, csv, html, metrics, terminal};
use crate::{
    document::Fault,
    settings::{Framing, FramingRequest},
};

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

/// The reject file in a folder, of documents that were read in one framing, for a command that asks for another.
pub fn reject_file(
    dir: &Path,
    documents: &[Vec<u8>],
    framing: Framing,
    request: FramingRequest,
) -> Option<Vec<u8>> {
    let mut files = RejectFiles::create(dir, None).expect("a folder for them").for_framing(request);
    for document in documents {
        let faults = vec![Fault::of_document("json:syntax", "not valid JSON")];
        let mut rejects = ChunkRejects::of(framing, false);
        rejects.push(0..document.len(), "input", &Rejection { line: 1, byte_offset: 0, faults });
        files.write(document, &rejects).expect("it is written");
    }
    let paths = files.leave_partial().expect("they are written")?;
    let text = fs::read(&paths.documents).expect("it was just written");
    fs::remove_dir_all(dir).expect("it is ours");
    Some(text)
}
