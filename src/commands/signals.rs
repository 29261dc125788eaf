//! SIGINT and SIGTERM: the first asks for an orderly end, a second leaves at once.

use std::io;

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::exit;
use crate::pipeline::Signal;

/// The first signal that came, for whoever waits for it.
#[derive(Debug, Clone)]
pub(super) struct Signals(watch::Receiver<Option<Signal>>);

impl Signals {
    /// From now on the signals do not end the process by themselves.
    pub(super) fn catch(runtime: &runtime::Handle) -> io::Result<Self> {
        let _in_runtime = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, signals) = watch::channel(None);
        runtime.spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                if tell.send_replace(Some(signal)).is_some() {
                    leave_at_once(signal);
                }
            }
        });
        Ok(Self(signals))
    }

    /// Waits for a signal; one that came before counts.
    pub(super) async fn received(&mut self) -> Signal {
        let signal = self.0.wait_for(Option::is_some).await.ok().and_then(|signal| *signal);
        match signal {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

pub(super) fn exit_code(signal: Signal) -> u8 {
    match signal {
        Signal::Interrupt => exit::INTERRUPTED,
        Signal::Terminate => exit::TERMINATED,
    }
}

#[expect(clippy::exit, reason = "the operator asked twice; transactions under way roll back by themselves")]
fn leave_at_once(signal: Signal) {
    std::process::exit(i32::from(exit_code(signal)));
}
