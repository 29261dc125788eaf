//! What a load would find before it begins, and do about it; the first look of a dry run. Only looks.

use tokio::time;

use super::{
    choose::{Choice, NewStrategy, choose_run, new_strategy, strategy_of_empty_tables},
    request::{LoadRequest, failure_of_ledger},
};
use crate::{
    commands::{
        database::{connect_for, failure_of_migration, failure_of_run, no_answer, unfit_session},
        failure::{Failure, exit},
        inputs::OpenedInputs,
        pending::table_is_missing,
        tables::{missing_of, refuse_missing},
    },
    load::Control,
    migrate::{
        self, BULK_VERSION, LEDGER_VERSION, LedgerState, MigrateError, MigrationStatus, PLANS_VERSION, State,
        Status,
    },
    postgres::Target,
    report::DryRun,
    runs::{Pace, PendingStep, pending_steps},
    session::{Client, SessionPool, SessionSettings},
    settings::{MissingDdl, Strategy, StrategyRequest, WhenHeld},
};

const RESUMED_UNKNOWN: &str = "whether the load would resume a run is not known";

/// What was found before the first document.
pub(super) struct Outlook {
    pub(super) strategy: Strategy,
    pub(super) has_tables: bool,
    /// Runs that the time is estimated from.
    pub(super) paces: Vec<Pace>,
    pub(super) found: DryRun,
}

/// What a load would find before it begins, and do about it.
pub(super) async fn look(
    target: &Target,
    request: LoadRequest<'_>,
    opened: &OpenedInputs,
) -> Result<(String, Outlook), Failure> {
    let LoadRequest { settings, console, .. } = request;
    let timeouts = settings.timeouts;
    let named = target.named("profile-loader dry run control");
    let pool = SessionPool::new(&named, SessionSettings::Control, 1);
    let client = connect_for(&pool, target, &timeouts, console, false).await?;
    let mut found = DryRun::default();
    let unfit = time::timeout(timeouts.answer, make_read_only(&client));
    found.refusals.extend(unfit.await.map_err(|_| no_answer(target))??);
    let control = Control::looking(pool, client, &settings.db_schema, timeouts).await;
    let mut control = control.map_err(|error| failure_of_run(error, target))?;
    let tables = look_at_tables(&mut control, request, &mut found);
    let tables = time::timeout(timeouts.answer, tables).await.map_err(|_| no_answer(target))??;
    let holder = control.holder().await.map_err(|error| failure_of_run(error, target))?;
    if let Some(holder) = holder {
        let words = format!("another loader is at work on these tables: {holder}");
        match settings.when_held {
            WhenHeld::Refuse => found.refusals.push(format!("{words}; wait for it with --wait-lock")),
            WhenHeld::Wait => found.warnings.push(words),
        }
    }
    if tables.are_there {
        let unfit = control.check_role(&settings.db_schema, settings.on_existing).await;
        let unfit = unfit.map_err(|error| failure_of_run(error, target))?;
        found.refusals.extend(unfit.map(|unfit| unfit.to_string()));
        let unforeseen = control.unforeseen(&settings.db_schema).await;
        found.unforeseen = unforeseen.map_err(|error| failure_of_run(error, target))?;
    }
    let strategy = choose(&mut control, request, opened, &tables, &mut found).await?;
    let paces = if tables.have_ledger {
        control.paces(strategy.name()).await.map_err(|error| failure_of_run(error, target))?
    } else {
        Vec::new()
    };
    // Its session is over: a role may have one connection.
    let server_version = control.server_version().to_owned();
    Ok((server_version, Outlook { strategy, has_tables: tables.are_there, paces, found }))
}

/// From now on the server refuses whatever would write; returns what would refuse a load before.
async fn make_read_only(client: &Client) -> Result<Vec<String>, Failure> {
    let mut refusals: Vec<_> = unfit_session(client).await?.into_iter().collect();
    let what = |error| Failure::of_database("making the session read-only failed", error);
    client.batch_execute("SET default_transaction_read_only = on").await.map_err(what)?;
    let row = client.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await.map_err(what)?;
    if row.get(0) {
        refusals.push("the server is a standby, which takes no writes; load into its primary".to_owned());
    }
    Ok(refusals)
}

/// What there is.
struct Tables {
    are_there: bool,
    have_ledger: bool,
    /// What an unfinished bulk load has dropped.
    pending: Vec<PendingStep>,
}

