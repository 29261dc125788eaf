//! The words of connection settings: libpq's own with their variables, and those of other drivers that get a hint.
//!
//! What a message may name of a connection string is a word of these tables, never a piece of the string.

/// libpq's parameters (manual, section "Parameter Key Words") up to PostgreSQL 18, and the variable of each.
pub(super) const KEYWORDS: [(&str, Option<&str>); 54] = [
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("dbname", Some("PGDATABASE")),
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("client_encoding", Some("PGCLIENTENCODING")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("fallback_application_name", None),
    ("keepalives", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("keepalives_count", None),
    ("tcp_user_timeout", None),
    ("sslmode", Some("PGSSLMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("sslcompression", Some("PGSSLCOMPRESSION")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslkeylogfile", None),
    ("sslcertmode", Some("PGSSLCERTMODE")),
    ("sslpassword", None),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcrl", Some("PGSSLCRL")),
    ("sslcrldir", Some("PGSSLCRLDIR")),
    ("sslsni", Some("PGSSLSNI")),
    ("requirepeer", Some("PGREQUIREPEER")),
    ("require_auth", Some("PGREQUIREAUTH")),
    ("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    ("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    ("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    ("gssencmode", Some("PGGSSENCMODE")),
    ("krbsrvname", Some("PGKRBSRVNAME")),
    ("gsslib", Some("PGGSSLIB")),
    ("gssdelegation", Some("PGGSSDELEGATION")),
    ("replication", None),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    ("scram_client_key", None),
    ("scram_server_key", None),
    ("oauth_issuer", None),
    ("oauth_client_id", None),
    ("oauth_client_secret", None),
    ("oauth_scope", None),
    ("oauth_ca_file", Some("PGOAUTHCAFILE")),
    ("requiressl", None),
    // tokio-postgres' name of keepalives_count, which earlier releases took.
    ("keepalives_retries", None),
];

/// Parameters whose values are shown to nobody.
pub(super) fn is_secret(keyword: &str) -> bool {
    let secrets = ["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];
    secrets.contains(&keyword)
}

/// Words of other drivers, poolers and programs, and what to do instead.
const FOREIGN: [(&str, &str); 36] = [
    ("schema", SCHEMA),
    ("currentSchema", SCHEMA),
    ("search_path", SCHEMA),
    ("pgbouncer", LEAVE_OUT),
    ("connection_limit", CONNECTIONS),
    ("pool_size", CONNECTIONS),
    ("max_connections", CONNECTIONS),
    ("pool_max_conns", CONNECTIONS),
    ("pool_timeout", LEAVE_OUT),
    ("socket_timeout", LEAVE_OUT),
    ("statement_cache_size", LEAVE_OUT),
    ("statement_timeout", LEAVE_OUT),
    ("prepareThreshold", LEAVE_OUT),
    ("binary_parameters", LEAVE_OUT),
    ("encoding", LEAVE_OUT),
    ("charset", LEAVE_OUT),
    ("timezone", LEAVE_OUT),
    ("uselibpqcompat", LEAVE_OUT),
    ("driver", LEAVE_OUT),
    ("ssl", "use sslmode"),
    ("sslfactory", "use sslmode and sslrootcert"),
    ("sslaccept", "use sslmode and sslrootcert"),
    ("sslidentity", "use sslcert and sslkey"),
    ("tls", "use sslmode"),
    ("loginTimeout", "use connect_timeout"),
    ("connectTimeout", "use connect_timeout"),
    ("timeout", "use connect_timeout"),
    ("tcpKeepAlive", "use keepalives"),
    ("ApplicationName", "use application_name"),
    ("database", "use dbname"),
    ("db", "use dbname"),
    ("username", "use user"),
    ("pass", "use password"),
    ("passwd", "use password"),
    ("pwd", "use password"),
    ("server", "use host"),
];

const SCHEMA: &str = "name the schema of the tables with --db-schema";
const LEAVE_OUT: &str = "leave it out";
const CONNECTIONS: &str = "leave it out; --connections says how many there are";

/// The table's own spelling of a keyword: names of settings are never taken from what was typed.
pub(super) fn keyword(name: &[u8]) -> Option<&'static str> {
    KEYWORDS.iter().map(|(keyword, _)| *keyword).find(|keyword| keyword.as_bytes() == name)
}

/// A word that is none of libpq's, but known, and what to do instead. The case of libpq's own words matters.
pub(super) fn foreign(name: &[u8]) -> Option<(&'static str, &'static str)> {
    let same = |word: &str| word.as_bytes().eq_ignore_ascii_case(name);
    let known = FOREIGN.into_iter().find(|(word, _)| same(word));
    let miscased = || KEYWORDS.iter().find(|(word, _)| same(word)).map(|(word, _)| *word);
    known.or_else(|| miscased().map(|word| (word, "write it in lower case")))
}

/// Whether a text holds `;KEYWORD=`: parts that were separated as other programs want it.
pub(super) fn is_separated_by_semicolons(text: &[u8]) -> bool {
    text.split(|byte| *byte == b';').skip(1).any(|part| {
        let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = name.trim_ascii();
        name.len() < part.len() && (keyword(name).is_some() || foreign(name).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_libpqs_spelling_only() {
        assert_eq!(keyword(b"sslmode"), Some("sslmode"));
        assert_eq!((keyword(b"SSLMODE"), keyword(b"sslmod"), keyword(b"")), (None, None, None));
        assert_eq!(foreign(b"Host"), Some(("host", "write it in lower case")));
        assert_eq!(foreign(b"schema"), Some(("schema", SCHEMA)));
        assert_eq!(foreign(b"s3cret"), None);
    }

    #[test]
    fn semicolons_count_before_a_known_word_only() {
        assert!(is_separated_by_semicolons(b"db;password=x"));
        assert!(is_separated_by_semicolons(b"db; Password =x"));
        assert!(!is_separated_by_semicolons(b"a;b=c") && !is_separated_by_semicolons(b"a;password"));
        assert!(!is_separated_by_semicolons(b"password=x"));
    }
}
