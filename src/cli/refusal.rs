//! What clap refuses, told without what was typed where that may be a piece of a connection string, and without
//! characters that a terminal obeys.

use std::borrow::Cow;

use clap::error::{ContextKind, ContextValue, Error};

use crate::{path_text::visible, postgres::looks_like_settings};

/// Stands in place of a word that is not shown.
const HIDDEN: &str = "…";

/// The error with such words hidden, and others visible.
pub(super) fn without_settings(mut error: Error) -> Error {
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
