//! `load`: hold the target, see to the tables, find or begin the run, then validate, normalise and load.

use std::{path::PathBuf, sync::Arc, time::Duration};

use deadpool_postgres::{Object, Pool};
use tokio::{runtime::Runtime, task::JoinHandle, time};

use super::{
    Failure, RunRequest,
    again::this_command,
    bulk::{Outside, Rest},
    choose::choose_run,
    conclude::{AboutLoad, Concluded, Conclusion, conclude},
    exit,
    migrate::ensure_tables,
    run::{Opened, create_reject_files, no_runtime, runtime},
    signals::{self, Signals},
};
use crate::{
    console::Console,
    failpoint,
    load::{
        self, BatchLimits, Connections, Control, ControlError, Ending, LaneContext, Limits, LoadError, Run,
        Watch, bulk::Restoring,
    },
    pipeline::{self, BATCH_CHUNKS, Lanes, LateDocuments, Stopper},
    postgres::{LocalServer, Target, refuse_unsuitable},
    report::{Outcome, SpillFiles},
    rows::RowForm,
    settings::{LoadSettings, Strategy},
};

/// Where to load into.
#[derive(Debug)]
pub enum Database {
    Target(Box<Target>),
    /// A private server with its data in this folder.
    Embedded(PathBuf),
}

/// How long the end of a run that a signal stopped may take to be written to the ledger, which resumes it anyway.
const FINISH_STOPPED: Duration = Duration::from_secs(1);

/// Returns the exit code of a run that came to an end of some kind.
pub fn load(request: &RunRequest, settings: &LoadSettings, database: Database) -> Result<u8, Failure> {
    let opened = Opened::open(&request.settings)?;
    let runtime = runtime()?;
    let mut signals = Signals::catch(runtime.handle()).map_err(|error| no_runtime(&error))?;
    let (server, target) = reach(database, request.console)?;
    let prepared = runtime.block_on(async {
        tokio::select! {
            prepared = prepare(&target, settings, &opened, request.console) => prepared,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal before anything was loaded",
            )),
        }
    })?;
    let code = run_and_finish(request, settings, opened, prepared, &runtime, signals);
    runtime.shutdown_background();
    if let Some(server) = server {
        server.stop().map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
    }
    code
}

/// A target that is held, and a run that has begun.
struct Prepared {
    control: Control,
    run: Run,
    context: Arc<LaneContext>,
    bulk: Option<Bulk>,
}

/// What a bulk load needs when its input is in the tables.
struct Bulk {
    restoring: Restoring,
    /// For merging what was put off.
    context: Arc<LaneContext>,
}

async fn prepare(
    target: &Target,
    settings: &LoadSettings,
    opened: &Opened,
    console: Console,
) -> Result<Prepared, Failure> {
    let tell = |words: String| console.warn(&words);
    let LoadSettings { db_schema, db_wait, .. } = settings;
    let pool = target.named("profile-loader control").pool(1);
    let limits =
        Limits { patience: *db_wait, connect: settings.connect_within(), answer: settings.answer_within() };
    let client = connect_waiting(&pool, target, limits, console).await?;
    let mut control = Control::take(pool, client, db_schema, settings.when_held, limits, &tell)
        .await
        .map_err(|error| failure_of_control(error, target))?;
    let seen_to = ensure_tables(control.client(), settings, console);
    let pending = time::timeout(limits.answer, seen_to).await.map_err(|_| no_answer(target))??;
    let run = choose_run(&mut control, settings, opened, &pending, console).await?;
    failpoint("run-begun");
    let context = lane_context(target, settings, &run, run.strategy);
    context.try_one_connection().await.map_err(|error| failure_of_load(error, target))?;
    let bulk = (run.strategy == Strategy::Bulk).then(|| Bulk {
        restoring: restoring(target, settings, &run),
        context: lane_context(target, settings, &run, Strategy::Merge),
    });
    Ok(Prepared { control, run, context, bulk })
}

fn lane_context(target: &Target, settings: &LoadSettings, run: &Run, strategy: Strategy) -> Arc<LaneContext> {
    let target_of_lanes = target.named(&run.application_name("lane"));
    let size = settings.connections.min(run.lanes.len());
    let within = settings.connect_within();
    let connections = match strategy {
        Strategy::Bulk => Connections::for_filling(&target_of_lanes, size, within),
        Strategy::Merge => Connections::for_merging(&target_of_lanes, size, settings.atomic, within),
    };
    let watch = Watch::new(&target.named(&run.application_name("watch")), settings.watch_every);
    let limits = BatchLimits { cost_bytes: settings.batch_bytes, chunks: BATCH_CHUNKS };
    Arc::new(LaneContext::new(run, strategy, connections, watch, limits, settings.db_wait))
}

