//! The strategy `bulk`: empty tables are filled without their indexes, unique constraints and foreign keys, which
//! are brought back afterwards, all at once and in parallel.
//!
//! What comes off is written to the ledger, as the statements that bring it back, in the transaction that takes
//! it off; each of these statements is marked as done in the transaction that does it. So a crash at any moment
//! leaves tables of which the ledger knows all that they lack, and `load` or `runs abandon` brings it back.

mod copy;
mod off;
mod plan;
mod restore;
mod seen;

pub(super) use copy::{BulkBatch, CopySql, copy_documents};
pub use off::{Obstacle, Taken};
pub(super) use off::{obstacle, take_off};
pub use restore::{PendingStep, RestoreProgress, Restoring, analyze, pending, restore, restore_alone};
pub(super) use seen::SeenIds;
