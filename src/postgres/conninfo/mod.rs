//! Connection settings as libpq has them: the one parser of connection strings, and where else a parameter may come from.
//!
//! What was typed never gets into a message: a [`Fault`] is a word of ours, an error names settings by our table of
//! keywords, and values are shown by [`shown`] only. Whatever else has to be known of a connection string (whether TLS is
//! asked for, what has to be hidden) is read from [`ConnectionSettings`].

mod environment;
mod fault;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hint;
mod keyword_string;
mod keywords;
mod passfile;
mod service;
mod uri;
mod variables;

use std::{collections::BTreeMap, str};

use serde::Serialize;

use super::target_error::TargetError;
use fault::Fault;
pub(crate) use hint::looks_like_settings;
pub(super) use passfile::{PassfileFault, Passwords};
pub(super) use variables::Environment;

/// Values by libpq's keywords, from whichever place comes first. Without `Debug`: passwords are in here.
#[derive(Clone, Default)]
pub(super) struct ConnectionSettings(BTreeMap<&'static str, Value>);

#[derive(Clone)]
struct Value {
    bytes: Vec<u8>,
    origin: &'static str,
    /// Other values that the same place gave it before.
    replaced: Vec<Vec<u8>>,
}

/// A setting of a connection, for those who ask where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ToldSetting {
    pub(crate) keyword: &'static str,
    /// None where it is not to be shown.
    pub(crate) value: Option<String>,
    pub(crate) origin: String,
}

impl ConnectionSettings {
    /// Reads a URI or keyword string; nothing is added to what it says.
    pub(super) fn parse(text: &str, origin: &'static str) -> Result<Self, TargetError> {
        hint::refuse_other_forms(text, origin)?;
        let pairs = match uri::after_scheme(text) {
            Some(rest) => uri::parse(rest),
            None => keyword_string::parse(text.as_bytes()),
        };
        let unreadable = |fault: Fault| {
            let (problem, fix) = fault.words();
            TargetError::Unreadable { origin, problem, fix }
        };
        let mut settings = Self::default();
        for (name, value) in pairs.map_err(unreadable)? {
            settings.set(&name, value, origin)?;
        }
        Ok(settings)
    }

    /// Keeps a value in place of one of the same name.
    fn set(&mut self, name: &[u8], value: Vec<u8>, origin: &'static str) -> Result<(), TargetError> {
        if value.contains(&0) {
            let (problem, fix) = Fault::NulByte.words();
            return Err(TargetError::Unreadable { origin, problem, fix });
        }
        let (keyword, bytes) = match keywords::keyword(name) {
            // libpq's word of old.
            Some("requiressl") => {
                let mode: &[u8] = if value.starts_with(b"1") { b"require" } else { b"prefer" };
                ("sslmode", mode.to_vec())
            }
            Some("keepalives_retries") => ("keepalives_count", value),
            Some(keyword) => (keyword, value),
            None => {
                let foreign = keywords::foreign(name);
                let (name, fix) = foreign
                    .map_or((None, "see the manual of libpq for those there are"), |(name, fix)| {
                        (Some(name), fix)
                    });
                return Err(TargetError::UnknownKeyword { origin, name, fix });
            }
        };
        let mut replaced = self.0.remove(keyword).map_or_else(Vec::new, |before| {
            let Value { bytes, mut replaced, .. } = before;
            replaced.push(bytes);
            replaced
        });
        replaced.retain(|before| *before != bytes);
        self.0.insert(keyword, Value { bytes, origin, replaced });
        Ok(())
    }

    /// Takes what is left out here from a place that comes later.
    fn fill(&mut self, later: Self) {
        for (keyword, value) in later.0 {
            self.0.entry(keyword).or_insert(value);
        }
    }

    /// What is said of a parameter, an empty value included.
    pub(super) fn bytes(&self, keyword: &str) -> Option<&[u8]> {
        debug_assert!(keywords::keyword(keyword.as_bytes()).is_some(), "{keyword} is a keyword");
        self.0.get(keyword).map(|value| &*value.bytes)
    }

