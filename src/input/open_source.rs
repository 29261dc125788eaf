//! A source while it is read: whole lines or documents are cut off the front of what was read of it.

use std::{io, mem};

use super::{
    InputError,
    apart::Patience,
    buffer::{Buffer, LONG_BYTES},
    chunk::{Chunk, LINE_BYTES_MAX, Piece, Watermark},
    cut::{Cut, after_line_end, has_hole},
    decompress::{Decompressed, Fault, FaultKind},
    documents::{Documents, DocumentsFault},
    reject_form::is_marked,
    section::Section,
    sniff::{self, BOM, HEAD_BYTES},
    splitter::{Missing, Rest},
};
use crate::settings::{Framing, FramingRequest};

/// What was read.
pub(super) enum NextChunk {
    /// With the buffer, if that is not the chunk's.
    Chunk(Box<Chunk>, Option<Vec<u8>>),
    /// Nothing, with the unused buffer.
    Ended(Vec<u8>),
}

pub(super) struct OpenSource {
    pub(super) index: usize,
    stream: Decompressed,
    /// The first bytes, as they are.
    pub(super) head: Vec<u8>,
    patience: Option<Patience>,
    /// Bytes after the last line end that was handed out.
    rest: Vec<u8>,
    /// Where the next chunk starts.
    pub(super) byte_offset: u64,
    line: u64,
    long_line: Option<LongLine>,
    /// Of other framings than NDJSON.
    documents: Option<Documents>,
    /// The framing, where its first bytes have another one, until the first chunk.
    pub(super) overridden: Option<Framing>,
    at_start: bool,
    /// The framing that was found when the source was looked at before.
    known: Option<Framing>,
    ended: bool,
    failed: Option<io::Error>,
    /// Where the member began that was read last, in the text, and the line there.
    member_starts_at: u64,
    member_line: u64,
}

impl OpenSource {
    /// `patience` is called before much memory is taken.
    pub(super) fn new(index: usize, stream: Decompressed, patience: Option<Patience>) -> Self {
        Self {
            index,
            stream,
            head: Vec::new(),
            patience,
            rest: Vec::new(),
            byte_offset: 0,
            line: 1,
            long_line: None,
            documents: None,
            overridden: None,
            at_start: true,
            known: None,
            ended: false,
            failed: None,
            member_starts_at: 0,
            member_line: 1,
        }
    }

    /// `stream` is that of the section.
    pub(super) fn of_section(index: usize, stream: Decompressed, section: &Section) -> Self {
        Self {
            byte_offset: section.range.start,
            line: section.first_line,
            at_start: section.range.start == 0,
            known: Some(section.framing),
            ..Self::new(index, stream, None)
        }
    }

