//! The private PostgreSQL server that all sides load into, and its databases.
//!
//! It is the one of `--embedded`, durable and without a TCP port, with settings that do not depend on the
//! machine. Autovacuum is off, so that nobody pays for what another has written; tables are vacuumed and analysed
//! before a run instead.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use profile_loader::internals::postgres::LocalServer;
use tokio_postgres::config::Host;

use crate::{
    failure::{Failure, Outcome},
    process,
};

/// For every session of every side, unless a side sets its own.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
    ("maintenance_work_mem", "512MB"),
    ("autovacuum", "off"),
];

#[derive(Debug)]
pub(crate) struct Server {
    /// Stops the server when it is dropped.
    local: LocalServer,
    socket_dir: PathBuf,
    psql: PathBuf,
    /// Where commands are run.
    home: PathBuf,
}

impl Server {
    /// Starts a new server in a folder below `home`.
    pub(crate) fn start(home: &Path) -> Outcome<Self> {
        let dir = home.join("server");
        let first = Self::start_with(LocalServer::start(&dir).map_err(start_failed)?, home)?;
        for (name, value) in SETTINGS {
            first.ask("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"))?;
        }
        first.local.stop().map_err(Failure::of("restarting the server with its settings"))?;
        Self::start_with(LocalServer::start(&dir).map_err(start_failed)?, home)
    }

    fn start_with(local: LocalServer, home: &Path) -> Outcome<Self> {
        let config = local.connection_config();
        let Some(Host::Unix(socket_dir)) = config.get_hosts().first() else {
            return Err(Failure::new("the private server has no unix socket"));
        };
        let socket_dir = socket_dir.clone();
        Ok(Self { local, socket_dir, psql: find_psql(), home: home.to_owned() })
    }

    /// psql in a database; it stops at the first error. What it is to do comes as further arguments.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = process::command(&self.psql, &self.home);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database]);
        command.arg("-h").arg(&self.socket_dir);
        command
    }

    /// What psql prints for a statement, one row a line.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut psql = self.psql(database);
        psql.args(["-c", sql]);
        Ok(process::measure(&psql, &[0])?.stdout.trim_end().to_owned())
    }

    /// As the loader's `--database-url` takes it.
    pub(crate) fn url(&self, database: &str) -> String {
        let host = self.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgresql://postgres@/{database}?host={host}")
    }

    /// As libpq and what is built on it takes it.
    pub(crate) fn keywords(&self, database: &str) -> String {
        format!("host={} user=postgres dbname={database}", self.socket_dir.display())
    }

    /// Makes the database `name` anew, equal to `template`, and writes out what is dirty.
    pub(crate) fn fresh(&self, name: &str, template: &str) -> Outcome<()> {
        self.drop(name)?;
        // The default of PostgreSQL 15 and newer writes every page to the WAL.
        let version: u32 = self.ask("postgres", "SHOW server_version_num")?.parse().unwrap_or_default();
        let strategy = if version >= 150_000 { " STRATEGY file_copy" } else { "" };
        self.ask("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}{strategy}"))?;
        self.checkpoint()
    }

    pub(crate) fn drop(&self, name: &str) -> Outcome<()> {
        self.ask("postgres", &format!("DROP DATABASE IF EXISTS {name}")).map(drop)
    }

    /// So that no run writes what another has left.
    pub(crate) fn checkpoint(&self) -> Outcome<()> {
        self.ask("postgres", "CHECKPOINT").map(drop)
    }

    /// Removes dead rows and brings the statistics up to date, then writes out what is dirty.
    pub(crate) fn vacuum(&self, database: &str) -> Outcome<()> {
        self.ask(database, "VACUUM (FREEZE, ANALYZE)")?;
        self.checkpoint()
    }

    /// Rows and digest of each of the four tables, for comparing one side's work with another's.
    pub(crate) fn contents(&self, database: &str) -> Outcome<Contents> {
        let answer = self.ask(database, include_str!("sql/contents.sql"))?;
        let mut contents = Contents::default();
        let places = contents.rows.iter_mut().zip(&mut contents.digests);
        for (line, (rows, digest)) in answer.lines().zip(places) {
            let (count, sum) = line.split_once('|').unwrap_or((line, ""));
            *rows = count.parse().map_err(Failure::of("counting rows"))?;
            sum.clone_into(digest);
        }
        Ok(contents)
    }
}

/// Of the four tables, parents first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) rows: [u64; 4],
    digests: [String; 4],
}

fn start_failed(error: profile_loader::internals::postgres::LocalServerError) -> Failure {
    Failure::of("starting the private server")(error)
}

/// The program itself where it is known: what Debian has on the path is a script that looks for it.
fn find_psql() -> PathBuf {
    let mut found: Vec<PathBuf> =
        glob::glob("/usr/lib/postgresql/*/bin/psql").into_iter().flatten().flatten().collect();
    found.sort();
    found.pop().unwrap_or_else(|| "psql".into())
}
