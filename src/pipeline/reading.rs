//! Reading the input and having it checked. One thread reads one source after another, and is one of those that check: when
//! it is ahead of the others it checks a chunk itself, so from two jobs on there are no more threads than jobs. Where several
//! sources are compressed, and checking is all there is to do, as many are read at the same time as there are workers, for a
//! stream is inflated by one thread only.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    thread,
};

use tokio::sync::watch;

use super::{
    check::Checker,
    checked::charge_before,
    event::{Event, SourceEnd},
    order::sequence,
    window::Window,
};
use crate::{
    document::is_cut_off,
    input::{Chunk, ChunkReader, InputError, SourcesApart},
    map,
};

/// What threads that read share.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) checker: Arc<Checker>,
    pub(super) window: Arc<Window>,
    pub(super) events: SyncSender<Event>,
    workers: Arc<rayon::ThreadPool>,
    /// Whether who reads checks a chunk that the workers don't need.
    reader_checks: bool,
    /// Whether the text of a checked chunk is let go of as far as nobody needs it.
    shrinks: bool,
}

impl Reading {
    /// With so many threads that check, of which the one that reads is one if it has the time.
    pub(super) fn new(
        jobs: usize,
        reader_checks: bool,
        checker: Arc<Checker>,
        window: Arc<Window>,
        events: SyncSender<Event>,
    ) -> Self {
        // One thread alone would not check what it has read while it waits for more.
        let reader_checks = reader_checks && jobs > 1;
        let others = if reader_checks { jobs - 1 } else { jobs };
        let mut workers =
            rayon::ThreadPoolBuilder::new().num_threads(others).thread_name(|index| format!("check-{index}"));
        if checker.rules.map.is_some() {
            workers = workers.stack_size(map::STACK_BYTES);
        }
        let workers = Arc::new(workers.build().expect("threads can be started"));
        Self { checker, window, events, workers, reader_checks, shrinks: false }
    }

    /// Reads one source after another. The thread is not joined: at a stop it may be waiting for standard input, which nothing
    /// can end.
    pub(super) fn start(self, mut reader: ChunkReader, report_verified: watch::Sender<bool>) {
        // Words may get lost when there is no room for them.
        let notices = self.events.clone();
        reader.listen(move |words| drop(notices.try_send(Event::Notice(words))));
        spawn(self, move |reading| reading.read_all(&mut reader, &report_verified));
    }

    /// Reads several sources at a time.
    pub(super) fn start_apart(self, sources: SourcesApart) {
        let (sources, next) = (Arc::new(sources), Arc::new(AtomicUsize::new(0)));
        for _ in 0..sources.len().min(self.workers.current_num_threads()) {
            let (sources, next) = (Arc::clone(&sources), Arc::clone(&next));
            spawn(Self { shrinks: true, ..self.clone() }, move |reading| {
                loop {
                    let source = next.fetch_add(1, Ordering::Relaxed);
                    if source >= sources.len() || !reading.read_source(&sources, source) {
                        return;
                    }
                }
            });
        }
    }

    fn read_all(&self, reader: &mut ChunkReader, report_verified: &watch::Sender<bool>) {
        let mut error = None;
        while let Some(buffer) = self.window.wait_for_room(0, reader.is_verified()) {
            let chunk = match next_chunk(reader, buffer) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(damage) => {
                    error = Some(damage);
                    break;
                }
            };
            let charge = charge_before(&chunk);
            if !self.window.enter(0, charge) {
                break;
            }
            report_verified.send_replace(reader.is_verified());
            self.check(0, chunk, charge);
        }
        let _ = self.events.send(Event::InputEnded {
            digests: reader.digests().to_vec(),
            is_verified: reader.is_verified(),
            error,
        });
    }

    /// Whether the next one is to be read.
    fn read_source(&self, sources: &SourcesApart, source: usize) -> bool {
        let window = Arc::clone(&self.window);
        let wait = move || window.wait_for_turn(source);
        if sources.takes_much_memory(source) {
            wait();
        }
        let mut reader = sources.open(source, Arc::new(wait));
        let (mut chunks, mut error) = (0, None);
        loop {
            let Some(buffer) = self.window.wait_for_room(source, true) else { return false };
            let mut chunk = match next_chunk(&mut reader, buffer) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(damage) => {
                    error = Some(damage);
                    break;
                }
            };
            (chunk.source, chunk.sequence) = (source, sequence(source, chunks));
            chunk.consumed += sources.stored_before(source);
            let charge = charge_before(&chunk);
            if !self.window.enter(source, charge) {
                return false;
            }
            chunks += 1;
            self.check(source, chunk, charge);
        }
        let is_sound = error.is_none();
        self.window.end_source(source);
        let digests = reader.digests().to_vec();
        self.events.send(Event::SourceEnded(SourceEnd { source, chunks, digests, error })).is_ok() && is_sound
    }

    fn check(&self, source: usize, chunk: Chunk, charge: usize) {
        let checks = self.reader_checks && self.window.has_enough_for(self.workers.current_num_threads());
        let Self { checker, window, events, shrinks, .. } = self.clone();
        let check = move || {
            let event = match catch_unwind(AssertUnwindSafe(|| checker.check(chunk))) {
                Ok(mut checked) => {
                    if shrinks && let Some(text) = checked.shrink() {
                        window.keep(text);
                    }
                    window.recharge(source, charge, checked.charge);
                    Event::Checked(Box::new(checked))
                }
                Err(_) => Event::Panicked,
            };
            let _ = events.send(event);
        };
        if checks { check() } else { self.workers.spawn(check) }
    }
}

fn spawn(reading: Reading, read: impl FnOnce(&Reading) + Send + 'static) {
    let applies_map = reading.reader_checks && reading.checker.rules.map.is_some();
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(|| read(&reading))).is_err() {
            let _ = reading.events.send(Event::Panicked);
        }
    };
    let mut thread = thread::Builder::new().name("read".to_owned());
    if applies_map {
        thread = thread.stack_size(map::STACK_BYTES);
    }
    thread.spawn(guarded).expect("a thread can be started");
}

/// An error in place of what is cut off: such a document comes in a chunk of its own.
fn next_chunk(reader: &mut ChunkReader, buffer: Vec<u8>) -> Result<Option<Chunk>, InputError> {
    match reader.next_chunk(buffer)? {
        Some(chunk) if chunk.is_unterminated && is_cut_off(chunk.last_document()) => {
            let name = reader.sources()[chunk.source].name();
            let (line, byte_offset) = chunk.place_of_last_document();
            Err(InputError::CutOff { name, line, byte_offset })
        }
        chunk => Ok(chunk),
    }
}
