//! The database schema `profile_loader`: which migrations a database has, for which of its schemas, and the
//! tables that a load keeps account in.
//!
//! Only read here; what is written to it stands in `script`, as text that can be shown. A ledger that is newer
//! than this program, or not as any release left it, is an error before anything is written anywhere.

mod tables;

use std::{collections::HashMap, time::SystemTime};

use tables::{LEDGER, MIGRATIONS, TABLES, VERSION_COLUMN, run_tables};
use tokio_postgres::Transaction;

use super::{MigrateError, denied_or_failed, failed};

/// A row of `profile_loader.migrations`.
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

/// Whether the ledger is one that this release can write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerState {
    Missing,
    /// Of an earlier release: `up` brings it to [`LEDGER_VERSION`].
    Outdated {
        version: i32,
    },
    Current,
}

/// The ledger as far as it speaks of one `db_schema`.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) has_schema: bool,
    pub(super) state: LedgerState,
    pub(super) records: Vec<Record>,
}

/// Of the layout that this program makes. Version 1 had `migrations` alone, and no table to say so.
pub const LEDGER_VERSION: i32 = 8;

/// The first that keeps reports.
pub(crate) const REPORTS_VERSION: i32 = 5;

/// The first that knows how a run that is resumed was begun.
pub(crate) const PLANS_VERSION: i32 = 4;

/// The first that knows of bulk loads.
pub(crate) const BULK_VERSION: i32 = 3;

/// The privileges of a role that migrates.
pub(super) fn grant(role: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA profile_loader TO {role}; \
         GRANT SELECT, INSERT, DELETE ON profile_loader.migrations TO {role}"
    )
}

/// The privileges of a role that looks at runs. `role` is quoted.
pub(crate) fn grant_to_look(role: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA profile_loader TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA profile_loader TO {role}"
    )
}

/// The privileges of a role that loads, on those of the tables that are there.
fn grant_to_load(role: &str, is_there: impl Fn(&str) -> bool) -> String {
    let on = |names: &[&str]| {
        let names: Vec<_> = names.iter().filter(|name| is_there(name)).collect();
        names.iter().map(|name| format!("profile_loader.{name}")).collect::<Vec<_>>().join(", ")
    };
    let usage = format!("GRANT USAGE ON SCHEMA profile_loader TO {role}");
    let read = format!("GRANT SELECT ON {} TO {role}", on(&[MIGRATIONS, LEDGER]));
    match on(&run_tables()) {
        written if written.is_empty() => format!("{usage}; {read}"),
        written => format!("{usage}; {read}; GRANT SELECT, INSERT, UPDATE, DELETE ON {written} TO {role}"),
    }
}

/// The privileges of a role that loads, on a ledger of this release. `role` is quoted.
pub(crate) fn grants_to_load(role: &str) -> Vec<String> {
    grant_to_load(role, |_| true).split("; ").map(str::to_owned).collect()
}

/// The columns of the tables that are there, by their names; none where it is no table.
type Layout = HashMap<String, Option<Vec<String>>>;

/// `role` is quoted.
pub(super) async fn read(
    transaction: &Transaction<'_>,
    db_schema: &str,
    role: &str,
) -> Result<Ledger, MigrateError> {
    let Some(layout) = read_layout(transaction).await? else {
        return Ok(Ledger { has_schema: false, state: LedgerState::Missing, records: Vec::new() });
    };
    let needed = grant_to_load(role, |name| layout.contains_key(name));
    let state = state_of(transaction, &layout, &needed).await?;
    let records = match state {
        LedgerState::Missing => Vec::new(),
        LedgerState::Outdated { .. } | LedgerState::Current => {
            read_records(transaction, db_schema, &needed).await?
        }
    };
    Ok(Ledger { has_schema: true, state, records })
}

