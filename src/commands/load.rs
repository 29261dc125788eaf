//! `load`: see to the tables, then validate, normalise and load.

use std::path::PathBuf;

use deadpool_postgres::{Object, Pool, PoolError};

use super::{
    Failure, RunRequest,
    conclude::{Conclusion, conclude},
    exit,
    migrate::ensure_tables,
    run::{Opened, create_reject_files, no_runtime, runtime},
    signals::{self, Signals},
};
use crate::{
    console::Console,
    load::Session,
    pipeline::{self, Lanes},
    postgres::{LocalServer, Target, refuse_unsuitable},
    settings::LoadSettings,
};

/// Where to load into.
#[derive(Debug)]
pub enum Database {
    Target(Box<Target>),
    /// A private server with its data in this folder.
    Embedded(PathBuf),
}

/// Returns the exit code of a run that came to an end of some kind.
pub fn load(request: &RunRequest, settings: &LoadSettings, database: Database) -> Result<u8, Failure> {
    let opened = Opened::open(&request.settings, settings.connections)?;
    let runtime = runtime()?;
    let mut signals = Signals::catch(runtime.handle()).map_err(|error| no_runtime(&error))?;
    let (server, target) = reach(database, request.console)?;
    let sessions = runtime.block_on(async {
        tokio::select! {
            sessions = prepare(&target, settings, request.console) => sessions,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal before anything was loaded",
            )),
        }
    })?;
    let rejects = create_reject_files(&request.settings)?;
    let run = opened.start("load", request, rejects);
    let lanes = Lanes { sessions, on_existing: settings.on_existing };
    let finished =
        pipeline::run(run.reader, run.plan, Some(lanes), runtime.handle(), &run.progress, |stopper| {
            runtime.spawn(async move { stopper.stop(signals.received().await) });
        });
    run.progress.finish();
    let load = Some(("merge", settings.connections));
    let exit_code = conclude(request, Conclusion { about: run.about, finished, load })?;
    runtime.shutdown_background();
    if let Some(server) = server {
        server.stop().map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
    }
    Ok(exit_code)
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

async fn prepare(
    target: &Target,
    settings: &LoadSettings,
    console: Console,
) -> Result<Vec<Session>, Failure> {
    // One connection more than lanes: what is not a lane's work must never wait for one.
    let pool = target.pool(settings.connections + 1);
    let mut client = connect(&pool, target).await?;
    ensure_tables(&mut client, settings, console).await?;
    let mut sessions = Vec::with_capacity(settings.connections);
    for _ in 0..settings.connections {
        let client = connect_another(&pool, target).await?;
        let session = Session::prepare(client, &settings.db_schema).await.map_err(|error| {
            Failure::of_database(format!("{} in {target} failed", error.what), error.source)
        })?;
        sessions.push(session);
    }
    Ok(sessions)
}

/// The first connection: to a server that can be used.
pub(super) async fn connect(pool: &Pool, target: &Target) -> Result<Object, Failure> {
    let client = connect_another(pool, target).await?;
    match refuse_unsuitable(&client).await {
        Ok(None) => Ok(client),
        Ok(Some(reason)) => Err(Failure::new(exit::NEEDS_A_PERSON, reason)),
        Err(error) => Err(Failure::of_database(format!("asking {target} for its version failed"), error)),
    }
}

async fn connect_another(pool: &Pool, target: &Target) -> Result<Object, Failure> {
    let what = || format!("connecting to {target} failed");
    match pool.get().await {
        Ok(client) => Ok(client),
        Err(PoolError::Backend(error)) => Err(Failure::of_database(what(), error)),
        Err(error) => Err(Failure::new(exit::TEMPORARY, format!("{}: {error}", what()))),
    }
}
