//! How lanes are told to stop: after the transaction under way, and, where that takes too long, without it.

use std::time::Instant;

use tokio::sync::watch;

/// That a run is to stop.
#[derive(Debug, Clone, Copy)]
pub struct Stopping {
    /// When a transaction that is still under way is given up; it rolls back. `None`: it is waited for.
    pub deadline: Option<Instant>,
}

/// What lanes hear; whoever holds the sender asks them to stop, and so does its end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Stopping>>);

impl Stop {
    pub fn new() -> (watch::Sender<Option<Stopping>>, Self) {
        let (ask, asked) = watch::channel(None);
        (ask, Self(asked))
    }

    pub fn is_asked(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }

    /// Waits until a stop is asked for.
    pub async fn asked(&mut self) {
        // An error is the end of the sender.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until a stop is asked for and its deadline has passed.
    pub async fn expired(&mut self) {
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