/// For one who reads about runs; `needed` are the privileges for that.
pub(crate) async fn ledger_state(
    transaction: &Transaction<'_>,
    needed: &str,
) -> Result<LedgerState, MigrateError> {
    match read_layout(transaction).await? {
        Some(layout) => state_of(transaction, &layout, needed).await,
        None => Ok(LedgerState::Missing),
    }
}

async fn state_of(
    transaction: &Transaction<'_>,
    layout: &Layout,
    needed: &str,
) -> Result<LedgerState, MigrateError> {
    if layout.is_empty() {
        return Ok(LedgerState::Missing);
    }
    let version = match layout.get(LEDGER) {
        Some(columns) => read_version(transaction, columns.as_deref(), needed).await?,
        None => 1,
    };
    refuse_other_layout(layout, version)?;
    Ok(if version == LEDGER_VERSION { LedgerState::Current } else { LedgerState::Outdated { version } })
}

/// None where the schema is missing.
async fn read_layout(transaction: &Transaction<'_>) -> Result<Option<Layout>, MigrateError> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let rows = transaction
        .query(include_str!("../../sql/ledger/layout.sql"), &[&names])
        .await
        .map_err(failed("looking for the tables of the schema profile_loader"))?;
    let found =
        rows.iter().filter_map(|row| Some((row.get::<_, Option<String>>("name")?, row.get("columns"))));
    Ok((!rows.is_empty()).then(|| found.collect()))
}

/// The version that the ledger says it has, if it is one that this program knows.
async fn read_version(
    transaction: &Transaction<'_>,
    columns: Option<&[String]>,
    needed: &str,
) -> Result<i32, MigrateError> {
    if !columns.unwrap_or_default().iter().any(|column| column == VERSION_COLUMN) {
        return Err(other_layout(LEDGER, columns, &[VERSION_COLUMN]));
    }
    let rows = transaction
        .query("SELECT version FROM profile_loader.ledger LIMIT 2", &[])
        .await
        .map_err(denied_or_failed("reading profile_loader.ledger", needed))?;
    let [row] = &*rows else {
        let rows = if rows.is_empty() { "no row" } else { "several rows" };
        return Err(MigrateError::LedgerDamaged(format!("profile_loader.ledger has {rows} instead of one")));
    };
    match row.get(0) {
        Some(version) if version > LEDGER_VERSION => Err(MigrateError::NewerLedger { version }),
        Some(version) if version > 1 => Ok(version),
        version => {
            let version: String =
                version.map_or_else(|| "null".to_owned(), |version: i32| version.to_string());
            Err(MigrateError::LedgerDamaged(format!(
                "profile_loader.ledger says version {version}, which no release has written"
            )))
        }
    }
}

fn refuse_other_layout(layout: &Layout, version: i32) -> Result<(), MigrateError> {
    for table in &TABLES {
        match (layout.get(table.name), table.since <= version) {
            (None, false) => {}
            (None, true) => {
                let what = format!("there is no table profile_loader.{}", table.name);
                return Err(MigrateError::LedgerDamaged(what));
            }
            (Some(_), false) => {
                return Err(MigrateError::LedgerDamaged(format!(
                    "profile_loader.{} is there, though the ledger has version {version}, which is without it",
                    table.name
                )));
            }
            (Some(columns), true) => {
                if columns.as_deref().is_none_or(|columns| columns != table.columns) {
                    return Err(other_layout(table.name, columns.as_deref(), table.columns));
                }
            }
        }
    }
    Ok(())
}

fn other_layout(table: &'static str, found: Option<&[String]>, expected: &[&str]) -> MigrateError {
    match found {
        Some(found) => {
            MigrateError::LedgerLayout { table, found: found.join(", "), expected: expected.join(", ") }
        }
        None => MigrateError::LedgerDamaged(format!("profile_loader.{table} is not a table")),
    }
}

