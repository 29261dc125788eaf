//! `runs`: what was loaded, by whom, how it ended and what remains; and abandoning a run.

mod text;

use std::path::PathBuf;

use serde::Serialize;
use tokio_postgres::Client;

use super::{
    database::{
        Database, exit_code_of, failure_of_migration, on_database, refuse_reserved_schema,
        refuse_unfit_session,
    },
    failure::{Failure, exit},
    output::Output,
    pending::show_pending,
};
use crate::{
    console::Console,
    load::{self, Abandoned},
    postgres::Target,
    report::{RunReport, write_report_file},
    runs::history::{self, HistoryError, LaneRecord, RunList, RunRecord},
};

/// Format number of the JSON of `runs`; fields are only ever added under one number.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunsAction {
    /// The newest ones, or all.
    List {
        limit: Option<u32>,
    },
    /// `reports` are files that get the run's report.
    Show {
        id: i64,
        reports: Vec<PathBuf>,
    },
    Abandon {
        id: i64,
    },
}

#[derive(Debug)]
pub(crate) struct RunsRequest {
    pub action: RunsAction,
    pub database: Database,
    pub db_schema: String,
    pub output: Output,
    pub console: Console,
}

#[derive(Serialize)]
struct ListJson<'a> {
    format: u32,
    #[serde(flatten)]
    list: &'a RunList,
}

#[derive(Serialize)]
struct RunJson<'a> {
    format: u32,
    #[serde(flatten)]
    run: &'a RunRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<&'a [LaneRecord]>,
    /// What a bulk load has dropped and not restored, as the statements that restore it, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_ddl: Option<&'a [String]>,
}

/// Prints what was found or done; returns the exit code.
pub(crate) fn runs(request: RunsRequest) -> Result<u8, Failure> {
    let RunsRequest { action, database, db_schema, output, console } = request;
    refuse_reserved_schema(&db_schema)?;
    on_database(database, console, async |client, target| {
        if matches!(action, RunsAction::Abandon { .. }) {
            refuse_unfit_session(client).await?;
        }
        if let RunsAction::Show { id, reports } = &action
            && !reports.is_empty()
        {
            write_reports(client, *id, reports).await?;
        }
        let done = act(action, client, target, &db_schema, output).await;
        if let Err(HistoryError::Restore { pending, .. }) = &done {
            show_pending(pending, console);
        }
        let text = done.map_err(failure_of_history)?;
        Ok((text, exit::COMPLETE))
    })
}

/// Draws the report of a run again that came to its end.
async fn write_reports(client: &mut Client, id: i64, files: &[PathBuf]) -> Result<(), Failure> {
    let text = history::report(client, id).await.map_err(failure_of_history)?;
    let place = PathBuf::from(format!("of run {id} in the ledger"));
    let report = RunReport::from_json(text.as_bytes(), &place);
    let report = report.map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
    files.iter().try_for_each(|file| {
        write_report_file(&report, file).map_err(|error| Failure::of(exit::TEMPORARY, error))
    })
}

async fn act(
    action: RunsAction,
    client: &mut Client,
    target: &Target,
    db_schema: &str,
    output: Output,
) -> Result<String, HistoryError> {
    match action {
        RunsAction::List { limit } => {
            let list = history::list(client, db_schema, limit).await?;
            Ok(match output {
                Output::Text => text::list(&list, db_schema),
                Output::Json => json(&ListJson { format: FORMAT, list: &list }),
            })
        }
        RunsAction::Show { id, .. } => {
            let (run, lanes, pending) = history::show(client, id).await?;
            let pending: Vec<_> = pending.into_iter().map(|step| step.sql).collect();
            let (lanes, pending_ddl) = (Some(&*lanes), Some(&*pending));
            Ok(match output {
                Output::Text => text::show(&run, lanes.unwrap_or_default(), &pending),
                Output::Json => json(&RunJson { format: FORMAT, run: &run, lanes, pending_ddl }),
            })
        }
        RunsAction::Abandon { id } => {
            let Abandoned { run, left } = load::abandon(client, target, id).await?;
            let pending: Vec<_> = left.iter().map(|step| step.sql.clone()).collect();
            let pending_ddl = (!left.is_empty()).then_some(&*pending);
            Ok(match output {
                Output::Text => text::abandoned(&run, &left),
                Output::Json => json(&RunJson { format: FORMAT, run: &run, lanes: None, pending_ddl }),
            })
        }
    }
}

fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a run is plain data");
    text.push('\n');
    text
}

pub(super) fn failure_of_history(error: HistoryError) -> Failure {
    let code = match &error {
        HistoryError::Restore { source, .. } | HistoryError::Run { source } => exit_code_of(source.class()),
        HistoryError::PartOfPlan { .. }
        | HistoryError::Unknown { .. }
        | HistoryError::NoReport { .. }
        | HistoryError::Ended { .. } => exit::USAGE,
        HistoryError::Ledger(_) | HistoryError::AtWork { .. } => exit::NEEDS_A_PERSON,
        HistoryError::Orphan { .. } => exit::TEMPORARY,
    };
    match error {
        HistoryError::Ledger(error) => failure_of_migration(error),
        error => Failure::of(code, error),
    }
}
