//! Counts of documents and of their faults, mergeable: one a chunk, then one a run.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
};

use crate::document::Fault;

/// How many places are kept of each group, the first ones in input order.
const SAMPLES_MAX: usize = 5;

/// How many groups a run keeps, the first ones in input order. Pointers and messages come from the schema,
/// so only a schema with hundreds of rules gets here; the bound keeps memory constant even then.
const GROUPS_MAX: usize = 1000;

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLocation {
    /// Index of the source in the order they were named.
    pub source: usize,
    /// 1-based.
    pub line: u64,
    /// In the decompressed source.
    pub byte_offset: u64,
}

/// Faults that break the same rule at the same place of their documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultGroup {
    pub code: Cow<'static, str>,
    /// JSON Pointer with every array index as `*`.
    pub pointer: String,
    pub schema_path: String,
    pub message: String,
    /// Faults.
    pub count: u64,
    /// Documents that have at least one of them.
    pub documents: u64,
    /// Documents that have no fault of another group: what fixing this one would let pass.
    pub only_fault_of: u64,
    /// The first documents in input order.
    pub samples: Vec<SourceLocation>,
}

type GroupKey = (Cow<'static, str>, String, String, String);

/// Counts of a chunk or of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that hold a document, good or bad.
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub blank: u64,
    /// Faults in groups beyond [`GROUPS_MAX`].
    pub ungrouped_faults: u64,
    groups: Vec<FaultGroup>,
    index: HashMap<GroupKey, usize>,
}

impl Tally {
    pub fn accept(&mut self) {
        self.read += 1;
        self.accepted += 1;
    }

    pub fn reject(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        self.read += 1;
        self.rejected += 1;
        self.count_faults(place, faults);
    }

    /// Takes back an acceptance: what only the server could find out.
    pub fn reject_accepted(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        self.accepted -= 1;
        self.rejected += 1;
        self.count_faults(place, faults);
    }

    fn count_faults(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        let mut touched: Vec<usize> = Vec::with_capacity(faults.len());
        for fault in faults {
            let group = self.group(fault);
            self.groups[group].count += 1;
            touched.push(group);
        }
        touched.sort_unstable();
        touched.dedup();
        for &group in &touched {
            let group = &mut self.groups[group];
            group.documents += 1;
            group.only_fault_of += u64::from(touched.len() == 1);
            if group.samples.len() < SAMPLES_MAX {
                group.samples.push(place);
            }
        }
    }

    fn group(&mut self, fault: Fault) -> usize {
        let entry = self.index.entry((fault.code, fault.group_pointer, fault.schema_path, fault.message));
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let (code, pointer, schema_path, message) = entry.key().clone();
                let (count, documents, only_fault_of, samples) = (0, 0, 0, Vec::new());
                self.groups.push(FaultGroup {
                    code,
                    pointer,
                    schema_path,
                    message,
                    count,
                    documents,
                    only_fault_of,
                    samples,
                });
                *entry.insert(self.groups.len() - 1)
            }
        }
    }

    /// Adds what comes later in the input.
    pub fn merge(&mut self, later: Self) {
        self.read += later.read;
        self.accepted += later.accepted;
        self.rejected += later.rejected;
        self.blank += later.blank;
        self.ungrouped_faults += later.ungrouped_faults;
        for group in later.groups {
            self.merge_group(group);
        }
    }

    /// Takes back the acceptance of documents that were deferred and then rejected: `deferred` is the tally of those
    /// that were deferred.
    pub fn reject_deferred(&mut self, deferred: Self) {
        self.accepted -= deferred.rejected;
        self.rejected += deferred.rejected;
        self.ungrouped_faults += deferred.ungrouped_faults;
        for group in deferred.groups {
            self.merge_group(group);
        }
    }

    fn merge_group(&mut self, later: FaultGroup) {
        let key =
            (later.code.clone(), later.pointer.clone(), later.schema_path.clone(), later.message.clone());
        if let Some(&index) = self.index.get(&key) {
            let group = &mut self.groups[index];
            group.count += later.count;
            group.documents += later.documents;
            group.only_fault_of += later.only_fault_of;
            group.samples.extend(later.samples);
            // What was deferred stands anywhere in the input.
            group.samples.sort_by_key(|place| (place.source, place.line));
            group.samples.truncate(SAMPLES_MAX);
        } else if self.groups.len() < GROUPS_MAX {
            self.index.insert(key, self.groups.len());
            self.groups.push(later);
        } else {
            self.ungrouped_faults += later.count;
        }
    }

    /// The groups, those of most documents first; of groups of equally many, the one met first.
    pub fn into_groups(self) -> Vec<FaultGroup> {
        let mut groups = self.groups;
        let first = |group: &FaultGroup| group.samples.first().map(|place| (place.source, place.line));
        groups.sort_by(|a, b| (b.documents.cmp(&a.documents)).then_with(|| first(a).cmp(&first(b))));
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: &'static str, group: &str) -> Fault {
        Fault { group_pointer: group.to_owned(), ..Fault::of_document(code, "words") }
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
        let groups = tally(&[
            (1, &[("a", "/x"), ("a", "/x"), ("b", "/x")]),
            (2, &[("a", "/x"), ("a", "/x")]),
            (3, &[("a", "/y")]),
        ])
        .into_groups();
        let counts: Vec<_> = groups
            .iter()
            .map(|g| {
                (g.code.as_ref(), g.pointer.as_str(), g.count, g.documents, g.only_fault_of, g.samples.len())
            })
            .collect();
        assert_eq!(counts, [("a", "/x", 4, 2, 1, 2), ("b", "/x", 1, 1, 0, 1), ("a", "/y", 1, 1, 1, 1)]);
    }

    #[test]
    fn merged_parts_equal_the_whole() {
        let documents: Vec<(u64, &[(&'static str, &str)])> = (0..40)
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
        for line in 0..1500 {
            merged.merge(tally(&[(line, &[("a", &format!("/{line}"))])]));
        }
        assert_eq!((merged.rejected, merged.ungrouped_faults), (1500, 500));
        assert_eq!(merged.into_groups().len(), GROUPS_MAX);
    }
}
