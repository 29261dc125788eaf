//! Which errors are worth another attempt, how soon, and for how long; pure but for the clock.
//!
//! Every wait has two bounds: the operator's patience (`--db-wait`), counted from the first failure since
//! something was committed, and a number of attempts for what would not go away by waiting.

use std::{
    error::Error as _,
    io,
    time::{Duration, Instant},
};

use super::LoadError;

/// Deadlocks, serialization failures and cancelled statements in a row; each is another session's doing.
const CONFLICTS_MAX: u32 = 10;

/// Connections lost in a row, each after the server had answered on it: the batch itself may be what ends them.
const LOSSES_MAX: u32 = 10;

/// The delays grow twofold from the first to the second of each pair.
const CONFLICT_DELAYS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];
const LOSS_DELAYS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
/// Somebody has to free something first.
const RESOURCE_DELAYS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];

/// What can be done about an error (SQLSTATE, PostgreSQL manual, appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The connection is gone: cut, ended by the server, or silent for too long.
    Lost,
    /// There was none to begin with: refused, or the server is starting or shutting down.
    Unreachable,
    /// The server has all the connections it takes.
    TooManyConnections,
    /// Another session was in the way; at once is soon enough.
    Conflict,
    /// Another session held a lock for as long as we wait for one.
    Locked,
    /// Disk or memory of the server is full.
    Resources,
    /// Privilege, syntax, catalog, authentication, configuration: somebody has to mend it.
    Permanent,
}

/// Classifies an error of a statement.
pub(super) fn class_of_statement(error: &tokio_postgres::Error) -> Class {
    let Some(code) = error.code() else { return class_without_code(error, Class::Lost) };
    match code.code() {
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Class::Lost,
        code if code.starts_with("08") => Class::Lost,
        "40P01" | "40001" | "57014" => Class::Conflict,
        "55P03" => Class::Locked,
        "53300" => Class::TooManyConnections,
        "58030" => Class::Resources,
        code if code.starts_with("53") => Class::Resources,
        _ => Class::Permanent,
    }
}

/// Classifies an error of an attempt to connect.
pub(super) fn class_of_connecting(error: &tokio_postgres::Error) -> Class {
    if error.code().is_none() {
        return class_without_code(error, Class::Unreachable);
    }
    match class_of_statement(error) {
        Class::Lost | Class::Conflict => Class::Unreachable,
        class => class,
    }
}

/// Whether no server of that name is known, which is a slip of the pen until one has answered.
pub(super) fn names_no_server(error: &tokio_postgres::Error) -> bool {
    source_of_io(error).is_some_and(|source| source.to_string().contains("lookup address"))
}

fn class_without_code(error: &tokio_postgres::Error, otherwise: Class) -> Class {
    match source_of_io(error) {
        // A certificate that is not to be trusted is invalid data.
        Some(source)
            if [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidData].contains(&source.kind()) =>
        {
            Class::Permanent
        }
        Some(_) => otherwise,
        None if error.is_closed() => otherwise,
        // The words of tokio-postgres are all that tells these apart.
        None => match error.to_string() {
            words if words.starts_with("timeout") || words.starts_with("error connecting") => otherwise,
            _ => Class::Permanent,
        },
    }
}

fn source_of_io(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

/// The attempts at one thing since it last went forward.
#[derive(Debug)]
pub struct Retries {
    patience: Duration,
    since: Option<Instant>,
    conflicts: u32,
    losses: u32,
    waits: u32,
}

impl Retries {
    pub fn new(patience: Duration) -> Self {
        Self { patience, since: None, conflicts: 0, losses: 0, waits: 0 }
    }

    /// Something was committed: what comes is a new failure.
    pub fn went_forward(&mut self) {
        *self = Self::new(self.patience);
    }

    /// How long to wait before the next attempt; `None` when there is to be none.
    pub fn after(&mut self, error: &LoadError) -> Option<Duration> {
        self.after_class(error.class(), Instant::now())
    }

    fn after_class(&mut self, class: Class, now: Instant) -> Option<Duration> {
        let delay = match class {
            Class::Permanent => return None,
            Class::Conflict => {
                self.conflicts += 1;
                return (self.conflicts <= CONFLICTS_MAX)
                    .then(|| jittered(grown(CONFLICT_DELAYS, self.conflicts)));
            }
            Class::Lost => {
                self.losses += 1;
                if self.losses > LOSSES_MAX {
                    return None;
                }
                grown(LOSS_DELAYS, self.losses)
            }
            Class::Unreachable | Class::TooManyConnections | Class::Locked => {
                self.waits += 1;
                grown(LOSS_DELAYS, self.waits)
            }
            Class::Resources => {
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
            let delay = retries.after_class(Class::Unreachable, start + Duration::from_secs(seconds));
            assert!(delay.is_some_and(|delay| delay <= Duration::from_secs(60 - seconds)), "{seconds}");
        }
        assert_eq!(retries.after_class(Class::Unreachable, start + Duration::from_secs(60)), None);
        retries.went_forward();
        assert!(retries.after_class(Class::Unreachable, start + Duration::from_secs(600)).is_some());
        assert_eq!(Retries::new(Duration::ZERO).after_class(Class::Lost, start), None);
    }

    #[test]
    fn attempts_are_counted() {
        for (class, most) in
            [(Class::Permanent, 0), (Class::Conflict, CONFLICTS_MAX), (Class::Lost, LOSSES_MAX)]
        {
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
