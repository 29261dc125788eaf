//! The lanes' connections: a pool of sessions that are all alike, and the statements of the merge.
//!
//! A lane takes a session for one transaction, so there may be fewer sessions than lanes, and a session that
//! was lost is replaced by the next one. Nothing of a session is left on the server when it ends.

use std::{num::NonZeroUsize, sync::Arc, thread, time::Duration};

use deadpool_postgres::{Hook, HookError, Object, Pool, PoolError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{LoadError, retry::Class, within};
use crate::postgres::{Target, quote_identifier};

/// Settings of the session, each for a reason:
/// - `jit`, `enable_seqscan` off: every statement probes indexes for some thousands of ids. Statistics of a
///   table that is just being filled say that it is empty, and a plan made for that (those of the foreign
///   keys are kept for the session) would read the whole table for each row later on.
/// - `enable_memoize` off (PostgreSQL 14 and newer): no lookup comes twice.
/// - `statement_timeout` off: a batch takes as long as it takes; limits meant for an API would stop the load.
/// - `lock_timeout`: whoever holds a lock for longer is named, and the batch begun anew.
/// - `idle_in_transaction_session_timeout`: a loader that was suspended must not hold its locks for ever.
/// - keepalives and `client_connection_check_interval` (PostgreSQL 14 and newer, not on every system): a
///   session whose loader is gone ends within a minute, even in the middle of a statement.
/// - `temp_buffers`: the staging table of one batch stays in memory.
const SESSION: &str = "
    SET jit = off;
    SET enable_seqscan = off;
    SET statement_timeout = 0;
    SET lock_timeout = '60s';
    SET client_min_messages = warning;
    SET default_transaction_isolation = 'read committed';
    SET temp_buffers = '32MB';
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3;
    SELECT pg_catalog.set_config(s.name, wanted.setting, false)
    FROM (VALUES ('client_connection_check_interval', '5s'), ('enable_memoize', 'off')) AS wanted (name, setting)
    JOIN pg_catalog.pg_settings AS s ON s.name = wanted.name AND s.max_val IS DISTINCT FROM '0'";

/// The same for building indexes and checking foreign keys, which wants memory to sort in: a quarter of what
/// the server caches pages in, if it has not been given more. As many sessions as there are lanes may take it.
/// An index whose definition names no tablespace was in the database's own: a default of the role's must not
/// take it elsewhere.
pub(super) const RESTORE_SESSION: &str = "
    SET default_tablespace = '';
    SET statement_timeout = 0;
    SET lock_timeout = '60s';
    SET client_min_messages = warning;
    SET default_transaction_isolation = 'read committed';
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3;
    SELECT pg_catalog.set_config(s.name, '5s', false) FROM pg_catalog.pg_settings AS s
    WHERE s.name = 'client_connection_check_interval' AND s.max_val <> '0';
    SELECT pg_catalog.set_config(m.name,
               greatest(m.setting::bigint, least(1048576, b.setting::bigint * 8 / 4)) || 'kB', false)
    FROM pg_catalog.pg_settings AS m, pg_catalog.pg_settings AS b
    WHERE m.name = 'maintenance_work_mem' AND b.name = 'shared_buffers'";

/// For a transaction of one batch, between whose statements the loader does little.
const IDLE_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = '5min'";
/// For one that waits for its input.
const NO_IDLE_TIMEOUT: &str = "SET idle_in_transaction_session_timeout = 0";

pub(super) const COPY: &str = "COPY pg_temp.profile_loader_staged FROM STDIN (FORMAT binary)";

/// Sessions that are ready to load, or to bring back what a bulk load has taken off.
#[derive(Debug)]
pub struct Connections {
    pool: Pool,
    connect_within: Duration,
    /// How many sessions there may be: fewer, once the server has refused one.
    permits: Arc<Semaphore>,
}

/// A session on loan.
pub(super) struct Session {
    object: Option<Object>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// For merging: at most `size` sessions, none of which is opened yet. `atomic`: one transaction lasts as long
    /// as the input.
    pub fn for_merging(target: &Target, size: usize, atomic: bool, connect_within: Duration) -> Self {
        let idle_timeout = if atomic { NO_IDLE_TIMEOUT } else { IDLE_TIMEOUT };
        let statements = [SESSION, idle_timeout, include_str!("../../sql/merge/staged.sql")];
        Self::prepared_by(target, size, statements, connect_within)
    }

    /// For filling empty tables: nothing is staged.
    pub fn for_filling(target: &Target, size: usize, connect_within: Duration) -> Self {
        Self::prepared_by(target, size, [SESSION, IDLE_TIMEOUT], connect_within)
    }

    /// Sessions for building indexes and checking foreign keys.
    pub fn for_restoring(target: &Target, size: usize, connect_within: Duration) -> Self {
        let workers = workers_of_a_session(target, size);
        Self::prepared_by(target, size, [RESTORE_SESSION, &workers, IDLE_TIMEOUT], connect_within)
    }

    /// Each statement is run in each session before it is used.
    fn prepared_by<const STATEMENTS: usize>(
        target: &Target,
        size: usize,
        statements: [&str; STATEMENTS],
        connect_within: Duration,
    ) -> Self {
        let statements = Arc::new(statements.map(str::to_owned));
        let prepare = Hook::async_fn(move |client, _| {
            let statements = Arc::clone(&statements);
            Box::pin(async move {
                for statement in statements.iter() {
                    client.batch_execute(statement).await.map_err(HookError::Backend)?;
                }
                Ok(())
            })
        });
        Self {
            pool: target.pool_with(size, prepare),
            connect_within,
            permits: Arc::new(Semaphore::new(size)),
        }
    }

    /// A session, once there is one to be had. Where the server takes no more connections, those that there
    /// are have to do.
    pub(super) async fn get(&self) -> Result<Session, LoadError> {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            let source = match within(self.connect_within, self.pool.get()).await? {
                Ok(object) => return Ok(Session { object: Some(object), _permit: permit }),
                Err(PoolError::Backend(source) | PoolError::PostCreateHook(HookError::Backend(source))) => {
                    source
                }
                Err(error) => unreachable!("the pool has no timeouts and no other hooks: {error}"),
            };
            let error = LoadError::Connecting { source };
            let has_others = self.pool.status().size > 0;
            if error.class() != Class::TooManyConnections || !has_others {
                return Err(error);
            }
            permit.forget();
        }
    }

    /// Opens one session, so that what is wrong with all of them shows before anything is begun.
    pub async fn try_one(&self) -> Result<(), LoadError> {
        self.get().await.map(drop)
    }
}

