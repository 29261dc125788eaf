//! The tables of a load: there, as they should be, and with a ledger beside them.

use tokio_postgres::Client;

use super::{
    database::{exit_code_of, failure_of_migration},
    failure::{Failure, exit},
    pending::table_is_missing,
};
use crate::{
    console::Console,
    migrate::{self, Applied, BULK_VERSION, LEDGER_VERSION, LedgerState, MigrateError, State, UpOutcome},
    runs::{PendingStep, missing_tables, pending_steps},
    settings::{LoadSettings, MissingDdl},
};

/// Makes sure that a load finds the tables it needs and a ledger it can write to: applies what is missing, adopts what
/// is alike, warns of what differs, and refuses where rows would be refused later. Tables that an unfinished bulk load
/// has left are as it needs them; returns what restores what they lack.
pub(super) async fn ensure_tables(
    client: &mut Client,
    settings: &LoadSettings,
    console: Console,
) -> Result<Vec<PendingStep>, Failure> {
    let db_schema = &settings.db_schema;
    let report = |outcome: UpOutcome| {
        if outcome != UpOutcome::default() {
            console.info(up_message(&outcome).trim_end());
        }
    };
    let mut status = migrate::status(client, db_schema).await.map_err(failure_of_migration)?;
    let may_apply = settings.missing_ddl == MissingDdl::Apply;
    if may_apply && matches!(status.ledger, LedgerState::Outdated { version } if version >= BULK_VERSION) {
        // It may have an unfinished bulk load, which is resumed with what this release keeps account of.
        report(migrate::up_ledger(client, db_schema).await.map_err(failure_of_migration)?);
        status = migrate::status(client, db_schema).await.map_err(failure_of_migration)?;
    }
    if status.ledger == LedgerState::Current {
        migrate::check_ledger(client, db_schema).await.map_err(failure_of_migration)?;
    }
    let pending = pending_of(client, db_schema, status.ledger).await?;
    if let Some(step) = pending.first() {
        let missing = missing_of(client, db_schema).await?;
        if !missing.is_empty() {
            let message = table_is_missing(step.run_id, &missing, db_schema);
            return Err(Failure::new(exit::NEEDS_A_PERSON, message));
        }
        return Ok(pending);
    }
    let is_any = |state| status.migrations.iter().any(|migration| migration.state == state);
    if !may_apply {
        refuse_missing(is_any(State::Pending), status.ledger)?;
    } else if is_any(State::Pending) {
        report(migrate::up(client, db_schema).await.map_err(failure_of_migration)?);
    }
    let differences = migrate::verify(client, db_schema).await.map_err(failure_of_migration)?;
    let (breaking, bearable): (Vec<_>, Vec<_>) = differences.into_iter().partition(|one| one.breaks_load);
    if !breaking.is_empty() {
        return Err(failure_of_migration(MigrateError::Differs(breaking)));
    }
    for difference in &bearable {
        warn_of_difference(&difference.what, console);
    }
    if may_apply && bearable.is_empty() && is_any(State::Adoptable) {
        report(migrate::up(client, db_schema).await.map_err(failure_of_migration)?);
    }
    // Tables that another program made are not adopted while they differ; the ledger is needed all the same.
    if may_apply && status.ledger != LedgerState::Current {
        report(migrate::up_ledger(client, db_schema).await.map_err(failure_of_migration)?);
        migrate::check_ledger(client, db_schema).await.map_err(failure_of_migration)?;
    }
    Ok(Vec::new())
}

pub(super) fn warn_of_difference(what: &str, console: Console) {
    console.warn(&format!("{what} ('profile-loader migrate verify' tells how to fix it)"));
}

/// For `--no-migrate`. `migrate up` makes no ledger while the tables differ; a load does, if it can bear that.
pub(super) fn refuse_missing(is_table_missing: bool, ledger: LedgerState) -> Result<(), Failure> {
    let message = match (is_table_missing, ledger) {
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
    Err(Failure::new(exit::NEEDS_A_PERSON, message))
}

/// What restores what an unfinished bulk load has dropped.
pub(super) async fn pending_of(
    client: &mut Client,
    db_schema: &str,
    ledger: LedgerState,
) -> Result<Vec<PendingStep>, Failure> {
    // Older ledgers know of no such loads.
    if ledger != LedgerState::Current {
        return Ok(Vec::new());
    }
    let pending = pending_steps(client, db_schema).await;
    pending.map_err(|error| Failure::new(exit_code_of(error.class()), error.message()))
}

/// Those of the four tables that are not there.
pub(super) async fn missing_of(client: &Client, db_schema: &str) -> Result<Vec<String>, Failure> {
    let missing = missing_tables(client, db_schema).await;
    missing.map_err(|error| Failure::new(exit_code_of(error.class()), error.message()))
}

pub(super) fn up_message(outcome: &UpOutcome) -> String {
    let message = applied_lines("applied", &outcome.applied)
        + &applied_lines("adopted (the tables are there and just as they should be)", &outcome.adopted)
        + &match outcome.ledger_was {
            None | Some(LedgerState::Current) => String::new(),
            Some(LedgerState::Missing) => format!("made: the ledger, version {LEDGER_VERSION}\n"),
            Some(LedgerState::Outdated { version }) => {
                format!("upgraded: the ledger, from version {version} to {LEDGER_VERSION}\n")
            }
        };
    if message.is_empty() { "nothing to apply\n".to_owned() } else { message }
}

pub(super) fn applied_lines(verb: &str, migrations: &[Applied]) -> String {
    let lines: Vec<_> =
        migrations.iter().map(|one| format!("{verb}: {:04} {}\n", one.version, one.name)).collect();
    lines.concat()
}
