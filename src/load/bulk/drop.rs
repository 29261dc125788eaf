//! Drops, in one transaction with the beginning of the run, what slows down the filling of the four tables.

use std::fmt;

use tokio_postgres::{Client, Row, Transaction, types::ToSql};

use super::plan::{BulkPlan, Constraint, ForeignKey, Index};
use crate::{
    postgres::quote_identifier,
    runs::{RunError, failed},
    tables::Table,
};

/// Whoever wants to read the tables waits as long as we do; whoever begins the run tries again after a pause in which
/// they come through.
const LOCK_TIMEOUT_SECONDS: u32 = 1;

/// Sessions that are named, of those that hold locks.
const HOLDERS_MAX: usize = 3;

/// Why tables can't be filled in bulk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    HoldsRows {
        table: String,
    },
    NotOwner {
        table: String,
        owner: String,
    },
    NoCreate {
        db_schema: String,
    },
    NoPlainTable {
        table: String,
    },
    RowSecurity {
        table: String,
    },
    InsertRule {
        table: String,
    },
    /// Of a plan: without one, documents are merged beside what is kept.
    BetweenProfiles {
        constraint: String,
    },
    Trigger {
        trigger: String,
        table: String,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldsRows { table } => write!(f, "table {table} holds rows"),
            Self::NotOwner { table, owner } => write!(
                f,
                "only the owner of table {table}, {owner}, or a member of that role may drop its indexes"
            ),
            Self::NoCreate { db_schema } => write!(
                f,
                "restoring indexes takes the privilege CREATE on schema {db_schema}, which is missing"
            ),
            Self::NoPlainTable { table } => write!(f, "{table} is not an ordinary table"),
            Self::RowSecurity { table } => write!(f, "table {table} has row level security"),
            Self::InsertRule { table } => {
                write!(f, "table {table} has a rule on INSERT, which COPY does not follow")
            }
            Self::BetweenProfiles { constraint } => {
                write!(f, "a constraint may hold between profiles: {constraint}")
            }
            Self::Trigger { trigger, table } => {
                write!(f, "the trigger {trigger} on table {table} acts on what is inserted")
            }
        }
    }
}

/// What was dropped, in numbers and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DroppedDdl {
    /// Statements that restore everything.
    pub steps: usize,
    /// Indexes, and perhaps foreign keys, that are kept.
    pub kept: Vec<String>,
    /// JSON.
    pub objects: String,
    /// The owner's triggers that are why everything is kept, and their tables.
    pub triggers: Vec<(String, Table)>,
}

/// What stands in the way of filling the tables in bulk, if anything does.
pub(crate) async fn obstacle(
    transaction: &Transaction<'_>,
    db_schema: &str,
) -> Result<Option<Obstacle>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = transaction
        .query(include_str!("../../../sql/bulk/obstacles.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading who owns the tables"))?;
    if let Some(obstacle) = rows.iter().find_map(|row| obstacle_of(row, db_schema)) {
        return Ok(Some(obstacle));
    }
    for table in Table::ALL {
        let is_empty = format!("SELECT NOT EXISTS (SELECT FROM {})", qualified(db_schema, table));
        let row = transaction
            .query_one(&is_empty, &[])
            .await
            .map_err(failed("reading whether the tables are empty"))?;
        if !row.get::<_, bool>(0) {
            return Ok(Some(Obstacle::HoldsRows { table: table.name().to_owned() }));
        }
    }
    Ok(None)
}

fn obstacle_of(row: &Row, db_schema: &str) -> Option<Obstacle> {
    let table: String = row.get("name");
    if row.get("is_no_plain_table") {
        Some(Obstacle::NoPlainTable { table })
    } else if !row.get::<_, bool>("is_owner") {
        Some(Obstacle::NotOwner { table, owner: row.get("owner") })
    } else if row.get("has_row_security") {
        Some(Obstacle::RowSecurity { table })
    } else if row.get("has_insert_rule") {
        Some(Obstacle::InsertRule { table })
    } else if !row.get::<_, bool>("may_create") {
        Some(Obstacle::NoCreate { db_schema: db_schema.to_owned() })
    } else {
        None
    }
}

/// Locks the tables for themselves, so that what stands in the way of a bulk load can be said for certain.
pub(crate) async fn lock_tables(
    transaction: &Transaction<'_>,
    db_schema: &str,
) -> Result<Option<Obstacle>, RunError> {
    let tables: Vec<_> = Table::ALL.iter().map(|&table| qualified(db_schema, table)).collect();
    let lock = format!(
        "SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        tables.join(", ")
    );
    transaction.batch_execute(&lock).await.map_err(failed("locking the tables to drop their indexes"))?;
    obstacle(transaction, db_schema).await
}

