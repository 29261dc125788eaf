//! From lane parts to the four tables, exactly once: composes sessions and what the ledger knows of runs.
//!
//! A lane loads its documents in input order, a batch a transaction, and moves its watermark in the ledger in the same
//! transaction. A crash leaves whole batches, never a part of a document, and watermarks that say which; what became
//! of a document is certain once its transaction is committed.

mod abandon;
mod begin;
mod begin_of_plan;
pub(crate) mod bulk;
mod check;
mod contents;
mod control;
mod foresee;
mod lane;
mod merge;
mod own_session;
mod row_changes;

pub(crate) use abandon::{Abandoned, abandon};
pub(crate) use begin::{BegunRun, NewRun};
pub(crate) use begin_of_plan::NewOfPlan;
pub(crate) use check::check_sessions;
pub(crate) use control::{Control, ControlError};
pub(crate) use foresee::{ForeseeContext, Foreseen, run_foreseeing_lane};
pub(crate) use lane::{
    BatchLimits, LaneContext, LaneEvent, LaneInput, LaneWork, Settled, Stop, Stopping, run_lane,
};
pub(crate) use merge::OnClash;
