//! What can be known of the tables and of the sessions of a load before a run is begun; what the role may do is looked at
//! by the command (`commands::preflight`).

use tokio_postgres::Client;

use crate::{
    postgres::{ErrorClass, Target},
    runs::{RunError, failed},
    session::{SessionPool, SessionSettings},
    settings::Timeouts,
    tables::Table,
};

/// What the owner has set up on the tables that may refuse or change what is written.
pub(super) async fn unforeseen(client: &Client, db_schema: &str) -> Result<Vec<String>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = client
        .query(include_str!("../../sql/runs/unforeseen.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the owner's rules on the tables"))?;
    Ok(rows.iter().map(|row| row.get("what")).collect())
}

/// Makes a session of each of these kinds, one after another, so that what is wrong with them shows before anything
/// is begun.
pub(crate) async fn check_sessions(
    target: &Target,
    kinds: &[SessionSettings],
    timeouts: &Timeouts,
    report: &impl Fn(String),
) -> Result<(), RunError> {
    for &kind in kinds {
        let pool = SessionPool::new(target, kind, 1);
        match pool.connect_waiting(timeouts.db_wait, report).await {
            // The session of the kind before may still be ending.
            Err(error) if error.class() == ErrorClass::TooManyConnections => drop(pool.lease().await?),
            connected => drop(connected?),
        }
        pool.end_sessions();
    }
    Ok(())
}
