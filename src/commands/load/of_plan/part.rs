//! `load --plan --part`: loads the blocks of a part, once.

use tokio_postgres::Client;

use super::{PlanLoad, refuse_other_settings};
use crate::{
    commands::{
        database::{Database, failure_of_control, failure_of_run, reach, stop},
        failure::{Failure, exit},
        inputs::{failure_of_input, refuse_unwritable_reports},
        limits,
        load::{
            LoadRequest, OTHER_CONNECTIONS, attempt_run,
            begin::{report_begun, report_resumed},
            choose::{refuse_beside_bulk, refuse_emptied},
            context::AttemptContext,
            request::failure_of_ledger,
        },
        runtime::CommandRuntime,
        signals::{self, Signals},
        standard_input,
        tell::ReportOutput,
    },
    input::{self, ChunkReader, Source},
    load::{Control, NewOfPlan, check_sessions},
    postgres::Target,
    report::RunReport,
    runs::{OfPlan, Run, target_lock::TargetLock},
    session::SessionSettings,
    settings::{DocumentSettings, NetworkSettings, Strategy, StrategyRequest},
};

/// What there is to do.
enum Prepared {
    /// An attempt has loaded it all.
    Done(Box<RunReport>),
    Load(Box<Control>, PartChoice),
}

/// Which run loads the part.
#[derive(Debug, Clone, Copy)]
struct PartChoice {
    strategy: Strategy,
    /// The plan's own run.
    whole: Option<i64>,
    /// An unfinished one of the part.
    resumes: Option<i64>,
}

pub(super) fn load_part(
    load: PlanLoad<'_>,
    part: u32,
    database: Database,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    // Parts may be loaded on one machine: each keeps what it rejects in a folder of its own.
    let rejects = load.request.documents.rejects.as_ref().map(|dir| dir.join(format!("part-{part}")));
    let documents = DocumentSettings { rejects, has_details: false, ..load.request.documents.clone() };
    let load = PlanLoad { request: LoadRequest { documents: &documents, ..load.request }, ..load };
    let LoadRequest { settings, console, .. } = load.request;
    refuse_unwritable_reports(output.files(), &documents)?;
    limits::refuse_tight(settings.connections + OTHER_CONNECTIONS, 1, documents.jobs, load.map.is_some())?;
    let sources = input::resolve(&documents.inputs, &NetworkSettings::default(), |_| ());
    let sources = sources.map_err(failure_of_input)?;
    if sources.contains(&Source::Stdin) {
        standard_input::refuse_unreadable()?;
    }
    let runtime = CommandRuntime::new()?;
    let mut signals = Signals::catch(runtime.handle())?;
    let (server, target) = reach(database, console)?;
    let prepared = runtime.block_on(async {
        tokio::select! {
            prepared = load.prepare_part(&target, part) => prepared,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal before anything was loaded",
            )),
        }
    });
    let (mut control, choice) = match prepared? {
        Prepared::Done(report) => {
            console.info(&format!("part {part} is loaded; this is the report of the run that did it"));
            output.tell(&report)?;
            return stop(server).map(|()| report.exit_code);
        }
        Prepared::Load(control, choice) => (*control, choice),
    };
    let run = runtime.block_on(load.begin_part(&mut control, part, choice))?;
    let context = AttemptContext {
        request: load.request,
        target: &target,
        runtime: &runtime,
        signals: &signals,
        run: &run,
        plan: Some(&load.plan),
    };
    let reader = ChunkReader::open_blocks(sources, load.plan.blocks_of(part), documents.chunk_bytes);
    let opened = load.inputs(reader, load.share(part));
    let report = attempt_run(context, opened, control, Ok, |report| output.tell(report));
    stop(server)?;
    report.map(|report| report.exit_code)
}

