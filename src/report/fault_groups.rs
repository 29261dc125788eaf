//! Faults by the rule they break and where in their documents: counts, places and samples, in constant memory.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use super::{
    Combination, LineCells, SourceLocation,
    fault_sets::FaultSets,
    samples::{Sample, Samples},
};
use crate::document::{Fault, FaultKind};

/// How many groups a run keeps, the first ones in input order. Pointers and messages come from the schema,
/// so only a schema with hundreds of rules gets here; the bound keeps memory constant even then.
pub(crate) const GROUPS_MAX: usize = 1000;

/// How finely the places of a group's documents are kept.
pub(crate) const GROUP_CELLS_MAX: usize = 64;

/// So many groups are looked at before the kind of a fault is hashed, which takes longer.
const LOOKED_AT_MAX: usize = 8;

/// Faults that break the same rule at the same place of their documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultGroup {
    pub(crate) kind: Arc<FaultKind>,
    /// Faults.
    pub(crate) count: u64,
    /// Documents that have at least one of them.
    pub(crate) documents: u64,
    /// Documents that have no fault of another group: what fixing this one would let pass.
    pub(crate) only_fault_of: u64,
    pub(crate) first: SourceLocation,
    pub(crate) last: SourceLocation,
    /// Where the documents are.
    pub(crate) cells: LineCells,
    pub(crate) samples: Samples,
}

/// The groups of a chunk or of a run, in the order they were met.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultGroups {
    groups: Vec<FaultGroup>,
    index: HashMap<Arc<FaultKind>, usize, FixedState>,
    sets: FaultSets,
    /// Faults in groups beyond [`GROUPS_MAX`].
    pub(crate) ungrouped_faults: u64,
}

/// Groups, and the documents that have several of them, as indices.
pub(crate) struct SortedGroups {
    pub(crate) groups: Vec<FaultGroup>,
    pub(crate) combinations: Vec<Combination>,
    /// Documents whose combination is not kept.
    pub(crate) other_documents: u64,
    /// Faults whose group is not kept.
    pub(crate) ungrouped_faults: u64,
}

impl FaultGroups {
    /// Counts the faults of a document.
    pub(crate) fn add(&mut self, place: SourceLocation, faults: Vec<Fault>) {
        let mut touched: Vec<usize> = Vec::with_capacity(faults.len());
        for fault in faults {
            let at = self.group(fault.kind(), place);
            let group = &mut self.groups[at];
            group.count += 1;
            if !touched.contains(&at) {
                touched.push(at);
                group.documents += 1;
                group.first = group.first.min(place);
                group.last = group.last.max(place);
                group.cells.add(place.source, place.line);
                if group.samples.takes(place) {
                    group.samples.add(Sample { place, shape: fault.shape.into_owned() });
                }
            }
        }
        if let [only] = touched[..] {
            self.groups[only].only_fault_of += 1;
        }
        touched.sort_unstable();
        self.sets.add(Some(touched), 1);
    }

    /// The index of the group of such faults.
    fn group(&mut self, kind: &Arc<FaultKind>, place: SourceLocation) -> usize {
        // What a schema's rules break has kinds of its own, which are the same wherever they come.
        let is_same = |group: &FaultGroup| Arc::ptr_eq(&group.kind, kind);
        if let Some(at) = self.groups.iter().take(LOOKED_AT_MAX).position(is_same) {
            return at;
        }
        if let Some(at) = self.index.get(kind) {
            return *at;
        }
        self.index.insert(Arc::clone(kind), self.groups.len());
        self.groups.push(FaultGroup {
            kind: Arc::clone(kind),
            count: 0,
            documents: 0,
            only_fault_of: 0,
            first: place,
            last: place,
            cells: LineCells::new(GROUP_CELLS_MAX),
            samples: Samples::default(),
        });
        self.groups.len() - 1
    }

    /// Documents with a kind of fault; one that breaks the rule in two ways counts for both.
    pub(crate) fn documents_of(&self, code: &str, pointer: Option<&str>) -> u64 {
        let is_of = |group: &&FaultGroup| {
            group.kind.code == code && pointer.is_none_or(|pointer| group.kind.group_pointer == pointer)
        };
        self.groups.iter().filter(is_of).map(|group| group.documents).sum()
    }

    /// Adds those of another part of the input.
    pub(crate) fn merge(&mut self, other: Self) {
        self.ungrouped_faults += other.ungrouped_faults;
        let new_index: Vec<_> = other.groups.into_iter().map(|group| self.merge_group(group)).collect();
        self.sets.merge(other.sets, &new_index);
    }

    /// The index that the group has here; none where there are too many.
    pub(crate) fn merge_group(&mut self, other: FaultGroup) -> Option<usize> {
        if let Some(&at) = self.index.get(&other.kind) {
            let group = &mut self.groups[at];
            group.count += other.count;
            group.documents += other.documents;
            group.only_fault_of += other.only_fault_of;
            // What was deferred stands anywhere in the input.
            group.first = group.first.min(other.first);
            group.last = group.last.max(other.last);
            group.cells.merge(&other.cells);
            group.samples.merge(other.samples);
            return Some(at);
        }
        if self.groups.len() == GROUPS_MAX {
            self.ungrouped_faults += other.count;
            return None;
        }
        self.index.insert(Arc::clone(&other.kind), self.groups.len());
        self.groups.push(other);
        Some(self.groups.len() - 1)
    }

    /// Adds documents that have just these groups.
    pub(crate) fn add_combination(&mut self, groups: Option<Vec<usize>>, documents: u64) {
        self.sets.add(groups, documents);
    }

    /// The groups, those of most documents first; of groups of equally many, the one met first.
    pub(crate) fn into_sorted(self) -> SortedGroups {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        // Of groups that the same document has first, the order depends on nothing that merging changes.
        let key = |at: usize| {
            let FaultGroup { documents, first, kind, .. } = &self.groups[at];
            let FaultKind { code, group_pointer, schema_path, message } = &**kind;
            (std::cmp::Reverse(*documents), *first, code, group_pointer, schema_path, message)
        };
        order.sort_by(|a, b| key(*a).cmp(&key(*b)));
        let mut new_index = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, old)| new_index[*old] = new);
        let other_documents = self.sets.other_documents;
        let combination = |(set, documents): (Vec<usize>, u64)| {
            let mut errors: Vec<_> = set.into_iter().map(|old| new_index[old]).collect();
            errors.sort_unstable();
            Combination { errors, documents }
        };
        let mut combinations: Vec<_> = self.sets.into_vec().into_iter().map(combination).collect();
        combinations.sort_by(|a, b| (b.documents, &a.errors).cmp(&(a.documents, &b.errors)));
        let mut groups: Vec<_> = self.groups.into_iter().map(Some).collect();
        let groups = order.into_iter().map(|at| groups[at].take().expect("each once")).collect();
        SortedGroups { groups, combinations, other_documents, ungrouped_faults: self.ungrouped_faults }
    }
}
