//! Which chunk is next in input order, whatever the order is in which they are checked.
//!
//! The chunks of sources that are read at the same time are numbered source by source; how many a source has is known when it
//! was read to its end.

use std::{collections::BTreeMap, mem};

use super::{checked::CheckedChunk, event::SourceEnd};
use crate::input::{InputError, SourceDigest};

/// Sources that are read at the same time have chunk numbers of their own, those of a source behind all of the one before.
const CHUNK_BITS: u32 = 40;

/// The number of the nth chunk of a source.
pub(super) fn sequence(source: usize, nth: u64) -> u64 {
    u64::try_from(source).expect("a length has 64 bits") << CHUNK_BITS | nth
}

fn source_of(sequence: u64) -> usize {
    usize::try_from(sequence >> CHUNK_BITS).expect("an index of a source")
}

#[derive(Default)]
pub(super) struct InputOrder {
    /// Checked, but a chunk before it is not.
    early: BTreeMap<u64, Box<CheckedChunk>>,
    /// The next chunk that is not checked yet.
    next: u64,
    /// The number behind the last chunk, once that is known.
    end: Option<u64>,
    /// How many sources there are, where several are read at the same time.
    apart: Option<usize>,
    /// Those that were read to their end, and have chunks that are to come.
    ended: BTreeMap<usize, SourceEnd>,
    /// Of sources that ended since the last chunk.
    ended_before: Vec<SourceDigest>,
    /// Of all sources that ended.
    digests: Vec<SourceDigest>,
    error: Option<InputError>,
}

impl InputOrder {
    /// Of sources that are read at the same time; `None` where one is read after another.
    pub(super) fn new(apart: Option<usize>) -> Self {
        Self { apart, ..Self::default() }
    }

    /// Whether several sources are read at the same time.
    pub(super) fn is_apart(&self) -> bool {
        self.apart.is_some()
    }

    pub(super) fn add(&mut self, checked: Box<CheckedChunk>) {
        self.early.insert(checked.chunk.sequence, checked);
    }

    pub(super) fn end_source(&mut self, end: SourceEnd) {
        self.ended.insert(end.source, end);
    }

    /// Nothing comes behind so many chunks of this source.
    pub(super) fn end_at(&mut self, source: usize, chunks: u64) {
        self.end.get_or_insert(sequence(source, chunks));
    }

    /// Whether all chunks have come.
    pub(super) fn is_at_end(&self) -> bool {
        self.end == Some(self.next)
    }

    /// The next chunk, once it is there.
    pub(super) fn next(&mut self) -> Option<Box<CheckedChunk>> {
        while !self.is_at_end() {
            if let Some(mut checked) = self.early.remove(&self.next) {
                self.next += 1;
                checked.chunk.ended.append(&mut self.ended_before);
                return Some(checked);
            }
            let source = source_of(self.next);
            let is_whole = |end: &SourceEnd| sequence(source, end.chunks) == self.next;
            if !self.ended.get(&source).is_some_and(is_whole) {
                return None;
            }
            let SourceEnd { mut digests, error, .. } = self.ended.remove(&source)?;
            self.digests.extend(digests.iter().cloned());
            self.ended_before.append(&mut digests);
            if error.is_none() {
                self.next = sequence(source + 1, 0);
            }
            if error.is_some() || self.apart == Some(source + 1) {
                self.end = Some(self.next);
            }
            self.error = error;
        }
        None
    }

    /// Why the source can't be read whose chunks have all come.
    pub(super) fn take_error(&mut self) -> Option<InputError> {
        self.error.take()
    }

    /// Digests of the sources that ended, where several are read at the same time.
    pub(super) fn take_digests(&mut self) -> Vec<SourceDigest> {
        mem::take(&mut self.digests)
    }
}
