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
    /// Indices of those that are not deferred, in the order of their ids.
    order: Vec<usize>,
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
    part: usize,
    /// In its part.
    index: usize,
    children: ChildRows,
    pub(super) is_deferred: bool,
    /// How many rows the documents before it in the order of the ids have.
    rows_before: ChildRows,
}

impl<'a> BulkBatch<'a> {
    pub(crate) fn new(parts: Vec<BulkPart<'a>>) -> Self {
        let (mut documents, mut ids) = (Vec::new(), Vec::new());
        for (part, one) in parts.iter().enumerate() {
            for (index, document) in one.part.documents().iter().enumerate().skip(one.first) {
                let is_deferred = one.deferred.binary_search(&index).is_ok();
                if !is_deferred {
                    ids.push((u128::from_be_bytes(document.id), documents.len()));
                }
                let (children, rows_before) = (document.children, ChildRows::default());
                documents.push(BulkDocument { part, index, children, is_deferred, rows_before });
            }
        }
        ids.sort_unstable();
        let order: Vec<_> = ids.into_iter().map(|(_, index)| index).collect();
        let mut rows = ChildRows::default();
        for &index in &order {
            documents[index].rows_before = rows;
            rows.add(documents[index].children);
        }
        Self { parts, documents, order }
    }

    /// All documents, in input order.
    pub(super) fn documents(&self) -> &[BulkDocument] {
        &self.documents
    }

    /// Those of a range of the documents that are sent, in the order of their ids.
    pub(super) fn in_order(&self, range: Range<usize>) -> Vec<&BulkDocument> {
        let chosen = self.order.iter().filter(|index| range.contains(index));
        chosen.map(|&index| &self.documents[index]).collect()
    }

    /// What is sent to a table for a document.
    pub(super) fn rows_of(&self, document: &BulkDocument, table: Table) -> &'a [u8] {
        self.parts[document.part].part.table_rows(document.index, table)
    }

    /// How many rows all documents of a range have that are sent.
    pub(super) fn rows(&self, range: Range<usize>) -> RowCounts {
        let mut rows = RowCounts::default();
        for document in self.documents[range].iter().filter(|document| !document.is_deferred) {
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
            self.rows(0..self.documents.len());
        RowCounts { customer_profile_emails, customer_profile_phone_numbers, ..RowCounts::default() }
    }
}

impl BulkDocument {
    /// How many rows of a table come before its own where all documents are sent in the order of their ids.
    pub(super) fn rows_before(&self, table: Table) -> u64 {
        match table {
            Table::Emails => self.rows_before.emails,
            Table::PhoneNumbers => self.rows_before.phone_numbers,
            Table::Profiles | Table::Addresses => unreachable!("their rows have no numbers"),
        }
    }
}
