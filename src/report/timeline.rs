//! How many documents were done by when, in constant memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many stretches of time are kept; twice as long ones when there are more.
const STRETCHES_MAX: usize = 120;

/// Shortest stretch.
const STRETCH_MIN: f64 = 0.25;

/// Documents by equal stretches of time since the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    pub stretch_seconds: f64,
    /// Documents that came out of each stretch; the last one may not have been whole.
    pub documents: Vec<u64>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { stretch_seconds: STRETCH_MIN, documents: Vec::new() }
    }
}

impl Timeline {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of stretches")]
    pub(crate) fn add(&mut self, since_start: Duration, documents: u64) {
        let stretch = |seconds: f64| (since_start.as_secs_f64() / seconds) as usize;
        while stretch(self.stretch_seconds) >= STRETCHES_MAX {
            self.stretch_seconds *= 2.0;
            self.documents = self.documents.chunks(2).map(|pair| pair.iter().sum()).collect();
        }
        let at = stretch(self.stretch_seconds);
        if at >= self.documents.len() {
            self.documents.resize(at + 1, 0);
        }
        self.documents[at] += documents;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_longer_stretches() {
        let mut timeline = Timeline::default();
        for second in 0..1000 {
            timeline.add(Duration::from_secs(second), 7);
        }
        assert_eq!(timeline.documents.iter().sum::<u64>(), 7000);
        assert!(timeline.documents.len() <= STRETCHES_MAX && timeline.documents.len() > STRETCHES_MAX / 2);
        assert!(timeline.stretch_seconds > 8.0 && timeline.stretch_seconds < 17.0);
    }
}
