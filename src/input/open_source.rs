//! A source while it is read: whole lines are cut off the front of what was read of it.

use std::{io, mem};

use super::{
    InputError,
    buffer::Buffer,
    chunk::{Chunk, HOLE_BYTES_MIN, LINE_BYTES_MAX, Piece, Watermark},
    decompress::{Decompressed, Fault, FaultKind},
    sniff::{self, HEAD_BYTES},
};

/// Most lines of a chunk: a line of two bytes that is rejected takes a thousand times as much in its record.
pub(super) const LINES_MAX: usize = 4 * 1024;

/// What was read.
pub(super) enum NextChunk {
    /// With the buffer, if that is not the chunk's.
    Chunk(Chunk, Option<Vec<u8>>),
    /// Nothing, with the unused buffer.
    Ended(Vec<u8>),
}

pub(super) struct OpenSource {
    pub(super) index: usize,
    stream: Decompressed,
    /// The first bytes, as they are.
    pub(super) head: Vec<u8>,
    /// Bytes after the last line end that was handed out.
    rest: Vec<u8>,
    /// Where the next chunk starts.
    pub(super) byte_offset: u64,
    line: u64,
    long_line: Option<LongLine>,
    at_start: bool,
    ended: bool,
    failed: Option<io::Error>,
    /// Where the member began that was read last, in the text, and the line there.
    member_starts_at: u64,
    member_line: u64,
}

impl OpenSource {
    pub(super) fn new(index: usize, stream: Decompressed) -> Self {
        Self {
            index,
            stream,
            head: Vec::new(),
            rest: Vec::new(),
            byte_offset: 0,
            line: 1,
            long_line: None,
            at_start: true,
            ended: false,
            failed: None,
            member_starts_at: 0,
            member_line: 1,
        }
    }

    /// The next chunk, or the end of the source.
    pub(super) fn read_chunk(
        &mut self,
        buffer: Vec<u8>,
        chunk_bytes: usize,
        name: &str,
    ) -> Result<NextChunk, InputError> {
        let mut buffer = Buffer::reusing(buffer);
        buffer.push(&self.rest);
        self.rest.clear();
        self.fill(&mut buffer, chunk_bytes);
        if mem::take(&mut self.at_start) {
            self.fill(&mut buffer, HEAD_BYTES);
            self.head = buffer.filled()[..buffer.filled().len().min(HEAD_BYTES)].to_vec();
            let bom = sniff::bom_bytes(buffer.filled());
            buffer.remove_front(bom);
            self.byte_offset += bom as u64;
            refuse_foreign(whole_lines(buffer.filled(), self.failed.is_some()), name, self.stream.form)?;
        }
        let Some(Cut { length, lines, piece }) = self.cut(&mut buffer, chunk_bytes) else {
            return match self.failed.take() {
                Some(error) => Err(self.explain(error, name)),
                None => Ok(NextChunk::Ended(buffer.into_bytes(0))),
            };
        };
        self.rest.extend_from_slice(&buffer.filled()[length..]);
        let (bytes, spare) = buffer.into_bytes_and_spare(length);
        let chunk = Chunk {
            sequence: 0,
            source: self.index,
            byte_offset: self.byte_offset,
            first_line: self.line,
            lines,
            piece,
            consumed: 0,
            end: Watermark::default(),
            is_unterminated: piece == Piece::Lines && !bytes.ends_with(b"\n"),
            ended: Vec::new(),
            bytes,
        };
        self.byte_offset += length as u64;
        self.line += lines as u64;
        Ok(NextChunk::Chunk(chunk, spare))
    }

    /// Where the buffer is to be cut: after the last line end of its first `chunk_bytes`, or of the last line
    /// that a chunk takes, else after the first one that follows, reading on while there is none.
    /// `None` when there is nothing (more) to hand out.
    fn cut(&mut self, buffer: &mut Buffer, chunk_bytes: usize) -> Option<Cut> {
        if let Some(LongLine { starts_at, has_hole }) = self.long_line {
            let end = memchr::memchr(b'\n', buffer.filled());
            let ends = end.is_some() || (self.ended && self.failed.is_none());
            if ends {
                self.long_line = None;
            } else if self.ended {
                return None;
            }
            let length = end.map_or(buffer.filled().len(), |end| end + 1);
            let piece = Piece::LongLine { starts_at, ends, has_hole };
            return Some(Cut { length, lines: usize::from(end.is_some()), piece });
        }
        loop {
            let filled = buffer.filled();
            if let Some(cut) = after_line_end(filled, chunk_bytes) {
                return Some(cut);
            }
            if self.ended {
                let whole = self.failed.is_none() && !filled.is_empty();
                return whole.then_some(Cut { length: filled.len(), lines: 0, piece: Piece::Lines });
            }
            // One byte more than the limit may still be the line's carriage return.
            if filled.len() > LINE_BYTES_MAX + 1 {
                let starts_at = self.byte_offset;
                let has_hole =
                    memchr::memmem::find(&filled[..LINE_BYTES_MAX], &[0; HOLE_BYTES_MIN]).is_some();
                self.long_line = Some(LongLine { starts_at, has_hole });
                let piece = Piece::LongLine { starts_at, ends: false, has_hole };
                return Some(Cut { length: filled.len(), lines: 0, piece });
            }
            let target = filled.len() + chunk_bytes;
            self.fill(buffer, target);
        }
    }

