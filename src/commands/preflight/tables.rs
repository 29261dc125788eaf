//! The tables and the ledger: what there is, what a load would make, and why it could not.

use tokio_postgres::Client;

use super::{
    Wanted,
    finding::{Finding, Severity},
    role::{grants, grants_on},
};
use crate::{
    commands::{
        database::{exit_code_of, failure_of_migration},
        failure::Failure,
        pending::table_is_missing,
        tables::{missing_of, refuse_missing},
    },
    migrate::{
        self, BULK_VERSION, Difference, LEDGER_VERSION, LedgerState, MigrateError, MigrationStatus,
        PLANS_VERSION, State, Status,
    },
    postgres::quote_identifier,
    runs::{PendingStep, pending_steps},
    settings::MissingDdl,
    tables::Table,
};

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) are_there: bool,
    /// Whether there is a ledger that tells of runs.
    pub(crate) have_ledger: bool,
    /// The ledger's version; none where it is missing or not for the role to read.
    pub(crate) ledger_version: Option<i32>,
    /// Whether there is a ledger that the role may not read.
    pub(crate) is_unreadable: bool,
    /// What an unfinished bulk load has dropped.
    pub(crate) pending: Vec<PendingStep>,
    /// What would be applied before a load.
    pub(crate) ddl: Vec<String>,
    /// Where the tables are not as they should be, though a load can bear it.
    pub(crate) differences: Vec<String>,
}

impl Tables {
    /// Whether a load has nothing to apply first.
    pub(crate) fn are_ready(&self) -> bool {
        self.are_there && self.ledger_version == Some(LEDGER_VERSION) && self.ddl.is_empty()
    }
}

/// Looks at tables and ledger; none where a look at the rows would fail.
pub(crate) async fn look_at_tables(
    client: &mut Client,
    wanted: Wanted<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Option<Tables>, Failure> {
    let db_schema = wanted.db_schema;
    let status = match look_at_ledger(client, db_schema).await {
        Ok(status) => Some(status),
        Err(error @ MigrateError::Privilege { .. }) => {
            findings.push(finding_of(error)?);
            None
        }
        Err(error) => {
            findings.push(finding_of(error)?);
            return Ok(None);
        }
    };
    // A ledger of an older release is brought up to date before the load looks for its run.
    let ledger_version = status.as_ref().and_then(|status| match status.ledger {
        LedgerState::Current => Some(LEDGER_VERSION),
        LedgerState::Outdated { version } => Some(version),
        LedgerState::Missing => None,
    });
    let is_since = |version| ledger_version.is_some_and(|known| known >= version);
    let mut tables = Tables {
        ledger_version,
        have_ledger: is_since(PLANS_VERSION),
        is_unreadable: status.is_none(),
        ..Tables::default()
    };
    if is_since(BULK_VERSION) {
        let pending = pending_steps(client, db_schema).await;
        tables.pending =
            pending.map_err(|error| Failure::new(exit_code_of(error.class()), error.message()))?;
    }
    if let Some(step) = tables.pending.first() {
        let missing = missing_of(client, db_schema).await?;
        if !missing.is_empty() {
            let what = table_is_missing(step.run_id, &missing, db_schema);
            findings.push(Finding::refused("tables:missing", what));
            return Ok(None);
        }
        tables.are_there = true;
        return Ok(Some(tables));
    }
    tables.are_there = match &status {
        Some(status) => status.migrations.iter().all(|one| one.state != State::Pending),
        // Where the ledger can't be read, whatever has the name of a table is taken for one.
        None => is_any_there(client, db_schema).await?,
    };
    let are_bearable =
        !tables.are_there || look_at_differences(client, wanted, &mut tables, findings).await?;
    if let Some(status) = status {
        look_at_ddl(client, wanted, &status, &mut tables, findings).await?;
    }
    Ok(are_bearable.then_some(tables))
}

async fn is_any_there(client: &Client, db_schema: &str) -> Result<bool, Failure> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let relations =
        client.query(include_str!("../../../sql/catalog/relations.sql"), &[&db_schema, &names]).await;
    let failed = |error| Failure::of_database("looking for the tables failed", error);
    Ok(!relations.map_err(failed)?.is_empty())
}

/// Where migrations and ledger stand.
async fn look_at_ledger(client: &mut Client, db_schema: &str) -> Result<Status, MigrateError> {
    let status = migrate::status(client, db_schema).await?;
    if status.ledger == LedgerState::Current {
        migrate::check_ledger(client, db_schema).await?;
    }
    Ok(status)
}

/// Whether a load can bear them.
async fn look_at_differences(
    client: &mut Client,
    wanted: Wanted<'_>,
    tables: &mut Tables,
    findings: &mut Vec<Finding>,
) -> Result<bool, Failure> {
    let db_schema = wanted.db_schema;
    let differences = migrate::verify(client, db_schema).await.map_err(failure_of_migration)?;
    let (breaking, bearable): (Vec<_>, Vec<_>) = differences.into_iter().partition(|one| one.breaks_load);
    let is_bearable = breaking.is_empty();
    if !is_bearable {
        let mut finding = finding_of(MigrateError::Differs(breaking))?;
        finding.sql.extend(grants_on_missing(client, wanted).await?);
        findings.push(finding);
    }
    for Difference { what, fix, .. } in bearable {
        let finding = Finding::new("tables:drift", Severity::Warning, &what).with_sql(vec![fix]);
        findings.push(Finding { sql_in_short: Some(BY_VERIFY), ..finding });
        tables.differences.push(what);
    }
    Ok(is_bearable)
}

