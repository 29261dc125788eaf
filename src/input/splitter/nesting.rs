//! Where an object or array ends, by its brackets and strings.
//!
//! What stands in it may be wrong in any way that leaves no doubt where it ends. There is doubt where brackets do
//! not match, where an object or array begins in a place that JSON has none for, and where a string looks as if a
//! quote were missing and brackets stand in strings: then what follows may be other documents. Few documents have
//! brackets in strings, so quotes are not looked at before one is found; then the value is gone over once more.

use std::mem;

use super::block::{BLOCK_BYTES, Brackets, Carry, Marks};

/// Brackets of so many levels are told apart; deeper ones are counted. A document has fewer.
const KINDS_MAX: u32 = u128::BITS;

/// What was seen of a value that begins with a bracket.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: u32,
    /// The innermost in the lowest bit, 1 for an object.
    kinds: u128,
    carry: Carry,
    has_bracket_in_text: bool,
    /// Whether what is odd is looked for; else there is no bracket in a string so far.
    looks_at_text: bool,
    /// Where something odd was first seen, counted from the value's start.
    odd_at: Option<usize>,
    /// How many bytes were looked at.
    scanned: usize,
    /// The last byte that is no blank of those that are there no more.
    last_handed_out: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It has so many bytes.
    End(usize),
    /// It goes on behind what is there.
    Open,
    /// Why its end can't be told, and at which of its bytes that shows.
    Doubt(&'static str, usize),
}

const MISMATCH: &str = "a bracket closes what another kind of bracket has opened";
const NO_PLACE: &str = "an object or array begins where none can stand";
pub(super) const TEXT: &str = "a quote of a string seems to be missing or not escaped";

impl Nesting {
    pub(super) fn scanned(&self) -> usize {
        self.scanned
    }

    /// Where something odd was first seen, counted from the value's start.
    pub(super) fn odd_at(&self) -> Option<usize> {
        self.odd_at
    }

    /// Goes on over `value`, whose first `handed_out` bytes are there no more; `is_all` where nothing will follow.
    pub(super) fn advance(&mut self, value: &[u8], handed_out: usize, is_all: bool) -> Found {
        // Of its own while blocks are gone over, so that it stays in registers.
        let mut nesting = mem::take(self);
        loop {
            let found = if nesting.looks_at_text {
                nesting.blocks::<true>(value, handed_out, is_all)
            } else {
                nesting.blocks::<false>(value, handed_out, is_all)
            };
            if let Some(found) = found {
                *self = nesting;
                return found;
            }
            nesting = Self { looks_at_text: true, ..Self::default() };
        }
    }

    /// Before bytes of `value` are taken away that were looked at: strings are looked at from now on.
    pub(super) fn look_at_text(&mut self, value: &[u8]) {
        if !self.looks_at_text {
            let seen = &value[..self.scanned];
            *self = Self { looks_at_text: true, ..Self::default() };
            self.advance(seen, 0, false);
        }
    }

    /// Takes note of bytes that are taken away.
    pub(super) fn hand_out(&mut self, bytes: &[u8]) {
        self.last_handed_out = last_visible(bytes).or(self.last_handed_out);
    }

    /// `None` where a string has a bracket, and strings were not looked at.
    fn blocks<const LOOKS_AT_TEXT: bool>(
        &mut self,
        value: &[u8],
        handed_out: usize,
        is_all: bool,
    ) -> Option<Found> {
        while let Some(rest) = value.get(self.scanned - handed_out..).filter(|rest| !rest.is_empty()) {
            let padded;
            let (block, length) = if let Some(block) = rest.first_chunk() {
                (block, BLOCK_BYTES)
            } else if is_all {
                padded = padded_with_blanks(rest);
                (&padded, rest.len())
            } else {
                return Some(Found::Open);
            };
            // The one call, which is compiled into this loop.
            let found = self.block::<LOOKS_AT_TEXT>(value, handed_out, block, length);
            if self.has_bracket_in_text && !LOOKS_AT_TEXT {
                return None;
            }
            if found != Found::Open {
                return Some(found);
            }
        }
        Some(Found::Open)
    }

