//! What a load does once its input is in the tables: what a bulk load has dropped is restored, and then the deferred
//! documents are merged.
//!
//! A crash leaves what the ledger has as pending; the same command reads the input again, loads nothing of it twice,
//! and comes here again.

use std::{cell::RefCell, fs, mem, path::PathBuf, sync::Arc, time::Instant};

use super::context::{AttemptContext, Phase};
use crate::{
    commands::{database::exit_code_of, failure::exit, interrupts::Interrupts, pending::show_pending},
    failpoint,
    input::{ChunkReader, InputError, Source},
    load::bulk::{self, RestoreProgress, Restoring},
    pipeline::{self, Checker, Deferral, End, Finished, PipelineSettings, Rules, RunFiles},
    plan::BlockWriter,
    progress::{PhaseProgress, Progress},
    report::{RejectFiles, RejectsError, Spill, Tally, deferred_error, merge_deferred_rejects},
    rows::RowForm,
    runs::{Confirmed, SessionRole},
    session::{SessionPool, SessionSettings, Watch},
    settings::{FramingRequest, KindLimit},
};

pub(super) struct Finisher<'a> {
    pub(super) context: AttemptContext<'a>,
    pub(super) rules: Rules,
    pub(super) source_names: &'a [String],
    pub(super) watch: &'a Arc<Watch>,
    pub(super) interrupts: &'a Interrupts,
}

