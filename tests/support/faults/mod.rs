//! What disturbs a load, in ways that prove that they did: a proxy that fails connections at a message, a
//! server that stops, a disk that fills; and the judge of what a disturbed load has left.

mod exactly_once;
mod fault_class;
mod input;
mod loader;
mod proxy;
mod server_control;
mod small_disk;

pub(crate) use exactly_once::{Case, Shape};
pub(crate) use fault_class::FaultClass;
pub(crate) use loader::{Ended, INPUT, Loader, load_command};
pub(crate) use proxy::{Action, Counts, Fault, Moment, Proxy, Refusal, Side};
pub(crate) use server_control::Stop;
pub(crate) use small_disk::SmallDisk;
