//! `load --plan`: a plan is begun, its parts are loaded by as many processes as there are, and it is finished.
//!
//! Each of the three is done once, however often it is asked for: what is done is answered from the ledger.

mod begin;
mod finish;
mod part;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::time;

use super::{LoadRequest, look_at_session, refuse_to_begin, request::failure_of_ledger};
use crate::{
    commands::{
        database::{Database, connect_anyhow, failure_of_run, no_answer, refuse_reserved_schema},
        failure::{Failure, exit},
        inputs::OpenedInputs,
        planned::rules_of,
        preflight::{Tables, Wanted, look_at_target},
        tell::ReportOutput,
    },
    document::DocumentSchema,
    input::ChunkReader,
    load::Control,
    map::DocumentMap,
    path_text::path_text,
    plan::Plan,
    postgres::Target,
    report::PlanShare,
    runs::{PartRange, PlanRun, RunKey, parts, target_lock::TargetLock, within},
    session::{SessionPool, SessionSettings},
    settings::{DocumentSettings, FramingRequest, LoadSettings, Resume},
};

/// What is done of which plan.
#[derive(Debug)]
pub(crate) struct PlanLoadRequest {
    pub(crate) plan: PathBuf,
    pub(crate) step: PlanStep,
    pub(crate) targets: Vec<PlanTarget>,
}

/// A database, and the parts that go into it.
#[derive(Debug)]
pub(crate) struct PlanTarget {
    pub(crate) database: Database,
    /// First and last; none where it is the only one.
    pub(crate) parts: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanStep {
    Begin,
    /// Counted from 0.
    Part(u32),
    Finish,
}

/// A plan that is loaded.
struct PlanLoad<'a> {
    request: LoadRequest<'a>,
    plan: Plan,
    /// Its name, for messages.
    name: String,
    key: RunKey,
    /// The parts that go into the database at hand.
    range: PartRange,
    schema: Arc<DocumentSchema>,
    map: Option<Arc<DocumentMap>>,
}

/// Gives the report out, where there is one; returns the exit code of what came to an end of some kind.
pub(crate) fn load_of_plan(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    asked: PlanLoadRequest,
    output: &ReportOutput,
) -> Result<u8, Failure> {
    refuse_reserved_schema(&settings.db_schema)?;
    refuse_options(documents, settings, asked.step)?;
    let plan = Plan::read(&asked.plan).map_err(|error| Failure::of(exit::USAGE, error))?;
    let name = path_text(&asked.plan);
    let (schema, map) = rules_of(&plan)?;
    let targets = ranges(asked.targets, &plan)?;
    let key = RunKey {
        db_schema: settings.db_schema.clone(),
        on_existing: settings.on_existing,
        json_schema_sha256: schema.sha256.clone(),
        map_sha256: map.as_ref().map(|map| map.sha256.clone()),
        atomic: false,
        strategy: settings.strategy,
    };
    let request = LoadRequest { documents, settings, console: output.console };
    let range = PartRange { first: 0, count: plan.parts };
    let mut load = PlanLoad { request, plan, name, key, range, schema, map };
    match asked.step {
        PlanStep::Begin => {
            let count = targets.len();
            for (range, database) in targets {
                load.range = range;
                begin::begin(&load, database).map_err(|failure| load.in_target(failure, count))?;
            }
            Ok(exit::COMPLETE)
        }
        PlanStep::Part(part) => {
            load.refuse_other_part(part)?;
            let target = targets.into_iter().find(|(range, _)| range.parts().contains(&part));
            let (range, database) = target.expect("each part has one");
            part::load_part(PlanLoad { range, ..load }, part, database, output)
        }
        PlanStep::Finish => finish::finish(load, targets, output),
    }
}

/// The parts of each database; refuses them where not each part has one.
fn ranges(targets: Vec<PlanTarget>, plan: &Plan) -> Result<Vec<(PartRange, Database)>, Failure> {
    let mut ranges = Vec::with_capacity(targets.len());
    let mut next = 0;
    for PlanTarget { database, parts } in targets {
        let (first, last) = parts.unwrap_or((0, plan.parts - 1));
        if first != next || last < first || last >= plan.parts {
            return Err(Failure::new(
                exit::USAGE,
                format!(
                    "the file of --targets has parts {first} to {last} where part {next} comes next, and the plan has parts 0 to {}",
                    plan.parts - 1
                ),
            ));
        }
        ranges.push((PartRange { first, count: last - first + 1 }, database));
        next = last + 1;
    }
    if next == plan.parts {
        return Ok(ranges);
    }
    Err(Failure::new(exit::USAGE, format!("the file of --targets has no database for part {next}")))
}

