//! Where parameters come from that a connection string leaves out: other variables of the same place, a service file,
//! and libpq's variables, in this order, for each parameter by itself.

use super::{ConnectionSettings, Environment, hint, keywords::KEYWORDS, service};
use crate::postgres::target_error::TargetError;

/// The variables of the API that shares the database.
const DATABASE_VARIABLES: [(&str, &str); 5] = [
    ("DATABASE_HOST", "host"),
    ("DATABASE_PORT", "port"),
    ("DATABASE_USER", "user"),
    ("DATABASE_PASSWORD", "password"),
    ("DATABASE_NAME", "dbname"),
];

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
        Ok(settings)
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
