//! Keeps count of one class of faults, and tells it.

use std::{
    io::{self, Write as _},
    time::Instant,
};

use super::{exactly_once::Case, loader::Ended};
use crate::support::Store;

/// Faults of one class: each that is injected has to fire, and each load has to end exactly once.
#[derive(Debug)]
pub(crate) struct FaultClass {
    name: String,
    injected: u32,
    fired: u32,
    /// Faults that fired since the last judgement.
    pending: u32,
    exactly_once: u32,
    since: Instant,
}

impl FaultClass {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let (name, since) = (name.into(), Instant::now());
        Self { name, injected: 0, fired: 0, pending: 0, exactly_once: 0, since }
    }

    /// One more was injected; `has_fired` is the proof that it took place.
    pub(crate) fn injected(&mut self, has_fired: bool) {
        self.injected += 1;
        assert!(has_fired, "{}: fault {} did not fire", self.name, self.injected);
        self.fired += 1;
        self.pending += 1;
    }

    pub(crate) fn fired(&self) -> u32 {
        self.fired
    }

    /// Ends the load that was disturbed, and judges what it leaves.
    pub(crate) async fn judge(&mut self, case: &Case, store: &Store, disturbed: Ended) {
        case.ends_exactly_once(store, disturbed).await;
        self.exactly_once += std::mem::take(&mut self.pending);
    }

    /// Tells the count on standard error, past the test framework, which keeps what passing tests print.
    pub(crate) fn tell(self) {
        let Self { name, injected, fired, exactly_once, since, .. } = self;
        let took = since.elapsed().as_secs();
        let line = format!(
            "fault {name}: injected {injected}, fired {fired}, exactly once {exactly_once}, in {took} s\n"
        );
        io::stderr().write_all(line.as_bytes()).expect("standard error is open");
        assert!(injected > 0 && fired == injected && exactly_once == fired, "{line}");
    }
}
