//! The documents of one transaction and what is still to be decided about them; pure.
//!
//! The tricky thing is the id that comes more than once in a batch. Its documents are decided in input
//! order, so they go to the server in rounds; an exact copy of the document before it needs no round.

use std::collections::{HashMap, HashSet};

use super::{Verdict, refusal};
use crate::{
    rows::{ChildRows, LanePart, StagedRow},
    settings::OnExisting,
};

/// How often a document may be neither inserted nor found stored: once for another session that stored and
/// deleted the same id in between, and once more to be sure.
const ATTEMPTS_MAX: u8 = 3;

/// A document of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchDocument<'a> {
    pub(super) seq: u64,
    pub(super) id: [u8; 16],
    pub(super) children: ChildRows,
    pub(super) row: StagedRow<'a>,
}

/// All documents of the parts, in input order.
pub(super) fn documents(parts: &[LanePart]) -> Vec<BatchDocument<'_>> {
    parts.iter().flat_map(part_documents).collect()
}

fn part_documents(part: &LanePart) -> impl Iterator<Item = BatchDocument<'_>> {
    part.documents().iter().enumerate().map(|(index, document)| BatchDocument {
        seq: part.seq(document.offset),
        id: document.id,
        children: document.children,
        row: part.row(index),
    })
}

/// What the server says of a document whose id is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) is_identical: bool,
    /// Whether this run's lane wrote the stored profile.
    pub(super) is_ours: bool,
}

/// What a round is to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// Indices of documents whose ids are not stored.
    pub(super) insert: Vec<usize>,
    /// Indices of documents that replace what is stored.
    pub(super) update: Vec<usize>,
}

