//! Threads, queues, order, and how a run stops: the only place where rayon and tokio meet.
//!
//! One reader thread cuts chunks (several do of several compressed sources that are only checked), rayon workers check them, and
//! so does the reader where it is ahead; the calling thread collects in input order and hands rows to the lanes, which are tokio
//! tasks. Everything between them is bounded by the window: each queue holds a window's worth, so no send ever waits, and a full
//! window stops the reader.

mod check;
mod checked;
mod collect;
mod deferral;
mod end;
mod event;
mod lines;
mod order;
mod parts;
mod reading;
mod run_files;
mod window;

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use tokio::{runtime, sync::watch};

pub(crate) use check::{Checker, Rules};
use collect::{Collector, LaneHandles};
pub(crate) use deferral::Deferral;
pub(crate) use end::{End, Finished, Signal};
use event::Event;
use order::InputOrder;
use reading::Reading;
pub(crate) use run_files::RunFiles;
use window::{Window, WindowLimits};

use crate::{
    input::{ChunkReader, SourcesApart},
    load::{ForeseeContext, LaneContext, LaneEvent, LaneInput, Stop, run_foreseeing_lane, run_lane},
    progress::Progress,
    runs::{LaneState, LoadCounts, RunError},
    settings::RejectLimits,
};

/// Most chunks of a batch.
pub(crate) const BATCH_CHUNKS: usize = 512;

/// One batch at the server, one that fills, one being checked. At least one more than a batch, or lanes would
/// wait for a batch that the window does not let fill.
const WINDOW_BATCHES: usize = 3;
const WINDOW_CHUNKS: usize = WINDOW_BATCHES * BATCH_CHUNKS;

/// Checking alone needs no more than keeps every worker busy while the slowest chunk is waited for. A chunk that is not
/// checked is charged about ten times its length.
const CHECK_WINDOW_CHUNKS_PER_JOB: usize = 16;

/// How often the progress is looked after while nothing happens.
const TICK: Duration = Duration::from_millis(500);

/// How a run is set up.
#[derive(Debug)]
pub(crate) struct PipelineSettings {
    pub checker: Checker,
    /// Threads that check, of which one reads as well if there are several.
    pub jobs: usize,
    pub chunk_bytes: usize,
    pub max_rejects: RejectLimits,
    pub files: RunFiles,
}

/// What the lanes need.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub work: LanesWork,
    /// As many as the checker has.
    pub states: Vec<LaneState>,
    /// What earlier attempts at the run had settled.
    pub earlier: LoadCounts,
    pub is_atomic: bool,
    /// About how much input is a batch.
    pub batch_bytes: usize,
    /// How long transactions may go on after a signal.
    pub stop_within: Duration,
}

/// What lanes do with documents.
#[derive(Debug, Clone)]
pub(crate) enum LanesWork {
    Load(Arc<LaneContext>),
    /// They say what would become of them.
    Foresee(Arc<ForeseeContext>),
}

/// Stops a run from outside.
#[derive(Clone)]
pub(crate) struct Stopper(SyncSender<Event>);

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopper")
    }
}

impl Stopper {
    /// The run reads no further, finishes the transactions under way, and ends with [`End::Signal`].
    pub(crate) fn stop(&self, signal: Signal) {
        // Nobody listens any more when the run has ended by itself.
        let _ = self.0.send(Event::Stop(signal));
    }

    /// The same for an error that no lane meets by itself.
    pub(crate) fn fail(&self, error: RunError) {
        let _ = self.0.send(Event::Failed(error));
    }
}

