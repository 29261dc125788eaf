//! An attempt at a run that has begun: its phases one after another, each with sessions of its own, and its end.

use std::{io::BufWriter, mem, path::Path, sync::Arc};

use tokio::task::JoinHandle;

use super::{
    after_input::Finisher,
    choose::run_source,
    context::{AttemptContext, Phase},
    finish::{Finish, RunEnd},
};
use crate::{
    commands::{
        conclude::{LoadHeader, conclude},
        failure::{Failure, exit},
        inputs::{OpenedInputs, PipelineInput, RowsFor, create_reject_files, failure_of_rejects},
        interrupts::Interrupts,
        reject_files::end_or_hold,
    },
    input::{InputError, Source},
    load::Control,
    pipeline::{self, Deferral, End, Finished, Rules, RunFiles},
    report::{RejectFiles, RunReport, SpillFiles, create_private, deferred_error},
    rows::RowForm,
    runs::{Confirmed, SessionRole},
    session::Watch,
};

/// Brings a run that has begun to an end of some kind. It is over once `tell` has given the report out and the ledger
/// has the end. Where it has seen all of its input, `whole` makes of its report the one that is given out.
pub(super) fn complete(
    context: AttemptContext<'_>,
    mut opened: OpenedInputs,
    control: Control,
    whole: impl FnOnce(RunReport) -> Result<RunReport, Failure>,
    tell: impl FnOnce(&RunReport) -> Result<(), Failure>,
) -> Result<RunReport, Failure> {
    let AttemptContext { request, run, .. } = context;
    let finish = Finish { context, control };
    opened.reader.require_watermarks(run.watermarks());
    let sources = opened.reader.sources().to_vec();
    let files = match create_files(context, &sources) {
        Ok(files) => files,
        Err(failure) => return finish.failed(failure),
    };
    let rules = Rules { schema: Arc::clone(&opened.schema), map: opened.map.clone() };
    let form = if run.plan.copies { RowForm::Tables } else { RowForm::Staged };
    let rows = RowsFor { lanes: run.lanes.len(), form };
    let started = opened.start("load", request.documents, request.console, files, rows);
    let mut header = started.header.clone();
    header.settings.extend(request.settings.told());
    let (mut finished, finish) = work(started, rules, finish);
    if matches!(finished.end, End::Panicked) {
        return finish.failed(Failure::new(
            exit::BUG,
            "this is a bug of profile-loader; what was committed stands, nothing is half-loaded, and the same command \
             can be run again",
        ));
    }
    let (confirmed, finish) = confirm(&mut finished, finish);
    let is_damaged = matches!(finished.end, End::Input(InputError::Damaged { .. }));
    let (paths, held) = end_or_hold(&mut finished, &sources);
    let rejected = held.as_ref().map(RejectFiles::errors_path).or(paths.as_ref().map(|paths| &*paths.errors));
    let rejected = rejected.filter(|_| request.settings.rejects_table).map(Path::to_owned);
    let deferred = match mem::take(&mut finished.deferral) {
        Deferral::Left(path) => Some(path),
        _ => None,
    };
    let digests = finished.digests.clone();
    let is_of_plan = run.of_plan.is_some();
    let read = (finished.is_verified && !is_of_plan).then(|| sources.iter().map(run_source).collect());
    let (strategy, connections) = (run.strategy.name(), request.settings.connections);
    let database = Some(finish.control.server_version().to_owned());
    let load = LoadHeader { run_id: Some(run.id), database, strategy, connections };
    let mut report = conclude(header, finished, Some(load), paths);
    if report.outcome.is_final() {
        report = match whole(report) {
            Ok(report) => report,
            Err(failure) => return finish.failed(failure),
        };
    }
    let told = tell(&report);
    let end =
        RunEnd { report, told, digests, sources: read, held, rejected, deferred, is_damaged, confirmed };
    finish.concluded(end)
}

/// A run is complete only where the server has all that was confirmed to it.
fn confirm<'a>(finished: &mut Finished, mut finish: Finish<'a>) -> (Option<Confirmed>, Finish<'a>) {
    if !matches!(finished.end, End::Complete) {
        return (None, finish);
    }
    let confirmed = finish.context.run.confirmed(finished.load);
    match finish.confirm(confirmed) {
        Ok(()) => (Some(confirmed), finish),
        Err(end) => {
            finished.end = end;
            (None, finish)
        }
    }
}

fn create_files(context: AttemptContext<'_>, sources: &[Source]) -> Result<RunFiles, Failure> {
    let AttemptContext { request, run, plan, .. } = context;
    let rejects = create_reject_files(request.documents, sources, Some(run.id))?;
    let of_plan = plan.zip(run.of_plan.and_then(|of_plan| of_plan.part)).filter(|_| run.leaves_deferred());
    if let (Some(dir), Some((plan, part))) = (&request.documents.rejects, of_plan) {
        let path = dir.join(format!("deferred.run-{}.blocks.partial", run.id));
        let file = create_private(&path).map_err(|error| failure_of_rejects(deferred_error(&path)(error)))?;
        let blocks = plan.deferred_writer(part, Box::new(BufWriter::new(file)));
        return Ok(RunFiles { rejects, deferral: Deferral::Leaving { blocks, path }, blocks: None });
    }
    // With the rejected documents, for these are customers' data as well.
    let deferral = match (&request.documents.rejects, run.plan.defers) {
        (Some(dir), true) => Deferral::Writing(SpillFiles::create(dir, run.id).map_err(failure_of_rejects)?),
        _ => Deferral::None,
    };
    Ok(RunFiles { rejects, deferral, blocks: None })
}

/// The pipeline and, for a bulk load and deferred documents, what comes after it, while a task holds the target.
fn work(started: PipelineInput, rules: Rules, finish: Finish<'_>) -> (Finished, Finish<'_>) {
    let Finish { context, control } = finish;
    let AttemptContext { request, target, runtime, run, .. } = context;
    let (report_lost, interrupts) = Interrupts::new(context.signals.clone());
    let held = {
        let _in_runtime = runtime.enter();
        // Whoever listens has room for the first one, which is enough.
        control.hold(move |error| drop(report_lost.try_send(error)))
    };
    let watch_target = target.named(&run.application_name(SessionRole::Watch));
    let watch = Arc::new(Watch::new(&watch_target, &request.settings.timeouts));
    let lane_context = context.lane_context(Phase::Input, &watch);
    let lanes = context.lanes(Phase::Input, Arc::clone(&lane_context), run.clone());
    let mut watching = None;
    let (reader, settings, progress) = (started.reader, started.settings, started.progress);
    let mut finished = pipeline::run(reader, settings, Some(lanes), runtime.handle(), &progress, |stopper| {
        watching = Some(interrupts.watch(runtime, stopper));
    });
    progress.finish();
    watching.inspect(JoinHandle::abort);
    lane_context.end_sessions();
    if run.ends_bulk() || run.plan.defers {
        let source_names = &started.header.source_names;
        let finisher = Finisher { context, rules, source_names, watch: &watch, interrupts: &interrupts };
        finished = finisher.complete(finished);
    }
    let control = runtime.block_on(held.release());
    (finished, Finish { context, control })
}
