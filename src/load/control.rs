//! The connection that a loader holds its target with: one loader for each set of tables at a time.
//!
//! The advisory lock goes with its session, so a killed loader holds nothing. When the connection is lost while
//! the load goes on, it is made and the lock taken again; a loader that finds another one there stops.
//! Whoever resumes a run puts earlier attempts out of it in the ledger, so not even a loader that was cut off
//! and does not know it can commit anything behind the back of the next.

use std::time::Duration;

use thiserror::Error;
use tokio::{sync::oneshot, task::JoinHandle, time};

use super::{
    begin::{self, BegunRun, NewRun},
    begin_of_plan::{NewOfPlan, begin_of_plan},
    bulk::{self, Obstacle},
    check,
    own_session::{end_sessions, identify, server_version, set_name},
};
use crate::{
    input::Watermark,
    runs::{
        Confirmed, Ending, InputIdentity, Pace, Run, RunError, RunKey, RunSource, SessionRole, UnfinishedRun,
        etags, failed, ledger, paces, pending_steps,
        target_lock::{self, Held as HeldBy, Holder, TargetLock},
        within,
    },
    session::{Backend, Client, Retries, SessionError, SessionPool},
    settings::{Timeouts, WhenHeld},
};

/// How long the connection may take to answer when it is looked after.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// The session of a lost connection, if it could not be ended, is gone when its keepalives fail.
const REGAIN_GRACE: Duration = Duration::from_secs(90);

/// Why a target can't be loaded into.
#[derive(Debug, Error)]
pub(crate) enum ControlError {
    #[error("another loader is at work on these tables: {0}; wait for it with --wait-lock")]
    Held(Holder),
    #[error(transparent)]
    Run(#[from] RunError),
}

#[derive(Debug)]
pub(crate) struct Control {
    pool: SessionPool,
    client: Option<Client>,
    backend: Backend,
    server_version: String,
    /// Sessions whose connections were lost since the target was last held for certain: they may still hold it.
    lost: Vec<Backend>,
    /// The name of the session, once there is a run.
    name: Option<String>,
    lock: TargetLock,
    timeouts: Timeouts,
}

/// A target that is held by a task, while the load goes on.
#[derive(Debug)]
pub(crate) struct Held {
    release: oneshot::Sender<()>,
    keeper: JoinHandle<Control>,
}

impl Control {
    /// Takes the target. Another attempt at the same part is waited for: what it comes to is this one's result, too.
    pub(crate) async fn hold_target(
        &mut self,
        when_held: WhenHeld,
        report: &impl Fn(String),
    ) -> Result<(), ControlError> {
        let answer = self.timeouts.answer;
        let (lock, client) = (self.lock.clone(), self.client());
        let grace = time::Instant::now() + target_lock::GRACE;
        let mut has_reported = false;
        while let Some(held) = within(answer, try_take(client, &lock)).await.flatten()? {
            if time::Instant::now() >= grace {
                let words = match held {
                    HeldBy::Target(holder) if when_held == WhenHeld::Refuse => {
                        return Err(ControlError::Held(holder));
                    }
                    HeldBy::Target(holder) => {
                        format!("waiting for another loader to end (--wait-lock): {holder}")
                    }
                    HeldBy::Part(holder) => {
                        format!("waiting for another attempt at the same part to end: {holder}")
                    }
                };
                if !std::mem::replace(&mut has_reported, true) {
                    report(words);
                }
            }
            time::sleep(target_lock::EVERY).await;
        }
        Ok(())
    }

    /// Takes nothing: for those who only look, or take the target later.
    pub(crate) async fn looking(
        pool: SessionPool,
        client: Client,
        lock: TargetLock,
        timeouts: Timeouts,
    ) -> Result<Self, RunError> {
        let backend = within(timeouts.answer, identify(&client)).await.flatten()?;
        let server_version = within(timeouts.answer, server_version(&client)).await.flatten()?;
        Ok(Self {
            pool,
            client: Some(client),
            backend,
            server_version,
            lost: Vec::new(),
            name: None,
            lock,
            timeouts,
        })
    }

    /// Another loader that is at work on the tables.
    pub(crate) async fn holder(&mut self) -> Result<Option<Holder>, RunError> {
        let (answer, db_schema) = (self.timeouts.answer, self.lock.db_schema.clone());
        let holder = target_lock::holder(self.client(), &db_schema);
        let holder = async { holder.await.map_err(failed("asking who is at work on the tables")) };
        within(answer, holder).await.flatten()
    }

    /// What the owner has set up on the tables that only writing would tell about.
    pub(crate) async fn unforeseen(&mut self, db_schema: &str) -> Result<Vec<String>, RunError> {
        within(self.timeouts.answer, check::unforeseen(self.client(), db_schema)).await.flatten()
    }

