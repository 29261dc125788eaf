//! What goes to standard output, and the error where it can't.

use std::io::{self, Write as _};

use super::failure::{Failure, exit};

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
        result => result.map_err(|error| failure(&error)),
    }
}

/// Writes the result of a run to standard output; one that nobody reads has reached nobody.
pub(super) fn print_result(text: &str) -> Result<(), Failure> {
    write_stdout(text).map_err(|error| failure(&error))
}

fn write_stdout(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
}

fn failure(error: &io::Error) -> Failure {
    Failure::new(exit::TEMPORARY, unwritten(error))
}

/// Why standard output can't be written, and what to do.
pub(super) fn unwritten(error: &io::Error) -> String {
    let fix = match error.kind() {
        io::ErrorKind::StorageFull => "; free space there and run the same command again",
        io::ErrorKind::FileTooLarge => "; raise the limit (ulimit -f) and run the same command again",
        _ => "; run the same command again with an output that can be written",
    };
    format!("standard output can't be written: {error}{fix}")
}
