//! A connection string is read as libpq reads it or refused, and nothing that is ever told of it has a password in it.

#![no_main]

use std::{ffi::OsString, fmt::Write, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use profile_loader::{
    Target,
    internals::postgres::fuzzing::{Settings, connection_string, is_hidden, told},
};
use profile_loader_fuzz::{FOLDER, libpq};

/// What a corpus has in its passwords.
const SECRET: &str = "s3cret";

const SECRETS: [&str; 5] =
    ["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];

static KEYWORDS: LazyLock<Option<Vec<String>>> = LazyLock::new(libpq::keywords);

fuzz_target!(|text: &str| {
    let found = connection_string(text);
    match &found {
        Ok(settings) if settings.is_empty() => {}
        Ok(settings) => {
            assert!(is_hidden(text), "a connection string is shown nowhere");
            for form in [keyword_string(settings), Some(uri(settings))].into_iter().flatten() {
                assert_eq!(connection_string(&form).ok().as_ref(), Some(settings), "{form}");
            }
        }
        Err(error) => assert!(!error.to_string().contains(SECRET) && !format!("{error:?}").contains(SECRET)),
    }
    compare_with_libpq(text, found.as_ref().map_err(ToString::to_string));
    tells_no_secret(text, found.as_ref().ok());
});

/// Every value in quotes, where all are UTF-8.
fn keyword_string(settings: &Settings) -> Option<String> {
    let mut text = " ".to_owned();
    for (keyword, value) in settings {
        let value = str::from_utf8(value).ok()?;
        let quoted = value.replace('\\', r"\\").replace('\'', r"\'");
        write!(text, "{keyword} = '{quoted}'\t").expect("memory takes all");
    }
    Some(text)
}

/// Everything behind the question mark, each byte encoded.
fn uri(settings: &Settings) -> String {
    let parameters = settings.iter().map(|(keyword, value)| {
        let value: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
        format!("{keyword}={value}")
    });
    format!("postgresql://?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn compare_with_libpq(text: &str, found: Result<&Settings, String>) {
    let (Some(libpq), Some(known)) = (libpq::connection_string(text), &*KEYWORDS) else { return };
    match (found, libpq) {
        (Ok(settings), Ok(libpq)) => {
            let settings: libpq::Settings =
                settings.iter().map(|(keyword, value)| ((*keyword).to_owned(), value.clone())).collect();
            assert_eq!(settings, libpq);
        }
        (Ok(settings), Err(words)) => {
            let is_newer = settings.iter().any(|(keyword, _)| !known.iter().any(|one| one == keyword));
            let is_older =
                words.contains("invalid connection option") || words.contains("invalid URI query parameter");
            assert!(is_newer || is_older && text.contains("keepalives_retries"), "libpq refuses it: {words}");
        }
        (Err(error), Ok(_)) => {
            // What libpq would refuse by these words.
            for words in [
                "a word stands without =",
                "has no end",
                "not closed or empty",
                "not followed by two",
                "%00",
                "has no value",
                "more than one =",
            ] {
                assert!(!error.contains(words), "libpq takes it: {error}");
            }
        }
        (Err(_), Err(_)) => {}
    }
}

/// Where only settings that are shown to nobody hold the word, nothing that is told does.
fn tells_no_secret(text: &str, settings: Option<&Settings>) {
    let holds = |value: &[u8]| value.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    let is_elsewhere =
        |(keyword, value): &(&'static str, Vec<u8>)| !SECRETS.contains(keyword) && holds(value);
    if settings.is_some_and(|settings| settings.iter().any(is_elsewhere)) {
        return;
    }
    let has_sslmode =
        settings.is_some_and(|settings| settings.iter().any(|(keyword, _)| *keyword == "sslmode"));
    let env = |name: &str| match name {
        "HOME" => Some(OsString::from(&*FOLDER)),
        // The system's certificates take long to read.
        "PGSSLMODE" if !has_sslmode => Some("disable".into()),
        _ => None,
    };
    let words = match Target::find(Some(text), &env) {
        Ok(target) => told(&target),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!words.contains(SECRET), "{words}");
}
