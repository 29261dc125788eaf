//! The documents of one transaction and what is still to be decided about them; pure.
//!
//! The tricky thing is the id that comes more than once in a batch. Its documents are decided in input
//! order, so they go to the server in rounds; an exact copy of the document before it never goes there.

use std::collections::{HashMap, HashSet};

use super::refusal;
use crate::{
    report::RowCounts,
    rows::{ChildRows, LanePart, StagedRow},
    runs::Verdict,
    session::Ctid,
    settings::OnExisting,
};

/// How often a document may be neither inserted nor found stored: once for another session that did both in between.
const ATTEMPTS_MAX: u8 = 2;

/// A document of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchDocument<'a> {
    pub(crate) seq: u64,
    pub(crate) id: [u8; 16],
    pub(crate) children: ChildRows,
    pub(crate) row: StagedRow<'a>,
    /// An owner's index might not hold it.
    pub(crate) has_long_row: bool,
    /// It follows one that was deferred.
    pub(crate) is_deferred: bool,
}

/// The documents of `part` from the one at `first` on, in input order; `deferred` are indices, rising.
pub(crate) fn documents_from<'a>(
    part: &'a LanePart,
    first: usize,
    deferred: &'a [usize],
) -> impl Iterator<Item = BatchDocument<'a>> {
    part.documents().iter().enumerate().skip(first).map(|(index, document)| BatchDocument {
        seq: part.seq(document.offset),
        id: document.id,
        children: document.children,
        row: part.row(index),
        has_long_row: document.has_long_row,
        is_deferred: deferred.binary_search(&index).is_ok(),
    })
}

/// All documents of a transaction. Those that are an exact copy of the one before them with the same id never
/// go to the server: what became of that one says what becomes of them.
pub(crate) struct Batch<'a> {
    /// All others, in input order.
    pub(crate) originals: Vec<BatchDocument<'a>>,
    origins: Vec<Origin>,
}

/// Of each document, where its verdict comes from.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// It is the next of the originals.
    Own,
    /// Index of the document that it is a copy of.
    CopyOf(usize),
    Deferred,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(documents: Vec<BatchDocument<'a>>) -> Self {
        let mut latest = HashMap::with_capacity(documents.len());
        let origin = |(index, document): (usize, &BatchDocument<'_>)| match latest.insert(document.id, index)
        {
            _ if document.is_deferred => Origin::Deferred,
            Some(before) if documents[before].row.contents() == document.row.contents() => {
                Origin::CopyOf(before)
            }
            _ => Origin::Own,
        };
        let origins: Vec<_> = documents.iter().enumerate().map(origin).collect();
        let is_own = |(document, origin)| matches!(origin, &Origin::Own).then_some(document);
        let originals = documents.into_iter().zip(&origins).filter_map(is_own).collect();
        Self { originals, origins }
    }

    /// The verdicts of all documents from those of the originals.
    pub(crate) fn verdicts_of_all(&self, of_originals: Vec<Verdict>) -> Vec<Verdict> {
        assert_eq!(of_originals.len(), self.originals.len(), "each original has a verdict");
        let mut own = of_originals.into_iter();
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(self.origins.len());
        for origin in &self.origins {
            let verdict = match origin {
                Origin::Own => own.next().expect("they were just counted"),
                Origin::CopyOf(before) => verdict_of_copy(&verdicts[*before]),
                Origin::Deferred => Verdict::Deferred { by_server: true },
            };
            verdicts.push(verdict);
        }
        verdicts
    }
}

/// What the server says of a document that isn't stored as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    pub(crate) seq: u64,
    /// Where the document is staged.
    pub(crate) ctid: Ctid,
    pub(crate) what: Comparison,
    /// The parts in which it differs, as `sql/merge/classify.sql` numbers them.
    pub(crate) parts: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    NotStored,
    /// Its id is stored with other contents; `is_ours`: by this run's lane.
    Differs {
        is_ours: bool,
    },
}

/// What a round is to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    /// Indices of documents whose ids are not stored.
    pub(crate) insert: Vec<usize>,
    /// Indices of documents that replace what is stored.
    pub(crate) update: Vec<usize>,
}

/// The verdicts of documents that are being merged together, none of them a copy of the one before it.
pub(crate) struct Decisions<'a> {
    pub(super) documents: &'a [BatchDocument<'a>],
    pub(super) on_existing: OnExisting,
    pub(super) verdicts: Vec<Option<Verdict>>,
    attempts: Vec<u8>,
    /// Where they are staged: of those that are to be written.
    ctids: Vec<Ctid>,
    /// Indices without a verdict; rising.
    pub(super) undecided: Vec<usize>,
    /// Ids that stand in the table, as far as this transaction knows.
    pub(super) stored: HashSet<[u8; 16]>,
    /// Documents of ids that come more than once.
    pub(super) repeats: Repeats,
}

/// What is known of documents whose ids come more than once.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Ids that come more than once; none where each document is written.
    pub(super) skipped: HashSet<[u8; 16]>,
    /// Of such an id, the document that stands in the tables.
    pub(super) standing: HashMap<[u8; 16], usize>,
    /// Documents that are written for those before them as well, with their own verdicts.
    pub(super) lasts: HashMap<usize, Verdict>,
    /// What documents would have written that were skipped, those that stand for them among them.
    pub(super) rows: RowCounts,
}

impl Repeats {
    pub(super) fn is_last(&self, index: usize) -> bool {
        self.lasts.contains_key(&index)
    }

    /// The document's own verdict from what became of it in the tables.
    pub(super) fn stands(&mut self, id: [u8; 16], index: usize, verdict: Verdict) -> Verdict {
        if self.skipped.contains(&id) {
            self.standing.insert(id, index);
        }
        self.lasts.remove(&index).unwrap_or(verdict)
    }
}

