//! Deciding on documents that a constraint between profiles makes clash: the earlier in the input has what it wants, if there
//! is a way to give it to it.
//!
//! The server is asked who holds and who wants what; `rivals.rs` says who can have it; the server has the last word. Documents
//! of one id are decided one after another, in rounds.

use std::collections::{HashMap, HashSet};

use super::{
    clash::{self, ClashKey},
    error::MergeError,
    execute::Merge,
    narrow::Narrowing,
    refusal::{Clash, Refused},
    rivals::{Fate, Rivals},
};
use crate::{document::Fault, runs::Verdict};

/// After so many rounds, what is refused is set aside until all others are decided, as some ids come more often.
const PATIENT_ROUNDS: usize = 16;

/// Documents of one round, no two with the same id, in input order.
struct Round<'n> {
    /// In the batch.
    indices: &'n [usize],
    rivals: Rivals,
    /// Of the constraints, by their numbers.
    faults: Vec<Fault>,
}

impl Merge<'_, '_> {
    /// Decides on all documents of the batch.
    pub(super) async fn decide(&mut self, narrowing: &mut Narrowing<'_>) -> Result<(), MergeError> {
        let mut keys = Vec::new();
        for constraint in clash::constraints(self.transaction, self.db_schema).await? {
            let (table, name) = (&constraint.table, &constraint.name);
            keys.extend(ClashKey::read(self.transaction, self.db_schema, table, name).await?);
        }
        let mut aside = HashSet::new();
        for round in 0.. {
            let is_patient = round < PATIENT_ROUNDS;
            let (mut first, followed) = first_of_each_id(narrowing, &aside);
            if first.is_empty() {
                first = aside.drain().collect();
                first.sort_unstable();
            }
            if first.is_empty() {
                break;
            }
            if !is_patient && round.is_power_of_two() && self.merge_rest(narrowing, &aside).await? {
                continue;
            }
            let refused = self.decide_round(narrowing, &first, &keys).await?;
            let is_stuck = refused.len() == first.len();
            for (index, fault) in refused {
                // What comes later may give up what it wants, but it is not to hold up those with its own id.
                let is_followed = followed.contains(&narrowing.documents[index].id);
                let is_last = followed.is_empty() && aside.is_empty();
                if is_last || is_followed && (is_stuck || !is_patient) {
                    narrowing.verdicts[index] = Some(Verdict::Rejected(fault));
                } else if !is_patient || followed.is_empty() {
                    aside.insert(index);
                }
            }
        }
        Ok(())
    }

    /// What is left may be documents of a few ids that nothing stands in the way of, which need no rounds of ours.
    async fn merge_rest(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        aside: &HashSet<usize>,
    ) -> Result<bool, MergeError> {
        let is_open = |&index: &usize| narrowing.verdicts[index].is_none() && !aside.contains(&index);
        let open: Vec<_> = (0..narrowing.documents.len()).filter(is_open).collect();
        let merged = self.patiently(&narrowing.of(&open)).await?;
        Ok(merged.map(|merged| narrowing.take(&open, merged)).is_ok())
    }

    /// Merges those of the documents that can have what they want; the others, and why they can't.
    async fn decide_round(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        indices: &[usize],
        keys: &[ClashKey],
    ) -> Result<Vec<(usize, Fault)>, MergeError> {
        let round = self.round(narrowing, indices, keys).await?;
        let mut fates = vec![Fate::Open; indices.len()];
        let mut faults = None;
        loop {
            let choice = round.rivals.choose(&fates);
            let is_new = |&at: &usize| fates[at] == Fate::Open && choice[at] == Fate::Granted;
            let granted: Vec<_> = (0..indices.len()).filter(is_new).collect();
            let mut refused = faults.as_ref().map_or_else(Vec::new, |faults| known(&round, &granted, faults));
            if refused.is_empty() {
                refused = self.grant(narrowing, &round, &granted).await?;
                granted.iter().for_each(|&at| fates[at] = Fate::Granted);
            }
            if refused.is_empty() {
                let why = |at: usize| match choice[at] {
                    Fate::Refused(by) => round.faults.get(by).map(|fault| (indices[at], fault.clone())),
                    Fate::Open | Fate::Granted => None,
                };
                return Ok((0..indices.len()).filter_map(why).collect());
            }
            if faults.is_none() {
                // Whoever comes next may have the same fault, and so may thousands.
                let open = (0..indices.len()).filter(|&at| narrowing.verdicts[indices[at]].is_none());
                let open: Vec<_> = open.map(|at| indices[at]).collect();
                faults = Some(self.faults(narrowing, &open).await?);
            }
            // What these had been granted, others can have.
            for (at, fault) in refused {
                fates[at] = Fate::Refused(round.faults.len());
                narrowing.verdicts[indices[at]] = Some(Verdict::Rejected(fault));
            }
        }
    }

