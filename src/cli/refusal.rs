//! What clap refuses, told without what was typed where that may be a piece of a connection string, and without
//! characters that a terminal obeys.

use std::{borrow::Cow, ffi::OsString};

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::{
    commands::exit,
    console::{Console, LogFormat, Verbosity},
    path_text::visible,
    postgres::looks_like_settings,
};

/// Words that can't be carried out, or an answer (`--help`).
#[derive(Debug)]
pub struct Refused {
    error: Error,
    format: LogFormat,
}

impl Refused {
    pub(super) fn new(error: Error, config_asks_for_json: bool, words: &[OsString]) -> Self {
        let is_json = asks_for_json(words).unwrap_or(config_asks_for_json);
        let format = if is_json { LogFormat::Json } else { LogFormat::Text };
        Self { error: without_settings(error), format }
    }

    /// Says what is to be said; returns the exit code.
    pub fn tell(&self) -> u8 {
        match (self.error.kind(), self.format) {
            (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
                // Nothing can be done about a closed terminal.
                let _ = self.error.print();
                return exit::COMPLETE;
            }
            (_, LogFormat::Text) => {
                let _ = self.error.print();
            }
            (_, LogFormat::Json) => {
                let console =
                    Console { format: self.format, verbosity: Verbosity::Normal, is_coloured: false };
                console.failure(&self.words(), exit::USAGE);
            }
        }
        exit::USAGE
    }

    /// Without what helps at a terminal only.
    fn words(&self) -> String {
        if matches!(
            self.error.kind(),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
        ) {
            return "no command is given (see --help)".to_owned();
        }
        let text = self.error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let end =
            ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|after| text.find(after)).min();
        text[..end.unwrap_or(text.len())].trim_end().to_owned()
    }
}

/// What the command line, or else the variable, says of the form of messages, as far as that can be known of words that
/// were not understood.
fn asks_for_json(words: &[OsString]) -> Option<bool> {
    let words: Vec<_> =
        words.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--").collect();
    let after_name = |pair: &[Cow<'_, str>]| (pair[0] == "--log-format").then(|| pair[1] == "json");
    let typed = words.windows(2).find_map(after_name);
    let typed =
        typed.or_else(|| words.iter().find_map(|word| Some(word.strip_prefix("--log-format=")? == "json")));
    typed.or_else(|| std::env::var("PROFILE_LOADER_LOG_FORMAT").ok().map(|value| value == "json"))
}

/// Stands in place of a word that is not shown.
const HIDDEN: &str = "…";

/// The error with such words hidden, and others visible.
fn without_settings(mut error: Error) -> Error {
    const TYPED: [ContextKind; 5] = [
        ContextKind::InvalidArg,
        ContextKind::PriorArg,
        ContextKind::InvalidValue,
        ContextKind::InvalidSubcommand,
        ContextKind::TrailingArg,
    ];
    let mut is_hidden = false;
    for kind in TYPED {
        let shown = match error.get(kind) {
            Some(ContextValue::String(word)) => shown(word).map(ContextValue::String),
            Some(ContextValue::Strings(words)) if words.iter().any(|word| shown(word).is_some()) => {
                let words = words.iter().map(|word| shown(word).unwrap_or_else(|| word.clone()));
                Some(ContextValue::Strings(words.collect()))
            }
            _ => None,
        };
        if let Some(shown) = shown {
            error.insert(kind, shown);
            is_hidden = true;
        }
    }
    if is_hidden {
        // Tips repeat the word.
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The word to show in place of one that may be a setting or is not to be seen as it is; none where it may be shown.
fn shown(word: &str) -> Option<String> {
    // `--option <VALUE>` is ours; an unknown option may have anything behind its name.
    let may_be = looks_like_settings(word) || word.contains(['@', ';']) || is_unknown_with_value(word);
    match visible(word) {
        _ if may_be => Some(HIDDEN.to_owned()),
        Cow::Owned(visible) => Some(visible),
        Cow::Borrowed(_) => None,
    }
}

fn is_unknown_with_value(word: &str) -> bool {
    word.contains('=') && !word.contains('<')
}
