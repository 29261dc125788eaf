//! What a run was asked to do, as checked plain values; knows neither the command line nor the environment.

mod network;

use std::{collections::BTreeMap, ffi::OsString, num::NonZeroUsize, path::PathBuf, thread, time::Duration};

pub use network::NetworkSettings;

use crate::path_text::path_text;

/// What stands between documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Line ends.
    Ndjson,
    /// What JSON has: they stand one after another, or in arrays, or behind the record separators of RFC 7464.
    Json,
}

/// Which framing inputs are to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramingRequest {
    /// The one that the first bytes of each have.
    Auto,
    Only(Framing),
}

/// How documents get into the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Into empty tables, whose indexes and foreign keys are off meanwhile.
    Bulk,
    /// Compared with what is stored.
    Merge,
}

/// Which strategy was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrategyRequest {
    /// Whichever suits the tables and the input.
    Auto,
    Only(Strategy),
}

impl Strategy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Merge => "merge",
        }
    }

    /// None where it is the name of none.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Bulk, Self::Merge].into_iter().find(|strategy| strategy.name() == name)
    }
}

/// What a document gets whose id is stored already, or came earlier in the input, with other contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    Reject,
    Skip,
    Update,
}

impl OnExisting {
    pub fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
            Self::Update => "update",
        }
    }

    /// None where it is the name of none.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Reject, Self::Skip, Self::Update].into_iter().find(|policy| policy.name() == name)
    }
}

/// How many rejected documents a run puts up with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RejectLimit {
    Unlimited,
    /// Stops at the first document beyond this many.
    Count(u64),
    /// Per cent of the documents read, looked at from [`RejectLimit::SHARE_FROM`] documents on and at the end.
    Percent(f64),
}

impl RejectLimit {
    /// Below this many documents a share says little.
    pub const SHARE_FROM: u64 = 1000;

    /// Whether a run that has come this far is to stop.
    pub fn is_exceeded(self, read: u64, rejected: u64) -> bool {
        read >= Self::SHARE_FROM && self.is_exceeded_at_end(read, rejected)
            || matches!(self, Self::Count(limit) if rejected > limit)
    }

    /// Whether a whole input has too many.
    #[expect(clippy::cast_precision_loss, reason = "a share of documents needs no 53 bits")]
    pub fn is_exceeded_at_end(self, read: u64, rejected: u64) -> bool {
        match self {
            Self::Unlimited => false,
            Self::Count(limit) => rejected > limit,
            Self::Percent(percent) => rejected as f64 * 100.0 > percent * read as f64,
        }
    }
}

/// How many rejected documents a run puts up with: of all kinds together, and of single kinds of faults.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectLimits {
    pub all: RejectLimit,
    pub of_kinds: Vec<KindLimit>,
}

/// How many documents with one kind of fault a run puts up with.
#[derive(Debug, Clone, PartialEq)]
pub struct KindLimit {
    /// `schema:format`
    pub code: String,
    /// As reports have it, array indices as `*`; none for all places.
    pub pointer: Option<String>,
    pub limit: RejectLimit,
}

impl RejectLimits {
    /// None but for all kinds together.
    pub fn of_all(all: RejectLimit) -> Self {
        Self { all, of_kinds: Vec::new() }
    }

    /// Whether a run that has come this far is to stop; `documents_of` tells how many have a kind of fault.
    pub fn is_exceeded(
        &self,
        read: u64,
        rejected: u64,
        documents_of: impl Fn(usize, &KindLimit) -> u64,
    ) -> bool {
        let is_exceeded =
            |(index, kind): (usize, &KindLimit)| kind.limit.is_exceeded(read, documents_of(index, kind));
        self.all.is_exceeded(read, rejected) || self.of_kinds.iter().enumerate().any(is_exceeded)
    }

    /// Whether a whole input has too many.
    pub fn is_exceeded_at_end(
        &self,
        read: u64,
        rejected: u64,
        documents_of: impl Fn(usize, &KindLimit) -> u64,
    ) -> bool {
        let is_exceeded = |(index, kind): (usize, &KindLimit)| {
            kind.limit.is_exceeded_at_end(read, documents_of(index, kind))
        };
        self.all.is_exceeded_at_end(read, rejected) || self.of_kinds.iter().enumerate().any(is_exceeded)
    }
}

impl std::fmt::Display for RejectLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unlimited => f.write_str("none"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl std::fmt::Display for RejectLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.all.fmt(f)?;
        for KindLimit { code, pointer, limit } in &self.of_kinds {
            let place = pointer.as_ref().map(|pointer| format!(" {pointer}")).unwrap_or_default();
            write!(f, ", {code}{place}={limit}")?;
        }
        Ok(())
    }
}

/// A file of options that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigIdentity {
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What every run over documents is given.
#[derive(Debug, Clone)]
pub struct DocumentSettings {
    /// Files, patterns, URLs or `-`.
    pub inputs: Vec<OsString>,
    pub network: NetworkSettings,
    /// How documents are told apart in them.
    pub framing: FramingRequest,
    pub json_schema: Option<PathBuf>,
    /// A jq filter that makes the document out of each of the input's.
    pub map: Option<PathBuf>,
    /// Threads that check, at least 1; of several, one reads as well.
    pub jobs: usize,
    /// About how long a chunk is; at least 1.
    pub chunk_bytes: usize,
    pub max_rejects: RejectLimits,
    /// Whether a run that came to its end with rejected documents has exit code 0.
    pub accept_rejects: bool,
    /// A JSON report of an earlier run to compare with.
    pub baseline: Option<PathBuf>,
    /// Whether kinds of faults that the baseline does not have make the exit code 3.
    pub fail_on_new: bool,
    /// The folder of the reject files.
    pub rejects: Option<PathBuf>,
    /// Whether the report tells what the properties look like, which ids come more than once, and, where nothing is loaded,
    /// the inputs' digests; a load has these in any case.
    pub has_details: bool,
    /// The file that some of this comes from, for the report.
    pub config: Option<ConfigIdentity>,
}

