//! Waiting for a server, as long as there is hope: with growing, random pauses, or as long as it asks for.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::fault::RemoteFault;

/// The first pause is about this long, and each twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Shorter outages are nobody's business.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Tells threads that fetch that nobody wants their bytes any more.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(super) fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_set(&self) -> bool {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, unless nobody waits for it.
    fn pause(&self, pause: Duration) {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(is_set, pause, |is_set| !*is_set));
    }
}

/// How long is waited for one thing to be fetched.
pub(super) struct Patience {
    limit: Duration,
    /// When something last came.
    since: Instant,
    tries: u32,
    is_told: bool,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), tries: 0, is_told: false }
    }

    /// Something came.
    pub(super) fn progressed(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Pauses before the next attempt; the fault where there is to be none. `tell` gets what is waited for, once.
    pub(super) fn wait(
        &mut self,
        fault: RemoteFault,
        stop: &Stop,
        tell: impl Fn(&str, Duration),
    ) -> Result<(), RemoteFault> {
        let RemoteFault::Unavailable { what, retry_after } = fault else { return Err(fault) };
        let left = self.limit.saturating_sub(self.since.elapsed());
        let pause = retry_after.unwrap_or_else(|| self.pause().min(left));
        if left.is_zero() || pause > left || stop.is_set() {
            let waited = self.since.elapsed().min(self.limit);
            return Err(match retry_after.filter(|_| !left.is_zero()) {
                Some(after) => {
                    let what = format!("{what}, and asks to wait {}", humantime::format_duration(after));
                    RemoteFault::GivenUp { what, waited: Duration::ZERO }
                }
                None => RemoteFault::GivenUp { what, waited },
            });
        }
        if !self.is_told && (self.since.elapsed() >= TOLD_AFTER || pause >= TOLD_AFTER) {
            self.is_told = true;
            tell(&what, left);
        }
        self.tries += 1;
        stop.pause(pause);
        Ok(())
    }

    fn pause(&self) -> Duration {
        let longest = PAUSE_MIN.saturating_mul(1 << self.tries.min(10)).min(PAUSE_MAX);
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(limit: u64, retry_after: Option<u64>) -> Result<(), RemoteFault> {
        let stop = Stop::default();
        let fault = RemoteFault::Unavailable {
            what: "it is away".to_owned(),
            retry_after: retry_after.map(Duration::from_secs),
        };
        Patience::new(Duration::from_secs(limit)).wait(fault, &stop, |_, _| ())
    }

    #[test]
    fn what_a_server_asks_for_is_waited_for_or_given_up() {
        assert_eq!(wait(10, Some(0)), Ok(()));
        assert_eq!(wait(10, None), Ok(()));
        let error = wait(10, Some(11)).unwrap_err().to_string();
        assert_eq!(error, "it is away, and asks to wait 11s; run the same command again");
        let error = wait(0, None).unwrap_err().to_string();
        assert_eq!(error, "it is away; run the same command again");
    }

    #[test]
    fn what_does_not_pass_by_itself_is_not_waited_for() {
        let fault = RemoteFault::Changed { how: "another ETag".to_owned() };
        let mut patience = Patience::new(Duration::from_secs(10));
        assert_eq!(patience.wait(fault.clone(), &Stop::default(), |_, _| ()), Err(fault));
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let mut patience = Patience::new(Duration::MAX);
        for tries in 0..40 {
            patience.tries = tries;
            let pause = patience.pause();
            assert!(pause >= PAUSE_MIN / 2 && pause <= PAUSE_MAX, "{tries}: {pause:?}");
        }
        assert!(patience.pause() >= PAUSE_MAX / 2);
    }

    #[test]
    fn nobody_is_waited_for_when_nobody_waits() {
        let stop = Stop::default();
        stop.set();
        let started = Instant::now();
        let fault =
            RemoteFault::Unavailable { what: String::new(), retry_after: Some(Duration::from_secs(60)) };
        assert!(Patience::new(Duration::from_secs(90)).wait(fault, &stop, |_, _| ()).is_err());
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
