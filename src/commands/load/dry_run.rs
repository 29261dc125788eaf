//! `load --dry-run`: all that a load does up to the first row, and what would become of each document. Every session is
//! read-only by its own setting, so the server itself refuses whatever would write.

use std::{path::Path, sync::Arc};

use tokio::{runtime::Handle, time};

use super::{
    choose::{Choice, NewStrategy, choose_run, new_strategy, strategy_of_empty_tables},
    request::{LoadRequest, failure_of_ledger},
};
use crate::{
    commands::{
        conclude::{LoadHeader, conclude},
        database::{Database, connect, failure_of_migration, failure_of_run, no_answer, reach, stop},
        failure::{Failure, exit},
        inputs::{OpenedInputs, RowsFor, RunFiles, create_reject_files},
        reject_files::end_reject_files,
        runtime::CommandRuntime,
        signals::{self, Signals},
        tables::{missing_of, pending_of, refuse_missing},
    },
    load::{BatchLimits, Control, ForeseeContext, Foreseen},
    migrate::{self, LEDGER_VERSION, LedgerState, MigrateError, MigrationStatus, State, Status},
    pipeline::{self, BATCH_CHUNKS, Deferral, End, Lanes, LanesWork},
    postgres::Target,
    report::{ColumnChanges, DryRun, Estimate, RunReport, TableChanges},
    rows::RowForm,
    runs::{LaneState, LoadCounts, Pace, PendingStep},
    session::{Client, SessionPool, SessionSettings, Watch},
    settings::{MissingDdl, Strategy, StrategyRequest},
    tables::Table,
};

/// How much input is looked up at once, by all lanes together.
const BATCH_BYTES: usize = 16 << 20;

/// What was found before the first document.
struct Outlook {
    strategy: Strategy,
    has_tables: bool,
    /// Runs that the time is estimated from.
    paces: Vec<Pace>,
    found: DryRun,
}

/// Looks at all documents. The run is over once `tell` has given its result out.
pub(super) fn foresee_all(
    request: LoadRequest<'_>,
    database: Database,
    signals: impl FnOnce(&Handle) -> Result<Signals, Failure>,
    tell: impl FnOnce(&RunReport) -> Result<(), Failure>,
) -> Result<RunReport, Failure> {
    let LoadRequest { documents, settings, console } = request;
    if let Database::Embedded(dir) = &database {
        refuse_missing_server(dir)?;
    }
    let opened = OpenedInputs::open(documents)?;
    let runtime = CommandRuntime::new()?;
    let mut signals = signals(runtime.handle())?;
    let (server, target) = reach(database, console)?;
    let looked = runtime.block_on(async {
        tokio::select! {
            looked = look(&target, request, &opened) => looked,
            signal = signals.received() => {
                Err(Failure::new(signals::exit_code(signal), "stopped by a signal; nothing was changed"))
            }
        }
    });
    let (control, outlook) = looked?;
    let rejects = create_reject_files(documents, opened.reader.sources(), None)?;
    let files = RunFiles { rejects, deferral: Deferral::None };
    let lanes = settings.connections;
    let rows = RowsFor { lanes, form: RowForm::Staged };
    let started = opened.start("load --dry-run", documents, console, files, rows);
    let mut header = started.header;
    header.settings.extend(settings.told());
    let batch_bytes = settings.batch_bytes.min(BATCH_BYTES);
    let context = context(&target, request, &outlook, batch_bytes);
    let state = |lane| LaneState { lane, ..LaneState::default() };
    let lanes = Lanes {
        work: LanesWork::Foresee(Arc::clone(&context)),
        states: (0..i32::try_from(lanes).expect("few lanes")).map(state).collect(),
        earlier: LoadCounts::default(),
        is_atomic: false,
        batch_bytes,
        stop_within: settings.timeouts.stop,
    };
    let (progress, handle) = (started.progress, runtime.handle());
    let mut finished =
        pipeline::run(started.reader, started.settings, Some(lanes), handle, &progress, |stopper| {
            runtime.spawn(async move { stopper.stop(signals.received().await) });
        });
    progress.finish();
    if matches!(finished.end, End::Panicked) {
        let message = "this is a bug of profile-loader; nothing was written to the database";
        return Err(Failure::new(exit::BUG, message));
    }
    let load = LoadHeader {
        run_id: None,
        database: Some(control.server_version().to_owned()),
        strategy: outlook.strategy.name(),
        connections: settings.connections,
    };
    let rejects = end_reject_files(&mut finished);
    let mut report = conclude(header, finished, Some(load), rejects);
    let (read, elapsed_seconds) = (report.documents.read, report.elapsed_seconds);
    report.dry_run = Some(outlook.into_report(&context.foreseen(), read, elapsed_seconds));
    tell(&report)?;
    stop(server)?;
    Ok(report)
}

