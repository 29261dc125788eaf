//! Restores what a bulk load has dropped: several statements at a time, each as soon as those before it are done, each
//! in a transaction that marks it as done in the ledger.
//!
//! A crash leaves some of them done, and the ledger says which. Whether a statement whose COMMIT got no answer was done
//! is told by its row in the ledger, which the next attempt locks first.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time;
use tokio_postgres::Client;

use super::restore_fix::fix_of;
use crate::{
    failpoint,
    postgres::{ErrorClass, Target, quote_identifier},
    runs::{Confirmed, PendingStep, RunError, failed, pending_steps, plan},
    session::{Backend, Outage, Pulse, Retries, SessionPool, SessionSettings, Watch},
    tables::Table,
};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far the restoring is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RestoreProgress {
    /// Of the work, from 0 to 1.
    pub(crate) share: f64,
    /// What is being restored now.
    pub(crate) labels: Vec<String>,
}

/// What restoring needs.
#[derive(Debug)]
pub(crate) struct Restoring {
    sessions: SessionPool,
    session_name: String,
    db_schema: String,
    watch: Arc<Watch>,
    db_wait: Duration,
    /// What has to be there before anything is restored; not known where a run is to be abandoned.
    confirmed: Option<Confirmed>,
    outage: Outage,
}

/// Restores everything, at most so many statements at a time; ends with the first error, once what is under
/// way has ended.
pub(crate) async fn restore(
    restoring: &Restoring,
    steps: &[PendingStep],
    sessions: usize,
    report: &impl Fn(String),
    show: &impl Fn(RestoreProgress),
) -> Result<(), RunError> {
    let board = std::cell::RefCell::new(Board::new(steps));
    let work = async {
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none()
                && running.len() < sessions
                && let Some(index) = board.borrow_mut().take()
            {
                running.push(async move { (index, restoring.step(&steps[index], report).await) });
            }
            match running.next().await {
                None => return failure.map_or(Ok(()), Err),
                Some((index, Ok(()))) => board.borrow_mut().done(index),
                Some((index, Err(source))) => {
                    board.borrow_mut().put_back(index);
                    failure.get_or_insert(not_restored(&steps[index], source));
                }
            }
        }
    };
    let look = async {
        loop {
            time::sleep(LOOK_EVERY).await;
            let under_way = restoring.watch.bytes_of_index_builds(&restoring.session_name).await;
            show(board.borrow().progress(under_way));
        }
    };
    tokio::select! {
        done = work => done,
        () = look => unreachable!("it looks for ever"),
    }
}

/// Gathers statistics on the four tables, so that the first queries after the load are planned well, and marks their pages as
/// visible to everyone, so that those which an index can answer read nothing else. Says how long that took.
pub(crate) async fn vacuum(
    restoring: &Restoring,
    report: &impl Fn(String),
    show: &impl Fn(RestoreProgress),
) -> Result<Duration, RunError> {
    const VACUUM: &str = "VACUUM (ANALYZE)";
    show(RestoreProgress { share: 1.0, labels: vec![VACUUM.to_owned()] });
    let started = Instant::now();
    let tables = Table::ALL.map(|table| async move {
        let sql = &format!("{VACUUM} {}.{}", quote_identifier(&restoring.db_schema), table.name());
        let vacuum = async |client: &mut Client, pulse: &Pulse| {
            identify(client, pulse).await?;
            client.batch_execute(sql).await.map_err(failed(VACUUM))
        };
        restoring.patiently(report, vacuum).await
    });
    let mut running: FuturesUnordered<_> = tables.into_iter().collect();
    while let Some(done) = running.next().await {
        done?;
    }
    Ok(started.elapsed())
}

/// Restores everything over one connection, one statement after another.
pub(crate) async fn restore_alone(
    client: &mut Client,
    target: &Target,
    steps: &[PendingStep],
) -> Result<(), RunError> {
    for statement in (SessionSettings::Restore { sessions: 1 }).statements(target) {
        client.batch_execute(&statement).await.map_err(failed("setting up the session"))?;
    }
    for step in steps {
        let done = transact(client, step, None, &Pulse::default()).await;
        done.map_err(|source| not_restored(step, source))?;
    }
    Ok(())
}

