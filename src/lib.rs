//! Brings NDJSON customer documents into PostgreSQL.
//!
//! ```text
//! bytes -> Chunk -> Document -> Profile | Rejection -> lane parts (COPY bytes) -> transaction -> Tally -> report
//! reader   (rayon workers, CPU only)                   (tokio, one lane a connection)
//! ```
//!
//! Two promises: every input line is accounted for exactly once (inserted, updated, unchanged, skipped,
//! rejected or blank), and a document that `validate` accepts, `load` inserts.
//!
//! The modules in reading order; each uses only what stands above it.

mod failpoint;

pub mod settings;

pub mod input;

pub mod document;

pub mod rows;

pub mod report;

pub mod postgres;

pub mod migrate;

pub mod load;

pub mod console;

pub mod progress;

pub mod pipeline;

pub mod commands;

pub mod cli;

use failpoint::failpoint;
