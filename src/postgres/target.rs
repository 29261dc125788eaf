//! A database to connect to, as the settings that were found describe it.
//!
//! libpq's words are kept (`sslmode`, `sslrootcert`, `PG*`), with one difference: where TLS is requested, the
//! server's certificate is always verified. Passwords are with the hosts only, never in a message.

use std::{ffi::OsString, fmt, net::IpAddr, path::PathBuf, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    conninfo::{ConnectionSettings, Environment, PassfileFault, Passwords, is_showable, shown},
    hosts::{HostPassword, PORT, TargetHost, hosts},
    parameters,
    target_error::TargetError,
    tls::Tls,
};
use crate::path_text::path_text;

/// How long an attempt to connect may take where nobody says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// A name is cut to this many bytes by the server, which then quotes it in its messages.
const NAME_BYTES_MAX: usize = 63;

/// A database to connect to.
#[derive(Clone)]
pub struct Target {
    /// Without hosts, ports and passwords.
    config: Config,
    hosts: Vec<TargetHost>,
    tls: Tls,
    connect_within: Duration,
    warnings: Vec<String>,
    /// The PostgreSQL schema that the environment names (`DATABASE_SCHEMA`).
    pub db_schema: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

/// Host, port, database and user, as far as they hold nothing that may be a piece of a connection string; never the
/// password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        match config.get_dbname().or(config.get_user()) {
            Some(database) => write!(f, "database {} at ", shown(database))?,
            None => f.write_str("the database at ")?,
        }
        let hosts: Vec<_> = self.hosts.iter().map(ToString::to_string).collect();
        f.write_str(&hosts.join(" or "))?;
        match config.get_user() {
            Some(user) => write!(f, ", as {}", shown(user)),
            None => f.write_str(", as the system's user"),
        }
    }
}

