//! What a worker makes of the refused documents of a chunk: places, and the words about each as they are written
//! to the errors file.

use std::ops::Range;

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

impl ChunkRejects {
    /// None yet of a chunk with this framing.
    pub(crate) fn of(framing: Framing, is_mapped: bool) -> Self {
        Self { framing, is_mapped, lines: Vec::new(), records: Vec::new() }
    }

    /// Adds a rejected line, the one after those added so far.
    pub(crate) fn push(&mut self, bytes: Range<usize>, source: &str, rejection: &Rejection) {
        let start = self.records.len();
        let out = &mut self.records;
        out.extend_from_slice(b"{\"source\":");
        write_text(out, source);
        out.extend_from_slice(b",\"line\":");
        write_number(out, rejection.line);
        out.extend_from_slice(b",\"byte_offset\":");
        write_number(out, rejection.byte_offset);
        out.extend_from_slice(b",\"errors\":[");
        for (at, fault) in rejection.faults.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_error(out, fault, self.framing, self.is_mapped);
        }
        out.extend_from_slice(b"]}");
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

fn write_error(out: &mut Vec<u8>, fault: &Fault, framing: Framing, is_mapped: bool) {
    out.extend_from_slice(b"{\"code\":");
    write_text(out, &fault.code);
    out.extend_from_slice(b",\"pointer\":");
    write_text(out, &fault.pointer);
    out.extend_from_slice(b",\"schema_path\":");
    write_text(out, &fault.schema_path);
    out.extend_from_slice(b",\"message\":");
    match fault.column {
        Some(column) => {
            let whole = match framing {
                Framing::Ndjson => "line",
                Framing::Json => "document",
            };
            write_text(out, &format!("{} (byte {column} of the {whole})", fault.message));
        }
        None => write_text(out, &fault.message),
    }
    // What is wrong with JSON is found before the map, and what is wrong with the map has no place.
    if is_mapped && !fault.code.starts_with("json:") && !fault.code.starts_with("map:") {
        out.extend_from_slice(b",\"of\":\"the mapped document\"");
    }
    out.push(b'}');
}

/// A text as JSON; few have anything to escape.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_odd = |byte: &u8| u8::from(*byte < b' ') | u8::from(*byte == b'"') | u8::from(*byte == b'\\');
    if text.bytes().fold(0, |odd, byte| odd | is_odd(&byte)) == 0 {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("a text is plain data");
    }
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect("a number is plain data");
}
