//! Where the connection settings come from, and the hosts that they name.
//!
//! libpq's words are kept (`sslmode`, `sslrootcert`, `PG*`), with one difference: where TLS is requested, the
//! server's certificate is always verified. Passwords are in the `Config` only, never in a message.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    target_error::TargetError,
    tls::{TlsRequest, split_keywords, split_url, tls_of_sslmode, verifying},
};

/// How long an attempt to connect may take where nobody says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// How long data that was sent may go unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Where servers put their sockets: Debian's place, and the one compiled into plain builds.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A database to connect to.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    connect_within: Duration,
    /// The PostgreSQL schema that the environment names (`DATABASE_SCHEMA`).
    pub db_schema: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

/// Host, port, database and user; never the password.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        match config.get_dbname().or(config.get_user()) {
            Some(database) => write!(f, "database {database} at ")?,
            None => f.write_str("the database at ")?,
        }
        let hosts: Vec<_> = self.hosts().iter().map(ToString::to_string).collect();
        f.write_str(&hosts.join(" or "))?;
        match config.get_user() {
            Some(user) => write!(f, ", as {user}"),
            None => f.write_str(", as the system's user"),
        }
    }
}

/// One of the hosts of a target.
#[derive(Debug, Clone)]
pub(crate) struct TargetHost {
    /// None where only an address is given.
    pub(crate) host: Option<Host>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

/// The settings of one place, before defaults are added.
struct RawSettings {
    config: Config,
    tls: TlsRequest,
    root_certificates: Option<String>,
    db_schema: Option<String>,
}

impl Target {
    /// Decides where to connect to: `url`, else `DATABASE_URL`, else `DATABASE_*`, else `PG*`.
    pub fn find(url: Option<&str>, env: &impl Fn(&str) -> Option<String>) -> Result<Self, TargetError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let found = if let Some(url) = url {
            from_text(url, "--database-url")?
        } else if let Some(url) = env("DATABASE_URL") {
            from_text(&url, "DATABASE_URL")?
        } else if env("DATABASE_HOST").is_some() || env("DATABASE_NAME").is_some() {
            from_database_variables(&env)?
        } else if ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGPORT"].iter().any(|n| env(n).is_some())
        {
            from_libpq_variables(&env)?
        } else {
            return Err(TargetError::Nothing);
        };
        let db_schema = found.db_schema.clone().or_else(|| env("DATABASE_SCHEMA"));
        Ok(Self { db_schema, ..Self::with_tls(found, env("DATABASE_SSL_CA"))? })
    }

    /// A server on this machine that we started.
    pub fn local(config: Config) -> Self {
        Self { config: with_defaults(config), tls: None, connect_within: CONNECT_WITHIN, db_schema: None }
    }

    fn with_tls(found: RawSettings, database_ssl_ca: Option<String>) -> Result<Self, TargetError> {
        let mut config = with_defaults(found.config);
        let mode = match found.tls {
            TlsRequest::Off => SslMode::Disable,
            TlsRequest::Default if is_local(&config) => SslMode::Disable,
            TlsRequest::Default => SslMode::Prefer,
            TlsRequest::Verified => SslMode::Require,
        };
        config.ssl_mode(mode);
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(verifying(found.root_certificates.or(database_ssl_ca))?)),
        };
        Ok(Self { config, tls, connect_within: CONNECT_WITHIN, db_schema: None })
    }

    /// Whether the connection may go unencrypted over a network, because the server offers no TLS.
    pub fn may_be_plain(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Prefer
    }

    /// Whether the server is on this machine, as far as its address tells.
    pub fn is_local(&self) -> bool {
        is_local(&self.config)
    }

    /// The same place, with a name for its sessions that says what they are for.
    #[must_use]
    pub fn named(&self, application_name: &str) -> Self {
        let mut target = self.clone();
        target.config.application_name(application_name);
        target
    }

    pub(crate) fn tls(&self) -> Option<&MakeRustlsConnect> {
        self.tls.as_ref()
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
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let ports = self.config.get_ports();
        let host = |index: usize| TargetHost {
            host: hosts.get(index).cloned(),
            address: addresses.get(index).copied(),
            port: ports.get(index).or(ports.first()).copied().unwrap_or(5432),
        };
        let mut all: Vec<_> = (0..hosts.len().max(addresses.len())).map(host).collect();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            fastrand::shuffle(&mut all);
        }
        all
    }

    /// The settings for one of the hosts, at this address where its name was looked up.
    pub(crate) fn config_of(&self, host: &TargetHost, address: Option<IpAddr>) -> Config {
        let all = &self.config;
        let mut one = Config::new();
        all.get_user().map(|user| one.user(user));
        all.get_password().map(|password| one.password(password));
        all.get_dbname().map(|name| one.dbname(name));
        all.get_options().map(|options| one.options(options));
        all.get_application_name().map(|name| one.application_name(name));
        all.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
        all.get_keepalives_interval().map(|time| one.keepalives_interval(time));
        all.get_keepalives_retries().map(|count| one.keepalives_retries(count));
        one.ssl_mode(all.get_ssl_mode())
            .ssl_negotiation(all.get_ssl_negotiation())
            .keepalives(all.get_keepalives())
            .keepalives_idle(all.get_keepalives_idle())
            .target_session_attrs(all.get_target_session_attrs())
            .channel_binding(all.get_channel_binding())
            .port(host.port);
        match &host.host {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            Some(Host::Unix(dir)) => drop(one.host_path(dir)),
            None => {}
        }
        address.map(|address| one.hostaddr(address));
        one
    }
}

