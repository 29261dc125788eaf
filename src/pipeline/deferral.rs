//! What a bulk load does with documents that it defers until the indexes are restored.

use std::path::PathBuf;

use super::{check::Checker, checked::CheckedChunk, lines::document_at};
use crate::{
    document::Fault,
    plan::BlockWriter,
    report::{RejectsError, Spill, SpillFiles, Tally, deferred_error},
};

/// Whether documents are deferred.
#[derive(Debug, Default)]
pub(crate) enum Deferral {
    #[default]
    None,
    /// They are written here.
    Writing(SpillFiles),
    /// They are left to the plan's own run, in this file.
    Leaving { blocks: BlockWriter, path: PathBuf },
    /// All of them are in this file.
    Left(PathBuf),
    /// They are what is read; documents were read and rejected before them, and had kinds of faults that have limits.
    Reading { spill: Spill, read: u64, rejected: u64, of_kinds: Vec<u64> },
}

impl Deferral {
    /// How many documents of the whole run were read and rejected, with those of this part of it.
    pub(super) fn read_and_rejected(&self, tally: &Tally) -> (u64, u64) {
        match self {
            Self::Reading { read, rejected, .. } => (*read, rejected + tally.rejected),
            _ => (tally.read, tally.rejected),
        }
    }

    /// How many documents had a kind of fault before this part of the run, by the index of its limit.
    pub(super) fn documents_of(&self, index: usize) -> u64 {
        match self {
            Self::Reading { of_kinds, .. } => of_kinds[index],
            _ => 0,
        }
    }

    /// Rejects documents that the server refused, at the place that they have in the input.
    pub(super) fn reject_refused(
        &mut self,
        checker: &Checker,
        checked: &mut CheckedChunk,
        refused: Vec<(u32, Fault)>,
    ) -> Result<(), RejectsError> {
        checker.reject_accepted(checked, refused, |place| match self {
            Self::Reading { spill, .. } => spill.place(place.line),
            _ => Ok(place),
        })
    }

    /// Keeps the documents at these offsets of a chunk.
    pub(super) fn write(&mut self, checked: &CheckedChunk, deferred: &[u32]) -> Result<(), RejectsError> {
        if deferred.is_empty() {
            return Ok(());
        }
        for &offset in deferred {
            let (bytes, place) = document_at(&checked.chunk, offset);
            let document = &checked.chunk.bytes[bytes];
            match self {
                Self::Writing(files) => files.push(document, place)?,
                Self::Leaving { blocks, path } => {
                    blocks.push(0, place, document).map_err(deferred_error(path))?;
                }
                Self::None | Self::Left(_) | Self::Reading { .. } => {
                    unreachable!("only a bulk load defers documents")
                }
            }
        }
        Ok(())
    }
}
