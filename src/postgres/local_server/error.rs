//! Why the private server does not run.

use std::io;

use thiserror::Error;

/// Why the private server does not run. None of it passes by itself: each needs a person.
#[derive(Debug, Error)]
pub enum LocalServerError {
    #[error("PostgreSQL's server binaries (initdb, pg_ctl, postgres) are not on this machine; {install}")]
    NoBinaries { install: String },
    #[error("initdb can't set up a PostgreSQL server in {dir}:\n{output}")]
    Initdb { dir: String, output: String },
    #[error("the PostgreSQL server in {dir} does not start; the end of {dir}/server.log:\n{log}")]
    Start { dir: String, log: String },
    #[error("the PostgreSQL server in {dir} does not stop cleanly; the end of {dir}/server.log:\n{log}")]
    Stop { dir: String, log: String },
    #[error(
        "{dir} is in use by the PostgreSQL server with process id {pid}; wait for the other loader, or stop the \
         server with 'pg_ctl -D {dir}/data stop', or load into it with --database-url"
    )]
    Running { dir: String, pid: u32 },
    #[error(
        "{dir} holds something else than a server of profile-loader; name a new or empty folder for --embedded"
    )]
    Foreign { dir: String },
    #[error(
        "{dir}/data was made by PostgreSQL {data}, but the binaries in {bin} are PostgreSQL {binaries}; install \
         PostgreSQL {data}, or name a new folder for --embedded"
    )]
    Version { dir: String, data: String, bin: String, binaries: String },
    #[error(
        "the PostgreSQL server has to run as user {user}, who can't enter and write {dir}; name a folder for \
         --embedded that this user can reach, for example below /var/lib or /tmp"
    )]
    Unreachable { dir: String, user: String },
    #[error("{what} failed")]
    Io { what: String, source: io::Error },
}

pub(super) fn io_error(what: impl Into<String>, source: io::Error) -> LocalServerError {
    LocalServerError::Io { what: what.into(), source }
}
