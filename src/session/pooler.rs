//! Who answers a connection: a server, or a pooler that lends its sessions.
//!
//! A load keeps things in sessions (the lock on its target, temporary tables, settings, prepared statements), so a session
//! must not be lent to anybody else while its connection lasts. That is found out by what a pooler does, whatever its
//! name and port: a server gives each connection the process that it names when the session begins; where another one
//! answers, a mark is left in the session. A mark that is gone, or that another connection finds, can't be explained
//! otherwise. Nothing of this writes to the database.

use std::{fmt, time::Duration};

use deadpool_postgres::ClientWrapper;
use tokio::time;
use tokio_postgres::{Client, Error, SimpleQueryMessage, error::SqlState};

/// How long a pooler may take to lend another session; one that lends none so soon is not suspected.
const LEND_WITHIN: Duration = Duration::from_secs(3);

/// How often it is tried whether a session is lent to another connection.
const ROUNDS: u32 = 20;

/// The setting that holds the mark: no server knows the name, so it is a text of the session's and nothing else.
const NAME: &str = "profile_loader.session";
const MARKED: &str = "coalesce(pg_catalog.current_setting('profile_loader.session', true), '')";

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counterpart {
    Server,
    /// As far as it shows, one that keeps a session for each connection.
    Pooler,
    Unfit(Pooling),
}

/// What a pooler does that a load can't be done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// A session is lent for a transaction, or a statement.
    Transactions,
    /// What an earlier connection left in a session is still there.
    Unclean,
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, fix) = match self {
            Self::Transactions => (
                "lends a session of the server for one transaction or statement (PgBouncer: pool_mode = transaction)",
                "or to a port or database of the pooler with sessions of its own (PgBouncer: pool_mode = session)",
            ),
            Self::Unclean => (
                "lends sessions that still hold what another connection left in them",
                "or have the pooler clear them (PgBouncer: server_reset_query = DISCARD ALL)",
            ),
        };
        write!(
            f,
            "a connection pooler answers, and it {what}; a load keeps its lock, temporary tables and settings in its \
             sessions, so nothing was begun; connect to the server itself, {fix}"
        )
    }
}

/// Finds out who answers a connection over which nothing was sent yet. `announced` is the process that the session was
/// begun with; `others` make connections to the same address.
pub(super) async fn counterpart(
    client: &Client,
    announced: Option<i32>,
    [other, next]: [impl Future<Output = Option<ClientWrapper>>; 2],
) -> Result<Counterpart, Error> {
    let pid = value(client, "SELECT pg_catalog.pg_backend_pid()").await?;
    if announced.is_some_and(|announced| pid == Some(announced.to_string())) {
        return Ok(Counterpart::Server);
    }
    let is_used = is_used(client).await?;
    let own = leave_mark(client).await?;
    if !has_mark(client, &own).await? {
        return Ok(Counterpart::Unfit(Pooling::Transactions));
    }
    // Of what goes wrong with the other connections nothing follows.
    let others = time::timeout(LEND_WITHIN, async {
        let Some(other) = other.await else { return Ok(None) };
        if is_shared(client, &other, &own).await? {
            return Ok(Some(Pooling::Transactions));
        }
        leave_mark(&other).await?;
        drop(other);
        let Some(next) = next.await else { return Ok(None) };
        Ok::<_, Error>(self::is_used(&next).await?.then_some(Pooling::Unclean))
    });
    let pooling = others.await.ok().and_then(Result::ok).flatten();
    let pooling = pooling.or(is_used.then_some(Pooling::Unclean));
    Ok(pooling.map_or(Counterpart::Pooler, Counterpart::Unfit))
}

/// Statements of the protocol, which a connection over which nothing was sent can't have (those of SQL may be a login
/// trigger's), or a mark of an earlier connection.
async fn is_used(client: &Client) -> Result<bool, Error> {
    let sql = format!(
        "SELECT {MARKED} LIKE '{NAME} %'
             OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql)"
    );
    Ok(value(client, &sql).await?.as_deref() == Some("t"))
}

async fn leave_mark(client: &Client) -> Result<String, Error> {
    let mark = format!("{NAME} {:032x}", fastrand::u128(..));
    value(client, &format!("SELECT pg_catalog.set_config('{NAME}', '{mark}', false)")).await?;
    Ok(mark)
}

async fn has_mark(client: &Client, mark: &str) -> Result<bool, Error> {
    Ok(value(client, &format!("SELECT {MARKED}")).await?.as_deref() == Some(mark))
}

/// Whether the other connection meets the session of the first, or takes it away while a transaction holds it. Where
/// others use the pool, each may get its own again for a while.
async fn is_shared(first: &Client, other: &Client, mark: &str) -> Result<bool, Error> {
    for _ in 0..ROUNDS {
        if has_mark(other, mark).await? {
            return Ok(true);
        }
        match other.batch_execute("BEGIN").await {
            // One that lends a session for a statement has no transactions; a server that went away has none either.
            Err(error) if error.code() == Some(&SqlState::PROTOCOL_VIOLATION) => {
                return has_mark(first, mark).await.map(|_| true);
            }
            begun => begun?,
        }
        if has_mark(other, mark).await? || !has_mark(first, mark).await? {
            return Ok(true);
        }
        other.batch_execute("ROLLBACK").await?;
    }
    Ok(false)
}

/// The first column of the only row, without a prepared statement, which a pooler may lose.
async fn value(client: &Client, sql: &str) -> Result<Option<String>, Error> {
    let answer = client.simple_query(sql).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// What to do about a connection that a pooler refuses for good. PgBouncer has one SQLSTATE for what may pass and what
/// may not, so these are known by their words.
pub(super) fn refusal(error: &Error) -> Option<&'static str> {
    const FIXES: [(&str, &str); 5] = [
        (
            "unsupported startup parameter",
            "the connection pooler takes no such setting with the connection: leave it out (options=, PGOPTIONS), and \
             have the role set what has to be set (ALTER ROLE … SET …)",
        ),
        ("no such database", "the connection pooler has no database of this name ([databases] of PgBouncer)"),
        ("does not exist", "the connection pooler was refused by the server"),
        ("no such user", UNKNOWN_USER),
        ("authentication failed", UNKNOWN_USER),
    ];
    const UNKNOWN_USER: &str = "the connection pooler knows no such user, or another password (auth_file or auth_query \
                                of PgBouncer)";
    let error = error.as_db_error().filter(|error| *error.code() == SqlState::PROTOCOL_VIOLATION)?;
    FIXES.iter().find(|(words, _)| error.message().contains(words)).map(|(_, fix)| *fix)
}
