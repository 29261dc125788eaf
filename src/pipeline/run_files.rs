//! Where a run writes customers' documents.

use super::deferral::Deferral;
use crate::{plan::BlockWriter, report::RejectFiles};

/// Each where it is wanted.
#[derive(Debug, Default)]
pub(crate) struct RunFiles {
    pub rejects: Option<RejectFiles>,
    pub deferral: Deferral,
    /// For accepted documents, where their parts are chosen.
    pub blocks: Option<BlockWriter>,
}
