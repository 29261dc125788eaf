//! A stretch of time without a working server, told once by whichever lane meets it first.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::LoadError;

#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Mutex<Option<Instant>>,
}

impl Outage {
    /// Words about the error, if it is the first of an outage.
    pub(super) fn begins(&self, error: &LoadError, patience: Duration) -> Option<String> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_some() {
            return None;
        }
        *since = Some(Instant::now());
        Some(waiting(error, patience))
    }

    /// Words about its end, if there was one.
    pub(super) fn ends(&self) -> Option<String> {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(format!("the load goes on after {} s", since.elapsed().as_secs()))
    }
}

/// That an error is waited out.
pub(super) fn waiting(error: &LoadError, patience: Duration) -> String {
    let patience = humantime::format_duration(Duration::from_secs(patience.as_secs()));
    format!("{}; trying again for up to {patience} (--db-wait)", error.in_words())
}
