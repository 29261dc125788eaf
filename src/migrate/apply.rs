//! The migrations on a server. Each function is one transaction, so a crash leaves all of it or nothing, and
//! every one of them that writes holds the migration lock first: of two at the same time, the second finds
//! the work done.

use tokio_postgres::{Client, Error, IsolationLevel, Row, Transaction};

use super::{
    Difference, LedgerState, MigrateError, MigrationStatus, State, denied_or_failed, failed, ledger,
    script::{self, DdlContext, Step},
    situation::{self, Applied, Server, Situation},
    verify::{differences, in_words, refusing_columns},
};
use crate::{
    postgres::{Catalog, ErrorClass, RelationKind, quote_identifier},
    report::RowCounts,
    tables::Table,
};

/// What `up` did; nothing, where everything was applied before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpOutcome {
    pub applied: Vec<Applied>,
    /// Only recorded: the tables were there and are what the migration would have made.
    pub adopted: Vec<Applied>,
    /// What the ledger was, where it was made or brought up to date.
    pub ledger_was: Option<LedgerState>,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub migrations: Vec<MigrationStatus>,
    pub ledger: LedgerState,
}

/// What `down` did, newest first; nothing, where nothing was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownOutcome {
    pub reverted: Vec<Applied>,
}

/// Whether `down` may drop tables that hold rows or that another program made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteData {
    Refuse,
    Confirmed,
}

/// Applies what is missing; takes over tables that are there already if nothing about them differs.
pub async fn up(client: &mut Client, db_schema: &str) -> Result<UpOutcome, MigrateError> {
    let done = try_up(client, db_schema).await;
    explained(client, db_schema, done).await
}

async fn try_up(client: &mut Client, db_schema: &str) -> Result<UpOutcome, MigrateError> {
    let transaction = begin_locked(client).await?;
    let situation = Situation::look(&transaction, db_schema).await?;
    let steps = situation.steps_of_up()?;
    if !steps.is_empty() {
        situation.refuse_up_without_privilege()?;
        check_search_path(&transaction, &situation.place()).await?;
        search_as_the_role_does(&transaction).await?;
        run(&transaction, &steps).await?;
        commit(transaction).await?;
    }
    Ok(UpOutcome {
        applied: situation.in_state(State::Pending),
        adopted: situation.in_state(State::Adoptable),
        ledger_was: situation.ledger_to_be_changed(),
    })
}

/// All that the role lacks for [`up`], as far as the catalog says; changes nothing.
pub(crate) async fn missing_for_up(
    client: &mut Client,
    db_schema: &str,
) -> Result<Vec<MigrateError>, MigrateError> {
    let transaction = begin_read_only(client).await?;
    let situation = Situation::look(&transaction, db_schema).await?;
    let mut missing: Vec<_> = situation.refuse_up_without_privilege().err().into_iter().collect();
    if !situation.in_state(State::Pending).is_empty() && needs_pgcrypto(&transaction).await? {
        let what = "creating the extension pgcrypto, for gen_random_uuid() before PostgreSQL 13,";
        missing.push(MigrateError::Privilege { what, needed: CREATE_PGCRYPTO.to_owned(), source: None });
    }
    let Some(step) = situation.steps_of_ledger().into_iter().next() else { return Ok(missing) };
    let row = transaction
        .query_one(include_str!("../../sql/ledger/may_create.sql"), &[])
        .await
        .map_err(failed("asking for the privileges on the schema profile_loader"))?;
    let is_allowed: bool = row.get("may_create");
    if !is_allowed {
        let what = "making the ledger";
        missing.push(MigrateError::Privilege { what, needed: step.needed, source: None });
    }
    Ok(missing)
}

/// For a superuser.
const CREATE_PGCRYPTO: &str = "CREATE EXTENSION \"pgcrypto\"";

async fn needs_pgcrypto(transaction: &Transaction<'_>) -> Result<bool, MigrateError> {
    let row = transaction
        .query_one(include_str!("../../sql/ledger/needs_pgcrypto.sql"), &[])
        .await
        .map_err(failed("looking for the extension pgcrypto"))?;
    Ok(row.get("needs_pgcrypto"))
}

/// Makes the ledger or brings it up to date, and leaves the tables alone: for those that are not adopted because
/// they differ, but can be loaded into.
pub async fn up_ledger(client: &mut Client, db_schema: &str) -> Result<UpOutcome, MigrateError> {
    let done = try_up_ledger(client, db_schema).await;
    explained(client, db_schema, done).await
}

async fn try_up_ledger(client: &mut Client, db_schema: &str) -> Result<UpOutcome, MigrateError> {
    let transaction = begin_locked(client).await?;
    let situation = Situation::look(&transaction, db_schema).await?;
    let steps = situation.steps_of_ledger();
    if !steps.is_empty() {
        search_as_the_role_does(&transaction).await?;
        run(&transaction, &steps).await?;
        commit(transaction).await?;
    }
    Ok(UpOutcome { ledger_was: situation.ledger_to_be_changed(), ..UpOutcome::default() })
}

