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
mod of_plan;
mod outlook;
mod request;
mod this_command;

use std::panic::{self, AssertUnwindSafe};

use tokio::{runtime::Handle, time};
use tokio_postgres::Client;

pub(crate) use self::of_plan::{PlanLoadRequest, PlanStep, PlanTarget, load_of_plan};
use self::{
    begin::begin_run,
    choose::{RunChoice, choose_run},
    context::AttemptContext,
};
pub(super) use self::{
    dry_run::has_server,
    outlook::make_read_only,
    request::{LoadRequest, failure_of_ledger},
};
use super::{
    database::{
        Database, connect_anyhow, failure_of_control, failure_of_run, no_answer, reach, refuse,
        refuse_reserved_schema, stop,
    },
    failure::{Failure, exit},
    inputs::{OpenedInputs, refuse_unwritable_reports, try_rejects_folder},
    limits,
    preflight::{Finding, Server, Tables, Wanted, look_at_server, look_at_settings, look_at_target},
    runtime::CommandRuntime,
    signals::{self, Signals},
    tables::{ensure_tables, warn_of_difference},
    tell::ReportOutput,
};
use crate::{
    failpoint,
    load::{Control, check_sessions},
    postgres::Target,
    report::RunReport,
    runs::target_lock::TargetLock,
    session::{SessionPool, SessionSettings},
    settings::{DocumentSettings, LoadSettings, Strategy},
};

/// Besides those that load: the one that holds the target, and that of the watch, while one more is made.
pub(super) const OTHER_CONNECTIONS: usize = 3;

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
    limits::refuse_tight(
        settings.connections + OTHER_CONNECTIONS,
        1,
        documents.jobs,
        documents.map.is_some(),
    )?;
    if request.settings.dry_run {
        return dry_run::foresee_all(request, database, signals, tell);
    }
    let opened = OpenedInputs::open(request.documents, request.console)?;
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
    try_rejects_folder(documents)?;
    // Where it waits for somebody's lock it hears signals; otherwise it takes no longer than one answer may, and what
    // has begun has to be ended.
    let begun = begin_run(&mut control, request, choice, &signals);
    let run = runtime.block_on(begun)?;
    let (target, runtime, signals) = (&*target, &runtime, &signals);
    let context = AttemptContext { request, target, runtime, signals, run: &run, plan: None };
    let report = attempt_run(context, opened, control, Ok, tell);
    stop(server)?;
    report
}

/// Brings a run that has begun to an end of some kind.
fn attempt_run(
    context: AttemptContext<'_>,
    opened: OpenedInputs,
    control: Control,
    whole: impl FnOnce(RunReport) -> Result<RunReport, Failure>,
    tell: impl FnOnce(&RunReport) -> Result<(), Failure>,
) -> Result<RunReport, Failure> {
    let attempt = panic::catch_unwind(AssertUnwindSafe(|| {
        failpoint("run-begun");
        attempt::complete(context, opened, control, whole, tell)
    }));
    // What a bug leaves is what the end of the process would: the ledger says that the run is not over.
    attempt.unwrap_or_else(|bug| {
        finish::say_how_to_go_on(context, exit::BUG, context.run.strategy == Strategy::Bulk);
        panic::resume_unwind(bug)
    })
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
    let client = connect_anyhow(&pool, target, &timeouts, console).await?;
    let mut findings = Vec::new();
    let looked = time::timeout(timeouts.answer, look_at_session(&client, &mut findings));
    if looked.await.map_err(|_| no_answer(target))??.is_none() {
        refuse_to_begin(&findings)?;
    }
    let lock = TargetLock::whole(&settings.db_schema);
    let control = Control::looking(pool, client, lock, timeouts).await;
    let mut control = control.map_err(|error| failure_of_run(error, target))?;
    let held = control.hold_target(settings.when_held, &report).await;
    held.map_err(|error| failure_of_control(error, target))?;
    let looked = look_at_target(control.client(), Wanted::by(settings), &mut findings);
    let tables = time::timeout(timeouts.answer, looked).await.map_err(|_| no_answer(target))??;
    refuse_to_begin(&findings)?;
    let pending = match tables.filter(Tables::are_ready) {
        Some(tables) => {
            tables.differences.iter().for_each(|what| warn_of_difference(what, console));
            tables.pending
        }
        None => {
            let tables = ensure_tables(control.client(), settings, console);
            time::timeout(timeouts.answer, tables).await.map_err(|_| no_answer(target))??
        }
    };
    let choice = choose_run(&mut control, request, opened, &pending).await?;
    let kinds = session_kinds(settings.connections, settings.atomic, choice.what.strategy());
    let target_of_check = target.named("profile-loader check");
    check_sessions(&target_of_check, &kinds, &timeouts, &report)
        .await
        .map_err(|error| failure_of_run(error, target))?;
    Ok((control, choice))
}

/// The server, and what the session is set to; none where nothing more can be asked of the server.
pub(super) async fn look_at_session(
    client: &Client,
    findings: &mut Vec<Finding>,
) -> Result<Option<Server>, Failure> {
    let server = look_at_server(client, true, findings).await?;
    if server.is_some() {
        look_at_settings(client, true, findings).await?;
    }
    Ok(server)
}

fn refuse_to_begin(findings: &[Finding]) -> Result<(), Failure> {
    refuse(findings)
        .map_err(|failure| Failure::new(failure.exit_code, format!("nothing was begun: {failure}")))
}

/// The kinds of sessions that a load needs besides the one that holds the target.
pub(super) fn session_kinds(connections: usize, is_atomic: bool, strategy: Strategy) -> Vec<SessionSettings> {
    match strategy {
        Strategy::Merge if is_atomic => vec![SessionSettings::MergeAtomic],
        Strategy::Merge => vec![SessionSettings::Merge],
        Strategy::Bulk => vec![
            SessionSettings::Fill,
            SessionSettings::Restore { sessions: connections },
            SessionSettings::Merge,
        ],
    }
}