impl PlanLoad<'_> {
    /// Holds the part, unless it is loaded; checks all that can be known before its run is begun.
    async fn prepare_part(&self, target: &Target, part: u32) -> Result<Prepared, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let lock = TargetLock::of_part(&settings.db_schema, &self.plan.digest, part);
        let mut control = self.connect(target, lock).await?;
        let report = |message: String| console.warn(&message);
        if let Some(report) = self.report_of(&mut control, part).await? {
            return Ok(Prepared::Done(report));
        }
        let held = control.hold_target(settings.when_held, &report).await;
        held.map_err(|error| failure_of_control(error, target))?;
        // Whoever held it may have loaded it.
        if let Some(report) = self.report_of(&mut control, part).await? {
            return Ok(Prepared::Done(report));
        }
        let tables = self.tables(&mut control, target).await?;
        let runs = self.runs(&mut control, Some(part)).await?;
        let (whole, of_part) =
            (runs.iter().find(|run| run.part.is_none()), runs.iter().find(|run| run.part.is_some()));
        if !tables.pending.is_empty()
            && tables.pending.first().map(|step| step.run_id) != whole.map(|run| run.id)
        {
            return Err(refuse_beside_bulk(&tables.pending));
        }
        for run in whole.into_iter().chain(of_part) {
            refuse_other_settings(run, whole.map_or(run.id, |whole| whole.id))?;
        }
        let choice = PartChoice {
            strategy: whole.map_or(Strategy::Merge, |run| run.strategy),
            whole: whole.map(|run| run.id),
            resumes: of_part.filter(|run| run.is_open()).map(|run| run.id),
        };
        if whole.is_none() && settings.strategy == StrategyRequest::Only(Strategy::Bulk) {
            return Err(Failure::new(
                exit::NEEDS_A_PERSON,
                format!(
                    "a bulk load of a plan drops indexes once for all parts, before any of them: profile-loader load --plan {} \
                     --begin --strategy bulk",
                    self.name
                ),
            ));
        }
        if let (Strategy::Bulk, Some(id)) = (choice.strategy, choice.resumes) {
            refuse_emptied(&mut control, &settings.db_schema, id).await?;
        }
        let kind = match choice.strategy {
            Strategy::Bulk => SessionSettings::Fill,
            Strategy::Merge => SessionSettings::Merge,
        };
        let target_of_check = target.named("profile-loader check");
        let checked = check_sessions(&target_of_check, &[kind], &settings.timeouts, &report).await;
        checked.map_err(|error| failure_of_run(error, target))?;
        Ok(Prepared::Load(Box::new(control), choice))
    }

    /// The report of the run that has loaded the part, if one has.
    async fn report_of(&self, control: &mut Control, part: u32) -> Result<Option<Box<RunReport>>, Failure> {
        let runs = self.runs(control, Some(part)).await?;
        match runs.iter().find(|run| run.part.is_some() && run.has_ended()) {
            Some(run) => {
                self.read_report(control.client(), run.id).await.map(|report| Some(Box::new(report)))
            }
            None => Ok(None),
        }
    }

    pub(super) async fn read_report(&self, client: &Client, id: i64) -> Result<RunReport, Failure> {
        let answer = self.request.settings.timeouts.answer;
        let report = crate::runs::within(answer, crate::runs::parts::report(client, id)).await.flatten();
        let gone = || {
            Failure::new(
                exit::NEEDS_A_PERSON,
                format!("the ledger has run {id} as ended, but not its report"),
            )
        };
        let text = report.map_err(|error| failure_of_ledger(&error))?.ok_or_else(gone)?;
        let place = std::path::PathBuf::from(format!("of run {id} in the ledger"));
        RunReport::from_json(text.as_bytes(), &place)
            .map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))
    }

    async fn begin_part(&self, control: &mut Control, part: u32, choice: PartChoice) -> Result<Run, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let PartChoice { strategy, whole, resumes } = choice;
        if let (Some(id), Some(whole)) = (resumes, whole) {
            let run = control.resume(id, &self.key).await.map_err(|error| failure_of_ledger(&error))?;
            report_resumed(&run, console);
            return Ok(Run { of_plan: Some(OfPlan { whole, part: Some(part) }), ..run });
        }
        let new = NewOfPlan {
            key: &self.key,
            strategy,
            lanes: settings.connections,
            plan: &self.plan.digest,
            parts: self.plan.parts,
            range: self.range,
            part: Some(part),
            whole,
        };
        let begun = control.begin_of_plan(new).await.map_err(|error| failure_of_ledger(&error))?;
        Ok(report_begun(begun.expect("nothing is dropped for a part"), console))
    }
}
