//! Which run a load is: an unfinished one of the same input and settings that it goes on with, or a new one.
//!
//! An input is known by what it holds. Its name counts only where the contents do not match: then the input was
//! changed since, and the run refuses it where the first watermark disagrees.

use super::{Failure, exit, load::exit_code_of_load, run::Opened};
use crate::{
    console::Console,
    input::{ChunkReader, InputError, Source, Watermark},
    load::{
        Begun, Control, InputIdentity, LoadError, Run, RunKey, Unfinished,
        bulk::{Obstacle, PendingStep},
    },
    settings::{LoadSettings, Resume, Strategy, StrategyWish},
};

/// Below this much input, building indexes anew saves no time. Of a pipe nobody knows how much comes.
const BULK_INPUT_BYTES_MIN: u64 = 8 << 20;

pub(super) async fn choose_run(
    control: &mut Control,
    settings: &LoadSettings,
    opened: &Opened,
    pending: &[PendingStep],
    console: Console,
) -> Result<Run, Failure> {
    let key = RunKey {
        db_schema: settings.db_schema.clone(),
        on_existing: settings.on_existing,
        json_schema_sha256: opened.schema.sha256.clone(),
        atomic: settings.atomic,
        strategy: settings.strategy,
    };
    let input = identity(&opened.reader);
    let unfinished = control.unfinished(&key, &input).await.map_err(|error| of_ledger(&error))?;
    let same = same_run(control, &unfinished, opened.reader.sources()).await?;
    match (same, settings.resume) {
        (Some(id), Resume::Auto) => {
            let run = control.resume(id, &key, &input).await.map_err(|error| of_ledger(&error))?;
            tell_resumed(&run, console);
            return Ok(run);
        }
        (_, _) if !pending.is_empty() => return Err(refuse_beside_bulk(pending)),
        (Some(id), Resume::Never) => {
            control.give_up(id).await.map_err(|error| of_ledger(&error))?;
            console.warn(&format!(
                "run {id} of this input is given up and a new one begins (--resume never): what it loaded stays, \
                 and counts as stored before this run"
            ));
        }
        (None, _) => tell_other_settings(&unfinished, console),
    }
    let lanes = if settings.atomic { 1 } else { settings.connections };
    let begun = begin(control, &key, lanes, &input, opened, console).await?;
    tell_begun(&begun, console);
    Ok(begun.run)
}

/// Begins a run with the strategy that was asked for, or the one that suits.
async fn begin(
    control: &mut Control,
    key: &RunKey,
    lanes: usize,
    input: &InputIdentity,
    opened: &Opened,
    console: Console,
) -> Result<Begun, Failure> {
    let bulk = match key.strategy {
        StrategyWish::Only(Strategy::Merge) => None,
        StrategyWish::Only(Strategy::Bulk) => {
            let begun = control.begin(key, Strategy::Bulk, lanes, input).await;
            return begun.map_err(|error| of_ledger(&error))?.map_err(|obstacle| no_bulk(&obstacle));
        }
        StrategyWish::Auto if !is_enough_for_bulk(opened.reader.sources()) => None,
        StrategyWish::Auto => begin_bulk(control, key, lanes, input, console).await?,
    };
    match bulk {
        Some(begun) => Ok(begun),
        None => {
            let begun = control.begin(key, Strategy::Merge, lanes, input).await;
            Ok(begun.map_err(|error| of_ledger(&error))?.expect("nothing stands in the way of merging"))
        }
    }
}

/// `None` where something stands in the way.
async fn begin_bulk(
    control: &mut Control,
    key: &RunKey,
    lanes: usize,
    input: &InputIdentity,
    console: Console,
) -> Result<Option<Begun>, Failure> {
    let obstacle = control.obstacle(&key.db_schema).await.map_err(|error| of_ledger(&error))?;
    let obstacle = match obstacle {
        Some(obstacle) => obstacle,
        None => match control.begin(key, Strategy::Bulk, lanes, input).await {
            Ok(Ok(begun)) => return Ok(Some(begun)),
            Ok(Err(obstacle)) => obstacle,
            Err(error) if error.is_lock_timeout() => {
                console.warn("other sessions hold locks on the empty tables, so their indexes stay on");
                return Ok(None);
            }
            Err(error) => return Err(of_ledger(&error)),
        },
    };
    console.detail(&format!("merging, because {obstacle}"));
    Ok(None)
}

