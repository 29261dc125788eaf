//! Runs: what the ledger knows of them, the lock on their target, and what they count.
//!
//! A run is what one input, loaded with one set of settings, comes to, in however many attempts.

mod confirmed;
mod counts;
mod ddl;
mod error;
pub(crate) mod etags;
pub(crate) mod history;
mod lane_row;
pub(crate) mod ledger;
mod pace;
pub(crate) mod parts;
pub(crate) mod plan;
mod rejected;
mod run;
pub mod target_lock;

pub(crate) use confirmed::Confirmed;
pub(crate) use counts::LoadCounts;
pub(crate) use counts::Verdict;
pub(crate) use ddl::{PendingStep, missing_tables, pending_steps};
pub(crate) use error::RunError;
pub(crate) use error::{failed, within};
pub(crate) use lane_row::LaneState;
pub(crate) use pace::{Pace, paces};
pub(crate) use parts::{OfPlan, PartRange, PlanRun};
pub(crate) use plan::RunPlan;
pub(crate) use run::{
    Ending, InputIdentity, Run, RunKey, RunSource, SessionRole, UnfinishedRun, split_rules,
};
