//! `doctor`: all that is in the way of a load, at once, with what changes it; where the connection's settings come from,
//! and what a load would use. Changes nothing: the session is read-only by its own setting.

mod text;

use std::{cell::RefCell, time::Duration};

use serde::Serialize;
use tokio::time;
use tokio_postgres::Client as PgClient;

use super::{
    database::{Database, failure_of_run, no_answer, reach, refuse_reserved_schema, stop},
    failure::{Failure, exit},
    limits,
    load::{
        OTHER_CONNECTIONS, failure_of_ledger, has_server, look_at_session, make_read_only, session_kinds,
    },
    output::{Output, print},
    preflight::{
        Connections, Finding, Server, Severity, Tables, Wanted, look_at_connections, look_at_target,
    },
    runtime::CommandRuntime,
    signals::{self, Signals},
};
use crate::{
    console::Console,
    load::{Control, check_sessions},
    path_text::path_text,
    postgres::{Target, ToldSetting},
    runs::{Pace, target_lock::TargetLock},
    session::{Client, SessionPool, SessionSettings},
    settings::{MissingDdl, OnExisting, Strategy, Timeouts},
};

/// Format number of the JSON; fields are only ever added under one number.
const FORMAT: u32 = 1;

/// How many documents the time is estimated for.
const ESTIMATED: u64 = 1_000_000;

/// The server takes a moment to notice that a session has ended; only then another may begin where the role has a limit.
const ENDING: Duration = Duration::from_secs(5);

/// The load that is meant.
#[derive(Debug)]
pub(crate) struct DoctorRequest {
    pub database: Database,
    pub db_schema: String,
    pub on_existing: OnExisting,
    pub missing_ddl: MissingDdl,
    pub connections: usize,
    pub atomic: bool,
    pub jobs: usize,
    pub output: Output,
    pub console: Console,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Diagnosis {
    format: u32,
    /// Whether a load would begin now.
    is_ready: bool,
    exit_code: u8,
    target: String,
    db_schema: String,
    settings: Vec<ToldSetting>,
    server: Option<Server>,
    /// The protocol and cipher; none where the connection is not encrypted.
    tls: Option<String>,
    connections: Option<Connections>,
    tables: Option<TablesTold>,
    expected: Option<Expected>,
    findings: Vec<Finding>,
}

/// What there is to load into.
#[derive(Debug, Serialize)]
struct TablesTold {
    are_there: bool,
    ledger_version: Option<i32>,
    /// Whether there is a ledger that the role may not read.
    #[serde(skip)]
    is_ledger_unreadable: bool,
    /// What a load would apply first.
    ddl: Vec<String>,
}

/// What a load would use.
#[derive(Debug, Serialize)]
struct Expected {
    /// Of an input that is large enough for it.
    strategy: &'static str,
    because: String,
    /// Memory of the server's for the sessions of a load at most, in MiB, besides what the server shares.
    server_memory_mib: i64,
    /// For 1,000,000 documents, by the pace of earlier runs with this strategy.
    seconds: Option<f64>,
}

/// Prints what was found; the exit code is that of a load that could not begin for it.
pub(crate) fn doctor(request: &DoctorRequest) -> Result<u8, Failure> {
    refuse_reserved_schema(&request.db_schema)?;
    if let Database::Embedded(dir) = &request.database
        && !has_server(dir)
    {
        let dir = path_text(dir);
        let message = format!("there is no private server in {dir} yet, and doctor makes none; a load does");
        return Err(Failure::new(exit::USAGE, message));
    }
    let tight = limits::refuse_tight(request.connections + OTHER_CONNECTIONS, 1, request.jobs, false).err();
    let runtime = CommandRuntime::new()?;
    let mut signals = Signals::catch(runtime.handle())?;
    let (server, target) = match &request.database {
        Database::Target(target) => (None, target.clone()),
        embedded @ Database::Embedded(_) => reach(embedded.clone(), request.console)?,
    };
    let mut diagnosis = Diagnosis {
        format: FORMAT,
        is_ready: true,
        exit_code: exit::COMPLETE,
        target: target.to_string(),
        db_schema: request.db_schema.clone(),
        settings: target.settings().to_vec(),
        server: None,
        tls: None,
        connections: None,
        tables: None,
        expected: None,
        findings: tight
            .map(|failure| Finding::refused("process:limits", failure.to_string()))
            .into_iter()
            .collect(),
    };
    runtime.block_on(async {
        tokio::select! {
            done = diagnosis.look(&target, request) => done,
            signal = signals.received() => Err(Failure::new(signals::exit_code(signal), "stopped by a signal")),
        }
    })?;
    diagnosis.conclude();
    match request.output {
        Output::Text => print(&text::text(&diagnosis))?,
        Output::Json => {
            let json = serde_json::to_string_pretty(&diagnosis).expect("plain data");
            print(&format!("{json}\n"))?;
        }
    }
    stop(server)?;
    Ok(diagnosis.exit_code)
}

impl Diagnosis {
    fn conclude(&mut self) {
        // What is worst comes first; what is as bad stays in the order in which it was found.
        self.findings.sort_by_key(|one| std::cmp::Reverse(one.severity));
        self.exit_code = match self.findings.first().map(|one| one.severity) {
            Some(Severity::Refused) => exit::NEEDS_A_PERSON,
            Some(Severity::Temporary) => exit::TEMPORARY,
            Some(Severity::Warning) | None => exit::COMPLETE,
        };
        self.is_ready = self.exit_code == exit::COMPLETE;
    }

