//! What a run found and did: counted per chunk, merged in input order, told to people and to programs.
//!
//! Customer values reach the reject file (`rejects`) and nothing else in here.

mod baseline;
mod characters;
mod chunk_rejects;
mod compare_with;
mod countries;
mod csv;
mod deferred_rejects;
mod dry_run;
mod duplicates;
mod error_group;
mod fault_groups;
mod fault_sets;
mod field_counts;
mod fields;
mod files;
mod fix_order;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod html;
mod jq_line;
mod lengths;
mod line_cells;
mod load_report;
mod meaning;
mod merge;
mod metrics;
mod numbers;
mod own_file;
mod partitions;
mod plan_share;
mod reject_form;
mod reject_paths;
mod rejects;
mod rejects_error;
mod run_report;
mod samples;
mod source_location;
mod spill;
mod tally;
mod terminal;
mod timeline;

pub use baseline::{Baseline, Before, Change, Gone, Moved};
pub(crate) use chunk_rejects::{ChunkRejects, Rejection};
pub(crate) use deferred_rejects::merge_deferred_rejects;
pub use dry_run::{ColumnChanges, DryRun, Estimate, TableChanges};
pub(crate) use duplicates::SeenIds;
pub use duplicates::{Duplicates, Exactness};
pub use error_group::{ErrorGroup, Place, SampleLocation};
pub use fields::{ChoiceField, FieldProfile, ListField, TextField};
pub use files::ReadReportError;
pub(crate) use files::{read_plan_share, write_file, write_metrics_file, write_report_file};
pub use fix_order::{Combination, FixStep};
pub use lengths::Lengths;
pub use line_cells::LineCells;
pub use load_report::{LoadReport, RowCounts};
pub(crate) use meaning::meaning;
pub use merge::MergeError;
pub(crate) use own_file::create_private;
pub use plan_share::{PartShare, PlanShare};
pub(crate) use reject_paths::RejectPaths;
pub(crate) use rejects::RejectFiles;
pub(crate) use rejects_error::{RejectsError, deferred_error};
pub use run_report::{
    DocumentCounts, Input, MapIdentity, Outcome, RejectFilesReport, RetryOf, RunReport, SchemaIdentity,
    Throughput, Tool,
};
pub(crate) use source_location::SourceLocation;
pub(crate) use spill::{Spill, SpillFiles};
pub(crate) use tally::Tally;
pub(crate) use terminal::{end_words, grouped, summary};
pub use timeline::Timeline;