    /// How fast runs of this strategy were, the newest first.
    pub(crate) async fn paces(&mut self, strategy: &str) -> Result<Vec<Pace>, RunError> {
        let (answer, db_schema) = (self.timeouts.answer, self.lock.db_schema.clone());
        within(answer, paces(self.client(), &db_schema, strategy)).await.flatten()
    }

    /// `PostgreSQL 15.18`.
    pub(crate) fn server_version(&self) -> &str {
        &self.server_version
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("there is a connection but while it is regained")
    }

    /// The unfinished runs that may be of this input, the newest first.
    pub(crate) async fn unfinished(
        &mut self,
        key: &RunKey,
        input: &InputIdentity,
    ) -> Result<Vec<UnfinishedRun>, RunError> {
        within(self.timeouts.answer, ledger::unfinished(self.client(), key, input)).await.flatten()
    }

    /// The watermarks of an unfinished run.
    pub(crate) async fn watermarks(&mut self, id: i64) -> Result<Vec<Watermark>, RunError> {
        within(self.timeouts.answer, ledger::watermarks(self.client(), id)).await.flatten()
    }

    /// The inputs that have another ETag than when an unfinished run read them last.
    pub(crate) async fn changed_etags<'s>(
        &mut self,
        id: i64,
        sources: &'s [RunSource],
    ) -> Result<Vec<&'s str>, RunError> {
        within(self.timeouts.answer, etags::changed(self.client(), id, sources)).await.flatten()
    }

    /// Ends an unfinished run that is not to be resumed.
    pub(crate) async fn abandon(&mut self, id: i64) -> Result<(), RunError> {
        within(self.timeouts.answer, ledger::abandon(self.client(), id)).await.flatten()
    }

    /// What stands in the way of a bulk load, as far as it shows without locking anything.
    pub(crate) async fn obstacle(&mut self, db_schema: &str) -> Result<Option<Obstacle>, RunError> {
        within(self.timeouts.answer, begin::obstacle(self.client(), db_schema)).await.flatten()
    }

    /// Tables that are empty, though this run has committed rows to them.
    pub(crate) async fn emptied(
        &mut self,
        db_schema: &str,
        run_id: i64,
    ) -> Result<Vec<&'static str>, RunError> {
        within(self.timeouts.answer, begin::emptied(self.client(), db_schema, run_id)).await.flatten()
    }

    /// Who holds locks on the tables, if anybody does.
    pub(crate) async fn lock_holders(&mut self, db_schema: &str) -> Result<Option<String>, RunError> {
        within(self.timeouts.answer, bulk::lock_holders(self.client(), db_schema)).await.flatten()
    }

    /// Whether anything is still to be restored of what bulk loads have dropped; nothing where that can't be said soon.
    pub(crate) async fn has_pending(&mut self, soon: Duration) -> Option<bool> {
        let client = self.client.as_ref().filter(|client| !client.is_closed())?;
        let pending = within(soon, pending_steps(client, &self.lock.db_schema)).await.flatten();
        pending.ok().map(|steps| !steps.is_empty())
    }

    /// A new run; nothing is begun where something stands in the way of a bulk load.
    pub(crate) async fn begin(&mut self, new: NewRun<'_>) -> Result<Result<BegunRun, Obstacle>, RunError> {
        let answer = self.timeouts.answer;
        let begun = within(answer, begin::begin(self.client(), new)).await.flatten()?;
        if let Ok(begun) = &begun {
            self.take_name(&begun.run).await?;
        }
        Ok(begun)
    }

    /// A run that loads a part of a plan, or the plan's own.
    pub(crate) async fn begin_of_plan(
        &mut self,
        new: NewOfPlan<'_>,
    ) -> Result<Result<BegunRun, Obstacle>, RunError> {
        let answer = self.timeouts.answer;
        let begun = within(answer, begin_of_plan(self.client(), new)).await.flatten()?;
        if let Ok(begun) = &begun {
            self.take_name(&begun.run).await?;
        }
        Ok(begun)
    }

    pub(crate) async fn resume(&mut self, id: i64, key: &RunKey) -> Result<Run, RunError> {
        let answer = self.timeouts.answer;
        let resume = ledger::resume(self.client(), id, key);
        let run = within(answer, resume).await.flatten()?;
        self.take_name(&run).await?;
        Ok(run)
    }

    async fn take_name(&mut self, run: &Run) -> Result<(), RunError> {
        let name = run.application_name(SessionRole::Control);
        within(self.timeouts.answer, set_name(self.client(), &name)).await.flatten()?;
        self.name = Some(name);
        Ok(())
    }

    /// Keeps the target while the load goes on; `lost` hears when it is another's.
    pub(crate) fn hold(self, lost: impl Fn(RunError) + Send + Sync + 'static) -> Held {
        let (release, released) = oneshot::channel();
        Held { release, keeper: tokio::spawn(keep(self, released, lost)) }
    }

    /// Refuses a server that lacks what was confirmed, waiting for one that is gone as long as `db_wait` says.
    pub(crate) async fn refuse_behind(
        &mut self,
        confirmed: Confirmed,
        db_wait: Duration,
    ) -> Result<(), RunError> {
        let look = async |client: &mut Client, answer| {
            within(answer, confirmed.refuse_behind_at_end(&***client)).await.flatten()
        };
        self.patiently(db_wait, look).await
    }

    /// Writes the end of the run, waiting for a server that is gone as long as `db_wait` says.
    pub(crate) async fn finish(
        &mut self,
        run: &Run,
        ending: &Ending,
        db_wait: Duration,
    ) -> Result<(), RunError> {
        self.patiently(db_wait, async |client, answer| ledger::finish(client, run, ending, answer).await)
            .await
    }

    /// Over another connection where this one is lost; the work hears how long an answer may take.
    async fn patiently(
        &mut self,
        db_wait: Duration,
        work: impl AsyncFn(&mut Client, Duration) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let mut retries = Retries::new(db_wait);
        loop {
            let Err(error) = self.attempt(&work).await else { return Ok(()) };
            let delay = retries.after(error.class());
            self.drop_client();
            time::sleep(delay.ok_or(error)?).await;
        }
    }

    async fn attempt(
        &mut self,
        work: &impl AsyncFn(&mut Client, Duration) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        if self.client.as_ref().is_none_or(|client| client.is_closed()) {
            self.regain_once().await?;
        }
        let answer = self.timeouts.answer;
        work(self.client(), answer).await
    }

    fn drop_client(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }

    /// Connects again and takes the lock again.
    async fn regain(&mut self) -> Result<(), RunError> {
        let mut retries = Retries::new(self.timeouts.db_wait);
        loop {
            match self.regain_once().await {
                Ok(()) => return Ok(()),
                Err(error) => match retries.after(error.class()) {
                    Some(delay) => time::sleep(delay).await,
                    None => return Err(error),
                },
            }
        }
    }

    async fn regain_once(&mut self) -> Result<(), RunError> {
        self.drop_client();
        let answer = self.timeouts.answer;
        let client = self.pool.connect().await?;
        let backend = within(answer, identify(&client)).await.flatten()?;
        self.lost.push(std::mem::replace(&mut self.backend, backend));
        within(answer, end_sessions(&client, &self.lost)).await.flatten()?;
        let until = time::Instant::now() + REGAIN_GRACE;
        while let Some(held) = within(answer, try_take(&client, &self.lock)).await.flatten()? {
            let holder = held.holder();
            // One of ours may still be ending. Who it was that has just let go is not known.
            let is_other = holder.pid.is_some_and(|pid| self.lost.iter().all(|lost| lost.pid != pid));
            if is_other {
                return Err(RunError::LockLost { holder: holder.to_string() });
            }
            if time::Instant::now() >= until {
                return Err(SessionError::Stalled { seconds: REGAIN_GRACE.as_secs() }.into());
            }
            time::sleep(target_lock::EVERY).await;
        }
        if let Some(name) = &self.name {
            within(answer, set_name(&client, name)).await.flatten()?;
        }
        self.lost.clear();
        self.client = Some(client);
        Ok(())
    }
}

