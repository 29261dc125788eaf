//! What the four tables hold, in forms that tests can compare.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::server::Database;

/// Who makes the four tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// Another program, before the first load.
    Foreign,
    /// `load`, when it finds none.
    Migrated,
}

/// The tables and their columns that come from documents; `id` of the last two is the server's own.
pub(crate) const TABLES: [(&str, &str); 4] = [
    (
        "customer_profiles",
        "id, first_name, middle_name, last_name, marketing_emails_enabled, two_factor_enabled",
    ),
    ("customer_profile_addresses", "customer_profile_id, line1, line2, city, state, postal_code, country"),
    ("customer_profile_emails", "customer_profile_id, email"),
    ("customer_profile_phone_numbers", "customer_profile_id, type, number"),
];

/// More than a backend needs to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

impl Tables {
    pub(crate) fn prepare(self, database: &Database) {
        match self {
            Self::Foreign => database.execute(include_str!("foreign_tables.sql")),
            Self::Migrated => {}
        }
    }
}

pub(crate) async fn execute(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

/// The first column of each row, which has to be text.
pub(crate) async fn texts(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Row count and digest of each table's contents in a schema, as multisets of rows.
pub(crate) async fn digests(client: &Client, schema: &str) -> BTreeMap<&'static str, String> {
    let mut digests = BTreeMap::new();
    for (table, columns) in TABLES {
        let sql = format!(
            "SELECT count(*) || ' rows ' || md5(coalesce(string_agg(d, '' ORDER BY d COLLATE \"C\"), ''))
             FROM (SELECT md5(ROW({columns})::text) AS d FROM {schema}.{table}) AS rows"
        );
        digests.insert(table, texts(client, &sql).await.remove(0));
    }
    digests
}

/// Every row as it lies on disk: its place, who wrote it and who locked it.
pub(crate) async fn physical_rows(client: &Client) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, _) in TABLES {
        let sql =
            format!("SELECT concat_ws(' ', '{table}', ctid, xmin, xmax, t) FROM {table} AS t ORDER BY 1");
        rows.extend(texts(client, &sql).await);
    }
    rows
}

/// What was ever written to the tables, rolled back or not, as the server's statistics have it. Waits until
/// the sessions of the program have ended, which is when they hand theirs in (PostgreSQL 15 and newer).
pub(crate) async fn tuples_written(client: &Client) -> Vec<String> {
    let others = "SELECT pid::text FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let deadline = Instant::now() + PATIENCE;
    while !texts(client, others).await.is_empty() {
        assert!(Instant::now() < deadline, "sessions of a program that has ended live on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Before PostgreSQL 15 what is read may be half a second old, and says so.
    let ended = texts(client, "SELECT clock_timestamp()::text").await.remove(0);
    let is_old = format!("SELECT 'old' WHERE pg_stat_get_snapshot_timestamp() < '{ended}'");
    execute(client, "SELECT pg_stat_clear_snapshot()").await;
    while !texts(client, &is_old).await.is_empty() {
        assert!(Instant::now() < deadline, "the server's statistics stay old");
        tokio::time::sleep(Duration::from_millis(50)).await;
        execute(client, "SELECT pg_stat_clear_snapshot()").await;
    }
    let statistics = "SELECT concat_ws(' ', relname, n_tup_ins, n_tup_upd, n_tup_del)
                      FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname";
    texts(client, statistics).await
}