impl Finisher<'_> {
    /// Completes a run whose input is in the tables; one that was stopped is left as it is, to be resumed, unless it
    /// is not to be.
    pub(super) fn complete(&self, mut finished: Finished) -> Finished {
        let is_to_be_restored = matches!(
            finished.end,
            // Such a run is abandoned.
            End::Complete | End::RejectLimit | End::Input(InputError::Damaged { .. })
        );
        if self.context.run.ends_bulk()
            && is_to_be_restored
            && let Err(end) = self.restore(self.confirmed(&finished))
        {
            finished.end = end;
        }
        let files = match mem::replace(&mut finished.deferral, Deferral::None) {
            Deferral::Writing(files) => files,
            Deferral::Leaving { blocks, path } => return self.leave_deferred(finished, blocks, path),
            _ => return finished,
        };
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

    /// Leaves the deferred documents to the plan's own run, which merges those of all parts once the indexes stand.
    fn leave_deferred(&self, mut finished: Finished, blocks: BlockWriter, path: PathBuf) -> Finished {
        if matches!(finished.end, End::Complete) {
            match blocks.finish() {
                Ok(()) => finished.deferral = Deferral::Left(path),
                Err(error) => finished.end = End::Rejects(deferred_error(&path)(error)),
            }
        } else {
            // The next attempt writes it anew.
            let _ = fs::remove_file(path);
        }
        self.without_spill(finished)
    }

    /// Counts the deferred documents as not loaded; what an earlier attempt had committed of them stands.
    fn without_spill(&self, mut finished: Finished) -> Finished {
        finished.not_loaded += mem::take(&mut finished.deferred);
        let earlier = self.context.run.spill_counts();
        finished.load.add(earlier);
        finished.settled_earlier += earlier.loaded();
        finished
    }

    /// What lanes have loaded of the input; of a run that is to be abandoned, some of it may not be known.
    fn confirmed(&self, finished: &Finished) -> Option<Confirmed> {
        let run = self.context.run;
        matches!(finished.end, End::Complete).then(|| run.confirmed_input(finished.load))
    }

    fn restoring(&self, confirmed: Option<Confirmed>) -> Restoring {
        let AttemptContext { request, target, run, .. } = self.context;
        let settings = request.settings;
        let session_name = run.application_name(SessionRole::Restore);
        let kind = SessionSettings::Restore { sessions: settings.connections };
        let target = target.named(&session_name);
        let sessions = SessionPool::new(&target, kind, settings.connections);
        let (db_schema, watch) = (settings.db_schema.clone(), Arc::clone(self.watch));
        Restoring::new(sessions, session_name, db_schema, watch, settings.timeouts.db_wait, confirmed)
    }

    pub(super) fn restore(&self, confirmed: Option<Confirmed>) -> Result<(), End> {
        let AttemptContext { request, runtime, run, .. } = self.context;
        let restoring = self.restoring(confirmed);
        let progress = PhaseProgress::start(request.console, "indexes");
        let report = |message: String| progress.notice(&message);
        let show = |now: RestoreProgress| progress.show(now.share, &now.labels.join(", "));
        let sessions = request.settings.connections;
        let mut interrupts = self.interrupts.clone();
        let result = runtime.block_on(async {
            let work = async {
                let started = Instant::now();
                let steps = restoring.pending(run.id, &report).await?;
                bulk::restore(&restoring, &steps, sessions, &report, &show).await?;
                failpoint("all-restored");
                restoring.refuse_incomplete(run.id, &report).await?;
                let restored = started.elapsed();
                let vacuumed = bulk::vacuum(&restoring, &report, &show).await?;
                Ok([restored, vacuumed])
            };
            tokio::select! {
                done = work => done.map_err(End::Lane),
                end = interrupts.next() => {
                    restoring.end_sessions().await;
                    Err(end)
                }
            }
        });
        progress.finish();
        if matches!(&result, Err(End::Lane(error)) if exit_code_of(error.class()) == exit::NEEDS_A_PERSON)
            && let Ok(pending) = runtime.block_on(restoring.pending(run.id, &report))
        {
            show_pending(&pending, request.console);
        }
        restoring.end_phase();
        result.map(|[restored, vacuumed]| {
            request.console.info(&format!(
                "indexes and foreign keys were restored in {:.1} s; VACUUM (ANALYZE) of the tables took {:.1} s",
                restored.as_secs_f64(),
                vacuumed.as_secs_f64()
            ));
        })
    }

    fn merge_spill(&self, mut finished: Finished, spill: Spill) -> Finished {
        let path = spill.path.clone();
        let deferred_rejects =
            match finished.rejects.as_ref().map(|files| files.beside("deferred")).transpose() {
                Ok(files) => files,
                Err(error) => {
                    finished.end = End::Rejects(error);
                    return self.without_spill(finished);
                }
            };
        let chunk_bytes = self.context.request.documents.chunk_bytes;
        let framing = FramingRequest::Only(spill.framing);
        let mut reader = match ChunkReader::open(vec![Source::File(path)], framing, chunk_bytes) {
            Ok(reader) => reader,
            Err(error) => {
                finished.end = End::Input(error);
                return self.without_spill(finished);
            }
        };
        let run = self.context.run.of_spill();
        reader.require_watermarks(run.watermarks());
        let bytes = reader.sources().iter().map(Source::stored_bytes).sum();
        let progress = Progress::start(self.context.request.console, "deferred", bytes);
        let Tally { read, rejected, faults, .. } = &finished.tally;
        let kinds = &self.context.request.documents.max_rejects.of_kinds;
        let of_kind = |kind: &KindLimit| faults.documents_of(&kind.code, kind.pointer.as_deref());
        let of_kinds = kinds.iter().map(of_kind).collect();
        let deferral = Deferral::Reading { spill, read: *read, rejected: *rejected, of_kinds };
        let settings = self.pipeline_settings(deferral, deferred_rejects, run.lanes.len());
        let phase = Phase::Deferred(self.context.run.confirmed_input(finished.load));
        let context = self.context.lane_context(phase, self.watch);
        let lanes = self.context.lanes(phase, Arc::clone(&context), run);
        let watching = RefCell::new(None);
        let on_start =
            |stopper| *watching.borrow_mut() = Some(self.interrupts.watch(self.context.runtime, stopper));
        let merged =
            pipeline::run(reader, settings, Some(lanes), self.context.runtime.handle(), &progress, on_start);
        if let Some(watching) = watching.take() {
            watching.abort();
        }
        progress.finish();
        context.end_sessions();
        self.combine(finished, merged)
    }

    fn pipeline_settings(
        &self,
        deferral: Deferral,
        rejects: Option<RejectFiles>,
        lanes: usize,
    ) -> PipelineSettings {
        let settings = &self.context.request.documents;
        let source_names = self.source_names.to_vec();
        let checker =
            Checker::new(self.rules.clone(), source_names, lanes, RowForm::Staged, rejects.is_some(), false);
        PipelineSettings {
            checker,
            jobs: settings.jobs,
            chunk_bytes: settings.chunk_bytes,
            max_rejects: settings.max_rejects.clone(),
            files: RunFiles { rejects, deferral, blocks: None },
        }
    }

    /// One account of the input and of the documents of it that were deferred.
    fn combine(&self, mut finished: Finished, merged: Finished) -> Finished {
        // What was not read again before the merge stopped; some of it an earlier attempt may have merged.
        let unread = mem::take(&mut finished.deferred).saturating_sub(merged.tally.read);
        let merged_earlier = unread.min(merged.settled_earlier);
        finished.load.add(merged.load);
        finished.not_loaded += merged.not_loaded + unread - merged_earlier;
        finished.unknown += merged.unknown;
        finished.retries += merged.retries;
        finished.settled_earlier += merged.settled_earlier - merged_earlier;
        finished.tally.reject_deferred(merged.tally);
        finished.end = merged.end;
        if let Deferral::Reading { spill, .. } = merged.deferral {
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
        deferred: Option<RejectFiles>,
    ) -> Result<Option<RejectFiles>, RejectsError> {
        match (early, deferred) {
            (Some(early), Some(deferred)) => {
                merge_deferred_rejects(early, deferred, self.source_names).map(Some)
            }
            // Writing one of them has failed, and the run with it.
            (early, _) => Ok(early),
        }
    }
}
