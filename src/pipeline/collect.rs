//! Puts what comes back into input order: hands rows to the lanes, counts, and writes the rejects.
//!
//! A chunk is released once all lanes have settled it; only then are its rejects complete, and only then is
//! its room given back to the reader.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    End, Finished, Signal,
    check::{CheckedChunk, Checker},
    window::Window,
};
use crate::{
    document::Fault,
    input::{InputError, SourceDigest},
    load::{LoadCounts, LoadError, Settled},
    progress::Progress,
    report::{RejectFiles, Tally},
    rows::LanePart,
    settings::RejectLimit,
};

/// What the collector hears.
pub(super) enum Event {
    Checked(Box<CheckedChunk>),
    Settled(Settled),
    LaneEnded(Result<(), LoadError>),
    InputEnded {
        digests: Vec<SourceDigest>,
        error: Option<InputError>,
    },
    Stop(Signal),
    /// A worker or a lane panicked.
    Panicked,
}

pub(super) struct Collector<'a> {
    checker: &'a Checker,
    window: &'a Window,
    progress: &'a Progress,
    max_rejects: RejectLimit,
    rejects: Option<RejectFiles>,
    lanes: Vec<mpsc::Sender<LanePart>>,
    lanes_running: usize,
    stop_lanes: Arc<AtomicBool>,
    /// Checked, but a chunk before it is not.
    early: BTreeMap<u64, Box<CheckedChunk>>,
    /// The next chunk in input order that is not checked yet.
    next: u64,
    /// Handed to the lanes, in input order.
    open: VecDeque<OpenChunk>,
    /// How many chunks there are, once that is known.
    total: Option<u64>,
    end: Option<End>,
    finished: Finished,
}

