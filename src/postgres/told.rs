//! Which settings a connection is made with, and where each was said.

use tokio_postgres::Config;

use super::{
    conninfo::{ConnectionSettings, Environment, ToldSetting, shown},
    hosts::TargetHost,
    target_error::TargetError,
    tls::Tls,
};

const DEFAULT: &str = "the default";

const FIRST: [&str; 8] = ["service", "host", "hostaddr", "port", "dbname", "user", "password", "sslmode"];

/// In libpq's order of importance: where, as whom, how safely, and the rest by name. `passfile` is where the password is
/// from, where it is from a file of passwords.
pub(super) fn told(
    settings: &ConnectionSettings,
    config: &Config,
    hosts: &[TargetHost],
    tls: &Tls,
    env: &Environment<'_>,
    passfile: Option<String>,
) -> Result<Vec<ToldSetting>, TargetError> {
    let mut all = settings.told();
    let is_said = |all: &[ToldSetting], keyword| all.iter().any(|one: &ToldSetting| one.keyword == keyword);
    let mut add = |keyword, value: Option<String>, origin: &str| {
        if !is_said(&all, keyword) {
            all.push(ToldSetting { keyword, value, origin: origin.to_owned() });
        }
    };
    let names: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    add("host", Some(names.join(" or ")), DEFAULT);
    for (keyword, value) in [("dbname", config.get_dbname()), ("user", config.get_user())] {
        if let Some(value) = value {
            add(keyword, Some(shown(value).to_owned()), DEFAULT);
        }
    }
    if let Some(path) = passfile {
        add("password", None, shown(&path));
    }
    if let Some(ca) = env.variable("DATABASE_SSL_CA")? {
        let path = Some(shown(&ca).to_owned()).filter(|_| !ca.contains("BEGIN"));
        add("sslrootcert", path, "DATABASE_SSL_CA");
    }
    let mut modes: Vec<_> = hosts.iter().map(|host| tls.mode_of(host).word()).collect();
    modes.dedup();
    let origin = match (settings.bytes("sslmode").is_some(), env.variable("DATABASE_SSL")?.is_some()) {
        (true, true) => format!("{} and DATABASE_SSL", settings.origin("sslmode")),
        (true, false) => settings.origin("sslmode").to_owned(),
        (false, true) => "DATABASE_SSL".to_owned(),
        (false, false) => DEFAULT.to_owned(),
    };
    all.retain(|one| one.keyword != "sslmode");
    all.push(ToldSetting { keyword: "sslmode", value: Some(modes.join(" or ")), origin });
    all.sort_by_key(|one| {
        (FIRST.iter().position(|first| *first == one.keyword).unwrap_or(FIRST.len()), one.keyword)
    });
    Ok(all)
}
