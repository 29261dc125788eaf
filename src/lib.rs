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
//! [`validate()`] and [`load()`] do what the commands of that name do, return a report and print nothing;
//! `examples/validate_and_load.rs` uses both. Everything else in here is the program's own.

// In reading order: each module uses only those above it.
mod bound;

mod failpoint;

mod path_text;

mod read_file;

pub mod settings;

use profile_loader_document as document;

mod input;

mod tables;

mod rows;

mod map;

mod report;

mod plan;

mod postgres;

mod migrate;

mod session;

mod runs;

mod load;

mod console;

mod progress;

mod pipeline;

mod commands;

mod facade;

mod cli;

pub use commands::{Database, Failure, exit};
pub use facade::{load, validate};
pub use postgres::{Target, TargetError};
pub use report::{
    Baseline, Before, Change, ChoiceField, ColumnChanges, Combination, DocumentCounts, DryRun, Duplicates,
    ErrorGroup, Estimate, Exactness, FieldProfile, FixStep, Gone, Input, Lengths, LineCells, ListField,
    LoadReport, MapIdentity, MergeError, Moved, Outcome, PartShare, Place, PlanShare, ReadReportError,
    RejectFilesReport, RetryOf, RowCounts, RunReport, SampleLocation, SchemaIdentity, TableChanges,
    TextField, Throughput, Timeline, Tool,
};

use failpoint::failpoint;

/// What the program itself, its tests and benches need of the inside; it may change with any release.
#[doc(hidden)]
pub mod internals {
    pub use crate::{
        cli::{Cli, Refused},
        console::Console,
        map::is_mapping,
    };

    pub mod document {
        pub use crate::document::{
            BUILT_IN_SCHEMA, DocumentSchema, Fault, PhoneNumber, PostalAddress, Profile, Scratch, check,
            check_in, check_in_full, check_ordinary, is_blank,
        };
    }

    pub mod input {
        pub use crate::input::{
            Chunk, ChunkReader, InputError, LINE_BYTES_MAX, Piece, RemoteFault, Section, Source, Survey,
            SurveyedSection, Watermark, survey,
        };
    }

    #[cfg(feature = "fuzzing")]
    pub mod report {
        pub use crate::report::fuzzing;
    }

    pub mod rows {
        pub use crate::rows::{
            COPY_HEADER, COPY_TRAILER, LanePart, RowForm, StagedRow, TableRows, encode_staged, rows_in,
            with_id,
        };
    }

    pub mod postgres {
        #[cfg(feature = "fuzzing")]
        pub use crate::postgres::fuzzing;
        pub use crate::postgres::{LocalServer, LocalServerError};
    }

    pub mod migrate {
        pub use crate::migrate::*;
    }

    pub mod runs {
        pub use crate::runs::target_lock;
    }
}
