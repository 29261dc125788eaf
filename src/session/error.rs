//! Why a session can't go on.

use thiserror::Error;
use tokio_postgres::error::SqlState;

use super::connect::ConnectError;
use crate::postgres::{self, ErrorClass};

/// Nothing of the transaction under way is in the database, unless its COMMIT was sent and not answered.
#[derive(Debug, Error)]
pub(crate) enum SessionError {
    #[error("{what} failed{}", context.as_deref().unwrap_or_default())]
    Database {
        what: &'static str,
        /// What is known besides, such as who held a lock.
        context: Option<String>,
        source: tokio_postgres::Error,
    },
    #[error("connecting failed")]
    Connecting { source: Box<ConnectError> },
    #[error("the server stopped answering: no sign of it for {seconds} s while the connection stayed open")]
    Stalled { seconds: u64 },
}

impl SessionError {
    /// The error and its cause, on one line, without values of rows.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Database { source, .. } => {
                format!("{self}: {}{}", postgres::describe(source), fix_of(source))
            }
            Self::Connecting { source } => format!("connecting to {}", source.message()),
            Self::Stalled { .. } => self.to_string(),
        }
    }

    /// Whether a connection pooler answers that a load can't be done through.
    pub(crate) fn is_of_pooler(&self) -> bool {
        matches!(self, Self::Connecting { source } if source.is_of_pooler())
    }

    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Database { source, .. } => ErrorClass::of_statement(source),
            Self::Connecting { source } => source.class(),
            Self::Stalled { .. } => ErrorClass::Lost,
        }
    }
}

/// What the tables themselves need is checked before a load begins.
fn fix_of(error: &tokio_postgres::Error) -> &'static str {
    match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            "; it was revoked meanwhile, or a trigger of the database's owner needs it: grant it to the role (the same \
             command names what the four tables need), or make the trigger's function SECURITY DEFINER"
        }
        // Names of statements are told apart within a process.
        Some(&SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT) => {
            "; a connection pooler that keeps no session for a connection (transaction mode) does that: connect to the \
             server itself, or through a pooler in session mode"
        }
        _ => "",
    }
}
