//! One loader for each target: a session-level advisory lock on the tables of one schema. Those that load parts of a plan
//! share it against all others, and each has a lock of its own on its part.
//!
//! The server gives it back when the session ends, in whatever way, so a loader that was killed leaves nothing
//! to be cleaned up. Two schemas whose names have the same hash share a lock; that refuses, and harms nothing.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokio::time::{self, Instant};
use tokio_postgres::{Client, Error, error::SqlState};

/// The first key of the lock, `prld`; the second is the hash of the schema's name. The SQL files have it, too.
const CLASS: i32 = i32::from_be_bytes(*b"prld");

/// The same of the lock on a part, `prlp`; the second key is the hash of what the part is.
const PART_CLASS: i32 = i32::from_be_bytes(*b"prlp");

/// The session of a program that has just ended, in whatever way, is gone within this time.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// How often whoever waits for the lock tries to take it.
pub(crate) const EVERY: Duration = Duration::from_millis(200);

/// How often to try while the holder leaves between the attempt to lock and the look at who it is.
const TRIES_MAX: u32 = 5;

/// The session that has the lock, as far as the server tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    pub pid: Option<i32>,
    pub application: Option<String>,
    pub role: Option<String>,
    /// None over a unix socket.
    pub address: Option<String>,
    /// Of the run's attempt, or of the session where it has no run yet; by the server's clock.
    pub since: Option<SystemTime>,
    /// It loads a part of a plan, and others may load other parts beside it.
    pub loads_part: bool,
}

/// What a loader holds.
#[derive(Debug, Clone)]
pub(crate) struct TargetLock {
    pub(crate) db_schema: String,
    /// What the part is, for whom it is one of a plan that is loaded.
    part: Option<String>,
}

/// Who has what a loader can't have.
#[derive(Debug)]
pub(crate) enum Held {
    Target(Holder),
    /// Another attempt at the same part.
    Part(Holder),
}

impl Held {
    pub(crate) fn holder(&self) -> &Holder {
        let (Self::Target(holder) | Self::Part(holder)) = self;
        holder
    }
}

impl TargetLock {
    pub(crate) fn whole(db_schema: &str) -> Self {
        Self { db_schema: db_schema.to_owned(), part: None }
    }

    /// `plan` is its digest.
    pub(crate) fn of_part(db_schema: &str, plan: &str, part: u32) -> Self {
        Self { db_schema: db_schema.to_owned(), part: Some(format!("{plan} {part} {db_schema}")) }
    }

    /// Takes what the loader needs for the session, or says who has it; never waits.
    pub(crate) async fn try_take(&self, client: &Client) -> Result<Result<(), Held>, Error> {
        let Some(part) = &self.part else {
            return Ok(try_take(client, &self.db_schema).await?.map_err(Held::Target));
        };
        let shared = "SELECT pg_catalog.pg_try_advisory_lock_shared($1, pg_catalog.hashtext($2))";
        if let Err(holder) = take(client, shared, CLASS, &self.db_schema, &self.db_schema).await? {
            return Ok(Err(Held::Target(holder)));
        }
        Ok(take(client, EXCLUSIVE, PART_CLASS, part, &self.db_schema).await?.map_err(Held::Part))
    }
}

const EXCLUSIVE: &str = "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2))";

/// Takes the lock for the session, or says who has it; never waits. Of a session that has it already, true.
pub async fn try_take(client: &Client, db_schema: &str) -> Result<Result<(), Holder>, Error> {
    take(client, EXCLUSIVE, CLASS, db_schema, db_schema).await
}

async fn take(
    client: &Client,
    sql: &str,
    class: i32,
    key: &str,
    db_schema: &str,
) -> Result<Result<(), Holder>, Error> {
    for _ in 0..TRIES_MAX {
        if client.query_one(sql, &[&class, &key]).await?.get(0) {
            return Ok(Ok(()));
        }
        if let Some(holder) = holder_of(client, class, key, db_schema).await? {
            return Ok(Err(holder));
        }
    }
    Ok(Err(Holder::default()))
}

/// The same, once the session of a program that has just ended is gone.
pub(crate) async fn take_once_free(client: &Client, db_schema: &str) -> Result<Result<(), Holder>, Error> {
    let until = Instant::now() + GRACE;
    loop {
        let taken = try_take(client, db_schema).await?;
        if taken.is_ok() || Instant::now() >= until {
            return Ok(taken);
        }
        time::sleep(EVERY).await;
    }
}

