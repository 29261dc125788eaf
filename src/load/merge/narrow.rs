//! Finding the documents that the server refuses: it says that it refuses one, but not which.
//!
//! What was merged together is taken back and merged in halves, until the one document is found. Where a constraint holds
//! between profiles, the server is asked who holds what the documents want to have, which finds all of them at once.

use std::collections::{HashMap, HashSet};

use super::{
    clash::{self, Clashing},
    decisions::{BatchDocument, Comparison, Decisions},
    execute::{Merge, MergeError, Merged, OnClash},
    refusal::{self, Clash, Refused},
};
use crate::{report::RowCounts, runs::Verdict, settings::OnExisting};

/// How often a document is tried again whose rows did not all arrive: another session may have changed some of
/// them in between, which does not happen twice.
const LEFT_OUT_MAX: u32 = 1;

/// What is known of the documents of a batch.
struct Narrowing<'d> {
    documents: &'d [BatchDocument<'d>],
    verdicts: Vec<Option<Verdict>>,
    rows: RowCounts,
    /// The first document of each id that was deferred: those after it have to follow it.
    deferred: HashMap<[u8; 16], usize>,
    /// Those that were refused by themselves for what another profile holds.
    clashes: Vec<Clashing>,
}

impl Narrowing<'_> {
    fn take(&mut self, chosen: &[usize], merged: Merged) {
        self.rows.add(merged.rows);
        for (&index, verdict) in chosen.iter().zip(merged.verdicts) {
            self.verdicts[index] = Some(verdict);
        }
    }

    fn defer(&mut self, index: usize) {
        let first = self.deferred.entry(self.documents[index].id).or_insert(index);
        *first = index.min(*first);
        self.verdicts[index] = Some(Verdict::Deferred { by_server: true });
    }

    /// Those of them that are still to be decided.
    fn open(&mut self, chosen: &[usize]) -> Vec<usize> {
        for &index in chosen {
            let first = self.deferred.get(&self.documents[index].id);
            if self.verdicts[index].is_none() && first.is_some_and(|&first| first < index) {
                self.defer(index);
            }
        }
        chosen.iter().copied().filter(|&index| self.verdicts[index].is_none()).collect()
    }

    /// Without those that documents with the same id come after which are decided: what they say is out of date.
    fn without_followers(&self, chosen: Vec<usize>) -> Vec<usize> {
        let is_chosen: HashSet<usize> = chosen.iter().copied().collect();
        let mut latest = HashMap::new();
        for (index, document) in self.documents.iter().enumerate() {
            if !is_chosen.contains(&index) {
                latest.insert(document.id, index);
            }
        }
        let is_followed =
            |index: usize| latest.get(&self.documents[index].id).is_some_and(|&last| last > index);
        chosen.into_iter().filter(|&index| !is_followed(index)).collect()
    }

    fn of(&self, chosen: &[usize]) -> Vec<BatchDocument<'_>> {
        chosen.iter().map(|&index| self.documents[index]).collect()
    }
}