async fn read_records(
    transaction: &Transaction<'_>,
    db_schema: &str,
    needed: &str,
) -> Result<Vec<Record>, MigrateError> {
    let rows = transaction
        .query(
            "SELECT version, name, checksum, adopted, applied_at, applied_by
             FROM profile_loader.migrations WHERE db_schema = $1 ORDER BY version",
            &[&db_schema],
        )
        .await
        .map_err(denied_or_failed("reading profile_loader.migrations", needed))?;
    let records = rows.iter().map(|row| Record {
        version: row.get("version"),
        name: row.get("name"),
        checksum: row.get("checksum"),
        is_adopted: row.get("adopted"),
        applied_at: row.get("applied_at"),
        applied_by: row.get("applied_by"),
    });
    Ok(records.collect())
}

/// Of a ledger that is current. `role` is quoted.
pub(crate) async fn refuse_load_without_privilege(
    transaction: &Transaction<'_>,
    role: &str,
) -> Result<(), MigrateError> {
    let what = "keeping account of runs in the schema profile_loader";
    let row = transaction
        .query_one(include_str!("../../sql/ledger/may_load.sql"), &[&run_tables()])
        .await
        .map_err(failed("asking for the privileges on the schema profile_loader"))?;
    if row.get("may_load") {
        return Ok(());
    }
    Err(MigrateError::Privilege { what, needed: grant_to_load(role, |_| true), source: None })
}

#[cfg(test)]
mod tests {
    use super::{tables::LedgerTable, *};

    fn layout(names: &[&str]) -> Layout {
        let columns = |table: &LedgerTable| table.columns.iter().map(|&column| column.to_owned()).collect();
        let tables = TABLES.iter().filter(|table| names.contains(&table.name));
        tables.map(|table| (table.name.to_owned(), Some(columns(table)))).collect()
    }

    #[test]
    fn a_ledger_is_whole_or_refused() {
        let check = |layout: &Layout, version: i32, expected: Option<&str>| {
            let error = refuse_other_layout(layout, version).err().map(|error| error.to_string());
            match (error, expected) {
                (None, None) => {}
                (Some(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
                (error, _) => panic!("{error:?} where {expected:?} was expected"),
            }
        };
        let all: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        check(&layout(&["migrations"]), 1, None);
        check(&layout(&all), LEDGER_VERSION, None);
        check(&layout(&["migrations", "runs"]), 1, Some("profile_loader.runs is there, though"));
        check(&layout(&["runs"]), 1, Some("there is no table profile_loader.migrations"));
        for name in &all {
            let rest: Vec<_> = all.iter().copied().filter(|other| other != name).collect();
            check(&layout(&rest), LEDGER_VERSION, Some(&format!("there is no table profile_loader.{name}")));
            let mut other = layout(&all);
            other.get_mut(*name).unwrap().as_mut().unwrap().push("seconds integer".to_owned());
            check(
                &other,
                LEDGER_VERSION,
                Some(&format!("profile_loader.{name} was not made by this release")),
            );
            other.insert((*name).to_owned(), None);
            check(&other, LEDGER_VERSION, Some(&format!("profile_loader.{name} is not a table")));
        }
    }

    #[test]
    fn grants_name_only_what_is_there() {
        assert_eq!(
            grant_to_load("r", |name| name == MIGRATIONS),
            "GRANT USAGE ON SCHEMA profile_loader TO r; GRANT SELECT ON profile_loader.migrations TO r"
        );
        assert_eq!(
            grant_to_load("r", |_| true),
            "GRANT USAGE ON SCHEMA profile_loader TO r; \
             GRANT SELECT ON profile_loader.migrations, profile_loader.ledger TO r; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON profile_loader.runs, profile_loader.run_inputs, \
             profile_loader.run_lanes, profile_loader.run_rejections, profile_loader.run_transactions, \
             profile_loader.run_ddl, profile_loader.run_spills, profile_loader.run_plans, profile_loader.run_reports, \
             profile_loader.rejected_documents, profile_loader.run_etags, profile_loader.run_parts, \
             profile_loader.run_deferred TO r"
        );
    }
}