fn restoring(target: &Target, settings: &LoadSettings, run: &Run) -> Restoring {
    let session_name = run.application_name(load::RESTORE);
    let connections = Connections::for_restoring(
        &target.named(&session_name),
        settings.connections,
        settings.connect_within(),
    );
    let watch = Watch::new(&target.named(&run.application_name("watch")), settings.watch_every);
    Restoring::new(connections, session_name, settings.db_schema.clone(), watch, settings.db_wait)
}

/// The pipeline between the beginning of an attempt and its end in the ledger.
fn run_and_finish(
    request: &RunRequest,
    settings: &LoadSettings,
    mut opened: Opened,
    prepared: Prepared,
    runtime: &Runtime,
    signals: Signals,
) -> Result<u8, Failure> {
    let Prepared { mut control, run, context, bulk } = prepared;
    opened.reader.expect(run.watermarks());
    let files = create_reject_files(&request.settings, opened.reader.sources(), Some(run.id))
        .and_then(|rejects| Ok((rejects, late_documents(request, &run)?)));
    let (rejects, late) = match files {
        Ok(files) => files,
        Err(failure) => {
            let ending = failed_before_it_began(&failure);
            // The reason is told; where this fails, the ledger has the run as running, which is resumed too.
            let _ = runtime.block_on(control.finish(&run, &ending, FINISH_STOPPED));
            return Err(failure);
        }
    };
    let form = if bulk.is_some() { RowForm::Tables } else { RowForm::Staged };
    let schema = Arc::clone(&opened.schema);
    let started = opened.start("load", request, rejects, run.lanes.len(), form, late);
    let lanes = Lanes { context, run: run.clone(), batch_bytes: settings.batch_bytes };
    let (tell_lost, outside) = Outside::new(signals.clone());
    let held = {
        let _in_runtime = runtime.enter();
        // Whoever listens has room for the first one, which is enough.
        control.hold(move |error| drop(tell_lost.try_send(error)))
    };
    let mut watching: Option<JoinHandle<()>> = None;
    let on_start = |stopper: Stopper| watching = Some(outside.watch(runtime, stopper));
    let (reader, plan) = (started.reader, started.plan);
    let mut finished =
        pipeline::run(reader, plan, Some(lanes), runtime.handle(), &started.progress, on_start);
    started.progress.finish();
    watching.inspect(JoinHandle::abort);
    if let Some(Bulk { restoring, context }) = bulk {
        let source_names = &started.about.source_names;
        let rest = Rest {
            request,
            settings,
            run: &run,
            schema,
            source_names,
            restoring: &restoring,
            context,
            runtime,
            outside: &outside,
        };
        finished = rest.complete(finished);
    }
    let control = runtime.block_on(held.release());
    let load = AboutLoad { run_id: run.id, strategy: run.strategy.name(), connections: settings.connections };
    let concluded = conclude(request, Conclusion { about: started.about, finished, load: Some(load) })?;
    finish(request.console, settings, control, &run, concluded, runtime, signals)
}

/// Where a bulk load puts documents off; with the rejected ones, for they are customers' data as well.
fn late_documents(request: &RunRequest, run: &Run) -> Result<LateDocuments, Failure> {
    match (&request.settings.rejects, run.strategy) {
        (Some(dir), Strategy::Bulk) => {
            let files = SpillFiles::create(dir, run.id);
            files.map(LateDocuments::Spilled).map_err(|error| {
                let exit_code = if error.is_temporary() { exit::TEMPORARY } else { exit::USAGE };
                Failure::of(exit_code, error)
            })
        }
        _ => Ok(LateDocuments::None),
    }
}

/// Writes the end of the run, or of this attempt at it, to the ledger; the last thing that is done.
fn finish(
    console: Console,
    settings: &LoadSettings,
    mut control: Control,
    run: &Run,
    concluded: Concluded,
    runtime: &Runtime,
    mut signals: Signals,
) -> Result<u8, Failure> {
    failpoint("finish");
    let ending = ending(&concluded);
    let is_stopped = concluded.outcome == Outcome::Interrupted;
    let patience = if is_stopped { FINISH_STOPPED } else { settings.db_wait };
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = control.finish(run, &ending, patience) => Ok(ended),
            signal = signals.received(), if !is_stopped => Err(signal),
            () = time::sleep(FINISH_STOPPED), if is_stopped => Err(signals.received().await),
        }
    });
    if !ending.is_final {
        tell_how_to_go_on(console, run, &concluded);
    }
    match ended {
        Ok(Ok(())) => concluded.exit_code(),
        // What the run failed at is told; the ledger has it as running, which is resumed too.
        Ok(Err(_)) if !ending.is_final => concluded.exit_code(),
        Ok(Err(error)) => Err(Failure::new(
            exit::TEMPORARY,
            format!(
                "everything is loaded and told, but run {} can't be marked as ended: {}; \
                 the same command marks it",
                run.id,
                error.in_words()
            ),
        )),
        Err(signal) => Ok(signals::exit_code(signal)),
    }
}

