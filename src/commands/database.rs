//! The database of a command: found or started, connected to, and its errors as failures of the command.

use std::path::PathBuf;

use tokio::time;
use tokio_postgres::Client as PgClient;

use super::{
    failure::{Failure, exit},
    limits,
    output::print,
    preflight::{Finding, Severity, in_the_way, look_at_server, look_at_settings},
    runtime::CommandRuntime,
    signals::{self, Signals},
};
use crate::{
    console::Console,
    load::ControlError,
    migrate::MigrateError,
    path_text::path_text,
    postgres::{ErrorClass, LocalServer, Target},
    runs::RunError,
    session::{Client, SessionError, SessionPool, SessionSettings},
    settings::Timeouts,
};

/// Of a command that does one thing, and while it connects.
const CONNECTIONS: usize = 2;

/// Where to load into.
#[derive(Debug, Clone)]
pub enum Database {
    Target(Box<Target>),
    /// A private server with its data in this folder.
    Embedded(PathBuf),
}

/// Starts the private server where one was requested; it is stopped when the value is dropped, on errors too.
pub(super) fn reach(
    database: Database,
    console: Console,
) -> Result<(Option<LocalServer>, Box<Target>), Failure> {
    match database {
        Database::Target(target) => {
            for warning in target.warnings() {
                console.warn(warning);
            }
            Ok((None, target))
        }
        Database::Embedded(dir) => {
            console.info(&format!("starting a private PostgreSQL server in {}", path_text(&dir)));
            let server =
                LocalServer::start(&dir).map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
            console.info(&format!("  look into it while it runs:  {}", server.psql_command()));
            console.info(&format!("  start it again afterwards:   {}", server.start_again_command()));
            let target = Box::new(Target::local(server.connection_config()));
            Ok((Some(server), target))
        }
    }
}

pub(super) fn stop(server: Option<LocalServer>) -> Result<(), Failure> {
    match server {
        Some(server) => server.stop().map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error)),
        None => Ok(()),
    }
}

/// Does one thing over one connection, and prints the text that comes of it; returns its exit code.
pub(super) fn on_database(
    database: Database,
    console: Console,
    work: impl AsyncFnOnce(&mut PgClient, &Target) -> Result<(String, u8), Failure>,
) -> Result<u8, Failure> {
    limits::refuse_tight(CONNECTIONS, 0, 0, false)?;
    let runtime = CommandRuntime::new()?;
    let mut signals = Signals::catch(runtime.handle())?;
    let (server, target) = reach(database, console)?;
    let timeouts = Timeouts::IMPATIENT;
    let pool = SessionPool::new(&target, SessionSettings::Control, 1);
    let (text, exit_code) = runtime.block_on(async {
        let work = async {
            let mut client = connect(&pool, &target, &timeouts, console, true).await?;
            work(&mut client, &target).await
        };
        tokio::select! {
            done = work => done,
            signal = signals.received() => Err(Failure::new(
                signals::exit_code(signal),
                "stopped by a signal; what was under way is rolled back",
            )),
        }
    })?;
    print(&text)?;
    stop(server)?;
    Ok(exit_code)
}

/// The first connection: to a server that can be used. `needs_writes`: a standby is refused.
pub(super) async fn connect(
    pool: &SessionPool,
    target: &Target,
    timeouts: &Timeouts,
    console: Console,
    needs_writes: bool,
) -> Result<Client, Failure> {
    let client = connect_anyhow(pool, target, timeouts, console).await?;
    let mut findings = Vec::new();
    let looked = time::timeout(timeouts.answer, look_at_server(&client, needs_writes, &mut findings));
    looked.await.map_err(|_| no_answer(target))??;
    refuse(&findings)?;
    Ok(client)
}

/// The first connection, to whatever server there is.
pub(super) async fn connect_anyhow(
    pool: &SessionPool,
    target: &Target,
    timeouts: &Timeouts,
    console: Console,
) -> Result<Client, Failure> {
    let client = pool.connect_waiting(timeouts.db_wait, &|message| console.warn(&message)).await;
    client.map_err(|error| failure_of_run(error.into(), target))
}

/// Refuses where a setting of the role or the database keeps the session from writing.
pub(super) async fn refuse_unfit_session(client: &PgClient) -> Result<(), Failure> {
    let mut findings = Vec::new();
    look_at_settings(client, false, &mut findings).await?;
    refuse(&findings)
}

/// Refuses where one of the findings is in the way.
pub(super) fn refuse(findings: &[Finding]) -> Result<(), Failure> {
    match in_the_way(findings) {
        None => Ok(()),
        Some((Severity::Temporary, text)) => Err(Failure::new(exit::TEMPORARY, text)),
        Some((_, text)) => Err(Failure::new(exit::NEEDS_A_PERSON, text)),
    }
}

/// The server's own schemas, and that of the ledger, are not for tables of customers.
pub(super) fn refuse_reserved_schema(db_schema: &str) -> Result<(), Failure> {
    let whose = match db_schema {
        "information_schema" => "is PostgreSQL's own",
        "profile_loader" => "holds the ledger of this program",
        name if name.starts_with("pg_") => "is PostgreSQL's own, as every name that begins with pg_",
        _ => return Ok(()),
    };
    let message = format!(
        "the schema {db_schema} {whose} and can't hold the four tables; name another one with --db-schema (or \
         DATABASE_SCHEMA)"
    );
    Err(Failure::new(exit::USAGE, message))
}

pub(super) fn no_answer(target: &Target) -> Failure {
    let message = format!(
        "{target} has not answered in time; it may be overloaded, or somebody holds a lock on the tables; run the \
         same command again"
    );
    Failure::new(exit::TEMPORARY, message)
}

/// Of an error before anything was begun.
pub(super) fn failure_of_run(error: RunError, target: &Target) -> Failure {
    let exit_code = exit_code_of(error.class());
    match error {
        RunError::Session(SessionError::Connecting { source }) if source.is_of_set_up() => {
            Failure::new(exit_code, format!("in {target}, {}", source.reason()))
        }
        RunError::Session(SessionError::Connecting { source }) => {
            Failure::new(exit_code, format!("connecting to {target} failed: {}", source.reason()))
        }
        RunError::Session(SessionError::Database { what, source, .. }) => {
            Failure::of_database(format!("{what} in {target} failed"), source)
        }
        error => Failure::new(exit_code, error.message()),
    }
}

pub(super) fn failure_of_control(error: ControlError, target: &Target) -> Failure {
    match error {
        ControlError::Held(_) => Failure::new(exit::NEEDS_A_PERSON, error.to_string()),
        ControlError::Run(error) => failure_of_run(error, target),
    }
}

pub(super) fn failure_of_migration(error: MigrateError) -> Failure {
    let code = if error.is_temporary() { exit::TEMPORARY } else { exit::NEEDS_A_PERSON };
    Failure::of(code, error)
}

/// The exit code follows from what can be done about an error.
pub(super) fn exit_code_of(class: ErrorClass) -> u8 {
    if class.is_temporary() { exit::TEMPORARY } else { exit::NEEDS_A_PERSON }
}
