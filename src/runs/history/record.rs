//! A run as it is shown: the ledger's rows as plain values, which JSON is made of.

use std::{fmt, time::SystemTime};

use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    migrate::MigrateError,
    report::{Outcome, RowCounts},
    runs::{counts::ROW_COLUMNS, split_rules},
};

/// How a run stands. What the ledger has as running without a loader at work on it is `Killed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum RunState {
    Open(OpenState),
    Ended(Outcome),
}

/// Of a run that has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpenState {
    Running,
    Killed,
    Abandoned,
}

impl RunState {
    pub(crate) const RUNNING: Self = Self::Open(OpenState::Running);

    /// Whether the same command resumes the run.
    pub(crate) fn can_resume(self) -> bool {
        match self {
            Self::Open(state) => state == OpenState::Killed,
            Self::Ended(outcome) => !outcome.is_final(),
        }
    }

    /// None where it is a state that no release has written.
    fn of(name: &str, is_at_work: bool) -> Option<Self> {
        Some(match name {
            "running" if is_at_work => Self::Open(OpenState::Running),
            "running" => Self::Open(OpenState::Killed),
            "abandoned" => Self::Open(OpenState::Abandoned),
            name => Self::Ended(Outcome::of_name(name)?),
        })
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(OpenState::Running) => f.pad("running"),
            Self::Open(OpenState::Killed) => f.pad("interrupted (killed)"),
            Self::Open(OpenState::Abandoned) => f.pad("abandoned"),
            Self::Ended(outcome) => f.pad(&outcome.name().replace('_', " ")),
        }
    }
}

/// A run as the ledger has it. Times are the server's, in RFC 3339.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunRecord {
    pub id: i64,
    pub state: RunState,
    pub can_resume: bool,
    pub settings: RecordedSettings,
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
    pub load: CommittedCounts,
    pub failure: Option<String>,
    /// Which plan it loads, until that is abandoned or begun anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRecord>,
}

/// The plan of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PlanRecord {
    pub digest: String,
    /// The number of the plan's own run.
    pub run: i64,
    /// None of the plan's own run.
    pub part: Option<u32>,
}

/// What shaped the result.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RecordedSettings {
    pub db_schema: String,
    pub strategy: String,
    pub atomic: bool,
    pub on_existing: String,
    pub json_schema_sha256: String,
    pub map_sha256: Option<String>,
    pub lanes: i32,
    pub tool_version: String,
    /// What the input is recognised by: so many bytes at its beginning, and their digest.
    pub head_bytes: i64,
    pub head_digest: String,
}

/// Bytes and digest of a source that was read to its end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunInput {
    pub source: String,
    pub bytes: Option<i64>,
    pub digest: Option<String>,
    /// What its server calls the version that was read, of inputs over the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// As of the end of the last attempt; unknown after one that was killed.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct RunDocuments {
    pub read: Option<i64>,
    pub accepted: Option<i64>,
    pub rejected: Option<i64>,
    /// Of which a map made nothing: what is left of those read.
    pub dropped: Option<i64>,
}

/// Documents that are committed, and rows written for them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct CommittedCounts {
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
pub(crate) struct LaneRecord {
    pub lane: i32,
    pub attempt: i32,
    /// None before its first commit.
    pub watermark: Option<LaneWatermark>,
    pub committed_at: Option<String>,
    pub load: CommittedCounts,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct LaneWatermark {
    /// Which of the inputs, from 0.
    pub source: i32,
    /// In the decompressed source.
    pub byte_offset: i64,
    pub digest: String,
}

pub(super) fn run(row: &Row) -> Result<RunRecord, MigrateError> {
    let name: String = row.get("state");
    let state = RunState::of(&name, row.get("is_at_work")).ok_or_else(|| {
        let id: i64 = row.get("id");
        MigrateError::LedgerDamaged(format!("run {id} is in a state that no release has written"))
    })?;
    let names: Vec<String> = row.get("input_names");
    let bytes: Vec<Option<i64>> = row.get("input_bytes");
    let digests: Vec<Option<String>> = row.get("input_digests");
    let inputs = names.into_iter().zip(bytes).zip(digests);
    Ok(RunRecord {
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
        inputs: inputs
            .map(|((source, bytes), digest)| RunInput { source, bytes, digest, etag: None })
            .collect(),
        documents: documents(row),
        load: committed(row),
        failure: row.get("failure"),
        plan: None,
    })
}

/// Says of a run that it is of a plan. The plan's own has no loader at work on it, but its parts may have: until it is
/// finished it is running.
pub(super) fn set_plan(run: &mut RunRecord, row: &Row) {
    let part = u32::try_from(row.get::<_, i32>("part")).ok();
    if part.is_none() && run.state == RunState::Open(OpenState::Killed) {
        (run.state, run.can_resume) = (RunState::RUNNING, false);
    }
    run.plan = Some(PlanRecord { digest: row.get("plan"), run: row.get("whole"), part });
}

fn documents(row: &Row) -> RunDocuments {
    let [read, accepted, rejected]: [Option<i64>; 3] =
        ["documents_read", "documents_accepted", "documents_rejected"].map(|column| row.get(column));
    let dropped =
        read.zip(accepted).zip(rejected).map(|((read, accepted), rejected)| read - accepted - rejected);
    RunDocuments { read, accepted, rejected, dropped }
}

fn settings(row: &Row) -> RecordedSettings {
    let (schema, map) = split_rules(row.get("json_schema_sha256"));
    RecordedSettings {
        db_schema: row.get("db_schema"),
        strategy: row.get("strategy"),
        atomic: row.get("atomic"),
        on_existing: row.get("on_existing"),
        json_schema_sha256: schema.to_owned(),
        map_sha256: map.map(str::to_owned),
        lanes: row.get("lanes"),
        tool_version: row.get("tool_version"),
        head_bytes: row.get("head_bytes"),
        head_digest: row.get("head_digest"),
    }
}

pub(super) fn lane(row: &Row) -> LaneRecord {
    let source: Option<i32> = row.get("source");
    LaneRecord {
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

fn committed(row: &Row) -> CommittedCounts {
    let count = |column: &str| count(row.get(column));
    CommittedCounts {
        inserted: count("inserted"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        skipped: count("skipped"),
        rejected: count("rejected"),
        rows: RowCounts::of_tables(ROW_COLUMNS.map(count)),
    }
}

/// Negative only where somebody else wrote it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
