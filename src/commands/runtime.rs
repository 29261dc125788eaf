//! The threads that wait for the server, the clock and signals.

use std::{io, ops::Deref};

use tokio::runtime::{Builder, Runtime};

use super::failure::{Failure, exit};

/// Threads of the lanes, which mostly wait for the server.
const RUNTIME_THREADS: usize = 2;

/// A runtime whose end waits for nothing: a thread of it may look a name up, read a file or standard input.
#[derive(Debug)]
pub(super) struct CommandRuntime(Option<Runtime>);

impl CommandRuntime {
    pub(super) fn new() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("lanes")
            .enable_all()
            .build()
            .map_err(|error| no_threads(&error))?;
        Ok(Self(Some(runtime)))
    }
}

impl Deref for CommandRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for CommandRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn no_threads(error: &io::Error) -> Failure {
    let message = format!(
        "the program's threads can't be started: {error}; they are too many for what the user or the system may have: \
         raise the limit (ulimit -u, TasksMax= of a service) or run the same command later"
    );
    Failure::new(exit::TEMPORARY, message)
}