    /// What documents need and claim.
    async fn round<'n>(
        &mut self,
        narrowing: &Narrowing<'_>,
        indices: &'n [usize],
        keys: &[ClashKey],
    ) -> Result<Round<'n>, MergeError> {
        // Those that are stored as they are, or are not to replace what is stored, neither want nor give up anything.
        let written = self.written_of(narrowing, indices).await?;
        let written: HashSet<usize> = written.into_iter().collect();
        let (mut seqs, mut of_seq, mut of_id) = (Vec::new(), HashMap::new(), HashMap::new());
        for (at, index) in indices.iter().enumerate().filter(|(_, index)| written.contains(index)) {
            let document = &narrowing.documents[*index];
            seqs.push(document.seq);
            of_seq.insert(document.seq, at);
            of_id.insert(document.id, at);
        }
        let mut rivals = Rivals::new(indices.len());
        let mut faults = Vec::new();
        for (by, key) in keys.iter().enumerate() {
            for (seq, holder) in key.holders(self.transaction, &seqs).await? {
                match of_id.get(&holder) {
                    Some(&other) => rivals.need(of_seq[&seq], other, by),
                    None => rivals.refuse(of_seq[&seq], by),
                }
            }
            self.pulse.beat();
            let contested = key.contested(self.transaction, &seqs).await?;
            self.pulse.beat();
            for claim in contested.claims {
                rivals.claim(claim.iter().map(|seq| of_seq[seq]).collect(), by);
            }
            contested.impossible.iter().for_each(|seq| rivals.refuse(of_seq[seq], by));
            faults.push(key.fault.clone());
        }
        Ok(Round { indices, rivals, faults })
    }

    /// Merges documents of a round, those excepted that the server refuses for what the round knows nothing of.
    async fn grant(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        round: &Round<'_>,
        granted: &[usize],
    ) -> Result<Vec<(usize, Fault)>, MergeError> {
        let mut todo = vec![round.rivals.groups(granted)];
        let (mut again, mut refused) = (Vec::new(), Vec::new());
        while let Some(mut groups) = todo.pop() {
            match self.merge_groups(narrowing, round, &groups).await? {
                None => {}
                Some(_) if groups.len() > 1 => {
                    let right = groups.split_off(groups.len() / 2);
                    todo.extend([right, groups]);
                }
                Some(Refused::Clash(_)) => again.extend(groups),
                Some(Refused::Fault(fault)) => refused.extend(all_of(&groups, &fault)),
            }
        }
        // What they clash with may be gone.
        for group in again {
            match self.merge_groups(narrowing, round, std::slice::from_ref(&group)).await? {
                None => {}
                Some(Refused::Clash(Clash { fault, .. }) | Refused::Fault(fault)) => {
                    refused.extend(all_of(&[group], &fault));
                }
            }
        }
        Ok(refused)
    }

    /// All of them, or none and why.
    async fn merge_groups(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        round: &Round<'_>,
        groups: &[Vec<usize>],
    ) -> Result<Option<Refused>, MergeError> {
        if groups.is_empty() {
            return Ok(None);
        }
        if (self.is_stopping)() {
            return Err(MergeError::Stopped);
        }
        let mut chosen: Vec<_> = groups.iter().flatten().map(|&at| round.indices[at]).collect();
        chosen.sort_unstable();
        match self.patiently(&narrowing.of(&chosen)).await? {
            Ok(merged) => {
                narrowing.take(&chosen, merged);
                Ok(None)
            }
            Err(refused) => Ok(Some(refused)),
        }
    }
}

/// Those of the granted documents, unless they need each other, that have faults of their own.
fn known(round: &Round<'_>, granted: &[usize], faults: &HashMap<usize, Fault>) -> Vec<(usize, Fault)> {
    let fault = |group: &Vec<usize>| match **group {
        [at] => Some((at, faults.get(&round.indices[at])?.clone())),
        _ => None,
    };
    round.rivals.groups(granted).iter().filter_map(fault).collect()
}

fn all_of(groups: &[Vec<usize>], fault: &Fault) -> Vec<(usize, Fault)> {
    groups.iter().flatten().map(|&at| (at, fault.clone())).collect()
}

/// Of each id the first document without a verdict that is not set aside, rising, and the ids that have more of them.
fn first_of_each_id(narrowing: &Narrowing<'_>, aside: &HashSet<usize>) -> (Vec<usize>, HashSet<[u8; 16]>) {
    let (mut met, mut followed, mut first) = (HashSet::new(), HashSet::new(), Vec::new());
    for (index, document) in narrowing.documents.iter().enumerate() {
        if narrowing.verdicts[index].is_some() || aside.contains(&index) {
            continue;
        }
        if met.insert(document.id) {
            first.push(index);
        } else {
            followed.insert(document.id);
        }
    }
    (first, followed)
}
