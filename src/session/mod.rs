//! Sessions with the server that last: how they are made and set up, watched, lost, and made again.
//!
//! Every connection of the program is made here. What an error means (whether it is worth another attempt, and
//! which exit code it comes to) follows from one table, `postgres::ErrorClass`.

mod connect;
mod error;
mod outage;
mod pool;
mod pooler;
mod retry;
mod settings;
mod watch;
mod wire;

pub(crate) use error::SessionError;
pub(crate) use outage::Outage;
pub(crate) use pool::{Client, LeasedSession, SessionPool};
pub(crate) use retry::Retries;
pub(crate) use settings::SessionSettings;
pub(crate) use watch::{Backend, Pulse, Watch};
pub(crate) use wire::{Ctid, Uuid};
