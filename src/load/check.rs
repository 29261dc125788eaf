//! What can be known before a run is begun: that the role may do all that the load will, and that a session of each
//! kind can be made.

use std::fmt;

use tokio_postgres::Client;

use crate::{
    postgres::{Target, quote_identifier},
    runs::{RunError, failed},
    session::{SessionPool, SessionSettings},
    settings::{OnExisting, Timeouts},
    tables::Table,
};

/// One holds the target while another loads.
const CONNECTIONS_MIN: i32 = 2;

/// What somebody has to grant before a load can begin.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// Statements that grant what is missing.
    Privileges(Vec<String>),
    Connections {
        limit: i32,
        statement: String,
    },
    /// Rules, and the statements that take them out of the way.
    Rules {
        rules: Vec<String>,
        statements: Vec<String>,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privileges(statements) => write!(
                f,
                "loading needs privileges that are missing, so nothing was begun; somebody who may has to run: {}",
                statements.join("; ")
            ),
            Self::Rules { rules, statements } => write!(
                f,
                "rules rewrite what a load writes to the tables, so nothing was begun: {}; make triggers of them, or take \
                 them out of the way: {}",
                rules.join(", "),
                statements.join("; ")
            ),
            Self::Connections { limit, statement } => write!(
                f,
                "a load needs {CONNECTIONS_MIN} connections at least, and the limit is {limit}, so nothing was begun; \
                 somebody who may has to run: {statement}"
            ),
        }
    }
}

/// Whether the role may load, as far as the catalog says.
pub(crate) async fn check_role(
    client: &Client,
    db_schema: &str,
    on_existing: OnExisting,
) -> Result<Option<Unfit>, RunError> {
    if let Some(unfit) = connections(client).await? {
        return Ok(Some(unfit));
    }
    let (privileges, tables): (Vec<&str>, Vec<&str>) =
        needed(on_existing).into_iter().map(|(privilege, table)| (privilege, table.name())).unzip();
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = client
        .query(include_str!("../../sql/runs/missing_grants.sql"), &[&db_schema, &names, &privileges, &tables])
        .await
        .map_err(failed("reading the privileges on the tables"))?;
    let missing: Vec<String> = rows.iter().map(|row| row.get("statement")).collect();
    if !missing.is_empty() {
        return Ok(Some(Unfit::Privileges(missing)));
    }
    rules(client, db_schema, on_existing).await
}

async fn rules(client: &Client, db_schema: &str, on_existing: OnExisting) -> Result<Option<Unfit>, RunError> {
    let (names, updates): (&[&str], _) = (&Table::ALL.map(Table::name), on_existing == OnExisting::Update);
    let rows = client
        .query(include_str!("../../sql/runs/rules.sql"), &[&db_schema, &names, &updates])
        .await
        .map_err(failed("reading the rules of the tables"))?;
    let of = |column: &str| rows.iter().map(|row| row.get(column)).collect();
    Ok((!rows.is_empty()).then(|| Unfit::Rules { rules: of("rule"), statements: of("statement") }))
}

fn needed(on_existing: OnExisting) -> Vec<(&'static str, Table)> {
    let mut needed = Vec::new();
    for table in Table::ALL {
        needed.extend([("SELECT", table), ("INSERT", table)]);
        if on_existing == OnExisting::Update {
            needed.extend(updating(table).iter().map(|&privilege| (privilege, table)));
        }
    }
    needed
}

/// What `sql/merge/update_*.sql` and `lock_profiles.sql` do besides.
fn updating(table: Table) -> &'static [&'static str] {
    match table {
        Table::Profiles => &["UPDATE"],
        Table::Addresses => &["UPDATE", "DELETE"],
        Table::Emails | Table::PhoneNumbers => &["DELETE"],
    }
}

async fn connections(client: &Client) -> Result<Option<Unfit>, RunError> {
    let row = client
        .query_opt(include_str!("../../sql/runs/connection_limit.sql"), &[])
        .await
        .map_err(failed("reading how many connections the role may have"))?;
    let Some(row) = row else { return Ok(None) };
    let Some(limit) = row.get::<_, Option<i32>>("connections").filter(|limit| *limit < CONNECTIONS_MIN)
    else {
        return Ok(None);
    };
    let object = if row.get("is_of_role") {
        format!("ROLE {}", quote_identifier(row.get("role")))
    } else {
        format!("DATABASE {}", quote_identifier(row.get("database")))
    };
    let statement = format!("ALTER {object} CONNECTION LIMIT {CONNECTIONS_MIN}");
    Ok(Some(Unfit::Connections { limit, statement }))
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
        drop(pool.connect_waiting(timeouts.db_wait, report).await?);
        pool.end_sessions();
    }
    Ok(())
}
