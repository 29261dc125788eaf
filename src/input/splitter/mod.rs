//! Where documents begin and end that are no lines: objects one after another, in arrays, or behind record separators.
//!
//! White space, and the commas and brackets of arrays around documents, belong to none; everything else is a
//! document, whatever it holds, or stops the run: nothing is skipped. A document's end is certain or there is none.

mod block;
mod lines;
mod nesting;
mod stop;

use std::mem;

use serde::de::IgnoredAny;

use super::{
    chunk::Span,
    reject_form::{MARK, SEPARATOR, end_of_own_record},
};
use crate::bound::bound;
use lines::LineCounter;
pub(super) use lines::Place;
use nesting::{Found, Nesting};
pub(super) use stop::{Missing, Stop};

/// Longest value that is no object, array or string: longer ones are no JSON that anybody writes.
const TOKEN_BYTES_MAX: usize = bound(1024, 32);

/// Most documents of a chunk.
const DOCUMENTS_MAX: usize = bound(4 * 1024, 8);

/// Finds documents in a buffer that more and more bytes are read into, and others taken from its front.
#[derive(Debug)]
pub(super) struct Splitter {
    at: usize,
    /// Whether it is records of a reject file.
    is_marked: bool,
    /// Whether a line feed was the last byte that was taken from the buffer.
    is_behind_line_feed: bool,
    state: State,
    /// Where the array began that the buffer's documents are in.
    array: Option<Place>,
    /// Of the value that is not complete, in the buffer.
    start: usize,
    /// How much of it was taken from the buffer, and where it began.
    handed_out: usize,
    /// How far it was looked through for separators, in the buffer.
    has_no_separator: usize,
    began: Option<Place>,
    /// What is odd about it, if that was taken from the buffer.
    odd: Option<Place>,
    documents: Vec<Span>,
    ends_with_record: bool,
    counter: LineCounter,
}

#[derive(Debug)]
enum State {
    /// Between values at the top.
    Top,
    /// In an array, where a value has to come; or the array's end, if that is its first place.
    Place {
        is_first: bool,
    },
    /// In an array, behind a value.
    Behind,
    Nested(Nesting),
    Text {
        is_escaped: bool,
    },
    Token,
    /// Behind a separator.
    Record,
}

/// What follows the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    More,
    /// It can't be read.
    Lost,
    Nothing,
}

/// How far splitting has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// There are enough documents for a chunk.
    Full,
    /// To the end of the buffer.
    Exhausted,
    /// A document of which parts were handed out has ended, so many bytes into the buffer.
    LongEnd(usize),
    Stopped(Stop),
}

impl Splitter {
    /// For a source whose text begins at this byte, with the mark of a reject file or without.
    pub(super) fn new(byte_offset: u64, is_marked: bool) -> Self {
        Self {
            at: if is_marked { MARK.len() } else { 0 },
            is_marked,
            is_behind_line_feed: false,
            state: State::Top,
            array: None,
            start: 0,
            handed_out: 0,
            has_no_separator: 0,
            began: None,
            odd: None,
            documents: Vec::new(),
            ends_with_record: false,
            counter: LineCounter::new(Place { line: 1, byte_offset }),
        }
    }

    /// The documents of the buffer that are whole.
    pub(super) fn documents(&self) -> &[Span] {
        &self.documents
    }

    /// Where the value begins that is not complete.
    pub(super) fn open_value(&self) -> Option<usize> {
        (!self.is_between()).then_some(self.start)
    }

    /// Whether the last document was a record that the end of the source has ended.
    pub(super) fn ends_with_record(&self) -> bool {
        self.ends_with_record
    }

    /// How much of the buffer was looked at.
    pub(super) fn looked_at(&self) -> usize {
        match &self.state {
            State::Nested(nesting) => self.start + nesting.scanned() - self.handed_out,
            _ => self.at,
        }
    }

    /// Where the value that is not complete began in the source.
    pub(super) fn began(&mut self, bytes: &[u8]) -> Place {
        let place = |counter: &mut LineCounter| counter.place(bytes, self.start);
        self.began.unwrap_or_else(|| place(&mut self.counter))
    }

