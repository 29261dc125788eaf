//! Which errors are worth another attempt, how soon, and for how long; pure but for the clock.
//!
//! Every wait has two bounds: `--db-wait`, counted from the first failure since something was committed, and a number
//! of attempts for what would not go away by waiting.

use std::time::{Duration, Instant};

use crate::postgres::ErrorClass;

/// Deadlocks, serialization failures and cancelled statements in a row; each is another session's doing.
const CONFLICTS_MAX: u32 = 10;

/// Connections lost in a row, each after the server had answered on it: the batch itself may be what ends them.
const LOSSES_MAX: u32 = 10;

/// The delays grow twofold from the first to the second of each pair.
const CONFLICT_DELAYS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];
const LOSS_DELAYS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
/// Somebody has to free something first.
const RESOURCE_DELAYS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];

/// The attempts at one thing since it last went forward.
#[derive(Debug)]
pub(crate) struct Retries {
    patience: Duration,
    since: Option<Instant>,
    conflicts: u32,
    losses: u32,
    waits: u32,
}

impl Retries {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, since: None, conflicts: 0, losses: 0, waits: 0 }
    }

    /// Something was committed: what comes is a new failure.
    pub(crate) fn went_forward(&mut self) {
        *self = Self::new(self.patience);
    }

    /// How long to wait before the next attempt; `None` when there is to be none.
    pub(crate) fn after(&mut self, class: ErrorClass) -> Option<Duration> {
        self.after_class(class, Instant::now())
    }

    fn after_class(&mut self, class: ErrorClass, now: Instant) -> Option<Duration> {
        let delay = match class {
            ErrorClass::Data | ErrorClass::Permanent | ErrorClass::Behind => return None,
            ErrorClass::Conflict => {
                self.conflicts += 1;
                return (self.conflicts <= CONFLICTS_MAX)
                    .then(|| jittered(grown(CONFLICT_DELAYS, self.conflicts)));
            }
            ErrorClass::Lost => {
                self.losses += 1;
                if self.losses > LOSSES_MAX {
                    return None;
                }
                grown(LOSS_DELAYS, self.losses)
            }
            ErrorClass::Unreachable | ErrorClass::TooManyConnections | ErrorClass::Locked => {
                self.waits += 1;
                grown(LOSS_DELAYS, self.waits)
            }
            ErrorClass::Resources => {
                self.waits += 1;
                grown(RESOURCE_DELAYS, self.waits)
            }
        };
        let since = *self.since.get_or_insert(now);
        let left = self.patience.saturating_sub(now.duration_since(since));
        (!left.is_zero()).then(|| jittered(delay).min(left))
    }
}

/// The delay before the `nth` attempt, from 1.
fn grown([first, last]: [Duration; 2], nth: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(nth - 1)).min(last)
}

/// Between half and one and a half of it, so that lanes that failed together do not come back together.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_end_with_the_patience() {
        let start = Instant::now();
        let mut retries = Retries::new(Duration::from_secs(60));
        for seconds in [0, 20, 59] {
            let delay = retries.after_class(ErrorClass::Unreachable, start + Duration::from_secs(seconds));
            assert!(delay.is_some_and(|delay| delay <= Duration::from_secs(60 - seconds)), "{seconds}");
        }
        assert_eq!(retries.after_class(ErrorClass::Unreachable, start + Duration::from_secs(60)), None);
        retries.went_forward();
        assert!(retries.after_class(ErrorClass::Unreachable, start + Duration::from_secs(600)).is_some());
        assert_eq!(Retries::new(Duration::ZERO).after_class(ErrorClass::Lost, start), None);
    }

    #[test]
    fn attempts_are_counted() {
        for (class, most) in [
            (ErrorClass::Permanent, 0),
            (ErrorClass::Conflict, CONFLICTS_MAX),
            (ErrorClass::Lost, LOSSES_MAX),
        ] {
            let mut retries = Retries::new(Duration::from_secs(3600));
            let now = Instant::now();
            let attempts = std::iter::from_fn(|| retries.after_class(class, now)).take(100).count();
            assert_eq!(attempts, usize::try_from(most).unwrap(), "{class:?}");
        }
    }

    #[test]
    fn delays_grow_to_their_limit() {
        let delays: Vec<_> = [1, 2, 3, 40].map(|nth| grown(CONFLICT_DELAYS, nth).as_millis()).into();
        assert_eq!(delays, [10, 20, 40, 500]);
        let far = jittered(Duration::from_secs(2));
        assert!(far >= Duration::from_secs(1) && far <= Duration::from_secs(3));
    }
}
