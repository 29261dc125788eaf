//! Whether a server has what was confirmed to a run: a standby that takes over may lack the end of it.
//!
//! What is missing is missing from the tables and the ledger alike, so another attempt goes on from there. All that an
//! attempt must not do is to build on it, or to call it complete.

use tokio_postgres::GenericClient;

use super::{LoadCounts, RunError, failed, ledger::bigint};

/// What the first lanes of a run have been told is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confirmed {
    pub(crate) run_id: i64,
    pub(crate) lanes: i32,
    pub(crate) counts: LoadCounts,
}

impl Confirmed {
    /// Refuses a server that lacks some of it; for a transaction, this holds until its end.
    pub(crate) async fn refuse_behind(&self, client: &impl GenericClient) -> Result<(), RunError> {
        self.look(client).await.map(drop)
    }

    /// The same for a run that has restored all that it had dropped.
    pub(crate) async fn refuse_behind_at_end(&self, client: &impl GenericClient) -> Result<(), RunError> {
        if self.look(client).await? {
            return Ok(());
        }
        Err(RunError::Behind {
            what: format!("indexes or foreign keys that run {} has restored", self.run_id),
        })
    }

    async fn look(&self, client: &impl GenericClient) -> Result<bool, RunError> {
        let row = client
            .query_one(include_str!("../../sql/runs/confirmed.sql"), &[&self.run_id, &self.lanes])
            .await
            .map_err(failed("comparing the ledger with what was confirmed"))?;
        let LoadCounts { inserted, updated, unchanged, skipped, rejected, rows } = self.counts;
        let found =
            ["inserted", "updated", "unchanged", "skipped", "rejected"].map(|name| row.get::<_, i64>(name));
        let found_rows: Vec<i64> = row.get("rows");
        if found == [inserted, updated, unchanged, skipped, rejected].map(bigint)
            && found_rows == rows.by_table().map(bigint)
        {
            return Ok(row.get("is_restored"));
        }
        Err(RunError::Behind { what: format!("documents that run {} has loaded", self.run_id) })
    }
}
