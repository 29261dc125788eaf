//! `load`: hold the target, check all that can be known, begin or resume the run, load, and end it.
//!
//! Until the run is begun, an error or a signal leaves nothing behind. From then on every way out goes through
//! `finish`, which writes the end to the ledger and says how to go on.

mod after_input;
mod attempt;
mod begin;
mod choose;
mod context;
mod dry_run;
mod finish;
mod outlook;
mod request;
mod this_command;

use std::panic::{self, AssertUnwindSafe};

use tokio::{runtime::Handle, time};

pub(super) use self::request::LoadRequest;
use self::{
    begin::begin_run,
    choose::{RunChoice, choose_run},
    context::AttemptContext,
};
use super::{
    database::{
        Database, connect, failure_of_control, failure_of_run, no_answer, reach, refuse_reserved_schema,
        refuse_unfit_session, stop,
    },
    failure::{Failure, exit},
    inputs::{OpenedInputs, refuse_unwritable_reports},
    limits,
    runtime::CommandRuntime,
    signals::{self, Signals},
    tables::ensure_tables,
    tell::ReportOutput,
};
use crate::{
    failpoint,
    load::{Control, check_sessions},
    postgres::Target,
    report::RunReport,
    session::{SessionPool, SessionSettings},
    settings::{DocumentSettings, LoadSettings, Strategy},
};

/// Besides those that load: the one that holds the target, and that of the watch, while one more is made.
const OTHER_CONNECTIONS: usize = 3;

/// Gives the report out; returns the exit code of a run that came to an end of some kind.
pub(crate) fn load(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    database: Database,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    refuse_unwritable_reports(output.files(), documents)?;
    let request = LoadRequest { documents, settings, console: output.console };
    let report = load_all(request, database, Signals::catch, |report| output.tell(report))?;
    Ok(report.exit_code)
}

/// Loads all documents. The run is over once `tell` has given its result out.
pub(crate) fn load_all(
    request: LoadRequest<'_>,
    database: Database,
    signals: impl FnOnce(&Handle) -> Result<Signals, Failure>,
    tell: impl FnOnce(&RunReport) -> Result<(), Failure>,
) -> Result<RunReport, Failure> {
    refuse_reserved_schema(&request.settings.db_schema)?;
    let LoadRequest { settings, documents, .. } = request;
    limits::refuse_tight(settings.connections + OTHER_CONNECTIONS, documents.jobs, documents.map.is_some())?;
    if request.settings.dry_run {
        return dry_run::foresee_all(request, database, signals, tell);
    }
    let opened = OpenedInputs::open(request.documents)?;
    let runtime = CommandRuntime::new()?;
    let mut signals = signals(runtime.handle())?;
    let (server, target) = reach(database, request.console)?;
    let prepared = runtime.block_on(async {
        tokio::select! {
            prepared = prepare(&target, request, &opened) => prepared,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal before anything was loaded",
            )),
        }
    });
    let (mut control, choice) = prepared?;
    // Where it waits for somebody's lock it hears signals; otherwise it takes no longer than one answer may, and what
    // has begun has to be ended.
    let begun = begin_run(&mut control, request, choice, &signals);
    let run = runtime.block_on(begun)?;
    let context =
        AttemptContext { request, target: &target, runtime: &runtime, signals: &signals, run: &run };
    let attempt = panic::catch_unwind(AssertUnwindSafe(|| {
        failpoint("run-begun");
        attempt::complete(context, opened, control, tell)
    }));
    // What a bug leaves is what the end of the process would: the ledger says that the run is not over.
    let report = attempt.unwrap_or_else(|bug| {
        finish::say_how_to_go_on(context, exit::BUG, run.strategy == Strategy::Bulk);
        panic::resume_unwind(bug)
    });
    stop(server)?;
    report
}

/// Holds the target and decides what to do; checks all that can be known before a run is begun.
async fn prepare(
    target: &Target,
    request: LoadRequest<'_>,
    opened: &OpenedInputs,
) -> Result<(Control, RunChoice), Failure> {
    let LoadRequest { settings, console, .. } = request;
    let timeouts = settings.timeouts;
    let report = |message: String| console.warn(&message);
    let named = target.named("profile-loader control");
    let pool = SessionPool::new(&named, SessionSettings::Control, 1);
    let client = connect(&pool, target, &timeouts, console).await?;
    let fit = time::timeout(timeouts.answer, refuse_unfit_session(&client, true));
    fit.await.map_err(|_| no_answer(target))??;
    let mut control = Control::take(pool, client, &settings.db_schema, settings.when_held, timeouts, &report)
        .await
        .map_err(|error| failure_of_control(error, target))?;
    let tables = ensure_tables(control.client(), settings, console);
    let pending = time::timeout(timeouts.answer, tables).await.map_err(|_| no_answer(target))??;
    let unfit = control.check_role(&settings.db_schema, settings.on_existing).await;
    if let Some(unfit) = unfit.map_err(|error| failure_of_run(error, target))? {
        return Err(Failure::new(exit::NEEDS_A_PERSON, unfit.to_string()));
    }
    let choice = choose_run(&mut control, request, opened, &pending).await?;
    let kinds = session_kinds(settings, choice.what.strategy());
    let target_of_check = target.named("profile-loader check");
    check_sessions(&target_of_check, &kinds, &timeouts, &report)
        .await
        .map_err(|error| failure_of_run(error, target))?;
    Ok((control, choice))
}

/// The kinds of sessions that a load needs besides the one that holds the target.
fn session_kinds(settings: &LoadSettings, strategy: Strategy) -> Vec<SessionSettings> {
    match strategy {
        Strategy::Merge if settings.atomic => vec![SessionSettings::MergeAtomic],
        Strategy::Merge => vec![SessionSettings::Merge],
        Strategy::Bulk => vec![
            SessionSettings::Fill,
            SessionSettings::Restore { sessions: settings.connections },
            SessionSettings::Merge,
        ],
    }
}
