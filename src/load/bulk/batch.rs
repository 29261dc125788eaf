//! The documents of one transaction that fills the tables: which are sent, in which order, and where their ids start; pure.
//!
//! Rows are sent in the order of the profiles' ids: indexes that are built over runs of some thousands of rows in order are
//! built sooner than over rows in none.

use std::ops::Range;

use crate::{
    report::RowCounts,
    rows::{ChildRows, LanePart},
    tables::Table,
};

/// The documents of a transaction with their rows.
pub(crate) struct BulkBatch<'a> {
    parts: Vec<BulkPart<'a>>,
    /// Of all documents, in input order.
    documents: Vec<BulkDocument>,
    /// Those that are not deferred, in the order of their ids.
    sent: Vec<SentDocument>,
}

/// A part: its documents from `first` on, without those that are deferred.
pub(crate) struct BulkPart<'a> {
    pub(crate) part: &'a LanePart,
    pub(crate) first: usize,
    /// Indices, rising.
    pub(crate) deferred: &'a [usize],
}

#[derive(Debug, Clone, Copy)]
pub(super) struct BulkDocument {
    children: ChildRows,
    pub(super) is_deferred: bool,
}

/// All that is needed of a document to send it, so that nothing else is looked at for each table.
#[derive(Debug, Clone)]
pub(super) struct SentDocument {
    /// Of all documents.
    index: usize,
    part: usize,
    /// Where its rows are in the part's buffers.
    rows: [Range<usize>; 4],
    /// How many rows the documents before it have.
    rows_before: ChildRows,
}

impl<'a> BulkBatch<'a> {
    pub(crate) fn new(parts: Vec<BulkPart<'a>>) -> Self {
        let (mut documents, mut sent) = (Vec::new(), Vec::new());
        for (part, one) in parts.iter().enumerate() {
            for (index, document) in one.part.documents().iter().enumerate().skip(one.first) {
                let is_deferred = one.deferred.binary_search(&index).is_ok();
                if !is_deferred {
                    let rows = one.part.ranges(index..index + 1);
                    let (index, rows_before) = (documents.len(), ChildRows::default());
                    let id = u128::from_be_bytes(document.id);
                    sent.push((id, SentDocument { index, part, rows, rows_before }));
                }
                documents.push(BulkDocument { children: document.children, is_deferred });
            }
        }
        sent.sort_unstable_by_key(|(id, _)| *id);
        let mut rows = ChildRows::default();
        let numbered = |(_, mut one): (_, SentDocument)| {
            one.rows_before = rows;
            rows.add(documents[one.index].children);
            one
        };
        let sent = sent.into_iter().map(numbered).collect();
        Self { parts, documents, sent }
    }

    /// All documents, in input order.
    pub(super) fn documents(&self) -> &[BulkDocument] {
        &self.documents
    }

    /// Those of the documents that may be sent, in the order of their ids.
    pub(super) fn sent(&self) -> impl Iterator<Item = &SentDocument> {
        self.sent.iter()
    }

    /// What is sent to a table for a document.
    pub(super) fn rows_of(&self, document: &SentDocument, table: Table) -> &'a [u8] {
        self.parts[document.part].part.table_rows(document.rows[table as usize].clone(), table)
    }

    /// How many rows these documents have.
    pub(super) fn rows<'b>(&'b self, sent: impl Iterator<Item = &'b SentDocument>) -> RowCounts {
        let mut rows = RowCounts::default();
        for document in sent.map(|one| &self.documents[one.index]) {
            rows.customer_profiles += 1;
            rows.customer_profile_addresses += document.children.addresses;
            rows.customer_profile_emails += document.children.emails;
            rows.customer_profile_phone_numbers += document.children.phone_numbers;
        }
        rows
    }

    /// How many ids it takes.
    pub(crate) fn numbered_rows(&self) -> RowCounts {
        let RowCounts { customer_profile_emails, customer_profile_phone_numbers, .. } =
            self.rows(self.sent());
        RowCounts { customer_profile_emails, customer_profile_phone_numbers, ..RowCounts::default() }
    }
}

impl SentDocument {
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// How many rows of a table come before its own where all documents are sent.
    pub(super) fn rows_before(&self, table: Table) -> u64 {
        match table {
            Table::Emails => self.rows_before.emails,
            Table::PhoneNumbers => self.rows_before.phone_numbers,
            Table::Profiles | Table::Addresses => unreachable!("their rows have no numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::Profile,
        input::{Chunk, Piece, Watermark},
        rows::RowForm,
        settings::Framing,
    };

    fn part(ids: &[u8]) -> LanePart {
        let chunk = Chunk {
            sequence: 0,
            source: 0,
            byte_offset: 0,
            first_line: 1,
            lines: 0,
            framing: Framing::Ndjson,
            piece: Piece::Whole,
            documents: Vec::new(),
            origins: Vec::new(),
            consumed: 0,
            end: Watermark::default(),
            is_unterminated: false,
            ended: Vec::new(),
            bytes: Vec::new(),
        };
        let mut part = LanePart::of(&chunk, RowForm::Tables);
        for (offset, &id) in ids.iter().enumerate() {
            let profile = Profile {
                id: [id; 16],
                first_name: "A",
                middle_name: None,
                last_name: "B",
                marketing_emails_enabled: true,
                two_factor_enabled: true,
                address: None,
                emails: vec!["a@b.example"; usize::from(id)].into(),
                phone_numbers: vec![].into(),
            };
            part.push(&profile, offset);
        }
        part
    }

    #[test]
    fn documents_are_sent_in_the_order_of_ids_without_those_deferred() {
        let parts = [part(&[9, 3, 7]), part(&[1, 8])];
        let of = |part, first, deferred| BulkPart { part, first, deferred };
        let batch = BulkBatch::new(vec![of(&parts[0], 1, &[2]), of(&parts[1], 0, &[])]);
        let one = |one: &SentDocument| {
            let emails = crate::rows::rows_in(batch.rows_of(one, Table::Emails)).count();
            (one.index(), emails, one.rows_before(Table::Emails))
        };
        assert_eq!(batch.sent().map(one).collect::<Vec<_>>(), [(2, 1, 0), (0, 3, 1), (3, 8, 4)]);
        assert_eq!(batch.numbered_rows().customer_profile_emails, 12);
        let rows = batch.rows(batch.sent().filter(|one| one.index() < 3));
        assert_eq!((rows.customer_profiles, rows.customer_profile_emails), (2, 4));
    }
}
