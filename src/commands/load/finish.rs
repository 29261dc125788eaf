//! The one end of an attempt: the ledger gets it, reject files that had to wait get their names, and the operator
//! hears how to go on.
//!
//! A crash before the ledger has the end leaves the run as running, which the same command resumes. A crash between the
//! ledger and the names of reject files that had to wait leaves these under their partial names.

use std::{fs, path::PathBuf, time::Duration};

use tokio::time;

use super::{context::AttemptContext, this_command::this_command};
use crate::{
    commands::{
        failure::{Failure, exit},
        signals,
    },
    failpoint,
    input::SourceDigest,
    load::Control,
    pipeline::End,
    report::{Outcome, RejectFiles, RunReport},
    runs::{Confirmed, Ending, RunError, RunSource},
};

/// How long the end of a run that a signal stopped may take to be written to the ledger, which resumes it anyway.
const FINISH_STOPPED: Duration = Duration::from_secs(1);

/// A longer report is not kept in the ledger.
const REPORT_BYTES_MAX: usize = 4 << 20;

/// That of a part is, for the report of the plan is made of it.
const PART_REPORT_BYTES_MAX: usize = 256 << 20;

pub(super) struct Finish<'a> {
    pub(super) context: AttemptContext<'a>,
    pub(super) control: Control,
}

/// How a run has ended.
pub(super) struct RunEnd {
    pub(super) report: RunReport,
    /// Whether the report has reached everyone it was meant for.
    pub(super) told: Result<(), Failure>,
    pub(super) digests: Vec<SourceDigest>,
    pub(super) sources: Option<Vec<RunSource>>,
    /// Reject files that get their names last.
    pub(super) held: Option<RejectFiles>,
    /// The records of rejected documents, where the ledger is to have them.
    pub(super) rejected: Option<PathBuf>,
    /// Blocks of documents that are left to the plan's own run.
    pub(super) deferred: Option<PathBuf>,
    /// The input can't be trusted, so there is nothing to resume.
    pub(super) is_damaged: bool,
    /// What a run that is complete has loaded.
    pub(super) confirmed: Option<Confirmed>,
}

