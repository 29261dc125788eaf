//! A few places of many, drawn at random with equal chances, the same in every run over the same input.
//!
//! Each place has a number that is as good as drawn and depends on the place alone; those of the least numbers are kept.
//! So parts that are merged keep what the whole keeps.

use super::SourceLocation;

/// How many places are kept of each kind of faults.
pub(crate) const SAMPLES_MAX: usize = 5;

/// Where a fault was met, and what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) place: SourceLocation,
    /// The form of the value, never the value.
    pub(crate) shape: String,
}

/// The places that are kept, in input order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    /// Whether a place would be kept.
    pub(crate) fn takes(&self, place: SourceLocation) -> bool {
        self.0.len() < SAMPLES_MAX || self.0.iter().any(|kept| lot(kept.place) > lot(place))
    }

    pub(crate) fn add(&mut self, sample: Sample) {
        let at = self.0.partition_point(|kept| kept.place <= sample.place);
        if at.checked_sub(1).is_some_and(|before| self.0[before].place == sample.place) {
            return;
        }
        self.0.insert(at, sample);
        if self.0.len() > SAMPLES_MAX {
            let last = (0..self.0.len()).max_by_key(|&at| lot(self.0[at].place)).expect("it has one more");
            self.0.remove(last);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|sample| self.add(sample));
    }

    pub(crate) fn into_vec(self) -> Vec<Sample> {
        self.0
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }
}

impl FromIterator<Sample> for Samples {
    fn from_iter<I: IntoIterator<Item = Sample>>(samples: I) -> Self {
        let mut kept = Self::default();
        samples.into_iter().for_each(|sample| kept.add(sample));
        kept
    }
}

/// The number that a place draws: SplitMix64 (Steele, Lea, Flood 2014) of its line and offset. Not of its source, whose
/// index is another one once reports are merged.
fn lot(place: SourceLocation) -> u64 {
    let mut z = place.line.rotate_left(32) ^ place.byte_offset ^ 0x9e37_79b9_7f4a_7c15;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: u64) -> Sample {
        let place = SourceLocation { source: 0, line, byte_offset: line * 400 };
        Sample { place, shape: format!("shape {line}") }
    }

    #[test]
    fn parts_merged_equal_the_whole() {
        let whole: Samples = (1..=1000).map(sample).collect();
        for cut in [0, 1, 3, 500, 999] {
            let mut merged: Samples = (1..=cut).map(sample).collect();
            merged.merge((cut + 1..=1000).map(sample).collect());
            assert_eq!(merged, whole);
        }
        assert_eq!(whole.0.len(), SAMPLES_MAX);
        assert!(whole.0.is_sorted_by_key(|sample| sample.place));
    }

    #[test]
    fn places_have_equal_chances() {
        let mut of_first_half = 0;
        for start in 0..200 {
            let samples: Samples = (1..=100).map(|line| sample(start * 1000 + line)).collect();
            of_first_half += samples.iter().filter(|sample| sample.place.line % 1000 <= 50).count();
        }
        // Half of 1000, and six standard deviations of what chance does.
        assert!((400..600).contains(&of_first_half), "{of_first_half}");
    }

    #[test]
    fn what_is_not_taken_need_not_be_described() {
        let samples: Samples = (1..=1000).map(sample).collect();
        for line in 1..=2000 {
            let mut added = samples.clone();
            added.add(sample(line));
            let is_known = samples.iter().any(|kept| kept.place.line == line);
            assert_eq!(added != samples, samples.takes(sample(line).place) && !is_known, "{line}");
        }
    }
}