fn not_restored(step: &PendingStep, source: RunError) -> RunError {
    let fix = source.sqlstate().and_then(|sqlstate| fix_of(step, sqlstate));
    RunError::Restore { label: step.label.clone(), fix, source: Box::new(source) }
}

impl Restoring {
    /// Over sessions for maintenance, all of one name; a server that is gone is waited for as long as `db_wait`
    /// says.
    pub(crate) fn new(
        sessions: SessionPool,
        session_name: String,
        db_schema: String,
        watch: Arc<Watch>,
        db_wait: Duration,
        confirmed: Option<Confirmed>,
    ) -> Self {
        Self { sessions, session_name, db_schema, watch, db_wait, confirmed, outage: Outage::default() }
    }

    /// What a run has dropped and not restored.
    pub(crate) async fn pending(
        &self,
        run_id: i64,
        report: &impl Fn(String),
    ) -> Result<Vec<PendingStep>, RunError> {
        let read = async |client: &mut Client, pulse: &Pulse| {
            identify(client, pulse).await?;
            pending_steps(client, &self.db_schema).await
        };
        let steps = self.patiently(report, read).await?;
        Ok(steps.into_iter().filter(|step| step.run_id == run_id).collect())
    }

    /// Refuses tables that lack something that the run has dropped, whatever the ledger says.
    pub(crate) async fn refuse_incomplete(
        &self,
        run_id: i64,
        report: &impl Fn(String),
    ) -> Result<(), RunError> {
        let look = async |client: &mut Client, pulse: &Pulse| {
            identify(client, pulse).await?;
            if let Some(confirmed) = &self.confirmed {
                confirmed.refuse_behind_at_end(client).await?;
            }
            plan::not_restored(client, run_id).await
        };
        match self.patiently(report, look).await? {
            missing if missing.is_empty() => Ok(()),
            missing => Err(RunError::NotRestored { missing }),
        }
    }

    /// Ends the sessions, whose work is done, for those of the next phase.
    pub(crate) fn end_phase(&self) {
        self.sessions.end_sessions();
    }

    /// Ends whatever the server is still doing; what is not done is rolled back.
    pub(crate) async fn end_sessions(&self) {
        self.watch.end_sessions(&self.session_name).await;
    }

    async fn step(&self, step: &PendingStep, report: &impl Fn(String)) -> Result<(), RunError> {
        let confirmed = self.confirmed.as_ref();
        let work = async |client: &mut Client, pulse: &Pulse| transact(client, step, confirmed, pulse).await;
        self.patiently(report, work).await
    }

    /// Tried until it is done or there is no point in another attempt.
    async fn patiently<T>(
        &self,
        report: &impl Fn(String),
        work: impl AsyncFn(&mut Client, &Pulse) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let mut retries = Retries::new(self.db_wait);
        loop {
            let error = match self.attempt(report, &work).await {
                Ok(done) => {
                    self.outage.ends().into_iter().for_each(report);
                    return Ok(done);
                }
                Err(error) => error,
            };
            let Some(delay) = retries.after(error.class()) else { return Err(error) };
            if error.class() != ErrorClass::Conflict {
                self.outage.begins(&error.message(), self.db_wait).into_iter().for_each(report);
            }
            time::sleep(delay).await;
        }
    }

    /// In a session of its own, which is looked after.
    async fn attempt<T>(
        &self,
        report: &impl Fn(String),
        work: impl AsyncFn(&mut Client, &Pulse) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let mut session = self.sessions.lease().await?;
        let pulse = Pulse::default();
        let result = self.watch.over(&pulse, report, work(session.client(), &pulse)).await;
        let result = result.map_err(RunError::from).flatten();
        if let Err(error) = &result {
            session.close();
            if error.class() == ErrorClass::Lost
                && let Some(backend) = pulse.backend()
            {
                self.watch.end_orphan(&backend).await;
            }
        }
        result
    }
}

