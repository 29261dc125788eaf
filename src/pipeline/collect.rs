//! Puts what comes back into input order: hands rows to the lanes, counts, and writes the rejects.
//!
//! A chunk is released once all lanes have settled it; only then are its rejects complete, and only then is
//! its room given back to the reader.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    check::Checker,
    checked::CheckedChunk,
    end::{End, Finished},
    event::Event,
    order::InputOrder,
    parts::{PlacedDocument, write_blocks},
    run_files::RunFiles,
    window::Window,
};
use crate::{
    document::Fault,
    input::{Chunk, SourceDigest},
    load::{LaneEvent, Settled, Stopping},
    progress::Progress,
    report::ChunkRejects,
    rows::LanePart,
    runs::{LoadCounts, RunError},
    settings::{KindLimit, RejectLimits},
};

/// What the collector holds of the lanes.
pub(super) struct LaneHandles {
    /// What earlier attempts at the run had settled.
    pub(super) earlier: LoadCounts,
    pub(super) is_atomic: bool,
    pub(super) queues: Vec<mpsc::Sender<LanePart>>,
    pub(super) stop: watch::Sender<Option<Stopping>>,
    /// After a signal, transactions that take longer are cancelled.
    pub(super) stop_within: Duration,
}

pub(super) struct Collector<'a> {
    checker: &'a Checker,
    window: &'a Window,
    progress: &'a Progress,
    max_rejects: RejectLimits,
    files: RunFiles,
    lanes: Vec<mpsc::Sender<LanePart>>,
    lanes_running: usize,
    stop_lanes: Option<watch::Sender<Option<Stopping>>>,
    stop_within: Duration,
    earlier: LoadCounts,
    replayed: u64,
    /// Nothing that is settled stands before this transaction is committed.
    is_atomic: bool,
    commit: AtomicCommit,
    /// Of all sources that the reader came to the end of, once it has ended.
    digests: Vec<SourceDigest>,
    order: InputOrder,
    /// Handed to the lanes, in input order.
    open: VecDeque<OpenChunk>,
    end: Option<End>,
    started: Instant,
    finished: Finished,
}

/// What is known of the one COMMIT of an atomic load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtomicCommit {
    NotSent,
    Done,
    Unknown,
}

