//! Merging: documents are compared with what is stored, and only what differs is written.

mod clash;
mod decide;
mod decisions;
mod error;
mod execute;
mod narrow;
mod refusal;
mod repeats;
mod rivals;
mod rules;
mod stage;
mod statements;
mod trial;
mod trial_sql;
mod winnow;
mod write;

pub(crate) use clash::constraints;
pub(crate) use decisions::{Batch, BatchDocument, documents_from};
pub(crate) use error::MergeError;
pub(crate) use execute::{Merge, Merged, OnClash, OwnTransactions};
pub(crate) use refusal::{duplicate, exists, of_a_document};
pub(crate) use rules::Rules;
pub(crate) use stage::stage;
pub(crate) use statements::{MergeSql, TrialSql};
pub(crate) use trial::{Trial, suspects};
