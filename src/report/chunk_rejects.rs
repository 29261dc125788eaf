//! What a worker makes of the refused documents of a chunk: places, and the words about each as they are written
//! to the errors file.

use std::{borrow::Cow, ops::Range};

use serde::Serialize;

use crate::{document::Fault, settings::Framing};

/// The rejected lines or documents of one chunk, in order, with the words about each already written out.
#[derive(Debug)]
pub(crate) struct ChunkRejects {
    pub(super) framing: Framing,
    /// Whether a map made the documents that were checked.
    pub(super) is_mapped: bool,
    pub lines: Vec<RejectedLine>,
    pub(super) records: Vec<u8>,
}

/// A rejected line or document, or a part of one that is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectedLine {
    /// In the chunk, a line with its end.
    pub bytes: Range<usize>,
    /// In `records`; `None` for a part that another part of the line follows.
    pub(super) record: Option<Range<usize>>,
}

/// A rejected document with all of its faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// 1-based line in its source.
    pub line: u64,
    /// Where the line starts in the decompressed source.
    pub byte_offset: u64,
    pub faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Record<'a> {
    source: &'a str,
    line: u64,
    byte_offset: u64,
    errors: Vec<RecordError<'a>>,
}

#[derive(Serialize)]
struct RecordError<'a> {
    code: &'a str,
    pointer: &'a str,
    schema_path: &'a str,
    message: Cow<'a, str>,
    /// Of which document the pointer is, where that is not the one in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'static str>,
}

impl ChunkRejects {
    /// None yet of a chunk with this framing.
    pub(crate) fn of(framing: Framing, is_mapped: bool) -> Self {
        Self { framing, is_mapped, lines: Vec::new(), records: Vec::new() }
    }

    /// Adds a rejected line, the one after those added so far.
    pub(crate) fn push(&mut self, bytes: Range<usize>, source: &str, rejection: &Rejection) {
        let start = self.records.len();
        let errors =
            rejection.faults.iter().map(|fault| record_error(fault, self.framing, self.is_mapped)).collect();
        let record = Record { source, line: rejection.line, byte_offset: rejection.byte_offset, errors };
        serde_json::to_writer(&mut self.records, &record).expect("a record is plain data");
        self.lines.push(RejectedLine { bytes, record: Some(start..self.records.len()) });
    }

    /// How much memory they take besides the lines themselves.
    pub(crate) fn bytes(&self) -> usize {
        self.records.capacity() + self.lines.capacity() * size_of::<RejectedLine>()
    }

    /// Adds a part of a line that goes on in the next chunk.
    pub(crate) fn push_part(&mut self, bytes: Range<usize>) {
        self.lines.push(RejectedLine { bytes, record: None });
    }
}

fn record_error(fault: &Fault, framing: Framing, is_mapped: bool) -> RecordError<'_> {
    let whole = match framing {
        Framing::Ndjson => "line",
        Framing::Json => "document",
    };
    let message = match fault.column {
        Some(column) => format!("{} (byte {column} of the {whole})", fault.message).into(),
        None => fault.message.as_str().into(),
    };
    // What is wrong with JSON is found before the map, and what is wrong with the map has no place.
    let is_of_mapped = is_mapped && !fault.code.starts_with("json:") && !fault.code.starts_with("map:");
    RecordError {
        code: &fault.code,
        pointer: &fault.pointer,
        schema_path: &fault.schema_path,
        message,
        of: is_of_mapped.then_some("the mapped document"),
    }
}