    /// The other values that a parameter had before the one that counts, where one place gave it several.
    pub(super) fn replaced(&self, keyword: &str) -> &[Vec<u8>] {
        self.0.get(keyword).map_or(&[], |value| &value.replaced)
    }

    /// The parameters that one place gave several values, and the place.
    pub(super) fn repeated(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let repeated = self.0.iter().filter(|(_, value)| !value.replaced.is_empty());
        repeated.map(|(keyword, value)| (*keyword, value.origin))
    }

    /// The same as text.
    pub(super) fn text(&self, keyword: &'static str) -> Result<Option<&str>, TargetError> {
        let Some(bytes) = self.bytes(keyword) else { return Ok(None) };
        match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.wrong(keyword, "UTF-8")),
        }
    }

    /// The same where an empty value counts as none, as it does for most parameters of libpq's.
    pub(super) fn given(&self, keyword: &'static str) -> Result<Option<&str>, TargetError> {
        Ok(self.text(keyword)?.filter(|text| !text.is_empty()))
    }

    /// A whole number, with blanks around it, as libpq takes them.
    pub(super) fn number(&self, keyword: &'static str) -> Result<Option<i32>, TargetError> {
        let Some(text) = self.text(keyword)? else { return Ok(None) };
        let text = text.trim_matches(|c: char| c.is_ascii() && keyword_string::is_blank(c as u8));
        text.parse().map(Some).map_err(|_| self.wrong(keyword, "a whole number"))
    }

    /// The value of a parameter that takes some words only.
    pub(super) fn one_of<T: Copy>(
        &self,
        keyword: &'static str,
        expected: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, TargetError> {
        let Some(text) = self.text(keyword)? else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| self.wrong(keyword, expected))
    }

    /// Where a parameter was said.
    pub(super) fn origin(&self, keyword: &str) -> &'static str {
        self.0.get(keyword).map_or("the default", |value| value.origin)
    }

    /// Every parameter that has a value, where it was said, and what may be shown of it.
    pub(super) fn told(&self) -> Vec<ToldSetting> {
        let given = self.0.iter().filter(|(_, value)| !value.bytes.is_empty());
        let told = given.map(|(keyword, value)| {
            let text = str::from_utf8(&value.bytes).ok().filter(|text| is_showable(text));
            let is_secret = keywords::is_secret(keyword);
            ToldSetting {
                keyword,
                value: text.filter(|_| !is_secret).map(str::to_owned),
                origin: value.origin.to_owned(),
            }
        });
        told.collect()
    }

    /// Whether only a variable of libpq's speaks of a parameter, which comes after everything else.
    pub(super) fn is_from_libpq_variable(&self, keyword: &str) -> bool {
        self.0.get(keyword).is_some_and(|value| value.origin.starts_with("PG"))
    }

    /// That a parameter has a value that it can't have.
    pub(super) fn wrong(&self, keyword: &'static str, expected: &'static str) -> TargetError {
        TargetError::Value { origin: self.origin(keyword), keyword, expected }
    }

    /// That a parameter asks for what can't be done.
    pub(super) fn unsupported(&self, keyword: &'static str, reason: &'static str) -> TargetError {
        TargetError::Unsupported { origin: self.origin(keyword), keyword, reason }
    }
}

/// Whether a connection string holds a password, of a role or of a key. One that can't be read is refused by whoever uses
/// it.
pub(crate) fn has_password(text: &str) -> bool {
    let settings = ConnectionSettings::parse(text, "");
    settings.is_ok_and(|settings| {
        ["password", "sslpassword"].iter().any(|keyword| settings.bytes(keyword).is_some())
    })
}

/// Whether a value may be shown: one that holds a separator of connection strings may be a piece of one, with a password.
pub(super) fn is_showable(text: &str) -> bool {
    !text.contains(['@', ';', '=']) && !text.contains("://") && !text.chars().any(char::is_control)
}

/// The value, or that there is one.
pub(super) fn shown(text: &str) -> &str {
    if is_showable(text) { text } else { "…" }
}
