//! Which splits or parts of a plan a report is of, so that reports of them add up to that of the whole, each once.

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
    /// Of a report that tells what became of accepted documents as they were loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<PartShare>,
}

/// Which parts of a plan a report is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartShare {
    /// How many parts the plan has.
    pub parts: u64,
    /// First and last of each stretch of parts that the report is of, rising; counted from 0.
    pub of: Vec<(u64, u64)>,
}

/// What is in two reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Twice {
    Split(u64),
    Part(u64),
}

/// Where the inputs of two reports are in the report of both.
pub(super) struct Placed {
    pub(super) mine: Vec<usize>,
    pub(super) theirs: Vec<usize>,
    pub(super) inputs: Vec<Input>,
}

impl PlanShare {
    pub(crate) fn of_split(digest: String, splits: u64, split: u64, input: usize) -> Self {
        Self { digest, splits, of: vec![(split, split)], inputs: vec![input], parts: None }
    }

    /// Of a part, which has documents of any input.
    pub(crate) fn of_part(digest: String, splits: u64, parts: u64, part: u64, inputs: usize) -> Self {
        let parts = PartShare { parts, of: vec![(part, part)] };
        Self { digest, splits, of: Vec::new(), inputs: (0..inputs).collect(), parts: Some(parts) }
    }

    /// The splits that it is not of, as first and last of each stretch.
    fn missing(&self) -> Vec<(u64, u64)> {
        missing(&self.of, self.splits)
    }

    /// Whether it is of parts and of no split.
    pub(crate) fn is_of_parts(&self) -> bool {
        self.parts.is_some() && self.of.is_empty()
    }

    /// What it is not of, in words: splits, or of a report of parts parts.
    pub(crate) fn not_in_it(&self) -> Option<String> {
        let (what, missing) = match &self.parts {
            Some(parts) if self.is_of_parts() => ("parts", missing(&parts.of, parts.parts)),
            _ => ("splits", self.missing()),
        };
        (!missing.is_empty()).then(|| format!("{what} {}", stretches_text(&missing)))
    }

    /// Which splits these are, for people.
    pub(super) fn words(&self) -> String {
        let Self { splits, of, .. } = self;
        if let (Some(PartShare { parts, of }), true) = (&self.parts, self.is_of_parts()) {
            let missing = missing(of, *parts);
            return match (&of[..], &missing[..]) {
                (_, []) => format!("all {parts} parts of a plan"),
                (of, missing) => format!(
                    "parts {} of a plan of {parts}, counted from 0; not in it: {}",
                    stretches_text(of),
                    stretches_text(missing)
                ),
            };
        }
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
        let are_sound = |of: &[(u64, u64)], all: u64| {
            of.iter().all(|(first, last)| first <= last && *last < all)
                && of.is_sorted_by(|one, other| one.1 < other.0)
        };
        self.inputs.len() == inputs
            && self.inputs.is_sorted_by(|one, other| one < other)
            && are_sound(&self.of, self.splits)
            && self.parts.as_ref().is_none_or(|parts| are_sound(&parts.of, parts.parts))
    }

    /// Adds the splits or parts of another report; the first one that both have is the error.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Twice> {
        self.of = joined(&self.of, &other.of).map_err(Twice::Split)?;
        if let (Some(parts), Some(others)) = (&mut self.parts, &other.parts) {
            parts.of = joined(&parts.of, &others.of).map_err(Twice::Part)?;
        }
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

fn missing(of: &[(u64, u64)], all: u64) -> Vec<(u64, u64)> {
    let (mut missing, mut next) = (Vec::new(), 0);
    for (first, last) in of {
        if next < *first {
            missing.push((next, first - 1));
        }
        next = last + 1;
    }
    if next < all {
        missing.push((next, all - 1));
    }
    missing
}

fn joined(one: &[(u64, u64)], other: &[(u64, u64)]) -> Result<Vec<(u64, u64)>, u64> {
    let mut both: Vec<_> = one.iter().chain(other).copied().collect();
    both.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(both.len());
    for (first, last) in both {
        match joined.last_mut() {
            Some(before) if first <= before.1 => return Err(first),
            Some(before) if first == before.1 + 1 => before.1 = last,
            _ => joined.push((first, last)),
        }
    }
    Ok(joined)
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
        PlanShare { digest: "d".to_owned(), splits: 10, of: done.to_vec(), inputs: Vec::new(), parts: None }
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
        assert_eq!(added(&[(0, 4)], &[(4, 4)]), Err(Twice::Split(4)));
        assert_eq!(added(&[(2, 2)], &[(1, 3)]), Err(Twice::Split(2)));
    }

    #[test]
    fn parts_add_up_as_well() {
        let part = |part| PlanShare::of_part("d".to_owned(), 10, 3, part, 2);
        let mut some = part(2);
        assert_eq!(some.add(&part(0)), Ok(()));
        assert_eq!(some.words(), "parts 0, 2 of a plan of 3, counted from 0; not in it: 1");
        assert_eq!(some.not_in_it().as_deref(), Some("parts 1"));
        assert_eq!(some.add(&part(2)), Err(Twice::Part(2)));
        assert_eq!(some.add(&part(1)), Ok(()));
        assert_eq!((some.words().as_str(), some.not_in_it()), ("all 3 parts of a plan", None));
        assert!(some.is_sound(2) && some.is_of_parts());
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
