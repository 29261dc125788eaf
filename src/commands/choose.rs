//! Which run a load is: an unfinished one of the same input and settings that it goes on with, or a new one.
//!
//! An input is known by what it holds. Its name counts only where the contents do not match: then the input was
//! changed since, and the run refuses it where the first watermark disagrees.

use super::{Failure, load::exit_code_of_load, run::Opened};
use crate::{
    console::Console,
    input::{ChunkReader, InputError, Source, Watermark},
    load::{Control, InputIdentity, LoadError, Run, RunKey, Unfinished},
    settings::{LoadSettings, Resume},
};

pub(super) async fn choose_run(
    control: &mut Control,
    settings: &LoadSettings,
    opened: &Opened,
    console: Console,
) -> Result<Run, Failure> {
    let key = RunKey {
        db_schema: settings.db_schema.clone(),
        on_existing: settings.on_existing,
        json_schema_sha256: opened.schema.sha256.clone(),
        atomic: settings.atomic,
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
    let run = control.begin(&key, lanes, &input).await.map_err(|error| of_ledger(&error))?;
    console.detail(&format!("this is run {}", run.id));
    Ok(run)
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
