//! Whose fault a server error is: the document's, or the run's (SQLSTATE, PostgreSQL manual, appendix A).
//!
//! The server's own message and DETAIL quote row values, so none of their text is passed on: only the
//! SQLSTATE and the names of the table, column and constraint.

use tokio_postgres::error::{DbError, SqlState};

use super::LoadError;
use crate::{document::Fault, postgres};

/// Classes that say something of the connection, the server, the session or the program, never of a row.
const CLASSES_OF_THE_RUN: [&str; 15] =
    ["08", "0A", "25", "26", "28", "34", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX"];

/// The error of a statement that wrote documents, where one of these documents is to blame.
pub(super) fn of_a_document(error: &LoadError) -> Option<&DbError> {
    let LoadError::Database { source, .. } = error else { return None };
    let error = source.as_db_error()?;
    let code = error.code().code();
    let of_the_run = CLASSES_OF_THE_RUN.iter().any(|class| code.starts_with(class)) || code.starts_with("F0");
    (!of_the_run).then_some(error)
}

/// The rejection of the document that the error was narrowed down to.
pub(super) fn fault(error: &DbError) -> Fault {
    let words = format!("the server refused the document: {}", words(error.code()));
    Fault::of_document(format!("db:{}", error.code().code()), words + &postgres::places(error))
}

/// For a document whose rows did not all arrive, again and again.
pub(super) fn suppressed() -> Fault {
    Fault::of_document(
        "db:suppressed",
        "the server left rows of the document out without an error; a trigger or rule of the tables' owner does that",
    )
}

pub(super) fn exists() -> Fault {
    Fault::of_document("load:exists", "a profile with this id is stored and differs (see --on-existing)")
}

pub(super) fn duplicate() -> Fault {
    Fault::of_document(
        "load:duplicate",
        "an earlier document of this input has the same id and differs (see --on-existing)",
    )
}

fn words(code: &SqlState) -> &'static str {
    match code.code() {
        "23502" => "a column must not be null",
        "23503" => "a foreign key is violated",
        "23505" => "a unique constraint is violated",
        "23514" => "a CHECK constraint is violated",
        "23P01" => "an exclusion constraint is violated",
        "22001" => "a value is too long for its column",
        "P0001" => "a trigger raised an exception",
        code if code.starts_with("22") => "a value is not one that the column takes",
        code if code.starts_with("23") => "an integrity constraint is violated",
        _ => "an error was raised",
    }
}