    /// Takes the first `length` bytes from the buffer, with the documents in them; says how many lines end there.
    pub(super) fn cut(&mut self, bytes: &[u8], length: usize) -> (Vec<Span>, usize) {
        if !self.is_between() && self.start < length {
            self.began = Some(self.began(bytes));
            if let State::Nested(nesting) = &mut self.state {
                if self.handed_out == 0 {
                    nesting.look_at_text(&bytes[self.start..]);
                }
                let odd = nesting.odd_at().map(|at| (self.start + at).saturating_sub(self.handed_out));
                if let (None, Some(at)) = (self.odd, odd.filter(|at| *at < length)) {
                    self.odd = Some(self.counter.place(bytes, at));
                }
                nesting.hand_out(&bytes[self.start..length]);
            }
            self.handed_out += length - self.start;
        }
        if self.at <= length {
            self.is_behind_line_feed = self.is_behind_line_feed(bytes);
        }
        let lines = self.counter.cut(bytes, length);
        self.start = self.start.saturating_sub(length);
        self.has_no_separator = self.has_no_separator.saturating_sub(length);
        self.at = self.at.saturating_sub(length);
        let rest = self.documents.partition_point(|span| span.range().end <= length);
        let rest = self
            .documents
            .split_off(rest)
            .into_iter()
            .map(|span| span.without_front(length, lines))
            .collect();
        (mem::replace(&mut self.documents, rest), lines)
    }

    /// Goes on over `bytes`, the whole buffer. Stops behind so many bytes once there is a document.
    pub(super) fn split(&mut self, bytes: &[u8], chunk_bytes: usize, rest: Rest) -> Split {
        loop {
            let is_full = self.at >= chunk_bytes || self.documents.len() >= DOCUMENTS_MAX;
            if is_full && !self.documents.is_empty() && self.is_between() {
                return Split::Full;
            }
            let stepped = if self.is_between() { self.begin(bytes) } else { self.go_on(bytes, rest) };
            match stepped {
                Ok(true) => {}
                Ok(false) => return Split::Exhausted,
                Err((found, at)) => return Split::Stopped(self.stop(found, bytes, at)),
            }
            if self.handed_out > 0 && self.is_between() {
                (self.handed_out, self.began, self.odd) = (0, None, None);
                return Split::LongEnd(self.at);
            }
        }
    }

    /// At the end of the source: what is missing, if it is not complete, and where that began.
    pub(super) fn missing(&mut self, bytes: &[u8]) -> Option<(Missing, Place)> {
        match self.array {
            _ if !self.is_between() => Some((Missing::RestOfDocument, self.began(bytes))),
            array => array.map(|array| (Missing::Bracket, array)),
        }
    }

    fn is_between(&self) -> bool {
        matches!(self.state, State::Top | State::Place { .. } | State::Behind)
    }

    /// Steps over white space and one token between values, or to where a value begins; false at the end.
    fn begin(&mut self, bytes: &[u8]) -> Result<bool, (&'static str, usize)> {
        let blanks = bytes[self.at..].iter().take_while(|byte| is_white_space(**byte)).count();
        self.at += blanks;
        let Some(&byte) = bytes.get(self.at) else { return Ok(false) };
        (self.start, self.has_no_separator) = (self.at, self.at);
        self.state = match (&self.state, byte) {
            (State::Top, SEPARATOR) => {
                self.at += 1;
                self.start = self.at;
                State::Record
            }
            (State::Top, b'[') => {
                self.array = Some(self.counter.place(bytes, self.at));
                self.at += 1;
                State::Place { is_first: true }
            }
            (State::Place { is_first: true } | State::Behind, b']') => {
                self.array = None;
                self.at += 1;
                State::Top
            }
            (State::Behind, b',') => {
                self.at += 1;
                State::Place { is_first: false }
            }
            (State::Behind, _) => return Err((stop::behind(byte), self.at)),
            (State::Top | State::Place { .. }, b'{' | b'[') => State::Nested(Nesting::default()),
            (State::Top | State::Place { .. }, b'"') => {
                self.at += 1;
                State::Text { is_escaped: false }
            }
            (state, _) if ends_token(byte) => {
                return Err((stop::before(byte, matches!(state, State::Top)), self.at));
            }
            _ => State::Token,
        };
        Ok(true)
    }

