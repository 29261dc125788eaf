//! What the collector hears.

use super::{checked::CheckedChunk, end::Signal};
use crate::{
    input::{InputError, SourceDigest},
    load::LaneEvent,
    runs::RunError,
};

pub(super) enum Event {
    Checked(Box<CheckedChunk>),
    Lane(LaneEvent),
    LaneEnded(Result<(), RunError>),
    InputEnded {
        digests: Vec<SourceDigest>,
        /// Whether all that earlier attempts had read is in the input.
        is_verified: bool,
        error: Option<InputError>,
    },
    /// Where several are read at the same time.
    SourceEnded(SourceEnd),
    /// What is waited for.
    Notice(String),
    Stop(Signal),
    /// Something besides the lanes has failed.
    Failed(RunError),
    /// A worker or a lane panicked.
    Panicked,
}

/// A source that was read to its end, or to where it can't be read on.
pub(super) struct SourceEnd {
    pub(super) source: usize,
    /// How many it has.
    pub(super) chunks: u64,
    /// Its own, where it was read to its end.
    pub(super) digests: Vec<SourceDigest>,
    pub(super) error: Option<InputError>,
}
