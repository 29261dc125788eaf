//! `load --dry-run`: all that a load does up to the first row, and what would become of each document. Every session is
//! read-only by its own setting, so the server itself refuses whatever would write.

use std::{path::Path, sync::Arc};

use tokio::runtime::Handle;

use super::{
    outlook::{Outlook, look},
    request::LoadRequest,
};
use crate::{
    commands::{
        conclude::{LoadHeader, conclude},
        database::{Database, reach, stop},
        failure::{Failure, exit},
        inputs::{OpenedInputs, RowsFor, create_reject_files},
        reject_files::end_reject_files,
        runtime::CommandRuntime,
        signals::{self, Signals},
    },
    load::{BatchLimits, ForeseeContext, Foreseen},
    pipeline::{self, BATCH_CHUNKS, End, Lanes, LanesWork, RunFiles},
    postgres::Target,
    report::{ColumnChanges, DryRun, Estimate, RunReport, TableChanges},
    rows::RowForm,
    runs::{LaneState, LoadCounts, Pace},
    session::{SessionPool, SessionSettings, Watch},
    settings::LoadSettings,
    tables::Table,
};

/// How much input is looked up at once, by all lanes together.
const BATCH_BYTES: usize = 16 << 20;

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
    let opened = OpenedInputs::open(documents, request.console)?;
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
    let (server_version, outlook) = looked?;
    let rejects = create_reject_files(documents, opened.reader.sources(), None)?;
    let files = RunFiles { rejects, ..RunFiles::default() };
    let lanes = settings.connections;
    let rows = RowsFor { lanes, form: RowForm::Staged };
    let started = opened.start("load --dry-run", documents, console, files, rows);
    let mut header = started.header;
    header.settings.extend(settings.told());
    let context = context(&target, request, &outlook);
    let state = |lane| LaneState { lane, ..LaneState::default() };
    let lanes = Lanes {
        work: LanesWork::Foresee(Arc::clone(&context)),
        states: (0..i32::try_from(lanes).expect("few lanes")).map(state).collect(),
        earlier: LoadCounts::default(),
        is_atomic: settings.atomic,
        batch_bytes: batch_bytes(settings),
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
        database: Some(server_version),
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

/// Whether a private server was made in a folder.
pub(in crate::commands) fn has_server(dir: &Path) -> bool {
    dir.join("data").is_dir()
}

/// Making a server would be a change, and there is nothing in it to be compared with.
fn refuse_missing_server(dir: &Path) -> Result<(), Failure> {
    if has_server(dir) {
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

fn context(target: &Target, request: LoadRequest<'_>, outlook: &Outlook) -> Arc<ForeseeContext> {
    let settings = request.settings;
    let named = target.named("profile-loader dry run");
    let sessions = SessionPool::new(&named, SessionSettings::LookUp, settings.connections);
    let watch = Watch::new(&target.named("profile-loader dry run watch"), &settings.timeouts);
    let limits = BatchLimits { cost_bytes: batch_bytes(settings), chunks: BATCH_CHUNKS };
    Arc::new(ForeseeContext::new(outlook.has_tables, settings, limits, sessions, watch))
}

fn batch_bytes(settings: &LoadSettings) -> usize {
    settings.batch_bytes.min(BATCH_BYTES)
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
