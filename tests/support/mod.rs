//! What the tests of the whole program share: a PostgreSQL server of their own, and the program to run.
//!
//! Tests that need no database declare `process` alone (`#[path = "../support/process.rs"]`).

mod process;
mod server;

pub(crate) use process::{binary, run};
pub(crate) use server::{Database, database, server};
