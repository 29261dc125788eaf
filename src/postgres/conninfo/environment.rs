//! Where parameters come from that a connection string leaves out: other variables of the same place, a service file,
//! libpq's variables, and for the password a credential of systemd's, in this order, for each parameter by itself.

use std::{io, path::Path};

use super::{ConnectionSettings, Environment, hint, keywords::KEYWORDS, service, shown};
use crate::{
    path_text::path_text,
    postgres::target_error::TargetError,
    read_file::{SHORT, read_at_most},
};

/// The variables of the API that shares the database.
const DATABASE_VARIABLES: [(&str, &str); 5] = [
    ("DATABASE_HOST", "host"),
    ("DATABASE_PORT", "port"),
    ("DATABASE_USER", "user"),
    ("DATABASE_PASSWORD", "password"),
    ("DATABASE_NAME", "dbname"),
];

const PASSWORD_FILE: &str = "DATABASE_PASSWORD_FILE";

/// systemd's folder of credentials (systemd.exec(5), `LoadCredential=`), and the name of ours.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIAL: &str = "database-password";

/// Variables of libpq's that name a database.
const NAMES_OF_LIBPQ: [&str; 6] = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGPORT", "PGSERVICE"];

impl Environment<'_> {
    /// From the first place that names a database, which may be an option; what it leaves out is filled in.
    pub(in crate::postgres) fn settings(
        &self,
        option: Option<(&'static str, &str)>,
    ) -> Result<ConnectionSettings, TargetError> {
        let mut settings = if let Some((origin, text)) = option {
            ConnectionSettings::parse(text, origin)?
        } else if let Some(text) = self.variable("DATABASE_URL")? {
            let mut settings = ConnectionSettings::parse(&text, "DATABASE_URL")?;
            settings.fill(self.database_variables()?);
            settings
        } else if self.variable("DATABASE_HOST")?.or(self.variable("DATABASE_NAME")?).is_some() {
            self.database_variables()?
        } else if self.is_any_set(&NAMES_OF_LIBPQ)? {
            ConnectionSettings::default()
        } else {
            return Err(TargetError::Nothing);
        };
        settings.fill(service::settings(&settings, self)?);
        self.fill_from_libpq_variables(&mut settings)?;
        self.fill_from_credential(&mut settings)?;
        Ok(settings)
    }

    fn is_any_set(&self, names: &[&'static str]) -> Result<bool, TargetError> {
        for name in names {
            if self.variable(name)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn database_variables(&self) -> Result<ConnectionSettings, TargetError> {
        let mut settings = ConnectionSettings::default();
        for (variable, keyword) in DATABASE_VARIABLES {
            if let Some(value) = self.variable(variable)? {
                settings.set(keyword.as_bytes(), value.into_bytes(), variable)?;
            }
        }
        if let Some(path) = self.variable(PASSWORD_FILE)? {
            if settings.bytes("password").is_some() {
                return Err(TargetError::TwoPasswords { origin: "DATABASE_PASSWORD", other: PASSWORD_FILE });
            }
            let password = password_of(Path::new(&path), PASSWORD_FILE)?;
            settings.set(b"password", password, PASSWORD_FILE)?;
        }
        Ok(settings)
    }

    /// The unit's own credential, if systemd gave it one.
    fn fill_from_credential(&self, settings: &mut ConnectionSettings) -> Result<(), TargetError> {
        if settings.bytes("password").is_some() {
            return Ok(());
        }
        let Some(dir) = self.variable(CREDENTIALS)? else { return Ok(()) };
        match password_of(&Path::new(&dir).join(CREDENTIAL), CREDENTIALS) {
            Ok(password) => settings.set(b"password", password, CREDENTIALS),
            Err(TargetError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn fill_from_libpq_variables(&self, settings: &mut ConnectionSettings) -> Result<(), TargetError> {
        for (keyword, variable) in KEYWORDS {
            let Some(variable) = variable else { continue };
            if settings.bytes(keyword).is_some() {
                continue;
            }
            if let Some(value) = self.variable(variable)? {
                settings.set(keyword.as_bytes(), value.into_bytes(), variable)?;
            }
        }
        // libpq's variable of old.
        if settings.bytes("sslmode").is_none()
            && self.variable("PGREQUIRESSL")?.is_some_and(|value| value.starts_with('1'))
        {
            settings.set(b"sslmode", b"require".to_vec(), "PGREQUIRESSL")?;
        }
        Ok(())
    }
}

/// What a file holds but for the line's end.
fn password_of(path: &Path, origin: &'static str) -> Result<Vec<u8>, TargetError> {
    let name = || shown(&path_text(path)).to_owned();
    let mut password = read_at_most(path, SHORT).map_err(|source| TargetError::File {
        what: "the password file",
        path: name(),
        source,
    })?;
    if password.last() == Some(&b'\n') {
        password.pop();
        if password.last() == Some(&b'\r') {
            password.pop();
        }
    }
    if password.is_empty() {
        return Err(TargetError::EmptyPasswordFile { origin, path: name() });
    }
    Ok(password)
}

impl ConnectionSettings {
    /// Refuses a host, user or database that is a connection string, or a piece of one: it is not where it belongs, and
    /// would get into messages.
    pub(in crate::postgres) fn refuse_mistaken_names(&self) -> Result<(), TargetError> {
        for keyword in ["host", "hostaddr", "port", "user", "dbname"] {
            let Some(text) = self.text(keyword)? else { continue };
            let mistake = hint::mistaken_name(text);
            if let Some((problem, fix)) = mistake {
                return Err(TargetError::Mistaken { origin: self.origin(keyword), keyword, problem, fix });
            }
        }
        Ok(())
    }
}