    /// Goes on in the value that is not complete; false where more of it has to be read.
    fn go_on(&mut self, bytes: &[u8], rest: Rest) -> Result<bool, (&'static str, usize)> {
        let or_all = |end: Option<usize>| end.or((rest == Rest::Nothing).then_some(bytes.len()));
        let end = match &mut self.state {
            State::Nested(nesting) => {
                let found = nesting.advance(&bytes[self.start..], self.handed_out, rest != Rest::More);
                // What is odd may have been handed out already.
                let in_buffer = |length: usize| (self.start + length).saturating_sub(self.handed_out);
                let end = in_buffer(if let Found::End(length) = found { length } else { nesting.scanned() });
                // Another document may begin there. It counts where it is found first, however much is in the buffer.
                let new = self.has_no_separator.min(end)..end;
                if let Some(at) = memchr::memchr(SEPARATOR, &bytes[new.clone()]) {
                    return Err((stop::SEPARATOR, new.start + at));
                }
                self.has_no_separator = end;
                match found {
                    Found::End(_) => Some(end),
                    Found::Open => None,
                    Found::Doubt(found, at) => return Err((found, in_buffer(at))),
                }
            }
            State::Text { is_escaped } => match end_of_text(&bytes[self.at..], is_escaped) {
                (length, Ends::Quote) => Some(self.at + length),
                (length, Ends::Control) => return Err((stop::CONTROL, self.at + length)),
                (_, Ends::Nowhere) => None,
            },
            State::Token => or_all(find(bytes, self.at, ends_token)),
            State::Record => or_all(self.end_of_record(bytes).map(|length| self.at + length)),
            State::Top | State::Place { .. } | State::Behind => unreachable!("a value is open"),
        };
        match (end, &self.state) {
            (Some(end), state) => {
                self.ends_with_record = matches!(state, State::Record) && end == bytes.len();
                return self.end_value(bytes, end).map(|()| true);
            }
            (None, State::Token) if bytes.len() - self.start > TOKEN_BYTES_MAX => {
                return Err((stop::text(&bytes[self.start..]), self.start));
            }
            (None, State::Token) => {}
            (None, _) => self.at = bytes.len(),
        }
        Ok(false)
    }

    /// How far it is to the separator that ends the record at hand.
    fn end_of_record(&self, bytes: &[u8]) -> Option<usize> {
        let rest = &bytes[self.at..];
        if self.is_marked {
            end_of_own_record(rest, self.is_behind_line_feed(bytes))
        } else {
            memchr::memchr(SEPARATOR, rest)
        }
    }

    fn is_behind_line_feed(&self, bytes: &[u8]) -> bool {
        self.at.checked_sub(1).map_or(self.is_behind_line_feed, |before| bytes[before] == b'\n')
    }

    fn end_value(&mut self, bytes: &[u8], end: usize) -> Result<(), (&'static str, usize)> {
        let (mut start, mut end_of_value) = (self.start, end);
        let value = &bytes[start..end];
        let is_top = self.array.is_none();
        match &self.state {
            State::Record => {
                let is_visible = |byte: &u8| !is_white_space(*byte);
                start += value.iter().position(is_visible).unwrap_or(value.len());
                end_of_value -= value.iter().rev().position(is_visible).unwrap_or(0);
            }
            State::Token
                if value.len() > TOKEN_BYTES_MAX
                    || is_top && serde_json::from_slice::<IgnoredAny>(value).is_err() =>
            {
                return Err((stop::text(value), start));
            }
            _ => {}
        }
        self.at = end;
        self.state = if is_top { State::Top } else { State::Behind };
        if self.handed_out == 0 && start < end_of_value {
            let lines = self.counter.lines_before(bytes, start);
            self.documents.push(Span::new(start..end_of_value, lines));
        }
        Ok(())
    }

    fn stop(&mut self, found: &'static str, bytes: &[u8], at: usize) -> Stop {
        let document = matches!(self.state, State::Nested(_)).then(|| self.began(bytes));
        let place =
            self.odd.filter(|_| found == nesting::TEXT).unwrap_or_else(|| self.counter.place(bytes, at));
        Stop { found, place, document }
    }
}

enum Ends {
    Quote,
    Control,
    Nowhere,
}

/// Looks for the end of a string: how far it has come, and what is there.
fn end_of_text(bytes: &[u8], is_escaped: &mut bool) -> (usize, Ends) {
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if mem::take(is_escaped) => {}
            b'"' => return (at + 1, Ends::Quote),
            b'\\' => *is_escaped = true,
            ..b' ' => return (at, Ends::Control),
            _ => {}
        }
    }
    (bytes.len(), Ends::Nowhere)
}

fn find(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> Option<usize> {
    bytes[from..].iter().position(|byte| is(*byte)).map(|length| from + length)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn ends_token(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"' | ..=b' ')
}
