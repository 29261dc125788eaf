//! Bytes to chunks: where the input comes from, what it is wrapped in, and where its lines or documents end.
//!
//! Of JSON it knows brackets and strings, and of NDJSON nothing but lines. The one tricky thing is the document
//! that is longer than the limit: it passes in pieces, so that memory stays constant and the reject file still gets
//! every byte.

mod apart;
mod blocks;
mod buffer;
mod chunk;
mod cut;
mod decompress;
mod documents;
mod open_source;
mod pattern;
mod probe;
mod reader;
mod reject_form;
mod remote;
mod section;
mod sniff;
mod source;
mod splitter;
mod stream_digest;
mod survey;

#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod replay_tests;

use std::{io, ops::Range};

use thiserror::Error;

pub(crate) use apart::SourcesApart;
pub(crate) use blocks::{BLOCK_HEADER_BYTES, BlockChecksum, BlockKey, PartBlocks, document_header};
pub use chunk::{Chunk, LINE_BYTES_MAX, Piece, Watermark};
pub(crate) use chunk::{Origin, Position, SourceDigest, Span};
pub use reader::ChunkReader;
pub(crate) use reject_form::{FORM_BYTES, MARK, SEPARATOR, end_of_own_record, reads_as_lines};
pub use remote::RemoteFault;
pub(crate) use remote::{Version, input_scheme, shown as shown_url};
pub use section::Section;
pub use source::Source;
pub(crate) use source::{files, planned_url, repeated, resolve};
pub(crate) use survey::{Pinned, pin};
pub use survey::{Survey, SurveyedSection, survey};

/// Why the input can't be read; each variant names the source.
#[derive(Debug, Error)]
pub enum InputError {
    #[error("there is no input file {name}{}", similar.as_ref().map(|n| format!(" (is {n} meant?)")).unwrap_or_default())]
    Missing { name: String, similar: Option<String> },
    #[error(
        "the path of an input is empty, as where a variable of a shell is not set; name a file, or - for standard input"
    )]
    Empty,
    #[error("no file matches {pattern}")]
    NoMatch { pattern: String },
    #[error("the pattern {pattern} can't be understood")]
    BadPattern { pattern: String, source: glob::PatternError },
    #[error("the pattern {pattern} holds bytes that are not UTF-8; name the files themselves")]
    PatternBytes { pattern: String },
    #[error("{name} is a directory; name its files, for example '{name}/*.ndjson'")]
    Directory { name: String },
    #[error("standard input (-) is named twice; it can be read once only")]
    StdinTwice,
    #[error("{name} can't be opened")]
    Open { name: String, source: io::Error },
    #[error("{name} is not NDJSON but {found} ({told}); {fix}")]
    Format { name: String, found: &'static str, told: &'static str, fix: String },
    #[error(
        "{name} breaks off at byte {byte_offset} of the {form} stream: its producer died or the copy is incomplete; \
         complete it and run the same command again"
    )]
    BrokenOff { name: String, form: &'static str, byte_offset: u64, source: io::Error },
    /// `lines` are those that were read of the damaged member, all before them are sound.
    #[error(
        "{name} is damaged at byte {byte_offset} of the {form} stream{}; bring a sound copy",
        untrusted(lines)
    )]
    Damaged { name: String, form: &'static str, byte_offset: u64, lines: Range<u64>, source: io::Error },
    #[error(
        "{name} holds something behind its {form} stream, from byte {byte_offset} on, that is no part of it; what comes \
         before is sound: cut the rest off, or decompress it into a pipe and name - as the input"
    )]
    Trailing { name: String, form: &'static str, byte_offset: u64 },
    #[error(
        "{name} was compressed by zstd with a dictionary; decompress it into a pipe and name - as the input: \
         zstd -dc -D DICTIONARY {name} | profile-loader …"
    )]
    Dictionary { name: String },
    #[error(
        "{name} was compressed by zstd with a window above 32 MiB, which would take as much memory; decompress it into a \
         pipe and name - as the input: zstd -dc --long=31 {name} | profile-loader …"
    )]
    Window { name: String },
    #[error(
        "{name} ends in the middle of a document (line {line}, which starts at byte {byte_offset}): its producer \
         died or the copy is incomplete; complete it, or remove that line, and run the same command again"
    )]
    CutOff { name: String, line: u64, byte_offset: u64 },
    #[error(
        "{name} ends inside the array that starts at line {line}, byte {byte_offset}, before its ]: its producer died or \
         the copy is incomplete; complete it, and run the same command again"
    )]
    ArrayCutOff { name: String, line: u64, byte_offset: u64 },
    #[error(
        "{name} holds {found} (line {line}, byte {byte_offset}), and where the next document begins can't be told for \
         certain; correct it there and run the same command again"
    )]
    NoDocument { name: String, line: u64, byte_offset: u64, found: &'static str },
    /// Of a document that begins at `line`.
    #[error(
        "{name} holds a document (line {line}, which starts at byte {byte_offset}) whose end can't be told for certain: \
         {found} (line {found_line}, byte {found_byte}); correct it there, or take the document out, and run the same \
         command again"
    )]
    NoEnd { name: String, line: u64, byte_offset: u64, found: &'static str, found_line: u64, found_byte: u64 },
    #[error("{}", change.message(name, *byte_offset))]
    Changed { name: String, byte_offset: u64, change: Change },
    #[error(
        "{name} is not what it was when the plan was made: {reason}; bring back what it was, or make the plan anew"
    )]
    NotAsPlanned { name: String, reason: String },
    #[error(
        "{name} is no file that can be read more than once, as a plan needs; store it as one, and plan that"
    )]
    NoFile { name: String },
    #[error("{name} can't be read from byte {byte_offset}")]
    Read { name: String, byte_offset: u64, source: io::Error },
    #[error("{name} {problem}; {fix}")]
    Url { name: String, problem: String, fix: String },
    #[error("the file {name} of --header-file {problem}")]
    HeaderFile { name: String, problem: String },
    #[error(
        "--header-file is for one server, and {name} and {other} are of two; load them one after the other, or leave the \
         file out where the URLs are signed"
    )]
    HeadersForTwo { name: String, other: String },
    #[error(
        "{name} is not the blocks of part {part}: {what}; feed it those of this part, sorted by split and number, each once"
    )]
    NotTheBlocks { name: String, part: u32, what: String },
    #[error(
        "{name} ends before block {number} of split {split} of part {part}, and each of the {splits} splits has a last block: \
         whatever feeds it has stopped; feed it the same again"
    )]
    BlocksCutOff { name: String, part: u32, split: u32, number: u32, splits: u32 },
    #[error(
        "{name} holds block {number} of split {split} with other bytes than it was written with; feed it the same again"
    )]
    BlockDamaged { name: String, split: u32, number: u32 },
    /// Over the network.
    #[error("{name} can't be read{}: {fault}", from_byte(*byte_offset))]
    Remote { name: String, byte_offset: u64, fault: RemoteFault },
}

