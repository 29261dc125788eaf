//! The parts of a batch: which of their documents are still to be loaded, and what is known of the others.

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
    /// Indices, rising, of the documents that are deferred.
    pub(crate) deferred: Vec<usize>,
}

impl Pending {
    /// All of a part is to be loaded.
    pub(crate) fn whole(part: LanePart) -> Self {
        Self { part, first: 0, replayed: 0, rejected: Vec::new(), deferred: Vec::new() }
    }

    /// For copying. Documents are deferred whose id may have come before, and those that an owner's index may not hold.
    pub(crate) fn defer_for_copying(&mut self, filter: &mut IdFilter) {
        for (index, document) in self.part.documents().iter().enumerate() {
            // In any case, so that whatever comes after it with the same id follows it.
            if filter.meet(&document.id) || document.has_long_row {
                self.deferred.push(index);
            }
        }
    }

    /// For merging: `filter` has the ids of deferred documents, and what comes after one of them with the same id has
    /// to follow it. What is deferred of those before `first` is known.
    pub(crate) fn defer_for_merging(&mut self, filter: &mut IdFilter) {
        for &index in &self.deferred {
            filter.meet(&self.part.documents()[index].id);
        }
        let documents = self.part.documents().iter().enumerate().skip(self.first);
        let deferred = documents.filter(|(_, document)| filter.has_met(&document.id));
        self.deferred.extend(deferred.map(|(index, _)| index));
    }

    /// Adds documents that the server had refused, by the line offsets in the chunk.
    pub(crate) fn add_deferred(&mut self, offsets: &[u32]) -> Result<(), RunError> {
        for offset in offsets {
            let index = self.part.documents().binary_search_by_key(offset, |document| document.offset);
            let index = index.map_err(|_| {
                RunError::Ledger("it has a document as deferred that is not accepted any more".to_owned())
            })?;
            if let Err(at) = self.deferred.binary_search(&index) {
                self.deferred.insert(at, index);
            }
        }
        Ok(())
    }

    pub(crate) fn is_deferred(&self, index: usize) -> bool {
        self.deferred.binary_search(&index).is_ok()
    }

    /// How many documents a transaction has to decide on that are not deferred already.
    pub(crate) fn undecided(&self) -> u64 {
        let undecided = (self.first..self.part.documents().len()).filter(|&index| !self.is_deferred(index));
        u64::try_from(undecided.count()).expect("a length has 64 bits")
    }

    /// Line offsets in the chunk, rising, of the documents before `first` that are deferred.
    pub(crate) fn deferred_before(&self) -> impl Iterator<Item = u32> {
        let committed = self.deferred.iter().take_while(|index| **index < self.first);
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