fn refuse_options(
    documents: &DocumentSettings,
    settings: &LoadSettings,
    step: PlanStep,
) -> Result<(), Failure> {
    let has_rules = documents.json_schema.is_some()
        || documents.map.is_some()
        || documents.framing != FramingRequest::Auto;
    let said = [
        (settings.atomic, "--atomic, for parts are loaded in transactions of their own"),
        (settings.dry_run, "--dry-run, which looks at inputs"),
        (has_rules, "--json-schema, --map or --framing, for the plan has them"),
        (documents.baseline.is_some(), "--baseline, for the report of the plan is made of others"),
        (settings.resume == Resume::Never && step != PlanStep::Begin, "--resume never, unless it is begun"),
        (
            step == PlanStep::Begin && !documents.inputs.is_empty(),
            "an INPUT as it is begun; the blocks of its parts come with --part",
        ),
    ];
    match said.into_iter().find(|(is_said, _)| *is_said) {
        None => Ok(()),
        Some((_, what)) => Err(Failure::new(exit::USAGE, format!("a plan is not loaded with {what}"))),
    }
}

impl PlanLoad<'_> {
    /// A failure, with the database that it is of where there are several.
    fn in_target(&self, failure: Failure, targets: usize) -> Failure {
        if targets == 1 {
            return failure;
        }
        let PartRange { first, count } = self.range;
        Failure::new(
            failure.exit_code,
            format!("the database of parts {first} to {}: {failure}", first + count - 1),
        )
    }

    fn refuse_other_part(&self, part: u32) -> Result<(), Failure> {
        let parts = self.plan.parts;
        if part < parts {
            return Ok(());
        }
        let message = format!("the plan {} has no part {part}: there are {parts}, counted from 0", self.name);
        Err(Failure::new(exit::USAGE, message))
    }

    /// The first session, which holds nothing yet.
    async fn connect(&self, target: &Target, lock: TargetLock) -> Result<Control, Failure> {
        let LoadRequest { settings, console, .. } = self.request;
        let timeouts = settings.timeouts;
        let named = target.named("profile-loader control");
        let pool = SessionPool::new(&named, SessionSettings::Control, 1);
        let client = connect_anyhow(&pool, target, &timeouts, console).await?;
        let mut findings = Vec::new();
        let looked = time::timeout(timeouts.answer, look_at_session(&client, &mut findings));
        if looked.await.map_err(|_| no_answer(target))??.is_none() {
            refuse_to_begin(&findings)?;
        }
        let control = Control::looking(pool, client, lock, timeouts).await;
        control.map_err(|error| failure_of_run(error, target))
    }

    /// The plan's runs in the ledger, its own first; none where there is no ledger for them.
    async fn runs(&self, control: &mut Control, part: Option<u32>) -> Result<Vec<PlanRun>, Failure> {
        let answer = self.request.settings.timeouts.answer;
        let client = control.client();
        let runs = async {
            if !parts::are_known(client).await? {
                return Ok(Vec::new());
            }
            parts::of_plan(client, &self.key, &self.plan.digest, self.range, part).await
        };
        within(answer, runs).await.flatten().map_err(|error| failure_of_ledger(&error))
    }

    /// Tables and ledger that are there, as they are once the plan has begun.
    async fn tables(&self, control: &mut Control, target: &Target) -> Result<Tables, Failure> {
        let settings = self.request.settings;
        let mut findings = Vec::new();
        let looked = look_at_target(control.client(), Wanted::by(settings), &mut findings);
        let tables =
            time::timeout(settings.timeouts.answer, looked).await.map_err(|_| no_answer(target))??;
        refuse_to_begin(&findings)?;
        tables.filter(Tables::are_ready).ok_or_else(|| {
            Failure::new(
                exit::NEEDS_A_PERSON,
                format!(
                    "the tables or the ledger are not there yet, and a part makes none; begin the plan: profile-loader load \
                     --plan {} --begin",
                    self.name
                ),
            )
        })
    }

    /// What is read of the plan, with what documents are held against.
    fn inputs(&self, reader: ChunkReader, share: PlanShare) -> OpenedInputs {
        let names = (0..self.plan.sources.len()).map(|source| self.plan.source_name(source)).collect();
        OpenedInputs {
            reader,
            schema: Arc::clone(&self.schema),
            map: self.map.clone(),
            share: Some(share),
            names: Some(names),
            framing: self.plan.framing(),
            baseline: None,
            started: (SystemTime::now(), Instant::now()),
        }
    }

    /// Of a part, or of what is left of all of them.
    fn share(&self, part: u32) -> PlanShare {
        let to_u64 = |count: usize| u64::try_from(count).expect("a count has 64 bits");
        let Plan { digest, splits, parts, sources, .. } = &self.plan;
        PlanShare::of_part(digest.clone(), to_u64(splits.len()), (*parts).into(), part.into(), sources.len())
    }
}

/// Refuses a run of the plan that was begun with other settings.
fn refuse_other_settings(run: &PlanRun, whole: i64) -> Result<(), Failure> {
    if run.differs_in.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        exit::NEEDS_A_PERSON,
        format!(
            "run {} of this plan was begun with another {}; say the same for all parts, or abandon the plan: \
             profile-loader runs abandon {whole}",
            run.id,
            run.differs_in.join(" and ")
        ),
    ))
}