/// Sessions that work beside each other are parallel enough where there are no more cores than sessions: workers
/// only add to the sum of the work, because they sort through files. Of a server elsewhere nobody knows its cores.
fn workers_of_a_session(target: &Target, sessions: usize) -> String {
    if !target.is_near() {
        return String::new();
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = (cores / sessions).saturating_sub(1);
    format!(
        "SET max_parallel_maintenance_workers = {workers}; SET max_parallel_workers_per_gather = {workers}"
    )
}

impl Session {
    pub(super) fn client(&mut self) -> &mut Object {
        self.object.as_mut().expect("a session is whole until it is closed")
    }

    /// Ends the connection instead of giving it back: whatever the server still does for it is void.
    pub(super) fn close(mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

/// The statements, with the tables' schema written into them.
#[derive(Debug)]
pub(super) struct MergeSql {
    /// What is not stored as the documents say: of all that are staged; of those chosen by their seq, or by
    /// where they are staged.
    pub(super) classify_all: String,
    pub(super) classify_seqs: String,
    pub(super) classify_places: String,
    pub(super) insert_profiles: String,
    /// Which transaction wrote a stored profile.
    pub(super) written_by: String,
    /// Addresses, e-mails, phone numbers.
    pub(super) insert_children: [String; 3],
    pub(super) lock_profiles: String,
    /// Of profiles, addresses, e-mails and phone numbers; each returns how many rows it wrote and should have.
    pub(super) updates: [String; 4],
}

impl MergeSql {
    pub(super) fn in_schema(db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        let sql = |text: &str| text.replace("@schema@", &schema);
        let classify =
            |chosen| sql(&include_str!("../../sql/merge/classify.sql").replace("@chosen@", chosen));
        Self {
            classify_all: classify("true"),
            // Hashed by every server, which ANY is not.
            classify_seqs: classify("s.seq IN (SELECT chosen.seq FROM unnest($1::bigint[]) AS chosen (seq))"),
            classify_places: classify("s.ctid = ANY ($1::tid[])"),
            insert_profiles: sql(include_str!("../../sql/merge/insert_profiles.sql")),
            written_by: sql(
                "SELECT t.xmin::text::bigint AS written_by FROM @schema@.customer_profiles AS t WHERE t.id = $1",
            ),
            insert_children: [
                sql(include_str!("../../sql/merge/insert_addresses.sql")),
                sql(include_str!("../../sql/merge/insert_emails.sql")),
                sql(include_str!("../../sql/merge/insert_phone_numbers.sql")),
            ],
            lock_profiles: sql(include_str!("../../sql/merge/lock_profiles.sql")),
            updates: [
                sql(include_str!("../../sql/merge/update_profiles.sql")),
                sql(include_str!("../../sql/merge/update_addresses.sql")),
                sql(include_str!("../../sql/merge/update_emails.sql")),
                sql(include_str!("../../sql/merge/update_phone_numbers.sql")),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::STAGED_COLUMNS;

    #[test]
    fn the_staging_table_has_the_columns_that_are_encoded() {
        let sql = include_str!("../../sql/merge/staged.sql");
        let columns: Vec<_> = sql
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .map(|line| line.trim_end_matches(',').trim_end_matches(" NOT NULL"))
            .filter_map(|line| line.split_once(' '))
            .collect();
        assert_eq!(columns, STAGED_COLUMNS);
    }

    #[test]
    fn every_statement_names_the_schema() {
        let sql = MergeSql::in_schema("Odd \"one\"");
        assert!(sql.classify_all.contains("FROM \"Odd \"\"one\"\"\".customer_profiles"));
        assert!(!format!("{sql:?}").contains("@schema@") && !format!("{sql:?}").contains("@chosen@"));
    }
}
