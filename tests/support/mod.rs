//! What the tests of the whole program share: a PostgreSQL server of their own, and the program to run.
//!
//! Tests that need no database declare `process` alone (`#[path = "../support/process.rs"]`).

mod catalog;
mod full;
mod loading;
mod mutate;
pub(crate) mod pooler;
mod process;
mod reading;
pub(crate) mod report_schema;
pub(crate) mod server;
mod tables;

pub(crate) use catalog::{catalog, catalog_differences};
pub(crate) use full::make_full;
pub(crate) use loading::{
    Run, Store, document_lines, generate, line_number, ndjson, run_with_stdin, surviving,
};
pub(crate) use mutate::{Random, mutate};
pub(crate) use process::{Output, binary, run};
pub(crate) use reading::assert_stored;
pub(crate) use server::{Database, TestServer, database, server};
pub(crate) use tables::{Tables, digests, physical_rows, texts, tuples_written};
