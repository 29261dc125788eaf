//! The rest of a bulk load once its input is in the tables: indexes and foreign keys come back, and then the
//! documents that were put off are merged.
//!
//! A crash leaves what the ledger has as pending; the same command reads the input again, loads nothing of it
//! twice, and comes here again.

use std::{cell::RefCell, mem, sync::Arc};

use tokio::{
    runtime::Runtime,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

use super::{RunRequest, signals::Signals};
use crate::{
    console::Console,
    document::DocumentSchema,
    failpoint,
    input::{ChunkReader, Source},
    load::{
        LaneContext, LoadError, Run,
        bulk::{self, PendingStep, RestoreProgress, Restoring},
    },
    pipeline::{self, Checker, End, Finished, Lanes, LateDocuments, Plan, Stopper},
    progress::{PhaseProgress, Progress},
    report::{RejectFiles, RejectsError, Spill, merge_late_rejects},
    rows::RowForm,
    settings::LoadSettings,
};

/// What ends a part of a load from outside: a signal, or the loss of the target.
#[derive(Debug, Clone)]
pub(super) struct Outside {
    signals: Signals,
    lost: Arc<Mutex<mpsc::Receiver<LoadError>>>,
}

impl Outside {
    /// The sender is for whoever keeps the target.
    pub(super) fn new(signals: Signals) -> (mpsc::Sender<LoadError>, Self) {
        let (tell, lost) = mpsc::channel(1);
        (tell, Self { signals, lost: Arc::new(Mutex::new(lost)) })
    }

    async fn event(&mut self) -> End {
        let mut lost = self.lost.lock().await;
        tokio::select! {
            signal = self.signals.received() => End::Signal(signal),
            Some(error) = lost.recv() => End::Lane(error),
        }
    }

    /// Stops a pipeline when the time comes; to be aborted when the pipeline has ended.
    pub(super) fn watch(&self, runtime: &Runtime, stopper: Stopper) -> JoinHandle<()> {
        let mut outside = self.clone();
        runtime.spawn(async move {
            match outside.event().await {
                End::Lane(error) => stopper.fail(error),
                End::Signal(signal) => stopper.stop(signal),
                _ => unreachable!("nothing else comes from outside"),
            }
        })
    }
}

/// What the rest of a bulk load needs.
pub(super) struct Rest<'a> {
    pub(super) request: &'a RunRequest,
    pub(super) settings: &'a LoadSettings,
    pub(super) run: &'a Run,
    pub(super) schema: Arc<DocumentSchema>,
    pub(super) source_names: &'a [String],
    pub(super) restoring: &'a Restoring,
    /// For merging what was put off.
    pub(super) context: Arc<LaneContext>,
    pub(super) runtime: &'a Runtime,
    pub(super) outside: &'a Outside,
}

