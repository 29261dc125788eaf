//! Cases that other people's programs met, tried on this one: a table for each kind, and adding a case is one row.
//!
//! A row has the address of the public report that it comes from, what is given, and the answer that was decided.

#[path = "../support/process.rs"]
mod process;

mod cures;
mod inputs;
mod json_torture;
mod processes;
mod settings;
mod streams;
