//! Why there is no usable target.
//!
//! Everything in here is a word of ours, but for paths and names that [`shown`](super::conninfo) let through: whatever
//! stands in a connection string stays out of messages.

use std::io;

use thiserror::Error;

/// Why there is no usable target; all of them are for the operator to fix.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error(
        "no database is named; use --database-url, DATABASE_URL, DATABASE_HOST and related variables, PGHOST and related variables, or --embedded"
    )]
    Nothing,
    #[error(
        "{origin} is blank; give a postgresql:// URL or a keyword string (host=… dbname=…), or leave it out"
    )]
    Blank { origin: &'static str },
    #[error("{origin} is not UTF-8; write other bytes percent-encoded in a postgresql:// URL")]
    NotUtf8 { origin: &'static str },
    #[error("{origin} can't be understood: {problem}; {fix}")]
    Unreadable { origin: &'static str, problem: &'static str, fix: &'static str },
    #[error(
        "{origin} starts with {}://; give a postgresql:// URL or a keyword string (host=… dbname=…)",
        scheme.unwrap_or("another scheme than postgresql")
    )]
    NotPostgres { origin: &'static str, scheme: Option<&'static str> },
    #[error("{origin} has {}, which is no setting of libpq's; {fix}", name.unwrap_or("a word before ="))]
    UnknownKeyword { origin: &'static str, name: Option<&'static str>, fix: &'static str },
    #[error("{origin} has a value of {keyword} that is not {expected}")]
    Value { origin: &'static str, keyword: &'static str, expected: &'static str },
    #[error("{origin} has {keyword}, which {reason}")]
    Unsupported { origin: &'static str, keyword: &'static str, reason: &'static str },
    #[error("the value of {keyword} in {origin} holds {problem}; {fix}")]
    Mistaken { origin: &'static str, keyword: &'static str, problem: &'static str, fix: &'static str },
    #[error(
        "{origin} has another number of {keyword} than there are {than}; give one for each, or one port for all"
    )]
    Counts { origin: &'static str, keyword: &'static str, than: &'static str },
    #[error(
        "{origin} switches TLS off and {other} asks for it; leave one of them out, or make them say the same"
    )]
    Contradiction { origin: &'static str, other: &'static str },
    #[error(
        "no service file has the service {service} that {origin} names; define it in ~/.pg_service.conf, or name a file with PGSERVICEFILE"
    )]
    NoService { origin: &'static str, service: String },
    #[error("line {line} of the service file {path} is no setting of libpq's; write keyword=value")]
    ServiceLine { path: String, line: usize },
    #[error("{what} {path} can't be read")]
    File { what: &'static str, path: String, source: io::Error },
    #[error("{what} {path} can be read by others; chmod 600 it")]
    ReadableByOthers { what: &'static str, path: String },
    #[error("{what} {path} holds none in PEM form")]
    NoPem { what: &'static str, path: String },
    #[error(
        "the file of the private key {path} holds no key in PEM form (PKCS#8, PKCS#1 or SEC1); 'openssl pkey -inform DER -in {path} -out NEW' makes one of DER"
    )]
    NoKey { path: String },
    #[error(
        "the private key {path} has a passphrase, which can't be given here; write it without one: (umask 077; openssl pkey -in {path} -out {path}.plain), and name that file with sslkey"
    )]
    EncryptedKey { path: String },
    #[error("the password file {path} that {origin} names is empty; write the password into it")]
    EmptyPasswordFile { origin: &'static str, path: String },
    #[error("{origin} and {other} both have a password; leave one of them out")]
    TwoPasswords { origin: &'static str, other: &'static str },
    #[error(
        "the root certificates (sslrootcert or DATABASE_SSL_CA) have expired, or are not valid yet; get the CA's new certificate, or set this machine's clock"
    )]
    ExpiredRoots,
    #[error("the certificates in {path} can't be read")]
    Certificates { path: String, source: io::Error },
    #[error("{0} holds no certificate")]
    NoCertificate(String),
    #[error("the system's root certificates can't be found; name a file with DATABASE_SSL_CA or sslrootcert")]
    NoRoots,
    #[error(
        "no user is named, and the system has no name for the one who runs this; name one with user or PGUSER"
    )]
    NoUser,
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
    #[error("the revocation lists can't be used")]
    RevocationLists(#[from] rustls::client::VerifierBuilderError),
}
