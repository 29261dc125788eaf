//! What an error of the server means for the program (SQLSTATE: PostgreSQL manual, appendix A).
//!
//! The one table of its kind: whether an attempt is repeated, how soon, and the exit code all follow from it.

use std::{error::Error as _, io};

/// What can be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// The connection is gone: cut, ended by the server, or silent for too long.
    Lost,
    /// No server takes connections or writes: refused, silent, starting, shutting down, or a standby since a failover.
    Unreachable,
    /// The server has all the connections it takes.
    TooManyConnections,
    /// Another session was in the way; an immediate retry may succeed.
    Conflict,
    /// Another session held a lock for as long as we wait for one.
    Locked,
    /// Disk or memory of the server is full.
    Resources,
    /// The values of a row were refused: by a type, a constraint, a trigger.
    Data,
    /// The server lacks what was confirmed: another attempt goes on from what it has.
    Behind,
    /// Privilege, syntax, catalog, authentication, configuration: somebody has to fix it.
    Permanent,
}

impl ErrorClass {
    /// Whether the same command may succeed later without anybody fixing anything.
    pub(crate) fn is_temporary(self) -> bool {
        !matches!(self, Self::Data | Self::Permanent)
    }

    /// Of an error of a statement, or of the connection it was sent over.
    pub(crate) fn of_statement(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) => Self::of_sqlstate(code.code()),
            None => Self::without_sqlstate(error, Self::Lost),
        }
    }

    /// Of an error of an attempt to connect.
    pub(crate) fn of_connecting(error: &tokio_postgres::Error) -> Self {
        let class = match error.code() {
            Some(code) => Self::of_sqlstate(code.code()),
            None => Self::without_sqlstate(error, Self::Unreachable),
        };
        match class {
            Self::Lost | Self::Conflict => Self::Unreachable,
            class => class,
        }
    }

    /// The first entry that fits decides: single codes stand before their class.
    pub(crate) fn of_sqlstate(code: &str) -> Self {
        let entry = TABLE.iter().find(|(prefix, _)| code.starts_with(prefix));
        entry.map_or(Self::Data, |(_, class)| *class)
    }

    /// A regular expression for the SQLSTATEs that don't speak of a row.
    pub(crate) fn not_of_data() -> String {
        let prefixes: Vec<_> = TABLE.iter().map(|(prefix, _)| *prefix).collect();
        format!("^({})", prefixes.join("|"))
    }

    fn without_sqlstate(error: &tokio_postgres::Error, otherwise: Self) -> Self {
        match io_error(error) {
            // A certificate that can't be trusted is invalid data; what is not answered is denied.
            Some(source)
                if [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidData].contains(&source.kind()) =>
            {
                Self::Permanent
            }
            Some(_) => otherwise,
            None if error.is_closed() => otherwise,
            // The message of tokio-postgres is all that tells these apart.
            None => match error.to_string() {
                message if message.starts_with("timeout") || message.starts_with("error connecting") => {
                    otherwise
                }
                _ => Self::Permanent,
            },
        }
    }
}

/// By SQLSTATE, or by its class (the first two characters). What is not listed speaks of a row: triggers may raise
/// any code they like.
const TABLE: [(&str, ErrorClass); 27] = [
    // Connection exceptions.
    ("08", ErrorClass::Lost),
    ("0A", ErrorClass::Permanent),
    // A session is read-only after a failover, when its server has become a standby.
    ("25006", ErrorClass::Unreachable),
    // idle_in_transaction_session_timeout, transaction_timeout.
    ("25P03", ErrorClass::Lost),
    ("25P04", ErrorClass::Lost),
    ("25", ErrorClass::Permanent),
    ("26", ErrorClass::Permanent),
    ("28", ErrorClass::Permanent),
    ("34", ErrorClass::Permanent),
    ("3D", ErrorClass::Permanent),
    ("3F", ErrorClass::Permanent),
    // Transaction rollback: serialization failure, deadlock.
    ("40", ErrorClass::Conflict),
    ("42", ErrorClass::Permanent),
    ("53300", ErrorClass::TooManyConnections),
    ("53", ErrorClass::Resources),
    ("55P03", ErrorClass::Locked),
    ("55", ErrorClass::Permanent),
    // query_canceled.
    ("57014", ErrorClass::Conflict),
    // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout.
    ("57P01", ErrorClass::Lost),
    ("57P02", ErrorClass::Lost),
    ("57P03", ErrorClass::Lost),
    ("57P05", ErrorClass::Lost),
    ("57", ErrorClass::Permanent),
    // io_error.
    ("58030", ErrorClass::Resources),
    ("58", ErrorClass::Permanent),
    ("F0", ErrorClass::Permanent),
    ("XX", ErrorClass::Permanent),
];

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_codes_stand_before_their_class() {
        for (place, (prefix, _)) in TABLE.iter().enumerate() {
            let hidden_by = TABLE[..place].iter().find(|(before, _)| prefix.starts_with(before));
            assert_eq!(hidden_by, None, "{prefix}");
        }
    }

    /// What `not_of_data` takes for granted.
    #[test]
    fn no_entry_speaks_of_data() {
        assert!(TABLE.iter().all(|(_, class)| *class != ErrorClass::Data));
    }

    #[test]
    fn each_code_has_one_class() {
        let check = |code, class| assert_eq!(ErrorClass::of_sqlstate(code), class, "{code}");
        check("25006", ErrorClass::Unreachable);
        check("25P03", ErrorClass::Lost);
        check("25P04", ErrorClass::Lost);
        check("25P02", ErrorClass::Permanent);
        check("53300", ErrorClass::TooManyConnections);
        check("53100", ErrorClass::Resources);
        check("57P04", ErrorClass::Permanent);
        check("42501", ErrorClass::Permanent);
        check("23505", ErrorClass::Data);
        check("P0001", ErrorClass::Data);
        check("Z0001", ErrorClass::Data);
    }
}
