//! What the reject files are called, and what becomes of those that have the names already.
//!
//! A crash may fall between any two renames. What it leaves is told from the files themselves, so that the
//! next attempt comes to the same end.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::rejects_error::{RejectsError, error};

/// How much of two files is compared at once.
const COMPARE_BYTES: usize = 256 * 1024;

/// Where the rejected documents of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectPaths {
    pub documents: PathBuf,
    pub errors: PathBuf,
}

impl RejectPaths {
    /// `infix` stands behind the first word of the names.
    pub(super) fn in_dir(dir: &Path, infix: &str, suffix: &str) -> Self {
        let path = |ending: &str| dir.join(format!("rejects{infix}.{ending}{suffix}"));
        Self { documents: path("ndjson"), errors: path("errors.ndjson") }
    }

    /// Whether an attempt that did not live to say so has given these names to what `partial` holds. The
    /// documents get theirs first.
    pub(super) fn hold_already(&self, partial: &Self) -> Result<bool, RejectsError> {
        let is_same = |new: &Path, there: &Path| {
            is_same(new, there).map_err(error("compared with what is to replace it", there))
        };
        Ok(self.documents.exists()
            && is_same(&partial.documents, &self.documents)?
            && (!self.errors.exists() || is_same(&partial.errors, &self.errors)?))
    }

    /// Gives earlier files a number; empty ones go. Documents that others are about to replace keep their name until
    /// then as well: they may be the input of a load, which the same command has to find if the program dies here.
    pub(super) fn move_aside(
        &self,
        dir: &Path,
        suffix: &str,
        are_replaced: bool,
    ) -> Result<(), RejectsError> {
        let both = [&self.documents, &self.errors];
        if both.iter().all(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0) {
            return Ok(());
        }
        // Where the documents were moved and the program died, the words about them follow to the same number.
        let is_half_moved = !self.documents.exists();
        let is_linked = |aside: &Self| is_same_file(&self.documents, &aside.documents);
        let numbered = |number: u32| Self::in_dir(dir, &format!(".{number}"), suffix);
        let aside = (1..=u32::MAX)
            .map(numbered)
            .take_while(|aside| aside.documents.exists() || aside.errors.exists())
            .find(is_linked)
            .or_else(|| {
                (1..=u32::MAX)
                    .map(numbered)
                    .find(|aside| !aside.errors.exists() && (is_half_moved || !aside.documents.exists()))
            })
            .expect("some number is free");
        if self.documents.exists() {
            // A file system without hard links has the name for neither for a moment.
            let is_kept =
                is_linked(&aside) || are_replaced && fs::hard_link(&self.documents, &aside.documents).is_ok();
            match (is_kept, are_replaced) {
                (true, true) => Ok(()),
                (true, false) => fs::remove_file(&self.documents),
                (false, _) => fs::rename(&self.documents, &aside.documents),
            }
            .map_err(error("moved aside", &self.documents))?;
        }
        if self.errors.exists() {
            fs::rename(&self.errors, &aside.errors).map_err(error("moved aside", &self.errors))?;
        }
        Ok(())
    }
}

/// Whether two names are those of one file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Whether two files hold the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path| File::open(path).map(|file| BufReader::with_capacity(COMPARE_BYTES, file));
    let (mut one, mut other) = (open(one)?, open(other)?);
    if one.get_ref().metadata()?.len() != other.get_ref().metadata()?.len() {
        return Ok(false);
    }
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.len() == right.len());
        }
        one.consume(length);
        other.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_to_their_last_byte() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = home.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        for length in [0, 1, COMPARE_BYTES - 1, COMPARE_BYTES, COMPARE_BYTES + 1, 2 * COMPARE_BYTES] {
            let mut bytes = vec![b'x'; length];
            let one = write("one", &bytes);
            assert!(is_same(&one, &write("other", &bytes)).unwrap());
            bytes.push(b'x');
            assert!(!is_same(&one, &write("other", &bytes)).unwrap());
            if length > 0 {
                bytes.pop();
                bytes[length - 1] = b'y';
                assert!(!is_same(&one, &write("other", &bytes)).unwrap());
            }
        }
    }
}
