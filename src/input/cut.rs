//! The part of a buffer that becomes a chunk, and where lines end it.

use super::chunk::{HOLE_BYTES_MIN, LINE_BYTES_MAX, Piece, Span};
use crate::bound::bound;

/// Most lines of a chunk: a line of two bytes that is rejected takes a thousand times as much in its record.
pub(super) const LINES_MAX: usize = bound(4 * 1024, 8);

/// From the front of a buffer.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) length: usize,
    /// How many of its bytes are line ends.
    pub(super) lines: usize,
    pub(super) piece: Piece,
    /// Of other framings than NDJSON.
    pub(super) documents: Vec<Span>,
    /// The last document may lack its end: nothing stands behind it.
    pub(super) is_unterminated: bool,
}

impl Cut {
    pub(super) fn of_lines(length: usize, lines: usize, piece: Piece) -> Self {
        Self { length, lines, piece, documents: Vec::new(), is_unterminated: false }
    }
}

/// Whole lines from the front, if a line ends in the buffer: up to the last line end of its first `chunk_bytes`, or of
/// the last line that a chunk takes, else up to the first one that follows.
pub(super) fn after_line_end(filled: &[u8], chunk_bytes: usize) -> Option<Cut> {
    let (head, tail) = filled.split_at(filled.len().min(chunk_bytes));
    let Some(end) = memchr::memrchr(b'\n', head) else {
        let end = head.len() + memchr::memchr(b'\n', tail)?;
        return Some(Cut::of_lines(end + 1, 1, Piece::Whole));
    };
    let lines = memchr::memchr_iter(b'\n', head).count();
    // Counting is much faster than to look for the line ends one by one.
    let end = match lines {
        ..=LINES_MAX => end,
        _ => memchr::memchr_iter(b'\n', head).nth(LINES_MAX - 1).expect("there are more"),
    };
    Some(Cut::of_lines(end + 1, lines.min(LINES_MAX), Piece::Whole))
}

/// Whether the beginning of a line or document above the limit has a hole.
pub(super) fn has_hole(beginning: &[u8]) -> bool {
    let length = beginning.len().min(LINE_BYTES_MAX);
    memchr::memmem::find(&beginning[..length], &[0; HOLE_BYTES_MIN]).is_some()
}
