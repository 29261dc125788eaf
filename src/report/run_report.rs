//! The report of a run, format 1; the terminal summary is drawn from it, and so is every other form.

use serde::Serialize;

use super::{FaultGroup, SourceLocation, Tally};
use crate::tables::Table;

/// Format number of [`RunReport`]; fields are only ever added under one number.
const FORMAT: u32 = 1;

#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    pub format: u32,
    pub tool: Tool,
    /// `validate` or `load`.
    pub command: &'static str,
    pub run_id: Option<i64>,
    pub outcome: Outcome,
    pub exit_code: u8,
    /// Why the run stopped before its end, without values.
    pub failure: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub elapsed_seconds: f64,
    pub schema: SchemaIdentity,
    pub inputs: Vec<Input>,
    pub documents: DocumentCounts,
    pub load: Option<LoadReport>,
    pub errors: Vec<ErrorGroup>,
    /// Faults beyond the groups that are kept; 0 unless a schema has hundreds of rules.
    pub errors_not_listed: u64,
    pub rejects: Option<RejectFilesReport>,
    pub throughput: Throughput,
}

#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    pub name: &'static str,
    pub version: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Complete,
    CompleteWithRejects,
    RejectLimit,
    Failed,
    Interrupted,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Complete, Self::CompleteWithRejects, Self::RejectLimit, Self::Failed, Self::Interrupted];

    /// As reports and the ledger have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::CompleteWithRejects => "complete_with_rejects",
            Self::RejectLimit => "reject_limit",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// None where it is the name of none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether the run is over; one that is not can be resumed.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteWithRejects | Self::RejectLimit)
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct SchemaIdentity {
    /// `built-in`, or the file's path.
    pub source: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Input {
    pub source: String,
    /// Decompressed bytes; `null` for a source that was not read to its end.
    pub bytes: Option<u64>,
    pub documents: u64,
    /// `blake3:` and the hash of the decompressed bytes, in hexadecimal.
    pub digest: Option<String>,
}

/// read = accepted + rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DocumentCounts {
    pub read: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Lines without a document.
    pub blank: u64,
}

/// accepted + settled_earlier = inserted + updated + unchanged + skipped + not_loaded + unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    pub strategy: &'static str,
    pub connections: usize,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    /// Accepted, but the run stopped before their transaction; 0 in a run that came to its end.
    pub not_loaded: u64,
    /// Accepted, and their COMMIT was sent and not answered before the run stopped: they are loaded or not, and the same
    /// command finds out; 0 in a run that came to its end.
    pub unknown: u64,
    /// Settled by an earlier attempt, which this one stopped before reading again; 0 in a run that came to its end.
    pub settled_earlier: u64,
    pub rows: RowCounts,
}

/// Rows written: inserted, updated or deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    pub customer_profiles: u64,
    pub customer_profile_addresses: u64,
    pub customer_profile_emails: u64,
    pub customer_profile_phone_numbers: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ErrorGroup {
    pub code: String,
    pub pointer: String,
    pub schema_path: String,
    pub message: String,
    pub count: u64,
    pub documents: u64,
    pub only_fault_of: u64,
    pub samples: Vec<SampleLocation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleLocation {
    pub source: String,
    pub line: u64,
    pub byte_offset: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct RejectFilesReport {
    pub documents: String,
    pub errors: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Throughput {
    pub documents_per_second: f64,
    pub bytes_per_second: f64,
}

impl RunReport {
    pub const FORMAT: u32 = FORMAT;

    /// Checks what has to add up; a failure is a bug of ours, and no report is better than a wrong one.
    pub fn assert_adds_up(&self) {
        let documents = &self.documents;
        assert_eq!(documents.read, documents.accepted + documents.rejected, "read documents add up");
        let of_inputs: u64 = self.inputs.iter().map(|input| input.documents).sum();
        assert_eq!(documents.read, of_inputs, "the sources' documents add up");
        if let Some(load) = &self.load {
            let settled =
                load.inserted + load.updated + load.unchanged + load.skipped + load.not_loaded + load.unknown;
            assert_eq!(documents.accepted + load.settled_earlier, settled, "accepted documents add up");
        }
    }
}

impl RowCounts {
    /// In the order of [`Table::ALL`].
    pub(crate) fn of_tables(rows: [u64; Table::ALL.len()]) -> Self {
        let [
            customer_profiles,
            customer_profile_addresses,
            customer_profile_emails,
            customer_profile_phone_numbers,
        ] = rows;
        Self {
            customer_profiles,
            customer_profile_addresses,
            customer_profile_emails,
            customer_profile_phone_numbers,
        }
    }

    pub fn add(&mut self, other: Self) {
        self.customer_profiles += other.customer_profiles;
        self.customer_profile_addresses += other.customer_profile_addresses;
        self.customer_profile_emails += other.customer_profile_emails;
        self.customer_profile_phone_numbers += other.customer_profile_phone_numbers;
    }

    pub fn total(self) -> u64 {
        self.customer_profiles
            + self.customer_profile_addresses
            + self.customer_profile_emails
            + self.customer_profile_phone_numbers
    }
}

impl DocumentCounts {
    pub fn of(tally: &Tally) -> Self {
        Self { read: tally.read, accepted: tally.accepted, rejected: tally.rejected, blank: tally.blank }
    }
}

impl ErrorGroup {
    /// `names` are the sources' names in the order of their indices.
    pub fn of(group: FaultGroup, names: &[String]) -> Self {
        let place = |place: &SourceLocation| SampleLocation {
            source: names[place.source].clone(),
            line: place.line,
            byte_offset: place.byte_offset,
        };
        Self {
            code: group.code.into_owned(),
            pointer: group.pointer,
            schema_path: group.schema_path,
            message: group.message,
            count: group.count,
            documents: group.documents,
            only_fault_of: group.only_fault_of,
            samples: group.samples.iter().map(place).collect(),
        }
    }
}

impl Throughput {
    #[expect(clippy::cast_precision_loss, reason = "rates are shown to a few digits")]
    pub fn of(documents: u64, bytes: u64, elapsed_seconds: f64) -> Self {
        let seconds = elapsed_seconds.max(1e-9);
        Self { documents_per_second: documents as f64 / seconds, bytes_per_second: bytes as f64 / seconds }
    }
}
