//! A lane: its documents in input order, over one session at a time.

mod atomic;
mod batches;
mod context;
#[expect(clippy::module_inception, reason = "the lane itself, beside what it needs")]
mod lane;
mod packs;
mod pending;
mod refused;
mod replay;
mod stop;
mod transaction;
mod wait;

use std::sync::Arc;

pub(crate) use context::{BatchLimits, LaneContext, LaneEvent, LaneInput, LaneWork, Settled};
pub(crate) use stop::{Stop, Stopping};
pub(super) use wait::wait_after;

use crate::runs::RunError;
use lane::Lane;

/// Loads parts until there are no more; reports each, in order, once it is decided and committed. After a stop it
/// finishes its transaction, if that does not take too long, and reports the rest without having loaded it.
pub(crate) async fn run_lane(
    context: Arc<LaneContext>,
    input: LaneInput,
    report: impl Fn(LaneEvent) + Send + Sync,
) -> Result<(), RunError> {
    let LaneInput { state, parts, verified, stop } = input;
    let lane = Lane::new(&context, state, verified, stop, &report);
    if context.atomic { atomic::run(lane, parts).await } else { batches::run(lane, parts).await }
}
