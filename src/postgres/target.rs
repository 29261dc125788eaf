//! A database to connect to, as the settings that were found describe it.
//!
//! libpq's words are kept (`sslmode`, `sslrootcert`, `PG*`), and what they mean. Passwords are with the hosts only, never
//! in a message.

use std::{
    ffi::OsString,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_postgres::{Config, config::LoadBalanceHosts};

use super::{
    auth::{AllowedMethods, AuthGuard},
    conninfo::{ConnectionSettings, Environment, PassfileFault, Passwords, ToldSetting, is_showable, shown},
    hosts::{HostPassword, PORT, TargetHost, hosts},
    parameters::{self, SessionAttrs},
    target_error::TargetError,
    tls::{SslMode, Tls},
    told::told,
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
    session_attrs: SessionAttrs,
    allowed_methods: AllowedMethods,
    connect_within: Duration,
    warnings: Vec<String>,
    /// What was said, and where.
    settings: Vec<ToldSetting>,
    /// What only a connection shows; shared by all that is connected for the same command.
    notices: Arc<Mutex<Notices>>,
    /// The PostgreSQL schema that the environment names (`DATABASE_SCHEMA`).
    pub db_schema: Option<String>,
}

/// Each is told once.
#[derive(Debug, Default)]
struct Notices {
    all: Vec<String>,
    told: usize,
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
        let passfile = set_passwords(&mut hosts, &config, &settings, &env, &mut warnings)?;
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
        Ok(Self {
            settings: told(&settings, &config, &hosts, &tls, &env, passfile)?,
            session_attrs: SessionAttrs::of(&settings)?,
            allowed_methods: AllowedMethods::of(&settings)?,
            db_schema,
            ..Self::new(config, hosts, tls, warnings)
        })
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
        let hosts = hosts.collect();
        Self::new(parameters::with_defaults(config), hosts, Tls::OFF, Vec::new())
    }

    fn new(config: Config, hosts: Vec<TargetHost>, tls: Tls, warnings: Vec<String>) -> Self {
        Self {
            config,
            hosts,
            tls,
            session_attrs: SessionAttrs::Any,
            allowed_methods: AllowedMethods::all(),
            connect_within: CONNECT_WITHIN,
            warnings,
            settings: Vec::new(),
            notices: Arc::default(),
            db_schema: None,
        }
    }

    /// Whether the server is on this machine, as far as its address tells.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(TargetHost::is_local)
    }

    /// What connections are made with, and where it was said; nothing of a server that we started.
    pub(crate) fn settings(&self) -> &[ToldSetting] {
        &self.settings
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

    /// Has the operator told of something that a connection showed.
    pub(crate) fn add_notice(&self, notice: String) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if !notices.all.contains(&notice) {
            notices.all.push(notice);
        }
    }

    /// What connections have shown since this was asked last.
    pub(crate) fn new_notices(&self) -> Vec<String> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let new = notices.all[notices.told..].to_vec();
        notices.told = notices.all.len();
        new
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) fn session_attrs(&self) -> SessionAttrs {
        self.session_attrs
    }

    /// Whether hosts, and the addresses of each, are tried in any order.
    pub(crate) fn balances_load(&self) -> bool {
        self.config.get_load_balance_hosts() == LoadBalanceHosts::Random
    }

    /// For a connection to one of the hosts. A password goes in clear over a socket, which leads nowhere else, and to a
    /// server that is verified.
    pub(crate) fn auth_guard(&self, host: &TargetHost, is_encrypted: bool) -> AuthGuard {
        let is_verified = is_encrypted && self.tls.mode_of(host) >= SslMode::VerifyCa;
        AuthGuard::new(self.allowed_methods.clone(), host.is_socket() || is_verified)
    }

    /// Whether settings of the session come with it.
    pub(crate) fn has_options(&self) -> bool {
        self.config.get_options().is_some_and(|options| !options.trim().is_empty())
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
        if self.balances_load() {
            fastrand::shuffle(&mut all);
        }
        all
    }

    /// What a session with one of the hosts begins with.
    pub(crate) fn config_of(&self, host: &TargetHost) -> Config {
        let mut one = self.config.clone();
        if let Some(password) = &host.password {
            one.password(&password.0);
        }
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

/// The password that is given, or those of the password file; returns its name where one of its passwords is used.
fn set_passwords(
    hosts: &mut [TargetHost],
    config: &Config,
    settings: &ConnectionSettings,
    env: &Environment<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<String>, TargetError> {
    if let Some(password) = settings.bytes("password").filter(|password| !password.is_empty()) {
        for host in hosts {
            host.password = Some(HostPassword(password.to_vec()));
        }
        return Ok(None);
    }
    let path = match settings.given("passfile")? {
        Some(path) => PathBuf::from(path),
        None => match env.home()? {
            Some(home) => home.join(".pgpass"),
            None => return Ok(None),
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
            return Ok(None);
        }
    };
    let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
    for host in &mut *hosts {
        host.password = host.password_of(&passwords, database, user).map(HostPassword);
    }
    Ok(hosts.iter().any(|host| host.password.is_some()).then_some(name))
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