/// Making a server would be a change, and there is nothing in it to be compared with.
fn refuse_missing_server(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let dir = crate::path_text::path_text(dir);
    Err(Failure::new(
        exit::USAGE,
        format!(
            "there is no private server in {dir} yet, and a dry run makes none: a load would insert every document that \
             'profile-loader validate' accepts"
        ),
    ))
}

fn context(
    target: &Target,
    request: LoadRequest<'_>,
    outlook: &Outlook,
    batch_bytes: usize,
) -> Arc<ForeseeContext> {
    let settings = request.settings;
    let named = target.named("profile-loader dry run");
    let sessions = SessionPool::new(&named, SessionSettings::LookUp, settings.connections);
    let watch = Watch::new(&target.named("profile-loader dry run watch"), &settings.timeouts);
    let db_schema = outlook.has_tables.then_some(settings.db_schema.as_str());
    let (lanes, db_wait) = (settings.connections, settings.timeouts.db_wait);
    let (on_existing, watch) = (settings.on_existing, Arc::new(watch));
    let limits = BatchLimits { cost_bytes: batch_bytes, chunks: BATCH_CHUNKS };
    Arc::new(ForeseeContext::new(db_schema, on_existing, lanes, sessions, watch, limits, db_wait))
}

/// What a load would find before it begins, and do about it.
async fn look(
    target: &Target,
    request: LoadRequest<'_>,
    opened: &OpenedInputs,
) -> Result<(Control, Outlook), Failure> {
    let LoadRequest { settings, console, .. } = request;
    let timeouts = settings.timeouts;
    let named = target.named("profile-loader dry run control");
    let pool = SessionPool::new(&named, SessionSettings::Look, 1);
    let client = connect(&pool, target, &timeouts, console).await?;
    let control = Control::looking(pool, client, &settings.db_schema, timeouts).await;
    let mut control = control.map_err(|error| failure_of_run(error, target))?;
    let mut found = DryRun::default();
    let tables = look_at_tables(&mut control, request, &mut found);
    let tables = time::timeout(timeouts.answer, tables).await.map_err(|_| no_answer(target))??;
    let holder = control.holder().await.map_err(|error| failure_of_run(error, target))?;
    if let Some(holder) = holder {
        found.warnings.push(format!("another loader is at work on these tables: {holder}"));
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
    Ok((control, Outlook { strategy, has_tables: tables.are_there, paces, found }))
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
    let have_ledger = status.as_ref().is_some_and(|status| status.ledger == LedgerState::Current);
    let pending =
        if have_ledger { pending_of(client, db_schema, LedgerState::Current).await? } else { Vec::new() };
    if !pending.is_empty() {
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
    }
    if let Some(status) = status {
        if settings.missing_ddl == MissingDdl::Apply {
            found.ddl = ddl(&status, found.differences.is_empty());
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
            found.warnings.push("whether the load would resume a run is not known".to_owned());
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
            Choice::Resume { id, strategy, .. } => {
                (found.resumes, found.because) = (Some(id), Some(choice.because));
                return Ok(strategy);
            }
            Choice::Begin { strategy, .. } => (strategy, choice.because),
        }
    } else {
        new_strategy(control, settings.strategy, &settings.db_schema, opened).await?
    };
    if settings.strategy == StrategyRequest::Only(Strategy::Bulk) && tables.are_there {
        let obstacle =
            control.obstacle(&settings.db_schema).await.map_err(|error| failure_of_ledger(&error))?;
        let words =
            |obstacle| format!("--strategy bulk can't be used: {obstacle}; load with --strategy merge");
        found.refusals.extend(obstacle.map(words));
    }
    found.because = Some(new.1);
    Ok(match new.0 {
        NewStrategy::Merge => Strategy::Merge,
        NewStrategy::Bulk | NewStrategy::BulkIfPossible => Strategy::Bulk,
    })
}

impl Outlook {
    fn into_report(self, foreseen: &Foreseen, documents: u64, elapsed_seconds: f64) -> DryRun {
        let columns = foreseen.columns().filter(|(_, _, profiles)| *profiles > 0);
        let columns = columns.map(|(table, column, profiles)| ColumnChanges {
            table: table.to_owned(),
            column: column.to_owned(),
            profiles,
        });
        let rows = Table::ALL.iter().zip(foreseen.rows).map(|(table, rows)| TableChanges {
            table: table.name().to_owned(),
            added: rows.added,
            changed: rows.changed,
            removed: rows.removed,
        });
        let estimate = match Pace::estimate(&self.paces, documents) {
            Some(seconds) => Estimate { seconds, runs: self.paces.iter().map(|pace| pace.run_id).collect() },
            None => Estimate { seconds: elapsed_seconds, runs: Vec::new() },
        };
        DryRun {
            columns: columns.collect(),
            rows: rows.collect(),
            forgotten: foreseen.forgotten,
            estimate: Some(estimate),
            ..self.found
        }
    }
}