/// Refuses where a load could not keep account of itself: run before anything is loaded.
pub async fn check_ledger(client: &mut Client, db_schema: &str) -> Result<(), MigrateError> {
    let transaction = begin_read_only(client).await?;
    let server = Server::find(&transaction, db_schema).await?;
    let role = quote_identifier(&server.role);
    match ledger::read(&transaction, db_schema, &role).await?.state {
        LedgerState::Current => ledger::refuse_load_without_privilege(&transaction, &role).await,
        LedgerState::Missing | LedgerState::Outdated { .. } => Err(MigrateError::NoLedger),
    }
}

/// Takes back what is recorded for the schema: drops the tables and the enum.
pub async fn down(
    client: &mut Client,
    db_schema: &str,
    delete_data: DeleteData,
) -> Result<DownOutcome, MigrateError> {
    let done = try_down(client, db_schema, delete_data).await;
    explained(client, db_schema, done).await
}

async fn try_down(
    client: &mut Client,
    db_schema: &str,
    delete_data: DeleteData,
) -> Result<DownOutcome, MigrateError> {
    let transaction = begin_locked(client).await?;
    let situation = Situation::look(&transaction, db_schema).await?;
    situation.refuse_unknown()?;
    let mut reverted = situation.in_state(State::Applied);
    reverted.reverse();
    if reverted.is_empty() {
        return Ok(DownOutcome::default());
    }
    check_search_path(&transaction, &situation.place()).await?;
    if delete_data == DeleteData::Refuse {
        situation.refuse_adopted()?;
        refuse_rows(&transaction, &situation).await?;
    }
    run(&transaction, &situation.steps_of_down()).await?;
    commit(transaction).await?;
    Ok(DownOutcome { reverted })
}

/// Where each migration stands; changes nothing.
pub async fn status(client: &mut Client, db_schema: &str) -> Result<Status, MigrateError> {
    let looked = look_for_status(client, db_schema).await;
    explained(client, db_schema, looked).await
}

async fn look_for_status(client: &mut Client, db_schema: &str) -> Result<Status, MigrateError> {
    let transaction = begin_read_only(client).await?;
    let situation = Situation::look(&transaction, db_schema).await?;
    Ok(Status { migrations: situation.plan, ledger: situation.ledger.state })
}

/// Where the tables are not what the loader needs; changes nothing, and asks no ledger.
pub async fn verify(client: &mut Client, db_schema: &str) -> Result<Vec<Difference>, MigrateError> {
    let looked = look_for_verify(client, db_schema).await;
    explained(client, db_schema, looked).await
}

async fn look_for_verify(client: &mut Client, db_schema: &str) -> Result<Vec<Difference>, MigrateError> {
    let transaction = begin_read_only(client).await?;
    Server::find(&transaction, db_schema).await?;
    Ok(differences(&situation::read_catalog(&transaction, db_schema).await?))
}

/// What the columns of the tables are now that refuses documents, in one line; changes the search path of the
/// transaction.
pub(crate) async fn drift(transaction: &Transaction<'_>, db_schema: &str) -> Result<Option<String>, Error> {
    let catalog = Catalog::read(transaction, db_schema).await?;
    let differences = refusing_columns(&catalog);
    Ok((!differences.is_empty()).then(|| in_words(&differences)))
}

/// The SQL that `up` would run, to the letter; without a client, that for a database without the tables.
/// Changes nothing.
pub async fn pending_sql(client: Option<&mut Client>, db_schema: &str) -> Result<String, MigrateError> {
    let steps = match client {
        Some(client) => {
            let transaction = begin_read_only(client).await?;
            Situation::look(&transaction, db_schema).await?.steps_of_up()?
        }
        None => Situation::of_empty_database(db_schema).steps_of_up()?,
    };
    if steps.is_empty() {
        return Ok("-- every migration is applied\n".to_owned());
    }
    let steps: Vec<_> = steps.iter().map(|step| step.sql.as_str()).collect();
    Ok(format!("BEGIN;\n{}\n{}COMMIT;\n", script::lock(), steps.join("\n")))
}

/// What is read after the lock was waited for must be what its last holder left: hence READ COMMITTED.
async fn begin_locked(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(failed("BEGIN"))?;
    transaction
        .batch_execute(&script::lock())
        .await
        .map_err(failed("waiting for another migration to end"))?;
    Ok(transaction)
}

/// One picture for all that is read, however many queries it takes.
async fn begin_read_only(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    transaction.start().await.map_err(failed("BEGIN"))
}

