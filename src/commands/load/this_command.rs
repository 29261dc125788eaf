//! The command that this process was started with, as it can be typed again. How to reach the database is left out: it may
//! hold a password, and nobody can tell in which of all spellings. So are the queries of URLs, which may be signed.

use std::{
    env,
    ffi::{OsStr, OsString},
};

use crate::{
    input::{input_scheme, shown_url},
    postgres::looks_like_settings,
};

const DATABASE_URL: &str = "--database-url";

/// In the words of a POSIX shell, with what has to be added to it, if anything.
pub(super) fn this_command() -> String {
    text_of(env::args_os())
}

fn text_of(arguments: impl Iterator<Item = OsString>) -> String {
    let mut words = Vec::new();
    let mut has_url = false;
    let mut has_query = false;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_encoded_bytes();
        if argument == DATABASE_URL {
            arguments.next();
            has_url = true;
        } else if bytes.starts_with(DATABASE_URL.as_bytes()) && bytes.get(DATABASE_URL.len()) == Some(&b'=') {
            has_url = true;
        } else if let Some(url) = argument.to_str().filter(|text| input_scheme(text).is_some()) {
            let shown = shown_url(url);
            has_query |= url.contains('?');
            words.push(quoted(OsStr::new(&*shown)));
        } else if looks_like_settings(&argument.to_string_lossy()) {
            words.push("…".to_owned());
        } else {
            words.push(quoted(&argument));
        }
    }
    let command = words.join(" ");
    let left_out: Vec<_> =
        [(has_url, "the same --database-url"), (has_query, "what follows the ? of each URL")]
            .into_iter()
            .filter_map(|(is_left_out, what)| is_left_out.then_some(what))
            .collect();
    if left_out.is_empty() { command } else { format!("{command}   (with {})", left_out.join(" and ")) }
}

fn quoted(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Some(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let escape = |&byte: &u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", word.as_encoded_bytes().iter().map(escape).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn words_are_quoted() {
        for (word, expected) in [
            (&b"load"[..], "load"),
            (b"", "''"),
            (b"it's *.ndjson", r"'it'\''s *.ndjson'"),
            (b"a\xff'\\\n", r"$'a\xff\'\\\x0a'"),
        ] {
            assert_eq!(quoted(OsStr::from_bytes(word)), expected);
        }
    }

    #[test]
    fn how_to_reach_the_database_is_left_out() {
        for (words, expected) in [
            ("x load --database-url u:p@h a", "x load a   (with the same --database-url)"),
            ("x --database-url=u:p@h load a", "x load a   (with the same --database-url)"),
            ("x load u:s3cret@h/d", "x load …"),
            ("x load a --database-urls", "x load a --database-urls"),
            ("x load a --database-url", "x load a   (with the same --database-url)"),
            ("x load https://h/a", "x load https://h/a"),
            (
                "x load https://u:s3cret@h/a?s3cret",
                "x load https://h/a   (with what follows the ? of each URL)",
            ),
            (
                "x load --database-url=u:p@h https://h/a?s3cret",
                "x load https://h/a   (with the same --database-url and what follows the ? of each URL)",
            ),
        ] {
            assert_eq!(text_of(words.split(' ').map(OsString::from)), expected);
        }
    }
}