impl fmt::Display for TargetHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.address) {
            (Some(Host::Tcp(name)), _) => write!(f, "{name}, port {}", self.port),
            (Some(Host::Unix(dir)), _) => write!(f, "{}, port {}", dir.display(), self.port),
            (None, Some(address)) => write!(f, "{address}, port {}", self.port),
            (None, None) => write!(f, "port {}", self.port),
        }
    }
}

fn with_defaults(mut config: Config) -> Config {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let socket = SOCKET_DIRS.map(PathBuf::from).into_iter();
        match socket.into_iter().find(|dir| dir.join(format!(".s.PGSQL.{port}")).exists()) {
            Some(dir) => config.host_path(dir),
            None => config.host("localhost"),
        };
    }
    if config.get_application_name().is_none() {
        config.application_name("profile-loader");
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    // A server that vanished says nothing; within a minute and a half the system notices.
    config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(3);
    config
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(is_this_machine)
        && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    }
}

fn from_text(text: &str, origin: &'static str) -> Result<RawSettings, TargetError> {
    let (rest, tls_parameters) = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        split_url(text)
    } else if let Some((scheme, _)) =
        text.split_once("://").filter(|(scheme, _)| !scheme.contains(['=', ' ']))
    {
        return Err(TargetError::NotPostgres { origin, scheme: scheme.to_owned() });
    } else {
        split_keywords(text)
    };
    let config = Config::from_str(&rest).map_err(|source| TargetError::Unreadable { origin, source })?;
    let tls = match tls_parameters.mode {
        Some(mode) => tls_of_sslmode(&mode, origin)?,
        None => TlsRequest::Default,
    };
    Ok(RawSettings { config, tls, root_certificates: tls_parameters.root_certificates, db_schema: None })
}

/// The variables of the API that shares the database.
fn from_database_variables(env: &impl Fn(&str) -> Option<String>) -> Result<RawSettings, TargetError> {
    let mut config = Config::new();
    if let Some(host) = env("DATABASE_HOST") {
        config.host(host);
    }
    if let Some(port) = env("DATABASE_PORT") {
        config.port(parse_port(&port, "DATABASE_PORT")?);
    }
    if let Some(user) = env("DATABASE_USER") {
        config.user(user);
    }
    if let Some(password) = env("DATABASE_PASSWORD") {
        config.password(password);
    }
    if let Some(name) = env("DATABASE_NAME") {
        config.dbname(name);
    }
    let tls = match env("DATABASE_SSL").as_deref() {
        None => TlsRequest::Default,
        Some("true" | "1" | "on" | "yes") => TlsRequest::Verified,
        Some("false" | "0" | "off" | "no") => TlsRequest::Off,
        Some(mode) => tls_of_sslmode(mode, "DATABASE_SSL")?,
    };
    Ok(RawSettings { config, tls, root_certificates: None, db_schema: None })
}

