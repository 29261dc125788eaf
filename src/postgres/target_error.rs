//! Why there is no usable target.

use std::io;

use thiserror::Error;

/// Why there is no usable target; all of them are for the operator to fix.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error(
        "no database is named; use --database-url, DATABASE_URL, DATABASE_HOST and related variables, PGHOST and related variables, or --embedded"
    )]
    Nothing,
    #[error("{origin} can't be understood")]
    Unreadable { origin: &'static str, source: tokio_postgres::Error },
    #[error(
        "{origin} starts with {scheme}://; give a postgresql:// URL or a keyword string (host=… dbname=…)"
    )]
    NotPostgres { origin: &'static str, scheme: String },
    #[error("{origin} has {found}, which is not {expected}")]
    Value { origin: &'static str, found: String, expected: &'static str },
    #[error("the certificates in {path} can't be read")]
    Certificates { path: String, source: io::Error },
    #[error("{0} holds no certificate")]
    NoCertificate(String),
    #[error("the system's root certificates can't be found; name a file with DATABASE_SSL_CA or sslrootcert")]
    NoRoots,
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}
