//! Where the connection settings come from, TLS, and the pool.
//!
//! libpq's words are kept (`sslmode`, `sslrootcert`, `PG*`), with one difference: where TLS is asked for, the
//! server's certificate is always verified. Passwords are in the `Config` only, never in a message.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use deadpool_postgres::{Hook, Manager, ManagerConfig, Pool, PoolBuilder, RecyclingMethod};
use thiserror::Error;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{TlsWish, split_keywords, split_url, tls_of_sslmode, verifying};

/// How long one attempt to connect may take, where the settings do not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long data that was sent may go unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Where servers put their sockets: Debian's place, and the one compiled into plain builds.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Why there is no usable target; all of them are for the operator to mend.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error(
        "no database is named; use --database-url, DATABASE_URL, DATABASE_HOST and its kin, PGHOST and its kin, or --embedded"
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

/// A database to connect to.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
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
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_dbname().or(config.get_user()) {
            Some(database) => write!(f, "database {database} at {host}, port {port}")?,
            None => write!(f, "the database at {host}, port {port}")?,
        }
        match config.get_user() {
            Some(user) => write!(f, ", as {user}"),
            None => f.write_str(", as the system's user"),
        }
    }
}

/// What was found in one place, before it is put together.
struct Found {
    config: Config,
    tls: TlsWish,
    root_certificates: Option<String>,
    db_schema: Option<String>,
}

impl Target {
    /// Settles where to connect to: `url`, else `DATABASE_URL`, else `DATABASE_*`, else `PG*`.
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
        Self { config: with_defaults(config), tls: None, db_schema: None }
    }

    fn with_tls(found: Found, database_ssl_ca: Option<String>) -> Result<Self, TargetError> {
        let mut config = with_defaults(found.config);
        let mode = match found.tls {
            TlsWish::Off => SslMode::Disable,
            TlsWish::Unsaid if is_near(&config) => SslMode::Disable,
            TlsWish::Unsaid => SslMode::Prefer,
            TlsWish::Verified => SslMode::Require,
        };
        config.ssl_mode(mode);
        let tls = match mode {
            SslMode::Disable => None,
            _ => Some(MakeRustlsConnect::new(verifying(found.root_certificates.or(database_ssl_ca))?)),
        };
        Ok(Self { config, tls, db_schema: None })
    }

    /// Whether the connection may go unencrypted over a network, because the server offers no TLS.
    pub fn may_be_plain(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Prefer
    }

    /// Whether the server is on this machine, as far as its address tells.
    pub fn is_near(&self) -> bool {
        is_near(&self.config)
    }

    /// The same place, with a name for its sessions that says what they are for.
    #[must_use]
    pub fn named(&self, application_name: &str) -> Self {
        let mut target = self.clone();
        target.config.application_name(application_name);
        target
    }

    /// A pool of at most `size` connections, none of which is opened yet.
    pub fn pool(&self, size: usize) -> Pool {
        self.pool_builder(size).build().expect("a pool without timeouts needs no runtime")
    }

    /// A pool whose connections are made ready by `prepare`.
    pub fn pool_with(&self, size: usize, prepare: Hook) -> Pool {
        self.pool_builder(size)
            .post_create(prepare)
            .build()
            .expect("a pool without timeouts needs no runtime")
    }

    fn pool_builder(&self, size: usize) -> PoolBuilder {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(self.config.clone(), tls.clone(), recycling),
            None => Manager::from_config(self.config.clone(), NoTls, recycling),
        };
        Pool::builder(manager).max_size(size)
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
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    // A server that vanished says nothing; within a minute and a half the system notices.
    config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(3);
    config
}

fn is_near(config: &Config) -> bool {
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

fn from_text(text: &str, origin: &'static str) -> Result<Found, TargetError> {
    let (rest, tls_words) = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        split_url(text)
    } else if let Some((scheme, _)) =
        text.split_once("://").filter(|(scheme, _)| !scheme.contains(['=', ' ']))
    {
        return Err(TargetError::NotPostgres { origin, scheme: scheme.to_owned() });
    } else {
        split_keywords(text)
    };
    let config = Config::from_str(&rest).map_err(|source| TargetError::Unreadable { origin, source })?;
    let tls = match tls_words.mode {
        Some(mode) => tls_of_sslmode(&mode, origin)?,
        None => TlsWish::Unsaid,
    };
    Ok(Found { config, tls, root_certificates: tls_words.root_certificates, db_schema: None })
}

/// The variables of the API that shares the database.
fn from_database_variables(env: &impl Fn(&str) -> Option<String>) -> Result<Found, TargetError> {
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
        None => TlsWish::Unsaid,
        Some("true" | "1" | "on" | "yes") => TlsWish::Verified,
        Some("false" | "0" | "off" | "no") => TlsWish::Off,
        Some(mode) => tls_of_sslmode(mode, "DATABASE_SSL")?,
    };
    Ok(Found { config, tls, root_certificates: None, db_schema: None })
}

fn from_libpq_variables(env: &impl Fn(&str) -> Option<String>) -> Result<Found, TargetError> {
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
        None => TlsWish::Unsaid,
    };
    let root_certificates = env("PGSSLROOTCERT").filter(|path| path != "system");
    Ok(Found { config, tls, root_certificates, db_schema: None })
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