/// What the role is to be granted on tables that are to be made: whoever makes them may be another one.
async fn grants_on_missing(client: &Client, wanted: Wanted<'_>) -> Result<Vec<String>, Failure> {
    let missing = missing_of(client, wanted.db_schema).await?;
    let tables: Vec<_> =
        Table::ALL.into_iter().filter(|table| missing.iter().any(|name| name == table.name())).collect();
    let (role, _) = role_and_database(client).await?;
    Ok(grants_on(&tables, wanted.db_schema, &role, wanted.on_existing))
}

async fn role_and_database(client: &Client) -> Result<(String, String), Failure> {
    let sql = "SELECT current_user::text AS role, pg_catalog.current_database()::text AS database";
    let failed = |error| Failure::of_database("asking who the role is failed", error);
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    Ok((row.get("role"), row.get("database")))
}

/// What a load would apply, and whether it may.
async fn look_at_ddl(
    client: &mut Client,
    wanted: Wanted<'_>,
    status: &Status,
    tables: &mut Tables,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let db_schema = wanted.db_schema;
    if wanted.missing_ddl == MissingDdl::Apply {
        tables.ddl = ddl(status, tables.differences.is_empty());
        if tables.are_ready() {
            return Ok(());
        }
        for error in migrate::missing_for_up(client, db_schema).await.map_err(failure_of_migration)? {
            findings.push(finding_of(error)?);
        }
        return Ok(());
    }
    let Err(failure) = refuse_missing(!tables.are_there, status.ledger) else { return Ok(()) };
    let code = if tables.are_there { "ledger:missing" } else { "tables:missing" };
    let mut finding = Finding::refused(code, failure.to_string());
    if status.ledger == LedgerState::Missing || !tables.are_there {
        let (role, database) = role_and_database(client).await?;
        // To the owner nothing has to be granted; whoever it will be, it does no harm.
        let sql = grants(db_schema, &role, &database, wanted.on_existing);
        finding = finding.with_sql(sql);
        finding.sql_in_short =
            Some("'profile-loader doctor' lists what has to be granted to another role afterwards");
    }
    findings.push(finding);
    Ok(())
}

/// What would be applied before the load. Tables that another program made are not adopted while they differ.
fn ddl(status: &Status, are_alike: bool) -> Vec<String> {
    let words = |one: &MigrationStatus| {
        let migration = format!("migration {:04} {}", one.version, one.name);
        match one.state {
            State::Pending => Some(migration),
            State::Adoptable if are_alike => Some(format!("a record of {migration}, whose tables are there")),
            _ => None,
        }
    };
    let ledger = match status.ledger {
        LedgerState::Current => None,
        LedgerState::Missing => Some(format!("the ledger, version {LEDGER_VERSION}")),
        LedgerState::Outdated { version } => {
            Some(format!("the ledger, from version {version} to {LEDGER_VERSION}"))
        }
    };
    status.migrations.iter().filter_map(words).chain(ledger).collect()
}

const BY_VERIFY: &str = "'profile-loader migrate verify' gives the SQL that fixes it";

/// What an error says that a person has to act on; one that may pass stays a failure.
fn finding_of(error: MigrateError) -> Result<Finding, Failure> {
    let statements = |text: &str| text.split("; ").map(str::to_owned).collect();
    Ok(match error {
        MigrateError::NoSchema { db_schema, database, .. } => {
            let what = format!("there is no schema {db_schema} in database {database}");
            let sql = vec![format!("CREATE SCHEMA {}", quote_identifier(&db_schema))];
            Finding::refused("tables:schema", what).with_sql(sql)
        }
        MigrateError::Privilege { what, needed, .. } => {
            let what = format!("{what} needs a privilege that is missing");
            Finding::refused("role:privileges", what).with_sql(statements(&needed))
        }
        MigrateError::Differs(differences) => {
            let sql = differences.iter().map(|one| one.fix.trim_end_matches(';').to_owned()).collect();
            let whats: Vec<_> = differences.into_iter().map(|one| one.what).collect();
            let what =
                format!("the tables that are there are not what the loader needs: {}", whats.join("; "));
            let sql_in_short = Some("'profile-loader migrate verify' gives the SQL that fixes each");
            Finding { sql_in_short, ..Finding::refused("tables:differ", what).with_sql(sql) }
        }
        MigrateError::SearchPath { .. } => Finding::refused("tables:schema", error.to_string()),
        MigrateError::Changed { .. } | MigrateError::Newer { .. } => {
            Finding::refused("tables:migration", error.to_string())
        }
        MigrateError::LedgerLayout { .. }
        | MigrateError::NewerLedger { .. }
        | MigrateError::LedgerDamaged(_)
        | MigrateError::NoLedger => Finding::refused("ledger:unusable", error.to_string()),
        error => return Err(failure_of_migration(error)),
    })
}
