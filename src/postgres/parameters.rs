//! From connection settings to what tokio-postgres is told, field by field, and what can't be done is refused.
//!
//! Of libpq's parameters these change nothing here and are taken without an effect: `client_encoding` (we speak UTF-8,
//! the server converts), `sslcompression` and `max_protocol_version` (nothing newer is used), `sslpassword` (a key
//! with a passphrase is refused by itself), and those of GSSAPI, which is never used.

use std::time::Duration;

use tokio_postgres::{
    Config,
    config::{ChannelBinding, LoadBalanceHosts},
};

use super::{conninfo::ConnectionSettings, hosts::TargetHost, target_error::TargetError};

/// How long data that was sent may go unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

const APPLICATION_NAME: &str = "profile-loader";

/// Everything but hosts, passwords and TLS.
pub(super) fn config(settings: &ConnectionSettings) -> Result<Config, TargetError> {
    let user = match settings.given("user")? {
        Some(user) => user.to_owned(),
        None => whoami::username().map_err(|_| TargetError::NoUser)?,
    };
    let mut config = Config::new();
    config.dbname(settings.given("dbname")?.unwrap_or(&user)).user(user);
    if let Some(options) = settings.given("options")? {
        config.options(options);
    }
    let name = settings.given("application_name")?.or(settings.given("fallback_application_name")?);
    if let Some(name) = name {
        config.application_name(name);
    }
    // 0 and less stand for the default.
    let positive = |keyword| -> Result<Option<u64>, TargetError> {
        Ok(settings
            .number(keyword)?
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| *number > 0))
    };
    if let Some(seconds) = positive("connect_timeout")? {
        config.connect_timeout(Duration::from_secs(seconds));
    }
    if let Some(milliseconds) = positive("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(milliseconds));
    }
    let mut config = with_defaults(config);
    config.keepalives(settings.number("keepalives")? != Some(0));
    if let Some(seconds) = positive("keepalives_idle")? {
        config.keepalives_idle(Duration::from_secs(seconds));
    }
    if let Some(seconds) = positive("keepalives_interval")? {
        config.keepalives_interval(Duration::from_secs(seconds));
    }
    if let Some(count) = positive("keepalives_count")? {
        config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
    }
    let words = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    let binding = settings.one_of("channel_binding", "one of disable, prefer, require", &words)?;
    config.channel_binding(binding.unwrap_or(ChannelBinding::Prefer));
    let words = [("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
    let balance = settings.one_of("load_balance_hosts", "one of disable, random", &words)?;
    config.load_balance_hosts(balance.unwrap_or(LoadBalanceHosts::Disable));
    Ok(config)
}

/// A server that vanished says nothing; within a minute and a half the system notices.
pub(super) fn with_defaults(mut config: Config) -> Config {
    if config.get_application_name().is_none() {
        config.application_name(APPLICATION_NAME);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    config
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES);
    config
}

/// The servers that a session is wanted with, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl SessionAttrs {
    const WORDS: [(&str, Self); 6] = [
        ("any", Self::Any),
        ("read-write", Self::ReadWrite),
        ("read-only", Self::ReadOnly),
        ("primary", Self::Primary),
        ("standby", Self::Standby),
        ("prefer-standby", Self::PreferStandby),
    ];

    pub(super) fn of(settings: &ConnectionSettings) -> Result<Self, TargetError> {
        let expected = "one of any, read-write, read-only, primary, standby, prefer-standby";
        let found = settings.one_of("target_session_attrs", expected, &Self::WORDS)?;
        Ok(found.unwrap_or(Self::Any))
    }

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, one)| *one == self).map_or("any", |(word, _)| word)
    }

    /// What is looked for, one after the other, among all hosts.
    pub(crate) fn passes(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Whether a server is one of these. A session of a primary may be read-only by a setting.
    pub(crate) fn fits(self, is_standby: bool, is_read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !is_read_only,
            Self::ReadOnly => is_read_only,
            Self::Primary => !is_standby,
            Self::Standby => is_standby,
        }
    }
}

