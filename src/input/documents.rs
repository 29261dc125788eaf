//! Cuts chunks of whole documents that are no lines from the front of a buffer.
//!
//! What stands between documents is in the chunks as well, so that chunks joined are the source. A document above
//! `LINE_BYTES_MAX` passes in pieces, which hold it and nothing else.

use super::{
    buffer::Buffer,
    chunk::{LINE_BYTES_MAX, Piece},
    cut::{Cut, has_hole},
    splitter::{Missing, Place, Rest, Split, Splitter, Stop},
};

/// The documents of a source.
#[derive(Debug)]
pub(super) struct Documents {
    splitter: Splitter,
    /// What comes once all that stands before it was handed out.
    fault: Option<DocumentsFault>,
    long: Option<LongDocument>,
}

/// Why there are no more documents.
#[derive(Debug, Clone, Copy)]
pub(super) enum DocumentsFault {
    Stopped(Stop),
    /// The source ends too early; and where that began which is not complete.
    Missing(Missing, Place),
}

/// The one that is handed out in pieces.
#[derive(Debug, Clone, Copy)]
struct LongDocument {
    began: Place,
    has_hole: bool,
}

impl Documents {
    /// For a source whose text begins at this byte, with the mark of a reject file or without.
    pub(super) fn new(byte_offset: u64, is_marked: bool) -> Self {
        Self { splitter: Splitter::new(byte_offset, is_marked), fault: None, long: None }
    }

    /// The next chunk from the front of `buffer`, about `chunk_bytes` long; `read` fills it up to a length.
    /// `None` when there is nothing (more) to hand out.
    pub(super) fn cut(
        &mut self,
        buffer: &mut Buffer,
        chunk_bytes: usize,
        mut rest: Rest,
        mut read: impl FnMut(&mut Buffer, usize) -> Rest,
    ) -> Result<Option<Cut>, DocumentsFault> {
        loop {
            if let Some(fault) = self.fault {
                return Err(fault);
            }
            let filled = buffer.filled();
            let cut = match self.splitter.split(filled, chunk_bytes, rest) {
                Split::Full => self.documents_so_far(filled),
                Split::LongEnd(length) => Some(self.long_piece(filled, length, true)),
                Split::Stopped(stop) => {
                    self.fault = Some(DocumentsFault::Stopped(stop));
                    self.documents_so_far(filled)
                }
                Split::Exhausted => match rest {
                    Rest::More => self.when_more_follows(filled, chunk_bytes),
                    Rest::Lost => self.documents_so_far(filled),
                    Rest::Nothing => self.at_the_end(filled),
                },
            };
            if cut.is_some() || rest != Rest::More && self.fault.is_none() {
                return Ok(cut);
            }
            if rest == Rest::More && self.fault.is_none() {
                let target = filled.len() + chunk_bytes;
                rest = read(buffer, target);
            }
        }
    }

    fn when_more_follows(&mut self, filled: &[u8], chunk_bytes: usize) -> Option<Cut> {
        let is_enough = filled.len() >= chunk_bytes;
        if is_enough && !self.splitter.documents().is_empty() {
            return self.documents_so_far(filled);
        }
        match self.splitter.open_value() {
            // Less than is looked at once is no piece.
            _ if self.long.is_some() && self.splitter.looked_at() == 0 => None,
            _ if self.long.is_some() => Some(self.long_piece(filled, self.splitter.looked_at(), false)),
            Some(start) if filled.len() - start <= LINE_BYTES_MAX => None,
            Some(0) => Some(self.long_piece(filled, self.splitter.looked_at(), false)),
            Some(start) => Some(self.whole(filled, start)),
            None => is_enough.then(|| self.whole(filled, filled.len())),
        }
    }

    fn at_the_end(&mut self, filled: &[u8]) -> Option<Cut> {
        if let Some((missing, began)) = self.splitter.missing(filled) {
            self.fault = Some(DocumentsFault::Missing(missing, began));
            return self.documents_so_far(filled);
        }
        if filled.is_empty() {
            return None;
        }
        // What may be cut off comes in a chunk of its own.
        let is_unterminated = self.splitter.ends_with_record() && !filled.ends_with(b"\n");
        if let [.., before, _] = self.splitter.documents()
            && is_unterminated
        {
            return Some(self.whole(filled, before.range().end));
        }
        Some(Cut { is_unterminated, ..self.whole(filled, filled.len()) })
    }

    /// Up to the end of the last document that is whole.
    fn documents_so_far(&mut self, filled: &[u8]) -> Option<Cut> {
        let end = self.splitter.documents().last()?.range().end;
        Some(self.whole(filled, end))
    }

    fn whole(&mut self, filled: &[u8], length: usize) -> Cut {
        let (documents, lines) = self.splitter.cut(filled, length);
        Cut { documents, ..Cut::of_piece(length, lines, Piece::Whole) }
    }

    fn long_piece(&mut self, filled: &[u8], length: usize, ends: bool) -> Cut {
        let long = self.long.unwrap_or_else(|| LongDocument {
            began: self.splitter.began(filled),
            has_hole: has_hole(filled),
        });
        self.long = (!ends).then_some(long);
        let LongDocument { began: Place { line, byte_offset: starts_at }, has_hole } = long;
        let (_, lines) = self.splitter.cut(filled, length);
        Cut::of_piece(length, lines, Piece::Long { line, starts_at, ends, has_hole })
    }
}
