//! Which run a load is: an unfinished one of the same input and settings that it resumes, or a new one. Only looks.
//!
//! An input is recognised by what it holds. Its name counts only where the contents do not match: then the input was
//! changed since, and the run refuses it where the first watermark disagrees.

use super::request::{LoadRequest, failure_of_ledger};
use crate::{
    commands::{
        failure::{Failure, exit},
        inputs::{OpenedInputs, failure_of_input},
    },
    console::Console,
    input::{ChunkReader, InputError, Source, Watermark},
    load::Control,
    path_text::path_text,
    runs::{InputIdentity, PendingStep, RunKey, RunSource, UnfinishedRun},
    settings::{FramingRequest, Resume, Strategy, StrategyRequest},
};

/// Below this much input, restoring indexes saves no time. Of a pipe nobody knows how much comes.
pub(super) const BULK_INPUT_BYTES_MIN: u64 = 8 << 20;

/// What a load is to be.
#[derive(Debug)]
pub(super) struct RunChoice {
    pub(super) key: RunKey,
    pub(super) input: InputIdentity,
    pub(super) what: Choice,
    /// Why it is that strategy.
    pub(super) because: String,
}

#[derive(Debug)]
pub(super) enum Choice {
    Resume {
        id: i64,
        strategy: Strategy,
        /// Whether it may have deferred documents.
        defers: bool,
    },
    /// `abandon` is an unfinished run of this input that is not to be resumed.
    Begin { strategy: NewStrategy, abandon: Option<i64> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewStrategy {
    Merge,
    Bulk,
    /// Merge where something stands in the way.
    BulkIfPossible,
}

impl Choice {
    /// The strategy that will be used, unless something comes in the way.
    pub(super) fn strategy(&self) -> Strategy {
        match self {
            Self::Resume { strategy, .. } => *strategy,
            Self::Begin { strategy: NewStrategy::Merge, .. } => Strategy::Merge,
            Self::Begin { strategy: NewStrategy::Bulk | NewStrategy::BulkIfPossible, .. } => Strategy::Bulk,
        }
    }
}

pub(super) async fn choose_run(
    control: &mut Control,
    request: LoadRequest<'_>,
    opened: &OpenedInputs,
    pending: &[PendingStep],
) -> Result<RunChoice, Failure> {
    let LoadRequest { settings, console, documents } = request;
    let key = RunKey {
        db_schema: settings.db_schema.clone(),
        on_existing: settings.on_existing,
        json_schema_sha256: opened.schema.sha256.clone(),
        map_sha256: opened.map.as_ref().map(|map| map.sha256.clone()),
        atomic: settings.atomic,
        strategy: settings.strategy,
    };
    let input = identity(&opened.reader);
    let unfinished = control.unfinished(&key, &input).await.map_err(|error| failure_of_ledger(&error))?;
    let same = same_run(control, &unfinished, opened.reader.sources(), documents.framing).await?;
    let (what, because) = match (same, settings.resume) {
        (Some(run), Resume::Auto) => {
            if run.strategy == Strategy::Bulk {
                refuse_emptied(control, &settings.db_schema, run.id).await?;
            }
            let resume = Choice::Resume { id: run.id, strategy: run.strategy, defers: run.defers };
            (resume, "the run was begun with it".to_owned())
        }
        (_, _) if !pending.is_empty() => return Err(refuse_beside_bulk(pending)),
        (same, _) => {
            if same.is_none() {
                warn_of_other_settings(&unfinished, console);
            }
            let (strategy, because) = match documents.rejects {
                None if key.strategy == StrategyRequest::Auto => {
                    (NewStrategy::Merge, "there is no folder for documents that are deferred".to_owned())
                }
                _ => new_strategy(control, key.strategy, &key.db_schema, opened).await?,
            };
            if key.strategy == StrategyRequest::Auto && strategy == NewStrategy::Merge {
                console.detail(&format!("merging, because {because}"));
            }
            (Choice::Begin { strategy, abandon: same.map(|run| run.id) }, because)
        }
    };
    let defers = match what {
        Choice::Resume { defers, .. } => defers,
        Choice::Begin { .. } => what.strategy() == Strategy::Bulk,
    };
    if documents.rejects.is_none() && defers {
        return Err(Failure::new(
            exit::USAGE,
            "this load defers some documents to a file and needs a folder for it; name one for rejected documents, \
             or begin a load with the strategy merge",
        ));
    }
    Ok(RunChoice { key, input, what, because })
}

/// The strategy that was requested, or the one that suits, and why.
pub(super) async fn new_strategy(
    control: &mut Control,
    requested: StrategyRequest,
    db_schema: &str,
    opened: &OpenedInputs,
) -> Result<(NewStrategy, String), Failure> {
    let strategy = strategy_of_empty_tables(requested, opened);
    if strategy.0 != NewStrategy::BulkIfPossible {
        return Ok(strategy);
    }
    let obstacle = control.obstacle(db_schema).await.map_err(|error| failure_of_ledger(&error))?;
    Ok(match obstacle {
        None => strategy,
        Some(obstacle) => (NewStrategy::Merge, obstacle.to_string()),
    })
}

/// The one for tables that nothing stands in the way of filling.
pub(super) fn strategy_of_empty_tables(
    requested: StrategyRequest,
    opened: &OpenedInputs,
) -> (NewStrategy, String) {
    let as_requested = || "--strategy asks for it".to_owned();
    match requested {
        StrategyRequest::Only(Strategy::Merge) => (NewStrategy::Merge, as_requested()),
        StrategyRequest::Only(Strategy::Bulk) => (NewStrategy::Bulk, as_requested()),
        StrategyRequest::Auto if !is_enough_for_bulk(opened.reader.sources()) => {
            (NewStrategy::Merge, "restoring indexes saves no time for so little input".to_owned())
        }
        StrategyRequest::Auto => (NewStrategy::BulkIfPossible, "the tables are empty".to_owned()),
    }
}

fn is_enough_for_bulk(sources: &[Source]) -> bool {
    let bytes: Option<u64> = sources.iter().map(Source::stored_bytes).sum();
    bytes.is_none_or(|bytes| bytes >= BULK_INPUT_BYTES_MIN)
}

/// Tables that lack indexes and foreign keys are not for other loads.
pub(super) fn refuse_beside_bulk(pending: &[PendingStep]) -> Failure {
    let run_id = pending[0].run_id;
    Failure::new(
        exit::NEEDS_A_PERSON,
        format!(
            "run {run_id}, which is unfinished, has dropped indexes and foreign keys of the tables; run the command \
             again that it was begun with, or abandon it, which restores them: profile-loader runs abandon {run_id}"
        ),
    )
}

/// What a bulk load has committed is not loaded again by the next attempt at it.
pub(super) async fn refuse_emptied(
    control: &mut Control,
    db_schema: &str,
    run_id: i64,
) -> Result<(), Failure> {
    let emptied = control.emptied(db_schema, run_id).await.map_err(|error| failure_of_ledger(&error))?;
    if emptied.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        exit::NEEDS_A_PERSON,
        format!(
            "run {run_id}, which is unfinished, has loaded rows into {} of schema {db_schema}, and there are none now: it \
             was emptied, or dropped and made again; abandon the run, and the same command begins anew: profile-loader \
             runs abandon {run_id}",
            emptied.join(" and ")
        ),
    ))
}