fn is_enough_for_bulk(sources: &[Source]) -> bool {
    let bytes: Option<u64> = sources.iter().map(Source::stored_bytes).sum();
    bytes.is_none_or(|bytes| bytes >= BULK_INPUT_BYTES_MIN)
}

fn no_bulk(obstacle: &Obstacle) -> Failure {
    Failure::new(
        exit::NEEDS_A_PERSON,
        format!("--strategy bulk can't be used: {obstacle}; load with --strategy merge"),
    )
}

/// Tables that lack indexes and foreign keys are not for other loads.
fn refuse_beside_bulk(pending: &[PendingStep]) -> Failure {
    let run_id = pending[0].run_id;
    Failure::new(
        exit::NEEDS_A_PERSON,
        format!(
            "run {run_id}, which is unfinished, has taken indexes and foreign keys off the tables; run the command \
             again that it was begun with, or give it up, which brings them back: profile-loader runs abandon {run_id}"
        ),
    )
}

fn tell_begun(begun: &Begun, console: Console) {
    let id = begun.run.id;
    console.detail(&format!("this is run {id}"));
    let Some(taken) = &begun.taken else { return };
    if taken.steps > 0 {
        console.info(&format!(
            "filling empty tables in bulk: indexes and foreign keys are off until all is loaded (run {id}, {} steps \
             bring them back)",
            taken.steps
        ));
    }
    if !taken.kept.is_empty() {
        console.info(&format!(
            "documents may break these or other objects need them, so they stay on: {}",
            taken.kept.join(", ")
        ));
    }
}

fn of_ledger(error: &LoadError) -> Failure {
    Failure::new(exit_code_of_load(error), error.in_words())
}

fn identity(reader: &ChunkReader) -> InputIdentity {
    let name = |source: &Source| match source {
        Source::Stdin => source.name(),
        Source::File(path) => {
            std::path::absolute(path).map_or_else(|_| source.name(), |path| path.display().to_string())
        }
    };
    let names = reader.sources().iter().map(name).collect();
    InputIdentity { names, head: reader.head().to_vec() }
}

/// The unfinished run of this input with these settings, if there is one.
async fn same_run(
    control: &mut Control,
    unfinished: &[Unfinished],
    sources: &[Source],
) -> Result<Option<i64>, Failure> {
    let same_settings = || unfinished.iter().filter(|run| run.differs_in.is_empty());
    for run in same_settings().filter(|run| run.has_same_head) {
        // What comes in through a pipe can't be looked at beforehand.
        if run.has_same_names || !sources.iter().all(|source| source.stored_bytes().is_some()) {
            return Ok(Some(run.id));
        }
        // Another night's export may well begin like the last one.
        let watermarks = control.watermarks(run.id).await.map_err(|error| of_ledger(&error))?;
        let sources = sources.to_vec();
        let check = tokio::task::spawn_blocking(move || holds(sources, watermarks));
        if check.await.expect("reading does not panic")? {
            return Ok(Some(run.id));
        }
    }
    Ok(same_settings().find(|run| run.has_same_names).map(|run| run.id))
}

/// Whether the files still hold what was read up to these places.
fn holds(sources: Vec<Source>, watermarks: Vec<Watermark>) -> Result<bool, Failure> {
    const CHUNK_BYTES: usize = 1 << 20;
    let mut reader = ChunkReader::open(sources, CHUNK_BYTES).map_err(super::run::of_input)?;
    reader.expect(watermarks);
    let mut buffer = Vec::new();
    while !reader.is_verified() {
        match reader.next_chunk(buffer) {
            Ok(Some(chunk)) => buffer = chunk.bytes,
            Ok(None) | Err(InputError::Changed { .. }) => return Ok(false),
            Err(error) => return Err(super::run::of_input(error)),
        }
    }
    Ok(true)
}

fn tell_resumed(run: &Run, console: Console) {
    let settled = run.counts().settled();
    console.info(&format!(
        "going on with run {} (attempt {}): {settled} documents are settled; the input is read again from its \
         beginning",
        run.id, run.attempt
    ));
}

fn tell_other_settings(unfinished: &[Unfinished], console: Console) {
    if let Some(run) = unfinished.iter().find(|run| !run.differs_in.is_empty() && run.has_same_head) {
        console.warn(&format!(
            "run {id} of this input is unfinished, but was begun with another {}; this is a new run \
             (give the other one up with: profile-loader runs abandon {id})",
            run.differs_in.join(" and "),
            id = run.id
        ));
    }
}