impl InputError {
    /// Whether the same command may succeed once the world has changed (a repaired or complete file),
    /// as against a command or an input that has to be written differently.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::BrokenOff { .. }
                | Self::Read { .. }
                | Self::CutOff { .. }
                | Self::ArrayCutOff { .. }
                | Self::BlocksCutOff { .. }
                | Self::BlockDamaged { .. }
                | Self::Remote {
                    fault: RemoteFault::Unavailable { .. }
                        | RemoteFault::GivenUp { .. }
                        | RemoteFault::Contradiction { .. }
                        // What was there before.
                        | RemoteFault::Refused { .. },
                    ..
                }
        )
    }

    /// Of a source that can't be begun.
    fn open(name: String, source: io::Error) -> Self {
        match RemoteFault::within(&source) {
            Some(fault) => Self::Remote { name, byte_offset: 0, fault: fault.clone() },
            None => Self::Open { name, source },
        }
    }

    /// Of one that can't be read on.
    fn read(name: String, byte_offset: u64, source: io::Error) -> Self {
        match RemoteFault::within(&source) {
            Some(fault) => Self::Remote { name, byte_offset, fault: fault.clone() },
            None => Self::Read { name, byte_offset, source },
        }
    }
}

fn from_byte(byte_offset: u64) -> String {
    if byte_offset == 0 { String::new() } else { format!(" from byte {byte_offset}") }
}

/// What a damaged stream gave, from its first line up to the one before the end of `lines`.
fn untrusted(lines: &Range<u64>) -> String {
    let (first, last) = (lines.start, lines.end.saturating_sub(1));
    match (first, last) {
        (1, 0) => "; no line was read of it".to_owned(),
        _ if lines.is_empty() => {
            format!(
                "; no line was read of the damaged part, and what comes before it, up to line {last}, is sound"
            )
        }
        _ if first == last => format!(", so what was read of it can't be trusted: that is line {first}"),
        _ => format!(", so what was read of it can't be trusted: that is lines {first} to {last}"),
    }
}

/// In which way an input is not what an earlier attempt had read of it. The byte told with it is the first one
/// known not to agree: where that attempt had committed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Of the first source.
    Differs,
    /// Of a later source or one before it.
    DiffersOrAnEarlier,
    /// What was a whole line or document up to that byte is one no more.
    GoesOn,
    /// The source ends before that byte.
    Shorter,
    /// The byte is in a source after this one, which is the last.
    Missing,
}

impl Change {
    fn message(self, name: &str, byte_offset: u64) -> String {
        match self {
            Self::Differs => {
                format!(
                    "{name} was changed before byte {byte_offset}, which an earlier attempt has loaded already"
                )
            }
            Self::DiffersOrAnEarlier => format!(
                "{name}, or an input before it, was changed before byte {byte_offset}, which an earlier attempt has \
                 loaded already"
            ),
            Self::GoesOn => format!(
                "the last line or document of {name} ended at byte {byte_offset}, without a line end, and goes on there now; an \
                 earlier attempt has taken it for whole"
            ),
            Self::Shorter => {
                format!("{name} ends before byte {byte_offset}, which an earlier attempt has loaded already")
            }
            Self::Missing => {
                format!("{name} is the last input, and an earlier attempt has loaded some of another already")
            }
        }
    }
}
