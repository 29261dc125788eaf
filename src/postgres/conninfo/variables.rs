//! Environment variables.

use std::{ffi::OsString, path::PathBuf};

use crate::postgres::target_error::TargetError;

/// The variables of the process, or of a test.
pub(in crate::postgres) struct Environment<'e>(pub(in crate::postgres) &'e dyn Fn(&str) -> Option<OsString>);

impl Environment<'_> {
    /// A variable; none where it is blank, an error where it is not text.
    pub(in crate::postgres) fn variable(&self, name: &'static str) -> Result<Option<String>, TargetError> {
        let Some(value) = (self.0)(name) else { return Ok(None) };
        let value = value.into_string().map_err(|_| TargetError::NotUtf8 { origin: name })?;
        Ok(Some(value).filter(|value| !value.trim().is_empty()))
    }

    /// The user's own folder.
    pub(in crate::postgres) fn home(&self) -> Result<Option<PathBuf>, TargetError> {
        Ok(self.variable("HOME")?.map(PathBuf::from))
    }
}