impl Held {
    /// Ends the keeping; the target stays taken.
    pub(crate) async fn release(self) -> Control {
        // The keeper ends only when it is told to.
        let _ = self.release.send(());
        self.keeper.await.expect("the keeper does not panic")
    }
}

async fn keep(
    mut control: Control,
    mut released: oneshot::Receiver<()>,
    lost: impl Fn(RunError) + Send + Sync,
) -> Control {
    loop {
        tokio::select! {
            _ = &mut released => return control,
            () = time::sleep(control.timeouts.watch_every) => {}
        }
        let beat = async {
            match &control.client {
                Some(client) => client.batch_execute("").await.is_ok(),
                None => false,
            }
        };
        let beats = tokio::select! {
            _ = &mut released => return control,
            beats = time::timeout(HEARTBEAT_TIMEOUT, beat) => beats.unwrap_or(false),
        };
        if beats {
            continue;
        }
        tokio::select! {
            _ = &mut released => return control,
            regained = control.regain() => if let Err(error) = regained {
                lost(error);
                // Whoever holds this hears of the loss and lets go.
                let _ = (&mut released).await;
                return control;
            }
        }
    }
}

/// Who holds the lock, if it is not ours now.
async fn try_take(client: &Client, lock: &TargetLock) -> Result<Option<HeldBy>, RunError> {
    let taken = lock.try_take(client).await.map_err(failed("taking the target's lock"))?;
    Ok(taken.err())
}
