//! Threads, queues, order, and how a run stops: the only place where rayon and tokio meet.
//!
//! One reader thread cuts chunks, rayon workers check them, the calling thread collects in input order and
//! hands rows to the lanes, which are tokio tasks. Everything between them is bounded by the window: each
//! queue holds a window's worth, so no send ever waits, and a full window stops the reader.

mod check;
mod collect;
mod window;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use tokio::runtime;

pub use check::Checker;
use collect::{Collector, Event};
use window::{Window, WindowLimits};

use crate::{
    input::{ChunkReader, InputError, SourceDigest},
    load::{BatchLimits, LoadCounts, LoadError, Session, run_lane},
    progress::Progress,
    report::{RejectFiles, RejectsError, Tally},
    settings::{OnExisting, RejectLimit},
};

/// A lane loads a batch when the input has moved on by this much (about 40,000 documents of all lanes).
const BATCH: BatchLimits = BatchLimits { cost_bytes: 24 << 20, chunks: 512 };

/// Three batches: one at the server, one that fills, one being checked. At least one more than a batch, or
/// lanes would wait for a batch that the window does not let fill.
const LOAD_WINDOW_BYTES: usize = 3 * BATCH.cost_bytes;
const WINDOW_CHUNKS: usize = 3 * BATCH.chunks;

/// Checking alone needs no more than keeps every worker busy while the slowest chunk is waited for.
const CHECK_WINDOW_CHUNKS_PER_JOB: usize = 8;

/// How often the progress is looked after while nothing happens.
const TICK: Duration = Duration::from_millis(500);

/// A signal that stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
}

/// Why a run came to its end.
#[derive(Debug)]
pub enum End {
    Complete,
    RejectLimit,
    Signal(Signal),
    Input(InputError),
    Lane(LoadError),
    Rejects(RejectsError),
    /// A bug. The panic hook has told where; its words may quote a document and are not kept.
    Panicked,
}

/// All that a run found and did.
#[derive(Debug)]
pub struct Finished {
    pub tally: Tally,
    pub documents_of_sources: Vec<u64>,
    /// Decompressed.
    pub bytes: u64,
    /// Of the sources that were read to their end, in order.
    pub digests: Vec<SourceDigest>,
    pub load: LoadCounts,
    /// Accepted documents whose transaction never came.
    pub not_loaded: u64,
    /// Still open.
    pub rejects: Option<RejectFiles>,
    pub end: End,
}

/// How a run is set up.
#[derive(Debug)]
pub struct Plan {
    pub checker: Checker,
    /// CPU workers.
    pub jobs: usize,
    pub chunk_bytes: usize,
    pub max_rejects: RejectLimit,
    pub rejects: Option<RejectFiles>,
}

/// The lanes' connections, and where their tasks run.
#[derive(Debug)]
pub struct Lanes {
    /// As many as the checker has lanes.
    pub sessions: Vec<Session>,
    pub on_existing: OnExisting,
}

/// Stops a run from outside.
#[derive(Clone)]
pub struct Stopper(SyncSender<Event>);

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopper")
    }
}

impl Stopper {
    /// The run reads no further, finishes the transactions under way, and ends with [`End::Signal`].
    pub fn stop(&self, signal: Signal) {
        // Nobody listens any more when the run has ended by itself.
        let _ = self.0.send(Event::Stop(signal));
    }
}

/// Reads, checks and, where there are lanes, loads; returns when everything has ended.
/// `on_start` gets the means to stop it.
pub fn run(
    reader: ChunkReader,
    plan: Plan,
    lanes: Option<Lanes>,
    runtime: &runtime::Handle,
    progress: &Progress,
    on_start: impl FnOnce(Stopper),
) -> Finished {
    let lane_count = lanes.as_ref().map_or(0, |lanes| lanes.sessions.len());
    assert_eq!(lane_count, plan.checker.lanes, "rows are encoded for the lanes there are");
    let limits = window_limits(&plan);
    let window = Arc::new(Window::new(limits));
    // Each chunk sends one event when checked and one for each lane; the rest come once.
    let (events, inbox) = mpsc::sync_channel(limits.chunks * (1 + lane_count) + lane_count + 8);
    on_start(Stopper(events.clone()));
    let stop_lanes = Arc::new(AtomicBool::new(false));
    let queues =
        lanes.map_or_else(Vec::new, |lanes| start_lanes(lanes, limits.chunks, runtime, &events, &stop_lanes));
    let checker = Arc::new(plan.checker);
    start_reader(reader, plan.jobs, &checker, &window, &events);
    drop(events);
    let mut collector =
        Collector::new(&checker, &window, progress, plan.max_rejects, plan.rejects, queues, stop_lanes);
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

fn window_limits(plan: &Plan) -> WindowLimits {
    let bytes = if plan.checker.lanes > 0 {
        LOAD_WINDOW_BYTES
    } else {
        CHECK_WINDOW_CHUNKS_PER_JOB * plan.jobs * plan.chunk_bytes
    };
    WindowLimits { bytes, chunks: WINDOW_CHUNKS, buffer_bytes: 2 * plan.chunk_bytes }
}

fn start_lanes(
    lanes: Lanes,
    queue_parts: usize,
    runtime: &runtime::Handle,
    events: &SyncSender<Event>,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::sync::mpsc::Sender<crate::rows::LanePart>> {
    let start = |session| {
        let (queue, parts) = tokio::sync::mpsc::channel(queue_parts);
        let settle = events.clone();
        let lane = run_lane(session, lanes.on_existing, BATCH, parts, Arc::clone(stop), move |settled| {
            // The collector outlives the lanes, and its inbox has room for every chunk of the window.
            let _ = settle.send(Event::Settled(settled));
        });
        let lane = runtime.spawn(lane);
        let events = events.clone();
        runtime.spawn(async move {
            let _ = match lane.await {
                Ok(result) => events.send(Event::LaneEnded(result)),
                Err(_) => events.send(Event::Panicked).and_then(|()| events.send(Event::LaneEnded(Ok(())))),
            };
        });
        queue
    };
    lanes.sessions.into_iter().map(start).collect()
}

/// The reader is not joined: at a stop it may be waiting for standard input, which nothing can end.
fn start_reader(
    mut reader: ChunkReader,
    jobs: usize,
    checker: &Arc<Checker>,
    window: &Arc<Window>,
    events: &SyncSender<Event>,
) {
    let (checker, window, events) = (Arc::clone(checker), Arc::clone(window), events.clone());
    let workers = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .thread_name(|index| format!("check-{index}"))
        .build()
        .expect("threads can be started");
    let mut read = move |events: &SyncSender<Event>| {
        let mut error = None;
        while let Some(buffer) = window.wait_for_room() {
            let chunk = match reader.next_chunk(buffer) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(damage) => {
                    error = Some(damage);
                    break;
                }
            };
            if !window.enter(chunk.cost_bytes()) {
                break;
            }
            let (checker, events) = (Arc::clone(&checker), events.clone());
            workers.spawn(move || {
                let event = match catch_unwind(AssertUnwindSafe(|| checker.check(chunk))) {
                    Ok(found) => Event::Checked(Box::new(found)),
                    Err(_) => Event::Panicked,
                };
                let _ = events.send(event);
            });
        }
        let _ = events.send(Event::InputEnded { digests: reader.digests().to_vec(), error });
    };
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(|| read(&events))).is_err() {
            let _ = events.send(Event::Panicked);
        }
    };
    thread::Builder::new().name("read".to_owned()).spawn(guarded).expect("a thread can be started");
}