/// Who holds locks on the tables, if anybody does; outside of a transaction.
pub(crate) async fn lock_holders(client: &Client, db_schema: &str) -> Result<Option<String>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = client
        .query(include_str!("../../../sql/bulk/lock_holders.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("asking who holds locks on the tables"))?;
    let holder = |row: &Row| {
        let (holder, tables): (String, String) = (row.get("holder"), row.get("tables"));
        format!("{holder} holds a lock on {tables}")
    };
    let mut told: Vec<_> = rows.iter().take(HOLDERS_MAX).map(holder).collect();
    match rows.len().saturating_sub(HOLDERS_MAX) {
        0 => {}
        more => told.push(format!("and {more} more")),
    }
    Ok((!told.is_empty()).then(|| told.join(", ")))
}

/// Of tables that are locked, drops what slows their filling down, where lanes copy into them; writes to the ledger what
/// restores it.
pub(crate) async fn drop_ddl(
    transaction: &Transaction<'_>,
    run_id: i64,
    db_schema: &str,
    copies: bool,
    triggers: Vec<(String, Table)>,
) -> Result<DroppedDdl, RunError> {
    let plan = read_plan(transaction, db_schema, copies).await?;
    for statement in &plan.drop {
        transaction.batch_execute(statement).await.map_err(failed("dropping indexes and foreign keys"))?;
    }
    record(transaction, run_id, &plan).await?;
    let objects = serde_json::to_string(&plan.dropped).expect("names and statements are texts");
    Ok(DroppedDdl { steps: plan.restore.len(), kept: plan.kept, objects, triggers })
}

/// The owner's triggers that act on what is inserted, and their tables.
pub(crate) async fn insert_triggers(
    transaction: &Transaction<'_>,
    db_schema: &str,
) -> Result<Vec<(String, Table)>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = transaction
        .query(include_str!("../../../sql/bulk/insert_triggers.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the triggers of the tables"))?;
    let table = |name: &str| Table::ALL.into_iter().find(|table| table.name() == name);
    Ok(rows.iter().filter_map(|row| Some((row.get("name"), table(row.get("table_name"))?))).collect())
}

async fn read_plan(
    transaction: &Transaction<'_>,
    db_schema: &str,
    copies: bool,
) -> Result<BulkPlan, RunError> {
    let what = || failed("reading the indexes and foreign keys of the tables");
    let names: &[&str] = &Table::ALL.map(Table::name);
    // So that definitions name every schema.
    let empty = "SELECT pg_catalog.set_config('search_path', '', true)";
    transaction.query_one(empty, &[]).await.map_err(what())?;
    let tables: [&(dyn ToSql + Sync); 2] = [&db_schema, &names];
    let foreign_keys = transaction
        .query(include_str!("../../../sql/bulk/foreign_keys.sql"), &tables)
        .await
        .map_err(what())?;
    let dropped = foreign_keys.iter().filter(|row| row.get("is_validated"));
    let oids: Vec<u32> = dropped.map(|row| row.get("oid")).collect();
    let indexes = transaction
        .query(include_str!("../../../sql/bulk/indexes.sql"), &[&db_schema, &names, &oids])
        .await
        .map_err(what())?;
    let foreign_keys: Vec<_> = foreign_keys.iter().map(foreign_key).collect();
    let indexes: Vec<_> = indexes.iter().map(index).collect();
    // An owner's event trigger on what comes next finds what it finds in other sessions of the role.
    let default = "SET LOCAL search_path TO DEFAULT";
    transaction.batch_execute(default).await.map_err(what())?;
    if !copies {
        return Ok(BulkPlan::of_nothing(&indexes, &foreign_keys));
    }
    Ok(BulkPlan::of(db_schema, &indexes, &foreign_keys))
}

fn foreign_key(row: &Row) -> ForeignKey {
    ForeignKey {
        table: row.get("table_name"),
        name: row.get("name"),
        definition: row.get("definition"),
        is_validated: row.get("is_validated"),
        comment: row.get("comment"),
    }
}

fn index(row: &Row) -> Index {
    let constraint = row.get::<_, Option<&str>>("constraint_kind").map(|kind| Constraint {
        is_primary_key: kind == "p",
        is_deferrable: row.get("is_deferrable"),
        is_deferred: row.get("is_deferred"),
        comment: row.get("constraint_comment"),
    });
    Index {
        table: row.get("table_name"),
        name: row.get("name"),
        definition: row.get("definition"),
        columns: row.get("columns"),
        is_unique: row.get("is_unique"),
        is_clustered: row.get("is_clustered"),
        is_computed: row.get("is_computed"),
        is_ordinary: row.get("is_ordinary"),
        is_bytewise: row.get("is_bytewise"),
        is_needed: row.get("is_needed"),
        constraint,
        comment: row.get("comment"),
    }
}

async fn record(transaction: &Transaction<'_>, run_id: i64, plan: &BulkPlan) -> Result<(), RunError> {
    for (step, one) in (0_i32..).zip(&plan.restore) {
        let after: Vec<i32> = one.after.iter().map(|&step| i32::try_from(step).expect("few steps")).collect();
        transaction
            .execute(
                "INSERT INTO profile_loader.run_ddl (run_id, step, table_name, label, sql, after)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                &[&run_id, &step, &one.table, &one.label, &one.sql, &after],
            )
            .await
            .map_err(failed("writing to the ledger what is dropped"))?;
    }
    Ok(())
}

fn qualified(db_schema: &str, table: Table) -> String {
    format!("{}.{}", quote_identifier(db_schema), table.name())
}
