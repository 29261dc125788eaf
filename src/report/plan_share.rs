//! Which splits of a plan a report is of, so that reports of splits add up to that of the whole, each split once.

use serde::{Deserialize, Serialize};

use super::Input;

/// What a report is of, where that is not all of its inputs but splits of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanShare {
    /// The plan's.
    pub digest: String,
    /// How many splits the plan has.
    pub splits: u64,
    /// First and last of each stretch of splits that the report is of, rising; counted from 0.
    pub of: Vec<(u64, u64)>,
    /// Indices in the plan of the report's inputs, rising.
    pub inputs: Vec<usize>,
}

/// Where the inputs of two reports are in the report of both.
pub(super) struct Placed {
    pub(super) mine: Vec<usize>,
    pub(super) theirs: Vec<usize>,
    pub(super) inputs: Vec<Input>,
}

impl PlanShare {
    pub(crate) fn of_split(digest: String, splits: u64, split: u64, input: usize) -> Self {
        Self { digest, splits, of: vec![(split, split)], inputs: vec![input] }
    }

    /// The splits that it is not of, as first and last of each stretch.
    fn missing(&self) -> Vec<(u64, u64)> {
        let (mut missing, mut next) = (Vec::new(), 0);
        for (first, last) in &self.of {
            if next < *first {
                missing.push((next, first - 1));
            }
            next = last + 1;
        }
        if next < self.splits {
            missing.push((next, self.splits - 1));
        }
        missing
    }

    /// Which splits these are, for people.
    pub(super) fn words(&self) -> String {
        let Self { splits, of, .. } = self;
        let of_plan = format!("of a plan of {splits}, counted from 0");
        match (&of[..], &self.missing()[..]) {
            (_, []) => format!("all {splits} splits of a plan"),
            ([(first, last)], _) if first == last => format!("split {first} {of_plan}"),
            (of, missing) => {
                format!("splits {} {of_plan}; not in it: {}", stretches_text(of), stretches_text(missing))
            }
        }
    }

    /// Whether it is what a report with so many inputs may have.
    pub(super) fn is_sound(&self, inputs: usize) -> bool {
        let is_within = |(first, last): &(u64, u64)| first <= last && *last < self.splits;
        self.inputs.len() == inputs
            && self.inputs.is_sorted_by(|one, other| one < other)
            && self.of.iter().all(is_within)
            && self.of.is_sorted_by(|one, other| one.1 < other.0)
    }

    /// Adds the splits of another report; the first one that both have is the error.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), u64> {
        let mut both: Vec<_> = self.of.iter().chain(&other.of).copied().collect();
        both.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(both.len());
        for (first, last) in both {
            match joined.last_mut() {
                Some(before) if first <= before.1 => return Err(first),
                Some(before) if first == before.1 + 1 => before.1 = last,
                _ => joined.push((first, last)),
            }
        }
        self.of = joined;
        Ok(())
    }

    /// Joins the inputs of two reports of this plan.
    pub(super) fn place(&mut self, mine: Vec<Input>, other: &Self, theirs: Vec<Input>) -> Placed {
        let mut all: Vec<usize> = self.inputs.iter().chain(&other.inputs).copied().collect();
        all.sort_unstable();
        all.dedup();
        let place =
            |index: &usize| all.binary_search(index).expect("the list has the inputs of both reports");
        let mine_at: Vec<_> = self.inputs.iter().map(place).collect();
        let theirs_at: Vec<_> = other.inputs.iter().map(place).collect();
        let mut inputs: Vec<Option<Input>> = vec![None; all.len()];
        for (at, input) in mine_at.iter().zip(mine).chain(theirs_at.iter().zip(theirs)) {
            match &mut inputs[*at] {
                Some(known) => known.add(&input),
                free => *free = Some(input),
            }
        }
        self.inputs = all;
        let inputs = inputs.into_iter().map(|input| input.expect("each has one at least")).collect();
        Placed { mine: mine_at, theirs: theirs_at, inputs }
    }
}

impl Placed {
    /// Inputs that stand behind each other.
    pub(super) fn behind(mut mine: Vec<Input>, theirs: Vec<Input>) -> Self {
        let (before, all) = (mine.len(), mine.len() + theirs.len());
        mine.extend(theirs);
        Self { mine: (0..before).collect(), theirs: (before..all).collect(), inputs: mine }
    }
}

impl Input {
    /// Adds another split of the same source.
    fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.zip(other.bytes).map(|(one, other)| one + other);
        self.documents += other.documents;
        self.rejected += other.rejected;
        self.lines += other.lines;
        if self.digest != other.digest {
            self.digest = None;
        }
    }
}

/// `0 to 2, 7`
fn stretches_text(stretches: &[(u64, u64)]) -> String {
    let text = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    stretches.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(done: &[(u64, u64)]) -> PlanShare {
        PlanShare { digest: "d".to_owned(), splits: 10, of: done.to_vec(), inputs: Vec::new() }
    }

    #[test]
    fn splits_add_up_once_each() {
        let added = |one: &[(u64, u64)], other: &[(u64, u64)]| {
            let mut added = share(one);
            added.add(&share(other)).map(|()| (added.of.clone(), stretches_text(&added.missing())))
        };
        assert_eq!(added(&[(0, 0)], &[(1, 1)]), Ok((vec![(0, 1)], "2 to 9".to_owned())));
        assert_eq!(
            added(&[(3, 5)], &[(0, 1), (7, 9)]),
            Ok((vec![(0, 1), (3, 5), (7, 9)], "2, 6".to_owned()))
        );
        assert_eq!(added(&[(0, 4)], &[(5, 9)]), Ok((vec![(0, 9)], String::new())));
        assert_eq!(share(&[(0, 9)]).words(), "all 10 splits of a plan");
        assert_eq!(share(&[(3, 3)]).words(), "split 3 of a plan of 10, counted from 0");
        let words = "splits 0 to 2, 4 of a plan of 10, counted from 0; not in it: 3, 5 to 9";
        assert_eq!(share(&[(0, 2), (4, 4)]).words(), words);
        assert_eq!(added(&[(0, 4)], &[(4, 4)]), Err(4));
        assert_eq!(added(&[(2, 2)], &[(1, 3)]), Err(2));
    }

    #[test]
    fn what_no_report_can_be_of_is_told() {
        assert!(share(&[(0, 3), (5, 9)]).is_sound(0));
        for done in [&[(0, 10)][..], &[(3, 2)], &[(4, 5), (0, 1)], &[(0, 3), (3, 4)]] {
            assert!(!share(done).is_sound(0), "{done:?}");
        }
        assert!(!share(&[]).is_sound(1));
    }
}