/// A schema in the search path counts only if the role may use it, and `$user` means another one.
async fn check_search_path(
    transaction: &Transaction<'_>,
    place: &DdlContext<'_>,
) -> Result<(), MigrateError> {
    let what = "finding the schema of the tables";
    run(transaction, &[script::search_path_for_down(place)]).await?;
    let row = transaction.query_one("SELECT current_schema()::text", &[]).await.map_err(failed(what))?;
    match row.get::<_, Option<String>>(0) {
        Some(found) if found == place.db_schema => Ok(()),
        Some(found) => Err(MigrateError::SearchPath { db_schema: place.db_schema.to_owned(), found }),
        None => {
            let needed = script::grant_create(place);
            Err(MigrateError::Privilege { what, needed, source: None })
        }
    }
}

/// An owner's event trigger finds what it finds in other sessions of the role; our own names are qualified.
async fn search_as_the_role_does(transaction: &Transaction<'_>) -> Result<(), MigrateError> {
    let default = "SET LOCAL search_path TO DEFAULT";
    transaction.batch_execute(default).await.map_err(failed("setting the search path"))
}

/// Keeps writers out until the end of the transaction, so that what is empty stays so.
async fn refuse_rows(transaction: &Transaction<'_>, situation: &Situation) -> Result<(), MigrateError> {
    let needed = script::grant_ownership(&situation.place(), &situation.owners());
    let db_schema = &situation.catalog.db_schema;
    // Whatever else bears the name of a table is not dropped as one.
    let is_table = |table: &Table| {
        let kind = situation.catalog.relation(*table).map(|relation| relation.kind);
        matches!(kind, Some(RelationKind::Table | RelationKind::PartitionedTable))
    };
    let tables: Vec<_> = Table::ALL.into_iter().filter(is_table).collect();
    let qualified = |table: Table| format!("{}.{}", quote_identifier(db_schema), table.name());
    for &table in &tables {
        let lock = format!("LOCK TABLE {} IN EXCLUSIVE MODE", qualified(table));
        let failed = denied_or_failed("locking the tables", &needed);
        transaction.batch_execute(&lock).await.map_err(failed)?;
    }
    let mut rows = [0; 4];
    for table in tables {
        let count = format!("SELECT count(*) FROM {}", qualified(table));
        let failed = denied_or_failed("counting the rows of the tables", &needed);
        let count: i64 = transaction.query_one(&count, &[]).await.map_err(failed)?.get(0);
        rows[table as usize] = u64::try_from(count).expect("a count is not negative");
    }
    if rows == [0; 4] {
        return Ok(());
    }
    let rows = RowCounts::of_tables(rows);
    Err(MigrateError::HoldsRows { db_schema: db_schema.clone(), rows })
}

/// Names who is in the way: whoever holds a lock on the tables, or the owner's event trigger, for DDL knows no rows that
/// could be refused.
async fn explained<T>(
    client: &Client,
    db_schema: &str,
    done: Result<T, MigrateError>,
) -> Result<T, MigrateError> {
    let Err(MigrateError::Database { what, source }) = done else { return done };
    let class = ErrorClass::of_statement(&source);
    let explained = match class {
        ErrorClass::Locked => {
            let names: &[&str] = &Table::ALL.map(Table::name);
            let sql = include_str!("../../sql/bulk/lock_holders.sql");
            let rows = client.query(sql, &[&db_schema, &names]).await.unwrap_or_default();
            let holders = joined(&rows, |row| {
                let (holder, tables): (String, String) = (row.get("holder"), row.get("tables"));
                format!("{holder} holds a lock on {tables}")
            });
            (!rows.is_empty()).then_some((holders, String::new()))
        }
        ErrorClass::Data => {
            let rows = client.query(include_str!("../../sql/ledger/event_triggers.sql"), &[]).await;
            let rows = rows.unwrap_or_default();
            let triggers = joined(&rows, |row| {
                format!("{}, function {}", row.get::<_, String>("name"), row.get::<_, String>("function"))
            });
            (!rows.is_empty()).then(|| (triggers, joined(&rows, |row| row.get("fix"))))
        }
        _ => None,
    };
    Err(match explained {
        None => MigrateError::Database { what, source },
        Some((holders, _)) if class == ErrorClass::Locked => MigrateError::Locked { what, holders, source },
        Some((triggers, fix)) => MigrateError::EventTrigger { what, triggers, fix, source },
    })
}

fn joined(rows: &[Row], text: impl Fn(&Row) -> String) -> String {
    rows.iter().map(text).collect::<Vec<_>>().join("; ")
}

async fn run(transaction: &Transaction<'_>, steps: &[Step]) -> Result<(), MigrateError> {
    for step in steps {
        let failed = denied_or_failed(step.what, &step.needed);
        transaction.batch_execute(&step.sql).await.map_err(failed)?;
    }
    Ok(())
}

async fn commit(transaction: Transaction<'_>) -> Result<(), MigrateError> {
    transaction.commit().await.map_err(failed("COMMIT"))
}