fn from_libpq_variables(env: &impl Fn(&str) -> Option<String>) -> Result<RawSettings, TargetError> {
    let mut config = Config::new();
    if let Some(host) = env("PGHOST") {
        config.host(host);
    }
    if let Some(address) = env("PGHOSTADDR") {
        let ip = address.parse().map_err(|_| TargetError::Value {
            origin: "PGHOSTADDR",
            found: address,
            expected: "an IP address",
        })?;
        config.hostaddr(ip);
    }
    if let Some(port) = env("PGPORT") {
        config.port(parse_port(&port, "PGPORT")?);
    }
    if let Some(user) = env("PGUSER") {
        config.user(user);
    }
    if let Some(password) = env("PGPASSWORD") {
        config.password(password);
    }
    if let Some(database) = env("PGDATABASE") {
        config.dbname(database);
    }
    if let Some(options) = env("PGOPTIONS") {
        config.options(options);
    }
    if let Some(name) = env("PGAPPNAME") {
        config.application_name(name);
    }
    let tls = match env("PGSSLMODE") {
        Some(mode) => tls_of_sslmode(&mode, "PGSSLMODE")?,
        None => TlsRequest::Default,
    };
    let root_certificates = env("PGSSLROOTCERT").filter(|path| path != "system");
    Ok(RawSettings { config, tls, root_certificates, db_schema: None })
}

fn parse_port(port: &str, origin: &'static str) -> Result<u16, TargetError> {
    let not_a_port = |_| TargetError::Value { origin, found: port.to_owned(), expected: "a port number" };
    port.parse().map_err(not_a_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(url: Option<&str>, variables: &[(&str, &str)]) -> Result<Target, TargetError> {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Target::find(url, &env)
    }

    #[test]
    fn the_first_place_that_names_a_database_wins() {
        let all = [
            ("DATABASE_URL", "postgresql://u@b/two"),
            ("DATABASE_HOST", "c"),
            ("DATABASE_NAME", "three"),
            ("PGHOST", "d"),
            ("PGDATABASE", "four"),
            ("DATABASE_SCHEMA", "app"),
        ];
        let place = |url, variables| find(url, variables).unwrap().to_string();
        assert_eq!(place(Some("postgresql://u@a/one"), &all), "database one at a, port 5432, as u");
        assert_eq!(place(None, &all), "database two at b, port 5432, as u");
        assert!(place(None, &all[1..]).starts_with("database three at c, port 5432"));
        assert!(place(None, &all[3..]).starts_with("database four at d"));
        assert_eq!(find(None, &all).unwrap().db_schema.as_deref(), Some("app"));
        assert!(matches!(find(None, &[("PGHOST", "")]), Err(TargetError::Nothing)));
    }

    #[test]
    fn tls_is_verified_or_off_and_never_guessed() {
        let mode = |url: &str| find(Some(url), &[]).map(|target| target.config.get_ssl_mode());
        assert_eq!(mode("postgresql://u@localhost/x").unwrap(), SslMode::Disable);
        assert_eq!(mode("host=/run/postgresql user=u").unwrap(), SslMode::Disable);
        assert_eq!(mode("postgresql://u@db.example/x").unwrap(), SslMode::Prefer);
        assert_eq!(
            mode("postgresql://u@db.example/x?sslmode=disable&connect_timeout=3").unwrap(),
            SslMode::Disable
        );
        assert_eq!(mode("host=localhost sslmode=verify-full user='a b'").unwrap(), SslMode::Require);
        assert!(
            mode("postgresql://u@localhost/x?sslmode=maybe")
                .unwrap_err()
                .to_string()
                .contains("sslmode=maybe")
        );
        let missing = mode("postgresql://u@localhost/x?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch.pem");
        assert!(missing.unwrap_err().to_string().contains("/no/such.pem"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let target = find(Some("postgresql://u:s3cret@localhost/x"), &[]).unwrap();
        assert!(!format!("{target} {target:?}").contains("s3cret"));
        let error = find(Some("postgresql://u:s3cret@localhost:port/x"), &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