struct OpenChunk {
    checked: Box<CheckedChunk>,
    lanes_to_settle: usize,
    counts: LoadCounts,
    replayed: u64,
    refused: Vec<(u32, Fault)>,
    deferred: Vec<u32>,
    unknown: u64,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        checker: &'a Checker,
        window: &'a Window,
        order: InputOrder,
        progress: &'a Progress,
        max_rejects: RejectLimits,
        files: RunFiles,
        lanes: Option<LaneHandles>,
    ) -> Self {
        let (mut earlier, mut is_atomic, mut queues, mut stop_lanes, mut stop_within) = Default::default();
        if let Some(lanes) = lanes {
            (earlier, is_atomic, queues) = (lanes.earlier, lanes.is_atomic, lanes.queues);
            (stop_lanes, stop_within) = (Some(lanes.stop), lanes.stop_within);
        }
        Self {
            finished: Finished::new(checker.source_names.len(), checker.has_details, earlier),
            checker,
            window,
            progress,
            max_rejects,
            files,
            lanes_running: queues.len(),
            lanes: queues,
            stop_lanes,
            stop_within,
            earlier,
            replayed: 0,
            is_atomic,
            commit: AtomicCommit::NotSent,
            digests: Vec::new(),
            order,
            open: VecDeque::new(),
            end: None,
            started: Instant::now(),
        }
    }

    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Checked(checked) => {
                self.order.add(checked);
                self.advance();
            }
            Event::SourceEnded(end) => {
                self.order.end_source(end);
                self.advance();
            }
            Event::Lane(LaneEvent::Settled(settled)) => self.settle(settled),
            Event::Notice(words) | Event::Lane(LaneEvent::Notice(words)) => self.progress.notice(&words),
            Event::Lane(LaneEvent::Retried) => self.finished.retries += 1,
            Event::Lane(LaneEvent::ReadyToCommit(answer)) => self.decide(answer),
            Event::Lane(LaneEvent::Committed) => self.commit = AtomicCommit::Done,
            Event::Lane(LaneEvent::CommitUnknown) => self.commit = AtomicCommit::Unknown,
            Event::Failed(error) => self.stop(End::Lane(error)),
            Event::LaneEnded(result) => {
                self.lanes_running -= 1;
                if let Err(error) = result {
                    self.stop(End::Lane(error));
                }
            }
            Event::InputEnded { digests, is_verified, error } => {
                self.digests = digests;
                self.finished.is_verified = is_verified;
                self.close();
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
        if self.order.is_at_end() {
            self.lanes.clear();
        }
    }

    /// Lets nothing more in; what is in up to where something is missing is still to come.
    fn close(&mut self) {
        let (source, chunks) = self.window.close();
        self.order.end_at(source, chunks);
    }

    /// Takes what comes next in input order.
    fn advance(&mut self) {
        while let Some(checked) = self.order.next() {
            self.hand_out(checked);
        }
        if self.order.is_at_end() {
            self.window.close();
        }
        if let Some(error) = self.order.take_error() {
            // What was read before the damage is told.
            self.end.get_or_insert(End::Input(error));
        }
    }

    /// Whether nothing more will come that has to be waited for.
    pub(super) fn is_done(&self) -> bool {
        let is_checked = self.order.is_at_end() || matches!(self.end, Some(End::Panicked));
        is_checked && self.lanes_running == 0
    }

    /// What was found, with the chunks counted that no lane will settle any more.
    pub(super) fn finish(mut self) -> Finished {
        while let Some(open) = self.open.pop_front() {
            self.release(open);
        }
        let is_past_limit = self.is_past_limit_at_end();
        // Of a run that was stopped, the reader was ahead by chance: what its chunks have brought is told.
        if matches!(self.end, None | Some(End::Input(_))) {
            self.digests.append(&mut self.order.take_digests());
            self.finished.digests = mem::take(&mut self.digests);
        }
        let end = match self.end.take() {
            Some(end) => end,
            None if is_past_limit => End::RejectLimit,
            None => End::Complete,
        };
        self.account_for_earlier();
        self.finished.end = match end {
            End::Complete if self.finished.settled_earlier != 0 => End::Lane(RunError::Ledger(
                "documents that it has as loaded are not accepted any more".to_owned(),
            )),
            end => end,
        };
        let RunFiles { rejects, deferral, blocks } = self.files;
        self.finished.rejects = rejects;
        self.finished.deferral = deferral;
        self.finished.blocks = blocks;
        self.finished
    }

    /// What earlier attempts had settled is counted in the ledger, whether or not it was read again.
    fn account_for_earlier(&mut self) {
        let finished = &mut self.finished;
        if self.is_atomic && self.commit != AtomicCommit::Done {
            let undone = finished.load.loaded() - self.earlier.loaded();
            match self.commit {
                AtomicCommit::Unknown => finished.unknown += undone,
                _ => finished.not_loaded += undone,
            }
            finished.load = self.earlier;
        }
        let earlier = self.earlier.loaded();
        finished.settled_earlier = earlier.saturating_sub(self.replayed);
        // More than it has: the input is not judged as it was.
        finished.not_loaded += self.replayed.saturating_sub(earlier);
    }

    fn is_past_limit_at_end(&self) -> bool {
        let (read, rejected) = self.files.deferral.read_and_rejected(&self.finished.tally);
        self.max_rejects.is_exceeded_at_end(read, rejected, |index, kind| self.documents_of(index, kind))
    }

    /// Documents of the whole run with a kind of fault that has a limit.
    fn documents_of(&self, index: usize, kind: &KindLimit) -> u64 {
        let here = self.finished.tally.faults.documents_of(&kind.code, kind.pointer.as_deref());
        here + self.files.deferral.documents_of(index)
    }

    /// Whether the one transaction of an atomic load is committed: all is settled, but nothing stands yet.
    fn decide(&mut self, answer: oneshot::Sender<bool>) {
        self.release_settled();
        if self.is_past_limit_at_end() {
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
        self.close();
        if let Some(stop_lanes) = &self.stop_lanes {
            let deadline = is_urgent.then(|| Instant::now() + self.stop_within);
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
            deferred: Vec::new(),
            unknown: 0,
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
        open.deferred.extend(settled.deferred);
        open.unknown += settled.unknown;
    }

    fn release_settled(&mut self) {
        while self.open.front().is_some_and(|open| open.lanes_to_settle == 0) {
            let open = self.open.pop_front().expect("it was just looked at");
            self.release(open);
        }
        self.progress.tick();
    }

    fn release(&mut self, open: OpenChunk) {
        let OpenChunk { mut checked, counts, replayed, mut refused, mut deferred, unknown, .. } = open;
        let is_past_limit = matches!(self.end, Some(End::RejectLimit));
        if is_past_limit && self.checker.lanes == 0 {
            // Nothing was done with it, so the report may end where the limit was passed.
            self.leave(&checked.chunk, checked.charge, Vec::new());
            return;
        }
        refused.sort_unstable_by_key(|(offset, _)| *offset);
        deferred.sort_unstable();
        let deferral = &mut self.files.deferral;
        let written = deferral
            .reject_refused(self.checker, &mut checked, refused)
            .and_then(|()| deferral.write(&checked, &deferred));
        if let Err(error) = written {
            self.stop(End::Rejects(error));
        }
        let CheckedChunk { mut chunk, text_bytes, tally, rejects, accepted, charge, .. } = *checked;
        self.write_rejects(&chunk.bytes, &rejects);
        self.write_blocks(&chunk, &accepted);
        let finished = &mut self.finished;
        if self.checker.lanes > 0 {
            let deferred = u64::try_from(deferred.len()).expect("a length has 64 bits");
            finished.deferred += deferred;
            finished.unknown += unknown;
            // What is refused is not accepted any more, unless its place could not be told.
            let settled = counts.loaded() + replayed + deferred + unknown;
            finished.not_loaded += tally.accepted.saturating_sub(settled);
        }
        finished.load.add(counts);
        self.replayed += replayed;
        finished.digests.append(&mut chunk.ended);
        finished.count_in_sources(&chunk, &tally);
        finished.timeline.add(self.started.elapsed(), tally.read);
        if let Some(details) = &tally.details {
            details.fingerprints.iter().for_each(|one| finished.seen_ids.add(*one));
        }
        finished.bytes += u64::try_from(text_bytes).expect("a length has 64 bits");
        finished.tally.merge(tally);
        self.progress.update(finished.tally.read, finished.tally.rejected, chunk.consumed);
        let (read, rejected) = self.files.deferral.read_and_rejected(&self.finished.tally);
        if self.max_rejects.is_exceeded(read, rejected, |index, kind| self.documents_of(index, kind)) {
            self.stop(End::RejectLimit);
        }
        // What was let go of is kept already.
        let is_whole = chunk.bytes.len() == text_bytes;
        let text = if is_whole { mem::take(&mut chunk.bytes) } else { Vec::new() };
        self.leave(&chunk, charge, text);
    }

    fn leave(&self, chunk: &Chunk, charge: usize, text: Vec<u8>) {
        let source = if self.order.is_apart() { chunk.source } else { 0 };
        self.window.leave(source, charge, text);
    }

    fn write_rejects(&mut self, bytes: &[u8], rejects: &ChunkRejects) {
        if let Some(files) = &mut self.files.rejects
            && let Err(error) = files.write(bytes, rejects)
        {
            self.files.rejects = None;
            self.stop(End::Rejects(error));
        }
    }

    fn write_blocks(&mut self, chunk: &Chunk, accepted: &[PlacedDocument]) {
        if let Some(blocks) = &mut self.files.blocks
            && let Err(error) = write_blocks(blocks, chunk, accepted)
        {
            self.files.blocks = None;
            self.stop(End::Blocks(error));
        }
    }
}
