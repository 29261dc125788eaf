//! Merging: documents are compared with what is stored, and only what differs is written.

mod decisions;
mod execute;
mod refusal;
mod statements;

pub(crate) use decisions::{Batch, BatchDocument, documents_from};
pub(crate) use execute::{Merge, MergeError, Merged, OwnTransactions};
pub(crate) use refusal::of_a_document;
pub(crate) use statements::MergeSql;
