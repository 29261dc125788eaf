//! How lanes are told to stop: after the transaction under way, and, where that takes too long, without it.

use std::time::Instant;

use tokio::sync::watch;

/// That a run is to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopping {
    /// When a transaction that is still under way is cancelled; it rolls back. `None`: it is waited for.
    pub(crate) deadline: Option<Instant>,
}

/// What lanes listen to; whoever holds the sender requests it, and so does its end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Stopping>>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<Option<Stopping>>, Self) {
        let (request, requested) = watch::channel(None);
        (request, Self(requested))
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Waits until a stop is requested.
    pub(crate) async fn requested(&mut self) {
        // An error is the end of the sender.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until a stop is requested and its deadline has passed.
    pub(crate) async fn expired(&mut self) {
        loop {
            let stopping = match self.0.wait_for(Option::is_some).await {
                Ok(stopping) => *stopping,
                Err(_) => return,
            };
            match stopping.and_then(|stopping| stopping.deadline) {
                Some(deadline) => {
                    tokio::time::sleep_until(deadline.into()).await;
                    return;
                }
                // A later reason may bring a deadline.
                None if self.0.changed().await.is_err() => return,
                None => {}
            }
        }
    }
}
