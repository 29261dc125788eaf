//! One connection to the first of a target's hosts that takes it, and the session's settings.
//!
//! As in libpq, each address of each host gets an attempt with a time-out of its own, from looking the name up to
//! the end of authentication: a server, or a proxy before it, may accept a connection and stay silent. A server that
//! refuses the role or the database ends the attempts; any other failure leads to the next host.

use std::{fmt, io, net::IpAddr, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio::{net, time};
use tokio_postgres::{Config, NoTls, config::Host};

use super::SessionSettings;
use crate::postgres::{ErrorClass, Target, TargetHost, describe};

/// Makes sessions of one kind.
pub(super) struct Connector {
    target: Target,
    set_up: Vec<String>,
}

/// Why no host takes a connection: an entry for each attempt.
#[derive(Debug)]
pub(crate) struct ConnectError {
    attempts: Vec<Attempt>,
    /// What its messages must not say.
    target: Target,
}

#[derive(Debug)]
struct Attempt {
    /// `db.example, port 5432`
    address: String,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Lookup(io::Error),
    NoAnswer(Duration),
    Server(tokio_postgres::Error),
    SetUp(tokio_postgres::Error),
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(target: &Target, settings: SessionSettings) -> Self {
        Self { target: target.clone(), set_up: settings.statements(target) }
    }

    pub(super) async fn connect(&self) -> Result<ClientWrapper, ConnectError> {
        let within = self.target.connect_timeout();
        let mut attempts = Vec::new();
        for host in self.target.hosts() {
            let addresses = match look_up(&host, within).await {
                Ok(addresses) => addresses,
                Err(cause) => {
                    attempts.push(Attempt { address: host.to_string(), cause });
                    continue;
                }
            };
            for address in addresses {
                let config = self.target.config_of(&host, address);
                let attempt = time::timeout(within, Box::pin(self.connect_to(&config))).await;
                let cause = match attempt.unwrap_or(Err(Cause::NoAnswer(within))) {
                    Ok(client) => return Ok(client),
                    Err(cause) => cause,
                };
                let is_refused = cause.is_refusal();
                attempts.push(Attempt { address: host.to_string(), cause });
                if is_refused {
                    return Err(self.error(attempts));
                }
            }
        }
        Err(self.error(attempts))
    }

    fn error(&self, attempts: Vec<Attempt>) -> ConnectError {
        ConnectError { attempts, target: self.target.clone() }
    }

    async fn connect_to(&self, config: &Config) -> Result<ClientWrapper, Cause> {
        let client = match self.target.tls() {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(Cause::Server)?;
                // Its error, if any, shows at the client too.
                ClientWrapper::new(client, tokio::spawn(async move { drop(connection.await) }))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(Cause::Server)?;
                ClientWrapper::new(client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        for statement in &self.set_up {
            client.batch_execute(statement).await.map_err(Cause::SetUp)?;
        }
        Ok(client)
    }
}

/// The addresses of a host; none stands for a socket, or for an address that needs no look-up.
async fn look_up(host: &TargetHost, within: Duration) -> Result<Vec<Option<IpAddr>>, Cause> {
    let (Some(Host::Tcp(name)), None) = (&host.host, host.address) else {
        return Ok(vec![host.address]);
    };
    let found = time::timeout(within, net::lookup_host((name.as_str(), host.port))).await;
    let found = found.map_err(|_| Cause::NoAnswer(within))?.map_err(Cause::Lookup)?;
    let mut addresses: Vec<_> = found.map(|address| Some(address.ip())).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(Cause::Lookup(io::Error::other("the name has no address")));
    }
    Ok(addresses)
}

impl Cause {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Lookup(_) | Self::NoAnswer(_) => ErrorClass::Unreachable,
            Self::Server(error) | Self::SetUp(error) => ErrorClass::of_connecting(error),
        }
    }

    /// Whether a server that works has said no for good.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Server(error) => error.code().is_some() && !self.class().is_temporary(),
            Self::SetUp(_) => !self.class().is_temporary(),
            Self::Lookup(_) | Self::NoAnswer(_) => false,
        }
    }

    /// Whether the name is unknown, as against a name server that can't be asked. getaddrinfo's codes are not
    /// passed on by the standard library, but their messages are (those of glibc, musl and the BSDs).
    fn is_unknown_name(&self) -> bool {
        const UNKNOWN: [&str; 6] = [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
            "nodename nor servname provided",
            "the name has no address",
        ];
        match self {
            Self::Lookup(error) => {
                let message = error.to_string();
                UNKNOWN.iter().any(|unknown| message.contains(unknown))
            }
            _ => false,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Lookup(error) => error.to_string(),
            Self::NoAnswer(within) => format!(
                "it did not answer within {}: the server, or a proxy or pooler before it, takes connections and \
                 stays silent, or packets are dropped on the way",
                humantime::format_duration(*within)
            ),
            Self::Server(error) if lacks_password(error) => {
                "the server asks for a password and none is given; set it in the connection string, in PGPASSWORD, \
                 or in the password file ~/.pgpass"
                    .to_owned()
            }
            Self::Server(error) => describe(error),
            Self::SetUp(error) => {
                let is_raised = error.code().is_some_and(|code| code.code().starts_with("P0"));
                let fix = if is_raised {
                    "; an event trigger is the cause: have it let temporary tables pass, or ALTER EVENT TRIGGER … DISABLE"
                } else {
                    ""
                };
                format!("setting up the session failed: {}{fix}", describe(error))
            }
        }
    }
}

/// tokio-postgres says so before it sends anything.
fn lacks_password(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.to_string() == "password missing")
}

impl ConnectError {
    /// That of the last server that answered; unreachable where none did.
    pub(crate) fn class(&self) -> ErrorClass {
        let classes = self.attempts.iter().rev().map(|attempt| attempt.cause.class());
        classes.into_iter().find(|class| *class != ErrorClass::Unreachable).unwrap_or(ErrorClass::Unreachable)
    }

    /// Whether none of the hosts' names is known, which is a typing error until one has answered.
    pub(crate) fn names_no_host(&self) -> bool {
        self.attempts.iter().all(|attempt| attempt.cause.is_unknown_name())
    }

    /// Whether a connection was made, and its session could not be set up.
    pub(crate) fn is_of_set_up(&self) -> bool {
        matches!(self.attempts.last(), Some(Attempt { cause: Cause::SetUp(_), .. }))
    }

    /// Why each host failed, on one line.
    pub(crate) fn message(&self) -> String {
        let attempt = |one: &Attempt| format!("{}: {}", one.address, self.message_of(one));
        self.attempts.iter().map(attempt).collect::<Vec<_>>().join("; ")
    }

    /// The same for whoever has named the host already, where there is one.
    pub(crate) fn reason(&self) -> String {
        match &*self.attempts {
            [one] => self.message_of(one),
            _ => self.message(),
        }
    }

    fn message_of(&self, attempt: &Attempt) -> String {
        self.target.without_settings(attempt.cause.message())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for ConnectError {}
