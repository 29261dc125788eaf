//! The strategy `bulk`: empty tables are filled without their indexes, unique constraints and foreign keys, which are
//! restored afterwards, in parallel.
//!
//! What is dropped is written to the ledger, as the statements that restore it, in the transaction that drops it; each
//! of these statements is marked as done in the transaction that does it. So a crash at any moment leaves tables of
//! which the ledger knows all that they lack, and `load` or `runs abandon` restores it.

mod batch;
mod copy;
mod drop;
mod id_filter;
mod ids;
mod plan;
mod refused;
mod restore;
mod restore_fix;

pub(crate) use batch::{BulkBatch, BulkPart};
pub(crate) use copy::{BulkCopy, CopySql};
pub(crate) use drop::{DroppedDdl, Obstacle, drop_ddl, insert_triggers, lock_holders, lock_tables, obstacle};
pub(crate) use id_filter::IdFilter;
pub(crate) use ids::{FirstIds, IdBlocks};
pub(crate) use restore::{RestoreProgress, Restoring, restore, restore_alone, vacuum};
