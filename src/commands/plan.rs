//! `plan`: reads all inputs through, and writes down how they are cut into splits.

use std::{
    ffi::OsString,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{
    failure::{Failure, exit},
    inputs::{failure_of_opening, refuse_unwritable, warn_of_repeated},
    limits,
    output::{Output, print},
    runtime::no_threads,
};
use crate::{
    console::Console,
    document::DocumentSchema,
    input::{self, Source},
    map::DocumentMap,
    path_text::{path_text, visible_lines},
    plan::{self, MakeError, Plan, PlanRequest, PlannedText},
    progress::PhaseProgress,
    read_file::{LONG, read_text_at_most},
    report::{grouped, write_file},
    settings::{FramingRequest, NetworkSettings},
};

/// What is planned, and the file that gets the plan.
#[derive(Debug)]
pub(crate) struct PlanFileRequest {
    pub(crate) inputs: Vec<OsString>,
    pub(crate) framing: FramingRequest,
    pub(crate) json_schema: Option<PathBuf>,
    pub(crate) map: Option<PathBuf>,
    pub(crate) split_bytes: u64,
    pub(crate) parts: u32,
    pub(crate) network: NetworkSettings,
    pub(crate) jobs: usize,
    pub(crate) plan: PathBuf,
    pub(crate) output: Output,
    pub(crate) console: Console,
}

/// A compressed file that is so many times as long as splits usually are keeps everybody waiting.
const LONG_SPLIT: u64 = 3;

/// How often it is shown how far reading is.
const TICK: Duration = Duration::from_millis(500);

pub(crate) fn plan(request: &PlanFileRequest) -> Result<u8, Failure> {
    limits::refuse_tight(0, 1, request.jobs, request.map.is_some())?;
    let console = request.console;
    let warn = move |words: String| console.warn(&words);
    let sources = input::resolve(&request.inputs, &request.network, warn).map_err(failure_of_opening)?;
    warn_of_repeated(&sources, console);
    let files = sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path.as_path()),
        Source::Remote(_) | Source::Stdin => None,
    });
    let others = request.json_schema.as_deref().into_iter().chain(request.map.as_deref());
    refuse_unwritable([("the plan", &request.plan)].into_iter(), files.chain(others))?;
    let json_schema = request.json_schema.as_deref().map(read_schema).transpose()?;
    let map = request.map.as_deref().map(read_map).transpose()?;
    let PlanFileRequest { framing, split_bytes, parts, jobs, .. } = *request;
    let planned = PlanRequest { sources, framing, json_schema, map, split_bytes, parts, jobs };
    let made = make(planned, request.console)?.map_err(|error| match error {
        MakeError::Input(error) => failure_of_opening(error),
        MakeError::Plan(error) => Failure::of(exit::USAGE, error),
    })?;
    write_file("the plan", &made.to_json(), &request.plan)
        .map_err(|error| Failure::of(exit::TEMPORARY, error))?;
    match request.output {
        Output::Text => print(&visible_lines(&summary(&made, &path_text(&request.plan))))?,
        Output::Json => print(&made.to_json())?,
    }
    Ok(exit::COMPLETE)
}

/// Shows how far it is: a lake takes hours.
fn make(request: PlanRequest, console: Console) -> Result<Result<Plan, MakeError>, Failure> {
    let total: u64 = request.sources.iter().filter_map(Source::stored_bytes).sum();
    let what = format!("reading {} inputs", grouped(request.sources.len() as u64));
    let progress = PhaseProgress::start(console, "plan");
    let read = AtomicU64::new(0);
    let (end, ended) = mpsc::sync_channel(1);
    let made = thread::scope(|scope| {
        let make = || {
            let made = plan::make(request, &read);
            // Whoever waits for it is there until it ends.
            let _ = end.send(());
            made
        };
        let thread = thread::Builder::new().spawn_scoped(scope, make).map_err(|error| no_threads(&error))?;
        while matches!(ended.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) && !thread.is_finished() {
            progress.show(share(read.load(Ordering::Relaxed), total), &what);
        }
        thread.join().map_err(|_| Failure::new(exit::BUG, "this is a bug of profile-loader"))
    });
    progress.finish();
    made
}

#[expect(clippy::cast_precision_loss, reason = "one of a thousand parts")]
fn share(read: u64, total: u64) -> f64 {
    (read as f64 / total.max(1) as f64).min(1.0)
}

fn read_schema(path: &Path) -> Result<PlannedText, Failure> {
    let name = path_text(path);
    DocumentSchema::from_file(path, &name).map_err(|error| Failure::of(exit::USAGE, error))?;
    read_text(path, name, "the JSON Schema")
}

fn read_map(path: &Path) -> Result<PlannedText, Failure> {
    let name = path_text(path);
    DocumentMap::from_file(path, &name).map_err(|error| Failure::of(exit::USAGE, error))?;
    read_text(path, name, "the map")
}

fn read_text(path: &Path, name: String, what: &str) -> Result<PlannedText, Failure> {
    let text = read_text_at_most(path, LONG);
    let text =
        text.map_err(|error| Failure::new(exit::USAGE, format!("{what} {name} can't be read: {error}")))?;
    Ok(PlannedText { source: name, text })
}

/// What was planned, in words.
fn summary(plan: &Plan, name: &str) -> String {
    let bytes: u64 = plan.sources.iter().map(|source| source.bytes).sum();
    let to_u64 = |count: usize| u64::try_from(count).expect("a count has 64 bits");
    let mut text = format!("plan: {name}\n\n");
    // Writing to a String cannot fail.
    let mut line = |count: u64, words: &str| {
        let _ = writeln!(text, "  {:>17}  {words}", grouped(count));
    };
    line(to_u64(plan.sources.len()), "inputs");
    for form in ["gzip", "zstd"] {
        let count = plan.sources.iter().filter(|source| source.compression == form).count();
        if count > 0 {
            line(to_u64(count), &format!("of them {form}, each of which is one split"));
        }
    }
    line(bytes, "bytes as they are stored");
    line(to_u64(plan.splits.len()), "splits, from 0");
    line(u64::from(plan.parts), "parts");
    let mut lengths: Vec<_> = plan.splits.iter().map(|split| (split.bytes, split.source)).collect();
    lengths.sort_unstable();
    if let (Some((median, _)), Some((longest, source))) = (lengths.get(lengths.len() / 2), lengths.last())
        && *longest > LONG_SPLIT * median
    {
        let name = plan.source_name(*source);
        let _ = writeln!(
            text,
            "\n  the longest split, {name}, has {} bytes and the median {}: all others may wait for it; several shorter \
             files would be done sooner",
            grouped(*longest),
            grouped(*median)
        );
    }
    let _ = writeln!(
        text,
        "\n  next:            profile-loader validate --plan {name} --split 0 --report split-0.json"
    );
    text
}
