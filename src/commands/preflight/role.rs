//! Whether the role may do all that a load will, as far as the catalog and the session's settings say.

use serde::Serialize;
use tokio_postgres::{Client, types::ToSql};

use super::finding::{Finding, Severity};
use crate::{
    commands::failure::Failure,
    migrate::grants_to_load,
    postgres::quote_identifier,
    settings::OnExisting,
    tables::{FilledBy, Table},
};

/// One holds the target while another loads.
pub(crate) const CONNECTIONS_MIN: i32 = 2;

/// Settings that somebody gave the role or the database and that a command can't do its work with: whether the session
/// can write, and for `needs_triggers` whether foreign keys and triggers are at work in it.
pub(crate) async fn look_at_settings(
    client: &Client,
    needs_triggers: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let rows = client.query(include_str!("../../../sql/runs/role_settings.sql"), &[&needs_triggers]).await;
    let failed = |error| Failure::of_database("reading the settings of the session failed", error);
    for row in rows.map_err(failed)? {
        let (name, value): (&str, &str) = (row.get("name"), row.get("setting"));
        let mut what = format!("{name} is {value} in this session, so {}", row.get::<_, &str>("consequence"));
        if row.get("is_of_client") {
            what += "; leave it out of the connection's options (options=, PGOPTIONS)";
            findings.push(Finding::refused("session:setting", what));
            continue;
        }
        // Servers in trouble, such as one whose disk is full, are set read-only by those who operate them.
        let may_pass = name == "default_transaction_read_only";
        what += if may_pass {
            "; run the same command again once the server takes writes, or, if that may be changed"
        } else {
            "; if that may be changed"
        };
        let severity = if may_pass { Severity::Temporary } else { Severity::Refused };
        let sql = vec![row.get("statement")];
        findings.push(Finding::new("session:setting", severity, what).with_sql(sql));
    }
    Ok(())
}

/// Connections, privileges, and what the tables' owner has set up that our statements can't be used with.
pub(crate) async fn look_at_role(
    client: &Client,
    db_schema: &str,
    on_existing: OnExisting,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    findings.extend(connection_limit(client).await?);
    let needed = needed(on_existing);
    let privileges: Vec<_> = needed.iter().map(|one| one.privilege).collect();
    let tables: Vec<_> = needed.iter().map(|one| one.table.name()).collect();
    let columns: Vec<_> = needed.iter().map(|one| one.columns.join(",")).collect();
    let names: &[&str] = &Table::ALL.map(Table::name);
    let parameters: [&(dyn ToSql + Sync); 5] = [&db_schema, &names, &privileges, &tables, &columns];
    let failed = |error| Failure::of_database("reading the privileges on the tables failed", error);
    let sql = include_str!("../../../sql/runs/missing_grants.sql");
    let missing = client.query(sql, &parameters).await.map_err(failed)?;
    if !missing.is_empty() {
        let what = "loading needs privileges that are missing";
        let sql = missing.iter().map(|row| row.get("statement")).collect();
        findings.push(Finding::refused("role:privileges", what).with_sql(sql));
    }
    let is_updating = on_existing == OnExisting::Update;
    let failed = |error| Failure::of_database("reading the rules and policies on the tables failed", error);
    let sql = include_str!("../../../sql/runs/owners_rules.sql");
    for row in client.query(sql, &[&db_schema, &names, &is_updating]).await.map_err(failed)? {
        let code = if row.get::<_, i32>("part") == 1 { "tables:row_security" } else { "tables:rule" };
        let what: &str = row.get("what");
        findings.push(Finding::refused(code, what).with_sql(vec![row.get("statement")]));
    }
    Ok(())
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

/// All that a role needs which is neither the owner of the tables nor of the ledger, once these are there.
pub(super) fn grants(db_schema: &str, role: &str, database: &str, on_existing: OnExisting) -> Vec<String> {
    let mut grants =
        vec![format!("GRANT USAGE ON SCHEMA {} TO {}", quote_identifier(db_schema), quote_identifier(role))];
    grants.extend(grants_on(&Table::ALL, db_schema, role, on_existing));
    let role = quote_identifier(role);
    grants.push(format!("GRANT TEMPORARY ON DATABASE {} TO {role}", quote_identifier(database)));
    grants.extend(grants_to_load(&role));
    grants
}

/// Of these, those on tables.
pub(super) fn grants_on(
    tables: &[Table],
    db_schema: &str,
    role: &str,
    on_existing: OnExisting,
) -> Vec<String> {
    let (schema, role) = (quote_identifier(db_schema), quote_identifier(role));
    let mut grants = Vec::new();
    for &table in tables {
        let of_table = needed(on_existing).into_iter().filter(|one| one.table == table);
        let privileges: Vec<_> = of_table.map(|one| one.privilege).collect();
        let name = table.name();
        grants.push(format!("GRANT {} ON TABLE {schema}.{name} TO {role}", privileges.join(", ")));
        let columns = table.definition().columns;
        for column in columns.iter().filter(|column| column.filled_by == FilledBy::Sequence) {
            grants.push(format!("GRANT USAGE ON SEQUENCE {schema}.{name}_{}_seq TO {role}", column.name));
        }
    }
    grants
}

async fn connection_limit(client: &Client) -> Result<Option<Finding>, Failure> {
    let row = client.query_opt(include_str!("../../../sql/runs/connection_limit.sql"), &[]).await;
    let failed = |error| Failure::of_database("reading how many connections the role may have failed", error);
    let Some(row) = row.map_err(failed)? else { return Ok(None) };
    let Some(limit) = row.get::<_, Option<i32>>("connections").filter(|limit| *limit < CONNECTIONS_MIN)
    else {
        return Ok(None);
    };
    let object = if row.get("is_of_role") {
        format!("ROLE {}", quote_identifier(row.get("role")))
    } else {
        format!("DATABASE {}", quote_identifier(row.get("database")))
    };
    let what = format!("a load needs {CONNECTIONS_MIN} connections at least, and the limit is {limit}");
    let sql = vec![format!("ALTER {object} CONNECTION LIMIT {CONNECTIONS_MIN}")];
    Ok(Some(Finding::refused("role:connection_limit", what).with_sql(sql)))
}

/// How many connections there are for the login role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Connections {
    /// Of the server, those that are kept back for others aside.
    pub(crate) of_server: i32,
    pub(crate) in_use: i32,
    pub(crate) of_role: Option<i32>,
    pub(crate) of_database: Option<i32>,
    /// That the login role may have now, this one among them.
    pub(crate) free: i32,
    /// That a load makes at most.
    pub(crate) wanted: i32,
    /// Memory of the server's that building one index may take, in MiB.
    #[serde(skip)]
    pub(crate) restore_mib: i32,
}

