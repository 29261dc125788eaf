//! What a load would do, without doing it: documents are compared with what is stored and with those before them in the
//! input, and nothing is written.
//!
//! The same id always comes to the same lane, in input order, so a lane knows what the documents before would have left
//! of a profile. Sessions are read-only by their own setting: the server refuses whatever would write.

mod context;
mod decide;
mod lane;
mod remembered;

pub(crate) use context::ForeseeContext;
pub(crate) use decide::Foreseen;
pub(crate) use lane::run_foreseeing_lane;
