//! Connection settings with their passwords, as fuzz targets ask for them and nothing else may.

use super::{ConnectionSettings, Passwords, service};
use crate::postgres::{Target, TargetError};

/// Keywords of libpq's and their values.
pub type Settings = Vec<(&'static str, Vec<u8>)>;

/// What a connection string says.
pub fn connection_string(text: &str) -> Result<Settings, TargetError> {
    ConnectionSettings::parse(text, "the text").map(into_pairs)
}

/// The password that a password file has for a server.
pub fn password_in(file: Vec<u8>, host: &str, port: u16, database: &str, user: &str) -> Option<Vec<u8>> {
    Passwords::of(file).find(host, port, database, user)
}

/// The settings of a service, if the file has it; or the number of the line that is wrong.
pub fn service_in(file: &[u8], service: &[u8]) -> Result<Option<Settings>, usize> {
    service::of_text(file, service).map(|found| found.map(into_pairs))
}

/// All that is ever told of a target.
pub fn told(target: &Target) -> String {
    format!("{target} {target:?} {:?} {:?} {:?}", target.settings(), target.warnings(), target.hosts())
}

/// Whether a text is taken for something that has to be hidden.
pub fn is_hidden(text: &str) -> bool {
    super::looks_like_settings(text)
}

fn into_pairs(settings: ConnectionSettings) -> Settings {
    settings.0.into_iter().map(|(keyword, value)| (keyword, value.bytes)).collect()
}
