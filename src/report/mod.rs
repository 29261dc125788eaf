//! What a run found and did: counted per chunk, merged in input order, told to people and to programs.
//!
//! Customer values reach the reject file (`rejects`) and nothing else in here.

mod chunk_rejects;
mod json;
mod late_rejects;
mod reject_paths;
mod rejects;
mod rejects_error;
mod run_report;
mod spill;
mod tally;
mod terminal;

pub use chunk_rejects::{ChunkRejects, RejectedLine};
pub use json::{ReportFileError, write_report_file};
pub use late_rejects::merge_late_rejects;
pub use reject_paths::RejectPaths;
pub use rejects::RejectFiles;
pub use rejects_error::RejectsError;
pub use run_report::{
    DocumentCounts, ErrorGroup, Input, LoadReport, Outcome, RejectFilesReport, RowCounts, RunReport,
    SamplePlace, SchemaIdentity, Throughput, Tool,
};
pub use spill::{Spill, SpillFiles};
pub use tally::{FaultGroup, Place, Tally};
pub(crate) use terminal::grouped;
pub use terminal::summary;
