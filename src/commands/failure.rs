//! Why a command could not do its work: what was attempted, the chain of causes, and the exit code.

use std::{error::Error, fmt};

use crate::postgres::{self, ErrorClass};

/// Exit codes, as the README lists them.
pub mod exit {
    pub const COMPLETE: u8 = 0;
    pub const REJECTS: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const REJECT_LIMIT: u8 = 3;
    pub const TEMPORARY: u8 = 4;
    pub const NEEDS_A_PERSON: u8 = 5;
    pub const BUG: u8 = 70;
    pub const INTERRUPTED: u8 = 130;
    pub const TERMINATED: u8 = 143;
}

#[derive(Debug)]
pub struct Failure {
    pub exit_code: u8,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure that its own message explains.
    pub fn new(exit_code: u8, what: impl Into<String>) -> Self {
        Self { exit_code, what: what.into(), source: None }
    }

    /// A failure that an error explains.
    pub fn of(exit_code: u8, error: impl Error + Send + Sync + 'static) -> Self {
        let what = error.to_string();
        let source = Wrapped(Box::new(error));
        Self { exit_code, what, source: Some(Box::new(source)) }
    }

    /// What the server or the connection to it had to say, while `what` was attempted.
    pub fn of_database(what: impl Into<String>, error: tokio_postgres::Error) -> Self {
        let is_temporary = ErrorClass::of_statement(&error).is_temporary();
        let exit_code = if is_temporary { exit::TEMPORARY } else { exit::NEEDS_A_PERSON };
        Self { exit_code, what: what.into(), source: Some(Box::new(error)) }
    }
}

/// Stands for an error whose own message is shown already: only its causes are left to tell.
#[derive(Debug)]
struct Wrapped(Box<dyn Error + Send + Sync>);

impl fmt::Display for Wrapped {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// What happened and its causes, on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => f.write_str(&causes(&**source)),
            None => Ok(()),
        }
    }
}

impl Error for Failure {}

/// The message of an error, with all its causes.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<tokio_postgres::Error>() {
        Some(error) => postgres::describe(error),
        None => error.to_string() + &error.source().map_or_else(String::new, causes),
    }
}

fn causes(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
        return format!(": {}", postgres::describe(error));
    }
    let message = error.to_string();
    let rest = error.source().map_or_else(String::new, causes);
    if message.is_empty() { rest } else { format!(": {message}{rest}") }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::input::InputError;

    #[test]
    fn causes_are_told_once_each() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let failure = Failure::of(2, InputError::Open { name: "a.ndjson".to_owned(), source });
        assert_eq!(failure.to_string(), "a.ndjson can't be opened: permission denied");
    }
}