    /// What can't be known of a connection that fails is a finding, too.
    fn find(&mut self, code: &'static str, failure: &Failure) {
        let severity =
            if failure.exit_code == exit::TEMPORARY { Severity::Temporary } else { Severity::Refused };
        self.findings.push(Finding::new(code, severity, failure.to_string()));
    }

    fn warn(&mut self, warning: &str) {
        self.findings.push(Finding::new("connection:warning", Severity::Warning, warning));
    }

    fn is_refused(&self) -> bool {
        self.findings.iter().any(|one| one.severity > Severity::Warning)
    }

    async fn look(&mut self, target: &Target, request: &DoctorRequest) -> Result<(), Failure> {
        let timeouts = Timeouts::IMPATIENT;
        for warning in target.warnings() {
            self.warn(warning);
        }
        let named = target.named("profile-loader doctor");
        let pool = SessionPool::new(&named, SessionSettings::Control, 1);
        let notices = RefCell::new(Vec::new());
        let client =
            pool.connect_waiting(timeouts.db_wait, &|notice| notices.borrow_mut().push(notice)).await;
        for notice in notices.take() {
            self.warn(&notice);
        }
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                let code = if error.is_of_pooler() { "connection:pooler" } else { "connection:failed" };
                self.find(code, &failure_of_run(error.into(), target));
                return Ok(());
            }
        };
        if !self.look_at_session(&client, target, timeouts.answer, request).await? {
            return Ok(());
        }
        self.look_at_target(pool, client, target, request).await?;
        if !self.is_refused() {
            self.make_sessions(target, request, &Timeouts { db_wait: ENDING, ..timeouts }).await;
        }
        Ok(())
    }

    /// Whether more can be asked of the server.
    async fn look_at_session(
        &mut self,
        client: &PgClient,
        target: &Target,
        answer: Duration,
        request: &DoctorRequest,
    ) -> Result<bool, Failure> {
        let looked = async {
            self.server = look_at_session(client, &mut self.findings).await?;
            if self.server.is_none() {
                return Ok(false);
            }
            make_read_only(client).await?;
            self.tls = tls(client).await?;
            let wanted = request.connections + OTHER_CONNECTIONS;
            self.connections = Some(look_at_connections(client, wanted, &mut self.findings).await?);
            Ok(true)
        };
        time::timeout(answer, looked).await.map_err(|_| no_answer(target))?
    }

    async fn look_at_target(
        &mut self,
        pool: SessionPool,
        client: Client,
        target: &Target,
        request: &DoctorRequest,
    ) -> Result<(), Failure> {
        let timeouts = Timeouts::IMPATIENT;
        let failed = |error| failure_of_run(error, target);
        let control = Control::looking(pool, client, TargetLock::whole(&request.db_schema), timeouts).await;
        let mut control = control.map_err(failed)?;
        if let Some(holder) = control.holder().await.map_err(failed)? {
            let what = format!(
                "another loader is at work on these tables: {holder}; a load waits for it with --wait-lock"
            );
            self.findings.push(Finding::new("target:held", Severity::Temporary, what));
        }
        let DoctorRequest { db_schema, on_existing, missing_ddl, .. } = request;
        let wanted = Wanted { db_schema, on_existing: *on_existing, missing_ddl: *missing_ddl };
        let looked = look_at_target(control.client(), wanted, &mut self.findings);
        let tables = time::timeout(timeouts.answer, looked).await.map_err(|_| no_answer(target))??;
        let Some(tables) = tables else { return Ok(()) };
        if let Some(step) = tables.pending.first() {
            let what = format!(
                "run {}, a bulk load, is unfinished and has dropped indexes and foreign keys of the tables: the same command \
                 resumes it, and 'profile-loader runs abandon {0}' restores them; no other load begins before",
                step.run_id
            );
            self.findings.push(Finding::new("target:unfinished", Severity::Warning, what));
        }
        self.expected = Some(self.expect(&mut control, request, &tables).await?);
        let Tables { are_there, ledger_version, is_unreadable, ddl, .. } = tables;
        self.tables =
            Some(TablesTold { are_there, ledger_version, is_ledger_unreadable: is_unreadable, ddl });
        Ok(())
    }

    async fn expect(
        &self,
        control: &mut Control,
        request: &DoctorRequest,
        tables: &Tables,
    ) -> Result<Expected, Failure> {
        let obstacle = if request.atomic {
            Some("--atomic is one transaction, which merges".to_owned())
        } else if tables.are_there && tables.pending.is_empty() {
            let obstacle = control.obstacle(&request.db_schema).await;
            obstacle.map_err(|error| failure_of_ledger(&error))?.map(|obstacle| obstacle.to_string())
        } else {
            None
        };
        let strategy = if obstacle.is_some() { Strategy::Merge } else { Strategy::Bulk };
        let paces = if tables.have_ledger {
            control.paces(strategy.name()).await.map_err(|error| failure_of_ledger(&error))?
        } else {
            Vec::new()
        };
        let restore = self.connections.as_ref().map_or(0, |connections| connections.restore_mib);
        let of_a_session = SessionSettings::temporary_mib().max(match strategy {
            Strategy::Bulk => restore,
            Strategy::Merge => 0,
        });
        let lanes = i64::try_from(request.connections).unwrap_or(i64::MAX);
        Ok(Expected {
            strategy: strategy.name(),
            because: obstacle.unwrap_or_else(|| "the tables are empty".to_owned()),
            server_memory_mib: lanes.saturating_mul(of_a_session.into()),
            seconds: Pace::estimate(&paces, ESTIMATED),
        })
    }

    /// Of each kind that a load makes, one.
    async fn make_sessions(&mut self, target: &Target, request: &DoctorRequest, timeouts: &Timeouts) {
        let mut kinds = session_kinds(request.connections, request.atomic, Strategy::Merge);
        if !request.atomic {
            kinds = session_kinds(request.connections, false, Strategy::Bulk);
        }
        let named = target.named("profile-loader check");
        if let Err(error) = check_sessions(&named, &kinds, timeouts, &|_| {}).await {
            self.find("session:set_up", &failure_of_run(error, target));
        }
    }
}

/// Of the connection, as the server sees it: behind a pooler, that of the pooler.
async fn tls(client: &PgClient) -> Result<Option<String>, Failure> {
    let sql = "SELECT s.version || ', ' || s.cipher FROM pg_catalog.pg_stat_ssl AS s
               WHERE s.pid = pg_catalog.pg_backend_pid() AND s.ssl";
    let row = client.query_opt(sql, &[]).await;
    let failed = |error| Failure::of_database("asking whether the connection is encrypted failed", error);
    Ok(row.map_err(failed)?.and_then(|row| row.get(0)))
}
