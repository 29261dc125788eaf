//! What disturbs a load, in ways that prove that they did: a proxy that fails connections at a message, a
//! server that stops, a disk that fills; and the judge of what a disturbed load has left.

mod exactly_once;
mod input;
mod loader;
mod proxy;
mod server_control;
mod small_disk;

pub(crate) use exactly_once::Case;
pub(crate) use loader::{Ended, INPUT, Loader};
pub(crate) use proxy::{Action, Fault, Moment, Proxy, Refusal, Side};
pub(crate) use server_control::Stop;
pub(crate) use small_disk::SmallDisk;
