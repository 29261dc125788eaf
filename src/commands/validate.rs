//! `validate`: check documents; needs no database.

use super::{
    Failure, RunRequest,
    conclude::{Conclusion, conclude},
    run::{Opened, create_reject_files, no_runtime, runtime},
    signals::Signals,
};
use crate::{
    pipeline::{self, LateDocuments},
    rows::RowForm,
};

/// Returns the exit code of a run that came to an end of some kind.
pub fn validate(request: &RunRequest) -> Result<u8, Failure> {
    let opened = Opened::open(&request.settings)?;
    let runtime = runtime()?;
    let mut signals = Signals::catch(runtime.handle()).map_err(|error| no_runtime(&error))?;
    let rejects = create_reject_files(&request.settings, opened.reader.sources(), None)?;
    let run = opened.start("validate", request, rejects, 0, RowForm::Staged, LateDocuments::None);
    let finished = pipeline::run(run.reader, run.plan, None, runtime.handle(), &run.progress, |stopper| {
        runtime.spawn(async move { stopper.stop(signals.received().await) });
    });
    run.progress.finish();
    let concluded = conclude(request, Conclusion { about: run.about, finished, load: None });
    // The thread that reads standard input, and the task that waits for signals, end with the process.
    runtime.shutdown_background();
    concluded?.exit_code()
}