impl Rest<'_> {
    /// Brings a run to its end whose input is in the tables; one that was stopped is left as it is, to be gone on
    /// with, unless that is not to be.
    pub(super) fn complete(&self, mut finished: Finished) -> Finished {
        let is_to_be_restored = matches!(finished.end, End::Complete | End::RejectLimit);
        if is_to_be_restored && let Err(end) = self.restore() {
            finished.end = end;
        }
        let late = mem::replace(&mut finished.late, LateDocuments::None);
        let LateDocuments::Spilled(files) = late else { return finished };
        if !matches!(finished.end, End::Complete) {
            files.remove();
            return self.without_spill(finished);
        }
        match files.complete() {
            Ok(None) => self.without_spill(finished),
            Ok(Some(spill)) => self.merge_spill(finished, spill),
            Err(error) => {
                finished.end = End::Rejects(error);
                self.without_spill(finished)
            }
        }
    }

    /// Counts what was put off as not loaded; what an earlier attempt had settled of it stands.
    fn without_spill(&self, mut finished: Finished) -> Finished {
        finished.not_loaded += mem::take(&mut finished.spilled);
        let earlier = self.run.spill_counts();
        finished.load.add(earlier);
        finished.settled_earlier += earlier.settled();
        finished
    }

    fn restore(&self) -> Result<(), End> {
        let progress = PhaseProgress::start(self.request.console, "indexes");
        let tell = |words: String| progress.notice(&words);
        let show = |now: RestoreProgress| progress.show(now.share, &now.labels.join(", "));
        let sessions = self.settings.connections;
        let mut outside = self.outside.clone();
        let result = self.runtime.block_on(async {
            let work = async {
                let steps = self.restoring.pending(self.run.id, &tell).await?;
                bulk::restore(self.restoring, &steps, sessions, &tell, &show).await?;
                failpoint("all-restored");
                bulk::analyze(self.restoring, &tell).await
            };
            tokio::select! {
                done = work => done.map_err(End::Lane),
                end = outside.event() => {
                    self.restoring.end_sessions().await;
                    Err(end)
                }
            }
        });
        progress.finish();
        if matches!(&result, Err(End::Lane(error)) if !error.is_temporary())
            && let Ok(pending) = self.runtime.block_on(self.restoring.pending(self.run.id, &tell))
        {
            tell_pending(&pending, self.request.console);
        }
        result
    }

    fn merge_spill(&self, mut finished: Finished, spill: Spill) -> Finished {
        let path = spill.path.clone();
        let late_rejects = match finished.rejects.as_ref().map(|files| files.beside("late")).transpose() {
            Ok(files) => files,
            Err(error) => {
                finished.end = End::Rejects(error);
                return self.without_spill(finished);
            }
        };
        let chunk_bytes = self.request.settings.chunk_bytes;
        let mut reader = match ChunkReader::open(vec![Source::File(path)], chunk_bytes) {
            Ok(reader) => reader,
            Err(error) => {
                finished.end = End::Input(error);
                return self.without_spill(finished);
            }
        };
        let run = self.run.of_spill();
        reader.expect(run.watermarks());
        let bytes = reader.sources().iter().map(Source::stored_bytes).sum();
        let progress = Progress::start(self.request.console, "put off", bytes);
        let late =
            LateDocuments::Read { spill, read: finished.tally.read, rejected: finished.tally.rejected };
        let plan = self.plan(late, late_rejects, run.lanes.len());
        let lanes = Lanes { context: Arc::clone(&self.context), run, batch_bytes: self.settings.batch_bytes };
        let watching = RefCell::new(None);
        let on_start = |stopper| *watching.borrow_mut() = Some(self.outside.watch(self.runtime, stopper));
        let merged = pipeline::run(reader, plan, Some(lanes), self.runtime.handle(), &progress, on_start);
        if let Some(watching) = watching.take() {
            watching.abort();
        }
        progress.finish();
        self.put_together(finished, merged)
    }

    fn plan(&self, late: LateDocuments, rejects: Option<RejectFiles>, lanes: usize) -> Plan {
        let settings = &self.request.settings;
        let checker = Checker {
            schema: Arc::clone(&self.schema),
            source_names: self.source_names.to_vec(),
            lanes,
            form: RowForm::Staged,
            keep_rejects: rejects.is_some(),
        };
        Plan {
            checker,
            jobs: settings.jobs,
            chunk_bytes: settings.chunk_bytes,
            max_rejects: settings.max_rejects,
            rejects,
            late,
        }
    }

    /// One account of the input and of what had been put off of it.
    fn put_together(&self, mut finished: Finished, merged: Finished) -> Finished {
        finished.spilled = 0;
        finished.load.add(merged.load);
        finished.not_loaded += merged.not_loaded;
        finished.settled_earlier += merged.settled_earlier;
        finished.tally.reject_late(merged.tally);
        finished.end = merged.end;
        if let LateDocuments::Read { spill, .. } = merged.late {
            spill.remove();
        }
        finished.rejects = match self.merge_rejects(finished.rejects, merged.rejects) {
            Ok(files) => files,
            Err(error) => {
                if matches!(finished.end, End::Complete) {
                    finished.end = End::Rejects(error);
                }
                None
            }
        };
        finished
    }

    fn merge_rejects(
        &self,
        early: Option<RejectFiles>,
        late: Option<RejectFiles>,
    ) -> Result<Option<RejectFiles>, RejectsError> {
        match (early, late) {
            (Some(early), Some(late)) => merge_late_rejects(early, late, self.source_names).map(Some),
            // Writing one of them has failed, and the run with it.
            (early, _) => Ok(early),
        }
    }
}

/// Shows the statements that are still to be done.
pub(super) fn tell_pending(pending: &[PendingStep], console: Console) {
    if pending.is_empty() {
        return;
    }
    let statements: Vec<_> = pending.iter().map(|step| format!("\n  {};", step.sql)).collect();
    console.info(&format!("still to be brought back, in this order:{}", statements.concat()));
}
