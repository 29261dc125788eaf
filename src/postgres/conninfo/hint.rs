//! Texts that are no connection string of libpq's, though somebody meant one: what they are, and what to write instead.

use super::{
    keyword_string,
    keywords::{foreign, is_separated_by_semicolons, keyword},
    uri,
};
use crate::postgres::target_error::TargetError;

const FORMS: &str = "give a postgresql:// URL or a keyword string (host=… dbname=…)";

/// Schemes that may be named.
const SCHEMES: [&str; 14] = [
    "mysql",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "sqlite",
    "sqlserver",
    "mssql",
    "oracle",
    "redis",
    "cockroachdb",
    "redshift",
    "http",
    "https",
    "file",
];

/// Refuses a text that libpq would not take, or would take for something else than was meant.
pub(super) fn refuse_other_forms(text: &str, origin: &'static str) -> Result<(), TargetError> {
    let unreadable = |problem, fix| Err(TargetError::Unreadable { origin, problem, fix });
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(TargetError::Blank { origin });
    }
    if trimmed.starts_with(['"', '\'', '`']) {
        return unreadable("it begins with a quotation mark", "leave the quotation marks around it out");
    }
    if trimmed.strip_prefix("psql").is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
        return unreadable("it is a command of psql", "give only what stands within the quotation marks");
    }
    if uri::after_scheme(text).is_some() {
        return if text.len() == text.trim_end().len() {
            Ok(())
        } else {
            unreadable("it ends with a blank or a line end", "leave that out, or write a blank as %20")
        };
    }
    if uri::after_scheme(trimmed).is_some() {
        return unreadable("a blank stands before postgresql://", "leave that out");
    }
    match scheme(trimmed) {
        Some(scheme) => other_scheme(&scheme, origin),
        None if !text.contains('=') => unreadable("it is neither a URL nor a keyword string", FORMS),
        None => Ok(()),
    }
}

/// What stands before `://`, or before the `:` of a scheme that is known, in lower case.
fn scheme(text: &str) -> Option<String> {
    let is_scheme = |text: &&str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:_".contains(c))
    };
    let before = text.split_once("://").map(|(before, _)| before).filter(is_scheme);
    let known = || {
        let (before, _) = text.split_once(':')?;
        let name = before.to_ascii_lowercase();
        let is_known =
            ["postgres", "postgresql", "jdbc"].contains(&&*name) || name.starts_with("postgresql+");
        is_known.then_some(before)
    };
    before.or_else(known).map(str::to_ascii_lowercase)
}

fn other_scheme(scheme: &str, origin: &'static str) -> Result<(), TargetError> {
    let (problem, fix) = match scheme {
        "postgres" | "postgresql" => {
            ("its scheme is not libpq's", "write postgresql://, in lower case and with both slashes")
        }
        jdbc if jdbc.starts_with("jdbc") => {
            ("it is a URL of JDBC", "write postgresql://USER:PASSWORD@HOST/DATABASE instead")
        }
        driver if driver.starts_with("postgresql+") || driver.starts_with("postgres+") => {
            ("its scheme names a driver", "leave the + and the driver out: postgresql://…")
        }
        other => {
            let scheme = SCHEMES.into_iter().find(|known| *known == other);
            return Err(TargetError::NotPostgres { origin, scheme });
        }
    };
    Err(TargetError::Unreadable { origin, problem, fix })
}

/// Whether a word that should be something else (a file, a number) may be a connection string or a piece of one, and is
/// not to be shown.
pub(crate) fn looks_like_settings(word: &str) -> bool {
    let begins_with_keyword = || {
        word.split_once('=').is_some_and(|(name, _)| {
            let name = name.trim().as_bytes();
            keyword(name).is_some() || foreign(name).is_some()
        })
    };
    let names_password = || {
        let word = word.to_ascii_lowercase();
        ["password", "passwd", "pwd"].iter().any(|name| word.contains(name)) && word.contains(['=', ':'])
    };
    let has_credentials = || word.split_once('@').is_some_and(|(before, _)| before.contains(':'));
    word.contains("://")
        || scheme(word.trim()).is_some()
        || has_credentials()
        || begins_with_keyword()
        || names_password()
        || is_separated_by_semicolons(word.as_bytes())
}

/// What is wrong with the name of a host, user or database that may be a connection string.
pub(super) fn mistaken_name(text: &str) -> Option<(&'static str, &'static str)> {
    if text.contains("://") {
        return Some((
            "a connection URL",
            "give that to --database-url or DATABASE_URL, and nothing but the name here",
        ));
    }
    if is_separated_by_semicolons(text.as_bytes()) {
        return Some(("settings that are separated by semicolons", "separate them by blanks"));
    }
    let is_string = || {
        let pairs = keyword_string::parse(text.as_bytes()).ok()?;
        pairs.iter().all(|(name, _)| keyword(name).is_some()).then_some(())
    };
    if text.contains('=') && is_string().is_some() {
        return Some((
            "another setting",
            "give each setting its value, or two quotation marks ('') for none",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let error = refuse_other_forms(text, "X").expect_err(text).to_string();
        assert!(error.starts_with("X ") && error.contains(expected), "{text}: {error}");
        assert!(!error.contains("s3cret"), "{text}: {error}");
    }

    #[test]
    fn other_forms_get_a_hint() {
        check("", "is blank");
        check(" \n", "is blank");
        check("'postgresql://u:s3cret@h/d'", "quotation marks");
        check("\"host=h password=s3cret\"", "quotation marks");
        check("psql 'postgresql://u:s3cret@h/d'", "command of psql");
        check(" postgresql://u:s3cret@h/d", "blank stands before");
        check("postgresql://u:s3cret@h/d\n", "line end");
        check("POSTGRESQL://u:s3cret@h/d", "lower case");
        check("postgresql:/u:s3cret@h/d", "both slashes");
        check("postgres:u:s3cret@h/d?a=b", "both slashes");
        check("jdbc:postgresql://h/d?user=u&password=s3cret", "JDBC");
        check("postgresql+psycopg2://u:s3cret@h/d", "driver");
        check("postgresql+asyncpg://u:s3cret@h/d", "leave the + and the driver out");
        check("postgres+psycopg://u:s3cret@h/d", "driver");
        check("mysql://u:s3cret@h/d", "mysql://");
        check("s3cret://u:s3cret@h/d", "another scheme");
        check("u:s3cret@h/d", "neither a URL");
        check("u:s3cret@tcp(h:5432)/d", "neither a URL");
        for sound in ["postgresql://u:s3cret@h/d", "postgres://", " host=h\n", "application_name=a://b"] {
            assert!(refuse_other_forms(sound, "X").is_ok(), "{sound}");
        }
    }

    #[test]
    fn words_that_may_be_settings_are_not_shown() {
        for word in [
            "postgresql://u:p@h/d",
            "postgresql:/u:p@h",
            "u:p@h/d",
            "u:p@tcp(h)",
            "password=p",
            "Password = p",
            "host=h",
            "h;password=p",
            "jdbc:postgresql:d",
        ] {
            assert!(looks_like_settings(word), "{word}");
        }
        for word in ["customers.ndjson", "export/*.gz", "me@home.ndjson", "day=1/a.ndjson", "-", "12:00", "0"]
        {
            assert!(!looks_like_settings(word), "{word}");
        }
    }
}
