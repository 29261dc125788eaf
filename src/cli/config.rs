//! `--config FILE.toml`: options by their names, for what neither the command line nor a variable says.
//!
//! What the file says becomes words of the command line, so that values and contradictions are judged by the same rules.
//! A message names the file's line in place of an option. Passwords are refused: such files are read by others, kept
//! with other people's, and shown.

use std::{ffi::OsString, path::Path};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    error::{ContextKind, ContextValue, Error, ErrorKind},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    document::sha256_hex,
    path_text::path_text,
    postgres::has_password,
    read_file::{SHORT, read_at_most},
    settings::ConfigIdentity,
};

/// A file of options.
pub(super) struct ConfigFile {
    pub(super) identity: ConfigIdentity,
    entries: Vec<Entry>,
}

/// One key of it.
struct Entry {
    key: String,
    /// From 1.
    line: usize,
    value: Given,
}

enum Given {
    Flag(bool),
    Values(Vec<String>),
}

impl ConfigFile {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let name = path_text(path);
        let refuse = |reason: String| Err(refusal(format!("the configuration file {name} {reason}")));
        let bytes = match read_at_most(path, SHORT) {
            Ok(bytes) => bytes,
            Err(error) => return refuse(format!("can't be read: {error}")),
        };
        let Ok(text) = str::from_utf8(&bytes) else { return refuse("is not UTF-8".to_owned()) };
        let line_of = |at: usize| text[..at].matches('\n').count() + 1;
        let table = DeTable::parse(text).map_err(|error| {
            // The parser's whole message shows the line, which may hold anything.
            let line = line_of(error.span().map_or(0, |span| span.start.min(text.len())));
            refusal(format!("{name}, line {line}: this is not TOML: {}", error.message()))
        })?;
        let mut entries = Vec::new();
        for (key, value) in table.into_inner() {
            let line = line_of(key.span().start);
            let entry = given(key.get_ref(), &value).map(|value| Entry {
                key: key.into_inner().into_owned(),
                line,
                value,
            });
            entries.push(entry.map_err(|reason| refusal(format!("{name}, line {line}: {reason}")))?);
        }
        entries.sort_by_key(|entry| entry.line);
        let sha256 = sha256_hex(&bytes);
        Ok(Self { identity: ConfigIdentity { path: path.to_owned(), sha256 }, entries })
    }

    /// The words that stand for what the file says to the command at hand, where nothing nearer says otherwise; `program`
    /// is built.
    pub(super) fn words(&self, program: &Command, nearer: &ArgMatches) -> Result<Vec<OsString>, Error> {
        let (command, matches) = innermost(program, nearer);
        let mut words = Vec::new();
        for entry in &self.entries {
            // Whether this command would use it or not.
            if entry.has_password() {
                return Err(self.refuse(entry, &secret("the password of database-url")));
            }
            let Some(argument) = option(command, &entry.key) else {
                self.refuse_unknown(entry, program)?;
                continue;
            };
            let own = entry.words(argument).map_err(|reason| self.refuse(entry, &reason))?;
            if !super::environment::is_overridden(command, argument, matches) && !is_in_environment(argument)
            {
                words.extend(own);
            }
        }
        Ok(words)
    }

    /// Whether the URL of the database is from here.
    pub(super) fn names(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// What it wants messages to look like.
    pub(super) fn asks_for_json(&self) -> bool {
        let is_json = |value: &Given| matches!(value, Given::Values(values) if values == &["json"]);
        self.entries.iter().any(|entry| entry.key == "log-format" && is_json(&entry.value))
    }

    /// Options of other commands may stand here as well.
    fn refuse_unknown(&self, entry: &Entry, program: &Command) -> Result<(), Error> {
        let mut known = Vec::new();
        gather_options(program, &mut known);
        if known.contains(&&*entry.key) {
            return Ok(());
        }
        let is_secret = ["password", "passwd", "secret", "token", "credential"];
        if is_secret.iter().any(|word| entry.key.to_lowercase().contains(word)) {
            return Err(self.refuse(entry, &secret(&entry.key)));
        }
        if let Some(argument) = any_option(program, &entry.key) {
            return Err(self.refuse(entry, &format!("{argument} is given on the command line only")));
        }
        let nearest = known.iter().map(|name| (strsim::jaro_winkler(name, &entry.key), name));
        let nearest = nearest.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
        let tip = match nearest {
            Some((_, name)) => format!("did you mean {name}?"),
            None => format!("there are {}", known.join(", ")),
        };
        Err(self.refuse(entry, &format!("there is no option of this name; {tip}")))
    }

    fn refuse(&self, entry: &Entry, reason: &str) -> Error {
        refusal(format!("{}: {reason}", self.place(entry)))
    }

    fn place(&self, entry: &Entry) -> String {
        format!("{}, line {}", path_text(&self.identity.path), entry.line)
    }

    /// Words of the command line and variables were fine, so the error is about the file.
    pub(super) fn naming_lines(&self, mut error: Error, program: &Command, nearer: &ArgMatches) -> Error {
        let (command, _) = innermost(program, nearer);
        let place_of = |shown: &str| {
            let argument = command.get_arguments().find(|argument| argument.to_string() == shown)?;
            let entry = self.entries.iter().find(|entry| argument.get_long() == Some(&entry.key))?;
            Some(format!("{} ({})", entry.key, self.place(entry)))
        };
        let mut is_named = false;
        for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
            let Some(ContextValue::String(shown)) = error.get(kind) else { continue };
            if let Some(place) = place_of(shown) {
                error.insert(kind, ContextValue::String(place));
                is_named = true;
            }
        }
        if is_named {
            return error;
        }
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        refusal(format!("in {}: {}", path_text(&self.identity.path), text.trim_end()))
    }
}

