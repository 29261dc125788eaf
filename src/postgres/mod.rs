//! The server: where it is, how it is reached, and what its errors may say.

mod auth;
mod catalog;
mod conninfo;
mod hosts;
mod local_server;
mod parameters;
mod sqlstate;
mod target;
mod target_error;
mod tls;
mod told;

use tokio_postgres::error::DbError;

pub(crate) use auth::{AuthGuard, AuthMethod, AuthRefusal};
pub(crate) use catalog::{
    Catalog, Column, Constraint, ConstraintKind, Index, PhoneType, Reference, ReferentialAction, Relation,
    RelationKind,
};
#[cfg(feature = "fuzzing")]
pub use conninfo::fuzzing;
pub(crate) use conninfo::{ToldSetting, has_password, looks_like_settings};
pub(crate) use hosts::TargetHost;
pub use local_server::{LocalServer, LocalServerError};
pub(crate) use parameters::SessionAttrs;
pub(crate) use sqlstate::ErrorClass;
pub use target::Target;
pub use target_error::TargetError;
pub(crate) use tls::{SslMode, end_point, fix_of};

/// A name as PostgreSQL's grammar takes it anywhere (manual, section "Identifiers and Key Words").
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string in PostgreSQL's grammar, whatever `standard_conforming_strings` says (as libpq's `PQescapeLiteral`).
pub(crate) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A message for an error of the server or of the connection to it, without anything that may quote a row: DETAIL
/// and CONTEXT are never shown, and the message only where it speaks of the server, not of data.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else {
        return without_server_message(error);
    };
    let code = error.code().code();
    if code.starts_with(RAISED) {
        let function =
            error.where_().and_then(raised_in).map_or_else(String::new, |f| format!(", function {f}"));
        format!(
            "a trigger or function of the database's owner refused it (SQLSTATE {code}){}{function}",
            object_names(error)
        )
    } else if ErrorClass::of_sqlstate(code) == ErrorClass::Data {
        format!("the server refused data (SQLSTATE {code}){}", object_names(error))
    } else {
        format!("{} (SQLSTATE {code})", error.message())
    }
}

/// The class of what PL/pgSQL functions raise.
const RAISED: &str = "P0";

/// The function that raised an error: of the CONTEXT, which may quote a row, nothing but its name and the types of its
/// arguments.
fn raised_in(context: &str) -> Option<&str> {
    let raised = context.lines().find(|line| line.ends_with(" at RAISE"))?;
    let (function, _) = raised.strip_prefix("PL/pgSQL function ")?.rsplit_once(" line ")?;
    Some(function)
}

/// `, table …, column …, constraint …`, as far as the error names them: names of the owner's, never values.
pub(crate) fn object_names(error: &DbError) -> String {
    names(error.table(), error.column(), error.constraint())
}

pub(crate) fn names(table: Option<&str>, column: Option<&str>, constraint: Option<&str>) -> String {
    [("table", table), ("column", column), ("constraint", constraint)]
        .iter()
        .filter_map(|(what, name)| Some(format!(", {what} {}", (*name)?)))
        .collect()
}

fn without_server_message(error: &tokio_postgres::Error) -> String {
    let mut message = error.to_string();
    let mut fix = None;
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        message = format!("{message}: {error}");
        fix = fix.or_else(|| fix_of(error));
        source = error.source();
    }
    fix.map_or_else(|| message.clone(), |fix| format!("{message}; {fix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_context_only_the_function_is_told() {
        let context = "SQL statement \"INSERT INTO t VALUES ('secret')\"\nPL/pgSQL function app.audit(text) line 3 at RAISE";
        assert_eq!(raised_in(context), Some("app.audit(text)"));
        assert_eq!(raised_in("COPY t, line 1: \"secret\""), None);
        assert_eq!(raised_in("PL/pgSQL function f() line 3 at SQL statement"), None);
    }

    #[test]
    fn texts_and_names_are_quoted() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(quote_identifier("a\" b"), "\"a\"\" b\"");
    }
}
