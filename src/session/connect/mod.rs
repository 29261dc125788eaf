//! One connection to the first of a target's hosts that takes it, and the session's settings.
//!
//! As in libpq, each address of each host gets an attempt with a time-out of its own, from looking the name up to
//! the end of authentication: a server, or a proxy before it, may accept a connection and stay silent. A server that
//! refuses the role or the database ends the attempts; any other failure leads to the next host.

mod cause;
mod socket;
mod stream;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio::{
    net,
    time::{self, Instant},
};
use tokio_postgres::{
    SimpleQueryMessage,
    config::{Host, SslMode as TokioSslMode, SslNegotiation},
};

use super::{
    SessionSettings,
    pooler::{self, Counterpart},
};
use crate::postgres::{AuthMethod, SessionAttrs, SslMode, Target, TargetHost};
use cause::{Attempt, Cause, Encryption};
use stream::{Greeting, Handshaken};

pub(crate) use cause::ConnectError;

/// Makes sessions of one kind.
pub(super) struct Connector {
    target: Target,
    /// Those that set a session up.
    statements: Vec<String>,
    /// Whether it is found out who lends the sessions.
    knows_poolers: bool,
}

/// A session that is not set up, and whether what is sent to it is encrypted.
struct Opened {
    client: ClientWrapper,
    is_encrypted: bool,
    greeting: Arc<Greeting>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(target: &Target, settings: SessionSettings) -> Self {
        Self {
            target: target.clone(),
            statements: settings.statements(target),
            // The first of every command, which holds the target.
            knows_poolers: settings == SessionSettings::Control,
        }
    }

    /// What connections have shown and nobody was told of.
    pub(super) fn new_notices(&self) -> Vec<String> {
        self.target.new_notices()
    }

    pub(super) async fn connect(&self) -> Result<ClientWrapper, ConnectError> {
        let mut attempts = Vec::new();
        for wanted in self.target.session_attrs().passes() {
            match self.connect_to_any(*wanted, &mut attempts).await {
                Some(client) => return Ok(client),
                None if attempts.last().is_some_and(Attempt::is_refused) => break,
                None => {}
            }
        }
        Err(ConnectError::new(attempts, &self.target))
    }

    async fn connect_to_any(
        &self,
        wanted: SessionAttrs,
        attempts: &mut Vec<Attempt>,
    ) -> Option<ClientWrapper> {
        let within = self.target.connect_timeout();
        for host in self.target.hosts() {
            let mut addresses = match look_up(&host, within).await {
                Ok(addresses) => addresses,
                Err(cause) => {
                    attempts.push(Attempt::new(&host, cause));
                    continue;
                }
            };
            if self.target.balances_load() {
                fastrand::shuffle(&mut addresses);
            }
            for address in addresses {
                match self.connect_to(&host, address, wanted, within).await {
                    Ok(client) => return Some(client),
                    Err(causes) => {
                        attempts.extend(causes.into_iter().map(|cause| Attempt::new(&host, cause)));
                    }
                }
                if attempts.last().is_some_and(Attempt::is_refused) {
                    return None;
                }
            }
        }
        None
    }

    /// With as much TLS as the mode asks for, and once more with more, or less, where libpq's mode has it so.
    async fn connect_to(
        &self,
        host: &TargetHost,
        address: Option<SocketAddr>,
        wanted: SessionAttrs,
        within: Duration,
    ) -> Result<ClientWrapper, Vec<Cause>> {
        let attempt = async |encryption| {
            let until = Instant::now() + within;
            let opened = time::timeout_at(until, Box::pin(self.open(host, address, encryption)));
            let opened = opened.await.unwrap_or(Err(Cause::NoAnswer(within)))?;
            let set_up = Box::pin(self.set_up(opened, host, address, wanted, encryption));
            time::timeout_at(until, set_up).await.unwrap_or(Err(Cause::NoSession(within)))
        };
        let (first, second) = match self.target.tls().mode_of(host) {
            SslMode::Disable => (Encryption::Off, None),
            SslMode::Allow => (Encryption::Off, Some(Encryption::Insist)),
            SslMode::Prefer => (Encryption::IfOffered, Some(Encryption::Off)),
            _ => (Encryption::Insist, None),
        };
        let cause = match attempt(first).await {
            Ok(client) => return Ok(client),
            Err(cause) => cause,
        };
        match second {
            Some(second) if cause.may_be_of(first) => {
                let client = attempt(second).await;
                if client.is_ok() && second == Encryption::Off {
                    self.target.add_notice(format!(
                        "the connection to {host} is not encrypted: TLS failed ({}); sslmode=require insists on it",
                        self.target.without_settings(cause.message())
                    ));
                }
                client.map_err(|second| vec![cause, second])
            }
            _ => Err(vec![cause]),
        }
    }

