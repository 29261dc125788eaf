//! Puts what comes back into input order: hands rows to the lanes, counts, and writes the rejects.
//!
//! A chunk is released once all lanes have settled it; only then are its rejects complete, and only then is
//! its room given back to the reader.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    End, Finished, Signal,
    check::{CheckedChunk, Checker, Lines},
    window::Window,
};
use crate::{
    document::Fault,
    input::{InputError, SourceDigest},
    load::{LaneEvent, LoadCounts, LoadError, Settled, Stopping},
    progress::Progress,
    report::{ChunkRejects, RejectFiles, RejectsError, Spill, SpillFiles, Tally},
    rows::LanePart,
    settings::RejectLimit,
};

/// What the collector hears.
pub(super) enum Event {
    Checked(Box<CheckedChunk>),
    Lane(LaneEvent),
    LaneEnded(Result<(), LoadError>),
    InputEnded {
        digests: Vec<SourceDigest>,
        error: Option<InputError>,
    },
    Stop(Signal),
    /// Something besides the lanes has failed.
    Failed(LoadError),
    /// A worker or a lane panicked.
    Panicked,
}

/// Whoever sent a signal waits, and may have a limit of its own: transactions that take longer are given up.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// What the collector holds of the lanes.
pub(super) struct LaneHands {
    /// What earlier attempts at the run had settled.
    pub(super) earlier: LoadCounts,
    pub(super) is_atomic: bool,
    pub(super) queues: Vec<mpsc::Sender<LanePart>>,
    pub(super) stop: watch::Sender<Option<Stopping>>,
}

pub(super) struct Collector<'a> {
    checker: &'a Checker,
    window: &'a Window,
    progress: &'a Progress,
    max_rejects: RejectLimit,
    rejects: Option<RejectFiles>,
    late: LateDocuments,
    lanes: Vec<mpsc::Sender<LanePart>>,
    lanes_running: usize,
    stop_lanes: Option<watch::Sender<Option<Stopping>>>,
    earlier: LoadCounts,
    replayed: u64,
    /// Nothing that is settled stands before this transaction is committed.
    is_atomic: bool,
    is_committed: bool,
    /// Of all sources that the reader came to the end of, once it has ended.
    digests: Vec<SourceDigest>,
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

/// What a bulk load has to do with documents that it puts off until the indexes are back.
#[derive(Debug, Default)]
pub enum LateDocuments {
    #[default]
    None,
    /// They are put off here.
    Spilled(SpillFiles),
    /// They are what is read; documents were read and rejected before them.
    Read { spill: Spill, read: u64, rejected: u64 },
}

