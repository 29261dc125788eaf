//! Counts of documents and of their faults, mergeable: one a chunk, then one a run.

use std::collections::BTreeMap;

use super::{
    LineCells, SourceLocation,
    duplicates::Fingerprint,
    fault_groups::{FaultGroups, SortedGroups},
    field_counts::FieldCounts,
};
use crate::document::{Fault, Node, Profile};

/// How finely the places of documents are kept.
pub(crate) const CELLS_MAX: usize = 256;

/// Counts of a chunk or of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Lines that hold a document, good or bad.
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    /// Those of which a map makes nothing.
    pub(crate) dropped: u64,
    pub(crate) blank: u64,
    pub(crate) faults: FaultGroups,
    /// By source.
    pub(crate) rejected_of: BTreeMap<usize, u64>,
    /// Where documents are, and the rejected ones.
    pub(crate) read_at: LineCells,
    pub(crate) rejected_at: LineCells,
    /// What is gathered for reports besides; none where there is no report.
    pub(crate) details: Option<Box<Details>>,
}

/// What is gathered for reports alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) fields: FieldCounts,
    /// Of each document with an id, in input order.
    pub(crate) fingerprints: Vec<Fingerprint>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            read: 0,
            accepted: 0,
            rejected: 0,
            dropped: 0,
            blank: 0,
            faults: FaultGroups::default(),
            rejected_of: BTreeMap::new(),
            read_at: LineCells::new(CELLS_MAX),
            rejected_at: LineCells::new(CELLS_MAX),
            details: None,
        }
    }
}

impl Tally {
    /// One that gathers what a report wants besides counts.
    pub(crate) fn with_details(has_details: bool) -> Self {
        Self { details: has_details.then(Box::default), ..Self::default() }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        /// Places of documents, counts of properties, and what is kept of a rejected document.
        const PLACES: usize = 8 << 10;
        const FIELDS: usize = 40 << 10;
        const REJECTED: usize = 512;
        let details = |details: &Details| FIELDS + details.fingerprints.capacity() * size_of::<Fingerprint>();
        let rejected = usize::try_from(self.rejected).expect("few documents are in memory");
        PLACES + rejected * REJECTED + self.details.as_deref().map_or(0, details)
    }

    /// Counts an accepted document; `line` is that of its source.
    pub(crate) fn accept(&mut self, source: usize, line: u64) {
        self.read += 1;
        self.accepted += 1;
        self.read_at.add(source, line);
    }

    /// Counts a document of which a map makes nothing.
    pub(crate) fn drop(&mut self, source: usize, line: u64) {
        self.read += 1;
        self.dropped += 1;
        self.read_at.add(source, line);
    }

    pub(crate) fn reject(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        self.read += 1;
        self.read_at.add(place.source, place.line);
        self.count_rejected(place, faults);
    }

    /// Takes back an acceptance: what only the server could find out.
    pub(crate) fn reject_accepted(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        self.accepted -= 1;
        self.count_rejected(place, faults);
    }

    fn count_rejected(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        self.rejected += 1;
        *self.rejected_of.entry(place.source).or_default() += 1;
        self.rejected_at.add(place.source, place.line);
        self.faults.add(place, faults);
    }

    /// Adds what comes later in the input.
    pub(crate) fn merge(&mut self, later: Self) {
        self.read += later.read;
        self.accepted += later.accepted;
        self.dropped += later.dropped;
        self.blank += later.blank;
        self.read_at.merge(&later.read_at);
        if let (Some(details), Some(later)) = (&mut self.details, &later.details) {
            details.fields.merge(&later.fields);
        }
        self.add_rejected(later);
    }

    /// Takes back the acceptance of documents that were deferred and then rejected: `deferred` is the tally of those
    /// that were deferred.
    pub(crate) fn reject_deferred(&mut self, deferred: Self) {
        self.accepted -= deferred.rejected;
        self.add_rejected(deferred);
    }

