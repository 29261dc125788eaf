//! The hosts that connection settings name, as libpq reads their lists.

use std::{net::IpAddr, path::PathBuf};

use tokio_postgres::config::Host;

use super::{
    conninfo::{ConnectionSettings, Passwords, shown},
    target_error::TargetError,
};
use crate::path_text::path_text;

pub(super) const PORT: u16 = 5432;

/// Where servers put their sockets: Debian's place, and the one compiled into plain builds.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// One of the hosts of a target.
#[derive(Debug, Clone)]
pub(crate) struct TargetHost {
    /// None where only an address is given.
    pub(crate) host: Option<Host>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(super) password: Option<HostPassword>,
}

/// Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HostPassword(pub(super) Vec<u8>);

impl std::fmt::Debug for HostPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl std::fmt::Display for TargetHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.host, self.address) {
            (Some(Host::Tcp(name)), _) => write!(f, "{}, port {}", shown(name), self.port),
            (Some(Host::Unix(dir)), _) => {
                write!(f, "{}, port {}", shown(&path_text(dir)), self.port)
            }
            (None, Some(address)) => write!(f, "{address}, port {}", self.port),
            (None, None) => write!(f, "port {}", self.port),
        }
    }
}

impl TargetHost {
    pub(crate) fn is_socket(&self) -> bool {
        self.address.is_none() && matches!(self.host, Some(Host::Unix(_)))
    }

    /// Whether it is this machine, as far as its address tells.
    pub(crate) fn is_local(&self) -> bool {
        match (self.address, &self.host) {
            (Some(address), _) => address.is_loopback(),
            (None, Some(Host::Tcp(name))) => {
                name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            (None, Some(Host::Unix(_)) | None) => true,
        }
    }

    /// What the password file has for it.
    pub(super) fn password_of(&self, passwords: &Passwords, database: &str, user: &str) -> Option<Vec<u8>> {
        let find = |host: &str| passwords.find(host, self.port, database, user);
        match (&self.host, self.address) {
            (Some(Host::Tcp(name)), _) => find(name),
            (Some(Host::Unix(dir)), _) => {
                let dir = dir.display().to_string();
                let is_default = SOCKET_DIRS.contains(&&*dir);
                is_default.then(|| find("localhost")).flatten().or_else(|| find(&dir))
            }
            (None, Some(address)) => find(&address.to_string()),
            (None, None) => None,
        }
    }
}

/// In their order. An empty element stands for the default: the system's socket, or this machine where there is none.
pub(super) fn hosts(settings: &ConnectionSettings) -> Result<Vec<TargetHost>, TargetError> {
    let list = |keyword| -> Result<Vec<&str>, TargetError> {
        Ok(settings.given(keyword)?.map_or_else(Vec::new, |text| text.split(',').collect()))
    };
    let (names, addresses, ports) = (list("host")?, list("hostaddr")?, list("port")?);
    let count = if addresses.is_empty() { names.len().max(1) } else { addresses.len() };
    let counts =
        |keyword: &'static str, than| TargetError::Counts { origin: settings.origin(keyword), keyword, than };
    if !names.is_empty() && names.len() != count {
        return Err(counts("host", "hostaddr"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(counts("port", "hosts"));
    }
    let host = |index: usize| -> Result<TargetHost, TargetError> {
        let port = match ports.get(index).or(ports.first()).map(|port| trim(port)) {
            None | Some("") => PORT,
            Some(port) => parse_port(port).ok_or_else(|| settings.wrong("port", "a port number"))?,
        };
        let address = match addresses.get(index) {
            None | Some(&"") => None,
            Some(address) => Some(address.parse().map_err(|_| settings.wrong("hostaddr", "an IP address"))?),
        };
        let host = match names.get(index) {
            None | Some(&"") if address.is_some() => None,
            None | Some(&"") => Some(default_host(port)),
            Some(name) => Some(parse_host(name).ok_or_else(|| settings.wrong("host", HOST))?),
        };
        Ok(TargetHost { host, address, port, password: None })
    };
    (0..count).map(host).collect()
}

const HOST: &str = "the name or IP address of a host, or the folder of a socket, and nothing else (a port is a setting \
                    of its own; @ and / of a password in a URL are written %40 and %2F)";

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace())
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn parse_host(text: &str) -> Option<Host> {
    if text.starts_with('/') {
        return Some(Host::Unix(PathBuf::from(text)));
    }
    let address = text.split_once('%').map_or(text, |(address, _zone)| address);
    let is_address = address.parse::<IpAddr>().is_ok();
    let is_of_name = |c: char| c.is_alphanumeric() || "-._~!$".contains(c);
    (is_address || text.chars().all(is_of_name)).then(|| Host::Tcp(text.to_owned()))
}

fn default_host(port: u16) -> Host {
    let mut dirs = SOCKET_DIRS.map(PathBuf::from).into_iter();
    match dirs.find(|dir| dir.join(format!(".s.PGSQL.{port}")).exists()) {
        Some(dir) => Host::Unix(dir),
        None => Host::Tcp("localhost".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let hosts = hosts(&ConnectionSettings::parse(text, "X").unwrap()).expect(text);
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, expected, "{text}");
    }

    #[test]
    fn lists_are_read_as_libpq_reads_them() {
        check("host=a", &["a, port 5432"]);
        check("host=a,b port=1", &["a, port 1", "b, port 1"]);
        check("host=a,b port=1,", &["a, port 1", "b, port 5432"]);
        check("host=a,/run/x port=1,2", &["a, port 1", "/run/x, port 2"]);
        check("hostaddr=127.0.0.1,::1 port=' 7 '", &["127.0.0.1, port 7", "::1, port 7"]);
        check("host=a,b hostaddr=127.0.0.1,", &["a, port 5432", "b, port 5432"]);
        check("postgresql://[::1],[fe80::1%25eth0]:9/", &["::1, port 5432", "fe80::1%eth0, port 9"]);
        check("postgresql://a:1,b/d?host=c,d", &["c, port 1", "d, port 5432"]);
    }

    #[test]
    fn what_is_no_host_or_port_is_refused_and_not_shown() {
        for text in [
            "host=s3cret:5432",
            "host=u@s3cret",
            "host='s3cret x'",
            "host=s3cret/x",
            "host=a port=s3cret",
            "host=a port=0",
            "host=a port=65536",
            "host=a port=1,2",
            "host=a,b hostaddr=127.0.0.1",
            "hostaddr=s3cret",
        ] {
            let error = hosts(&ConnectionSettings::parse(text, "X").unwrap()).expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{text}: {error}");
        }
    }
}
