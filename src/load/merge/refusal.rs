//! Whose fault a server error is: the document's, or the run's (SQLSTATE, PostgreSQL manual, appendix A).
//!
//! The server's own message and DETAIL quote row values, so none of their text is passed on: only the
//! SQLSTATE and the names of the table, column and constraint.

use tokio_postgres::error::DbError;

use crate::{
    document::Fault,
    postgres::{ErrorClass, names},
    runs::RunError,
    session::SessionError,
};

/// The error of a statement that wrote documents, where one of these documents is to blame.
pub(crate) fn of_a_document(error: &RunError) -> Option<&DbError> {
    let RunError::Session(SessionError::Database { source, .. }) = error else { return None };
    let error = source.as_db_error()?;
    (ErrorClass::of_sqlstate(error.code().code()) == ErrorClass::Data).then_some(error)
}

/// Why the server refuses one of the documents.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A unique or exclusion constraint: what the document wants to have is another's.
    Clash(Clash),
    /// Rows of it did not arrive, or its values are refused.
    Fault(Fault),
}

#[derive(Debug, Clone)]
pub(crate) struct Clash {
    pub(crate) table: String,
    pub(crate) constraint: String,
    pub(crate) fault: Fault,
}

impl Refused {
    pub(crate) fn of(error: &DbError) -> Self {
        Self::of_fields(error.code().code(), error.table(), error.column(), error.constraint())
    }

    /// Of an error's SQLSTATE and the objects that it names.
    pub(crate) fn of_fields(
        code: &str,
        table: Option<&str>,
        column: Option<&str>,
        constraint: Option<&str>,
    ) -> Self {
        let fault = of_code(code, &names(table, column, constraint));
        match (code, table, constraint) {
            ("23505" | "23P01", Some(table), Some(constraint)) => {
                Self::Clash(Clash { table: table.to_owned(), constraint: constraint.to_owned(), fault })
            }
            _ => Self::Fault(fault),
        }
    }
}

/// What the server would say of a document by itself that can't have what it wants.
pub(crate) fn clash(table: &str, constraint: &str, is_exclusion: bool) -> Fault {
    let code = if is_exclusion { "23P01" } else { "23505" };
    of_code(code, &format!(", table {table}, constraint {constraint}"))
}

fn of_code(code: &str, objects: &str) -> Fault {
    let message = format!("the server refused the document: {}{objects}", reason(code));
    Fault::of_document(format!("db:{code}"), message)
}

/// For a document whose rows did not all arrive, again and again.
pub(crate) fn suppressed() -> Fault {
    Fault::of_document(
        "db:suppressed",
        "the server left rows of the document out without an error, or stored them under another id; a trigger or rule \
         of the tables' owner does that",
    )
}

pub(crate) fn exists() -> Fault {
    Fault::of_document("load:exists", "a profile with this id is stored and differs (see --on-existing)")
}

pub(crate) fn duplicate() -> Fault {
    Fault::of_document(
        "load:duplicate",
        "an earlier document of this input has the same id and differs (see --on-existing)",
    )
}

fn reason(code: &str) -> &'static str {
    match code {
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
