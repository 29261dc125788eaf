//! `migrate`: the DDL of the four tables, and what differs from it; and what a load asks of the tables.

use std::fmt::Write as _;

use tokio_postgres::Client;

use super::{
    Database, Failure, exit,
    load::{connect, exit_code_of_load, reach},
    print,
    run::{no_runtime, runtime},
    signals::{self, Signals},
};
use crate::{
    console::Console,
    load::bulk::{self, PendingStep},
    migrate::{
        self, Applied, DeleteData, Difference, LEDGER_VERSION, LedgerState, MigrateError, State, Status,
        UpOutcome,
    },
    settings::{LoadSettings, MissingDdl},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateAction {
    Up,
    Down { delete_data: DeleteData },
    Status,
    Verify,
    Sql,
}

/// What to do, and where. `migrate sql` without a database prints what an empty one would get.
#[derive(Debug)]
pub struct MigrateRequest {
    pub action: MigrateAction,
    pub database: Option<Database>,
    pub db_schema: String,
    pub console: Console,
}

/// Prints what was done or found; returns the exit code.
pub fn migrate(request: MigrateRequest) -> Result<u8, Failure> {
    let MigrateRequest { action, database, db_schema, console } = request;
    let Some(database) = database else {
        print(&runtime()?.block_on(migrate::pending_sql(None, &db_schema)).map_err(of_migration)?)?;
        return Ok(exit::COMPLETE);
    };
    on_database(database, console, async |client| act(action, client, &db_schema).await)
}

/// Does one thing over one connection, and prints the text that comes of it; returns its exit code.
pub(super) fn on_database(
    database: Database,
    console: Console,
    work: impl AsyncFnOnce(&mut Client) -> Result<(String, u8), Failure>,
) -> Result<u8, Failure> {
    let runtime = runtime()?;
    let mut signals = Signals::catch(runtime.handle()).map_err(|error| no_runtime(&error))?;
    let (server, target) = reach(database, console)?;
    let pool = target.pool(1);
    let (text, exit_code) = runtime.block_on(async {
        let work = async {
            let mut client = connect(&pool, &target).await?;
            work(&mut client).await
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
    if let Some(server) = server {
        server.stop().map_err(|error| Failure::of(exit::NEEDS_A_PERSON, error))?;
    }
    Ok(exit_code)
}

async fn act(action: MigrateAction, client: &mut Client, db_schema: &str) -> Result<(String, u8), Failure> {
    let done = |text| Ok((text, exit::COMPLETE));
    match action {
        MigrateAction::Up => done(up_words(&migrate::up(client, db_schema).await.map_err(of_migration)?)),
        MigrateAction::Down { delete_data } => {
            if let Some(run) = unfinished_bulk(client, db_schema).await? {
                return Err(Failure::new(
                    exit::NEEDS_A_PERSON,
                    format!(
                        "run {run}, a bulk load of these tables, is unfinished; \
                         complete it (run its command again) or give it up: profile-loader runs abandon {run}"
                    ),
                ));
            }
            let outcome = migrate::down(client, db_schema, delete_data).await.map_err(of_migration)?;
            let words = applied_lines("reverted", &outcome.reverted);
            done(if words.is_empty() { "nothing to revert\n".to_owned() } else { words })
        }
        MigrateAction::Status => {
            done(status_words(&migrate::status(client, db_schema).await.map_err(of_migration)?))
        }
        MigrateAction::Verify => {
            // The tables can be looked at by those who may not read the ledger.
            if let Ok(Some(run)) = unfinished_bulk(client, db_schema).await {
                return Ok((unfinished_words(run), exit::NEEDS_A_PERSON));
            }
            let differences = migrate::verify(client, db_schema).await.map_err(of_migration)?;
            let code = if differences.is_empty() { exit::COMPLETE } else { exit::NEEDS_A_PERSON };
            Ok((verify_words(&differences), code))
        }
        MigrateAction::Sql => {
            done(migrate::pending_sql(Some(client), db_schema).await.map_err(of_migration)?)
        }
    }
}

/// The run that has taken keys and indexes off the tables and not brought them back.
async fn unfinished_bulk(client: &mut Client, db_schema: &str) -> Result<Option<i64>, Failure> {
    let status = migrate::status(client, db_schema).await.map_err(of_migration)?;
    Ok(taken_off(client, db_schema, status.ledger).await?.first().map(|step| step.run_id))
}

/// What brings back what an unfinished bulk load has taken off.
async fn taken_off(
    client: &mut Client,
    db_schema: &str,
    ledger: LedgerState,
) -> Result<Vec<PendingStep>, Failure> {
    // Older ledgers know of no such loads.
    if ledger != LedgerState::Current {
        return Ok(Vec::new());
    }
    let pending = bulk::pending(client, db_schema).await;
    pending.map_err(|error| Failure::new(exit_code_of_load(&error), error.in_words()))
}

/// No SQL: keys added by hand would be in the way of those that are brought back.
fn unfinished_words(run: i64) -> String {
    format!(
        "-- run {run}, a bulk load, is unfinished: keys and indexes are off these tables until its command is run\n\
         -- again or it is given up (profile-loader runs abandon {run}); what else differs is told then\n"
    )
}

fn up_words(outcome: &UpOutcome) -> String {
    let words = applied_lines("applied", &outcome.applied)
        + &applied_lines("adopted (the tables are there and just as they should be)", &outcome.adopted)
        + &match outcome.ledger_was {
            None | Some(LedgerState::Current) => String::new(),
            Some(LedgerState::Missing) => format!("made: the ledger, version {LEDGER_VERSION}\n"),
            Some(LedgerState::Outdated { version }) => {
                format!("upgraded: the ledger, from version {version} to {LEDGER_VERSION}\n")
            }
        };
    if words.is_empty() { "nothing to apply\n".to_owned() } else { words }
}

fn applied_lines(verb: &str, migrations: &[Applied]) -> String {
    let lines: Vec<_> =
        migrations.iter().map(|one| format!("{verb}: {:04} {}\n", one.version, one.name)).collect();
    lines.concat()
}

fn status_words(status: &Status) -> String {
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

fn verify_words(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "the tables are as they should be\n".to_owned();
    }
    let mut out = String::new();
    for difference in differences {
        let weight = if difference.breaks_load { " (no load before this is mended)" } else { "" };
        let _ = writeln!(out, "-- {}{weight}\n{};", difference.what, difference.mend.trim_end_matches(';'));
    }
    out
}

/// Sees to it that a load finds the tables it needs and a ledger it can write to: applies what is missing,
/// adopts what is alike, warns of what differs, and refuses where rows would be refused later.
/// Tables that an unfinished bulk load has left are as it needs them; returns what brings back what they lack.
pub(super) async fn ensure_tables(
    client: &mut Client,
    settings: &LoadSettings,
    console: Console,
) -> Result<Vec<PendingStep>, Failure> {
    let db_schema = &settings.db_schema;
    let told = |outcome: UpOutcome| {
        if outcome != UpOutcome::default() {
            console.info(up_words(&outcome).trim_end());
        }
    };
    let status = migrate::status(client, db_schema).await.map_err(of_migration)?;
    if status.ledger == LedgerState::Current {
        migrate::check_ledger(client, db_schema).await.map_err(of_migration)?;
    }
    let pending = taken_off(client, db_schema, status.ledger).await?;
    if !pending.is_empty() {
        return Ok(pending);
    }
    let is_any = |state| status.migrations.iter().any(|migration| migration.state == state);
    let may_apply = settings.missing_ddl == MissingDdl::Apply;
    if !may_apply {
        refuse_missing(is_any(State::Pending), status.ledger)?;
    } else if is_any(State::Pending) {
        told(migrate::up(client, db_schema).await.map_err(of_migration)?);
    }
    let differences = migrate::verify(client, db_schema).await.map_err(of_migration)?;
    let (breaking, bearable): (Vec<_>, Vec<_>) = differences.into_iter().partition(|one| one.breaks_load);
    if !breaking.is_empty() {
        return Err(of_migration(MigrateError::Differs(breaking)));
    }
    for difference in &bearable {
        console.warn(&format!("{} ('profile-loader migrate verify' tells how to mend it)", difference.what));
    }
    if may_apply && bearable.is_empty() && is_any(State::Adoptable) {
        told(migrate::up(client, db_schema).await.map_err(of_migration)?);
    }
    // Tables that another program made are not adopted while they differ; the ledger is needed all the same.
    if may_apply && status.ledger != LedgerState::Current {
        told(migrate::up_ledger(client, db_schema).await.map_err(of_migration)?);
        migrate::check_ledger(client, db_schema).await.map_err(of_migration)?;
    }
    Ok(Vec::new())
}

/// For `--no-migrate`. `migrate up` makes no ledger while the tables differ; a load does, if it can bear that.
fn refuse_missing(is_table_missing: bool, ledger: LedgerState) -> Result<(), Failure> {
    let words = match (is_table_missing, ledger) {
        (true, _) => {
            "the tables are not there, and --no-migrate forbids to create them; run 'profile-loader migrate up'"
        }
        (false, LedgerState::Missing) => {
            "there is no ledger, and --no-migrate forbids to make it; \
             run 'profile-loader migrate up', or load once without --no-migrate"
        }
        (false, LedgerState::Outdated { .. }) => {
            "the ledger is of an older release, and --no-migrate forbids to bring it up to date; \
             run 'profile-loader migrate up', or load once without --no-migrate"
        }
        (false, LedgerState::Current) => return Ok(()),
    };
    Err(Failure::new(exit::NEEDS_A_PERSON, words))
}

pub(super) fn of_migration(error: MigrateError) -> Failure {
    let code = if error.is_temporary() { exit::TEMPORARY } else { exit::NEEDS_A_PERSON };
    Failure::of(code, error)
}
