//! `PROFILE_LOADER_*` in place of options: what stands on the command line wins, and a message names the variable.
//!
//! clap takes a variable as if the option had been typed. So the words are parsed without variables first, and then with
//! those that nothing typed overrides: not that of an option that was given, nor that of one which excludes it.

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

/// Parses words of a command line, and the variables.
pub(super) fn parse(command: Command, words: &[OsString]) -> Result<ArgMatches, Error> {
    let mut alone = command.clone();
    without_variables(&mut alone);
    let typed = alone.try_get_matches_from(words)?;
    let mut command = command;
    keep_variables(&mut command, Some(&typed))?;
    let mut names = command.clone();
    names.build();
    command.try_get_matches_from(words).map_err(|error| naming_variables(error, &names))
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
        let is_typed = |argument: &Arg| is_typed(typed, argument);
        let is_overridden = is_typed(argument)
            || command.get_arg_conflicts_with(argument).into_iter().any(is_typed)
            || command.get_arguments().any(|other| {
                is_typed(other)
                    && command
                        .get_arg_conflicts_with(other)
                        .iter()
                        .any(|one| one.get_id() == argument.get_id())
            });
        if is_overridden || is_excluded(argument.get_id().as_str(), typed) || !is_set(argument, name)? {
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

fn is_typed(matches: Option<&ArgMatches>, argument: &Arg) -> bool {
    let id = argument.get_id().as_str();
    let is_known = |matches: &&ArgMatches| matches.try_contains_id(id).is_ok();
    matches.filter(is_known).and_then(|matches| matches.value_source(id)) == Some(ValueSource::CommandLine)
}

/// Whether a typed option excludes an argument for what it says: one transaction has one connection and merges.
fn is_excluded(id: &str, typed: Option<&ArgMatches>) -> bool {
    let Some(typed) = typed.filter(|typed| typed.try_contains_id("atomic").is_ok()) else { return false };
    let is_typed = |id: &str| typed.value_source(id) == Some(ValueSource::CommandLine);
    let says = |id: &str, word: &str| {
        let mut words = typed.get_raw(id).into_iter().flatten();
        words.any(|said| said == word)
    };
    match id {
        "connections" | "strategy" => is_typed("atomic"),
        "atomic" => {
            is_typed("connections") && !says("connections", "1")
                || is_typed("strategy") && says("strategy", "bulk")
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
