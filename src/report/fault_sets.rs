//! Which kinds of faults documents have together: what fixing some of them would free.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// How many sets are kept, the first ones in input order.
const SETS_MAX: usize = 4096;

/// So many sets are looked at before one is hashed, which takes longer.
const LOOKED_AT_MAX: usize = 8;

/// Rejected documents by the set of the kinds of faults that they have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FaultSets {
    /// Kinds as indices, rising, and how many documents have these and no others; in the order they were met.
    sets: Vec<(Vec<usize>, u64)>,
    index: HashMap<Vec<usize>, usize, FixedState>,
    /// Documents whose set is not kept, or has a kind that is not.
    pub(crate) other_documents: u64,
}

impl FaultSets {
    /// `None` for a set with a kind that is not kept.
    pub(crate) fn add(&mut self, set: Option<Vec<usize>>, documents: u64) {
        let Some(set) = set else {
            self.other_documents += documents;
            return;
        };
        let of_first = self.sets.iter().take(LOOKED_AT_MAX).position(|(other, _)| *other == set);
        if let Some(at) = of_first.or_else(|| self.index.get(&set).copied()) {
            self.sets[at].1 += documents;
        } else if self.sets.len() < SETS_MAX {
            self.index.insert(set.clone(), self.sets.len());
            self.sets.push((set, documents));
        } else {
            self.other_documents += documents;
        }
    }

    /// Adds sets of kinds that have other indices there; `None` for a kind that is not kept here.
    pub(crate) fn merge(&mut self, other: Self, new_index: &[Option<usize>]) {
        for (set, documents) in other.sets {
            let set: Option<Vec<_>> = set.into_iter().map(|kind| new_index[kind]).collect();
            let sorted = set.map(|mut set| {
                set.sort_unstable();
                set
            });
            self.add(sorted, documents);
        }
        self.other_documents += other.other_documents;
    }

    pub(crate) fn into_vec(self) -> Vec<(Vec<usize>, u64)> {
        self.sets
    }
}
