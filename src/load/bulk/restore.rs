//! Brings back what a bulk load has taken off: several statements at a time, each as soon as those before it are
//! done, each in a transaction that marks it as done in the ledger.
//!
//! A crash leaves some of them done, and the ledger says which. A statement whose COMMIT got no answer is settled
//! by its row in the ledger, which the next attempt locks first.

use std::{collections::HashSet, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time;
use tokio_postgres::Client;

use crate::{
    failpoint,
    load::{
        Connections, LoadError, Retries, Watch,
        connections::RESTORE_SESSION,
        failed,
        outage::Outage,
        retry::Class,
        watch::{Backend, Pulse},
    },
    postgres::quote_identifier,
    rows::Table,
};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A statement that is still to bring something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingStep {
    pub run_id: i64,
    pub(super) step: i32,
    /// For people: what it brings back.
    pub label: String,
    pub sql: String,
    after: Vec<i32>,
    /// Size of its table.
    bytes: i64,
}

/// How far the restoring is.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreProgress {
    /// Of the work, from 0 to 1.
    pub share: f64,
    /// What is being brought back now.
    pub labels: Vec<String>,
}

/// What bringing back needs.
#[derive(Debug)]
pub struct Restoring {
    connections: Connections,
    session_name: String,
    db_schema: String,
    watch: Watch,
    patience: Duration,
    outage: Outage,
}

/// What the unfinished bulk loads into a schema have taken off and not brought back, in their order.
pub async fn pending(client: &Client, db_schema: &str) -> Result<Vec<PendingStep>, LoadError> {
    let rows = client
        .query(include_str!("../../../sql/bulk/pending.sql"), &[&db_schema])
        .await
        .map_err(failed("reading what is still to be brought back"))?;
    let step = |row: &tokio_postgres::Row| PendingStep {
        run_id: row.get("run_id"),
        step: row.get("step"),
        label: row.get("label"),
        sql: row.get("sql"),
        after: row.get("after"),
        bytes: row.get("bytes"),
    };
    Ok(rows.iter().map(step).collect())
}

