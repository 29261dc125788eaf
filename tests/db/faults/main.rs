//! Loads that are disturbed in every way an operator may meet, and what is left of them.

#[path = "../../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the other test programs share")]
mod support;

#[path = "../../support/faults/mod.rs"]
mod faults;

mod atomic;
mod bulk;
mod cases;
mod connections;
mod disks;
mod failpoints;
mod killed;
mod library;
mod people;
mod servers;
