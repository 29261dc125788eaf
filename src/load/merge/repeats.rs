//! Documents of one id that come again and again in a batch: decided here, without a round of the server's for each.
//!
//! Where what is stored stays, all of them are compared with it. Where they replace it and nobody's rule sees a version that
//! another one replaces in the same transaction, only the last of them is written; what became of the others, and how many
//! rows they would have written, is told as if they had been written one after another.

use std::collections::{HashMap, HashSet};

use super::decisions::Decisions;
use crate::{
    load::{
        contents::{Contents, Difference},
        row_changes::RowChanges,
    },
    report::RowCounts,
    runs::Verdict,
    settings::OnExisting,
};

/// From so many documents of an id on, what is stored is fetched: fewer are sooner compared where it is stored.
const FETCHED_MIN: usize = 8;

impl Decisions<'_> {
    /// Only the last document of each id is to be written, if nothing depends on the others.
    pub(crate) fn skip_replaced(&mut self) {
        if self.on_existing == OnExisting::Update {
            let mut met = HashSet::with_capacity(self.documents.len());
            let repeated = self.documents.iter().filter(|document| !met.insert(document.id));
            self.repeats.skipped = repeated.map(|document| document.id).collect();
        }
    }

    /// Decides on the documents that follow one that stands in the tables; the last of each id is left to be written.
    pub(crate) fn decide_replaced(&mut self) {
        let mut followers: HashMap<[u8; 16], Vec<usize>> = HashMap::new();
        for &index in &self.undecided {
            let id = self.documents[index].id;
            if self.repeats.standing.contains_key(&id) && !self.repeats.is_last(index) {
                followers.entry(id).or_default().push(index);
            }
        }
        for (id, mut indices) in followers {
            // An owner's index might not hold a long row, so it is written.
            let is_short = |index: &usize| !self.documents[*index].has_long_row;
            indices.truncate(indices.iter().take_while(|index| is_short(index)).count());
            let Some(&last) = indices.last() else { continue };
            let stands = Contents::of_document(self.documents[self.repeats.standing[&id]].row);
            let mut before = None;
            for index in indices {
                let contents = Contents::of_document(self.documents[index].row);
                let difference = contents.difference(before.as_ref().unwrap_or(&stands));
                let verdict = if difference.is_any { Verdict::Updated } else { Verdict::Unchanged };
                self.repeats.rows.add(rows_of(&difference));
                if index == last && contents.difference(&stands).is_any {
                    self.repeats.lasts.insert(index, verdict);
                } else {
                    self.verdicts[index] = Some(verdict);
                }
                before = Some(contents);
            }
        }
        self.forget_decided();
    }

    /// Whether the documents of a round stand for others, so that what they write is not what they are counted with.
    pub(crate) fn stand_for_others(&self, round: &[usize]) -> bool {
        round.iter().all(|&index| self.repeats.is_last(index))
    }

    pub(crate) fn rows_of_replaced(&self) -> RowCounts {
        self.repeats.rows
    }

    /// Documents, in order, that many of the same id are among, whose stored profile stays what it is.
    pub(crate) fn crowded(&self) -> HashMap<[u8; 16], Vec<usize>> {
        let mut crowded: HashMap<[u8; 16], Vec<usize>> = HashMap::new();
        if self.on_existing != OnExisting::Update {
            for &index in &self.undecided {
                let id = self.documents[index].id;
                if self.stored.contains(&id) {
                    crowded.entry(id).or_default().push(index);
                }
            }
            crowded.retain(|_, indices| indices.len() >= FETCHED_MIN);
        }
        crowded
    }

    /// Decides on documents from what is stored under their id.
    pub(crate) fn compare_with(&mut self, indices: &[usize], stored: &Contents<'_>, is_ours: bool) {
        for &index in indices {
            let difference = Contents::of_document(self.documents[index].row).difference(stored);
            self.verdicts[index] =
                if difference.is_any { self.verdict_of_other(is_ours) } else { Some(Verdict::Unchanged) };
        }
    }
}

fn rows_of(difference: &Difference) -> RowCounts {
    RowCounts::of_tables(difference.rows.map(RowChanges::total))
}
