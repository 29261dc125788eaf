//! A plan: what a load or a check reads, cut into splits that processes on many machines work at, each by itself.
//!
//! It holds all that decides on the result, the texts of JSON Schema and map included, so that a machine needs nothing but
//! the plan and the files. Its digest is what reports, and whatever else is made of its splits, are recognised by.

mod blocks;
mod make;

pub(crate) use blocks::{BlockWriter, DEFERRED};
pub(crate) use make::{MakeError, PlanRequest, make};

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    input::{InputError, PartBlocks, Section, Source, Version, planned_url, shown_url},
    path_text::{path_text, visible},
    read_file::{LONG, read_at_most},
    settings::{Framing, FramingRequest, NetworkSettings},
};

/// Format number of [`Plan`].
const FORMAT: u32 = 1;

/// The form of a source that is not compressed.
const PLAIN: &str = "plain";

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    format: u32,
    /// BLAKE3 of the rest, in hexadecimal.
    pub(crate) digest: String,
    /// The version that made it: another one may judge documents otherwise.
    version: String,
    pub(crate) settings: PlanSettings,
    /// Into how many shares, by a hash of their ids, documents are put.
    pub(crate) parts: u32,
    pub(crate) sources: Vec<PlannedSource>,
    pub(crate) splits: Vec<PlannedSplit>,
}

/// What shapes the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanSettings {
    /// The one that was requested; none for `auto`.
    framing: Option<FramingName>,
    /// None for the built-in one.
    pub(crate) json_schema: Option<PlannedText>,
    pub(crate) map: Option<PlannedText>,
}

/// A file of the operator's, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedText {
    /// Its name, for reports and messages.
    pub(crate) source: String,
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlannedSource {
    #[serde(flatten)]
    place: PlannedPlace,
    /// As they are stored.
    pub(crate) bytes: u64,
    /// BLAKE3 of the stored bytes, in hexadecimal; none where the ETag says which they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// What its server calls the version that is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// `plain`, `gzip` or `zstd`.
    pub(crate) compression: String,
    framing: FramingName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlannedPlace {
    /// As it was given.
    Path(PathBuf),
    /// With nothing that may be a credential.
    Url(String),
}

/// A range of a source's stored bytes: all of them, or of plain NDJSON some whole lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedSplit {
    /// Index of the source.
    pub(crate) source: usize,
    start: u64,
    pub(crate) bytes: u64,
    first_line: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FramingName {
    Ndjson,
    Json,
}

impl From<Framing> for FramingName {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Ndjson => Self::Ndjson,
            Framing::Json => Self::Json,
        }
    }
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Self {
        match name {
            FramingName::Ndjson => Self::Ndjson,
            FramingName::Json => Self::Json,
        }
    }
}

/// Why a plan can't be used.
#[derive(Debug, Error)]
pub(crate) enum PlanError {
    #[error("the plan {name} can't be read")]
    Read { name: String, source: io::Error },
    #[error("{name} is not a plan of profile-loader")]
    NotAPlan { name: String, source: serde_json::Error },
    #[error("the plan {name} has format {format}, and this release reads format {FORMAT}; make it anew")]
    Format { name: String, format: u32 },
    #[error(
        "the plan {name} is of profile-loader {version}, and this is {VERSION}; use the same everywhere, or make the plan anew"
    )]
    Version { name: String, version: String },
    #[error("the plan {name} was changed after it was made; make it anew")]
    Changed { name: String },
    #[error("the plan {name} has no split {split}: there are {splits}, counted from 0")]
    NoSplit { name: String, split: usize, splits: usize },
    #[error("the name {name} is not UTF-8, as names in a plan have to be; rename the file")]
    Name { name: String },
    #[error(
        "the URL of {name} has a query, which may be a credential, and a plan is given to many; name it without one, with a token \
         in --header-file where it needs one, or as an object in a bucket"
    )]
    Query { name: String },
}

impl Plan {
    /// Reads a plan, and makes sure that it is as it was made.
    pub(crate) fn read(path: &Path) -> Result<Self, PlanError> {
        let name = || path_text(path);
        let text = read_at_most(path, LONG).map_err(|source| PlanError::Read { name: name(), source })?;
        let not_a_plan = |source| PlanError::NotAPlan { name: name(), source };
        let Format { format } = serde_json::from_slice(&text).map_err(not_a_plan)?;
        if format != FORMAT {
            return Err(PlanError::Format { name: name(), format });
        }
        let plan: Self = serde_json::from_slice(&text).map_err(not_a_plan)?;
        if plan.digest != plan.computed_digest() || !plan.is_sound() {
            return Err(PlanError::Changed { name: name() });
        }
        if plan.version != VERSION {
            return Err(PlanError::Version { name: name(), version: plan.version });
        }
        Ok(plan)
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan is plain data");
        text.push('\n');
        text
    }