/// Lets the watch see what the session does.
async fn identify(client: &Client, pulse: &Pulse) -> Result<(), RunError> {
    let row = client
        .query_one(include_str!("../../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    pulse.set_backend(Backend { pid: row.get("pid"), started: row.get("started") });
    Ok(())
}

async fn transact(
    client: &mut Client,
    step: &PendingStep,
    confirmed: Option<&Confirmed>,
    pulse: &Pulse,
) -> Result<(), RunError> {
    identify(client, pulse).await?;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    if let Some(confirmed) = confirmed {
        confirmed.refuse_behind(&transaction).await?;
    }
    let hold = "SELECT restored_at IS NOT NULL FROM profile_loader.run_ddl WHERE run_id = $1 AND step = $2 FOR UPDATE";
    let row = transaction
        .query_opt(hold, &[&step.run_id, &step.step])
        .await
        .map_err(failed("reading what is to be restored"))?;
    let missing = || RunError::Ledger(format!("step {} of run {} is gone", step.step, step.run_id));
    if row.ok_or_else(missing)?.get(0) {
        return transaction.rollback().await.map_err(failed("ROLLBACK"));
    }
    failpoint("restoring");
    transaction.batch_execute(&step.sql).await.map_err(failed("a statement that restores it"))?;
    pulse.beat();
    let mark =
        "UPDATE profile_loader.run_ddl SET restored_at = clock_timestamp() WHERE run_id = $1 AND step = $2";
    transaction
        .execute(mark, &[&step.run_id, &step.step])
        .await
        .map_err(failed("writing to the ledger what is restored"))?;
    failpoint("restore-before-commit");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    failpoint("restored");
    Ok(())
}

/// Which steps are done, under way, and next.
struct Board<'s> {
    steps: &'s [PendingStep],
    /// Numbers of steps that are not done.
    open: HashSet<i32>,
    /// Indices.
    waiting: Vec<usize>,
    running: Vec<usize>,
}

impl<'s> Board<'s> {
    fn new(steps: &'s [PendingStep]) -> Self {
        Self {
            steps,
            open: steps.iter().map(|step| step.step).collect(),
            waiting: (0..steps.len()).collect(),
            running: Vec::new(),
        }
    }

    /// The next step whose turn it is.
    fn take(&mut self) -> Option<usize> {
        let is_due = |&&index: &&usize| self.steps[index].after.iter().all(|step| !self.open.contains(step));
        let index = *self.waiting.iter().find(is_due)?;
        self.waiting.retain(|&other| other != index);
        self.running.push(index);
        Some(index)
    }

    fn done(&mut self, index: usize) {
        self.open.remove(&self.steps[index].step);
        self.running.retain(|&other| other != index);
    }

    fn put_back(&mut self, index: usize) {
        self.running.retain(|&other| other != index);
        self.waiting.push(index);
    }

    /// `under_way`: how many bytes of tables the index builds have behind them.
    #[expect(clippy::cast_precision_loss, reason = "a share is shown to a hundredth")]
    fn progress(&self, under_way: f64) -> RestoreProgress {
        let bytes = |step: &PendingStep| step.bytes.max(1) as f64;
        let all: f64 = self.steps.iter().map(bytes).sum();
        let done = self.steps.iter().filter(|step| !self.open.contains(&step.step));
        let done = done.map(bytes).sum::<f64>() + under_way;
        let labels = self.running.iter().map(|&index| self.steps[index].label.clone()).collect();
        RestoreProgress { share: (done / all).min(1.0), labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: i32, after: &[i32]) -> PendingStep {
        let (label, sql) = (format!("step {step}"), String::new());
        PendingStep {
            run_id: 1,
            step,
            label,
            sql,
            after: after.to_vec(),
            bytes: 100,
            missing_tables: Vec::new(),
            is_there: false,
        }
    }

    #[test]
    fn a_step_waits_for_those_before_it() {
        // Step 0 was done by an earlier attempt.
        let steps = [step(1, &[]), step(2, &[0, 1]), step(3, &[]), step(4, &[2, 3])];
        let mut board = Board::new(&steps);
        assert_eq!([board.take(), board.take(), board.take()], [Some(0), Some(2), None]);
        board.done(0);
        let progress = board.progress(50.0);
        assert!((progress.share - 0.375).abs() < 1e-9, "{progress:?}");
        assert_eq!(progress.labels, ["step 3"]);
        assert_eq!([board.take(), board.take()], [Some(1), None]);
        board.done(2);
        board.put_back(1);
        assert_eq!(board.take(), Some(1));
        board.done(1);
        assert_eq!([board.take(), board.take()], [Some(3), None]);
    }
}
