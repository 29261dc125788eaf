//! A lane's connection: its settings, its staging table, and the statements of the merge.

use std::collections::HashSet;

use deadpool_postgres::Object;
use tokio_postgres::{Client, Statement};

use super::{LoadError, failed};
use crate::postgres::quote_identifier;

/// Settings of the session, each for a reason:
/// - `jit`, `enable_seqscan` off: every statement probes indexes for some thousands of ids. Statistics of a
///   table that is just being filled say that it is empty, and a plan made for that (those of the foreign
///   keys are kept for the session) would read the whole table for each row later on.
/// - timeouts off: a batch takes as long as it takes; limits meant for an API would stop the load.
/// - `temp_buffers`: the staging table of one batch stays in memory.
const SESSION: &str = "
    SET jit = off;
    SET enable_seqscan = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET client_min_messages = warning;
    SET default_transaction_isolation = 'read committed';
    SET temp_buffers = '32MB'";

/// A connection that is ready to merge.
pub struct Session {
    client: Object,
    pub(super) sql: MergeSql,
    pub(super) copy: Statement,
    /// Transactions of this lane that wrote profiles, as the rows' `xmin` has them.
    pub(super) own_transactions: HashSet<u32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// The statements, with the tables' schema written into them.
#[derive(Debug)]
pub(super) struct MergeSql {
    pub(super) classify: String,
    pub(super) insert_profiles: String,
    /// Addresses, e-mails, phone numbers.
    pub(super) insert_children: [String; 3],
    pub(super) lock_profiles: String,
    /// Of profiles, addresses, e-mails and phone numbers; each returns how many rows it wrote and should have.
    pub(super) updates: [String; 4],
}

impl MergeSql {
    fn in_schema(db_schema: &str) -> Self {
        let schema = quote_identifier(db_schema);
        let sql = |text: &str| text.replace("@schema@", &schema);
        Self {
            classify: sql(include_str!("../../sql/merge/classify.sql")),
            insert_profiles: sql(include_str!("../../sql/merge/insert_profiles.sql")),
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

impl Session {
    /// Makes a connection a lane's: nothing of it is left when the connection ends.
    pub async fn prepare(client: Object, db_schema: &str) -> Result<Self, LoadError> {
        client.batch_execute(SESSION).await.map_err(failed("setting up the session"))?;
        client
            .batch_execute(include_str!("../../sql/merge/staged.sql"))
            .await
            .map_err(failed("creating the staging table"))?;
        let copy = client
            .prepare("COPY pg_temp.profile_loader_staged FROM STDIN (FORMAT binary)")
            .await
            .map_err(failed("preparing COPY"))?;
        Ok(Self { client, sql: MergeSql::in_schema(db_schema), copy, own_transactions: HashSet::new() })
    }

    pub(super) fn split(&mut self) -> (&mut Client, &MergeSql, &Statement, &mut HashSet<u32>) {
        (&mut self.client, &self.sql, &self.copy, &mut self.own_transactions)
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
        assert!(sql.classify.contains("FROM \"Odd \"\"one\"\"\".customer_profiles"));
        assert!(!format!("{sql:?}").contains("@schema@"));
    }
}
