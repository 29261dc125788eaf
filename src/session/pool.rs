//! A pool of sessions that are all alike.
//!
//! Whoever works takes a session for one transaction, so there may be fewer sessions than lanes, and a session that
//! was lost is replaced by the next one. Nothing of a session is left on the server when it ends.

use std::{sync::Arc, time::Duration};

use deadpool::managed::{self, Manager, Metrics, PoolError, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{
    SessionError, SessionSettings,
    connect::{ConnectError, Connector},
    outage::waiting,
    retry::Retries,
};
use crate::postgres::{ErrorClass, Target};

/// A connection of the pool, given back when it is dropped.
pub(crate) type Client = managed::Object<SessionManager>;

/// The server takes a moment to notice that a session of ours has ended; only then another may begin where the role
/// or the database has a limit. The delays grow twofold.
const ENDING: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
    Duration::from_millis(320),
    Duration::from_millis(640),
];

/// Makes a pool's sessions.
#[derive(Debug)]
pub(crate) struct SessionManager(Connector);

#[derive(Debug)]
pub(crate) struct SessionPool {
    pool: managed::Pool<SessionManager>,
    /// How many sessions there may be: fewer, once the server has refused one.
    permits: Arc<Semaphore>,
}

/// A session on loan.
pub(crate) struct LeasedSession {
    client: Option<Client>,
    _permit: OwnedSemaphorePermit,
}

impl Manager for SessionManager {
    type Type = ClientWrapper;
    type Error = ConnectError;

    async fn create(&self) -> Result<ClientWrapper, ConnectError> {
        self.0.connect().await
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<ConnectError> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}

impl SessionPool {
    /// At most `size` sessions, none of which is opened yet.
    pub(crate) fn new(target: &Target, settings: SessionSettings, size: usize) -> Self {
        let manager = SessionManager(Connector::new(target, settings));
        let pool = managed::Pool::builder(manager).max_size(size).build();
        Self {
            pool: pool.expect("a pool without time-outs needs no runtime"),
            permits: Arc::new(Semaphore::new(size)),
        }
    }

    /// A connection, made anew where none is idle.
    pub(crate) async fn connect(&self) -> Result<Client, SessionError> {
        match self.pool.get().await {
            Ok(client) => Ok(client),
            Err(PoolError::Backend(source)) => Err(SessionError::Connecting { source: Box::new(source) }),
            Err(error) => unreachable!("the pool is open, without time-outs and hooks: {error}"),
        }
    }

    /// A first connection, waiting for a server that is down for as long as `db_wait` says; `report` gets a message
    /// when the wait begins, and what the connection shows. A host whose name is unknown is a typing error and not waited for.
    pub(crate) async fn connect_waiting(
        &self,
        db_wait: Duration,
        report: &impl Fn(String),
    ) -> Result<Client, SessionError> {
        let mut retries = Retries::new(db_wait);
        let mut has_reported = false;
        loop {
            let error = match self.connect().await {
                Ok(client) => {
                    self.pool.manager().0.new_notices().into_iter().for_each(report);
                    return Ok(client);
                }
                Err(error) => error,
            };
            if matches!(&error, SessionError::Connecting { source } if source.names_no_host()) {
                return Err(error);
            }
            let Some(delay) = retries.after(error.class()) else { return Err(error) };
            if !std::mem::replace(&mut has_reported, true) {
                report(waiting(&error.message(), db_wait));
            }
            time::sleep(delay).await;
        }
    }

    /// A session, once there is one to be had. Where the server takes no more connections, those that there are have
    /// to do.
    pub(crate) async fn lease(&self) -> Result<LeasedSession, SessionError> {
        let mut delays = ENDING.into_iter();
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            let error = match self.connect().await {
                Ok(client) => return Ok(LeasedSession { client: Some(client), _permit: permit }),
                Err(error) => error,
            };
            if error.class() != ErrorClass::TooManyConnections {
                return Err(error);
            }
            if self.pool.status().size > 0 {
                permit.forget();
            } else {
                let Some(delay) = delays.next() else { return Err(error) };
                time::sleep(delay).await;
            }
        }
    }

    /// Ends all sessions that are not on loan, for those of the next phase.
    pub(crate) fn end_sessions(&self) {
        self.pool.retain(|_, _| false);
    }
}

impl LeasedSession {
    pub(crate) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("a session is whole until it is closed")
    }

    /// Ends the connection instead of giving it back: whatever the server still does for it is void.
    pub(crate) fn close(mut self) {
        if let Some(client) = self.client.take() {
            drop(Client::take(client));
        }
    }
}
