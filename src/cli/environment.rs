//! `PROFILE_LOADER_*` and the file of `--config` in place of options: what stands on the command line wins, then variables,
//! and a message names the variable, or the line of the file.
//!
//! clap takes a variable as if the option had been typed. So the words are parsed without variables first, and then with
//! those that nothing typed overrides: not that of an option that was given, nor that of one which excludes it. In the
//! same way the file's options are added at last.

use std::{
    any::TypeId,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::Resettable,
    error::{ContextKind, ContextValue, Error, ErrorKind},
    parser::ValueSource,
};

use super::config::ConfigFile;
use crate::settings::ConfigIdentity;

/// What was said, wherever it was said.
pub(super) struct Parsed {
    pub(super) matches: ArgMatches,
    pub(super) config: Option<ConfigIdentity>,
    /// Where the URL of the database comes from, for messages.
    pub(super) url_origin: &'static str,
}

/// Why nothing can be done.
pub(super) struct Unparsed {
    pub(super) error: Error,
    /// Whether the file of options asks for JSON lines.
    pub(super) config_asks_for_json: bool,
}

impl From<Error> for Unparsed {
    fn from(error: Error) -> Self {
        Self { error, config_asks_for_json: false }
    }
}

/// Parses words of a command line, the variables, and the file of options where one is named.
pub(super) fn parse(command: Command, words: &[OsString]) -> Result<Parsed, Unparsed> {
    let mut program = command.clone();
    program.build();
    let mut alone = command.clone();
    without_variables(&mut alone);
    let typed = alone.try_get_matches_from(words)?;
    let mut command = command;
    keep_variables(&mut command, Some(&typed))?;
    let mut names = command.clone();
    names.build();
    let matches = command.clone().try_get_matches_from(words);
    let matches = matches.map_err(|error| naming_variables(error, &names))?;
    let path = matches.get_one::<PathBuf>("config");
    let Some(config) = path.map(|path| ConfigFile::read(path)).transpose()? else {
        return Ok(Parsed { url_origin: url_origin(&matches, None), matches, config: None });
    };
    let failed = |error| Unparsed { error, config_asks_for_json: config.asks_for_json() };
    let added = config.words(&program, &matches).map_err(failed)?;
    let complete = command.try_get_matches_from(with_options(words, &added));
    let complete = complete.map_err(|error| failed(config.naming_lines(error, &program, &matches)))?;
    let url_origin = url_origin(&matches, Some(&config));
    Ok(Parsed { matches: complete, url_origin, config: Some(config.identity) })
}

/// `said` is what was said before the file was read.
fn url_origin(said: &ArgMatches, config: Option<&ConfigFile>) -> &'static str {
    let mut innermost = said;
    while let Some((_, further)) = innermost.subcommand() {
        innermost = further;
    }
    let is_known = innermost.try_contains_id("database_url").is_ok();
    match if is_known { innermost.value_source("database_url") } else { None } {
        Some(ValueSource::EnvVariable) => "PROFILE_LOADER_DATABASE_URL",
        None if config.is_some_and(|config| config.names("database-url")) => "database-url of --config",
        _ => "--database-url",
    }
}

/// The arguments of the command at hand that were said, wherever that was.
pub(super) fn said(matches: &ArgMatches) -> Vec<String> {
    let mut innermost = matches;
    while let Some((_, further)) = innermost.subcommand() {
        innermost = further;
    }
    let names = innermost.ids().map(ToString::to_string);
    names.filter(|id| is_said(innermost, id)).collect()
}

/// Behind `--` there are no options.
fn with_options(words: &[OsString], options: &[OsString]) -> Vec<OsString> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (before, behind) = words.split_at(end);
    [before, options, behind].concat()
}

fn without_variables(command: &mut Command) {
    map_arguments(command, &|argument| argument.env(Resettable::Reset));
    command.get_subcommands_mut().for_each(without_variables);
}

fn map_arguments(command: &mut Command, map: &dyn Fn(Arg) -> Arg) {
    *command = std::mem::take(command).mut_args(map);
}

