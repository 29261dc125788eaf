//! The connection that a loader holds its target with: one loader for each set of tables at a time.
//!
//! The advisory lock goes with its session, so a killed loader holds nothing. When the connection is lost while
//! the load goes on, it is made and the lock taken again; a loader that finds another one there stops.
//! Whoever resumes a run puts earlier attempts out of it in the ledger, so not even a loader that was cut off
//! and does not know it can commit anything behind the back of the next.

use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use thiserror::Error;
use tokio::{sync::oneshot, task::JoinHandle, time};

use super::{
    Begun, InputIdentity, LoadError, Retries, Run, RunKey, Unfinished,
    bulk::{self, Obstacle, PendingStep},
    failed, ledger,
    outage::waiting,
    retry,
    run::Ending,
    target_lock::{self, Holder},
    watch::Backend,
    within,
};
use crate::{
    input::Watermark,
    settings::{Strategy, WhenHeld},
};

/// How often the connection is looked after, and how long it may take to answer.
const HEARTBEAT: Duration = Duration::from_secs(5);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// The session of a loader that was just killed is gone within this time.
const LOCK_GRACE: Duration = Duration::from_secs(1);
const LOCK_EVERY: Duration = Duration::from_millis(200);

/// A lost connection's session, if it could not be ended, is gone when its keepalives fail.
const REGAIN_GRACE: Duration = Duration::from_secs(90);

const SESSION: &str = "
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET lock_timeout = '60s';
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3";

/// Why a target can't be loaded into.
#[derive(Debug, Error)]
pub enum ControlError {
    #[error("another loader is at work on these tables: {0}; wait for it with --wait-lock")]
    Held(Holder),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until a server that is gone is given up.
    pub patience: Duration,
    /// For one attempt to connect.
    pub connect: Duration,
    /// For an answer that takes no time while the server is well.
    pub answer: Duration,
}

#[derive(Debug)]
pub struct Control {
    pool: Pool,
    client: Option<Object>,
    backend: Backend,
    /// The name of the session, once there is a run.
    name: Option<String>,
    db_schema: String,
    limits: Limits,
}

/// A target that is held by a task, while the load goes on.
#[derive(Debug)]
pub struct Held {
    release: oneshot::Sender<()>,
    keeper: JoinHandle<Control>,
}

/// A first connection, waiting for a server that is down for as long as `patience` allows.
pub async fn connect(pool: &Pool, limits: Limits, tell: &impl Fn(String)) -> Result<Object, LoadError> {
    let mut retries = Retries::new(limits.patience);
    let mut has_told = false;
    loop {
        let error = match connect_once(pool, limits).await {
            Ok(client) => return Ok(client),
            Err(LoadError::Connecting { source }) if retry::names_no_server(&source) => {
                return Err(LoadError::Connecting { source });
            }
            Err(error) => error,
        };
        let Some(delay) = retries.after(&error) else { return Err(error) };
        if !std::mem::replace(&mut has_told, true) {
            tell(waiting(&error, limits.patience));
        }
        time::sleep(delay).await;
    }
}

async fn connect_once(pool: &Pool, limits: Limits) -> Result<Object, LoadError> {
    match within(limits.connect, pool.get()).await? {
        Ok(client) => Ok(client),
        Err(PoolError::Backend(source)) => Err(LoadError::Connecting { source }),
        Err(error) => unreachable!("the pool has no timeouts and no hooks: {error}"),
    }
}

impl Control {
    /// Takes the target with a connection of this pool.
    pub async fn take(
        pool: Pool,
        client: Object,
        db_schema: &str,
        when_held: WhenHeld,
        limits: Limits,
        tell: &impl Fn(String),
    ) -> Result<Self, ControlError> {
        let backend = within(limits.answer, set_up(&client)).await.flatten()?;
        let grace = time::Instant::now() + LOCK_GRACE;
        let mut has_told = false;
        while let Some(holder) = within(limits.answer, try_take(&client, db_schema)).await.flatten()? {
            if time::Instant::now() >= grace {
                match when_held {
                    WhenHeld::Refuse => return Err(ControlError::Held(holder)),
                    WhenHeld::Wait if !std::mem::replace(&mut has_told, true) => {
                        tell(format!("waiting for another loader to end (--wait-lock): {holder}"));
                    }
                    WhenHeld::Wait => {}
                }
            }
            time::sleep(LOCK_EVERY).await;
        }
        Ok(Self { pool, client: Some(client), backend, name: None, db_schema: db_schema.to_owned(), limits })
    }

    pub fn client(&mut self) -> &mut Object {
        self.client.as_mut().expect("there is a connection but while it is regained")
    }

    /// The unfinished runs that may be of this input, the newest first.
    pub async fn unfinished(
        &mut self,
        key: &RunKey,
        input: &InputIdentity,
    ) -> Result<Vec<Unfinished>, LoadError> {
        within(self.limits.answer, ledger::unfinished(self.client(), key, input)).await.flatten()
    }

    /// The watermarks of an unfinished run.
    pub async fn watermarks(&mut self, id: i64) -> Result<Vec<Watermark>, LoadError> {
        within(self.limits.answer, ledger::watermarks(self.client(), id)).await.flatten()
    }

    /// Ends an unfinished run that nobody is to go on with.
    pub async fn give_up(&mut self, id: i64) -> Result<(), LoadError> {
        within(self.limits.answer, ledger::give_up(self.client(), id)).await.flatten()
    }