/// Whether there are enough connections now: a load waits for those that it needs, and does with fewer than it could use.
pub(crate) async fn look_at_connections(
    client: &Client,
    wanted: usize,
    findings: &mut Vec<Finding>,
) -> Result<Connections, Failure> {
    let failed = |error| Failure::of_database("counting the connections of the server failed", error);
    let sql = include_str!("../../../sql/preflight/connections.sql");
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    let of_server = row.get::<_, i32>("of_server") - row.get::<_, i32>("reserved");
    let in_use: i32 = row.get("in_use");
    let (of_role, of_database): (Option<i32>, Option<i32>) = (row.get("of_role"), row.get("of_database"));
    let left = |limit: Option<i32>, used: &str| limit.map(|limit| limit - row.get::<_, i32>(used));
    let limits =
        [Some(of_server - in_use), left(of_role, "in_use_by_role"), left(of_database, "in_use_in_database")];
    // Ours is counted as in use.
    let free = limits.into_iter().flatten().min().unwrap_or_default() + 1;
    let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
    let connections = Connections {
        of_server,
        in_use,
        of_role,
        of_database,
        free,
        wanted,
        restore_mib: row.get("restore_mib"),
    };
    // A limit that never lets a load begin is a finding of its own.
    let is_ever_enough = of_role.into_iter().chain(of_database).all(|limit| limit >= CONNECTIONS_MIN);
    if free < CONNECTIONS_MIN && is_ever_enough {
        let what = format!(
            "{in_use} connections are in use and no other is free for the role, where a load needs {CONNECTIONS_MIN}; it \
             waits for one (--db-wait)"
        );
        findings.push(Finding::new("server:connections", Severity::Temporary, what));
    } else if free < wanted && is_ever_enough {
        let what = format!(
            "{free} connections are free for the role, and a load makes up to {wanted} at a time; it does with those that \
             it gets, and is slower (--connections)"
        );
        findings.push(Finding::new("server:connections", Severity::Warning, what));
    }
    Ok(connections)
}
