//! `load --plan --finish`: once all parts are loaded, restores what was dropped, merges what parts have deferred, and adds
//! the reports up.
//!
//! A crash leaves the plan's own run as unfinished, with all that the parts have loaded; the same command goes on.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{PlanLoad, refuse_other_settings};
use crate::{
    commands::{
        conclude::exit_code_of_end,
        database::{Database, failure_of_control, failure_of_run, reach, stop},
        failure::{Failure, exit},
        inputs::failure_of_rejects,
        interrupts::Interrupts,
        limits,
        load::{
            LoadRequest, OTHER_CONNECTIONS, after_input::Finisher, attempt_run, context::AttemptContext,
            finish::Finish, request::failure_of_ledger, session_kinds,
        },
        reports::merge_files,
        runtime::CommandRuntime,
        signals::{self, Signals},
        tell::ReportOutput,
    },
    input::{ChunkReader, Source},
    load::{Control, ControlError, check_sessions},
    pipeline::Rules,
    postgres::{Target, quote_identifier},
    report::{Outcome, RunReport, create_private, deferred_error},
    runs::{OfPlan, PartRange, PlanRun, Run, SessionRole, failed, parts, target_lock::TargetLock},
    session::Watch,
    settings::{DocumentSettings, Strategy},
    tables::Table,
};

/// How long those are waited for that are still about to hear that their part is loaded.
const PARTS_PATIENCE: Duration = Duration::from_secs(30);

/// What there is to do.
enum Prepared {
    Done(Box<RunReport>),
    Finish(Box<Control>, Box<Ready>),
}

/// A plan whose parts are all loaded.
struct Ready {
    whole: PlanRun,
    /// The runs of its parts, in their order.
    of_parts: Vec<i64>,
    loaded: RunReport,
}

/// Finishes the plan in each database, and gives out the report of all of it.
pub(super) fn finish(
    mut load: PlanLoad<'_>,
    targets: Vec<(PartRange, Database)>,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    let checked = load.checked()?;
    let count = targets.len();
    let mut all: Option<RunReport> = None;
    for (range, database) in targets {
        load.range = range;
        let finished = finish_one(&load, database).map_err(|failure| load.in_target(failure, count))?;
        if !finished.outcome.is_final() {
            output.tell(&finished)?;
            return Ok(finished.exit_code);
        }
        match &mut all {
            None => all = Some(finished),
            Some(all) => all.merge(finished).map_err(|error| Failure::of(exit::BUG, error))?,
        }
    }
    let report = load.with_checked(all.expect("there is a database"), checked)?;
    output.tell(&report)?;
    Ok(report.exit_code)
}

/// Finishes the plan in one database; the report is that of its parts.
fn finish_one(load: &PlanLoad<'_>, database: Database) -> Result<RunReport, Failure> {
    let name = if load.range.count == load.plan.parts {
        "finish".to_owned()
    } else {
        format!("finish-{}", load.range.first)
    };
    let rejects = load.request.documents.rejects.as_ref().map(|dir| dir.join(name));
    let documents = DocumentSettings { rejects, has_details: false, ..load.request.documents.clone() };
    let request = LoadRequest { documents: &documents, ..load.request };
    let LoadRequest { settings, console, .. } = request;
    limits::refuse_tight(settings.connections + OTHER_CONNECTIONS, 1, documents.jobs, load.map.is_some())?;
    let runtime = CommandRuntime::new()?;
    let mut signals = Signals::catch(runtime.handle())?;
    let (server, target) = reach(database, console)?;
    let prepared = runtime.block_on(async {
        tokio::select! {
            prepared = load.prepare_finish(&target) => prepared,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal before the plan was finished; the same command finishes it",
            )),
        }
    });
    let (mut control, ready) = match prepared? {
        Prepared::Done(report) => {
            console.info("the plan is finished; this is its report");
            return stop(server).map(|()| *report);
        }
        Prepared::Finish(control, ready) => (*control, *ready),
    };
    let resumed = runtime.block_on(control.resume(ready.whole.id, &load.key));
    let run = resumed.map_err(|error| failure_of_ledger(&error))?;
    let run = Run { of_plan: Some(OfPlan { whole: run.id, part: None }), ..run };
    let (target, runtime, signals) = (&*target, &runtime, &signals);
    let context = AttemptContext { request, target, runtime, signals, run: &run, plan: Some(&load.plan) };
    let (control, deferred) = load.restore(context, control, &ready)?;
    let parts = if run.strategy == Strategy::Bulk { load.range.count } else { 0 };
    let blocks = load.plan.deferred_blocks(load.range.first, parts);
    let source = Source::File(deferred.clone());
    let reader = ChunkReader::open_blocks(vec![source], blocks, documents.chunk_bytes);
    let mut share = load.share(0);
    // What it loads is left of all parts.
    share.parts.iter_mut().for_each(|parts| parts.of.clear());
    let opened = load.inputs(reader, share);
    let whole = |stage: RunReport| {
        let mut loaded = ready.loaded;
        loaded.judge_again(stage);
        loaded.run_id = Some(run.id);
        load.with_checked(loaded, None)
    };
    let report = attempt_run(context, opened, control, whole, |_| Ok(()));
    // It holds customers' documents; the ledger has them until the plan has ended.
    let _ = std::fs::remove_file(&deferred);
    stop(server)?;
    report
}

