//! What can be known before a run is begun, all of it at once: the server, the session's settings, the role, the tables
//! and the ledger. Only looks. `doctor` shows it by itself, a load and its dry run begin with it.

mod finding;
mod role;
mod server;
mod tables;

use tokio_postgres::Client;

pub(super) use finding::{Finding, Severity, in_the_way};
pub(super) use role::{Connections, look_at_connections, look_at_settings};
pub(super) use server::{ENCODING, Server, look_at_server};
pub(super) use tables::Tables;

use super::failure::Failure;
use crate::settings::{LoadSettings, MissingDdl, OnExisting};

/// What a load would be asked to do, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) db_schema: &'a str,
    pub(super) on_existing: OnExisting,
    pub(super) missing_ddl: MissingDdl,
}

impl<'a> Wanted<'a> {
    pub(super) fn by(settings: &'a LoadSettings) -> Self {
        let LoadSettings { db_schema, on_existing, missing_ddl, .. } = settings;
        Self { db_schema, on_existing: *on_existing, missing_ddl: *missing_ddl }
    }
}

/// What the role may do with the tables, and what there is of them; none where a look at their rows would fail.
pub(super) async fn look_at_target(
    client: &mut Client,
    wanted: Wanted<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Tables>, Failure> {
    server::look_at_distribution(client, wanted.db_schema, findings).await?;
    role::look_at_role(client, wanted.db_schema, wanted.on_existing, findings).await?;
    tables::look_at_tables(client, wanted, findings).await
}
