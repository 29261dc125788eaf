//! The four tables: making them, adopting those that another program made, taking them away, and judging
//! whether they are what the loader needs.
//!
//! `up` and `down` are one transaction each: a crash leaves either all of it or nothing. What was applied is
//! recorded in `profile_loader.migrations`, for each schema of the database on its own. `up` also makes the
//! ledger in that schema, or brings one of an earlier release up to date.

mod apply;
mod ledger;
mod plan;
mod script;
mod situation;
mod source;
mod verify;

use thiserror::Error;
use tokio_postgres::error::SqlState;

pub use apply::{
    DeleteData, DownOutcome, Status, UpOutcome, check_ledger, down, pending_sql, status, up, up_ledger,
    verify,
};
pub(crate) use apply::{drift, missing_for_up};
pub(crate) use ledger::{BULK_VERSION, PLANS_VERSION, REPORTS_VERSION};
pub use ledger::{LEDGER_VERSION, LedgerState, Record};
pub(crate) use ledger::{grant_to_look, grants_to_load, ledger_state, refuse_load_without_privilege};
pub use plan::{MigrationStatus, State};
pub use situation::Applied;
pub use source::{MIGRATIONS, Migration};
pub use verify::Difference;

use crate::{postgres::ErrorClass, report::RowCounts};

/// Why the tables were left as they are.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error("there is no schema {db_schema} in database {database}; create it with: {fix}")]
    NoSchema { db_schema: String, database: String, fix: String },
    #[error(
        "names without a schema would mean those of schema {found} where {db_schema} is meant; use a schema of another name"
    )]
    SearchPath { db_schema: String, found: String },
    #[error(
        "migration {version} ({name}) is recorded in profile_loader.migrations with another checksum than this program's text has: \
         it is not the release that applied it; use that one, or a newer one"
    )]
    Changed { version: i32, name: String },
    #[error(
        "profile_loader.migrations holds migration {version} ({name}), which this program does not know; \
         use the newer profile-loader that applied it"
    )]
    Newer { version: i32, name: String },
    #[error(
        "profile_loader.{table} was not made by this release: its columns are {found}, where {expected} are expected; \
         use the profile-loader that made it"
    )]
    LedgerLayout { table: &'static str, found: String, expected: String },
    #[error(
        "the ledger (database schema profile_loader) has version {version}, made by a newer profile-loader; \
         this one knows it up to version {LEDGER_VERSION}: use the newer one"
    )]
    NewerLedger { version: i32 },
    #[error(
        "the ledger (database schema profile_loader) is not as profile-loader left it: {0}; bring it back from a backup, \
         or give it up with: ALTER SCHEMA profile_loader RENAME TO profile_loader_old (a load that was not finished \
         can't be resumed then)"
    )]
    LedgerDamaged(String),
    #[error(
        "the ledger (database schema profile_loader) is missing or of an older release; run 'profile-loader migrate up'"
    )]
    NoLedger,
    #[error(
        "the tables that are there are not what the loader needs, so they were neither taken over nor changed: {}; \
         'profile-loader migrate verify' gives the SQL that fixes each", verify::in_words(.0)
    )]
    Differs(Vec<Difference>),
    #[error(
        "the tables of schema {db_schema} hold rows, which would be deleted: {} customer_profiles, \
         {} customer_profile_addresses, {} customer_profile_emails, {} customer_profile_phone_numbers; \
         confirm that with --yes-delete-data, or empty them first",
        rows.customer_profiles, rows.customer_profile_addresses, rows.customer_profile_emails,
        rows.customer_profile_phone_numbers
    )]
    HoldsRows { db_schema: String, rows: RowCounts },
    #[error(
        "the tables of schema {db_schema} were made by another program and only taken over; \
         confirm with --yes-delete-data that they are to be dropped"
    )]
    AdoptedDown { db_schema: String },
    #[error("{what} needs a privilege that is missing; somebody who may has to run: {needed}")]
    Privilege { what: &'static str, needed: String, source: Option<tokio_postgres::Error> },
    #[error(
        "{what} was refused by something of the database's owner, it seems by an event trigger ({triggers}); a superuser \
         can run: {fix}"
    )]
    EventTrigger { what: &'static str, triggers: String, fix: String, source: tokio_postgres::Error },
    #[error(
        "{what} failed, because {holders}; end that transaction (SELECT pg_terminate_backend(PID) ends its session) or run \
         the same command later"
    )]
    Locked { what: &'static str, holders: String, source: tokio_postgres::Error },
    #[error("{what} failed")]
    Database { what: &'static str, source: tokio_postgres::Error },
}

impl MigrateError {
    /// Whether the same may succeed later without anybody fixing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database { source, .. } => ErrorClass::of_statement(source).is_temporary(),
            Self::Locked { .. } => true,
            _ => false,
        }
    }
}

pub(crate) fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    move |source| MigrateError::Database { what, source }
}

/// Tells a missing privilege apart. An error of our own SQL brings along what is needed as its hint.
pub(crate) fn denied_or_failed(
    what: &'static str,
    needed: &str,
) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    move |source| match source.as_db_error() {
        Some(error) if *error.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            let needed = error.hint().unwrap_or(needed).to_owned();
            MigrateError::Privilege { what, needed, source: Some(source) }
        }
        _ => MigrateError::Database { what, source },
    }
}
