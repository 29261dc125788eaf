//! Loads that are disturbed in every way an operator may meet, and what is left of them.

#[path = "../../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what the other test programs share")]
mod support;

#[path = "../../support/faults/mod.rs"]
mod faults;

#[path = "../../support/http_server.rs"]
#[expect(dead_code, reason = "what the other test programs share")]
mod http_server;

mod atomic;
mod bulk;
mod cases;
mod connection_limits;
mod connections;
mod disks;
mod early_signals;
mod failover;
mod failpoints;
mod framings;
mod in_order;
mod killed;
mod library;
mod lock_regained;
mod mapped;
mod names;
mod network;
mod people;
mod pooler;
mod privileges;
mod refused_resume;
mod rejects_as_input;
mod role_limits;
mod servers;
mod silent;
mod unanswered_commits;
mod ways_out;
