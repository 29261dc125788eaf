//! What disturbs a load, in ways that prove that they did: a proxy that fails connections at a message, a
//! server that stops, a disk that fills; and the judge of what a disturbed load has left.

mod exactly_once;
mod fault_class;
mod input;
mod loader;
mod name_server;
mod outcome;
mod piped_input;
mod proxy;
mod role;
mod server_control;
mod small_disk;
mod standby;

pub(crate) use exactly_once::{Case, Shape};
pub(crate) use fault_class::FaultClass;
pub(crate) use loader::{Ended, INPUT, LOOK_EVERY, Loader, load_command};
pub(crate) use name_server::{Answer, NameServer};
pub(crate) use outcome::{Outcome, run_states};
pub(crate) use piped_input::PipedInput;
pub(crate) use proxy::{Action, Counts, Fault, Moment, Proxy, Refusal, Side};
pub(crate) use role::Role;
pub(crate) use server_control::Stop;
pub(crate) use small_disk::SmallDisk;
pub(crate) use standby::{Standby, make_alone, make_synchronous, watermarks};