/// Reads, checks and, where there are lanes, loads; returns when everything has ended.
/// `on_start` gets the means to stop it.
pub(crate) fn run(
    reader: ChunkReader,
    settings: PipelineSettings,
    lanes: Option<Lanes>,
    runtime: &runtime::Handle,
    progress: &Progress,
    on_start: impl FnOnce(Stopper),
) -> Finished {
    let lane_count = lanes.as_ref().map_or(0, |lanes| lanes.states.len());
    assert_eq!(lane_count, settings.checker.lanes, "rows are encoded for the lanes there are");
    let limits = window_limits(&settings, lanes.as_ref());
    let window = Arc::new(Window::new(limits));
    let apart =
        reader.apart().filter(|_| lanes.is_none() && settings.checker.parts() == 0 && settings.jobs > 1);
    // Each chunk sends one event when checked and one for each lane; the rest come once. What is read ahead has as many at most.
    let chunks = limits.chunks * (1 + usize::from(apart.is_some()));
    let (events, inbox) = mpsc::sync_channel(chunks * (1 + lane_count) + lane_count + 8);
    on_start(Stopper(events.clone()));
    let (stop_lanes, stop) = Stop::new();
    let (report_verified, verified) = watch::channel(false);
    let handles = lanes.map(|lanes| LaneHandles {
        earlier: lanes.earlier,
        is_atomic: lanes.is_atomic,
        stop_within: lanes.stop_within,
        queues: start_lanes(lanes, limits.chunks, runtime, &events, &verified, &stop),
        stop: stop_lanes,
    });
    let checker = Arc::new(settings.checker);
    let reading =
        Reading::new(settings.jobs, apart.is_none(), Arc::clone(&checker), Arc::clone(&window), events);
    let order = InputOrder::new(apart.as_ref().map(SourcesApart::len));
    let mut collector =
        Collector::new(&checker, &window, order, progress, settings.max_rejects, settings.files, handles);
    match apart {
        Some(sources) => {
            // It holds what it has read.
            drop(reader);
            reading.start_apart(sources);
        }
        None => reading.start(reader, report_verified),
    }
    while !collector.is_done() {
        match inbox.recv_timeout(TICK) {
            Ok(event) => collector.take(event),
            Err(RecvTimeoutError::Timeout) => progress.tick(),
            Err(RecvTimeoutError::Disconnected) => {
                unreachable!("the reader and the lanes tell of their end before they go")
            }
        }
    }
    collector.finish()
}

fn window_limits(settings: &PipelineSettings, lanes: Option<&Lanes>) -> WindowLimits {
    let buffer_bytes = 2 * settings.chunk_bytes;
    let Some(lanes) = lanes else {
        let bytes = CHECK_WINDOW_CHUNKS_PER_JOB * settings.jobs * settings.chunk_bytes;
        return WindowLimits { bytes, chunks: WINDOW_CHUNKS, buffer_bytes };
    };
    // Of a resumed run, lanes load nothing before all of their watermarks have come by: what lies between the
    // first and the last has to fit in. It was in the window of an earlier attempt.
    let marks = || lanes.states.iter().map(LaneState::cost_bytes);
    let spread = marks().max().unwrap_or(0) - marks().min().unwrap_or(0);
    let spread = usize::try_from(spread).unwrap_or(usize::MAX);
    WindowLimits {
        bytes: spread.saturating_add(WINDOW_BATCHES * lanes.batch_bytes),
        chunks: WINDOW_CHUNKS + 2 * (spread / settings.chunk_bytes),
        buffer_bytes,
    }
}

fn start_lanes(
    lanes: Lanes,
    queue_parts: usize,
    runtime: &runtime::Handle,
    events: &SyncSender<Event>,
    verified: &watch::Receiver<bool>,
    stop: &Stop,
) -> Vec<tokio::sync::mpsc::Sender<crate::rows::LanePart>> {
    let work = lanes.work;
    let start = |state| {
        let (queue, parts) = tokio::sync::mpsc::channel(queue_parts);
        let input = LaneInput { state, parts, verified: verified.clone(), stop: stop.clone() };
        let report = events.clone();
        let report = move |event| {
            let _ = match event {
                // Words may get lost when there is no room for them.
                notice @ LaneEvent::Notice(_) => report.try_send(Event::Lane(notice)).ok(),
                // The collector outlives the lanes, and its inbox has room for every chunk of the window.
                event => report.send(Event::Lane(event)).ok(),
            };
        };
        let lane = match &work {
            LanesWork::Load(context) => runtime.spawn(run_lane(Arc::clone(context), input, report)),
            LanesWork::Foresee(context) => {
                runtime.spawn(run_foreseeing_lane(Arc::clone(context), input, report))
            }
        };
        let events = events.clone();
        runtime.spawn(async move {
            let _ = match lane.await {
                Ok(result) => events.send(Event::LaneEnded(result)),
                Err(_) => events.send(Event::Panicked).and_then(|()| events.send(Event::LaneEnded(Ok(())))),
            };
        });
        queue
    };
    lanes.states.into_iter().map(start).collect()
}