async fn look_at_tables(
    control: &mut Control,
    request: LoadRequest<'_>,
    found: &mut DryRun,
) -> Result<Tables, Failure> {
    let settings = request.settings;
    let (client, db_schema) = (control.client(), &settings.db_schema);
    let status = look_at_ledger(client, db_schema, found).await?;
    // A ledger of an older release is brought up to date before the load looks for its run.
    let version = status.as_ref().map_or(0, |status| match status.ledger {
        LedgerState::Current => LEDGER_VERSION,
        LedgerState::Outdated { version } => version,
        LedgerState::Missing => 0,
    });
    let have_ledger = version >= PLANS_VERSION;
    if version == BULK_VERSION {
        found.warnings.push(RESUMED_UNKNOWN.to_owned());
    }
    let pending = if version >= BULK_VERSION {
        pending_steps(client, db_schema).await.map_err(|error| failure_of_ledger(&error))?
    } else {
        Vec::new()
    };
    if let Some(step) = pending.first() {
        let missing = missing_of(client, db_schema).await?;
        if !missing.is_empty() {
            let message = table_is_missing(step.run_id, &missing, db_schema);
            return Err(Failure::new(exit::NEEDS_A_PERSON, message));
        }
        return Ok(Tables { are_there: true, have_ledger, pending });
    }
    let are_there = match &status {
        Some(status) => status.migrations.iter().all(|one| one.state != State::Pending),
        None => missing_of(client, db_schema).await?.is_empty(),
    };
    if are_there {
        let differences = migrate::verify(client, db_schema).await.map_err(failure_of_migration)?;
        let (breaking, bearable): (Vec<_>, Vec<_>) = differences.into_iter().partition(|one| one.breaks_load);
        if !breaking.is_empty() {
            return Err(failure_of_migration(MigrateError::Differs(breaking)));
        }
        found.differences.extend(bearable.into_iter().map(|one| one.what));
        if !found.differences.is_empty() {
            let words = "the tables differ from what they should be, so they may hold rows that refuse documents, which is not \
                         foreseen";
            found.warnings.push(words.to_owned());
        }
    }
    if let Some(status) = status {
        if settings.missing_ddl == MissingDdl::Apply {
            found.ddl = ddl(&status, found.differences.is_empty());
            let missing = migrate::missing_for_up(client, db_schema).await.map_err(failure_of_migration)?;
            found.refusals.extend(missing.map(|error| failure_of_migration(error).to_string()));
        } else if let Err(failure) = refuse_missing(!are_there, status.ledger) {
            found.refusals.push(failure.to_string());
        }
    }
    Ok(Tables { are_there, have_ledger, pending })
}

/// Where migrations and ledger stand; none where the role may not read the ledger, which is told all that can be told
/// without it.
async fn look_at_ledger(
    client: &mut Client,
    db_schema: &str,
    found: &mut DryRun,
) -> Result<Option<Status>, Failure> {
    let looked = async {
        let status = migrate::status(client, db_schema).await?;
        if status.ledger == LedgerState::Current {
            migrate::check_ledger(client, db_schema).await?;
        }
        Ok(status)
    };
    match looked.await {
        Ok(status) => Ok(Some(status)),
        Err(error @ MigrateError::Privilege { .. }) => {
            found.refusals.push(failure_of_migration(error).to_string());
            found.warnings.push(RESUMED_UNKNOWN.to_owned());
            Ok(None)
        }
        Err(error) => Err(failure_of_migration(error)),
    }
}

/// What would be applied before the load. Tables that another program made are not adopted while they differ.
fn ddl(status: &Status, are_alike: bool) -> Vec<String> {
    let words = |one: &MigrationStatus| {
        let migration = format!("migration {:04} {}", one.version, one.name);
        match one.state {
            State::Pending => Some(migration),
            State::Adoptable if are_alike => Some(format!("a record of {migration}, whose tables are there")),
            _ => None,
        }
    };
    let ledger = match status.ledger {
        LedgerState::Current => None,
        LedgerState::Missing => Some(format!("the ledger, version {LEDGER_VERSION}")),
        LedgerState::Outdated { version } => {
            Some(format!("the ledger, from version {version} to {LEDGER_VERSION}"))
        }
    };
    status.migrations.iter().filter_map(words).chain(ledger).collect()
}

/// How documents would get into the tables.
async fn choose(
    control: &mut Control,
    request: LoadRequest<'_>,
    opened: &OpenedInputs,
    tables: &Tables,
    found: &mut DryRun,
) -> Result<Strategy, Failure> {
    let settings = request.settings;
    let new = if !tables.are_there {
        strategy_of_empty_tables(settings.strategy, opened)
    } else if tables.have_ledger {
        let choice = choose_run(control, request, opened, &tables.pending).await?;
        match choice.what {
            Choice::Resume { id, .. } if !tables.pending.is_empty() => {
                return Err(refuse_without_indexes(id));
            }
            Choice::Resume { id, strategy, .. } => {
                (found.resumes, found.because) = (Some(id), Some(choice.because));
                return Ok(strategy);
            }
            Choice::Begin { strategy, .. } => (strategy, choice.because),
        }
    } else if tables.pending.is_empty() {
        new_strategy(control, settings.strategy, &settings.db_schema, opened).await?
    } else {
        return Err(refuse_without_indexes(tables.pending[0].run_id));
    };
    if settings.strategy == StrategyRequest::Only(Strategy::Bulk) && tables.are_there {
        let obstacle =
            control.obstacle(&settings.db_schema).await.map_err(|error| failure_of_ledger(&error))?;
        let words =
            |obstacle| format!("--strategy bulk can't be used: {obstacle}; load with --strategy merge");
        found.refusals.extend(obstacle.map(words));
    }
    found.because =
        Some(if settings.atomic { "--atomic is one transaction, which merges".to_owned() } else { new.1 });
    Ok(match new.0 {
        NewStrategy::Merge => Strategy::Merge,
        NewStrategy::Bulk | NewStrategy::BulkIfPossible => Strategy::Bulk,
    })
}

/// Each look at a profile would read whole tables.
fn refuse_without_indexes(id: i64) -> Failure {
    Failure::new(
        exit::NEEDS_A_PERSON,
        format!(
            "run {id}, a bulk load of this input, is unfinished and has dropped the indexes that a dry run needs; the same \
             command without --dry-run goes on with it, and 'profile-loader runs abandon {id}' restores them"
        ),
    )
}
