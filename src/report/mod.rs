//! What a run found and did: counted per chunk, merged in input order, told to people and to programs.
//!
//! Customer values reach the reject file (`rejects`) and nothing else in here.

mod chunk_rejects;
mod deferred_rejects;
mod json;
mod reject_paths;
mod rejects;
mod rejects_error;
mod run_report;
mod spill;
mod tally;
mod terminal;

pub(crate) use chunk_rejects::ChunkRejects;
pub(crate) use deferred_rejects::merge_deferred_rejects;
pub(crate) use json::write_report_file;
pub(crate) use reject_paths::RejectPaths;
pub(crate) use rejects::RejectFiles;
pub(crate) use rejects_error::RejectsError;
pub use run_report::{
    DocumentCounts, ErrorGroup, Input, LoadReport, Outcome, RejectFilesReport, RowCounts, RunReport,
    SampleLocation, SchemaIdentity, Throughput, Tool,
};
pub(crate) use spill::{Spill, SpillFiles};
pub(crate) use tally::{FaultGroup, SourceLocation, Tally};
pub(crate) use terminal::grouped;
pub(crate) use terminal::summary;
