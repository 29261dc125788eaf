//! SIGINT and SIGTERM: the first asks for an orderly end, a second leaves at once. SIGXFSZ does nothing: the write that
//! went beyond the limit on file sizes fails, and is told as one for which there was no room.

use std::time::{Duration, Instant};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{
    failure::{Failure, exit},
    runtime::no_threads,
};
use crate::pipeline::Signal;

/// `timeout`, `sudo` and shells often signal a program and its process group: within this time it is one signal.
const ECHO: Duration = Duration::from_millis(500);

/// The first signal that came, for whoever waits for it.
#[derive(Debug, Clone)]
pub(super) struct Signals(watch::Receiver<Option<Signal>>);

impl Signals {
    /// From now on these signals do not end the process by themselves.
    pub(super) fn catch(runtime: &runtime::Handle) -> Result<Self, Failure> {
        let _in_runtime = runtime.enter();
        let listen = |kind| signal(kind).map_err(|error| no_threads(&error));
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        // What is caught once does not end the process any more, whether somebody listens or not.
        drop(listen(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        let (sender, signals) = watch::channel(None);
        runtime.spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                match first {
                    None => {
                        first = Some(Instant::now());
                        sender.send_replace(Some(signal));
                    }
                    Some(first) if first.elapsed() < ECHO => {}
                    Some(_) => leave_at_once(signal),
                }
            }
        });
        Ok(Self(signals))
    }

    /// None will come: signals are whoever's who uses the library.
    pub(super) fn none() -> Self {
        Self(watch::channel(None).1)
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