impl Merge<'_, '_> {
    /// Merges documents that are staged, those excepted that the server refuses.
    pub(crate) async fn documents(&mut self, documents: &[BatchDocument<'_>]) -> Result<Merged, MergeError> {
        let mut narrowing = Narrowing {
            documents,
            verdicts: vec![None; documents.len()],
            rows: RowCounts::default(),
            deferred: HashMap::new(),
            clashes: Vec::new(),
        };
        let mut todo = vec![(0..documents.len()).collect::<Vec<_>>()];
        while let Some(chosen) = todo.pop() {
            let chosen = narrowing.open(&chosen);
            if chosen.is_empty() {
                continue;
            }
            if chosen.len() < documents.len() && (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let refused = match self.patiently(&narrowing.of(&chosen)).await? {
                Ok(merged) => {
                    narrowing.take(&chosen, merged);
                    continue;
                }
                Err(refused) => refused,
            };
            if let [index] = *chosen {
                self.refuse(&mut narrowing, index, refused);
                continue;
            }
            if let Refused::Clash(clash) = &refused
                && self.on_clash != OnClash::Reject
                && self.sort_out(&mut narrowing, &chosen, clash).await?
            {
                todo.push(chosen);
                continue;
            }
            let (left, right) = chosen.split_at(chosen.len() / 2);
            todo.extend([right.to_vec(), left.to_vec()]);
        }
        if self.on_clash == OnClash::Decide && !narrowing.clashes.is_empty() {
            self.decide(&mut narrowing).await?;
        }
        let decided = |verdict: Option<Verdict>| verdict.expect("each was tried by itself in the end");
        let verdicts = narrowing.verdicts.into_iter().map(decided).collect();
        Ok(Merged { verdicts, rows: narrowing.rows })
    }

    fn refuse(&self, narrowing: &mut Narrowing<'_>, index: usize, refused: Refused) {
        let fault = match refused {
            Refused::Clash(_) if self.on_clash == OnClash::Defer => return narrowing.defer(index),
            Refused::Clash(clash) => {
                let fault = clash.fault.clone();
                narrowing.clashes.push(Clashing { index, clash });
                fault
            }
            Refused::Fault(fault) => fault,
        };
        narrowing.verdicts[index] = Some(Verdict::Rejected(fault));
    }

    /// Merged, or why the server refuses one of them.
    async fn patiently(
        &mut self,
        documents: &[BatchDocument<'_>],
    ) -> Result<Result<Merged, Refused>, MergeError> {
        let mut left_out = 0;
        loop {
            let refused = match self.in_savepoint(documents).await {
                Ok(merged) => return Ok(Ok(merged)),
                Err(MergeError::LeftOut) if documents.len() == 1 && left_out < LEFT_OUT_MAX => {
                    left_out += 1;
                    continue;
                }
                Err(MergeError::LeftOut) => Refused::Fault(refusal::suppressed()),
                Err(MergeError::Failed(error)) => match refusal::of_a_document(&error) {
                    Some(refused) => Refused::of(refused),
                    None => return Err(error.into()),
                },
                Err(MergeError::Stopped) => return Err(MergeError::Stopped),
            };
            return Ok(Err(refused));
        }
    }

    /// Finds documents that can't have what they want, before they are tried one by one; whether there are any.
    async fn sort_out(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        chosen: &[usize],
        clash: &Clash,
    ) -> Result<bool, MergeError> {
        let writing = self.written_of(narrowing, chosen).await?;
        let seqs: Vec<u64> = writing.iter().map(|&index| narrowing.documents[index].seq).collect();
        let Some(key) = clash::ClashKey::read(self.transaction, self.db_schema, clash).await? else {
            return Ok(false);
        };
        if !key.is_quick {
            return Ok(false);
        }
        let holders = key.holders(self.transaction, &seqs).await?;
        self.pulse.beat();
        match self.on_clash {
            OnClash::Reject => Ok(false),
            OnClash::Defer => {
                let later = key.later(self.transaction, &seqs).await?;
                self.pulse.beat();
                let losing: HashSet<u64> = holders.into_iter().map(|(seq, _)| seq).chain(later).collect();
                let losing =
                    writing.into_iter().filter(|&index| losing.contains(&narrowing.documents[index].seq));
                let losing: Vec<_> = losing.collect();
                losing.iter().for_each(|&index| narrowing.defer(index));
                Ok(!losing.is_empty())
            }
            OnClash::Decide => {
                let contenders = clash::contenders(narrowing.documents, &writing, &holders);
                for index in &writing {
                    if !contenders.contains(index) {
                        narrowing.verdicts[*index] = Some(Verdict::Rejected(clash.fault.clone()));
                    }
                }
                Ok(contenders.len() < writing.len())
            }
        }
    }

    /// Those that would be inserted or replace what is stored.
    async fn written_of(
        &mut self,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Vec<usize>, MergeError> {
        let documents = narrowing.of(chosen);
        let decisions = Decisions::new(&documents, self.on_existing);
        let all: Vec<_> = (0..documents.len()).collect();
        let found = self.classify(&decisions, &all).await?;
        let found: HashMap<u64, Comparison> =
            found.into_iter().map(|found| (found.seq, found.what)).collect();
        let is_written = |index: &&usize| match found.get(&narrowing.documents[**index].seq) {
            None => false,
            Some(Comparison::NotStored) => true,
            Some(Comparison::Differs { .. }) => self.on_existing == OnExisting::Update,
        };
        Ok(chosen.iter().filter(is_written).copied().collect())
    }

    /// Tries again the documents that clash, together with those that hold what they want: all of them may have it in
    /// the end. Whoever is earlier in the input comes first.
    async fn decide(&mut self, narrowing: &mut Narrowing<'_>) -> Result<(), MergeError> {
        let clashes = std::mem::take(&mut narrowing.clashes);
        let mut constraints: HashMap<(&str, &str), (&Clash, Vec<u64>)> = HashMap::new();
        for Clashing { index, clash } in &clashes {
            let of_constraint = constraints.entry((&clash.table, &clash.constraint));
            of_constraint.or_insert((clash, Vec::new())).1.push(narrowing.documents[*index].seq);
        }
        let mut holders = Vec::new();
        for (clash, seqs) in constraints.into_values() {
            if let Some(key) = clash::ClashKey::read(self.transaction, self.db_schema, clash).await? {
                holders.extend(key.holders(self.transaction, &seqs).await?);
                self.pulse.beat();
            }
        }
        let clashing = narrowing.without_followers(clashes.iter().map(|one| one.index).collect());
        for group in clash::groups(narrowing.documents, &clashing, &holders) {
            for chosen in clash::attempts(&group) {
                if (self.is_stopping)() {
                    return Err(MergeError::Stopped);
                }
                if let Ok(merged) = self.patiently(&narrowing.of(&chosen)).await? {
                    narrowing.take(&chosen, merged);
                    break;
                }
            }
        }
        Ok(())
    }
}
