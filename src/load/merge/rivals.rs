//! Which of documents that clash can have what they want; pure.
//!
//! A document *needs* others: those of the profiles that hold what it wants have to give it up. It *claims* values, each of
//! which only one can have. So it can be granted with all that it needs, directly or not, if none of these is refused and
//! no two of all that are granted claim the same. In input order, each that can be granted is: of all valid choices this
//! is the first, and there is no larger one that has it.
//!
//! The tricky thing is time. What is refused takes along all that need it, so nobody looks that way again.

/// Why a document is refused: the number of the constraint.
type Constraint = usize;

/// Documents, numbered in input order, with what they need and claim.
#[derive(Debug)]
pub(crate) struct Rivals {
    needs: Vec<Vec<Link>>,
    needed_by: Vec<Vec<Link>>,
    claims: Vec<Vec<Link>>,
    /// Of each value, the documents that claim it.
    claimants: Vec<Vec<usize>>,
    /// Those that can't be granted, whatever becomes of the others.
    refused: Vec<(usize, Constraint)>,
}

/// To a document or a value.
#[derive(Debug, Clone, Copy)]
struct Link {
    to: usize,
    by: Constraint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    Granted,
    Refused(Constraint),
}

impl Rivals {
    pub(crate) fn new(documents: usize) -> Self {
        Self {
            needs: vec![Vec::new(); documents],
            needed_by: vec![Vec::new(); documents],
            claims: vec![Vec::new(); documents],
            claimants: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// `document` can only be granted with `other`.
    pub(crate) fn need(&mut self, document: usize, other: usize, by: Constraint) {
        self.needs[document].push(Link { to: other, by });
        self.needed_by[other].push(Link { to: document, by });
    }

    /// Only one of `documents` can be granted. None comes twice.
    pub(crate) fn claim(&mut self, documents: Vec<usize>, by: Constraint) {
        let value = self.claimants.len();
        documents.iter().for_each(|&document| self.claims[document].push(Link { to: value, by }));
        self.claimants.push(documents);
    }

    pub(crate) fn refuse(&mut self, document: usize, by: Constraint) {
        self.refused.push((document, by));
    }

    /// Decides on the open ones of `decided`; those granted before have been granted with all that they need.
    pub(crate) fn choose(&self, decided: &[Fate]) -> Vec<Fate> {
        let count = self.needs.len();
        let mut choice = Choice {
            rivals: self,
            fates: vec![Fate::Open; count],
            reached_from: vec![None; count],
            parents: vec![0; count],
            claimed: vec![None; self.claimants.len()],
        };
        let granted: Vec<_> = (0..count).filter(|&document| decided[document] == Fate::Granted).collect();
        choice.grant(&granted);
        for (document, fate) in decided.iter().enumerate() {
            if let Fate::Refused(by) = fate {
                choice.refuse(document, *by);
            }
        }
        for &(document, by) in &self.refused {
            choice.refuse(document, by);
        }
        for document in 0..count {
            if choice.fates[document] == Fate::Open {
                match choice.with_all_needed(document) {
                    Ok(all) => choice.grant(&all),
                    Err(Link { to, by }) => choice.refuse(to, by),
                }
            }
        }
        choice.fates
    }

    /// The documents in groups: those that need each other are together, and a group comes after those that it needs.
    pub(crate) fn groups(&self, documents: &[usize]) -> Vec<Vec<usize>> {
        // S. R. Kosaraju's way to find strongly connected components.
        let mut is_open = vec![false; self.needs.len()];
        documents.iter().for_each(|&document| is_open[document] = true);
        let mut order = Vec::with_capacity(documents.len());
        for &document in documents {
            walk(&self.needs, document, &mut is_open, &mut order);
        }
        order.iter().for_each(|&document| is_open[document] = true);
        let mut groups = Vec::new();
        for &document in order.iter().rev() {
            let mut group = Vec::new();
            walk(&self.needed_by, document, &mut is_open, &mut group);
            if !group.is_empty() {
                group.sort_unstable();
                groups.push(group);
            }
        }
        groups.reverse();
        groups
    }
}

/// Closes all open documents that `first` leads to, and adds each after those that it leads to.
fn walk(links: &[Vec<Link>], first: usize, is_open: &mut [bool], order: &mut Vec<usize>) {
    if !std::mem::take(&mut is_open[first]) {
        return;
    }
    // A ring may be too long for recursion.
    let mut path = vec![(first, links[first].iter())];
    while let Some((document, rest)) = path.last_mut() {
        match rest.find(|link| is_open[link.to]) {
            Some(link) => {
                is_open[link.to] = false;
                path.push((link.to, links[link.to].iter()));
            }
            None => {
                order.push(*document);
                path.pop();
            }
        }
    }
}

/// A choice under way. What needs a refused document is refused.
struct Choice<'r> {
    rivals: &'r Rivals,
    fates: Vec<Fate>,
    /// Of each document, for which one it was last looked at, and from where.
    reached_from: Vec<Option<usize>>,
    parents: Vec<usize>,
    /// Of each value, for which document it was last claimed, and by which.
    claimed: Vec<Option<(usize, usize)>>,
}

impl Choice<'_> {
    /// `first` with all open documents that it needs; or, where that can't be granted, one of these that leads to what
    /// stands in the way.
    fn with_all_needed(&mut self, first: usize) -> Result<Vec<usize>, Link> {
        let mut all = vec![first];
        self.reached_from[first] = Some(first);
        self.parents[first] = first;
        let mut next = 0;
        while let Some(&document) = all.get(next) {
            next += 1;
            for claim in &self.rivals.claims[document] {
                match self.claimed[claim.to].replace((first, document)) {
                    Some((of, other)) if of == first => {
                        return Err(Link { to: self.common_parent(other, document), by: claim.by });
                    }
                    _ => {}
                }
            }
            for need in &self.rivals.needs[document] {
                match self.fates[need.to] {
                    Fate::Open if self.reached_from[need.to] != Some(first) => {
                        self.reached_from[need.to] = Some(first);
                        self.parents[need.to] = document;
                        all.push(need.to);
                    }
                    Fate::Open | Fate::Granted => {}
                    Fate::Refused(_) => return Err(Link { to: document, by: need.by }),
                }
            }
        }
        Ok(all)
    }

