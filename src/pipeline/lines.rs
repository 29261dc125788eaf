//! Where lines and documents are in a chunk.

use std::ops::Range;

use crate::{
    input::{Chunk, Origin},
    report::SourceLocation,
    settings::Framing,
};

/// The lines or documents of a chunk by their offsets in it, which have to rise.
pub(super) struct Lines<'c> {
    chunk: &'c Chunk,
    counted: usize,
    line: u64,
}

impl<'c> Lines<'c> {
    pub(super) fn of(chunk: &'c Chunk) -> Self {
        Self { chunk, counted: 0, line: chunk.first_line }
    }

    /// Where the document's bytes are in the chunk, of NDJSON all of its line, and its place.
    pub(super) fn at(&mut self, offset: u32) -> (Range<usize>, SourceLocation) {
        let chunk = self.chunk;
        let start = usize::try_from(offset).expect("an offset in a chunk");
        let end = match chunk.framing {
            Framing::Ndjson => {
                let rest = &chunk.bytes[start..];
                start + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
            }
            Framing::Json => {
                let index = chunk.documents.binary_search_by_key(&start, |document| document.range().start);
                chunk.documents[index.expect("a document begins at the offset")].range().end
            }
        };
        (start..end, self.place(start))
    }

    /// The place of the document that begins at an offset: in its own source, where that is not what is read.
    pub(super) fn place(&mut self, start: usize) -> SourceLocation {
        let chunk = self.chunk;
        if let Some(Origin { source, line, byte_offset }) = chunk.origin(start) {
            return SourceLocation { source, line, byte_offset };
        }
        self.line += line_ends(&chunk.bytes[self.counted..start]);
        self.counted = start;
        let byte_offset = chunk.byte_offset + to_u64(start);
        SourceLocation { source: chunk.source, line: self.line, byte_offset }
    }
}

/// Counts the line ends of a document, which is short: a search, however quick, costs more to begin.
fn line_ends(bytes: &[u8]) -> u64 {
    /// As many as a byte can count.
    const COUNTED_AT_ONCE: usize = 255;
    let of_few = |bytes: &[u8]| bytes.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    bytes.chunks(COUNTED_AT_ONCE).map(|bytes| u64::from(of_few(bytes))).sum()
}

pub(super) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}

/// The same document with its line feeds as blanks, in strings as another character that JSON does not have there.
pub(super) fn as_one_line(bytes: &[u8]) -> Vec<u8> {
    let (mut is_in_text, mut is_escaped) = (false, false);
    let in_place_of = |&byte: &u8| {
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_in_text ^= is_quote;
        match byte {
            b'\n' if is_in_text => 1,
            b'\n' => b' ',
            _ => byte,
        }
    };
    bytes.iter().map(in_place_of).collect()
}
