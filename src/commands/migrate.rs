//! `migrate`: the DDL of the four tables, and what differs from it.

use std::fmt::Write as _;

use tokio_postgres::Client;

use super::{
    database::{Database, failure_of_migration, on_database, refuse_reserved_schema, refuse_unfit_session},
    failure::{Failure, exit},
    output::print,
    pending::table_is_missing,
    runtime::CommandRuntime,
    tables::{applied_lines, missing_of, pending_of, up_message},
};
use crate::{
    console::Console,
    migrate::{self, DeleteData, Difference, LEDGER_VERSION, LedgerState, State, Status},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrateAction {
    Up,
    Down { delete_data: DeleteData },
    Status,
    Verify,
    Sql,
}

/// What to do, and where. `migrate sql` without a database prints what an empty one would get.
#[derive(Debug)]
pub(crate) struct MigrateRequest {
    pub action: MigrateAction,
    pub database: Option<Database>,
    pub db_schema: String,
    pub console: Console,
}

/// Prints what was done or found; returns the exit code.
pub(crate) fn migrate(request: MigrateRequest) -> Result<u8, Failure> {
    let MigrateRequest { action, database, db_schema, console } = request;
    refuse_reserved_schema(&db_schema)?;
    let Some(database) = database else {
        print(
            &CommandRuntime::new()?
                .block_on(migrate::pending_sql(None, &db_schema))
                .map_err(failure_of_migration)?,
        )?;
        return Ok(exit::COMPLETE);
    };
    on_database(database, console, async |client, _| act(action, client, &db_schema).await)
}

async fn act(action: MigrateAction, client: &mut Client, db_schema: &str) -> Result<(String, u8), Failure> {
    let done = |text| Ok((text, exit::COMPLETE));
    if matches!(action, MigrateAction::Up | MigrateAction::Down { .. }) {
        refuse_unfit_session(client).await?;
    }
    match action {
        MigrateAction::Up => {
            refuse_beside_bulk(client, db_schema).await?;
            let outcome = migrate::up(client, db_schema).await.map_err(failure_of_migration)?;
            refuse_missing(client, db_schema).await?;
            done(up_message(&outcome))
        }
        MigrateAction::Down { delete_data } => {
            refuse_unfinished(client, db_schema).await?;
            let outcome =
                migrate::down(client, db_schema, delete_data).await.map_err(failure_of_migration)?;
            let message = applied_lines("reverted", &outcome.reverted);
            done(if message.is_empty() { "nothing to revert\n".to_owned() } else { message })
        }
        MigrateAction::Status => {
            done(status_message(&migrate::status(client, db_schema).await.map_err(failure_of_migration)?))
        }
        MigrateAction::Verify => {
            // The tables can be looked at by those who may not read the ledger.
            if let Ok(Some(run)) = unfinished_bulk(client, db_schema).await {
                let missing = missing_of(client, db_schema).await?;
                return Ok((unfinished_message(run, &missing, db_schema), exit::NEEDS_A_PERSON));
            }
            let differences = migrate::verify(client, db_schema).await.map_err(failure_of_migration)?;
            let code = if differences.is_empty() { exit::COMPLETE } else { exit::NEEDS_A_PERSON };
            Ok((verify_message(&differences), code))
        }
        MigrateAction::Sql => {
            done(migrate::pending_sql(Some(client), db_schema).await.map_err(failure_of_migration)?)
        }
    }
}

/// The run that has dropped keys and indexes of the tables and not restored them.
async fn unfinished_bulk(client: &mut Client, db_schema: &str) -> Result<Option<i64>, Failure> {
    let status = migrate::status(client, db_schema).await.map_err(failure_of_migration)?;
    Ok(pending_of(client, db_schema, status.ledger).await?.first().map(|step| step.run_id))
}

/// For `down`: tables that a bulk load is to go on with are not dropped.
async fn refuse_unfinished(client: &mut Client, db_schema: &str) -> Result<(), Failure> {
    let Some(run) = unfinished_bulk(client, db_schema).await? else { return Ok(()) };
    let missing = missing_of(client, db_schema).await?;
    let message = if missing.is_empty() {
        format!(
            "run {run}, a bulk load of these tables, is unfinished; complete it (run its command again) or abandon it: \
             profile-loader runs abandon {run}"
        )
    } else {
        table_is_missing(run, &missing, db_schema)
    };
    Err(Failure::new(exit::NEEDS_A_PERSON, message))
}

/// For `up`: tables that a bulk load is to go on with are not made anew behind its back.
async fn refuse_beside_bulk(client: &mut Client, db_schema: &str) -> Result<(), Failure> {
    // Whoever may not read the runs may migrate all the same.
    let Ok(Some(run)) = unfinished_bulk(client, db_schema).await else { return Ok(()) };
    let missing = missing_of(client, db_schema).await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(exit::NEEDS_A_PERSON, table_is_missing(run, &missing, db_schema)))
}

/// A migration that is recorded is not applied again, though somebody has dropped what it made.
async fn refuse_missing(client: &Client, db_schema: &str) -> Result<(), Failure> {
    let missing = missing_of(client, db_schema).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of schema {db_schema} is missing, though the migration that made it is recorded as applied: it was dropped or \
         renamed; 'profile-loader migrate verify' gives the SQL that makes it",
        missing.join(" and ")
    );
    Err(Failure::new(exit::NEEDS_A_PERSON, message))
}

/// No SQL: keys added by hand would be in the way of those that are restored.
fn unfinished_message(run: i64, missing: &[String], db_schema: &str) -> String {
    if !missing.is_empty() {
        return format!("-- {}\n", table_is_missing(run, missing, db_schema));
    }
    format!(
        "-- run {run}, a bulk load, is unfinished: keys and indexes are dropped until its command is run again\n\
         -- or it is abandoned (profile-loader runs abandon {run}); what else differs is shown then\n"
    )
}

fn status_message(status: &Status) -> String {
    let mut out = String::new();
    for status in &status.migrations {
        let state = match status.state {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Adoptable => {
                "not recorded, but the tables are there; 'migrate up' adopts them if nothing differs"
            }
            State::ChangedSinceApplied => "applied with another text than this program has",
            State::UnknownRecorded => "applied by a newer program",
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "{:04} {}: {state}", status.version, status.name);
        if let Some(record) = &status.record {
            let verb = if record.is_adopted { ", adopted" } else { "" };
            let time = humantime::format_rfc3339_seconds(record.applied_at);
            let _ = write!(out, "{verb} {time} by {}", record.applied_by);
        }
        out.push('\n');
    }
    out + &match status.ledger {
        LedgerState::Current => format!("ledger: version {LEDGER_VERSION}\n"),
        LedgerState::Missing => "ledger: missing; 'migrate up' makes it\n".to_owned(),
        LedgerState::Outdated { version } => {
            format!("ledger: version {version}; 'migrate up' brings it to {LEDGER_VERSION}\n")
        }
    }
}

fn verify_message(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "the tables are as they should be\n".to_owned();
    }
    let mut out = String::new();
    for difference in differences {
        let weight = if difference.breaks_load { " (no load before this is fixed)" } else { "" };
        let _ = writeln!(out, "-- {}{weight}\n{};", difference.what, difference.fix.trim_end_matches(';'));
    }
    out
}
