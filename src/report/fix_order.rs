//! "If you fix only this": the order in which fixing one kind of faults after another frees most documents.

use serde::{Deserialize, Serialize};

/// Documents that have these kinds of faults and no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combination {
    /// Indices into [`RunReport::errors`](super::RunReport::errors), rising.
    pub errors: Vec<usize>,
    pub documents: u64,
}

/// A step: once this kind is fixed, besides all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixStep {
    /// Index into [`RunReport::errors`](super::RunReport::errors).
    pub error: usize,
    /// Documents that have no fault left after this step and had one before it.
    pub freed: u64,
    /// Those of all steps so far.
    pub freed_in_all: u64,
}

/// Orders kinds greedily. `documents` has how many documents have each kind; where no single one would free a document,
/// the next one is what most of those that are left have.
pub(crate) fn fix_order(documents: &[u64], combinations: &[Combination]) -> Vec<FixStep> {
    let mut open: Vec<(Vec<usize>, u64)> =
        combinations.iter().map(|one| (one.errors.clone(), one.documents)).collect();
    let mut left: Vec<usize> = (0..documents.len()).collect();
    let (mut steps, mut freed_in_all) = (Vec::with_capacity(left.len()), 0);
    while !left.is_empty() {
        let (mut freed, mut held) = (vec![0; documents.len()], vec![0; documents.len()]);
        for (errors, documents) in &open {
            errors.iter().for_each(|&error| held[error] += documents);
            if let [only] = errors[..] {
                freed[only] += documents;
            }
        }
        let key = |&error: &usize| (freed[error], held[error], documents[error], std::cmp::Reverse(error));
        let at = (0..left.len()).max_by_key(|&at| key(&left[at])).expect("there is one left");
        let error = left.remove(at);
        freed_in_all += freed[error];
        steps.push(FixStep { error, freed: freed[error], freed_in_all });
        open.iter_mut().for_each(|(errors, _)| errors.retain(|other| *other != error));
        open.retain(|(errors, _)| !errors.is_empty());
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(documents: &[u64], combinations: &[(&[usize], u64)]) -> Vec<(usize, u64, u64)> {
        let combination =
            |&(errors, documents): &(&[usize], u64)| Combination { errors: errors.to_vec(), documents };
        let combinations: Vec<_> = combinations.iter().map(combination).collect();
        fix_order(documents, &combinations)
            .iter()
            .map(|step| (step.error, step.freed, step.freed_in_all))
            .collect()
    }

    #[test]
    fn what_frees_most_comes_first() {
        assert_eq!(steps(&[5, 9], &[(&[0], 5), (&[1], 9)]), [(1, 9, 9), (0, 5, 14)]);
    }

    #[test]
    fn what_is_left_counts_after_each_step() {
        // Kind 0 is in most documents, but never alone.
        let combinations: &[(&[usize], u64)] = &[(&[0, 1], 10), (&[1], 1), (&[2], 3)];
        assert_eq!(steps(&[10, 11, 3], combinations), [(2, 3, 3), (1, 1, 4), (0, 10, 14)]);
    }

    #[test]
    fn where_nothing_stands_alone_the_most_frequent_comes_first() {
        let combinations: &[(&[usize], u64)] = &[(&[0, 1], 2), (&[0, 2], 2)];
        assert_eq!(steps(&[4, 2, 2], combinations), [(0, 0, 0), (1, 2, 2), (2, 2, 4)]);
        assert_eq!(steps(&[], &[]), []);
    }
}
