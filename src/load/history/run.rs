//! A run as it is told: the ledger's rows as plain values, which JSON is made of.

use std::{fmt, time::SystemTime};

use serde::Serialize;
use tokio_postgres::Row;

use crate::{migrate::MigrateError, report::RowCounts};

/// The ledger's words, but for one: what the ledger has as running without a loader at work on it is `Killed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Killed,
    Interrupted,
    Failed,
    Complete,
    CompleteWithRejects,
    RejectLimit,
    Abandoned,
}

impl RunState {
    /// Whether the same command goes on with the run.
    pub fn can_resume(self) -> bool {
        matches!(self, Self::Killed | Self::Interrupted | Self::Failed)
    }

    /// None where it is a word that no release has written.
    fn of(word: &str, is_at_work: bool) -> Option<Self> {
        Some(match word {
            "running" if is_at_work => Self::Running,
            "running" => Self::Killed,
            "interrupted" => Self::Interrupted,
            "failed" => Self::Failed,
            "complete" => Self::Complete,
            "complete_with_rejects" => Self::CompleteWithRejects,
            "reject_limit" => Self::RejectLimit,
            "abandoned" => Self::Abandoned,
            _ => return None,
        })
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Killed => "interrupted (killed)",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Complete => "complete",
            Self::CompleteWithRejects => "complete with rejects",
            Self::RejectLimit => "reject limit",
            Self::Abandoned => "abandoned",
        })
    }
}

/// A run as the ledger has it. Times are the server's, in RFC 3339.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub id: i64,
    pub state: RunState,
    pub can_resume: bool,
    pub settings: RunSettings,
    pub attempts: i32,
    pub started_at: String,
    /// When the last attempt began.
    pub attempted_at: String,
    pub ended_at: Option<String>,
    pub started_by: String,
    /// Where the last attempt came from; none over a unix socket.
    pub host: Option<String>,
    pub inputs: Vec<RunInput>,
    pub documents: RunDocuments,
    /// What is committed.
    pub load: Committed,
    pub failure: Option<String>,
}

/// What shaped the result.
#[derive(Debug, Clone, Serialize)]
pub struct RunSettings {
    pub db_schema: String,
    pub strategy: String,
    pub atomic: bool,
    pub on_existing: String,
    pub json_schema_sha256: String,
    pub lanes: i32,
    pub tool_version: String,
    /// What the input is recognised by: so many bytes at its beginning, and their digest.
    pub head_bytes: i64,
    pub head_digest: String,
}

/// Bytes and digest of a source that was read to its end.
#[derive(Debug, Clone, Serialize)]
pub struct RunInput {
    pub source: String,
    pub bytes: Option<i64>,
    pub digest: Option<String>,
}

/// As of the end of the last attempt; unknown after one that was killed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct RunDocuments {
    pub read: Option<i64>,
    pub accepted: Option<i64>,
    pub rejected: Option<i64>,
}

/// Documents that are settled, and rows written for them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Committed {
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    /// By the server: those that fail the checks before it are not counted here.
    pub rejected: u64,
    pub rows: RowCounts,
}

/// How far a lane has come.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    pub lane: i32,
    pub attempt: i32,
    /// None before its first commit.
    pub watermark: Option<LaneWatermark>,
    pub committed_at: Option<String>,
    pub load: Committed,
}

#[derive(Debug, Clone, Serialize)]
pub struct LaneWatermark {
    /// Which of the inputs, from 0.
    pub source: i32,
    /// In the decompressed source.
    pub byte_offset: i64,
    pub digest: String,
}

pub(super) fn run(row: &Row) -> Result<Run, MigrateError> {
    let word: String = row.get("state");
    let state = RunState::of(&word, row.get("is_at_work")).ok_or_else(|| {
        let id: i64 = row.get("id");
        MigrateError::LedgerDamaged(format!("run {id} is in a state that no release has written"))
    })?;
    let names: Vec<String> = row.get("input_names");
    let bytes: Vec<Option<i64>> = row.get("input_bytes");
    let digests: Vec<Option<String>> = row.get("input_digests");
    let inputs = names.into_iter().zip(bytes).zip(digests);
    Ok(Run {
        id: row.get("id"),
        state,
        can_resume: state.can_resume(),
        settings: settings(row),
        attempts: row.get("attempts"),
        started_at: time(row.get("started_at")),
        attempted_at: time(row.get("attempted_at")),
        ended_at: row.get::<_, Option<_>>("ended_at").map(time),
        started_by: row.get("started_by"),
        host: row.get("host"),
        inputs: inputs.map(|((source, bytes), digest)| RunInput { source, bytes, digest }).collect(),
        documents: RunDocuments {
            read: row.get("documents_read"),
            accepted: row.get("documents_accepted"),
            rejected: row.get("documents_rejected"),
        },
        load: committed(row),
        failure: row.get("failure"),
    })
}

fn settings(row: &Row) -> RunSettings {
    RunSettings {
        db_schema: row.get("db_schema"),
        strategy: row.get("strategy"),
        atomic: row.get("atomic"),
        on_existing: row.get("on_existing"),
        json_schema_sha256: row.get("json_schema_sha256"),
        lanes: row.get("lanes"),
        tool_version: row.get("tool_version"),
        head_bytes: row.get("head_bytes"),
        head_digest: row.get("head_digest"),
    }
}

pub(super) fn lane(row: &Row) -> Lane {
    let source: Option<i32> = row.get("source");
    Lane {
        lane: row.get("lane"),
        attempt: row.get("attempt"),
        watermark: source.map(|source| LaneWatermark {
            source,
            byte_offset: row.get("byte_offset"),
            digest: row.get("digest"),
        }),
        committed_at: row.get::<_, Option<_>>("committed_at").map(time),
        load: committed(row),
    }
}

fn committed(row: &Row) -> Committed {
    let count = |column: &str| count(row.get(column));
    Committed {
        inserted: count("inserted"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        skipped: count("skipped"),
        rejected: count("rejected"),
        rows: RowCounts {
            customer_profiles: count("profile_rows"),
            customer_profile_addresses: count("address_rows"),
            customer_profile_emails: count("email_rows"),
            customer_profile_phone_numbers: count("phone_number_rows"),
        },
    }
}

/// Negative only where somebody else wrote it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
