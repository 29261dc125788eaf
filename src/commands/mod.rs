//! What the program can be told to do; each command reads like a table of contents.

mod conclude;
mod database;
mod failure;
mod inputs;
mod interrupts;
mod load;
mod migrate;
mod pending;
mod reject_files;
mod runs;
mod runtime;
mod signals;
mod tables;
mod tell;
mod validate;

pub use database::Database;
pub use failure::{Failure, exit};
pub(crate) use load::load;
pub(crate) use migrate::{MigrateAction, MigrateRequest, migrate};
pub(crate) use runs::{RunsAction, RunsRequest, runs};
pub(crate) use tell::ReportOutput;
pub(crate) use validate::validate;

use crate::{
    console::Console,
    report::RunReport,
    settings::{DocumentSettings, LoadSettings},
};
use signals::Signals;

use std::io::{self, Write as _};

/// Checks documents without printing anything.
pub(crate) fn validate_silently(settings: &DocumentSettings) -> Result<RunReport, Failure> {
    validate::check_all(settings, Console::SILENT, |_| Ok(Signals::none()), |_| Ok(()))
}

/// Loads documents without printing anything.
pub(crate) fn load_silently(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    database: Database,
) -> Result<RunReport, Failure> {
    let request = load::LoadRequest { documents, settings, console: Console::SILENT };
    load::load_all(request, database, |_| Ok(Signals::none()), |_| Ok(()))
}

/// What standard output gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// A human-readable summary.
    Text,
    /// The JSON report.
    Json,
}

/// Writes a text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    match write_stdout(text) {
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| unwritten(&error)),
    }
}

/// Writes the result of a run to standard output; one that nobody reads has reached nobody.
fn print_result(text: &str) -> Result<(), Failure> {
    write_stdout(text).map_err(|error| unwritten(&error))
}

fn write_stdout(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
}

fn unwritten(error: &io::Error) -> Failure {
    let fix = match error.kind() {
        io::ErrorKind::StorageFull => "; free space there and run the same command again",
        _ => "; run the same command again with an output that can be written",
    };
    Failure::new(exit::TEMPORARY, format!("standard output can't be written: {error}{fix}"))
}