impl Finish<'_> {
    /// Ends an attempt that comes to no report; returns the failure.
    pub(super) fn failed(mut self, failure: Failure) -> Result<RunReport, Failure> {
        let ending = Ending {
            outcome: Outcome::Failed,
            documents: [0; 3],
            failure: Some(failure.to_string()),
            sources: None,
            digests: Vec::new(),
            report: None,
            rejected: None,
            deferred: None,
            confirmed: None,
        };
        // The reason is shown; where this fails, the ledger has the run as running, which is resumed, too.
        let _ = self.write(&ending, FINISH_STOPPED);
        self.say_how_to_go_on(failure.exit_code);
        Err(failure)
    }

    /// Ends an attempt whose report was given out, or should have been.
    pub(super) fn concluded(mut self, end: RunEnd) -> Result<RunReport, Failure> {
        failpoint("finish");
        let RunEnd { report, told, digests, sources, held, rejected, deferred, is_damaged, confirmed } = end;
        let outcome = if told.is_ok() { report.outcome } else { Outcome::Failed };
        let documents = &report.documents;
        let failure = told.as_ref().err().map(ToString::to_string).or(report.failure.clone());
        let documents = [documents.read, documents.accepted, documents.rejected];
        let is_of_plan = self.context.run.of_plan.is_some();
        let bytes_max = if is_of_plan { PART_REPORT_BYTES_MAX } else { REPORT_BYTES_MAX };
        let kept = outcome.is_final().then(|| report.bounded_json(bytes_max)).flatten();
        let rejected = rejected.filter(|_| outcome.is_final());
        let ending = Ending {
            outcome,
            documents,
            failure,
            sources,
            digests,
            report: kept,
            rejected,
            deferred: deferred.clone(),
            confirmed,
        };
        let written = if outcome == Outcome::Interrupted {
            Ok(self.write(&ending, FINISH_STOPPED))
        } else {
            self.write_until_signal(&ending)
        };
        // The ledger has what it holds, or the next attempt writes it anew.
        let _ = deferred.map(fs::remove_file);
        if is_damaged && matches!(written, Ok(Ok(()))) && self.abandon() {
            return told.map(|()| report);
        }
        if !outcome.is_final() {
            self.say_how_to_go_on(told.as_ref().err().map_or(report.exit_code, |failure| failure.exit_code));
            return told.map(|()| report);
        }
        match written {
            Ok(Ok(())) => give_names(held).map(|()| report),
            Ok(Err(error)) => {
                self.say_how_to_go_on(exit::TEMPORARY);
                Err(self.unmarked(&error))
            }
            Err(signal) => {
                self.say_how_to_go_on(exit::TEMPORARY);
                let message = "stopped by a signal while the end of the run was written to the ledger";
                Err(Failure::new(signals::exit_code(signal), message))
            }
        }
    }

    /// Says what to do with a sound copy of the input; `false` where the run can't be abandoned, which is said as usual.
    fn abandon(&mut self) -> bool {
        let AttemptContext { runtime, run, request, .. } = self.context;
        let id = run.id;
        if runtime.block_on(self.control.abandon(id)).is_err() {
            return false;
        }
        request.console.info(&format!(
            "run {id} is abandoned, for its input can't be trusted; what it had loaded stays: load a sound copy with \
             --on-existing update, which corrects what differs"
        ));
        true
    }

    fn say_how_to_go_on(&mut self, exit_code: u8) {
        let AttemptContext { runtime, run, .. } = self.context;
        // Only a bulk load drops anything, and it may have restored all of it.
        let may_lack =
            run.plan.copies && runtime.block_on(self.control.has_pending(FINISH_STOPPED)).unwrap_or(true);
        say_how_to_go_on(self.context, exit_code, may_lack);
    }

    fn write(&mut self, ending: &Ending, db_wait: Duration) -> Result<(), RunError> {
        let AttemptContext { runtime, run, .. } = self.context;
        runtime.block_on(async {
            let finish = self.control.finish(run, ending, db_wait);
            if ending.outcome.is_final() {
                return finish.await;
            }
            time::timeout(FINISH_STOPPED, finish).await.unwrap_or(Ok(()))
        })
    }

    fn write_until_signal(
        &mut self,
        ending: &Ending,
    ) -> Result<Result<(), RunError>, crate::pipeline::Signal> {
        let AttemptContext { runtime, run, request, signals, .. } = self.context;
        let mut signals = signals.clone();
        runtime.block_on(async {
            tokio::select! {
                ended = self.control.finish(run, ending, request.settings.timeouts.db_wait) => Ok(ended),
                signal = signals.received() => Err(signal),
            }
        })
    }

    /// Refuses a server that lacks what was confirmed.
    pub(super) fn confirm(&mut self, confirmed: Confirmed) -> Result<(), End> {
        let AttemptContext { runtime, request, signals, .. } = self.context;
        let mut signals = signals.clone();
        runtime.block_on(async {
            tokio::select! {
                found = self.control.refuse_behind(confirmed, request.settings.timeouts.db_wait) => found.map_err(End::Lane),
                signal = signals.received() => Err(End::Signal(signal)),
            }
        })
    }

    fn unmarked(&self, error: &RunError) -> Failure {
        if let RunError::Behind { .. } = error {
            return Failure::new(exit::TEMPORARY, error.message());
        }
        Failure::new(
            exit::TEMPORARY,
            format!(
                "everything is loaded and reported, but run {} can't be marked as ended: {}; the same command marks it",
                self.context.run.id,
                error.message()
            ),
        )
    }
}

/// Of a run that has begun and not come to its end. `may_lack`: whether a bulk load may have left something to restore.
pub(super) fn say_how_to_go_on(context: AttemptContext<'_>, exit_code: u8, may_lack: bool) {
    let (id, console) = (context.run.id, context.request.console);
    let to_abandon = context.run.to_abandon();
    if may_lack {
        console.info("until it has ended, the tables may lack indexes and foreign keys");
    }
    if matches!(exit_code, exit::USAGE | exit::NEEDS_A_PERSON) {
        console.info(&format!(
            "run {id} is unfinished; once that is fixed, the same command resumes it, or abandon it: \
             profile-loader runs abandon {to_abandon}"
        ));
    } else {
        let command = this_command();
        console.info(&format!(
            "run {id} is unfinished; to go on with it, run the same command again:\n  {command}"
        ));
    }
}

fn give_names(held: Option<RejectFiles>) -> Result<(), Failure> {
    let Some(files) = held else { return Ok(()) };
    match files.complete() {
        Ok(_) => Ok(()),
        Err(error) => {
            let error: &(dyn std::error::Error + 'static) = &error;
            let reason = crate::commands::failure::chain(error);
            Err(Failure::new(
                exit::TEMPORARY,
                format!("the run is complete, but its reject files keep their partial names: {reason}"),
            ))
        }
    }
}