impl<'a> Decisions<'a> {
    pub(crate) fn new(documents: &'a [BatchDocument<'a>], on_existing: OnExisting) -> Self {
        Self {
            documents,
            on_existing,
            verdicts: vec![None; documents.len()],
            attempts: vec![0; documents.len()],
            ctids: vec![Ctid::default(); documents.len()],
            undecided: (0..documents.len()).collect(),
            stored: HashSet::new(),
            repeats: Repeats::default(),
        }
    }

    /// The documents to be looked up next: of every id the first undecided one, and all of an id whose stored
    /// profile will not change any more. Those that only stand for others before them come by themselves. Empty when
    /// everything is decided.
    pub(crate) fn next_round(&self) -> Vec<usize> {
        let mut met = HashSet::with_capacity(self.undecided.len());
        let is_due = |index: &&usize| {
            let id = self.documents[**index].id;
            let is_final = self.on_existing != OnExisting::Update && self.stored.contains(&id);
            !self.repeats.is_last(**index) && (met.insert(id) || is_final)
        };
        let round: Vec<_> = self.undecided.iter().filter(is_due).copied().collect();
        if round.is_empty() { self.undecided.clone() } else { round }
    }

    pub(crate) fn seqs(&self, indices: &[usize]) -> Vec<i64> {
        let seq = |&index: &usize| i64::try_from(self.documents[index].seq).expect("a seq has 63 bits");
        indices.iter().map(seq).collect()
    }

    pub(crate) fn ctids(&self, indices: &[usize]) -> Vec<Ctid> {
        indices.iter().map(|&index| self.ctids[index]).collect()
    }

    pub(crate) fn id(&self, index: usize) -> [u8; 16] {
        self.documents[index].id
    }

    pub(crate) fn children(&self, indices: &[usize]) -> ChildRows {
        let mut sum = ChildRows::default();
        for &index in indices {
            let children = self.documents[index].children;
            sum.addresses += children.addresses;
            sum.emails += children.emails;
            sum.phone_numbers += children.phone_numbers;
        }
        sum
    }

    /// Takes in what the server found of a round, and says what is to be written.
    /// What it found nothing to say of is stored and identical.
    pub(crate) fn classify(&mut self, round: &[usize], found: &[Compared]) -> Writes {
        let found: HashMap<u64, Compared> = found.iter().map(|found| (found.seq, *found)).collect();
        let mut writes = Writes::default();
        let mut inserting = HashSet::new();
        for &index in round {
            let id = self.documents[index].id;
            let Some(found) = found.get(&self.documents[index].seq) else {
                self.stored.insert(id);
                self.decide(index, Verdict::Unchanged);
                continue;
            };
            self.ctids[index] = found.ctid;
            match found.what {
                Comparison::Differs { is_ours } => {
                    self.stored.insert(id);
                    match self.verdict_of_other(is_ours) {
                        Some(verdict) => self.verdicts[index] = Some(verdict),
                        None => writes.update.push(index),
                    }
                }
                Comparison::NotStored => {
                    self.stored.remove(&id);
                    if inserting.insert(id) {
                        writes.insert.push(index);
                    }
                }
            }
        }
        self.forget_decided();
        writes
    }

    /// Of one whose id is stored with other contents; `None`: it is to be updated.
    pub(super) fn verdict_of_other(&self, is_ours: bool) -> Option<Verdict> {
        match self.on_existing {
            OnExisting::Update => None,
            OnExisting::Skip => Some(Verdict::Skipped),
            OnExisting::Reject if is_ours => Some(Verdict::Rejected(refusal::duplicate())),
            OnExisting::Reject => Some(Verdict::Rejected(refusal::exists())),
        }
    }

    /// Takes in which of the `tried` documents were written; the others are looked up again, a bounded number of times:
    /// `false` when that has not helped, for it is somebody's trigger that leaves them out.
    #[must_use]
    pub(crate) fn written(&mut self, tried: &[usize], ids: &HashSet<[u8; 16]>, verdict: &Verdict) -> bool {
        let mut is_over = false;
        for &index in tried {
            let id = self.documents[index].id;
            if ids.contains(&id) {
                self.stored.insert(id);
                self.decide(index, verdict.clone());
            } else {
                self.attempts[index] += 1;
                is_over |= self.attempts[index] == ATTEMPTS_MAX;
            }
        }
        self.forget_decided();
        !is_over
    }

    /// The profile stands in the tables as the document says.
    fn decide(&mut self, index: usize, verdict: Verdict) {
        let verdict = self.repeats.stands(self.documents[index].id, index, verdict);
        self.verdicts[index] = Some(verdict);
    }

    pub(super) fn forget_decided(&mut self) {
        let verdicts = &self.verdicts;
        self.undecided.retain(|&index| verdicts[index].is_none());
    }

    /// One verdict for each document, in order.
    pub(crate) fn into_verdicts(self) -> Vec<Verdict> {
        let decided = |verdict: Option<Verdict>| verdict.expect("rounds go on until everything is decided");
        self.verdicts.into_iter().map(decided).collect()
    }
}

fn verdict_of_copy(of: &Verdict) -> Verdict {
    match of {
        Verdict::Inserted | Verdict::Updated | Verdict::Unchanged => Verdict::Unchanged,
        Verdict::Skipped => Verdict::Skipped,
        Verdict::Rejected(fault) => Verdict::Rejected(fault.clone()),
        Verdict::Deferred { by_server } => Verdict::Deferred { by_server: *by_server },
    }
}

#[cfg(test)]
#[path = "decisions_tests.rs"]
mod tests;