    fn computed_digest(&self) -> String {
        let bare = Self { digest: String::new(), ..self.clone() };
        let bytes = serde_json::to_vec(&bare).expect("a plan is plain data");
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// Whether its splits are of its sources.
    fn is_sound(&self) -> bool {
        let is_within = |split: &PlannedSplit| {
            self.sources.get(split.source).is_some_and(|source| {
                split.start.checked_add(split.bytes).is_some_and(|end| end <= source.bytes)
            })
        };
        self.parts > 0 && self.splits.iter().all(is_within)
    }

    pub(crate) fn framing(&self) -> FramingRequest {
        match self.settings.framing {
            None => FramingRequest::Auto,
            Some(framing) => FramingRequest::Only(framing.into()),
        }
    }

    /// As messages have it.
    pub(crate) fn source_name(&self, source: usize) -> String {
        match &self.sources[source].place {
            PlannedPlace::Path(path) => path_text(path),
            PlannedPlace::Url(url) if url.starts_with("http") => shown_url(url).into_owned(),
            PlannedPlace::Url(url) => visible(url).into_owned(),
        }
    }

    /// Which section of its source a split is; `path` is the plan's, for messages.
    pub(crate) fn section(&self, split: usize, path: &Path) -> Result<(&PlannedSource, Section), PlanError> {
        let Some(planned) = self.splits.get(split) else {
            let splits = self.splits.len();
            return Err(PlanError::NoSplit { name: path_text(path), split, splits });
        };
        let source = &self.sources[planned.source];
        let PlannedSource { bytes, digest, compression, framing, .. } = source;
        let range = planned.start..planned.start + planned.bytes;
        let is_whole = range == (0..*bytes);
        let section = Section {
            file_bytes: *bytes,
            range,
            first_line: planned.first_line,
            is_compressed: compression != PLAIN,
            framing: (*framing).into(),
            digest: planned.digest.clone(),
            file_digest: digest.clone().filter(|_| !is_whole),
        };
        Ok((source, section))
    }

    /// Writes the accepted documents of a split in blocks of their parts.
    pub(crate) fn block_writer(&self, split: usize, out: Box<dyn Write + Send>) -> BlockWriter {
        let source = Some(self.splits[split].source);
        BlockWriter::new(out, self.mark(), self.parts, number(split), source)
    }

    /// Writes the deferred documents of a part in blocks.
    pub(crate) fn deferred_writer(&self, part: u32, out: Box<dyn Write + Send>) -> BlockWriter {
        BlockWriter::of_deferred(out, self.mark(), part)
    }

    /// Which blocks hold the documents of a part.
    pub(crate) fn blocks_of(&self, part: u32) -> PartBlocks {
        let (splits, sources) = (number(self.splits.len()), self.sources.len());
        PartBlocks { plan: self.mark(), part, first_split: 0, splits, sources }
    }

    /// Which blocks hold the deferred documents of so many parts.
    pub(crate) fn deferred_blocks(&self, first_part: u32, parts: u32) -> PartBlocks {
        PartBlocks { part: DEFERRED, first_split: first_part, splits: parts, ..self.blocks_of(0) }
    }

    /// What blocks have of its digest.
    fn mark(&self) -> [u8; 8] {
        let digest = blake3::Hash::from_hex(&self.digest).expect("it is the digest of the plan");
        *digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
    }
}

impl PlannedSource {
    /// None of what is behind a URL.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            PlannedPlace::Path(path) => Some(path),
            PlannedPlace::Url(_) => None,
        }
    }

    /// `listener` hears that its server is waited for.
    pub(crate) fn source(
        &self,
        network: &NetworkSettings,
        listener: impl Fn(String) + Send + 'static,
    ) -> Result<Source, InputError> {
        match &self.place {
            PlannedPlace::Path(path) => Ok(Source::File(path.clone())),
            PlannedPlace::Url(url) => {
                let version = Version { etag: self.etag.clone(), length: Some(self.bytes) };
                planned_url(url, version, network, listener)
            }
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("few splits and sources")
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}
