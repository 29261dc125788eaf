//! What can be known before a run is begun: that the role may do all that the load will, and that a session of each
//! kind can be made.

use std::fmt;

use tokio_postgres::{Client, types::ToSql};

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
    /// What the owner has set up on the tables: what it is, and the statement that changes it.
    OwnersRules(Vec<(String, String)>),
}

/// A setting of the role's or the database's that a command can't do its work with.
#[derive(Debug)]
pub(crate) struct UnfitSetting {
    name: String,
    value: String,
    consequence: String,
    /// None where it came with the connection's own options.
    statement: Option<String>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privileges(statements) => write!(
                f,
                "loading needs privileges that are missing, so nothing was begun; somebody who may has to run: {}",
                statements.join("; ")
            ),
            Self::Connections { limit, statement } => write!(
                f,
                "a load needs {CONNECTIONS_MIN} connections at least, and the limit is {limit}, so nothing was begun; \
                 somebody who may has to run: {statement}"
            ),
            Self::OwnersRules(rules) => {
                let (what, mut statements): (Vec<_>, Vec<_>) =
                    rules.iter().map(|(what, statement)| (what.as_str(), statement.as_str())).unzip();
                // One attribute of the role helps with every table.
                statements.dedup();
                write!(
                    f,
                    "{}; nothing was begun; somebody who may has to run: {}",
                    what.join("; "),
                    statements.join("; ")
                )
            }
        }
    }
}

impl UnfitSetting {
    /// Whether it may be so for a while only: servers in trouble, such as one whose disk is full, are set read-only by
    /// those who operate them.
    pub(crate) fn may_pass(&self) -> bool {
        self.name == "default_transaction_read_only" && self.statement.is_some()
    }
}

impl fmt::Display for UnfitSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, consequence, statement } = self;
        write!(f, "{name} is {value} in this session, so {consequence}; nothing was begun; ")?;
        match statement {
            Some(statement) if self.may_pass() => write!(
                f,
                "run the same command again once the server takes writes, or, if that may be changed, somebody who may \
                 has to run: {statement}"
            ),
            Some(statement) => write!(f, "if that may be changed, somebody who may has to run: {statement}"),
            None => write!(f, "leave it out of the connection's options (options=, PGOPTIONS)"),
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
    let needed = needed(on_existing);
    let privileges: Vec<_> = needed.iter().map(|one| one.privilege).collect();
    let tables: Vec<_> = needed.iter().map(|one| one.table.name()).collect();
    let columns: Vec<_> = needed.iter().map(|one| one.columns.join(",")).collect();
    let names: &[&str] = &Table::ALL.map(Table::name);
    let parameters: [&(dyn ToSql + Sync); 5] = [&db_schema, &names, &privileges, &tables, &columns];
    let rows = client
        .query(include_str!("../../sql/runs/missing_grants.sql"), &parameters)
        .await
        .map_err(failed("reading the privileges on the tables"))?;
    let missing: Vec<String> = rows.iter().map(|row| row.get("statement")).collect();
    if !missing.is_empty() {
        return Ok(Some(Unfit::Privileges(missing)));
    }
    let is_updating = on_existing == OnExisting::Update;
    let rows = client
        .query(include_str!("../../sql/runs/owners_rules.sql"), &[&db_schema, &names, &is_updating])
        .await
        .map_err(failed("reading the rules and policies on the tables"))?;
    let rules: Vec<_> = rows.iter().map(|row| (row.get("what"), row.get("statement"))).collect();
    Ok((!rules.is_empty()).then_some(Unfit::OwnersRules(rules)))
}

/// What the owner has set up on the tables that may refuse or change what is written.
pub(super) async fn unforeseen(client: &Client, db_schema: &str) -> Result<Vec<String>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = client
        .query(include_str!("../../sql/runs/unforeseen.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the owner's rules on the tables"))?;
    Ok(rows.iter().map(|row| row.get("what")).collect())
}

/// Whether the session can write, and for `needs_triggers` whether foreign keys and triggers are at work in it.
pub(crate) async fn check_settings(
    client: &Client,
    needs_triggers: bool,
) -> Result<Option<UnfitSetting>, tokio_postgres::Error> {
    let row = client.query(include_str!("../../sql/runs/role_settings.sql"), &[&needs_triggers]).await?;
    Ok(row.first().map(|row| UnfitSetting {
        name: row.get("name"),
        value: row.get("setting"),
        consequence: row.get("consequence"),
        statement: (!row.get::<_, bool>("is_of_client")).then(|| row.get("statement")),
    }))
}

struct Needed {
    privilege: &'static str,
    table: Table,
    /// Those that are read or written.
    columns: Vec<&'static str>,
}

fn needed(on_existing: OnExisting) -> Vec<Needed> {
    let is_updating = on_existing == OnExisting::Update;
    let mut needed = Vec::new();
    for table in Table::ALL {
        let copied: Vec<_> = table.copied_columns().map(|column| column.name).collect();
        // `sql/merge/classify.sql` asks who wrote a profile, and an update tells e-mails apart by their own ids.
        let mut read = copied.clone();
        read.extend((table == Table::Profiles).then_some("xmin"));
        read.extend(table.definition().primary_key.columns.iter().filter(|_| is_updating));
        needed.push(Needed { privilege: "SELECT", table, columns: read });
        needed.push(Needed { privilege: "INSERT", table, columns: copied.clone() });
        let keys = table.definition().primary_key.columns;
        let changed: Vec<_> = copied.into_iter().filter(|column| !keys.contains(column)).collect();
        let updating = updating(table).iter().filter(|_| is_updating);
        needed.extend(updating.map(|privilege| Needed { privilege, table, columns: changed.clone() }));
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
