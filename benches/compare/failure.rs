//! Why the comparison stops. Each message says what was attempted, on what, and why it failed.

use std::error::Error;

use thiserror::Error;

pub(crate) type Outcome<T> = Result<T, Failure>;

#[derive(Debug, Error)]
#[error("{what}")]
pub(crate) struct Failure {
    what: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// For `map_err`: `what` was attempted, the error is why it failed.
    pub(crate) fn of<E: Into<Box<dyn Error + Send + Sync>>>(
        what: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        |source| Self { what: format!("{} failed", what.into()), source: Some(source.into()) }
    }

    /// The message and all of its causes.
    pub(crate) fn chain(&self) -> String {
        let mut words = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            words = format!("{words}: {error}");
            source = error.source();
        }
        words
    }
}