struct OpenChunk {
    checked: Box<CheckedChunk>,
    lanes_to_settle: usize,
    counts: LoadCounts,
    replayed: u64,
    refused: Vec<(u32, Fault)>,
    spilled: Vec<u32>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        checker: &'a Checker,
        window: &'a Window,
        progress: &'a Progress,
        max_rejects: RejectLimit,
        rejects: Option<RejectFiles>,
        late: LateDocuments,
        lanes: Option<LaneHands>,
    ) -> Self {
        let (mut earlier, mut is_atomic, mut queues, mut stop_lanes) = Default::default();
        if let Some(lanes) = lanes {
            (earlier, is_atomic, queues) = (lanes.earlier, lanes.is_atomic, lanes.queues);
            stop_lanes = Some(lanes.stop);
        }
        Self {
            finished: Finished::new(checker.source_names.len(), earlier),
            checker,
            window,
            progress,
            max_rejects,
            rejects,
            late,
            lanes_running: queues.len(),
            lanes: queues,
            stop_lanes,
            earlier,
            replayed: 0,
            is_atomic,
            is_committed: false,
            digests: Vec::new(),
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
            Event::Lane(LaneEvent::Settled(settled)) => self.settle(settled),
            Event::Lane(LaneEvent::Notice(words)) => self.progress.notice(&words),
            Event::Lane(LaneEvent::ReadyToCommit(answer)) => self.decide(answer),
            Event::Lane(LaneEvent::Committed) => self.is_committed = true,
            Event::Failed(error) => self.stop(End::Lane(error)),
            Event::LaneEnded(result) => {
                self.lanes_running -= 1;
                if let Err(error) = result {
                    self.stop(End::Lane(error));
                }
            }
            Event::InputEnded { digests, error } => {
                self.digests = digests;
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
        let (read, rejected) = self.read_and_rejected();
        let is_past_limit = self.max_rejects.is_exceeded_at_end(read, rejected);
        // Of a run that was stopped, the reader was ahead by chance: what its chunks have brought is told.
        if matches!(self.end, None | Some(End::Input(_))) {
            self.finished.digests = mem::take(&mut self.digests);
        }
        let end = match self.end.take() {
            Some(end) => end,
            None if is_past_limit => End::RejectLimit,
            None => End::Complete,
        };
        self.account_for_earlier();
        self.finished.end = match end {
            End::Complete if self.finished.settled_earlier != 0 => End::Lane(LoadError::Ledger(
                "documents that it has as loaded are not accepted any more".to_owned(),
            )),
            end => end,
        };
        self.finished.rejects = self.rejects;
        self.finished.late = self.late;
        self.finished
    }

    /// What earlier attempts had settled is counted in the ledger, whether or not it was read again.
    fn account_for_earlier(&mut self) {
        let finished = &mut self.finished;
        if self.is_atomic && !self.is_committed {
            let undone = finished.load.settled() - self.earlier.settled();
            finished.not_loaded += undone;
            finished.load = self.earlier;
        }
        let earlier = self.earlier.settled();
        finished.settled_earlier = earlier.saturating_sub(self.replayed);
        // More than it has: the input is not judged as it was.
        finished.not_loaded += self.replayed.saturating_sub(earlier);
    }

    /// Whether the one transaction of an atomic load is committed: all is settled, but nothing stands yet.
    fn decide(&mut self, answer: oneshot::Sender<bool>) {
        self.release_settled();
        let (read, rejected) = self.read_and_rejected();
        if self.max_rejects.is_exceeded_at_end(read, rejected) {
            self.stop(End::RejectLimit);
        }
        // A lane that does not listen any more has failed, and says so.
        let _ = answer.send(self.end.is_none());
    }

    /// The first reason stands; lanes end after the transaction that is under way.
    fn stop(&mut self, end: End) {
        let is_panic = matches!(end, End::Panicked);
        let is_urgent = is_panic || matches!(end, End::Signal(_));
        if self.end.is_none() || is_panic {
            self.end = Some(end);
        }
        self.total = Some(self.window.close());
        if let Some(stop_lanes) = &self.stop_lanes {
            let deadline = is_urgent.then(|| Instant::now() + STOP_PATIENCE);
            stop_lanes.send_modify(|stopping| {
                let earlier = stopping.and_then(|stopping| stopping.deadline);
                *stopping = Some(Stopping { deadline: earlier.or(deadline) });
            });
        }
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
            replayed: 0,
            refused: Vec::new(),
            spilled: Vec::new(),
        });
    }

    fn settle(&mut self, settled: Settled) {
        let first = self.open.front().expect("a settled chunk is open").checked.chunk.sequence;
        let at = usize::try_from(settled.chunk - first).expect("few chunks are open");
        let open = &mut self.open[at];
        open.lanes_to_settle -= 1;
        open.counts.add(settled.counts);
        open.replayed += settled.replayed;
        open.refused.extend(settled.rejected);
        open.spilled.extend(settled.spilled);
    }

    fn release_settled(&mut self) {
        while self.open.front().is_some_and(|open| open.lanes_to_settle == 0) {
            let open = self.open.pop_front().expect("it was just looked at");
            self.release(open);
        }
        self.progress.tick();
    }

    fn release(&mut self, open: OpenChunk) {
        let OpenChunk { mut checked, counts, replayed, mut refused, mut spilled, .. } = open;
        let is_past_limit = matches!(self.end, Some(End::RejectLimit));
        if is_past_limit && self.checker.lanes == 0 {
            // Nothing was done with it, so the report may end where the limit was passed.
            self.window.leave(checked.chunk.cost_bytes(), checked.chunk.bytes);
            return;
        }
        refused.sort_unstable_by_key(|(offset, _)| *offset);
        spilled.sort_unstable();
        let told = self.tell_refused(&mut checked, refused).and_then(|()| self.put_off(&checked, &spilled));
        if let Err(error) = told {
            self.stop(End::Rejects(error));
        }
        let CheckedChunk { mut chunk, tally, rejects, .. } = *checked;
        self.write_rejects(&chunk.bytes, &rejects);
        let finished = &mut self.finished;
        if self.checker.lanes > 0 {
            let spilled = u64::try_from(spilled.len()).expect("a length has 64 bits");
            finished.spilled += spilled;
            // What is refused is not accepted any more, unless its place could not be told.
            let settled = counts.settled() + replayed + spilled;
            finished.not_loaded += tally.accepted.saturating_sub(settled);
        }
        finished.load.add(counts);
        self.replayed += replayed;
        finished.digests.append(&mut chunk.ended);
        finished.documents_of_sources[chunk.source] += tally.read;
        finished.bytes += u64::try_from(chunk.bytes.len()).expect("a length has 64 bits");
        finished.tally.merge(tally);
        self.progress.update(finished.tally.read, finished.tally.rejected, chunk.consumed);
        let (read, rejected) = self.read_and_rejected();
        if self.max_rejects.is_exceeded(read, rejected) {
            self.stop(End::RejectLimit);
        }
        self.window.leave(chunk.cost_bytes(), chunk.bytes);
    }

    /// Of the whole run.
    fn read_and_rejected(&self) -> (u64, u64) {
        let tally = &self.finished.tally;
        match self.late {
            LateDocuments::Read { read, rejected, .. } => (read, rejected + tally.rejected),
            LateDocuments::None | LateDocuments::Spilled(_) => (tally.read, tally.rejected),
        }
    }

    fn tell_refused(
        &mut self,
        checked: &mut CheckedChunk,
        refused: Vec<(u32, Fault)>,
    ) -> Result<(), RejectsError> {
        let late = &mut self.late;
        self.checker.reject_accepted(checked, refused, |place| match late {
            LateDocuments::Read { spill, .. } => spill.place(place.line),
            LateDocuments::None | LateDocuments::Spilled(_) => Ok(place),
        })
    }

    fn put_off(&mut self, checked: &CheckedChunk, spilled: &[u32]) -> Result<(), RejectsError> {
        if spilled.is_empty() {
            return Ok(());
        }
        let LateDocuments::Spilled(files) = &mut self.late else {
            unreachable!("only a bulk load puts documents off");
        };
        let mut lines = Lines::of(&checked.chunk);
        for &offset in spilled {
            let (bytes, place) = lines.at(offset);
            files.push(&checked.chunk.bytes[bytes], place)?;
        }
        Ok(())
    }

    fn write_rejects(&mut self, bytes: &[u8], rejects: &ChunkRejects) {
        if let Some(files) = &mut self.rejects
            && let Err(error) = files.write(bytes, rejects)
        {
            self.rejects = None;
            self.stop(End::Rejects(error));
        }
    }
}

impl Finished {
    fn new(sources: usize, load: LoadCounts) -> Self {
        Self {
            tally: Tally::default(),
            documents_of_sources: vec![0; sources],
            bytes: 0,
            digests: Vec::new(),
            load,
            not_loaded: 0,
            spilled: 0,
            late: LateDocuments::None,
            settled_earlier: 0,
            rejects: None,
            end: End::Complete,
        }
    }
}