/// Brings everything back, at most so many statements at a time; ends with the first error, once what is under
/// way has ended.
pub async fn restore(
    restoring: &Restoring,
    steps: &[PendingStep],
    sessions: usize,
    tell: &impl Fn(String),
    show: &impl Fn(RestoreProgress),
) -> Result<(), LoadError> {
    let board = std::cell::RefCell::new(Board::new(steps));
    let work = async {
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none()
                && running.len() < sessions
                && let Some(index) = board.borrow_mut().take()
            {
                running.push(async move { (index, restoring.step(&steps[index], tell).await) });
            }
            match running.next().await {
                None => return failure.map_or(Ok(()), Err),
                Some((index, Ok(()))) => board.borrow_mut().done(index),
                Some((index, Err(source))) => {
                    board.borrow_mut().give_back(index);
                    let (label, source) = (steps[index].label.clone(), Box::new(source));
                    failure.get_or_insert(LoadError::Restore { label, source });
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

/// Gathers statistics on the four tables, so that the first queries after the load are planned well.
pub async fn analyze(restoring: &Restoring, tell: &impl Fn(String)) -> Result<(), LoadError> {
    let tables = Table::ALL.map(|table| async move {
        let sql = &format!("ANALYZE {}.{}", quote_identifier(&restoring.db_schema), table.name());
        let analyze = async |client: &mut Client, pulse: &Pulse| {
            identify(client, pulse).await?;
            client.batch_execute(sql).await.map_err(failed("ANALYZE"))
        };
        restoring.patiently(tell, analyze).await
    });
    let mut running: FuturesUnordered<_> = tables.into_iter().collect();
    while let Some(done) = running.next().await {
        done?;
    }
    Ok(())
}

/// Brings everything back over one connection, one statement after another.
pub async fn restore_alone(client: &mut Client, steps: &[PendingStep]) -> Result<(), LoadError> {
    client.batch_execute(RESTORE_SESSION).await.map_err(failed("setting up the session"))?;
    for step in steps {
        let done = transact(client, step, &Pulse::default()).await;
        done.map_err(|source| LoadError::Restore { label: step.label.clone(), source: Box::new(source) })?;
    }
    Ok(())
}

impl Restoring {
    /// Over sessions for maintenance, all of one name; a server that is gone is waited for as long as `patience`
    /// allows.
    pub fn new(
        connections: Connections,
        session_name: String,
        db_schema: String,
        watch: Watch,
        patience: Duration,
    ) -> Self {
        Self { connections, session_name, db_schema, watch, patience, outage: Outage::default() }
    }

    /// What a run has taken off and not brought back.
    pub async fn pending(&self, run_id: i64, tell: &impl Fn(String)) -> Result<Vec<PendingStep>, LoadError> {
        let read = async |client: &mut Client, pulse: &Pulse| {
            identify(client, pulse).await?;
            pending(client, &self.db_schema).await
        };
        let steps = self.patiently(tell, read).await?;
        Ok(steps.into_iter().filter(|step| step.run_id == run_id).collect())
    }

    /// Ends whatever the server is still doing; what is not done is rolled back.
    pub async fn end_sessions(&self) {
        self.watch.end_sessions(&self.session_name).await;
    }

    async fn step(&self, step: &PendingStep, tell: &impl Fn(String)) -> Result<(), LoadError> {
        let work = async |client: &mut Client, pulse: &Pulse| transact(client, step, pulse).await;
        self.patiently(tell, work).await
    }

    /// Tried until it is done or hope is lost.
    async fn patiently<T>(
        &self,
        tell: &impl Fn(String),
        work: impl AsyncFn(&mut Client, &Pulse) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut retries = Retries::new(self.patience);
        loop {
            let error = match self.attempt(tell, &work).await {
                Ok(done) => {
                    self.outage.ends().into_iter().for_each(tell);
                    return Ok(done);
                }
                Err(error) => error,
            };
            let Some(delay) = retries.after(&error) else { return Err(error) };
            if error.class() != Class::Conflict {
                self.outage.begins(&error, self.patience).into_iter().for_each(tell);
            }
            time::sleep(delay).await;
        }
    }

    /// In a session of its own, which is looked after.
    async fn attempt<T>(
        &self,
        tell: &impl Fn(String),
        work: impl AsyncFn(&mut Client, &Pulse) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut session = self.connections.get().await?;
        let pulse = Pulse::default();
        let result = self.watch.over(&pulse, tell, work(session.client(), &pulse)).await.flatten();
        if let Err(error) = &result {
            session.close();
            if error.class() == Class::Lost
                && let Some(backend) = pulse.backend()
            {
                self.watch.end_orphan(&backend).await;
            }
        }
        result
    }
}

/// Lets it be looked at what the session does.
async fn identify(client: &Client, pulse: &Pulse) -> Result<(), LoadError> {
    let row = client
        .query_one(include_str!("../../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    pulse.set_backend(Backend { pid: row.get("pid"), started: row.get("started") });
    Ok(())
}

async fn transact(client: &mut Client, step: &PendingStep, pulse: &Pulse) -> Result<(), LoadError> {
    identify(client, pulse).await?;
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let hold = "SELECT restored_at IS NOT NULL FROM profile_loader.run_ddl WHERE run_id = $1 AND step = $2 FOR UPDATE";
    let row = transaction
        .query_opt(hold, &[&step.run_id, &step.step])
        .await
        .map_err(failed("reading what is to be brought back"))?;
    let missing = || LoadError::Ledger(format!("step {} of run {} is gone", step.step, step.run_id));
    if row.ok_or_else(missing)?.get(0) {
        return transaction.rollback().await.map_err(failed("ROLLBACK"));
    }
    failpoint("restoring");
    transaction.batch_execute(&step.sql).await.map_err(failed("a statement that brings it back"))?;
    pulse.beat();
    let mark =
        "UPDATE profile_loader.run_ddl SET restored_at = clock_timestamp() WHERE run_id = $1 AND step = $2";
    transaction
        .execute(mark, &[&step.run_id, &step.step])
        .await
        .map_err(failed("writing down what is brought back"))?;
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

    fn give_back(&mut self, index: usize) {
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
        PendingStep { run_id: 1, step, label, sql, after: after.to_vec(), bytes: 100 }
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
        board.give_back(1);
        assert_eq!(board.take(), Some(1));
        board.done(1);
        assert_eq!([board.take(), board.take()], [Some(3), None]);
    }
}