/// Takes from each argument its variable, unless that is to count.
fn keep_variables(command: &mut Command, typed: Option<&ArgMatches>) -> Result<(), Error> {
    let mut unset = Vec::new();
    for argument in command.get_arguments() {
        let Some(name) = argument.get_env() else { continue };
        let is_overridden = typed.is_some_and(|typed| is_overridden(command, argument, typed));
        if is_overridden || !is_set(argument, name)? {
            unset.push(argument.get_id().clone());
        }
    }
    for id in unset {
        *command = std::mem::take(command).mut_arg(id, |argument| argument.env(Resettable::Reset));
    }
    let chosen = typed.and_then(ArgMatches::subcommand);
    for subcommand in command.get_subcommands_mut() {
        let typed = chosen.filter(|(name, _)| *name == subcommand.get_name()).map(|(_, matches)| matches);
        if typed.is_some() {
            keep_variables(subcommand, typed)?;
        }
    }
    Ok(())
}

/// Whether an argument does not count beside what was said: that, or an option which excludes it.
pub(super) fn is_overridden(command: &Command, argument: &Arg, said: &ArgMatches) -> bool {
    let is_said = |argument: &Arg| is_said(said, argument.get_id().as_str());
    let excludes = |other: &&Arg| {
        let excluded = command.get_arg_conflicts_with(other);
        excluded.iter().any(|one| one.get_id() == argument.get_id())
    };
    is_said(argument)
        || command.get_arg_conflicts_with(argument).into_iter().any(is_said)
        || command.get_arguments().filter(excludes).any(is_said)
        || is_excluded(argument.get_id().as_str(), said)
}

fn is_said(said: &ArgMatches, id: &str) -> bool {
    let is_known = said.try_contains_id(id).is_ok();
    let source = if is_known { said.value_source(id) } else { None };
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// Whether an option excludes an argument for what it says: one transaction has one connection and merges.
fn is_excluded(id: &str, said: &ArgMatches) -> bool {
    if said.try_contains_id("atomic").is_err() {
        return false;
    }
    let is_said = |id: &str| is_said(said, id);
    let says = |id: &str, word: &str| {
        let mut words = said.get_raw(id).into_iter().flatten();
        words.any(|said| said == word)
    };
    match id {
        "connections" | "strategy" => is_said("atomic"),
        "atomic" => {
            is_said("connections") && !says("connections", "1")
                || is_said("strategy") && says("strategy", "bulk")
        }
        _ => false,
    }
}

/// Whether a variable says anything. Blank is not set; a flag that is off is as good as not set.
fn is_set(argument: &Arg, name: &OsStr) -> Result<bool, Error> {
    let Some(value) = std::env::var_os(name) else { return Ok(false) };
    let Some(text) = value.to_str() else {
        let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
        return if is_path { Ok(true) } else { Err(not_utf8(name)) };
    };
    let is_off = || ["0", "n", "no", "f", "false", "off"].contains(&&*text.to_ascii_lowercase());
    let is_flag = matches!(argument.get_action(), ArgAction::SetTrue);
    Ok(!(text.trim().is_empty() || is_flag && is_off()))
}

fn not_utf8(name: &OsStr) -> Error {
    Error::raw(ErrorKind::InvalidUtf8, format!("{} is not UTF-8\n", name.display()))
}

/// Words of the command line alone were fine, so the error is about a variable.
fn naming_variables(mut error: Error, command: &Command) -> Error {
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let Some(ContextValue::String(shown)) = error.get(kind) else { continue };
        if let Some(variable) = variable_of(command, shown) {
            error.insert(kind, ContextValue::String(variable));
        }
    }
    error
}

/// The variable of an argument that clap shows as `--name <VALUE>`.
fn variable_of(command: &Command, shown: &str) -> Option<String> {
    let own = command.get_arguments().find(|argument| argument.to_string() == shown);
    let name = own.and_then(Arg::get_env).map(|name| name.display().to_string());
    name.or_else(|| command.get_subcommands().find_map(|subcommand| variable_of(subcommand, shown)))
}