    /// What stands in the way of a bulk load, as far as it shows without locking anything.
    pub async fn obstacle(&mut self, db_schema: &str) -> Result<Option<Obstacle>, LoadError> {
        within(self.limits.answer, ledger::obstacle(self.client(), db_schema)).await.flatten()
    }

    /// A new run; nothing is begun where something stands in the way of a bulk load.
    pub async fn begin(
        &mut self,
        key: &RunKey,
        strategy: Strategy,
        lanes: usize,
        input: &InputIdentity,
    ) -> Result<Result<Begun, Obstacle>, LoadError> {
        let answer = self.limits.answer;
        let begin = ledger::begin(self.client(), key, strategy, lanes, input);
        let begun = within(answer, begin).await.flatten()?;
        if let Ok(begun) = &begun {
            self.take_name(&begun.run).await?;
        }
        Ok(begun)
    }

    /// What unfinished bulk loads have taken off the tables and not brought back.
    pub async fn pending(&mut self, db_schema: &str) -> Result<Vec<PendingStep>, LoadError> {
        within(self.limits.answer, bulk::pending(self.client(), db_schema)).await.flatten()
    }

    pub async fn resume(&mut self, id: i64, key: &RunKey, input: &InputIdentity) -> Result<Run, LoadError> {
        let answer = self.limits.answer;
        let resume = ledger::resume(self.client(), id, key, input);
        let run = within(answer, resume).await.flatten()?;
        self.take_name(&run).await?;
        Ok(run)
    }

    async fn take_name(&mut self, run: &Run) -> Result<(), LoadError> {
        let name = run.application_name("control");
        within(self.limits.answer, set_name(self.client(), &name)).await.flatten()?;
        self.name = Some(name);
        Ok(())
    }

    /// Keeps the target while the load goes on; `lost` hears when it is another's.
    pub fn hold(self, lost: impl Fn(LoadError) + Send + Sync + 'static) -> Held {
        let (release, released) = oneshot::channel();
        Held { release, keeper: tokio::spawn(keep(self, released, lost)) }
    }

    /// Writes the end of the run, waiting for a server that is gone as long as `patience` allows.
    pub async fn finish(&mut self, run: &Run, ending: &Ending, patience: Duration) -> Result<(), LoadError> {
        let mut retries = Retries::new(patience);
        loop {
            let Err(error) = self.finish_once(run, ending).await else { return Ok(()) };
            let delay = retries.after(&error);
            self.drop_client();
            time::sleep(delay.ok_or(error)?).await;
        }
    }

    async fn finish_once(&mut self, run: &Run, ending: &Ending) -> Result<(), LoadError> {
        if self.client.as_ref().is_none_or(|client| client.is_closed()) {
            self.regain_once().await?;
        }
        let answer = self.limits.answer;
        within(answer, ledger::finish(self.client(), run, ending)).await.flatten()
    }

    fn drop_client(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }

    /// Connects again and takes the lock again.
    async fn regain(&mut self) -> Result<(), LoadError> {
        let mut retries = Retries::new(self.limits.patience);
        loop {
            match self.regain_once().await {
                Ok(()) => return Ok(()),
                Err(error) => match retries.after(&error) {
                    Some(delay) => time::sleep(delay).await,
                    None => return Err(error),
                },
            }
        }
    }

    async fn regain_once(&mut self) -> Result<(), LoadError> {
        self.drop_client();
        let client = connect_once(&self.pool, self.limits).await?;
        let set_up = within(self.limits.answer, set_up(&client)).await.flatten()?;
        let lost = std::mem::replace(&mut self.backend, set_up);
        client
            .query(include_str!("../../sql/lanes/orphan.sql"), &[&lost.pid, &lost.started])
            .await
            .map_err(failed("ending the session that was lost"))?;
        let until = time::Instant::now() + REGAIN_GRACE;
        while let Some(holder) = try_take(&client, &self.db_schema).await? {
            if holder.pid != Some(lost.pid) || time::Instant::now() >= until {
                return Err(LoadError::LockLost { holder: holder.to_string() });
            }
            time::sleep(LOCK_EVERY).await;
        }
        if let Some(name) = &self.name {
            set_name(&client, name).await?;
        }
        self.client = Some(client);
        Ok(())
    }
}

impl Held {
    /// Ends the keeping; the target stays taken.
    pub async fn release(self) -> Control {
        // The keeper ends only when it is told to.
        let _ = self.release.send(());
        self.keeper.await.expect("the keeper does not panic")
    }
}

async fn keep(
    mut control: Control,
    mut released: oneshot::Receiver<()>,
    lost: impl Fn(LoadError) + Send + Sync,
) -> Control {
    loop {
        tokio::select! {
            _ = &mut released => return control,
            () = time::sleep(HEARTBEAT) => {}
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

async fn set_up(client: &Object) -> Result<Backend, LoadError> {
    client.batch_execute(SESSION).await.map_err(failed("setting up the session"))?;
    let row = client
        .query_one(include_str!("../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    Ok(Backend { pid: row.get("pid"), started: row.get("started") })
}

async fn set_name(client: &Object, name: &str) -> Result<(), LoadError> {
    let set = "SELECT pg_catalog.set_config('application_name', $1, false)";
    client.query(set, &[&name]).await.map_err(failed("naming the session")).map(drop)
}

/// Who holds the lock, if it is not ours now.
async fn try_take(client: &Object, db_schema: &str) -> Result<Option<Holder>, LoadError> {
    let taken = target_lock::try_take(client, db_schema).await.map_err(failed("taking the target's lock"))?;
    Ok(taken.err())
}
