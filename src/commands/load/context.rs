//! What all phases of an attempt at a run share.

use std::sync::Arc;

use super::LoadRequest;
use crate::{
    commands::{runtime::CommandRuntime, signals::Signals},
    load::{BatchLimits, LaneContext},
    pipeline::{BATCH_CHUNKS, Lanes},
    postgres::Target,
    runs::{Run, SessionRole},
    session::{SessionPool, SessionSettings, Watch},
    settings::Strategy,
};

#[derive(Clone, Copy)]
pub(super) struct AttemptContext<'a> {
    pub(super) request: LoadRequest<'a>,
    pub(super) target: &'a Target,
    pub(super) runtime: &'a CommandRuntime,
    pub(super) signals: &'a Signals,
    pub(super) run: &'a Run,
}

impl AttemptContext<'_> {
    /// What the lanes of one phase share; their sessions are made as they are needed.
    pub(super) fn lane_context(self, strategy: Strategy, watch: &Arc<Watch>) -> Arc<LaneContext> {
        let settings = self.request.settings;
        let kind = match strategy {
            Strategy::Bulk => SessionSettings::Fill,
            Strategy::Merge if settings.atomic => SessionSettings::MergeAtomic,
            Strategy::Merge => SessionSettings::Merge,
        };
        let target = self.target.named(&self.run.application_name(SessionRole::Lane));
        let size = settings.connections.min(self.run.lanes.len());
        let sessions = SessionPool::new(&target, kind, size);
        let limits = BatchLimits { cost_bytes: settings.batch_bytes, chunks: BATCH_CHUNKS };
        let db_wait = settings.timeouts.db_wait;
        Arc::new(LaneContext::new(self.run, strategy, sessions, Arc::clone(watch), limits, db_wait))
    }

    pub(super) fn lanes(self, context: Arc<LaneContext>, run: Run) -> Lanes {
        let settings = self.request.settings;
        Lanes { context, run, batch_bytes: settings.batch_bytes, stop_within: settings.timeouts.stop }
    }
}
