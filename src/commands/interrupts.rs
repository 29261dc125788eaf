//! What ends a part of a load from outside: a signal, or the loss of the target.

use std::sync::Arc;

use tokio::{
    runtime::Runtime,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use super::signals::Signals;
use crate::{
    pipeline::{End, Stopper},
    runs::RunError,
};

#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    signals: Signals,
    lost: Arc<Mutex<mpsc::Receiver<RunError>>>,
}

impl Interrupts {
    /// The sender is for whoever keeps the target.
    pub(super) fn new(signals: Signals) -> (mpsc::Sender<RunError>, Self) {
        let (report, lost) = mpsc::channel(1);
        (report, Self { signals, lost: Arc::new(Mutex::new(lost)) })
    }

    pub(super) async fn next(&mut self) -> End {
        let mut lost = self.lost.lock().await;
        tokio::select! {
            signal = self.signals.received() => End::Signal(signal),
            Some(error) = lost.recv() => End::Lane(error),
        }
    }

    /// Stops a pipeline when the time comes; to be aborted when the pipeline has ended.
    pub(super) fn watch(&self, runtime: &Runtime, stopper: Stopper) -> JoinHandle<()> {
        let mut interrupts = self.clone();
        runtime.spawn(async move {
            match interrupts.next().await {
                End::Lane(error) => stopper.fail(error),
                End::Signal(signal) => stopper.stop(signal),
                _ => unreachable!("nothing else comes from outside"),
            }
        })
    }
}
