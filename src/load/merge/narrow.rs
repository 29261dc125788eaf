//! Finding the documents that the server refuses: it says that it refuses one, but not which.
//!
//! What was merged together is taken back, and the documents are tried (`winnow.rs`), which finds all that are refused by
//! themselves. What is refused for what others do is merged in halves, until the one document is found. Where a constraint
//! holds between profiles, the server is asked who holds what the documents want to have, which finds all of them at once;
//! those that have nothing to wait for are decided in `decide.rs`.

use std::collections::{HashMap, HashSet};

use super::{
    clash::ClashKey,
    decisions::BatchDocument,
    error::MergeError,
    execute::{Merge, Merged, OnClash},
    refusal::{self, Clash, Refused},
};
use crate::{report::RowCounts, runs::Verdict};

/// How often a document is tried again whose rows did not all arrive: another session may have changed some of
/// them in between, which does not happen twice.
const LEFT_OUT_MAX: u32 = 1;

/// Fewer documents are sooner merged in halves than tried.
const TRIED_MIN: usize = 8;

/// Documents that are to be merged.
struct Todo {
    indices: Vec<usize>,
    /// What of them is refused by itself is out already.
    are_winnowed: bool,
}

/// Documents of a batch that have been tried, by their indices.
pub(super) struct Winnowed {
    /// Nothing is known against them.
    pub(super) left: Vec<usize>,
    /// What a constraint between profiles lets them have depends on others.
    pub(super) contested: Vec<usize>,
    /// Another of their id comes before.
    pub(super) followers: Vec<usize>,
}

/// What is known of the documents of a batch.
pub(super) struct Narrowing<'d> {
    pub(super) documents: &'d [BatchDocument<'d>],
    pub(super) verdicts: Vec<Option<Verdict>>,
    rows: RowCounts,
    /// The first document of each id that was deferred: those after it have to follow it.
    deferred: HashMap<[u8; 16], usize>,
}

impl Narrowing<'_> {
    pub(super) fn take(&mut self, chosen: &[usize], merged: Merged) {
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

    pub(super) fn of(&self, chosen: &[usize]) -> Vec<BatchDocument<'_>> {
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
        };
        let mut todo = vec![Todo { indices: (0..documents.len()).collect(), are_winnowed: false }];
        while let Some(Todo { indices, are_winnowed }) = todo.pop() {
            let chosen = narrowing.open(&indices);
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
            // Somebody has made a rule meanwhile.
            self.skips_replaced = false;
            if let [index] = *chosen {
                self.refuse(&mut narrowing, index, refused);
                continue;
            }
            if self.on_clash == OnClash::Decide {
                self.decide(&mut narrowing).await?;
                break;
            }
            if let Refused::Clash(clash) = &refused
                && self.on_clash == OnClash::Defer
                && self.sort_out(&mut narrowing, &chosen, clash).await?
            {
                todo.push(Todo { indices: chosen, are_winnowed });
                continue;
            }
            let is_clash = matches!(refused, Refused::Clash(_)) && self.on_clash == OnClash::Defer;
            if !are_winnowed
                && !is_clash
                && chosen.len() >= TRIED_MIN
                && let Some(Winnowed { left, contested, followers }) =
                    self.winnow(&mut narrowing, &chosen).await?
            {
                todo.push(Todo { indices: followers, are_winnowed: false });
                todo.extend([contested, left].map(|indices| Todo { indices, are_winnowed: true }));
                continue;
            }
            let (left, right) = chosen.split_at(chosen.len() / 2);
            // What is refused now that the others are there shows when they are there.
            todo.push(Todo { indices: right.to_vec(), are_winnowed: false });
            todo.push(Todo { indices: left.to_vec(), are_winnowed: true });
        }
        let decided = |verdict: Option<Verdict>| verdict.expect("each was tried by itself in the end");
        let verdicts = narrowing.verdicts.into_iter().map(decided).collect();
        Ok(Merged { verdicts, rows: narrowing.rows })
    }

    fn refuse(&self, narrowing: &mut Narrowing<'_>, index: usize, refused: Refused) {
        match refused {
            Refused::Clash(_) if self.on_clash == OnClash::Defer => narrowing.defer(index),
            Refused::Clash(Clash { fault, .. }) | Refused::Fault(fault) => {
                narrowing.verdicts[index] = Some(Verdict::Rejected(fault));
            }
        }
    }

    /// Merged, or why the server refuses one of them.
    pub(super) async fn patiently(
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

    /// Defers documents that can't have what they want as things stand, before they are tried one by one; whether there
    /// are any.
    async fn sort_out(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        chosen: &[usize],
        clash: &Clash,
    ) -> Result<bool, MergeError> {
        let writing = self.written_of(narrowing, chosen).await?;
        let seqs: Vec<u64> = writing.iter().map(|&index| narrowing.documents[index].seq).collect();
        let key = ClashKey::of(self.transaction, self.db_schema, clash).await?;
        let Some(key) = key.filter(|key| key.is_quick) else { return Ok(false) };
        let holders = key.holders(self.transaction, &seqs).await?;
        self.pulse.beat();
        let later = key.later(self.transaction, &seqs).await?;
        self.pulse.beat();
        let losing: HashSet<u64> = holders.into_iter().map(|(seq, _)| seq).chain(later).collect();
        let is_losing = |index: &usize| losing.contains(&narrowing.documents[*index].seq);
        let losing: Vec<_> = writing.into_iter().filter(is_losing).collect();
        losing.iter().for_each(|&index| narrowing.defer(index));
        Ok(!losing.is_empty())
    }

    /// Those that would be inserted or replace what is stored.
    pub(super) async fn written_of(
        &self,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Vec<usize>, MergeError> {
        let written = self.to_write(narrowing, chosen).await?;
        Ok(written.into_iter().map(|(index, _)| index).collect())
    }
}
