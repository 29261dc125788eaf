//! What all phases of an attempt at a run share.

use std::sync::Arc;

use super::request::LoadRequest;
use crate::{
    commands::{runtime::CommandRuntime, signals::Signals},
    load::{BatchLimits, LaneContext, LaneWork, OnClash},
    pipeline::{BATCH_CHUNKS, Lanes, LanesWork},
    plan::Plan,
    postgres::Target,
    runs::{Confirmed, Run, SessionRole},
    session::{SessionPool, SessionSettings, Watch},
    settings::{LoadSettings, Strategy},
};

#[derive(Clone, Copy)]
pub(super) struct AttemptContext<'a> {
    pub(super) request: LoadRequest<'a>,
    pub(super) target: &'a Target,
    pub(super) runtime: &'a CommandRuntime,
    pub(super) signals: &'a Signals,
    pub(super) run: &'a Run,
    /// Of a run that loads some of it.
    pub(super) plan: Option<&'a Plan>,
}

/// What lanes load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Input,
    /// Once the input is loaded.
    Deferred(Confirmed),
}

impl AttemptContext<'_> {
    /// What the lanes of one phase share; their sessions are made as they are needed.
    pub(super) fn lane_context(self, phase: Phase, watch: &Arc<Watch>) -> Arc<LaneContext> {
        let settings = self.request.settings;
        let strategy = match phase {
            Phase::Input => self.run.lane_strategy(),
            Phase::Deferred(_) => Strategy::Merge,
        };
        let kind = match strategy {
            Strategy::Bulk => SessionSettings::Fill,
            Strategy::Merge if settings.atomic => SessionSettings::MergeAtomic,
            Strategy::Merge => SessionSettings::Merge,
        };
        let target = self.target.named(&self.run.application_name(SessionRole::Lane));
        let size = settings.connections.min(self.run.lanes.len());
        let sessions = SessionPool::new(&target, kind, size);
        let limits = BatchLimits { cost_bytes: self.batch_bytes(phase), chunks: BATCH_CHUNKS };
        let db_wait = settings.timeouts.db_wait;
        let on_clash = match phase {
            Phase::Input if self.run.plan.defers => OnClash::Defer,
            _ if self.run.plan.in_order => OnClash::Decide,
            _ => OnClash::Reject,
        };
        let confirmed = match phase {
            Phase::Input => None,
            Phase::Deferred(confirmed) => Some(confirmed),
        };
        let work = LaneWork { strategy, on_clash, confirmed };
        Arc::new(LaneContext::new(self.run, work, sessions, Arc::clone(watch), limits, db_wait))
    }

    /// Documents that take over from each other what only one may have are decided together, if a batch holds them all.
    fn batch_bytes(self, phase: Phase) -> usize {
        let of_settings = self.request.settings.batch_bytes;
        match phase {
            Phase::Deferred(_) if self.run.plan.in_order => of_settings.max(LoadSettings::BATCH_BYTES),
            Phase::Input | Phase::Deferred(_) => of_settings,
        }
    }

    pub(super) fn lanes(self, phase: Phase, context: Arc<LaneContext>, run: Run) -> Lanes {
        let settings = self.request.settings;
        Lanes {
            work: LanesWork::Load(context),
            earlier: run.counts(),
            is_atomic: run.key.atomic,
            states: run.lanes,
            batch_bytes: self.batch_bytes(phase),
            stop_within: settings.timeouts.stop,
        }
    }
}
