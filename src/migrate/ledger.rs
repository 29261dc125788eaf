//! The table `profile_loader.migrations`: which migrations a database has, for which of its schemas.
//!
//! Only read here; what is written to it stands in `script`, as text that can be shown.

use std::time::SystemTime;

use tokio_postgres::Transaction;

use super::{MigrateError, denied_or_failed, failed};

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub version: i32,
    pub name: String,
    pub(super) checksum: String,
    /// The tables were there already, made by another program.
    pub is_adopted: bool,
    pub applied_at: SystemTime,
    pub applied_by: String,
}

/// The ledger as far as it speaks of one `db_schema`.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) has_schema: bool,
    pub(super) has_table: bool,
    pub(super) records: Vec<Record>,
}

/// As `sql/ledger/0001_migrations.sql` makes it.
const COLUMNS: [&str; 7] = [
    "db_schema text",
    "version integer",
    "name text",
    "checksum text",
    "adopted boolean",
    "applied_at timestamp with time zone",
    "applied_by text",
];

/// The privileges of a role that migrates.
pub(super) fn grant(role: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA profile_loader TO {role}; \
         GRANT SELECT, INSERT, DELETE ON profile_loader.migrations TO {role}"
    )
}

/// `role` is quoted.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    db_schema: &str,
    role: &str,
) -> Result<Ledger, MigrateError> {
    let layout = transaction
        .query_opt(include_str!("../../sql/ledger/layout.sql"), &[])
        .await
        .map_err(failed("looking for the table profile_loader.migrations"))?;
    let Some(layout) = layout else {
        return Ok(Ledger { has_schema: false, has_table: false, records: Vec::new() });
    };
    if !layout.get::<_, bool>("is_there") {
        return Ok(Ledger { has_schema: true, has_table: false, records: Vec::new() });
    }
    let columns: Vec<String> = layout.get("columns");
    if columns != COLUMNS {
        return Err(MigrateError::LedgerLayout { found: columns.join(", "), expected: COLUMNS.join(", ") });
    }
    let rows = transaction
        .query(
            "SELECT version, name, checksum, adopted, applied_at, applied_by
             FROM profile_loader.migrations WHERE db_schema = $1 ORDER BY version",
            &[&db_schema],
        )
        .await
        .map_err(denied_or_failed("reading profile_loader.migrations", &grant(role)))?;
    let records = rows.iter().map(|row| Record {
        version: row.get("version"),
        name: row.get("name"),
        checksum: row.get("checksum"),
        is_adopted: row.get("adopted"),
        applied_at: row.get("applied_at"),
        applied_by: row.get("applied_by"),
    });
    Ok(Ledger { has_schema: true, has_table: true, records: records.collect() })
}
