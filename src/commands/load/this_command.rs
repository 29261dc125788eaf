//! The command that this process was started with, as it can be typed again; passwords are left out.

use std::env;

/// In the words of a POSIX shell.
pub(super) fn this_command() -> String {
    let words = env::args_os().map(|word| quoted(&without_password(&word.to_string_lossy())));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Of a URL or keyword string, everything but the password.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return hide_value(word, ' ');
    };
    let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |end| rest.split_at(end));
    let authority = match authority.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{user}:…@{host}"),
        _ => authority.to_owned(),
    };
    format!("{scheme}://{authority}{}", hide_value(path, '&'))
}

fn hide_value(text: &str, separator: char) -> String {
    const KEY: &str = "password=";
    let Some(at) = text.find(KEY) else { return text.to_owned() };
    let (before, value) = text.split_at(at + KEY.len());
    let end = match value.strip_prefix('\'') {
        Some(quoted) => quoted.find('\'').map_or(value.len(), |end| end + 2),
        None => value.find(separator).unwrap_or(value.len()),
    };
    format!("{before}…{}", &value[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out_and_words_quoted() {
        for (word, expected) in [
            ("load", "load"),
            ("", "''"),
            ("it's *.ndjson", r"'it'\''s *.ndjson'"),
            ("postgresql://app@db/x", "postgresql://app@db/x"),
            ("--database-url=postgresql://app:s3cret@db:1/x", "'--database-url=postgresql://app:…@db:1/x'"),
            ("postgresql://app:a@b:c@db/x", "'postgresql://app:…@db/x'"),
            (
                "postgresql://db/x?user=a&password=s3cret&port=1",
                "'postgresql://db/x?user=a&password=…&port=1'",
            ),
            ("host=db password=s3cret user=a", "'host=db password=… user=a'"),
            ("host=db password='s3 cret' user=a", "'host=db password=… user=a'"),
        ] {
            assert_eq!(quoted(&without_password(word)), expected);
        }
    }
}