fn ending(concluded: &Concluded) -> Ending {
    let state = match concluded.outcome {
        _ if !concluded.is_told() => "failed",
        Outcome::Complete => "complete",
        Outcome::CompleteWithRejects => "complete_with_rejects",
        Outcome::RejectLimit => "reject_limit",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    };
    let documents = &concluded.documents;
    Ending {
        state,
        is_final: !matches!(state, "failed" | "interrupted"),
        documents: [documents.read, documents.accepted, documents.rejected],
        failure: concluded.failure.clone(),
        digests: concluded.digests.clone(),
    }
}

fn failed_before_it_began(failure: &Failure) -> Ending {
    let failure = Some(failure.to_string());
    Ending { state: "failed", is_final: false, documents: [0; 3], failure, digests: Vec::new() }
}

fn tell_how_to_go_on(console: Console, run: &Run, concluded: &Concluded) {
    let id = run.id;
    if run.strategy == Strategy::Bulk {
        console.info("until it has ended, the tables may lack indexes and foreign keys");
    }
    if concluded.needs_a_person() {
        console.info(&format!(
            "run {id} is unfinished; once that is mended, the same command goes on with it, or give it up: \
             profile-loader runs abandon {id}"
        ));
    } else {
        let command = this_command();
        console.info(&format!(
            "run {id} is unfinished; to go on with it, run the same command again:\n  {command}"
        ));
    }
}

/// Starts the private server where one was asked for; it is stopped when the value goes, on errors too.
pub(super) fn reach(
    database: Database,
    console: Console,
) -> Result<(Option<LocalServer>, Box<Target>), Failure> {
    match database {
        Database::Target(target) => {
            if target.may_be_plain() {
                console.warn(
                    "the connection is encrypted only if the server offers TLS; sslmode=verify-full insists",
                );
            }
            Ok((None, target))
        }
        Database::Embedded(dir) => {
            console.info(&format!("starting a private PostgreSQL server in {}", dir.display()));
            let server =
                LocalServer::start(&dir).map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
            console.info(&format!("  look into it while it runs:  {}", server.psql_command()));
            console.info(&format!("  start it again afterwards:   {}", server.start_again_command()));
            let target = Box::new(Target::local(server.connection_config()));
            Ok((Some(server), target))
        }
    }
}

/// How long an attempt to connect may take where nobody asked for anything else.
const CONNECT: Duration = Duration::from_secs(20);

fn no_answer(target: &Target) -> Failure {
    let words = format!(
        "{target} has not answered in time; it may be overloaded, or somebody holds a lock on the tables; run the \
         same command again"
    );
    Failure::new(exit::TEMPORARY, words)
}

/// The first connection: to a server that can be used.
pub(super) async fn connect(pool: &Pool, target: &Target) -> Result<Object, Failure> {
    let nobody_waits = |_| {};
    let limits = Limits { patience: Duration::ZERO, connect: CONNECT, answer: CONNECT };
    let client = load::connect(pool, limits, &nobody_waits).await;
    suitable(client.map_err(|error| failure_of_load(error, target))?, target).await
}

async fn connect_waiting(
    pool: &Pool,
    target: &Target,
    limits: Limits,
    console: Console,
) -> Result<Object, Failure> {
    let client = load::connect(pool, limits, &|words| console.warn(&words)).await;
    suitable(client.map_err(|error| failure_of_load(error, target))?, target).await
}

async fn suitable(client: Object, target: &Target) -> Result<Object, Failure> {
    let asked = time::timeout(CONNECT, refuse_unsuitable(&client)).await;
    match asked.map_err(|_| no_answer(target))? {
        Ok(None) => Ok(client),
        Ok(Some(reason)) => Err(Failure::new(exit::NEEDS_A_PERSON, reason)),
        Err(error) => Err(Failure::of_database(format!("asking {target} for its version failed"), error)),
    }
}

fn failure_of_load(error: LoadError, target: &Target) -> Failure {
    match error {
        LoadError::Connecting { source } => {
            Failure::of_database(format!("connecting to {target} failed"), source)
        }
        LoadError::Database { what, source, .. } => {
            Failure::of_database(format!("{what} in {target} failed"), source)
        }
        error => Failure::new(exit_code_of_load(&error), error.to_string()),
    }
}

fn failure_of_control(error: ControlError, target: &Target) -> Failure {
    match error {
        ControlError::Held(_) => Failure::new(exit::NEEDS_A_PERSON, error.to_string()),
        ControlError::Load(error) => failure_of_load(error, target),
    }
}

pub(super) fn exit_code_of_load(error: &LoadError) -> u8 {
    if error.is_temporary() { exit::TEMPORARY } else { exit::NEEDS_A_PERSON }
}
