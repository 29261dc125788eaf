//! libpq's connection service files: `[name]`, then lines of `keyword=value` (manual, section "The Connection Service
//! File").

use std::path::{Path, PathBuf};

use super::{ConnectionSettings, Environment, keyword_string::is_blank, keywords, shown};
use crate::{
    path_text::path_text,
    postgres::target_error::TargetError,
    read_file::{SHORT, read_at_most},
};

/// Where its values come from, in messages.
const ORIGIN: &str = "the service file";

/// Services within services, and words of old, which libpq takes in connection strings only.
const NOT_HERE: [&str; 4] = ["service", "servicefile", "requiressl", "keepalives_retries"];

/// Where systems keep the file for all users: those of Debian, of Red Hat with PostgreSQL's packages, of plain builds.
const SYSTEM_DIRS: [&str; 4] =
    ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/etc", "/usr/local/pgsql/etc"];

/// The settings of the service that these settings or PGSERVICE name, if any does.
pub(super) fn settings(
    named_by: &ConnectionSettings,
    env: &Environment<'_>,
) -> Result<ConnectionSettings, TargetError> {
    let (service, origin) = match named_by.text("service")? {
        Some(service) => (service.to_owned(), named_by.origin("service")),
        None => match env.variable("PGSERVICE")? {
            Some(service) => (service, "PGSERVICE"),
            None => return Ok(ConnectionSettings::default()),
        },
    };
    let own = match named_by.given("servicefile")? {
        Some(path) => Some(PathBuf::from(path)),
        None => env.variable("PGSERVICEFILE")?.map(PathBuf::from),
    };
    // A file that is named has to be there.
    if let Some(path) = &own {
        if let Some(settings) = of_file(path, &service)? {
            return Ok(settings);
        }
    } else if let Some(path) =
        env.home()?.map(|home| home.join(".pg_service.conf")).filter(|path| path.exists())
        && let Some(settings) = of_file(&path, &service)?
    {
        return Ok(settings);
    }
    let system_dirs = match env.variable("PGSYSCONFDIR")? {
        Some(dir) => vec![PathBuf::from(dir)],
        None => SYSTEM_DIRS.map(PathBuf::from).to_vec(),
    };
    for path in system_dirs.iter().map(|dir| dir.join("pg_service.conf")).filter(|path| path.exists()) {
        if let Some(settings) = of_file(&path, &service)? {
            return Ok(settings);
        }
    }
    Err(TargetError::NoService { origin, service: shown(&service).to_owned() })
}

fn of_file(path: &Path, service: &str) -> Result<Option<ConnectionSettings>, TargetError> {
    let name = || shown(&path_text(path)).to_owned();
    let text = read_at_most(path, SHORT).map_err(|source| TargetError::File {
        what: "the service file",
        path: name(),
        source,
    })?;
    of_text(&text, service.as_bytes()).map_err(|line| TargetError::ServiceLine { path: name(), line })
}

/// The settings of a service, or the number of the line that is wrong.
pub(super) fn of_text(text: &[u8], service: &[u8]) -> Result<Option<ConnectionSettings>, usize> {
    let mut found: Option<ConnectionSettings> = None;
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = trim(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Some(name) = line.strip_prefix(b"[") {
            if found.is_some() {
                break;
            }
            let is_it = name.strip_prefix(service).is_some_and(|rest| rest.starts_with(b"]"));
            found = is_it.then(ConnectionSettings::default);
        } else if let Some(settings) = &mut found {
            let at = line.iter().position(|byte| *byte == b'=').ok_or(number)?;
            let (name, value) = (&line[..at], &line[at + 1..]);
            if keywords::keyword(name).is_none_or(|keyword| NOT_HERE.contains(&keyword)) {
                return Err(number);
            }
            // Of lines for the same parameter libpq takes the first.
            let mut one = ConnectionSettings::default();
            one.set(name, value.to_vec(), ORIGIN).map_err(|_| number)?;
            settings.fill(one);
        }
    }
    Ok(found)
}

/// Without what C's `isspace` takes for blank around it.
fn trim(line: &[u8]) -> &[u8] {
    let begin = line.iter().position(|byte| !is_blank(*byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(*byte)).map_or(begin, |last| last + 1);
    &line[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] =
        b"# services\n[other]\nhost=o\n\n[app]\n\x0b host=h \x0b\n# comment\nhost=i\nport=1\n\
        [wrong]\nhost\n[unknown]\ns3cret=1\n[app]\nuser=u\n";

    #[test]
    fn the_first_section_of_that_name_counts() {
        let value = |service: &str, keyword| {
            let settings = of_text(FILE, service.as_bytes()).unwrap()?;
            settings.bytes(keyword).map(<[u8]>::to_vec)
        };
        assert_eq!(value("app", "host").unwrap(), b"h");
        assert_eq!(value("app", "port").unwrap(), b"1");
        assert_eq!(value("app", "user"), None);
        assert_eq!(value("other", "port"), None);
        assert!(of_text(FILE, b"missing").unwrap().is_none() && of_text(FILE, b"ap").unwrap().is_none());
        assert_eq!(of_text(FILE, b"wrong").err(), Some(11));
        assert_eq!(of_text(FILE, b"unknown").err(), Some(13));
        assert_eq!(of_text(b"[a]\nrequiressl=1", b"a").err(), Some(2));
    }
}
