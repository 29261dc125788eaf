//! What `up` and `down` send to the server, as text: what is shown beforehand is what is run.

use super::{ledger, source::Migration};
use crate::postgres::{quote_identifier, quote_literal};

/// Whoever migrates a database holds this advisory lock until the end of the transaction ("prldmigr").
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"prldmigr");

/// How long to wait for another migration or for those who read the tables: DDL takes milliseconds, and
/// whatever queues behind ours waits as long as we do.
const LOCK_TIMEOUT_SECONDS: u32 = 60;

/// A part of a transaction.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) sql: String,
    /// The SQL that a missing privilege calls for.
    pub(super) needed: String,
}

/// The names that go into the text.
#[derive(Debug)]
pub(super) struct DdlContext<'a> {
    pub(super) db_schema: &'a str,
    pub(super) database: &'a str,
    pub(super) role: &'a str,
}

/// The first thing of the transaction, before anything is looked at. A limit on statements is meant for others.
pub(super) fn lock() -> String {
    format!(
        "SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s';\n\
         SET LOCAL statement_timeout = 0;\n\
         SELECT pg_catalog.pg_advisory_xact_lock({MIGRATION_LOCK});\n"
    )
}

/// Begins the ledger.
pub(super) fn create_ledger(place: &DdlContext<'_>, has_schema: bool) -> Step {
    let needed = if has_schema {
        grant_create_in_ledger(place)
    } else {
        format!(
            "GRANT CREATE ON DATABASE {} TO {}",
            quote_identifier(place.database),
            quote_identifier(place.role)
        )
    };
    let sql = include_str!("../../sql/ledger/0001_migrations.sql").to_owned();
    Step { what: "creating profile_loader.migrations", sql, needed }
}

/// What a ledger of version 1 lacks.
pub(super) fn create_runs(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0002_runs.sql").to_owned();
    Step {
        what: "creating profile_loader.runs and related tables",
        sql,
        needed: grant_create_in_ledger(place),
    }
}

/// What a ledger of version 2 lacks.
pub(super) fn create_bulk(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0003_bulk.sql").to_owned();
    Step {
        what: "creating profile_loader.run_ddl and related tables",
        sql,
        needed: grant_create_in_ledger(place),
    }
}

/// What a ledger of version 3 lacks.
pub(super) fn create_plans(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0004_plans.sql").to_owned();
    Step { what: "creating profile_loader.run_plans", sql, needed: grant_create_in_ledger(place) }
}

/// What a ledger of version 4 lacks.
pub(super) fn create_reports(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0005_reports.sql").to_owned();
    Step { what: "creating profile_loader.run_reports", sql, needed: grant_create_in_ledger(place) }
}

/// What a ledger of version 5 lacks.
pub(super) fn create_rejected_documents(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0006_rejected_documents.sql").to_owned();
    Step { what: "creating profile_loader.rejected_documents", sql, needed: grant_create_in_ledger(place) }
}

/// What a ledger of version 6 lacks.
pub(super) fn create_etags(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0007_etags.sql").to_owned();
    Step { what: "creating profile_loader.run_etags", sql, needed: grant_create_in_ledger(place) }
}

/// What a ledger of version 7 lacks.
pub(super) fn create_parts(place: &DdlContext<'_>) -> Step {
    let sql = include_str!("../../sql/ledger/0008_parts.sql").to_owned();
    Step { what: "creating profile_loader.run_parts", sql, needed: grant_create_in_ledger(place) }
}

fn grant_create_in_ledger(place: &DdlContext<'_>) -> String {
    format!("GRANT USAGE, CREATE ON SCHEMA profile_loader TO {}", quote_identifier(place.role))
}

/// Lets names without a schema mean those of `db_schema`; `public` is where extensions tend to be.
pub(super) fn search_path(place: &DdlContext<'_>) -> Step {
    search_path_to(place, ", public")
}

/// Lets them mean those of `db_schema` or nothing: what is missing there must not be dropped elsewhere.
pub(super) fn search_path_for_down(place: &DdlContext<'_>) -> Step {
    search_path_to(place, "")
}

fn search_path_to(place: &DdlContext<'_>, rest: &str) -> Step {
    let sql = format!("SET LOCAL search_path TO {}{rest};\n", quote_identifier(place.db_schema));
    Step { what: "setting the search path", sql, needed: String::new() }
}

pub(super) fn grant_create(place: &DdlContext<'_>) -> String {
    let (db_schema, role) = (quote_identifier(place.db_schema), quote_identifier(place.role));
    format!("GRANT USAGE, CREATE ON SCHEMA {db_schema} TO {role}")
}

pub(super) fn up(place: &DdlContext<'_>, migration: &Migration) -> Step {
    Step { what: "creating the tables", sql: migration.up.to_owned(), needed: grant_create(place) }
}

/// `owners` are the roles that own the tables.
pub(super) fn down(place: &DdlContext<'_>, migration: &Migration, owners: &[&str]) -> Step {
    Step {
        what: "dropping the tables",
        sql: migration.down.to_owned(),
        needed: grant_ownership(place, owners),
    }
}

/// Only an owner may drop, and a member of an owner's role is one.
pub(super) fn grant_ownership(place: &DdlContext<'_>, owners: &[&str]) -> String {
    let owners: Vec<_> = owners.iter().map(|owner| quote_identifier(owner)).collect();
    format!("GRANT {} TO {}", owners.join(", "), quote_identifier(place.role))
}

pub(super) fn record(place: &DdlContext<'_>, migration: &Migration, is_adopted: bool) -> Step {
    let sql = format!(
        "INSERT INTO profile_loader.migrations (db_schema, version, name, checksum, adopted)\n\
         VALUES ({}, {}, {}, {}, {is_adopted});\n",
        quote_literal(place.db_schema),
        migration.version,
        quote_literal(migration.name),
        quote_literal(&migration.checksum()),
    );
    let needed = ledger::grant(&quote_identifier(place.role));
    Step { what: "recording the migration", sql, needed }
}

pub(super) fn forget(place: &DdlContext<'_>, migration: &Migration) -> Step {
    let sql = format!(
        "DELETE FROM profile_loader.migrations WHERE db_schema = {} AND version = {};\n",
        quote_literal(place.db_schema),
        migration.version,
    );
    let needed = ledger::grant(&quote_identifier(place.role));
    Step { what: "removing the record of the migration", sql, needed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let place = DdlContext { db_schema: "a\"; b", database: "", role: "" };
        assert_eq!(search_path(&place).sql, "SET LOCAL search_path TO \"a\"\"; b\", public;\n");
    }
}
