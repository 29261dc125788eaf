//! The same work by psql alone, from ready-made COPY files: what the server needs when nothing else costs time.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    copy_files::{CopyFiles, CopyTarget, TABLES},
    failure::{Failure, Outcome},
    process::{self, Finished},
    server::Server,
};

/// The limit of a backfill, into tables without constraints and indexes: a connection for each table at the same
/// time, then indexes and keys in three sessions, then the foreign keys. Files of plain form are what everyone writes; those
/// of prepared form save the server what can be saved it.
pub(crate) fn limit(server: &Server, database: &str, files: &CopyFiles) -> Outcome<Finished> {
    let copies: Vec<Command> = TABLES
        .iter()
        .map(|target| {
            let mut psql = server.psql(database);
            psql.arg("-c").arg(copy(files, target));
            psql
        })
        .collect();
    let script = |name| run_script(server, database, name);
    let copied = process::measure_together(&copies)?;
    let indexed = process::measure_together(&[
        script("restore_profiles.sql"),
        script("restore_emails.sql"),
        script("restore_phone_numbers.sql"),
    ])?;
    let referring = process::measure_together(&[
        script("foreign_key_addresses.sql"),
        script("foreign_key_emails.sql"),
        script("foreign_key_phone_numbers.sql"),
    ])?;
    Ok(copied.then(indexed).then(referring))
}

/// The load as one would do it first: one table after another, constraints and indexes in place.
pub(crate) fn naive(server: &Server, database: &str, files: &CopyFiles) -> Outcome<Finished> {
    let mut psql = server.psql(database);
    for target in &TABLES {
        psql.arg("-c").arg(copy(files, target));
    }
    process::measure(&psql, &[0])
}

/// The nightly merge in SQL; the COPY files are those of the delta.
pub(crate) fn merge(server: &Server, database: &str, files: &CopyFiles) -> Outcome<Finished> {
    let mut psql = run_script(server, database, "merge_by_hand.sql");
    psql.current_dir(&files.dir);
    process::measure(&psql, &[0])
}

/// Takes constraints and indexes off the empty tables.
pub(crate) fn make_bare(server: &Server, database: &str) -> Outcome<()> {
    process::measure(&run_script(server, database, "bare.sql"), &[0]).map(drop)
}

/// What the files hold has to be in the tables.
pub(crate) fn check_rows(what: &str, found: [u64; 4], expected: [u64; 4]) -> Outcome<()> {
    if found == expected {
        Ok(())
    } else {
        Err(Failure::new(format!("{what} has left {found:?} rows, but the documents have {expected:?}")))
    }
}

fn copy(files: &CopyFiles, target: &CopyTarget) -> String {
    let path = files.path(target).display().to_string().replace('\'', "''");
    format!(r"\copy {} ({}) from '{path}' with (format binary)", target.table, files.columns(target))
}

fn run_script(server: &Server, database: &str, name: &str) -> Command {
    let mut psql = server.psql(database);
    psql.arg("-f").arg(folder("sql").join(name));
    psql
}

/// A folder of the bench.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare").join(name)
}
