//! The library: what the commands `validate` and `load` do, with a report in place of everything they print.

use crate::{
    commands::{self, Database, Failure},
    report::RunReport,
    settings::{DocumentSettings, LoadSettings},
};

/// Checks all documents against their JSON Schema and against what the tables can hold; needs no database.
///
/// Rejected documents are no error: they are in the report and, where `settings.rejects` names a folder, in its reject
/// files. Signals are left to the caller.
///
/// # Errors
///
/// Where nothing could be checked at all: an input or a schema that can't be read, a folder that can't be written. What
/// goes wrong later is in [`RunReport::failure`].
pub fn validate(settings: &DocumentSettings) -> Result<RunReport, Failure> {
    commands::validate_silently(settings)
}

/// Loads all documents into the four tables, exactly once, whatever ends it: called again with the same settings and
/// input it resumes the run that was not completed.
///
/// The run is marked as ended in the ledger before the report is returned. Signals are left to the caller.
///
/// # Errors
///
/// Where nothing was begun (no server, missing privileges, tables that differ, another loader at work), or where the
/// end of the run could not be written. What ended a run that had begun is in [`RunReport::failure`], and
/// [`RunReport::outcome`] says whether it can be resumed.
pub fn load(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    database: Database,
) -> Result<RunReport, Failure> {
    commands::load_silently(documents, settings, database)
}
