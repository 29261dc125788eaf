//! Which server it is, and whether it is one that can be loaded into at all.

use serde::Serialize;
use tokio_postgres::Client;

use super::finding::Finding;
use crate::{commands::failure::Failure, tables::Table};

/// The oldest one that is supported, as `server_version_num` has it.
const VERSION_MIN: i32 = 120_000;

/// The one that holds every name.
pub(crate) const ENCODING: &str = "UTF8";

/// What a server says about itself and the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Server {
    /// `PostgreSQL 15.18`
    pub(crate) version: String,
    pub(crate) encoding: String,
    pub(crate) is_standby: bool,
    pub(crate) database: String,
    pub(crate) login_role: String,
    /// The one that statements are run as.
    pub(crate) role: String,
    pub(crate) is_superuser: bool,
}

/// A server that speaks PostgreSQL's protocol and is not it.
struct Impostor {
    /// What `version()` has in it.
    mark: &'static str,
    name: &'static str,
    /// What a load takes for granted and this one does not do.
    lacks: &'static str,
}

const ADVISORY_LOCKS: &str =
    "its advisory locks do not keep a second loader out, and rows have no xmin to tell who wrote them";
const KEYS: &str = "it checks no foreign keys and no unique constraints";

/// By the texts that their `version()` returns.
const IMPOSTORS: [Impostor; 9] = [
    Impostor { mark: "CockroachDB", name: "CockroachDB", lacks: ADVISORY_LOCKS },
    Impostor {
        mark: "-YB-",
        name: "YugabyteDB",
        lacks: "COPY commits on its way, tables can't be locked, and rows have no xmin to tell who wrote them",
    },
    Impostor { mark: "Redshift", name: "Amazon Redshift", lacks: KEYS },
    Impostor { mark: "limitless", name: "Aurora Limitless", lacks: "keys have to hold the shard key" },
    Impostor { mark: "Greenplum", name: "Greenplum", lacks: "keys have to hold the distribution key" },
    Impostor { mark: "Materialize", name: "Materialize", lacks: KEYS },
    Impostor { mark: "RisingWave", name: "RisingWave", lacks: KEYS },
    Impostor { mark: "QuestDB", name: "QuestDB", lacks: KEYS },
    Impostor { mark: "CrateDB", name: "CrateDB", lacks: KEYS },
];

/// Whether the server can be used; none where nothing more can be asked of it.
pub(crate) async fn look_at_server(
    client: &Client,
    needs_writes: bool,
    findings: &mut Vec<Finding>,
) -> Result<Option<Server>, Failure> {
    let failed = |error| Failure::of_database("asking the server for its version failed", error);
    let version = client.query_one("SELECT pg_catalog.version()", &[]).await.map_err(failed)?;
    if let Some(finding) = impostor(version.get(0)) {
        findings.push(finding);
        return Ok(None);
    }
    let row =
        client.query_one(include_str!("../../../sql/preflight/server.sql"), &[]).await.map_err(failed)?;
    let (number, version): (i32, &str) = (row.get("number"), row.get("version"));
    if number < VERSION_MIN {
        let what = format!("the server is PostgreSQL {version}; version 12 or newer is needed");
        findings.push(Finding::refused("server:version", what));
        return Ok(None);
    }
    let server = Server {
        // Packagers add words of theirs in brackets.
        version: format!("PostgreSQL {}", version.split(' ').next().unwrap_or(version)),
        encoding: row.get("encoding"),
        is_standby: row.get("is_standby"),
        database: row.get("database"),
        login_role: row.get("login_role"),
        role: row.get("role"),
        is_superuser: row.get("is_superuser"),
    };
    if server.encoding != ENCODING {
        let what = format!(
            "database {} has the encoding {}, which can't hold every name; create one with ENCODING 'UTF8'",
            server.database, server.encoding
        );
        findings.push(Finding::refused("server:encoding", what));
    }
    if server.is_standby && needs_writes {
        let what = "the server is a standby, which takes no writes; connect to its primary";
        findings.push(Finding::refused("server:standby", what));
    }
    Ok(Some(server))
}

fn impostor(version: &str) -> Option<Finding> {
    let Impostor { name, lacks, .. } = IMPOSTORS.iter().find(|impostor| version.contains(impostor.mark))?;
    let what = format!(
        "the server is {name}, which speaks PostgreSQL's protocol and is not it: {lacks}; load into PostgreSQL"
    );
    Some(Finding::refused("server:not_postgresql", what))
}

/// Tables that Citus has spread over several servers.
pub(crate) async fn look_at_distribution(
    client: &Client,
    db_schema: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let failed = |error| Failure::of_database("asking for extensions of the server's failed", error);
    let has_citus = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('pg_catalog.pg_dist_partition'))";
    if !client.query_one(has_citus, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(());
    }
    let names: &[&str] = &Table::ALL.map(Table::name);
    let sql = include_str!("../../../sql/preflight/distributed.sql");
    let rows = client.query(sql, &[&db_schema, &names]).await.map_err(failed)?;
    let tables: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let what = format!(
        "{} of schema {db_schema} is distributed by Citus, whose locks and transactions are not those of one server; load \
         into tables that are not",
        tables.join(" and ")
    );
    findings.push(Finding::refused("tables:distributed", what));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impostors_are_known_by_what_they_say() {
        let check = |version: &str, expected: Option<&str>| {
            let found = impostor(version).map(|finding| finding.what);
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => {
                    assert!(found.starts_with(&format!("the server is {expected},")), "{found}");
                }
                _ => panic!("{version}: {found:?}"),
            }
        };
        check(
            "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27, go1.19.10)",
            Some("CockroachDB"),
        );
        check("PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu, compiled by clang", Some("YugabyteDB"));
        check(
            "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.12103",
            Some("Amazon Redshift"),
        );
        check("PostgreSQL 16.4-limitless on x86_64-pc-linux-gnu", Some("Aurora Limitless"));
        check(
            "PostgreSQL 12.12 (Greenplum Database 7.0.0 build commit:0a7a3566) on x86_64",
            Some("Greenplum"),
        );
        check("PostgreSQL 9.5.0 on x86_64-unknown-linux-gnu (Materialize v0.112.0)", Some("Materialize"));
        check("PostgreSQL 13.14.0-RisingWave-2.0.1 (abc)", Some("RisingWave"));
        check(
            "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc, 64-bit",
            None,
        );
        check(
            "PostgreSQL 16.6 on aarch64-unknown-linux-gnu, compiled by aarch64-unknown-linux-gnu-gcc",
            None,
        );
        check("PostgreSQL 16.4 (EnterpriseDB Advanced Server 16.4.0) on x86_64-pc-linux-gnu", None);
    }
}
