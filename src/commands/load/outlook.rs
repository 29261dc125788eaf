//! What a load would find before it begins, and do about it; the first look of a dry run. Only looks.

use tokio::time;
use tokio_postgres::Client;

use super::{
    choose::{Choice, NewStrategy, choose_run, new_strategy, strategy_of_empty_tables},
    look_at_session,
    request::{LoadRequest, failure_of_ledger},
};
use crate::{
    commands::{
        database::{connect_anyhow, failure_of_run, no_answer, refuse},
        failure::{Failure, exit},
        inputs::OpenedInputs,
        preflight::{ENCODING, Finding, Severity, Tables, Wanted, look_at_target},
    },
    load::Control,
    migrate::BULK_VERSION,
    postgres::Target,
    report::DryRun,
    runs::{Pace, target_lock::TargetLock},
    session::{SessionPool, SessionSettings},
    settings::{LoadSettings, Strategy, StrategyRequest, WhenHeld},
};

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
    let client = connect_anyhow(&pool, target, &timeouts, console).await?;
    let (mut found, mut findings) = (DryRun::default(), Vec::new());
    let looked = time::timeout(timeouts.answer, look_at_session(&client, &mut findings));
    let server = looked.await.map_err(|_| no_answer(target))??;
    if server.is_none_or(|server| server.encoding != ENCODING) {
        refuse(&findings)?;
    }
    let read_only = time::timeout(timeouts.answer, make_read_only(&client));
    read_only.await.map_err(|_| no_answer(target))??;
    let control = Control::looking(pool, client, TargetLock::whole(&settings.db_schema), timeouts).await;
    let mut control = control.map_err(|error| failure_of_run(error, target))?;
    let tables = look_at_tables(&mut control, settings, &mut findings);
    let tables = time::timeout(timeouts.answer, tables).await.map_err(|_| no_answer(target))??;
    tell(&findings, &tables, &mut found);
    let holder = control.holder().await.map_err(|error| failure_of_run(error, target))?;
    if let Some(holder) = holder {
        let words = format!("another loader is at work on these tables: {holder}");
        match settings.when_held {
            WhenHeld::Refuse => found.refusals.push(format!("{words}; wait for it with --wait-lock")),
            WhenHeld::Wait => found.warnings.push(words),
        }
    }
    if tables.are_there {
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

/// From now on the server refuses whatever would write.
pub(in crate::commands) async fn make_read_only(client: &Client) -> Result<(), Failure> {
    let read_only = client.batch_execute("SET default_transaction_read_only = on").await;
    read_only.map_err(|error| Failure::of_database("making the session read-only failed", error))
}

/// What there is, or why there is nothing to be compared with.
async fn look_at_tables(
    control: &mut Control,
    settings: &LoadSettings,
    findings: &mut Vec<Finding>,
) -> Result<Tables, Failure> {
    let looked = look_at_target(control.client(), Wanted::by(settings), findings).await?;
    looked.ok_or_else(|| refuse(findings).expect_err("it is said why"))
}

/// What was found, as the report tells it.
fn tell(findings: &[Finding], tables: &Tables, found: &mut DryRun) {
    let refusing = findings.iter().filter(|one| one.severity > Severity::Warning);
    found.refusals.extend(refusing.map(ToString::to_string));
    if tables.is_unreadable || tables.ledger_version == Some(BULK_VERSION) {
        found.warnings.push("whether the load would resume a run is not known".to_owned());
    }
    if !tables.differences.is_empty() {
        let words = "the tables differ from what they should be, so they may hold rows that refuse documents, which is not \
                     foreseen";
        found.warnings.push(words.to_owned());
    }
    found.differences.clone_from(&tables.differences);
    found.ddl.clone_from(&tables.ddl);
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