    /// The next chunk, or the end of the source.
    pub(super) fn read_chunk(
        &mut self,
        buffer: Vec<u8>,
        chunk_bytes: usize,
        framing: FramingRequest,
        name: &str,
    ) -> Result<NextChunk, InputError> {
        let mut buffer = Buffer::reusing(buffer);
        buffer.push(&self.rest);
        self.rest.clear();
        self.fill(&mut buffer, chunk_bytes);
        if mem::take(&mut self.at_start) {
            self.fill(&mut buffer, HEAD_BYTES + BOM.len());
            self.head = buffer.filled()[..buffer.filled().len().min(HEAD_BYTES)].to_vec();
            let bom = sniff::bom_bytes(buffer.filled());
            buffer.remove_front(bom);
            self.byte_offset += bom as u64;
            let head = whole_lines(buffer.filled(), self.failed.is_some());
            let found = self.known.map_or_else(|| recognise(head, framing, name, self.stream.form), Ok)?;
            if found == Framing::Json {
                self.documents = Some(Documents::new(self.byte_offset, is_marked(buffer.filled())));
            }
            if self.known.is_none()
                && framing != FramingRequest::Auto
                && sniff::is_overridden(head, self.framing())
            {
                self.overridden = Some(self.framing());
            }
        }
        let cut = match self.documents.take() {
            None => self.cut(&mut buffer, chunk_bytes),
            Some(documents) => self.cut_documents(documents, &mut buffer, chunk_bytes, name)?,
        };
        let Some(Cut { length, lines, piece, documents, is_unterminated }) = cut else {
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
            framing: self.framing(),
            piece,
            documents,
            origins: Vec::new(),
            consumed: 0,
            end: Watermark::default(),
            is_unterminated,
            ended: Vec::new(),
            bytes,
        };
        self.byte_offset += length as u64;
        self.line += lines as u64;
        Ok(NextChunk::Chunk(Box::new(chunk), spare))
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
            let piece = Piece::Long { line: self.line, starts_at, ends, has_hole };
            return Some(Cut::of_piece(length, usize::from(end.is_some()), piece));
        }
        loop {
            let filled = buffer.filled();
            if let Some(cut) = after_line_end(filled, chunk_bytes) {
                return Some(cut);
            }
            if self.ended {
                let whole = self.failed.is_none() && !filled.is_empty();
                return whole.then(|| Cut::of_unended_line(filled.len()));
            }
            // One byte more than the limit may still be the line's carriage return.
            if filled.len() > LINE_BYTES_MAX + 1 {
                let starts_at = self.byte_offset;
                let has_hole = has_hole(filled);
                self.long_line = Some(LongLine { starts_at, has_hole });
                let piece = Piece::Long { line: self.line, starts_at, ends: false, has_hole };
                return Some(Cut::of_piece(filled.len(), 0, piece));
            }
            let target = filled.len() + chunk_bytes;
            self.fill(buffer, target);
        }
    }

    fn cut_documents(
        &mut self,
        mut documents: Documents,
        buffer: &mut Buffer,
        chunk_bytes: usize,
        name: &str,
    ) -> Result<Option<Cut>, InputError> {
        let cut = documents.cut(buffer, chunk_bytes, self.follows(), |buffer, target| {
            self.fill(buffer, target);
            self.follows()
        });
        self.documents = Some(documents);
        cut.map_err(|fault| explain_documents(fault, name))
    }

    pub(super) fn framing(&self) -> Framing {
        if self.documents.is_some() { Framing::Json } else { Framing::Ndjson }
    }

    fn follows(&self) -> Rest {
        match (self.ended, &self.failed) {
            (false, _) => Rest::More,
            (true, Some(_)) => Rest::Lost,
            (true, None) => Rest::Nothing,
        }
    }

    /// Reads until `buffer` holds `target` bytes, the source ends, or a read fails.
    fn fill(&mut self, buffer: &mut Buffer, target: usize) {
        if self.ended {
            return;
        }
        if target > LONG_BYTES
            && let Some(patience) = &self.patience
        {
            patience();
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
            FaultKind::Unreadable => InputError::read(name, byte_offset, source),
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

/// Of a head that broke off, the lines that are there to their end: half a line looks like many things.
pub(super) fn whole_lines(head: &[u8], is_broken_off: bool) -> &[u8] {
    match memchr::memrchr(b'\n', head) {
        Some(end) if is_broken_off => &head[..=end],
        None if is_broken_off => &[],
        _ => head,
    }
}

/// The framing of a source that begins like this.
pub(super) fn recognise(
    head: &[u8],
    framing: FramingRequest,
    name: &str,
    form: &str,
) -> Result<Framing, InputError> {
    sniff::framing(head, framing, name, form).map_err(|foreign| {
        let sniff::Foreign { found, told, fix } = foreign;
        InputError::Format { name: name.to_owned(), found, told, fix }
    })
}

fn explain_documents(fault: DocumentsFault, name: &str) -> InputError {
    let name = name.to_owned();
    match fault {
        DocumentsFault::Stopped(stop) => {
            let (line, byte_offset) = (stop.place.line, stop.place.byte_offset);
            match stop.document {
                None => InputError::NoDocument { name, line, byte_offset, found: stop.found },
                Some(began) => InputError::NoEnd {
                    name,
                    line: began.line,
                    byte_offset: began.byte_offset,
                    found: stop.found,
                    found_line: line,
                    found_byte: byte_offset,
                },
            }
        }
        DocumentsFault::Missing(Missing::RestOfDocument, began) => {
            InputError::CutOff { name, line: began.line, byte_offset: began.byte_offset }
        }
        DocumentsFault::Missing(Missing::Bracket, began) => {
            InputError::ArrayCutOff { name, line: began.line, byte_offset: began.byte_offset }
        }
    }
}