    fn add_rejected(&mut self, other: Self) {
        self.rejected += other.rejected;
        for (source, rejected) in other.rejected_of {
            *self.rejected_of.entry(source).or_default() += rejected;
        }
        self.rejected_at.merge(&other.rejected_at);
        self.faults.merge(other.faults);
    }

    /// The groups of faults, those of most documents first.
    pub(crate) fn take_faults(&mut self) -> SortedGroups {
        std::mem::take(&mut self.faults).into_sorted()
    }
}

impl Details {
    pub(crate) fn add(&mut self, profile: &Profile<'_>, text: &[u8]) {
        self.fields.add(profile, text);
        self.fingerprints.push(Fingerprint::of(profile.id, text));
    }

    /// Of a rejected document, as far as it is JSON.
    pub(crate) fn add_rejected(&mut self, document: Node<'_>, text: &[u8]) {
        self.fields.add_rejected(document, text);
        if let Some(id) = document.get("id").and_then(Node::as_str).and_then(crate::document::parse_uuid) {
            self.fingerprints.push(Fingerprint::of(id, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fault_groups::GROUPS_MAX;

    fn fault(code: &'static str, group: &str) -> Fault {
        Fault::of_group(code, group, "words")
    }

    fn place(line: u64) -> SourceLocation {
        SourceLocation { source: 0, line, byte_offset: line * 10 }
    }

    fn tally(documents: &[(u64, &[(&'static str, &str)])]) -> Tally {
        let mut tally = Tally::default();
        for (line, faults) in documents {
            let faults = faults.iter().map(|(code, group)| fault(code, group)).collect();
            tally.reject(place(*line), faults);
        }
        tally
    }

    #[test]
    fn a_document_counts_once_in_each_group() {
        let mut tally = tally(&[
            (1, &[("a", "/x"), ("a", "/x"), ("b", "/x")]),
            (2, &[("a", "/x"), ("a", "/x")]),
            (3, &[("a", "/y")]),
        ]);
        let SortedGroups { groups, combinations, .. } = tally.take_faults();
        let counts: Vec<_> = groups
            .iter()
            .map(|g| {
                let samples = g.samples.iter().count();
                (
                    g.kind.code.as_ref(),
                    g.kind.group_pointer.as_str(),
                    g.count,
                    g.documents,
                    g.only_fault_of,
                    samples,
                )
            })
            .collect();
        assert_eq!(counts, [("a", "/x", 4, 2, 1, 2), ("b", "/x", 1, 1, 0, 1), ("a", "/y", 1, 1, 1, 1)]);
        let combinations: Vec<_> = combinations.iter().map(|one| (&one.errors[..], one.documents)).collect();
        assert_eq!(combinations, [(&[0][..], 1), (&[0, 1], 1), (&[2], 1)]);
        assert_eq!((groups[0].first.line, groups[0].last.line), (1, 2));
    }

    #[test]
    fn merged_parts_equal_the_whole() {
        let documents: Vec<(u64, &[(&'static str, &str)])> = (1..=40)
            .map(|line| {
                (line, if line % 3 == 0 { &[("a", "/x"), ("b", "/y")][..] } else { &[("c", "/z")][..] })
            })
            .collect();
        for size in [1, 2, 7, 40] {
            let mut merged = Tally::default();
            documents.chunks(size).for_each(|part| merged.merge(tally(part)));
            assert_eq!(merged, tally(&documents), "{size}");
        }
    }

    #[test]
    fn groups_are_bounded() {
        let mut merged = Tally::default();
        for line in 1..=1500 {
            merged.merge(tally(&[(line, &[("a", &format!("/{line}"))])]));
        }
        assert_eq!((merged.rejected, merged.faults.ungrouped_faults), (1500, 500));
        let sorted = merged.take_faults();
        assert_eq!((sorted.groups.len(), sorted.other_documents), (GROUPS_MAX, 500));
    }
}