fn identity(reader: &ChunkReader) -> InputIdentity {
    let sources = reader.sources().iter().map(run_source).collect();
    InputIdentity { sources, head: reader.head().to_vec() }
}

/// A source as the ledger knows it.
pub(super) fn run_source(source: &Source) -> RunSource {
    let name = match source {
        Source::Stdin | Source::Remote(_) => source.name(),
        Source::File(path) => {
            std::path::absolute(path).map_or_else(|_| source.name(), |path| path_text(&path))
        }
    };
    RunSource { name, etag: source.etag() }
}

/// The unfinished run of this input with these settings, if there is one.
async fn same_run<'u>(
    control: &mut Control,
    unfinished: &'u [UnfinishedRun],
    sources: &[Source],
    framing: FramingRequest,
) -> Result<Option<&'u UnfinishedRun>, Failure> {
    let same_settings = || unfinished.iter().filter(|run| run.differs_in.is_empty());
    for run in same_settings().filter(|run| run.has_same_head) {
        // What comes in through a pipe can't be looked at beforehand.
        if run.has_same_names || !sources.iter().all(Source::is_rereadable) {
            return Ok(Some(run));
        }
        // Another night's export may well begin like the last one.
        let watermarks = control.watermarks(run.id).await.map_err(|error| failure_of_ledger(&error))?;
        let sources = sources.to_vec();
        let check = tokio::task::spawn_blocking(move || holds(sources, framing, watermarks));
        if check.await.expect("reading does not panic")? {
            return Ok(Some(run));
        }
    }
    Ok(same_settings().find(|run| run.has_same_names))
}

/// Whether the files still hold what was read up to these places.
fn holds(sources: Vec<Source>, framing: FramingRequest, watermarks: Vec<Watermark>) -> Result<bool, Failure> {
    const CHUNK_BYTES: usize = 1 << 20;
    let mut reader = ChunkReader::open(sources, framing, CHUNK_BYTES).map_err(failure_of_input)?;
    reader.require_watermarks(watermarks);
    let mut buffer = Vec::new();
    while !reader.is_verified() {
        match reader.next_chunk(buffer) {
            Ok(Some(chunk)) => buffer = chunk.bytes,
            Ok(None) | Err(InputError::Changed { .. }) => return Ok(false),
            Err(error) => return Err(failure_of_input(error)),
        }
    }
    Ok(true)
}

fn warn_of_other_settings(unfinished: &[UnfinishedRun], console: Console) {
    if let Some(run) = unfinished.iter().find(|run| !run.differs_in.is_empty() && run.has_same_head) {
        console.warn(&format!(
            "run {id} of this input is unfinished, but was begun with another {}; this is a new run \
             (abandon the other one with: profile-loader runs abandon {id})",
            run.differs_in.join(" and "),
            id = run.id
        ));
    }
}
