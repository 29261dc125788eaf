//! Why connecting failed: what each attempt met, what it means, and what to do about it.

use std::{fmt, io, time::Duration};

use tokio_postgres::error::SqlState;

use crate::postgres::{AuthRefusal, ErrorClass, SessionAttrs, SslMode, Target, TargetHost, describe, fix_of};
use crate::session::pooler::{self, Pooling};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Off,
    IfOffered,
    Insist,
}

/// Why no host takes a connection: an entry for each attempt.
#[derive(Debug)]
pub(crate) struct ConnectError {
    attempts: Vec<Attempt>,
    /// What its messages must not say.
    target: Target,
}

#[derive(Debug)]
pub(super) struct Attempt {
    /// `db.example, port 5432`
    address: String,
    cause: Cause,
}

#[derive(Debug)]
pub(super) enum Cause {
    Lookup(io::Error),
    Socket(io::Error),
    NoAnswer(Duration),
    /// The connection was let in, and nothing that was sent over it answered.
    NoSession(Duration),
    /// `is_default`: nobody said how much TLS there has to be.
    NoTls {
        mode: SslMode,
        is_default: bool,
    },
    Tls {
        error: io::Error,
        is_default: bool,
    },
    Server(tokio_postgres::Error),
    NotWanted {
        wanted: SessionAttrs,
        is_standby: bool,
    },
    Pooling(Pooling),
    SetUp(tokio_postgres::Error),
}

impl Attempt {
    pub(super) fn new(host: &TargetHost, cause: Cause) -> Self {
        Self { address: host.to_string(), cause }
    }

    /// Whether a server that works has said no for good.
    pub(super) fn is_refused(&self) -> bool {
        match &self.cause {
            Cause::Server(error) => error.code().is_some() && !self.cause.class().is_temporary(),
            Cause::SetUp(_) | Cause::Pooling(_) => !self.cause.class().is_temporary(),
            _ => false,
        }
    }
}

impl Cause {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Lookup(_) | Self::NoAnswer(_) | Self::NotWanted { .. } => ErrorClass::Unreachable,
            Self::NoSession(_) => ErrorClass::TooManyConnections,
            Self::NoTls { .. } | Self::Pooling(_) => ErrorClass::Permanent,
            Self::Socket(error) | Self::Tls { error, .. } => class_of_io(error),
            Self::Server(error) if pooler::refusal(error).is_some() => ErrorClass::Permanent,
            Self::Server(error) | Self::SetUp(error) => ErrorClass::of_connecting(error),
        }
    }

    /// Whether another kind of encryption may help: a server's rules let a role in with TLS only, or without it only.
    pub(super) fn may_be_of(&self, encryption: Encryption) -> bool {
        let is_of_rules = || match self {
            Self::Server(error) => error.code().is_some_and(|code| {
                // Where nothing was encrypted, poolers have codes of their own for it; a wrong password is none.
                let is_password = *code == SqlState::INVALID_PASSWORD;
                *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                    || encryption == Encryption::Off && !is_password && !self.class().is_temporary()
            }),
            _ => false,
        };
        matches!(self, Self::Tls { .. }) || is_of_rules()
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

    pub(super) fn message(&self) -> String {
        match self {
            Self::Lookup(error) => error.to_string(),
            Self::Socket(error) => format!("error connecting to server: {error}"),
            Self::NoTls { mode, is_default } => no_tls(*mode, *is_default),
            Self::Tls { error, is_default } => no_handshake(error, *is_default),
            Self::NotWanted { wanted, is_standby } => not_wanted(*wanted, *is_standby),
            Self::NoAnswer(within) => format!(
                "it did not answer within {}: the server, or a proxy or pooler before it, takes connections and \
                 stays silent, or packets are dropped on the way",
                humantime::format_duration(*within)
            ),
            Self::NoSession(within) => format!(
                "it let the connection in and left the first statement unanswered for {}: a connection pooler has no \
                 session of the server to spare (pool_size of PgBouncer), or the server hangs",
                humantime::format_duration(*within)
            ),
            Self::Server(error) if lacks_password(error) => {
                "the server asks for a password and none is given; set it in the connection string, in PGPASSWORD, \
                 or in the password file ~/.pgpass"
                    .to_owned()
            }
            Self::Pooling(pooling) => pooling.to_string(),
            Self::Server(error) => match refusal(error) {
                Some(refusal) => refusal.to_string(),
                None if lacks_binding(error) => "channel_binding=require, and the server did not bind the password to \
                     the connection: it takes TLS with SCRAM for that (scram-sha-256 in its pg_hba.conf, a password \
                     that was set with password_encryption = 'scram-sha-256')"
                    .to_owned(),
                None => pooler::refusal(error).map_or_else(|| describe(error), |fix| format!("{}; {fix}", describe(error))),
            },
            Self::SetUp(error) => {
                let fix = match error.code() {
                    Some(code) if code.code().starts_with("P0") => {
                        "; an event trigger is the cause: have it let temporary tables pass, or ALTER EVENT TRIGGER … DISABLE"
                    }
                    Some(&SqlState::DUPLICATE_TABLE) => {
                        "; a connection pooler has lent a session that an earlier one left its tables in: have it clear \
                         them (PgBouncer: server_reset_query = DISCARD ALL)"
                    }
                    _ => "",
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

fn lacks_binding(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(|source| source.to_string() == "server did not use channel binding")
}

/// Why what the server asked for was not answered.
fn refusal(error: &tokio_postgres::Error) -> Option<AuthRefusal> {
    let error: &io::Error = std::error::Error::source(error)?.downcast_ref()?;
    error.get_ref()?.downcast_ref().copied()
}

/// A certificate that can't be trusted is invalid data.
fn class_of_io(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData => ErrorClass::Permanent,
        _ => ErrorClass::Unreachable,
    }
}

fn no_tls(mode: SslMode, is_default: bool) -> String {
    let word = mode.word();
    if is_default {
        "the server offers no TLS, and nobody said that it may be left out; have ssl = on set there, or say \
         sslmode=disable to send everything in clear"
            .to_owned()
    } else {
        format!(
            "the server offers no TLS (or somebody between says so), and {word} insists on it; have ssl = on set there"
        )
    }
}

fn no_handshake(error: &io::Error, is_default: bool) -> String {
    let fix = fix_of(error).map_or_else(String::new, |fix| format!("; {fix}"));
    let ways_out = if is_default && error.kind() == io::ErrorKind::InvalidData {
        "; without a word about TLS a server elsewhere is verified: name the certificate of its CA with \
         sslrootcert=FILE, or say sslmode=require to encrypt and verify nothing"
    } else {
        ""
    };
    format!("error performing TLS handshake: {error}{fix}{ways_out}")
}

fn not_wanted(wanted: SessionAttrs, is_standby: bool) -> String {
    let what = match (wanted, is_standby) {
        (SessionAttrs::ReadWrite | SessionAttrs::Primary, true) => "is a standby",
        (SessionAttrs::ReadWrite, false) => "makes sessions read-only (default_transaction_read_only)",
        (SessionAttrs::ReadOnly, _) => "takes writes",
        _ => "is no standby",
    };
    format!("the server {what}, and target_session_attrs={} wants another", wanted.word())
}

impl ConnectError {
    pub(super) fn new(attempts: Vec<Attempt>, target: &Target) -> Self {
        Self { attempts, target: target.clone() }
    }

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

    pub(crate) fn is_of_pooler(&self) -> bool {
        matches!(self.attempts.last(), Some(Attempt { cause: Cause::Pooling(_), .. }))
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