impl PlanLoad<'_> {
    /// What checking the splits has found, where the reports of that are named.
    fn checked(&self) -> Result<Option<RunReport>, Failure> {
        let inputs = &self.request.documents.inputs;
        if inputs.is_empty() {
            return Ok(None);
        }
        let paths: Vec<_> = inputs.iter().map(PathBuf::from).collect();
        let report = merge_files(&paths)?;
        let words = match &report.plan {
            Some(plan) if plan.digest != self.plan.digest || plan.is_of_parts() => {
                "are of another plan, or no reports of its splits".to_owned()
            }
            Some(plan) => match plan.not_in_it() {
                None => return Ok(Some(report)),
                Some(missing) => format!("lack {missing}"),
            },
            None => "are not of splits of a plan".to_owned(),
        };
        let message = format!(
            "the reports that are named {words}; name those of all splits, as scatter --report wrote them, or none"
        );
        Err(Failure::new(exit::USAGE, message))
    }

    /// The report of all that was checked and loaded.
    fn with_checked(&self, loaded: RunReport, checked: Option<RunReport>) -> Result<RunReport, Failure> {
        let mut report = match checked {
            None => loaded,
            Some(mut checked) => {
                let run_id = loaded.run_id;
                checked.join(loaded).map_err(|error| Failure::of(exit::USAGE, error))?;
                checked.run_id = run_id;
                checked
            }
        };
        if matches!(report.outcome, Outcome::Complete | Outcome::CompleteWithRejects) {
            let rejected = report.documents.rejected;
            report.outcome = if rejected == 0 { Outcome::Complete } else { Outcome::CompleteWithRejects };
            let accepts = self.request.documents.accept_rejects;
            report.exit_code = if rejected == 0 || accepts { exit::COMPLETE } else { exit::REJECTS };
        }
        report.assert_adds_up();
        Ok(report)
    }

    async fn prepare_finish(&self, target: &Target) -> Result<Prepared, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let mut control = self.connect(target, TargetLock::whole(&settings.db_schema)).await?;
        let runs = self.runs(&mut control, None).await?;
        if let Some(done) = self.done(&mut control, &runs).await? {
            return Ok(Prepared::Done(done));
        }
        self.refuse_missing(&runs)?;
        let report = |message: String| console.warn(&message);
        let until = Instant::now() + PARTS_PATIENCE;
        loop {
            match control.hold_target(settings.when_held, &report).await {
                Ok(()) => break,
                Err(ControlError::Held(holder)) if holder.loads_part && Instant::now() < until => {}
                Err(error) => return Err(failure_of_control(error, target)),
            }
        }
        let runs = self.runs(&mut control, None).await?;
        if let Some(done) = self.done(&mut control, &runs).await? {
            return Ok(Prepared::Done(done));
        }
        self.refuse_missing(&runs)?;
        self.tables(&mut control, target).await?;
        let (whole, of_parts) = runs.split_first().expect("it was just looked at");
        refuse_other_settings(whole, whole.id)?;
        let mut loaded: Option<RunReport> = None;
        for run in of_parts {
            let report = self.read_report(control.client(), run.id).await?;
            match &mut loaded {
                None => loaded = Some(report),
                Some(loaded) => loaded.merge(report).map_err(|error| Failure::of(exit::BUG, error))?,
            }
        }
        let loaded = loaded.expect("a plan has a part");
        let kinds = session_kinds(settings.connections, false, whole.strategy);
        let target_of_check = target.named("profile-loader check");
        let checked = check_sessions(&target_of_check, &kinds, &settings.timeouts, &report).await;
        checked.map_err(|error| failure_of_run(error, target))?;
        let of_parts = of_parts.iter().map(|run| run.id).collect();
        let ready = Ready { whole: whole.clone(), of_parts, loaded };
        Ok(Prepared::Finish(Box::new(control), Box::new(ready)))
    }

    /// The report of a plan that is finished.
    async fn done(&self, control: &mut Control, runs: &[PlanRun]) -> Result<Option<Box<RunReport>>, Failure> {
        match runs.first() {
            Some(whole) if whole.part.is_none() && whole.has_ended() => {
                self.read_report(control.client(), whole.id).await.map(|report| Some(Box::new(report)))
            }
            _ => Ok(None),
        }
    }

    /// Refuses a plan of which parts are not loaded.
    fn refuse_missing(&self, runs: &[PlanRun]) -> Result<(), Failure> {
        let Some(whole) = runs.first().filter(|run| run.part.is_none()) else {
            return Err(Failure::new(
                exit::NEEDS_A_PERSON,
                format!(
                    "the plan {} was not begun in this database, or was abandoned: profile-loader load --plan {} --begin",
                    self.name, self.name
                ),
            ));
        };
        if let Some(run) = runs.iter().find(|run| run.has_ended() && !run.is_done()) {
            return Err(Failure::new(
                exit::REJECT_LIMIT,
                format!(
                    "part {} of the plan was stopped by --max-rejects (run {}), so it can't be finished; abandon it: \
                     profile-loader runs abandon {}",
                    run.part.unwrap_or_default(),
                    run.id,
                    whole.id
                ),
            ));
        }
        let is_done = |part: &u32| runs.iter().any(|run| run.part == Some(*part) && run.is_done());
        let missing: Vec<_> = self.range.parts().filter(|part| !is_done(part)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().take(20).map(u32::to_string).collect();
        let more = if missing.len() > names.len() { ", …" } else { "" };
        Err(Failure::new(
            exit::TEMPORARY,
            format!(
                "{} of {} parts of the plan are not loaded yet: {}{more}; load them, and finish it then",
                missing.len(),
                self.range.count,
                names.join(", ")
            ),
        ))
    }

    /// Restores what was dropped, or gathers statistics where nothing was, and fetches what parts have deferred.
    fn restore(
        &self,
        context: AttemptContext<'_>,
        control: Control,
        ready: &Ready,
    ) -> Result<(Control, PathBuf), Failure> {
        let AttemptContext { request, target, runtime, run, .. } = context;
        let (report_lost, interrupts) = Interrupts::new(context.signals.clone());
        let held = {
            let _in_runtime = runtime.enter();
            control.hold(move |error| drop(report_lost.try_send(error)))
        };
        let watch_target = target.named(&run.application_name(SessionRole::Watch));
        let watch = Arc::new(Watch::new(&watch_target, &request.settings.timeouts));
        let rules = Rules { schema: Arc::clone(&self.schema), map: self.map.clone() };
        let finisher = Finisher { context, rules, source_names: &[], watch: &watch, interrupts: &interrupts };
        let restored = match run.strategy {
            Strategy::Bulk => finisher.restore(None),
            Strategy::Merge => Ok(()),
        };
        let control = runtime.block_on(held.release());
        let mut finish = Finish { context, control };
        let failed = match restored {
            Ok(()) => match self.fetch(context, &mut finish.control, ready) {
                Ok(path) => return Ok((finish.control, path)),
                Err(failure) => failure,
            },
            Err(end) => {
                let (exit_code, words) = exit_code_of_end(&end);
                Failure::new(exit_code, words)
            }
        };
        finish.failed(failed).map(|_| unreachable!("it has failed"))
    }

    fn fetch(
        &self,
        context: AttemptContext<'_>,
        control: &mut Control,
        ready: &Ready,
    ) -> Result<PathBuf, Failure> {
        let AttemptContext { request, runtime, run, signals, .. } = context;
        let dir = request.documents.rejects.as_ref().expect("a load has a folder for rejected documents");
        let path = dir.join(format!("deferred.run-{}.blocks.partial", run.id));
        let made = std::fs::create_dir_all(dir).and_then(|()| create_private(&path));
        made.map_err(|error| failure_of_rejects(deferred_error(&path)(error)))?;
        let answer = request.settings.timeouts.answer;
        let mut signals = signals.clone();
        let db_schema = quote_identifier(&self.key.db_schema);
        runtime.block_on(async {
            let work = async {
                let client = control.client();
                if run.strategy == Strategy::Merge {
                    for table in Table::ALL {
                        let sql = format!("ANALYZE {db_schema}.{}", table.name());
                        client.batch_execute(&sql).await.map_err(failed("ANALYZE"))?;
                    }
                    return Ok(());
                }
                parts::read_deferred(client, &ready.of_parts, &path, answer).await
            };
            tokio::select! {
                done = work => done.map_err(|error| failure_of_ledger(&error)),
                signal = signals.received() => Err(Failure::new(
                    signals::exit_code(signal),
                    "stopped by a signal before the plan was finished",
                )),
            }
        })?;
        Ok(path)
    }
}
