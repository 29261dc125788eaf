//! Looks after transactions that take long: is the server at work on it, who holds the lock it waits for, or
//! has the connection died without a word (half-open)?
//!
//! It asks over a connection of its own. A transaction counts as stalled when neither we nor the server have
//! moved between two looks and the server, if it can be asked at all, waits for us while we wait for it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Object, Pool};
use tokio::time;

use super::LoadError;
use crate::postgres::Target;

/// How long the server may take to say what a session does.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server is asked to end what is given up.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Looks in a row at a transaction that does not move.
const STILL_LOOKS: u32 = 2;

/// A server process, told apart from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backend {
    pub(super) pid: i32,
    pub(super) started: String,
}

/// The signs of life that a transaction gives while it is under way.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    backend: Mutex<Option<Backend>>,
    beats: AtomicU64,
    blocker: Mutex<Option<String>>,
}

impl Pulse {
    /// An answer came, or data went out.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_backend(&self, backend: Backend) {
        *self.backend.lock().unwrap_or_else(PoisonError::into_inner) = Some(backend);
        self.beat();
    }

    pub(super) fn backend(&self) -> Option<Backend> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who was last seen to hold a lock that the transaction waited for.
    pub(super) fn blocker(&self) -> Option<String> {
        self.blocker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this blocker is news.
    fn set_blocker(&self, blocker: &str) -> bool {
        let mut known = self.blocker.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = known.as_deref() != Some(blocker);
        *known = Some(blocker.to_owned());
        is_news
    }
}

/// What a look found.
enum Sight {
    AtWork,
    Blocked(String),
    /// It waits for us, is gone, or nobody can say.
    Still,
}

#[derive(Debug)]
pub struct Watch {
    pool: Pool,
    every: Duration,
}

impl Watch {
    pub fn new(target: &Target, every: Duration) -> Self {
        Self { pool: target.pool(1), every }
    }

    /// Waits for `work` as long as there are signs of life; `tell` hears of locks that it waits for.
    pub(super) async fn over<T>(
        &self,
        pulse: &Pulse,
        tell: &impl Fn(String),
        work: impl Future<Output = T>,
    ) -> Result<T, LoadError> {
        tokio::pin!(work);
        let (mut seen, mut still) = (0, 0);
        loop {
            if let Ok(done) = time::timeout(self.every, &mut work).await {
                return Ok(done);
            }
            let beats = pulse.beats.load(Ordering::Relaxed);
            if beats != seen {
                (seen, still) = (beats, 0);
                continue;
            }
            // The work goes on while we look.
            let sight = tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                sight = self.look(pulse) => sight,
            };
            match sight {
                Sight::AtWork => still = 0,
                Sight::Blocked(blocker) => {
                    still = 0;
                    if pulse.set_blocker(&blocker) {
                        tell(format!("waiting for a lock that is held by {blocker}"));
                    }
                }
                Sight::Still => still += 1,
            }
            if still == STILL_LOOKS {
                return Err(LoadError::Stalled { seconds: self.every.as_secs() * u64::from(STILL_LOOKS) });
            }
        }
    }

    /// How many bytes of tables the index builds of the sessions of that name have behind them; 0 where nobody
    /// can say.
    pub(super) async fn bytes_of_index_builds(&self, session_name: &str) -> f64 {
        let asked = async {
            let client = self.pool.get().await.ok()?;
            let row =
                client.query_one(include_str!("../../sql/bulk/index_builds.sql"), &[&session_name]).await;
            match row {
                Ok(row) => Some(row.get("bytes")),
                Err(_) => {
                    drop(Object::take(client));
                    None
                }
            }
        };
        time::timeout(LOOK_TIMEOUT, asked).await.ok().flatten().unwrap_or(0.0)
    }

    /// Ends the sessions of that name, where that can be done soon: else they end by themselves.
    pub(super) async fn end_sessions(&self, session_name: &str) {
        let end = async {
            let client = self.pool.get().await.ok()?;
            client.query(include_str!("../../sql/runs/orphans.sql"), &[&session_name]).await.ok()
        };
        let _ = time::timeout(END_TIMEOUT, end).await;
    }

    async fn look(&self, pulse: &Pulse) -> Sight {
        let Some(backend) = pulse.backend() else { return Sight::Still };
        let asked = async {
            let client = self.pool.get().await.ok()?;
            let row = client
                .query_opt(include_str!("../../sql/lanes/look.sql"), &[&backend.pid, &backend.started])
                .await;
            match row {
                Ok(row) => row,
                Err(_) => {
                    drop(Object::take(client));
                    None
                }
            }
        };
        match time::timeout(LOOK_TIMEOUT, asked).await {
            Ok(Some(row)) => match row.get::<_, Option<String>>("blockers") {
                Some(blockers) => Sight::Blocked(blockers),
                None if row.get("waits_for_client") => Sight::Still,
                None => Sight::AtWork,
            },
            Ok(None) | Err(_) => Sight::Still,
        }
    }

    /// Ends the server's side of a lost connection, where that can be done soon: else it ends by itself.
    pub(super) async fn end_orphan(&self, backend: &Backend) {
        let end = async {
            let client = self.pool.get().await.ok()?;
            let query = include_str!("../../sql/lanes/orphan.sql");
            client.query(query, &[&backend.pid, &backend.started]).await.ok()
        };
        let _ = time::timeout(LOOK_TIMEOUT, end).await;
    }
}
