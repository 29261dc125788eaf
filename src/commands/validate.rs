//! `validate`: check documents; needs no database.

use tokio::runtime::Handle;

use super::{
    conclude::conclude,
    failure::{Failure, exit},
    inputs::{OpenedInputs, RowsFor, create_reject_files, refuse_unwritable_reports},
    limits,
    planned::{OpenedSplit, SplitRequest},
    reject_files::end_reject_files,
    runtime::CommandRuntime,
    signals::Signals,
    tell::ReportOutput,
};
use crate::{
    console::Console,
    pipeline::{self, End, Finished, RunFiles},
    plan::BlockWriter,
    report::RunReport,
    rows::RowForm,
    settings::DocumentSettings,
};

/// Gives the report out; returns the exit code of a run that came to an end of some kind. Of a plan, a split is checked in
/// place of the inputs of `settings`.
pub(crate) fn validate(
    settings: &DocumentSettings,
    split: Option<&SplitRequest>,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    let split = split.map(OpenedSplit::read).transpose()?;
    match &split {
        None => refuse_unwritable_reports(output.files(), settings)?,
        Some(split) => split.refuse_unwritable_reports(output.files())?,
    }
    let request = CheckRequest { split: split.as_ref(), ..CheckRequest::of(settings, output.console) };
    let report = check_all(request, Signals::catch, |report| output.tell(report))?;
    Ok(report.exit_code)
}

/// What is checked.
pub(super) struct CheckRequest<'a> {
    pub(super) command: &'static str,
    pub(super) documents: &'a DocumentSettings,
    /// In place of the inputs.
    pub(super) split: Option<&'a OpenedSplit>,
    /// For accepted documents.
    pub(super) blocks: Option<BlockWriter>,
    pub(super) console: Console,
}

impl<'a> CheckRequest<'a> {
    pub(super) fn of(documents: &'a DocumentSettings, console: Console) -> Self {
        Self { command: "validate", documents, split: None, blocks: None, console }
    }
}

/// Checks all documents. A second signal is heard until `tell` has given the report out.
pub(super) fn check_all(
    request: CheckRequest<'_>,
    signals: impl FnOnce(&Handle) -> Result<Signals, Failure>,
    tell: impl FnOnce(&RunReport) -> Result<(), Failure>,
) -> Result<RunReport, Failure> {
    let CheckRequest { command, documents: settings, split, blocks, console } = request;
    let has_map = split.map_or(settings.map.is_some(), OpenedSplit::has_map);
    limits::refuse_tight(0, settings.jobs, settings.jobs, has_map)?;
    let mut opened = match split {
        None => OpenedInputs::open(settings, console)?,
        Some(split) => split.open(settings, console)?,
    };
    if !settings.has_details {
        // No report that has them is given out.
        opened.reader = opened.reader.without_digests();
    }
    // Its end does not wait for the thread that reads standard input, nor for the task that waits for signals.
    let runtime = CommandRuntime::new()?;
    let mut signals = signals(runtime.handle())?;
    let rejects = create_reject_files(settings, opened.reader.sources(), None)?;
    let files = RunFiles { rejects, blocks, ..RunFiles::default() };
    let rows = RowsFor { lanes: 0, form: RowForm::Staged };
    let run = opened.start(command, settings, console, files, rows);
    let mut finished =
        pipeline::run(run.reader, run.settings, None, runtime.handle(), &run.progress, |stopper| {
            runtime.spawn(async move { stopper.stop(signals.received().await) });
        });
    run.progress.finish();
    if matches!(finished.end, End::Panicked) {
        return Err(Failure::new(
            exit::BUG,
            "this is a bug of profile-loader; nothing was written to any database",
        ));
    }
    end_blocks(&mut finished);
    let rejects = end_reject_files(&mut finished);
    let report = conclude(run.header, finished, None, rejects);
    tell(&report).map(|()| report)
}

/// Writes what is left of the accepted documents of a run that has seen all of its input. Without the last block what another
/// run has written is known not to be whole.
fn end_blocks(finished: &mut Finished) {
    if let (Some(blocks), End::Complete) = (finished.blocks.take(), &finished.end)
        && let Err(error) = blocks.finish()
    {
        finished.end = End::Blocks(error);
    }
}
