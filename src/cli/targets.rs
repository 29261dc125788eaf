//! The file of `--targets`: which parts of a plan go into which database.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    commands::{Failure, exit},
    path_text::path_text,
};

/// A database and its parts.
pub(super) struct TargetLine {
    pub(super) parts: (u32, u32),
    /// May hold a password.
    pub(super) url: String,
}

/// A line a database, `FIRST-LAST URL`; lines that are empty or begin with # are none. No message has a URL.
pub(super) fn read(path: &Path) -> Result<Vec<TargetLine>, Failure> {
    let refuse =
        |what: String| Failure::new(exit::USAGE, format!("the file {} of --targets {what}", path_text(path)));
    let unreadable = |error: std::io::Error| refuse(format!("can't be read: {error}"));
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let mut targets = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parsed = line.split_once(char::is_whitespace).and_then(|(parts, url)| {
            let (first, last) = parts.split_once('-').unwrap_or((parts, parts));
            Some(TargetLine { parts: (first.parse().ok()?, last.parse().ok()?), url: url.trim().to_owned() })
        });
        let target = parsed.ok_or_else(|| {
            refuse(format!(
                "has a line {number} that is no FIRST-LAST URL, such as 0-7 postgresql://db1.example/app"
            ))
        })?;
        targets.push(target);
    }
    if targets.is_empty() {
        return Err(refuse("names no database".to_owned()));
    }
    let has_password = targets.iter().any(|target| {
        target.url.contains("password=")
            || target.url.split_once("://").is_some_and(|(_, rest)| {
                rest.split('/').next().is_some_and(|authority| {
                    authority.split_once('@').is_some_and(|(user, _)| user.contains(':'))
                })
            })
    });
    if has_password && mode & 0o077 != 0 {
        return Err(refuse(format!(
            "holds a password and can be read by other users: chmod 600 {}",
            path_text(path)
        )));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets");
        let check = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read(&path).map_err(|failure| failure.to_string());
            read.map(|targets| {
                targets.into_iter().map(|target| (target.parts, target.url)).collect::<Vec<_>>()
            })
        };
        let two = "# of two\n0-7 postgresql://a/b\n\n 8   host=b dbname=c\n";
        let url = |url: &str| url.to_owned();
        assert_eq!(
            check(two, 0o644),
            Ok(vec![((0, 7), url("postgresql://a/b")), ((8, 8), url("host=b dbname=c"))])
        );
        for (text, words) in [
            ("", "names no database"),
            ("postgresql://a/b\n", "has a line 1 that is no FIRST-LAST URL"),
            ("0-x postgresql://a/b\n", "has a line 1 that is no FIRST-LAST URL"),
            ("0 postgresql://u:s3cret@a/b\n", "holds a password and can be read by other users: chmod 600"),
            ("0 host=a password=s3cret\n", "holds a password and can be read by other users: chmod 600"),
        ] {
            let error = check(text, 0o644).unwrap_err();
            assert!(error.contains(words) && !error.contains("s3cret"), "{error}");
        }
        assert!(check("0 postgresql://u:s3cret@a/b\n", 0o600).is_ok());
    }
}
