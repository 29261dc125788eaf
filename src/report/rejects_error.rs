//! Why files of customers' documents can't be written, and what to free where the disk is full.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why the reject files can't be written.
#[derive(Debug, Error)]
#[error("{what} {} can't be {done}{}", crate::path_text::path_text(path), space_to_free(source, path))]
pub(crate) struct RejectsError {
    what: &'static str,
    path: PathBuf,
    done: &'static str,
    source: io::Error,
}

impl RejectsError {
    /// Whether the same command may succeed once there is room.
    pub(crate) fn is_temporary(&self) -> bool {
        is_out_of_space(&self.source)
    }
}

/// Deferred documents that can't be written to a file of blocks.
pub(crate) fn deferred_error(path: &Path) -> impl FnOnce(io::Error) -> RejectsError + use<> {
    error_of("the file of deferred documents,", "written", path)
}

/// What to do about a file for which there was no room, or that grew to its limit, to be added to the words about it.
pub(super) fn space_to_free(error: &io::Error, path: &Path) -> String {
    if !is_out_of_space(error) {
        return String::new();
    }
    if error.kind() == ErrorKind::FileTooLarge {
        return "; the process may not write files of that size: raise the limit (ulimit -f) and run the same command \
                again"
            .to_owned();
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    format!("; free space under {} and run the same command again", crate::path_text::path_text(folder))
}

fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

pub(super) fn error(done: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RejectsError + use<> {
    error_of("the reject file", done, path)
}

pub(super) fn error_of(
    what: &'static str,
    done: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> RejectsError + use<> {
    let path = path.to_owned();
    move |source| RejectsError { what, path, done, source }
}
