//! The end of the reject files of a run.

use crate::{
    input::Source,
    pipeline::{End, Finished},
    report::{RejectFiles, RejectPaths},
};

/// Gives the files of a run that has seen all of its input their names; those of another keep their partial ones.
/// Where that fails, the run has failed.
pub(super) fn end_reject_files(finished: &mut Finished) -> Option<RejectPaths> {
    let files = finished.rejects.take()?;
    let ended = match finished.end {
        End::Complete => files.complete(),
        _ => files.leave_partial(),
    };
    ended.unwrap_or_else(|error| {
        finished.end = End::Rejects(error);
        None
    })
}

/// The same, but for files that are to replace an input: their names have to wait until the ledger has the end of the
/// run, because the same command has to find its input again if it comes to that. They are returned with the names
/// that they will get.
pub(super) fn end_or_hold(
    finished: &mut Finished,
    sources: &[Source],
) -> (Option<RejectPaths>, Option<RejectFiles>) {
    let replaces = |files: &mut RejectFiles| sources.iter().any(|source| files.replaces(source));
    let held = if matches!(finished.end, End::Complete) { finished.rejects.take_if(replaces) } else { None };
    let Some(mut files) = held else { return (end_reject_files(finished), None) };
    match files.prepare() {
        Ok(paths) => (paths, Some(files)),
        Err(error) => {
            finished.end = End::Rejects(error);
            (None, None)
        }
    }
}
