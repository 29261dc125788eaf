//! The nightly delta: a tenth of the stored documents' number; 80 % are stored just so, 10 % are stored and have
//! changed (name, e-mail, phone number, address in turn), 10 % are new. In no order, as changes come.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    failure::{Failure, Outcome},
    loader::Loaded,
};

/// Of the order in which the documents stand.
const SEED: u64 = 4;

/// Every eleventh stored document is in the delta, until there are enough.
const STEP: usize = 11;

#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) path: PathBuf,
    pub(crate) unchanged: u64,
    pub(crate) changed: u64,
    pub(crate) new: u64,
}

impl Delta {
    /// Of these files, as a file at `path`; `new` holds a hundredth of the stored documents' number.
    pub(crate) fn write(stored: &Path, new: &Path, path: PathBuf) -> Outcome<Self> {
        let what = format!("making the delta {}", path.display());
        Self::try_write(stored, new, path).map_err(Failure::of(what))
    }

    /// What is to be told of it once it has been loaded.
    pub(crate) fn all_unchanged(&self) -> Loaded {
        let unchanged = self.unchanged + self.changed + self.new;
        Loaded { strategy: "merge".to_owned(), inserted: 0, updated: 0, unchanged }
    }

    fn try_write(stored: &Path, new: &Path, path: PathBuf) -> io::Result<Self> {
        let mut lines = BufReader::new(File::open(new)?).lines().collect::<io::Result<Vec<String>>>()?;
        let stored_lines = 9 * lines.len();
        let new = u64::try_from(lines.len()).map_err(io::Error::other)?;
        let mut delta = Self { path, unchanged: 0, changed: 0, new };
        let stored = BufReader::with_capacity(1 << 20, File::open(stored)?);
        for (nth, line) in stored.lines().step_by(STEP).take(stored_lines).enumerate() {
            if nth % 9 == 0 {
                lines.push(change(&line?, nth / 9));
                delta.changed += 1;
            } else {
                lines.push(line?);
                delta.unchanged += 1;
            }
        }
        fastrand::Rng::with_seed(SEED).shuffle(&mut lines);
        lines.push(String::new());
        fs::write(&delta.path, lines.join("\n"))?;
        Ok(delta)
    }
}

/// Another document of the same id. Works on the text, so that the rest of it stays as it was.
fn change(line: &str, nth: usize) -> String {
    const EMAILS_END: &str = r#""],"#;
    const NUMBER: &str = r#"{"type":"other","number":"+4930123456"}"#;
    const ADDRESS: &str = r#""address":{"line1":"Neue Str. 1","city":"Berlin","state":"BE","postalCode":"10115","country":"DE"},"#;
    let changed = match nth % 4 {
        0 => insert(line, r#""lastName":""#, "Neu-"),
        1 => insert(line, r#""emails":[""#, "new."),
        2 => insert(line, r#""phoneNumbers":["#, &format!("{NUMBER},"))
            .or_else(|| insert(line, EMAILS_END, &format!(r#""phoneNumbers":[{NUMBER}],"#))),
        _ => insert(line, r#""city":""#, "Neu-").or_else(|| insert(line, EMAILS_END, ADDRESS)),
    };
    changed.expect("every document has names and e-mails")
}

/// Puts the text behind the first `mark`.
fn insert(line: &str, mark: &str, text: &str) -> Option<String> {
    let at = line.find(mark)? + mark.len();
    Some([&line[..at], text, &line[at..]].concat())
}
