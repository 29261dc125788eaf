//! Why documents were not merged.

use crate::{runs::RunError, session::SessionError};

/// Why documents were not merged.
#[derive(Debug)]
pub(crate) enum MergeError {
    Failed(RunError),
    /// The run is to stop, and what is left would take long.
    Stopped,
    /// Fewer rows were written than the documents have, without an error.
    LeftOut,
}

impl From<RunError> for MergeError {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

impl From<SessionError> for MergeError {
    fn from(error: SessionError) -> Self {
        Self::Failed(error.into())
    }
}
