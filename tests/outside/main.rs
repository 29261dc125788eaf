//! Inputs and environments that other people's programs met: each a row of a table, with the address of the public report
//! that it comes from and the answer that was decided.

#[path = "../support/process.rs"]
mod process;

mod processes;
