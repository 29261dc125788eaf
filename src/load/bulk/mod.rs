//! The strategy `bulk`: empty tables are filled without their indexes, unique constraints and foreign keys, which are
//! restored afterwards, in parallel.
//!
//! What is dropped is written to the ledger, as the statements that restore it, in the transaction that drops it; each
//! of these statements is marked as done in the transaction that does it. So a crash at any moment leaves tables of
//! which the ledger knows all that they lack, and `load` or `runs abandon` restores it.

mod copy;
mod drop;
mod id_filter;
mod plan;
mod restore;
mod restore_fix;

pub(crate) use copy::{BulkBatch, BulkPart, CopySql, copy_documents};
pub(crate) use drop::{DroppedDdl, Obstacle, drop_ddl, insert_triggers, lock_holders, lock_tables, obstacle};
pub(crate) use id_filter::IdFilter;
pub(crate) use restore::{RestoreProgress, Restoring, analyze, restore, restore_alone};