impl DocumentSettings {
    /// These inputs, with everything else as the command line has it by default; nothing is kept of rejected documents.
    pub fn of(inputs: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            inputs: inputs.into_iter().map(Into::into).collect(),
            network: NetworkSettings::default(),
            framing: FramingRequest::Auto,
            json_schema: None,
            map: None,
            jobs: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            chunk_bytes: 1 << 20,
            max_rejects: RejectLimits::of_all(RejectLimit::Unlimited),
            accept_rejects: false,
            baseline: None,
            fail_on_new: false,
            rejects: None,
            has_details: true,
            config: None,
        }
    }
}

impl DocumentSettings {
    /// What shapes the result, by the names of the options.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::from([("max-rejects".to_owned(), self.max_rejects.to_string())]);
        let framing = match self.framing {
            FramingRequest::Auto => None,
            FramingRequest::Only(Framing::Ndjson) => Some("ndjson"),
            FramingRequest::Only(Framing::Json) => Some("json"),
        };
        told.extend(framing.map(|framing| ("framing".to_owned(), framing.to_owned())));
        told.extend(self.config.as_ref().map(|config| {
            let identity = format!("{} (sha256:{})", path_text(&config.path), config.sha256);
            ("config".to_owned(), identity)
        }));
        told
    }
}

impl Default for LoadSettings {
    /// As the command line has it.
    fn default() -> Self {
        Self {
            db_schema: "public".to_owned(),
            connections: 4,
            strategy: StrategyRequest::Auto,
            on_existing: OnExisting::Reject,
            missing_ddl: MissingDdl::Apply,
            atomic: false,
            resume: Resume::Auto,
            when_held: WhenHeld::Refuse,
            dry_run: false,
            rejects_table: false,
            batch_bytes: Self::BATCH_BYTES,
            timeouts: Timeouts::DEFAULT,
        }
    }
}

impl LoadSettings {
    /// What shapes the result, by the names of the options.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("db-schema".to_owned(), self.db_schema.clone()),
            ("on-existing".to_owned(), self.on_existing.name().to_owned()),
            ("atomic".to_owned(), self.atomic.to_string()),
        ])
    }

    /// About 40,000 documents of all lanes.
    pub const BATCH_BYTES: usize = 24 << 20;
}

/// What a load is given besides.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// The PostgreSQL schema of the four tables.
    pub db_schema: String,
    /// Lanes of a new run, and connections; at least 1.
    pub connections: usize,
    pub strategy: StrategyRequest,
    pub on_existing: OnExisting,
    pub missing_ddl: MissingDdl,
    /// One transaction for the whole load.
    pub atomic: bool,
    pub resume: Resume,
    pub when_held: WhenHeld,
    /// Says what the load would do, and changes nothing.
    pub dry_run: bool,
    /// Writes places and codes of rejected documents into the ledger at the end.
    pub rejects_table: bool,
    /// A batch is committed when the input has moved on by about this much; at least 1.
    pub batch_bytes: usize,
    pub timeouts: Timeouts,
}

/// How long a load waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a server that is gone, since something was last committed.
    pub db_wait: Duration,
    /// For an answer that takes no time while the server is well, waiting for locks included.
    pub answer: Duration,
    /// How often a transaction that takes long, and the connection that holds the target, are looked after.
    pub watch_every: Duration,
    /// For transactions that are under way when a signal stops the run: whoever sent it waits, too.
    pub stop: Duration,
}

impl Timeouts {
    /// What commands that wait for nobody get.
    pub const IMPATIENT: Self = Self { db_wait: Duration::ZERO, ..Self::DEFAULT };

    pub const DEFAULT: Self = Self {
        db_wait: Duration::from_secs(300),
        answer: Duration::from_secs(75),
        watch_every: Duration::from_secs(5),
        stop: Duration::from_secs(8),
    };
}

/// Whether a load resumes an unfinished run of the same input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    Auto,
    Never,
}

/// What happens to a target that another loader is at work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenHeld {
    Refuse,
    Wait,
}

/// What a load does when the tables are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingDdl {
    Apply,
    Refuse,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exceeded_by_one_more() {
        let count = RejectLimit::Count(2);
        assert!(!count.is_exceeded(2, 2) && count.is_exceeded(3, 3));
        assert!(RejectLimit::Count(0).is_exceeded(1, 1));
        let share = RejectLimit::Percent(1.0);
        assert!(!share.is_exceeded(999, 999) && share.is_exceeded_at_end(999, 999));
        assert!(!share.is_exceeded(1000, 10) && share.is_exceeded(1000, 11));
        assert!(!RejectLimit::Unlimited.is_exceeded(1_000_000, 1_000_000));
        assert!(!RejectLimit::Percent(0.0).is_exceeded_at_end(0, 0));
    }
}
