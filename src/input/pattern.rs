//! The files that a pattern matches, as a shell finds them: names are bytes, a leading dot has to be written out, and what
//! can't be looked into is an error, for files would be missing without a word.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Component, Path, PathBuf},
};

use glob::{MatchOptions, Pattern, PatternError};

use super::InputError;
use crate::path_text::path_text;

pub(super) const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

pub(super) fn is_pattern(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// Sorted by name; no folders.
pub(super) fn matches(pattern: &OsStr) -> Result<Vec<PathBuf>, InputError> {
    let shown = || path_text(Path::new(pattern));
    let bad = |source| InputError::BadPattern { pattern: shown(), source };
    let text = pattern.to_str().ok_or_else(|| InputError::PatternBytes { pattern: shown() })?;
    // As a whole, so that an error says where it is.
    Pattern::new(text).map_err(bad)?;
    let mut found = vec![PathBuf::new()];
    let mut components = Path::new(text).components().peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        if !is_pattern(name) {
            found.iter_mut().for_each(|path| path.push(name));
            found = existing(found)?;
            continue;
        }
        found = expand(&found, name, is_last, bad)?;
    }
    // A link to nowhere is told before anything is done.
    let mut files = Vec::new();
    for path in found {
        let metadata = fs::metadata(&path).map_err(|source| cannot_open(&path, source))?;
        if !metadata.is_dir() {
            files.push(path);
        }
    }
    files.sort_unstable();
    if files.is_empty() { Err(InputError::NoMatch { pattern: shown() }) } else { Ok(files) }
}

fn existing(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, InputError> {
    let mut found = Vec::new();
    for path in paths {
        match path.symlink_metadata() {
            Ok(_) => found.push(path),
            Err(error) if is_absent(&error) => {}
            Err(source) => return Err(cannot_open(&path, source)),
        }
    }
    Ok(found)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What of these folders matches one component of a pattern.
fn expand(
    folders: &[PathBuf],
    component: &OsStr,
    is_last: bool,
    bad: impl Fn(PatternError) -> InputError,
) -> Result<Vec<PathBuf>, InputError> {
    let text = component.to_str().expect("it is a part of a text");
    if text == "**" {
        let mut found = Vec::new();
        for folder in folders {
            descend(folder, is_last, &mut found)?;
        }
        return Ok(found);
    }
    let pattern = Pattern::new(text).map_err(bad)?;
    let mut found = Vec::new();
    for folder in folders {
        for name in names(folder)? {
            // Bytes that are no text stand for one character each, which `*` and `?` match.
            if pattern.matches_with(&name.to_string_lossy(), OPTIONS) {
                let path = folder.join(name);
                if is_last || path.is_dir() {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

/// A folder and all those below it; the files in them, too, where nothing comes after `**`.
fn descend(folder: &Path, with_files: bool, found: &mut Vec<PathBuf>) -> Result<(), InputError> {
    if !with_files {
        found.push(folder.to_owned());
    }
    for name in names(folder)? {
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = folder.join(name);
        // A link to a folder above it would have no end.
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            descend(&path, with_files, found)?;
        } else if with_files {
            found.push(path);
        }
    }
    Ok(())
}

/// Of what is in a folder; none where it is no folder.
fn names(folder: &Path) -> Result<Vec<OsString>, InputError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(cannot_open(folder, source)),
    };
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name());
    entries.map(name).collect::<io::Result<_>>().map_err(|source| cannot_open(folder, source))
}

fn cannot_open(path: &Path, source: io::Error) -> InputError {
    InputError::Open { name: path_text(path), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::{ffi::OsStringExt as _, fs::symlink};

    use super::*;

    #[test]
    fn files_are_found_as_a_shell_finds_them() {
        let home = tempfile::tempdir().unwrap();
        let odd = OsString::from_vec(b"x\xff.ndjson".to_vec());
        for name in
            ["a/1.ndjson", "a/._1.ndjson", "a/b/2.ndjson", ".h/3.ndjson", "c.ndjson", ".d.ndjson", "e.gz"]
        {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(home.path().join(&odd), "").unwrap();
        symlink("..", home.path().join("a/up")).unwrap();
        let check = |pattern: &str, expected: &[&str]| {
            let found = matches(home.path().join(pattern).as_os_str());
            let found: Vec<_> = match found {
                Ok(found) => {
                    found.iter().map(|path| path_text(path.strip_prefix(home.path()).unwrap())).collect()
                }
                Err(InputError::NoMatch { .. }) => Vec::new(),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(found, expected, "{pattern}");
        };
        check("*.ndjson", &["c.ndjson", r"x\xff.ndjson"]);
        check("x?.ndjson", &[r"x\xff.ndjson"]);
        check(".*.ndjson", &[".d.ndjson"]);
        check("a/*", &["a/1.ndjson"]);
        check("a/._*", &["a/._1.ndjson"]);
        check("*/*.ndjson", &["a/1.ndjson"]);
        check("[ab]/[!b]*.ndjson", &["a/1.ndjson"]);
        check("**/*.ndjson", &["a/1.ndjson", "a/b/2.ndjson", "c.ndjson", r"x\xff.ndjson"]);
        check("a/**", &["a/1.ndjson", "a/b/2.ndjson"]);
        check("*.ndjson/x", &[]);
        check("no/*.ndjson", &[]);
        symlink("nowhere", home.path().join("c.gz")).unwrap();
        let broken = matches(home.path().join("*.gz").as_os_str());
        assert!(matches!(broken, Err(InputError::Open { .. })), "{broken:?}");
    }
}
