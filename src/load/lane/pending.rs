//! The parts of a batch: which of their documents are still to be loaded, and what is known of the others.

use bytes::Bytes;

use crate::{document::Fault, input::Position, load::bulk::IdFilter, rows::LanePart, runs::RunError};

/// A part, of which the documents from `first` on are still to be loaded.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) part: LanePart,
    pub(crate) first: usize,
    /// Documents before `first` that are committed and counted in the ledger.
    pub(crate) replayed: u64,
    /// Those before `first` that the server had refused: line offset in the chunk, rising.
    pub(crate) rejected: Vec<(u32, Fault)>,
    /// Of a bulk load.
    pub(crate) bulk: Option<PendingBulk>,
}

/// What a bulk load knows of a part besides.
#[derive(Debug)]
pub(crate) struct PendingBulk {
    /// The rows, a buffer a table.
    pub(crate) tables: [Bytes; 4],
    /// Indices, rising, of the documents that are deferred.
    deferred: Vec<usize>,
}

impl PendingBulk {
    /// Documents are deferred whose id may have come before, and those that an owner's index may not hold.
    pub(crate) fn of(part: &mut LanePart, filter: &mut IdFilter) -> Self {
        let tables = part.take_table_rows().0.map(Bytes::from);
        let mut deferred = Vec::new();
        for (index, document) in part.documents().iter().enumerate() {
            // In any case, so that whatever comes after it with the same id follows it.
            if filter.meet(&document.id) || document.has_long_row {
                deferred.push(index);
            }
        }
        Self { tables, deferred }
    }

    /// Indices, rising.
    pub(crate) fn deferred(&self) -> &[usize] {
        &self.deferred
    }

    /// Adds documents that the server had refused, by the line offsets in the chunk.
    pub(crate) fn add(&mut self, part: &LanePart, offsets: &[u32]) -> Result<(), RunError> {
        for offset in offsets {
            let index = part.documents().binary_search_by_key(offset, |document| document.offset);
            let index = index.map_err(|_| {
                RunError::Ledger("it has a document as deferred that is not accepted any more".to_owned())
            })?;
            if let Err(at) = self.deferred.binary_search(&index) {
                self.deferred.insert(at, index);
            }
        }
        Ok(())
    }
}

impl Pending {
    /// What a bulk load knows of it.
    pub(crate) fn bulk(&self) -> &PendingBulk {
        self.bulk.as_ref().expect("the rows of a bulk load are the tables'")
    }

    /// How many documents a transaction has to decide on that are not deferred already.
    pub(crate) fn undecided(&self) -> u64 {
        let is_deferred =
            |index: usize| self.bulk.as_ref().is_some_and(|bulk| bulk.deferred.binary_search(&index).is_ok());
        let undecided = (self.first..self.part.documents().len()).filter(|&index| !is_deferred(index));
        u64::try_from(undecided.count()).expect("a length has 64 bits")
    }

    /// Line offsets in the chunk, rising, of the documents before `first` that are deferred.
    pub(crate) fn deferred_before(&self) -> impl Iterator<Item = u32> {
        let deferred = self.bulk.as_ref().map_or(&[][..], |bulk| &bulk.deferred);
        let committed = deferred.iter().take_while(|index| **index < self.first);
        committed.map(|&index| self.part.documents()[index].offset)
    }
}

/// Positions of the documents that are to be loaded.
pub(crate) fn positions(pending: &[Pending]) -> impl Iterator<Item = Position> {
    pending.iter().flat_map(|pending| {
        let part = &pending.part;
        part.documents()[pending.first..].iter().map(|document| Position {
            source: part.end.position.source,
            byte_offset: part.byte_offset + u64::from(document.offset),
        })
    })
}
