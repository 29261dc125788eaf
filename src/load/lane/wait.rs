//! Waiting before another attempt at what has failed.

use std::time::Duration;

use tokio::time;

use super::stop::Stop;
use crate::{
    postgres::ErrorClass,
    runs::RunError,
    session::{Outage, Retries},
};

/// Waits before another attempt, or passes the error on where there is to be none; `notice` gets what the operator is to
/// hear.
pub(in crate::load) async fn wait_after(
    error: RunError,
    retries: &mut Retries,
    stop: &mut Stop,
    outage: &Outage,
    db_wait: Duration,
    notice: impl Fn(String),
) -> Result<(), RunError> {
    if stop.is_requested() {
        return Err(error);
    }
    let Some(delay) = retries.after(error.class()) else { return Err(error) };
    if error.class() != ErrorClass::Conflict
        && let Some(message) = outage.begins(&error.message(), db_wait)
    {
        notice(message);
    }
    tokio::select! {
        () = time::sleep(delay) => Ok(()),
        () = stop.requested() => Err(error),
    }
}
