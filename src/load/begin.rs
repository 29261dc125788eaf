//! Beginning a run: its rows in the ledger and, for a bulk load, what is dropped of the tables, in one transaction.

use tokio_postgres::Client;

use super::bulk::{self, DroppedDdl, Obstacle};
use crate::{
    failpoint,
    runs::{InputIdentity, Run, RunError, RunKey, failed, ledger},
    settings::Strategy,
};

/// A run that was begun, and what was dropped of the tables for it.
#[derive(Debug)]
pub(crate) struct BegunRun {
    pub(crate) run: Run,
    pub(crate) dropped: Option<DroppedDdl>,
}

/// What stands in the way of a bulk load, as far as it shows without locking anything.
pub(crate) async fn obstacle(client: &mut Client, db_schema: &str) -> Result<Option<Obstacle>, RunError> {
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let obstacle = bulk::obstacle(&transaction, db_schema).await?;
    transaction.rollback().await.map_err(failed("ROLLBACK"))?;
    Ok(obstacle)
}

/// Begins a new run with so many lanes; of a bulk load, drops what it does without, or says why it can't.
pub(crate) async fn begin(
    client: &mut Client,
    key: &RunKey,
    strategy: Strategy,
    lanes: usize,
    input: &InputIdentity,
) -> Result<Result<BegunRun, Obstacle>, RunError> {
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    let run = ledger::insert(&transaction, key, strategy, lanes, input).await?;
    let dropped = match strategy {
        Strategy::Merge => None,
        Strategy::Bulk => match bulk::drop_ddl(&transaction, run.id, &key.db_schema).await? {
            Ok(dropped) => Some(dropped),
            Err(obstacle) => return Ok(Err(obstacle)),
        },
    };
    failpoint("run-beginning");
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Ok(BegunRun { run, dropped }))
}