impl Entry {
    fn has_password(&self) -> bool {
        self.key == "database-url"
            && matches!(&self.value, Given::Values(values) if values.iter().any(|value| has_password(value)))
    }

    fn words(&self, argument: &Arg) -> Result<Vec<OsString>, String> {
        let key = &self.key;
        let takes_none = argument.get_num_args().is_some_and(|range| range.min_values() == 0);
        match (&self.value, argument.get_action()) {
            (Given::Flag(true), ArgAction::SetTrue) => Ok(vec![format!("--{key}").into()]),
            (Given::Flag(false), ArgAction::SetTrue) => Ok(Vec::new()),
            (Given::Values(_), ArgAction::SetTrue) => Err(format!("{key} is either true or false")),
            (Given::Flag(true), _) if takes_none => Ok(vec![format!("--{key}").into()]),
            (Given::Flag(false), _) if takes_none => Ok(Vec::new()),
            (Given::Flag(_), _) => Err(format!("{key} takes a value, in quotation marks")),
            (Given::Values(values), action) => {
                if values.len() != 1 && !matches!(action, ArgAction::Append) {
                    return Err(format!("{key} takes one value"));
                }
                Ok(values.iter().map(|value| format!("--{key}={value}").into()).collect())
            }
        }
    }
}

fn secret(what: &str) -> String {
    format!(
        "{what} does not belong into this file, which is kept and shown like any other; give the password in ~/.pgpass, in \
         the file that DATABASE_PASSWORD_FILE names, or as a credential of systemd's (docs/connections.md)"
    )
}

fn given(key: &str, value: &Spanned<DeValue<'_>>) -> Result<Given, String> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Table(_) => {
            Err(format!("{key} is a table; options stand at the top of the file, before any [table]"))
        }
        other => {
            Err(format!("{key} is a {}; give a text in quotation marks, or a whole number", other.type_str()))
        }
    };
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(Given::Flag(*flag)),
        DeValue::Array(values) => {
            values.iter().map(|value| one(value.get_ref())).collect::<Result<_, _>>().map(Given::Values)
        }
        value => one(value).map(|value| Given::Values(vec![value])),
    }
}

/// The command that was chosen, and what was said to it.
fn innermost<'a>(program: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let (mut command, mut matches) = (program, matches);
    while let Some((name, further)) = matches.subcommand() {
        let Some(chosen) = command.find_subcommand(name) else { break };
        (command, matches) = (chosen, further);
    }
    (command, matches)
}

/// An option that a file may have: those that have a variable, but not the one that names the file.
fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut options = command.get_arguments().filter(|argument| argument.get_env().is_some());
    options.find(|argument| argument.get_long() == Some(name) && name != "config")
}

fn any_option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    own.or_else(|| command.get_subcommands().find_map(|command| any_option(command, name)))
}

fn gather_options<'a>(command: &'a Command, names: &mut Vec<&'a str>) {
    let own = command.get_arguments().filter_map(Arg::get_long);
    let own: Vec<_> = own.filter(|name| option(command, name).is_some() && !names.contains(name)).collect();
    names.extend(own);
    command.get_subcommands().for_each(|command| gather_options(command, names));
}

/// A variable that says anything, be it that a flag is off, is nearer than the file.
fn is_in_environment(argument: &Arg) -> bool {
    let value = argument.get_env().and_then(std::env::var_os);
    value.is_some_and(|value| value.to_str().is_none_or(|text| !text.trim().is_empty()))
}

fn refusal(message: String) -> Error {
    Error::raw(ErrorKind::InvalidValue, message + "\n")
}
