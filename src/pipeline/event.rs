//! What the collector hears.

use super::{check::CheckedChunk, end::Signal};
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
    /// What is waited for.
    Notice(String),
    Stop(Signal),
    /// Something besides the lanes has failed.
    Failed(RunError),
    /// A worker or a lane panicked.
    Panicked,
}
