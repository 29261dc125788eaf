//! A stretch of time without a working server, reported once by whichever lane meets it first.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Mutex<Option<Instant>>,
}

impl Outage {
    /// A message about the error, if it is the first of an outage.
    pub(crate) fn begins(&self, error: &str, patience: Duration) -> Option<String> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_some() {
            return None;
        }
        *since = Some(Instant::now());
        Some(waiting(error, patience))
    }

    /// A message about its end, if there was one.
    pub(crate) fn ends(&self) -> Option<String> {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(format!("the load goes on after {} s", since.elapsed().as_secs()))
    }
}

/// That an error is waited out.
pub(crate) fn waiting(error: &str, patience: Duration) -> String {
    let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
    format!("{error}; trying again for up to {patience} (--db-wait)")
}