    #[inline]
    fn block<const LOOKS_AT_TEXT: bool>(
        &mut self,
        value: &[u8],
        handed_out: usize,
        block: &[u8; BLOCK_BYTES],
        length: usize,
    ) -> Found {
        let marks = Marks::of(block, length, &mut self.carry);
        let brackets = marks.brackets();
        let odd = if LOOKS_AT_TEXT { marks.odd() } else { 0 };
        let mut outside = brackets.outside;
        while outside != 0 {
            let bit = outside.trailing_zeros();
            outside &= outside - 1;
            let at = self.scanned + bit as usize;
            let byte = block[bit as usize];
            let stands = match byte {
                b'{' | b'[' => self.open(byte, &value[..at - handed_out]),
                _ => self.close(byte),
            };
            if let Err(why) = stands {
                return Found::Doubt(why, at);
            }
            if self.depth == 0 {
                self.note(brackets, odd, u64::MAX >> (BLOCK_BYTES - 1 - bit as usize));
                return self.doubt().unwrap_or(Found::End(at + 1));
            }
        }
        self.note(brackets, odd, u64::MAX);
        self.scanned += length;
        self.doubt().unwrap_or(Found::Open)
    }

    fn open(&mut self, bracket: u8, before: &[u8]) -> Result<(), &'static str> {
        let before = last_visible(before).or(self.last_handed_out);
        let has_place = match before {
            Some(byte) if self.depth <= KINDS_MAX => match self.kinds & 1 {
                0 => matches!(byte, b'[' | b','),
                _ => byte == b':',
            },
            // Its first bracket, or it is too deep.
            _ => true,
        };
        if self.depth < KINDS_MAX {
            self.kinds = self.kinds << 1 | u128::from(bracket == b'{');
        }
        self.depth += 1;
        if has_place { Ok(()) } else { Err(NO_PLACE) }
    }

    fn close(&mut self, bracket: u8) -> Result<(), &'static str> {
        self.depth -= 1;
        if self.depth >= KINDS_MAX {
            return Ok(());
        }
        let is_object = self.kinds & 1 == 1;
        self.kinds >>= 1;
        if is_object == (bracket == b'}') { Ok(()) } else { Err(MISMATCH) }
    }

    /// Takes in what is odd among these bytes of a block.
    fn note(&mut self, brackets: Brackets, odd: u64, among: u64) {
        self.has_bracket_in_text |= brackets.in_text & among != 0;
        let odd = odd & among;
        if odd != 0 && self.odd_at.is_none() {
            self.odd_at = Some(self.scanned + odd.trailing_zeros() as usize);
        }
    }

    fn doubt(&self) -> Option<Found> {
        self.odd_at.filter(|_| self.has_bracket_in_text).map(|at| Found::Doubt(TEXT, at))
    }
}

#[cold]
fn padded_with_blanks(bytes: &[u8]) -> [u8; BLOCK_BYTES] {
    let mut block = [b' '; BLOCK_BYTES];
    block[..bytes.len()].copy_from_slice(bytes);
    block
}

fn last_visible(bytes: &[u8]) -> Option<u8> {
    bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a document above the limit, parts are handed out in between.
    #[test]
    fn what_stands_before_a_bracket_counts_once_it_is_handed_out() {
        for (before, expected) in [("[1", Found::Doubt(NO_PLACE, 64)), ("[1,", Found::End(67))] {
            let head = format!("{before:64}");
            let mut nesting = Nesting::default();
            assert_eq!(nesting.advance(head.as_bytes(), 0, false), Found::Open);
            nesting.look_at_text(head.as_bytes());
            nesting.hand_out(head.as_bytes());
            assert_eq!(nesting.advance(b"{}]", 64, true), expected, "{before}");
        }
    }
}