    /// Reads until `buffer` holds `target` bytes, the source ends, or a read fails.
    fn fill(&mut self, buffer: &mut Buffer, target: usize) {
        if self.ended {
            return;
        }
        match buffer.fill(&mut self.stream, target) {
            Ok(ended) => self.ended = ended,
            Err(error) => {
                self.ended = true;
                self.failed = Some(error);
            }
        }
        self.note_member(buffer.filled());
    }

    fn explain(&self, source: io::Error, name: &str) -> InputError {
        let Fault { byte_offset, kind } = self.stream.fault(&source);
        let (name, form) = (name.to_owned(), self.stream.form);
        match kind {
            FaultKind::Unreadable => InputError::Read { name, byte_offset, source },
            FaultKind::BrokenOff => InputError::BrokenOff { name, form, byte_offset, source },
            FaultKind::Damaged => {
                let lines = self.member_line..self.line;
                InputError::Damaged { name, form, byte_offset, lines, source }
            }
            FaultKind::Trailing => InputError::Trailing { name, form, byte_offset },
            FaultKind::Window => InputError::Window { name },
            FaultKind::Dictionary => InputError::Dictionary { name },
        }
    }

    /// Remembers where the text of the member at hand begins, which was just read into the buffer.
    fn note_member(&mut self, filled: &[u8]) {
        let starts_at = self.stream.text_before_member();
        if starts_at != self.member_starts_at {
            let before = usize::try_from(starts_at.saturating_sub(self.byte_offset));
            let before = before.map_or(filled.len(), |before| before.min(filled.len()));
            let lines_before = memchr::memchr_iter(b'\n', &filled[..before]).count() as u64;
            (self.member_starts_at, self.member_line) = (starts_at, self.line + lines_before);
        }
    }
}

/// The line above the limit that is handed out in pieces.
#[derive(Clone, Copy)]
struct LongLine {
    starts_at: u64,
    has_hole: bool,
}

/// The part of a buffer that becomes a chunk.
struct Cut {
    length: usize,
    /// How many of its bytes are line ends.
    lines: usize,
    piece: Piece,
}

/// Whole lines from the front, as `OpenSource::cut` wants them, if a line ends in the buffer.
fn after_line_end(filled: &[u8], chunk_bytes: usize) -> Option<Cut> {
    let (head, tail) = filled.split_at(filled.len().min(chunk_bytes));
    let Some(end) = memchr::memrchr(b'\n', head) else {
        let end = head.len() + memchr::memchr(b'\n', tail)?;
        return Some(Cut { length: end + 1, lines: 1, piece: Piece::Lines });
    };
    let lines = memchr::memchr_iter(b'\n', head).count();
    // Counting is much faster than to look for the line ends one by one.
    let end = match lines {
        ..=LINES_MAX => end,
        _ => memchr::memchr_iter(b'\n', head).nth(LINES_MAX - 1).expect("there are more"),
    };
    Some(Cut { length: end + 1, lines: lines.min(LINES_MAX), piece: Piece::Lines })
}

/// Of a head that broke off, the lines that are there to their end: half a line looks like many things.
pub(super) fn whole_lines(head: &[u8], is_broken_off: bool) -> &[u8] {
    match memchr::memrchr(b'\n', head) {
        Some(end) if is_broken_off => &head[..=end],
        None if is_broken_off => &[],
        _ => head,
    }
}

pub(super) fn refuse_foreign(head: &[u8], name: &str, form: &str) -> Result<(), InputError> {
    match sniff::foreign(head, name, form) {
        Some(sniff::Foreign { found, told, fix }) => {
            Err(InputError::Format { name: name.to_owned(), found, told, fix })
        }
        None => Ok(()),
    }
}