impl Target {
    /// Decides where to connect to: `url`, else `DATABASE_URL`, else `DATABASE_*`, else `PG*`. What the first of them
    /// leaves out comes from a service file and `PG*`, each parameter by itself.
    pub fn find(url: Option<&str>, env: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, TargetError> {
        Self::find_for(url.map(|url| ("--database-url", url)), env)
    }

    /// The same, with the name of the option or variable that the URL comes from.
    pub(crate) fn find_for(
        option: Option<(&'static str, &str)>,
        env: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, TargetError> {
        let env = Environment(env);
        let settings = env.settings(option)?;
        settings.refuse_mistaken_names()?;
        let config = parameters::config(&settings)?;
        let mut warnings = Vec::new();
        let mut hosts = hosts(&settings)?;
        set_passwords(&mut hosts, &config, &settings, &env, &mut warnings)?;
        parameters::refuse_unsupported(&settings, &hosts)?;
        let tls = Tls::of(&settings, &hosts, &env, &mut warnings)?;
        warnings.extend(settings.repeated().map(|(keyword, origin)| {
            format!("{origin} has {keyword} more than once; the last one counts, as in libpq")
        }));
        if config.get_options().is_some_and(|options| options.contains("search_path")) {
            let origin = settings.origin("options");
            warnings.push(format!(
                "{origin} sets search_path, which does not say where the tables are; name their schema with --db-schema"
            ));
        }
        let db_schema = env.variable("DATABASE_SCHEMA")?;
        Ok(Self { config, hosts, tls, connect_within: CONNECT_WITHIN, warnings, db_schema })
    }

    /// A server on this machine that we started.
    pub fn local(config: Config) -> Self {
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        let password = config.get_password().map(|password| HostPassword(password.to_vec()));
        let hosts = config.get_hosts().iter().cloned().map(|host| TargetHost {
            host: Some(host),
            address: None,
            port,
            password: password.clone(),
        });
        let (hosts, tls, warnings) = (hosts.collect(), Tls::OFF, Vec::new());
        let config = parameters::with_defaults(config);
        Self { config, hosts, tls, connect_within: CONNECT_WITHIN, warnings, db_schema: None }
    }

    /// Whether the connection may go unencrypted over a network, because the server offers no TLS.
    pub fn may_be_plain(&self) -> bool {
        self.tls.mode == tokio_postgres::config::SslMode::Prefer
    }

    /// Whether the server is on this machine, as far as its address tells.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(TargetHost::is_local)
    }

    /// What was found and not used.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same place, with a name for its sessions that says what they are for.
    #[must_use]
    pub fn named(&self, application_name: &str) -> Self {
        let mut target = self.clone();
        target.config.application_name(application_name);
        target
    }

    pub(crate) fn tls(&self) -> Option<&MakeRustlsConnect> {
        self.tls.connect.as_ref()
    }

    /// How long one attempt to connect to one address may take, where the settings have no `connect_timeout`.
    #[must_use]
    pub(crate) fn with_connect_within(self, connect_within: Duration) -> Self {
        Self { connect_within, ..self }
    }

    /// For one address. A `connect_timeout` of 0, which stands for no limit, does not count.
    pub(crate) fn connect_timeout(&self) -> Duration {
        let of_settings = self.config.get_connect_timeout().copied().filter(|time| !time.is_zero());
        of_settings.unwrap_or(self.connect_within)
    }

    /// In the order in which they are to be tried.
    pub(crate) fn hosts(&self) -> Vec<TargetHost> {
        let mut all = self.hosts.clone();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            fastrand::shuffle(&mut all);
        }
        all
    }

    /// The settings for one of the hosts, at this address where its name was looked up.
    pub(crate) fn config_of(&self, host: &TargetHost, address: Option<IpAddr>) -> Config {
        let mut one = self.config_without_host();
        one.port(host.port);
        if let Some(password) = &host.password {
            one.password(&password.0);
        }
        if host.is_socket() {
            one.ssl_mode(tokio_postgres::config::SslMode::Disable);
        }
        match (&host.host, address) {
            (Some(Host::Unix(dir)), None) => drop(one.host_path(dir)),
            (Some(Host::Tcp(name)), _) => drop(one.host(name)),
            // The name that a certificate has to be for.
            (_, Some(address)) => drop(one.host(address.to_string())),
            (None, None) => {}
        }
        address.map(|address| one.hostaddr(address));
        one
    }

    fn config_without_host(&self) -> Config {
        let all = &self.config;
        let mut one = Config::new();
        all.get_user().map(|user| one.user(user));
        all.get_dbname().map(|name| one.dbname(name));
        all.get_options().map(|options| one.options(options));
        all.get_application_name().map(|name| one.application_name(name));
        all.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
        all.get_keepalives_interval().map(|time| one.keepalives_interval(time));
        all.get_keepalives_retries().map(|count| one.keepalives_retries(count));
        one.ssl_mode(self.tls.mode)
            .ssl_negotiation(self.tls.negotiation)
            .keepalives(all.get_keepalives())
            .keepalives_idle(all.get_keepalives_idle())
            .target_session_attrs(all.get_target_session_attrs())
            .channel_binding(all.get_channel_binding());
        one
    }

    /// A message of the server's without what may not be shown: it quotes names of users and databases, and settings.
    pub(crate) fn without_settings(&self, message: String) -> String {
        let names = [self.config.get_user(), self.config.get_dbname()].into_iter().flatten();
        let mut hidden: Vec<&str> = names.filter(|name| !is_showable(name)).collect();
        if let Some(options) = self.config.get_options() {
            let values = options.split_whitespace().filter_map(|word| word.split_once('='));
            hidden.extend(values.map(|(_, value)| value).filter(|value| value.len() > 3));
        }
        hidden.into_iter().fold(message, |message, text| {
            let mut end = text.len().min(NAME_BYTES_MAX);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            message.replace(text, "…").replace(&text[..end], "…")
        })
    }
}

/// The password that is given, or those of the password file.
fn set_passwords(
    hosts: &mut [TargetHost],
    config: &Config,
    settings: &ConnectionSettings,
    env: &Environment<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), TargetError> {
    if let Some(password) = settings.bytes("password").filter(|password| !password.is_empty()) {
        for host in hosts {
            host.password = Some(HostPassword(password.to_vec()));
        }
        return Ok(());
    }
    let path = match settings.given("passfile")? {
        Some(path) => PathBuf::from(path),
        None => match env.home()? {
            Some(home) => home.join(".pgpass"),
            None => return Ok(()),
        },
    };
    let name = path_text(&path);
    let passwords = match Passwords::read(&path) {
        Ok(passwords) => passwords,
        Err(fault) => {
            let reason = match fault {
                PassfileFault::NotAFile => "it is no file".to_owned(),
                PassfileFault::ReadableByOthers => "others may read it; chmod 600 it".to_owned(),
                PassfileFault::Unreadable(error) => error.to_string(),
            };
            warnings.push(format!("the password file {} is not used: {reason}", shown(&name)));
            return Ok(());
        }
    };
    let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    for host in hosts {
        host.password = host.password_of(&passwords, database, user).map(HostPassword);
    }
    Ok(())
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
