//! The part of a buffer that becomes a chunk, and where lines end it.

use super::chunk::{HOLE_BYTES_MIN, LINE_BYTES_MAX, Piece, Span};
use crate::bound::bound;

/// Most lines of a chunk: a line of two bytes that is rejected takes a thousand times as much in its record.
pub(super) const LINES_MAX: usize = bound(4 * 1024, 8);

/// Of a document that has all properties that it needs.
const SHORT_LINE_BYTES: usize = 200;

/// From the front of a buffer.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) length: usize,
    /// How many of its bytes are line ends.
    pub(super) lines: usize,
    pub(super) piece: Piece,
    /// None of a piece.
    pub(super) documents: Vec<Span>,
    /// The last document may lack its end: nothing stands behind it.
    pub(super) is_unterminated: bool,
}

impl Cut {
    /// So many bytes, in which so many lines end: a piece of a document, or documents that are told apart elsewhere.
    pub(super) fn of_piece(length: usize, lines: usize, piece: Piece) -> Self {
        Self { length, lines, piece, documents: Vec::new(), is_unterminated: false }
    }

    fn of_lines(length: usize, documents: Vec<Span>) -> Self {
        Self { length, lines: documents.len(), piece: Piece::Whole, documents, is_unterminated: false }
    }

    /// All of a buffer, a line that has no end.
    pub(super) fn of_unended_line(length: usize) -> Self {
        let documents = vec![Span::new(0..length, 0)];
        Self { length, lines: 0, piece: Piece::Whole, documents, is_unterminated: true }
    }
}

/// Whole lines from the front, if a line ends in the buffer: up to the last line end of its first `chunk_bytes`, or of
/// the last line that a chunk takes, else up to the first one that follows.
pub(super) fn after_line_end(filled: &[u8], chunk_bytes: usize) -> Option<Cut> {
    let (head, tail) = filled.split_at(filled.len().min(chunk_bytes));
    let mut ends = memchr::memchr_iter(b'\n', head).take(LINES_MAX).peekable();
    if ends.peek().is_none() {
        let length = head.len() + memchr::memchr(b'\n', tail)? + 1;
        return Some(Cut::of_lines(length, vec![Span::new(0..length, 0)]));
    }
    let (mut documents, mut length) = (Vec::with_capacity(LINES_MAX.min(head.len() / SHORT_LINE_BYTES)), 0);
    for end in ends {
        documents.push(Span::new(length..end + 1, documents.len()));
        length = end + 1;
    }
    Some(Cut::of_lines(length, documents))
}

/// Whether the beginning of a line or document above the limit has a hole.
pub(super) fn has_hole(beginning: &[u8]) -> bool {
    let length = beginning.len().min(LINE_BYTES_MAX);
    memchr::memmem::find(&beginning[..length], &[0; HOLE_BYTES_MIN]).is_some()
}
