//! What a loader asks of the session that holds its target, and how it names it.

use tokio_postgres::Client;

use crate::{
    runs::{RunError, failed},
    session::Backend,
};

pub(super) async fn identify(client: &Client) -> Result<Backend, RunError> {
    let row = client
        .query_one(include_str!("../../sql/lanes/identify.sql"), &[])
        .await
        .map_err(failed("asking which session this is"))?;
    Ok(Backend { pid: row.get("pid"), started: row.get("started") })
}

pub(super) async fn server_version(client: &Client) -> Result<String, RunError> {
    let row = client
        .query_one("SELECT pg_catalog.current_setting('server_version')", &[])
        .await
        .map_err(failed("asking for the server's version"))?;
    // Packagers add words of theirs in brackets.
    let version: &str = row.get(0);
    Ok(format!("PostgreSQL {}", version.split(' ').next().unwrap_or(version)))
}

/// Ends sessions of ours whose connections were lost, so that their locks go at once.
pub(super) async fn end_sessions(client: &Client, lost: &[Backend]) -> Result<(), RunError> {
    for backend in lost {
        client
            .query(include_str!("../../sql/lanes/orphan.sql"), &[&backend.pid, &backend.started])
            .await
            .map_err(failed("ending the session that was lost"))?;
    }
    Ok(())
}

pub(super) async fn set_name(client: &Client, name: &str) -> Result<(), RunError> {
    let set = "SELECT pg_catalog.set_config('application_name', $1, false)";
    client.query(set, &[&name]).await.map_err(failed("naming the session")).map(drop)
}