    async fn set_up(
        &self,
        opened: Opened,
        host: &TargetHost,
        address: Option<SocketAddr>,
        wanted: SessionAttrs,
        encryption: Encryption,
    ) -> Result<ClientWrapper, Cause> {
        let client = &opened.client;
        refuse_other_servers(client, wanted).await?;
        if self.knows_poolers {
            let others = [(); 2].map(|()| async {
                let other = self.open(host, address, encryption).await;
                other.ok().map(|opened| opened.client)
            });
            let found = pooler::counterpart(client, opened.greeting.pid(), others).await;
            match found.map_err(Cause::SetUp)? {
                Counterpart::Server => {}
                Counterpart::Pooler => self.notice_options(host),
                Counterpart::Unfit(pooling) => return Err(Cause::Pooling(pooling)),
            }
        }
        for statement in &self.statements {
            client.batch_execute(statement).await.map_err(Cause::SetUp)?;
        }
        self.notice(host, &opened, encryption);
        Ok(opened.client)
    }

    async fn open(
        &self,
        host: &TargetHost,
        address: Option<SocketAddr>,
        encryption: Encryption,
    ) -> Result<Opened, Cause> {
        let (stream, is_encrypted) = socket::open(&self.target, host, address, encryption).await?;
        let greeting = stream.greeting();
        let mut config = self.target.config_of(host);
        if is_encrypted {
            // The handshake has been made.
            config.ssl_mode(TokioSslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        } else {
            config.ssl_mode(TokioSslMode::Disable);
        }
        let connected = config.connect_raw(stream, Handshaken).await;
        let (client, connection) = connected.map_err(Cause::Server)?;
        // Its error, if any, shows at the client too.
        let client = ClientWrapper::new(client, tokio::spawn(async move { drop(connection.await) }));
        Ok(Opened { client, is_encrypted, greeting })
    }

    /// Poolers that take `options` keep them to themselves.
    fn notice_options(&self, host: &TargetHost) {
        if self.target.has_options() {
            self.target.add_notice(format!(
                "a connection pooler answers at {host}, and may leave out what options= (or PGOPTIONS) sets; have the \
                 role or the database set it (ALTER ROLE … SET …)"
            ));
        }
    }

    /// What an operator should know of a connection that was made all the same.
    fn notice(&self, host: &TargetHost, opened: &Opened, encryption: Encryption) {
        if !opened.is_encrypted && encryption == Encryption::IfOffered && !host.is_local() {
            self.target.add_notice(format!(
                "the connection to {host} is not encrypted: the server offers no TLS; sslmode=verify-full insists on it"
            ));
        }
        if opened.greeting.method() == Some(AuthMethod::Md5) {
            self.target.add_notice(format!(
                "the server at {host} takes the password as an MD5 hash, which is weak; have password_encryption                  be scram-sha-256 there and the role's password set anew"
            ));
        }
    }
}

/// The addresses of a host; none stands for a socket.
async fn look_up(host: &TargetHost, within: Duration) -> Result<Vec<Option<SocketAddr>>, Cause> {
    let name = match (&host.host, host.address) {
        (_, Some(address)) => return Ok(vec![Some(SocketAddr::new(address, host.port))]),
        (Some(Host::Tcp(name)), None) => name.as_str(),
        (Some(Host::Unix(_)) | None, None) => return Ok(vec![None]),
    };
    let found = time::timeout(within, net::lookup_host((name, host.port))).await;
    let found = found.map_err(|_| Cause::NoAnswer(within))?.map_err(Cause::Lookup)?;
    let mut addresses: Vec<_> = found.map(Some).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(Cause::Lookup(io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

async fn refuse_other_servers(client: &ClientWrapper, wanted: SessionAttrs) -> Result<(), Cause> {
    const STATE: &str =
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    if wanted == SessionAttrs::Any {
        return Ok(());
    }
    let answer = client.simple_query(STATE).await.map_err(Cause::SetUp)?;
    let state = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    let (is_standby, is_read_only) = state.unwrap_or_default();
    if wanted.fits(is_standby, is_read_only) { Ok(()) } else { Err(Cause::NotWanted { wanted, is_standby }) }
}
