//! Lengths of texts and lists: how many of each, in bounded memory, mergeable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Lengths below this are counted one by one.
const EXACT: u64 = 512;

/// Above, each doubling of the length has so many classes: a length is told within 1/16.
const CLASSES_LOG2: u32 = 4;

/// How often each length came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LengthsForm", into = "LengthsForm")]
pub struct Lengths {
    /// By class.
    counts: Vec<u64>,
    maximum: u64,
}

/// As it is written: the least length of each class that came, and how often.
#[derive(Serialize, Deserialize)]
struct LengthsForm {
    counts: BTreeMap<u64, u64>,
    maximum: u64,
}

impl Lengths {
    pub(crate) fn add(&mut self, length: u64) {
        self.add_many(length, 1);
    }

    pub(crate) fn add_many(&mut self, length: u64, count: u64) {
        let class = class_of(length);
        if class >= self.counts.len() {
            self.counts.resize(class + 1, 0);
        }
        self.counts[class] += count;
        self.maximum = self.maximum.max(length);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.maximum = self.maximum.max(other.maximum);
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The length that a share of all does not exceed, from above; the largest itself at 1. None of none.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank of a share"
    )]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total = self.total();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some((least_of(class + 1) - 1).min(self.maximum));
            }
        }
        None
    }

    /// How many are of the class of a length.
    pub fn count_like(&self, length: u64) -> u64 {
        self.counts.get(class_of(length)).copied().unwrap_or(0)
    }

    pub fn minimum(&self) -> Option<u64> {
        self.counts.iter().position(|count| *count > 0).map(least_of)
    }

    pub fn maximum(&self) -> Option<u64> {
        (self.total() > 0).then_some(self.maximum)
    }

    /// How many are of this length or longer; exact below 512.
    pub fn at_least(&self, length: u64) -> u64 {
        self.counts.iter().skip(class_of(length)).sum()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a class is a small number")]
fn class_of(length: u64) -> usize {
    if length < EXACT {
        return length as usize;
    }
    let doubling = length.ilog2();
    let within = (length >> (doubling - CLASSES_LOG2)) & ((1 << CLASSES_LOG2) - 1);
    (EXACT + u64::from((doubling - EXACT.ilog2()) << CLASSES_LOG2) + within) as usize
}

fn least_of(class: usize) -> u64 {
    let class = u64::try_from(class).expect("a class is a small number");
    if class < EXACT {
        return class;
    }
    let (doubling, within) = ((class - EXACT) >> CLASSES_LOG2, (class - EXACT) & ((1 << CLASSES_LOG2) - 1));
    (EXACT << doubling) + (within << (u64::from(EXACT.ilog2() - CLASSES_LOG2) + doubling))
}

impl From<LengthsForm> for Lengths {
    fn from(form: LengthsForm) -> Self {
        let mut lengths = Self { counts: Vec::new(), maximum: form.maximum };
        for (length, count) in form.counts {
            // What nobody wrote here is no reason to take up memory.
            let class = class_of(length.min(u64::from(u32::MAX)));
            if class >= lengths.counts.len() {
                lengths.counts.resize(class + 1, 0);
            }
            lengths.counts[class] += count;
        }
        lengths
    }
}

impl From<Lengths> for LengthsForm {
    fn from(lengths: Lengths) -> Self {
        let counts = lengths.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        Self {
            counts: counts.map(|(class, count)| (least_of(class), *count)).collect(),
            maximum: lengths.maximum,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classes_are_without_gaps() {
        for length in (0..20_000).chain([1 << 20, (1 << 24) - 1, 1 << 24]) {
            let class = class_of(length);
            assert!(least_of(class) <= length && length < least_of(class + 1), "{length}");
            assert!(length < EXACT && least_of(class) == length || length - least_of(class) <= length / 16);
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted(mut lengths in proptest::collection::vec(0_u64..511, 1..200)) {
            let mut counted = Lengths::default();
            lengths.iter().for_each(|length| counted.add(*length));
            lengths.sort_unstable();
            prop_assert_eq!(counted.minimum(), lengths.first().copied());
            prop_assert_eq!(counted.maximum(), lengths.last().copied());
            prop_assert_eq!(counted.quantile(0.5), Some(lengths[(lengths.len() - 1) / 2]));
            let text = serde_json::to_string(&counted).unwrap();
            prop_assert_eq!(serde_json::from_str::<Lengths>(&text).unwrap(), counted);
        }
    }
}