/// Refuses what was asked for and would not be kept.
pub(super) fn refuse_unsupported(
    settings: &ConnectionSettings,
    hosts: &[TargetHost],
) -> Result<(), TargetError> {
    const NEVER: [(&str, &str); 8] = [
        (
            "sslkeylogfile",
            "writes the keys of the connection to a file, which is not done here; leave it out",
        ),
        ("scram_client_key", "is not supported; give the password"),
        ("scram_server_key", "is not supported; give the password"),
        ("oauth_issuer", OAUTH),
        ("oauth_client_id", OAUTH),
        ("oauth_client_secret", OAUTH),
        ("oauth_scope", OAUTH),
        ("oauth_ca_file", OAUTH),
    ];
    for (keyword, reason) in NEVER {
        if settings.bytes(keyword).is_some_and(|value| !value.is_empty()) {
            return Err(settings.unsupported(keyword, reason));
        }
    }
    let words = [("disable", true), ("prefer", true), ("require", false)];
    if settings.one_of("gssencmode", "one of disable, prefer, require", &words)? == Some(false) {
        return Err(
            settings.unsupported("gssencmode", "asks for GSSAPI, which is not supported; use sslmode")
        );
    }
    let is_no = |text: &str| ["false", "off", "no", "0"].contains(&text);
    if settings.given("replication")?.is_some_and(|text| !is_no(text)) {
        return Err(
            settings.unsupported("replication", "makes a connection that loads nothing; leave it out")
        );
    }
    if settings.given("requirepeer")?.is_some() && hosts.iter().any(TargetHost::is_socket) {
        return Err(settings.unsupported("requirepeer", "is not checked here; leave it out"));
    }
    if settings.given("min_protocol_version")?.is_some_and(|version| version != "3.0") {
        return Err(settings
            .unsupported("min_protocol_version", "asks for more than 3.0, which is what is spoken here"));
    }
    Ok(())
}

const OAUTH: &str = "belongs to OAuth, which is not supported; use a password or a client certificate";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::hosts::hosts;

    fn check(text: &str) -> Result<Config, String> {
        let settings = ConnectionSettings::parse(text, "X").map_err(|error| error.to_string())?;
        let hosts = hosts(&settings).map_err(|error| error.to_string())?;
        let refused = refuse_unsupported(&settings, &hosts)
            .and_then(|()| SessionAttrs::of(&settings))
            .and_then(|_| config(&settings));
        refused.map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_have_libpqs_units() {
        let config = check("host=h user=u connect_timeout=' 3 ' tcp_user_timeout=2500 keepalives=0").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(2500)));
        assert!(!config.get_keepalives());
        let config = check("host=h user=u connect_timeout=0 keepalives_idle=5 keepalives_count=7").unwrap();
        assert_eq!(config.get_connect_timeout(), None);
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
        assert_eq!(config.get_keepalives_retries(), Some(7));
        assert_eq!(config.get_dbname(), Some("u"));
        check("host=h connect_timeout=s3cret").unwrap_err();
    }

    #[test]
    fn every_word_of_libpq_is_honoured_ignored_or_refused() {
        for sound in [
            "target_session_attrs=primary",
            "target_session_attrs=read-write",
            "target_session_attrs=standby",
            "target_session_attrs=prefer-standby",
            "gssencmode=prefer",
            "client_encoding=LATIN1",
            "fallback_application_name=x",
            "sslcompression=0",
            "krbsrvname=postgres",
            "channel_binding=require",
            "replication=false",
            "requirepeer=postgres",
            "min_protocol_version=3.0",
            "max_protocol_version=latest",
        ] {
            check(&format!("host=h user=u {sound}")).unwrap();
        }
        for refused in [
            "target_session_attrs=s3cret",
            "gssencmode=require",
            "gssencmode=''",
            "channel_binding=s3cret",
            "replication=database",
            "host=/run requirepeer=postgres",
            "oauth_issuer=s3cret",
            "load_balance_hosts=s3cret",
            "s3cret=1",
            "schema=s3cret",
        ] {
            let error = check(&format!("host=h user=u {refused}")).unwrap_err();
            assert!(!error.contains("s3cret"), "{refused}: {error}");
        }
    }

    #[test]
    fn servers_fit_as_in_libpq() {
        use SessionAttrs::{Any, Primary, ReadOnly, ReadWrite, Standby};
        let fits = |is_standby, is_read_only| {
            [Any, ReadWrite, ReadOnly, Primary, Standby].map(|attrs| attrs.fits(is_standby, is_read_only))
        };
        assert_eq!(fits(false, false), [true, true, false, true, false]);
        assert_eq!(fits(false, true), [true, false, true, true, false]);
        assert_eq!(fits(true, true), [true, false, true, false, true]);
    }
}