/// The verdicts of a transaction while it is under way.
pub(super) struct Decisions<'a> {
    documents: &'a [BatchDocument<'a>],
    on_existing: OnExisting,
    verdicts: Vec<Option<Verdict>>,
    /// Of each document that is an exact copy of the one before it with the same id, the index of that one.
    copy_of: Vec<Option<usize>>,
    attempts: Vec<u8>,
    /// Indices without a verdict, copies excepted; rising.
    undecided: Vec<usize>,
    /// Ids that stand in the table, as far as this transaction knows.
    stored: HashSet<[u8; 16]>,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(documents: &'a [BatchDocument<'a>], on_existing: OnExisting) -> Self {
        let mut latest = HashMap::with_capacity(documents.len());
        let copy_of: Vec<_> = documents
            .iter()
            .enumerate()
            .map(|(index, document)| {
                let before = latest.insert(document.id, index)?;
                (documents[before].row.contents() == document.row.contents()).then_some(before)
            })
            .collect();
        let undecided = (0..documents.len()).filter(|&index| copy_of[index].is_none()).collect();
        Self {
            documents,
            on_existing,
            verdicts: vec![None; documents.len()],
            copy_of,
            attempts: vec![0; documents.len()],
            undecided,
            stored: HashSet::new(),
        }
    }

    /// The documents that the server has to see: all but exact copies.
    pub(super) fn to_stage(&self) -> impl Iterator<Item = &'a BatchDocument<'a>> {
        let documents = self.documents;
        self.copy_of.iter().zip(documents).filter(|(copy, _)| copy.is_none()).map(|(_, document)| document)
    }

    /// The documents to be looked up next: of every id the first undecided one, and all of an id whose stored
    /// profile will not change any more. Empty when everything is decided.
    pub(super) fn next_round(&self) -> Vec<usize> {
        let mut met = HashSet::with_capacity(self.undecided.len());
        let is_due = |index: &&usize| {
            let id = self.documents[**index].id;
            let is_final = self.on_existing != OnExisting::Update && self.stored.contains(&id);
            met.insert(id) || is_final
        };
        self.undecided.iter().filter(is_due).copied().collect()
    }

    pub(super) fn seqs(&self, indices: &[usize]) -> Vec<i64> {
        let seq = |&index: &usize| i64::try_from(self.documents[index].seq).expect("a seq has 63 bits");
        indices.iter().map(seq).collect()
    }

    pub(super) fn id(&self, index: usize) -> [u8; 16] {
        self.documents[index].id
    }

    pub(super) fn children(&self, indices: &[usize]) -> ChildRows {
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
    pub(super) fn classify(&mut self, round: &[usize], found: &[Stored]) -> Writes {
        let found: HashMap<u64, Stored> = found.iter().map(|stored| (stored.seq, *stored)).collect();
        let mut writes = Writes::default();
        let mut inserting = HashSet::new();
        for &index in round {
            let id = self.documents[index].id;
            match found.get(&self.documents[index].seq) {
                Some(stored) => {
                    self.stored.insert(id);
                    match self.verdict_of_stored(*stored) {
                        Some(verdict) => self.verdicts[index] = Some(verdict),
                        None => writes.update.push(index),
                    }
                }
                None => {
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

    /// `None`: it is to be updated.
    fn verdict_of_stored(&self, stored: Stored) -> Option<Verdict> {
        match self.on_existing {
            _ if stored.is_identical => Some(Verdict::Unchanged),
            OnExisting::Update => None,
            OnExisting::Skip => Some(Verdict::Skipped),
            OnExisting::Reject if stored.is_ours => Some(Verdict::Rejected(refusal::duplicate())),
            OnExisting::Reject => Some(Verdict::Rejected(refusal::exists())),
        }
    }

    /// Takes in which of the `tried` documents were written; the others are looked up again, a bounded
    /// number of times.
    pub(super) fn written(&mut self, tried: &[usize], ids: &HashSet<[u8; 16]>, verdict: &Verdict) {
        for &index in tried {
            let id = self.documents[index].id;
            if ids.contains(&id) {
                self.stored.insert(id);
                self.verdicts[index] = Some(verdict.clone());
            } else {
                self.attempts[index] += 1;
                if self.attempts[index] == ATTEMPTS_MAX {
                    self.verdicts[index] = Some(Verdict::Rejected(refusal::suppressed()));
                }
            }
        }
        self.forget_decided();
    }

    fn forget_decided(&mut self) {
        let verdicts = &self.verdicts;
        self.undecided.retain(|&index| verdicts[index].is_none());
    }

    /// One verdict for each document, in order.
    pub(super) fn into_verdicts(self) -> Vec<Verdict> {
        assert!(self.undecided.is_empty(), "rounds go on until everything is decided");
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(self.documents.len());
        for (verdict, copy_of) in self.verdicts.into_iter().zip(self.copy_of) {
            let verdict = match (verdict, copy_of) {
                (Some(verdict), None) => verdict,
                (None, Some(before)) => verdict_of_copy(&verdicts[before]),
                _ => unreachable!("a document is a copy or has a verdict of its own"),
            };
            verdicts.push(verdict);
        }
        verdicts
    }
}

fn verdict_of_copy(of: &Verdict) -> Verdict {
    match of {
        Verdict::Inserted | Verdict::Updated | Verdict::Unchanged => Verdict::Unchanged,
        Verdict::Skipped => Verdict::Skipped,
        Verdict::Rejected(fault) => Verdict::Rejected(fault.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Profile;

    /// Documents as (id, first name).
    fn part(documents: &[(u8, &str)]) -> LanePart {
        let mut part = LanePart::new(0, 1000, 1000);
        for (offset, (id, first_name)) in documents.iter().enumerate() {
            let profile = Profile {
                id: [*id; 16],
                first_name,
                middle_name: None,
                last_name: "x",
                marketing_emails_enabled: true,
                two_factor_enabled: true,
                address: None,
                emails: vec![],
                phone_numbers: vec![],
            };
            part.push(&profile, offset);
        }
        part
    }

    /// Plays the server: a table of id to first name (and whether we wrote it).
    fn run(documents: &[(u8, &str)], stored: &[(u8, &str)], on_existing: OnExisting) -> (String, usize) {
        let parts = [part(documents)];
        let batch = super::documents(&parts);
        let mut table: HashMap<u8, (String, bool)> =
            stored.iter().map(|(id, name)| (*id, ((*name).to_owned(), false))).collect();
        let mut decisions = Decisions::new(&batch, on_existing);
        let mut rounds = 0;
        loop {
            let round = decisions.next_round();
            if round.is_empty() {
                break;
            }
            rounds += 1;
            let look = |&index: &usize| {
                let (name, is_ours) = table.get(&documents[index].0)?;
                let is_identical = name == documents[index].1;
                Some(Stored { seq: batch[index].seq, is_identical, is_ours: *is_ours })
            };
            let found: Vec<_> = round.iter().filter_map(look).collect();
            let writes = decisions.classify(&round, &found);
            for (indices, verdict) in
                [(&writes.insert, Verdict::Inserted), (&writes.update, Verdict::Updated)]
            {
                for &index in indices {
                    table.insert(documents[index].0, (documents[index].1.to_owned(), true));
                }
                let ids = indices.iter().map(|&index| decisions.id(index)).collect();
                decisions.written(indices, &ids, &verdict);
            }
        }
        let letter = |verdict: Verdict| match verdict {
            Verdict::Inserted => 'i',
            Verdict::Updated => 'u',
            Verdict::Unchanged => '=',
            Verdict::Skipped => 's',
            Verdict::Rejected(fault) if fault.code == "load:exists" => 'e',
            Verdict::Rejected(_) => 'd',
        };
        (decisions.into_verdicts().into_iter().map(letter).collect(), rounds)
    }

    #[test]
    fn documents_of_one_id_are_decided_in_input_order() {
        use OnExisting::{Reject, Skip, Update};
        let documents = [(1, "a"), (2, "a"), (1, "a"), (1, "b"), (1, "a"), (2, "c"), (3, "x")];
        for (on_existing, stored, expected, rounds) in [
            (Reject, &[][..], "ii=d=di", 2),
            (Skip, &[][..], "ii=s=si", 2),
            (Update, &[][..], "ii=uuui", 3),
            (Reject, &[(1, "b")][..], "eie=edi", 2),
            (Update, &[(1, "a"), (3, "y")][..], "=i=uuuu", 3),
            (Skip, &[(1, "a"), (2, "c"), (3, "x")][..], "=s=s===", 2),
        ] {
            assert_eq!(
                run(&documents, stored, on_existing),
                (expected.to_owned(), rounds),
                "{on_existing:?}"
            );
        }
    }

    #[test]
    fn a_document_that_never_arrives_is_rejected() {
        let parts = [part(&[(1, "a"), (1, "a")])];
        let batch = super::documents(&parts);
        let mut decisions = Decisions::new(&batch, OnExisting::Reject);
        let mut rounds = 0;
        while let round = decisions.next_round()
            && !round.is_empty()
        {
            rounds += 1;
            let writes = decisions.classify(&round, &[]);
            decisions.written(&writes.insert, &HashSet::new(), &Verdict::Inserted);
        }
        assert_eq!(rounds, usize::from(ATTEMPTS_MAX));
        assert_eq!(decisions.into_verdicts(), vec![Verdict::Rejected(refusal::suppressed()); 2]);
    }
}