/// Who has the lock; none where nobody has.
pub async fn holder(client: &Client, db_schema: &str) -> Result<Option<Holder>, Error> {
    holder_of(client, CLASS, db_schema, db_schema).await
}

async fn holder_of(client: &Client, class: i32, key: &str, db_schema: &str) -> Result<Option<Holder>, Error> {
    let class = u32::try_from(class).expect("its first letter is of ASCII");
    let sql = include_str!("../../sql/ledger/lock_holder.sql");
    let Some(row) = client.query_opt(sql, &[&key, &class]).await? else {
        return Ok(None);
    };
    let mut holder = Holder {
        pid: row.get("pid"),
        application: row.get::<_, Option<String>>("application").filter(|name| !name.is_empty()),
        role: row.get("role"),
        address: row.get("address"),
        since: row.get("since"),
        loads_part: row.get("is_shared"),
    };
    let run = holder.application.as_deref().and_then(run_named_by);
    let rows = client.query(include_str!("../../sql/ledger/lock_holder_run.sql"), &[&db_schema, &run]).await;
    match rows {
        Ok(rows) => {
            if let Some(row) = rows.first() {
                // A run that began before the session is one that was killed.
                let attempted_at: SystemTime = row.get("attempted_at");
                if holder.since.is_none_or(|since| since <= attempted_at) {
                    holder.since = Some(attempted_at);
                    holder.role = holder.role.or_else(|| row.get("started_by"));
                    holder.address = holder.address.or_else(|| row.get("host"));
                }
            }
            Ok(Some(holder))
        }
        Err(error) if is_unreadable(&error) => Ok(Some(holder)),
        Err(error) => Err(error),
    }
}

/// There is no ledger, or it is not for this role.
fn is_unreadable(error: &Error) -> bool {
    let known = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INSUFFICIENT_PRIVILEGE];
    error.code().is_some_and(|code| known.contains(code))
}

/// The 7 of `profile-loader run 7 control`.
fn run_named_by(application: &str) -> Option<i64> {
    let mut words = application.strip_prefix("profile-loader run ")?.split(' ');
    words.next()?.parse().ok()
}

/// `pid 123 (profile-loader run 7 control, as app, from 10.0.0.1) holds it since 2026-11-24T10:00:00Z`
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.pid else {
            return f.write_str("another session has held it until just now");
        };
        write!(f, "pid {pid}")?;
        let known = [
            self.application.clone(),
            self.role.as_ref().map(|role| format!("as {role}")),
            self.address.as_ref().map(|address| format!("from {address}")),
        ];
        let known: Vec<_> = known.into_iter().flatten().collect();
        if !known.is_empty() {
            write!(f, " ({})", known.join(", "))?;
        }
        f.write_str(" holds it")?;
        if let Some(since) = self.since {
            write!(f, " since {}", humantime::format_rfc3339_seconds(since))?;
        }
        f.write_str(if self.loads_part { ", loading a part of a plan" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sql_looks_for_the_lock_that_is_taken() {
        let sql = include_str!("../../sql/ledger/runs.sql");
        assert!(sql.contains(&format!("k.classid = {CLASS}::oid")), "{CLASS}");
    }

    #[test]
    fn a_holder_is_told_as_far_as_it_is_known() {
        let check = |holder: Holder, expected: &str| assert_eq!(holder.to_string(), expected);
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_514_400);
        let all = Holder {
            pid: Some(123),
            application: Some("profile-loader run 7 control".to_owned()),
            role: Some("app".to_owned()),
            address: Some("10.0.0.1".to_owned()),
            since: Some(since),
            loads_part: false,
        };
        check(
            all.clone(),
            "pid 123 (profile-loader run 7 control, as app, from 10.0.0.1) holds it since 2026-11-24T10:00:00Z",
        );
        check(Holder { application: None, address: None, since: None, ..all }, "pid 123 (as app) holds it");
        check(Holder { pid: Some(1), ..Holder::default() }, "pid 1 holds it");
        let part = Holder { pid: Some(1), loads_part: true, ..Holder::default() };
        check(part, "pid 1 holds it, loading a part of a plan");
        check(Holder::default(), "another session has held it until just now");
    }

    #[test]
    fn sessions_name_their_run() {
        let check =
            |application: &str, expected: Option<i64>| assert_eq!(run_named_by(application), expected);
        check("profile-loader run 7 control", Some(7));
        check("profile-loader run 12", Some(12));
        check("profile-loader", None);
        check("profile-loader run x", None);
        check("psql", None);
    }
}
