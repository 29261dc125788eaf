//! Looks after transactions that take long: is the server at work on them, who holds the lock they wait for, or has
//! the connection died without a sign (half-open)?
//!
//! It asks over a connection of its own, made for each look, so that it takes none of those that a role with few may
//! have. A transaction is stalled when the server says, twice in a row, that it waits for us while we wait for it,
//! or that the session is gone. Where the server can't be asked, nothing is known: the system's keepalives end a
//! connection whose server is gone, and where nothing moves and nobody answers for as long as a lost server is
//! waited for, the connection is abandoned.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::ClientWrapper;
use tokio::time::{self, Instant};

use super::{SessionError, SessionSettings, connect::Connector};
use crate::{
    postgres::{ErrorClass, Target},
    settings::Timeouts,
};

/// How long the server may take to say what a session does.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server is asked to end sessions that are cancelled.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Looks in a row at a transaction that does not move.
const STILL_LOOKS: u32 = 2;

/// A server process, told apart from a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) started: String,
}

/// The signs of life that a transaction gives while it is under way.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    backend: Mutex<Option<Backend>>,
    beats: AtomicU64,
    blocker: Mutex<Option<String>>,
}

impl Pulse {
    /// An answer came, or data went out.
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_backend(&self, backend: Backend) {
        *self.backend.lock().unwrap_or_else(PoisonError::into_inner) = Some(backend);
        self.beat();
    }

    pub(crate) fn backend(&self) -> Option<Backend> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who was last seen to hold a lock that the transaction waited for.
    pub(crate) fn blocker(&self) -> Option<String> {
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
enum Observation {
    AtWork,
    Blocked(String),
    /// It waits for us, or is gone.
    Still,
    /// Nobody could say. Whether a server answered at all: it may have no connection to spare.
    Unknown {
        has_answered: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Watch {
    connector: Connector,
    every: Duration,
    /// How long nothing may be known of a transaction that does not move.
    unknown_max: Duration,
}

impl Watch {
    pub(crate) fn new(target: &Target, timeouts: &Timeouts) -> Self {
        Self {
            connector: Connector::new(target, SessionSettings::Watch),
            every: timeouts.watch_every,
            unknown_max: timeouts.db_wait.max(timeouts.answer),
        }
    }

    /// Waits for `work` as long as there are signs of life; `report` gets a message about locks that it waits for.
    pub(crate) async fn over<T>(
        &self,
        pulse: &Pulse,
        report: &impl Fn(String),
        work: impl Future<Output = T>,
    ) -> Result<T, SessionError> {
        tokio::pin!(work);
        let (mut seen, mut still, mut known) = (0, 0, Instant::now());
        loop {
            if let Ok(done) = time::timeout(self.every, &mut work).await {
                return Ok(done);
            }
            let beats = pulse.beats.load(Ordering::Relaxed);
            if beats != seen {
                (seen, still, known) = (beats, 0, Instant::now());
                continue;
            }
            // The work goes on while we look.
            let observation = tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                observation = self.look(pulse) => observation,
            };
            if !matches!(observation, Observation::Unknown { has_answered: false }) {
                known = Instant::now();
            }
            match observation {
                Observation::AtWork => still = 0,
                Observation::Blocked(blocker) => {
                    still = 0;
                    if pulse.set_blocker(&blocker) {
                        report(format!("waiting for a lock that is held by {blocker}"));
                    }
                }
                Observation::Still => still += 1,
                Observation::Unknown { .. } => {}
            }
            if still == STILL_LOOKS {
                return Err(SessionError::Stalled { seconds: self.every.as_secs() * u64::from(STILL_LOOKS) });
            }
            if known.elapsed() > self.unknown_max {
                return Err(SessionError::Stalled { seconds: known.elapsed().as_secs() });
            }
        }
    }

    /// How many bytes of tables the index builds of the sessions of that name have behind them; 0 where nobody can
    /// say.
    pub(crate) async fn bytes_of_index_builds(&self, session_name: &str) -> f64 {
        let asked = async {
            let client = self.connector.connect().await.ok()?;
            let sql = include_str!("../../sql/bulk/index_builds.sql");
            client.query_one(sql, &[&session_name]).await.ok().map(|row| row.get("bytes"))
        };
        time::timeout(LOOK_TIMEOUT, asked).await.ok().flatten().unwrap_or(0.0)
    }

    /// Ends the sessions of that name, where that can be done soon: else they end by themselves.
    pub(crate) async fn end_sessions(&self, session_name: &str) {
        let end = async {
            let client = self.connector.connect().await.ok()?;
            client.query(include_str!("../../sql/runs/orphans.sql"), &[&session_name]).await.ok()
        };
        let _ = time::timeout(END_TIMEOUT, end).await;
    }

    /// Ends the server's side of a lost connection, where that can be done soon: else it ends by itself.
    pub(crate) async fn end_orphan(&self, backend: &Backend) {
        let end = async {
            let client = self.connector.connect().await.ok()?;
            let query = include_str!("../../sql/lanes/orphan.sql");
            client.query(query, &[&backend.pid, &backend.started]).await.ok()
        };
        let _ = time::timeout(LOOK_TIMEOUT, end).await;
    }

    async fn look(&self, pulse: &Pulse) -> Observation {
        // Before the session has said which one it is, only its own answer can tell.
        let Some(backend) = pulse.backend() else { return Observation::Still };
        let asked = async {
            match self.connector.connect().await {
                Ok(client) => observe(&client, &backend).await,
                Err(error) => {
                    let has_answered = error.class() == ErrorClass::TooManyConnections;
                    Observation::Unknown { has_answered }
                }
            }
        };
        time::timeout(LOOK_TIMEOUT, asked).await.unwrap_or(Observation::Unknown { has_answered: false })
    }
}

async fn observe(client: &ClientWrapper, backend: &Backend) -> Observation {
    let sql = include_str!("../../sql/lanes/look.sql");
    match client.query_opt(sql, &[&backend.pid, &backend.started]).await {
        Ok(None) => Observation::Still,
        Ok(Some(row)) => match row.get::<_, Option<String>>("blockers") {
            Some(blockers) => Observation::Blocked(blockers),
            None if row.get("waits_for_client") => Observation::Still,
            None => Observation::AtWork,
        },
        Err(_) => Observation::Unknown { has_answered: false },
    }
}
