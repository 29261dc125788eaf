//! What the program can be told to do; each command reads like a table of contents.

mod again;
mod bulk;
mod choose;
mod conclude;
mod failure;
mod load;
mod migrate;
mod run;
mod runs;
mod signals;
mod validate;

pub use failure::{Failure, exit};
pub use load::{Database, load};
pub use migrate::{MigrateAction, MigrateRequest, migrate};
pub use runs::{RunsAction, RunsRequest, runs};
pub use validate::validate;

use std::io::{self, Write as _};

use crate::{console::Console, settings::RunSettings};

/// What standard output gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A summary for people.
    Text,
    /// The JSON report.
    Json,
}

/// A run over documents as it was asked for.
#[derive(Debug)]
pub struct RunRequest {
    pub settings: RunSettings,
    pub console: Console,
    pub output: Output,
}

/// Writes what was asked for to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    match write_stdout(text) {
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| unwritten(&error)),
    }
}

/// Writes the result of a run to standard output; one that nobody reads has not been told.
fn print_result(text: &str) -> Result<(), Failure> {
    write_stdout(text).map_err(|error| unwritten(&error))
}

fn write_stdout(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
}

fn unwritten(error: &io::Error) -> Failure {
    let mend = match error.kind() {
        io::ErrorKind::StorageFull => "; free space there and run the same command again",
        _ => "; run the same command again with an output that can be written",
    };
    Failure::new(exit::TEMPORARY, format!("standard output can't be written: {error}{mend}"))
}
