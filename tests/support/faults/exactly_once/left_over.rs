//! What outlives a run though nothing should: sessions, locks, temporary tables, prepared transactions.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::support::texts;

/// Each query names what must not be there, one a row.
const LEFT_OVER: [&str; 4] = [
    "SELECT concat_ws(' ', 'session', application_name, state, query) FROM pg_stat_activity
     WHERE application_name LIKE 'profile-loader%' AND datname = current_database()",
    "SELECT concat_ws(' ', 'advisory lock', classid, objid) FROM pg_locks
     WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    // A temporary table of a session that lives: those of a crash are the server's to remove.
    "SELECT concat_ws(' ', 'temporary table', relname) FROM pg_class
     WHERE relpersistence = 't' AND relkind = 'r' AND substr(relnamespace::regnamespace::text, 9)
         IN (SELECT pg_stat_get_backend_idset()::text)",
    "SELECT concat_ws(' ', 'prepared transaction', gid) FROM pg_prepared_xacts",
];

/// What is still there of sessions when they have had some time to end.
pub(super) async fn left_over(client: &Client, patience: Duration) -> Vec<String> {
    let deadline = Instant::now() + patience;
    loop {
        let mut found = Vec::new();
        for sql in LEFT_OVER {
            found.extend(texts(client, sql).await);
        }
        if found.is_empty() || Instant::now() >= deadline {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