struct OpenChunk {
    checked: Box<CheckedChunk>,
    lanes_to_settle: usize,
    counts: LoadCounts,
    refused: Vec<(u32, Fault)>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        checker: &'a Checker,
        window: &'a Window,
        progress: &'a Progress,
        max_rejects: RejectLimit,
        rejects: Option<RejectFiles>,
        lanes: Vec<mpsc::Sender<LanePart>>,
        stop_lanes: Arc<AtomicBool>,
    ) -> Self {
        Self {
            finished: Finished::new(checker.source_names.len()),
            checker,
            window,
            progress,
            max_rejects,
            rejects,
            lanes_running: lanes.len(),
            lanes,
            stop_lanes,
            early: BTreeMap::new(),
            next: 0,
            open: VecDeque::new(),
            total: None,
            end: None,
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Checked(checked) => {
                self.early.insert(checked.chunk.sequence, checked);
                while let Some(checked) = self.early.remove(&self.next) {
                    self.next += 1;
                    self.hand_out(checked);
                }
            }
            Event::Settled(settled) => self.settle(settled),
            Event::LaneEnded(result) => {
                self.lanes_running -= 1;
                if let Err(error) = result {
                    self.stop(End::Lane(error));
                }
            }
            Event::InputEnded { digests, error } => {
                self.finished.digests = digests;
                self.total = Some(self.window.close());
                if let Some(error) = error {
                    // What was read before the damage is loaded.
                    self.end.get_or_insert(End::Input(error));
                }
            }
            Event::Stop(signal) => self.stop(End::Signal(signal)),
            Event::Panicked => {
                self.stop(End::Panicked);
                // Its chunk will never come; the lanes commit what they have.
                self.lanes.clear();
            }
        }
        self.release_settled();
        if self.total == Some(self.next) {
            self.lanes.clear();
        }
    }

    /// Whether nothing more will come that has to be waited for.
    pub(super) fn is_done(&self) -> bool {
        let is_checked = self.total == Some(self.next) || matches!(self.end, Some(End::Panicked));
        is_checked && self.lanes_running == 0
    }

    /// What was found, with the chunks counted that no lane will settle any more.
    pub(super) fn finish(mut self) -> Finished {
        while let Some(open) = self.open.pop_front() {
            self.release(open);
        }
        let is_past_limit =
            self.max_rejects.is_exceeded_at_end(self.finished.tally.read, self.finished.tally.rejected);
        self.finished.end = match self.end {
            Some(end) => end,
            None if is_past_limit => End::RejectLimit,
            None => End::Complete,
        };
        self.finished.rejects = self.rejects;
        self.finished
    }

    /// The first reason stands; lanes end after the transaction that is under way.
    fn stop(&mut self, end: End) {
        let is_panic = matches!(end, End::Panicked);
        if self.end.is_none() || is_panic {
            self.end = Some(end);
        }
        self.total = Some(self.window.close());
        self.stop_lanes.store(true, Ordering::Relaxed);
    }

    fn hand_out(&mut self, mut checked: Box<CheckedChunk>) {
        for (lane, part) in self.lanes.iter().zip(mem::take(&mut checked.parts)) {
            // The queue holds a whole window, so it is never full; it is closed when its lane has failed.
            if let Err(mpsc::error::TrySendError::Full(_)) = lane.try_send(part) {
                unreachable!("a lane's queue holds as many parts as the window holds chunks");
            }
        }
        let lanes_to_settle = self.lanes.len();
        self.open.push_back(OpenChunk {
            checked,
            lanes_to_settle,
            counts: LoadCounts::default(),
            refused: Vec::new(),
        });
    }

    fn settle(&mut self, settled: Settled) {
        let first = self.open.front().expect("a settled chunk is open").checked.chunk.sequence;
        let at = usize::try_from(settled.chunk - first).expect("few chunks are open");
        let open = &mut self.open[at];
        open.lanes_to_settle -= 1;
        open.counts.add(settled.counts);
        open.refused.extend(settled.rejected);
    }

    fn release_settled(&mut self) {
        while self.open.front().is_some_and(|open| open.lanes_to_settle == 0) {
            let open = self.open.pop_front().expect("it was just looked at");
            self.release(open);
        }
        self.progress.tick();
    }

    fn release(&mut self, open: OpenChunk) {
        let OpenChunk { mut checked, counts, mut refused, .. } = open;
        let is_past_limit = matches!(self.end, Some(End::RejectLimit));
        if is_past_limit && self.checker.lanes == 0 {
            // Nothing was done with it, so the report may end where the limit was passed.
            self.window.leave(checked.chunk.cost_bytes(), checked.chunk.bytes);
            return;
        }
        refused.sort_unstable_by_key(|(offset, _)| *offset);
        self.checker.reject_accepted(&mut checked, refused);
        let CheckedChunk { chunk, tally, rejects, .. } = *checked;
        self.write_rejects(&chunk.bytes, &rejects);
        let finished = &mut self.finished;
        if self.checker.lanes > 0 {
            finished.not_loaded += tally.accepted - counts.settled();
        }
        finished.load.add(counts);
        finished.documents_of_sources[chunk.source] += tally.read;
        finished.bytes += u64::try_from(chunk.bytes.len()).expect("a length has 64 bits");
        finished.tally.merge(tally);
        self.progress.update(finished.tally.read, finished.tally.rejected, chunk.consumed);
        if self.max_rejects.is_exceeded(finished.tally.read, finished.tally.rejected) {
            self.stop(End::RejectLimit);
        }
        self.window.leave(chunk.cost_bytes(), chunk.bytes);
    }

    fn write_rejects(&mut self, bytes: &[u8], rejects: &crate::report::ChunkRejects) {
        if let Some(files) = &mut self.rejects
            && let Err(error) = files.write(bytes, rejects)
        {
            self.rejects = None;
            self.stop(End::Rejects(error));
        }
    }
}

impl Finished {
    fn new(sources: usize) -> Self {
        Self {
            tally: Tally::default(),
            documents_of_sources: vec![0; sources],
            bytes: 0,
            digests: Vec::new(),
            load: LoadCounts::default(),
            not_loaded: 0,
            rejects: None,
            end: End::Complete,
        }
    }
}