    /// The nearest that leads to both, on the ways they were reached.
    fn common_parent(&self, one: usize, other: usize) -> usize {
        let up = |from: usize| {
            std::iter::successors(Some(from), |&at| (self.parents[at] != at).then(|| self.parents[at]))
        };
        let [mut one, mut other] = [one, other].map(|from| up(from).collect::<Vec<_>>());
        let mut common = None;
        while let (Some(above_one), Some(above_other)) = (one.pop(), other.pop()) {
            if above_one != above_other {
                break;
            }
            common = Some(above_one);
        }
        common.expect("both were reached from the first")
    }

    fn grant(&mut self, documents: &[usize]) {
        documents.iter().for_each(|&document| self.fates[document] = Fate::Granted);
        for &document in documents {
            for claim in &self.rivals.claims[document] {
                for &other in &self.rivals.claimants[claim.to] {
                    self.refuse(other, claim.by);
                }
            }
        }
    }

    /// Refuses a document, if it is open, with all that need it.
    fn refuse(&mut self, document: usize, by: Constraint) {
        let mut todo = vec![Link { to: document, by }];
        while let Some(Link { to: document, by }) = todo.pop() {
            if self.fates[document] == Fate::Open {
                self.fates[document] = Fate::Refused(by);
                todo.extend_from_slice(&self.rivals.needed_by[document]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Needs as pairs, claims as lists of documents.
    fn rivals(count: usize, needs: &[(usize, usize)], claims: &[Vec<usize>]) -> Rivals {
        let mut rivals = Rivals::new(count);
        needs.iter().for_each(|&(document, other)| rivals.need(document, other, 0));
        for claim in claims {
            let mut documents = claim.clone();
            documents.sort_unstable();
            documents.dedup();
            rivals.claim(documents, 1);
        }
        rivals
    }

    /// `g` granted, `r` refused.
    fn check(
        count: usize,
        needs: &[(usize, usize)],
        claims: &[Vec<usize>],
        refused: &[usize],
        expected: &str,
    ) {
        let mut decided = vec![Fate::Open; count];
        refused.iter().for_each(|&document| decided[document] = Fate::Refused(7));
        let fates = rivals(count, needs, claims).choose(&decided);
        let letter = |fate: &Fate| if *fate == Fate::Granted { 'g' } else { 'r' };
        assert_eq!(
            fates.iter().map(letter).collect::<String>(),
            expected,
            "{needs:?} {claims:?} {refused:?}"
        );
    }

    #[test]
    fn the_earlier_is_granted_with_all_that_it_needs() {
        check(0, &[], &[], &[], "");
        check(3, &[], &[vec![0, 1, 2]], &[], "grr");
        // A swap of 1 and 2, and 0, which wants what 2 wants.
        check(3, &[(0, 1), (1, 2), (2, 1)], &[vec![0, 2]], &[], "rgg");
        // The same, and 0 could have it if 1 went elsewhere.
        check(3, &[(0, 1), (2, 1)], &[vec![0, 2]], &[], "ggr");
        // A chain takes along what comes last, and 1 loses to that.
        check(4, &[(0, 2), (2, 3)], &[vec![1, 3]], &[], "grgg");
        // The end of the chain keeps what it has.
        check(4, &[(0, 2), (2, 3)], &[vec![1, 3]], &[3], "rgrr");
        // Two rings, and 0, which wants something of each.
        check(5, &[(0, 1), (0, 3), (1, 2), (2, 1), (3, 4), (4, 3)], &[vec![0, 2], vec![0, 4]], &[], "rgggg");
    }

    #[test]
    fn long_chains_and_large_crowds_are_decided() {
        let count = 50_000;
        let chain: Vec<_> = (1..count).map(|document| (document - 1, document)).collect();
        check(count, &chain, &[], &[], &"g".repeat(count));
        check(count, &chain, &[], &[count - 1], &"r".repeat(count));
        let expected = "r".repeat(count - 1) + "g";
        check(count, &chain, &[vec![count - 2, count - 1]], &[], &expected);
        check(count, &[], &[(0..count).collect()], &[], &("g".to_owned() + &"r".repeat(count - 1)));
        let all: Vec<_> = (0..count).collect();
        assert_eq!(rivals(count, &chain, &[]).groups(&all).len(), count);
        let ring = [&chain[..], &[(count - 1, 0)]].concat();
        assert_eq!(rivals(count, &ring, &[]).groups(&all), [all]);
    }

    /// The first of all valid choices, which are tried one after another.
    fn first_choice(
        count: usize,
        needs: &[(usize, usize)],
        claims: &[Vec<usize>],
        refused: &[usize],
    ) -> Vec<bool> {
        let sets = (0..1_u32 << count).rev();
        let mut sets =
            sets.map(|bits| (0..count).map(|n| bits >> (count - 1 - n) & 1 == 1).collect::<Vec<_>>());
        let is_valid = |set: &Vec<bool>| {
            refused.iter().all(|&document| !set[document])
                && needs.iter().all(|&(document, other)| !set[document] || set[other])
                && claims.iter().all(|claim| {
                    let mut documents: Vec<_> = claim.iter().filter(|&&document| set[document]).collect();
                    documents.sort_unstable();
                    documents.dedup();
                    documents.len() < 2
                })
        };
        sets.find(is_valid).expect("nothing is valid as well")
    }

    const COUNT: usize = 9;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_choice_is_the_first_of_all(
            needs in vec((0..COUNT, 0..COUNT), 0..10),
            claims in vec(vec(0..COUNT, 1..4), 0..5),
            refused in vec(0..COUNT, 0..2),
        ) {
            let rivals = rivals(COUNT, &needs, &claims);
            let mut decided = vec![Fate::Open; COUNT];
            refused.iter().for_each(|&document| decided[document] = Fate::Refused(7));
            let fates = rivals.choose(&decided);
            let granted: Vec<_> = fates.iter().map(|fate| *fate == Fate::Granted).collect();
            prop_assert_eq!(&granted, &first_choice(COUNT, &needs, &claims, &refused));

            // What was chosen once is chosen again, whatever part of it is known before.
            let chosen: Vec<_> = (0..COUNT).filter(|&document| granted[document]).collect();
            let groups = rivals.groups(&chosen);
            let mut partly = decided.clone();
            let mut before = Vec::new();
            for group in &groups {
                group.iter().for_each(|&document| partly[document] = Fate::Granted);
                let again = rivals.choose(&partly);
                let is_same = (0..COUNT).all(|document| (again[document] == Fate::Granted) == granted[document]);
                prop_assert!(is_same);
                before.extend_from_slice(group);
                // Each needs only its own and those before it.
                let comes_late = |(document, other): &(usize, usize)| {
                    group.contains(document) && !before.contains(other)
                };
                prop_assert!(!needs.iter().any(comes_late));
                let is_ring = |document: &usize| {
                    let goes_on = |(one, other): &(usize, usize)| {
                        one == document && one != other && group.contains(other)
                    };
                    needs.iter().any(goes_on)
                };
                let is_ring = group.len() == 1 || group.iter().all(is_ring);
                prop_assert!(is_ring);
            }
            before.sort_unstable();
            prop_assert_eq!(before, chosen);
        }
    }
}
