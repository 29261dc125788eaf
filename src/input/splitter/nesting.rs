//! Where an object or array ends, by its brackets and strings.
//!
//! What stands in it may be wrong in any way that leaves no doubt where it ends. There is doubt where brackets do
//! not match, where an object or array begins in a place that JSON has none for, and where a string looks as if a
//! quote were missing and brackets stand in strings: then what follows may be other documents.

use super::block::{BLOCK_BYTES, Carry, Marks, marks};

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
    /// Where something odd was first seen, counted from the value's start.
    odd_at: Option<usize>,
    /// How many bytes were looked at.
    scanned: usize,
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
const TEXT: &str = "a quote of a string seems to be missing or not escaped";

impl Nesting {
    pub(super) fn scanned(&self) -> usize {
        self.scanned
    }

    /// Goes on over `value`, whose first `handed_out` bytes are there no more; `is_all` where nothing will follow.
    pub(super) fn advance(&mut self, value: &[u8], handed_out: usize, is_all: bool) -> Found {
        while let Some(rest) = value.get(self.scanned - handed_out..).filter(|rest| !rest.is_empty()) {
            let found = if let Some(block) = rest.first_chunk() {
                self.block(value, handed_out, block, BLOCK_BYTES)
            } else if is_all {
                let mut block = [b' '; BLOCK_BYTES];
                block[..rest.len()].copy_from_slice(rest);
                self.block(value, handed_out, &block, rest.len())
            } else {
                return Found::Open;
            };
            if found != Found::Open {
                return found;
            }
        }
        Found::Open
    }

    fn block(&mut self, value: &[u8], handed_out: usize, block: &[u8; BLOCK_BYTES], length: usize) -> Found {
        let marks = marks(block, length, &mut self.carry);
        let mut brackets = marks.brackets;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            brackets &= brackets - 1;
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
                self.note(&marks, u64::MAX >> (BLOCK_BYTES - 1 - bit as usize));
                return self.doubt().unwrap_or(Found::End(at + 1));
            }
        }
        self.note(&marks, u64::MAX);
        self.scanned += length;
        self.doubt().unwrap_or(Found::Open)
    }

    fn open(&mut self, bracket: u8, before: &[u8]) -> Result<(), &'static str> {
        let before = before.iter().rev().find(|byte| !byte.is_ascii_whitespace());
        let has_place = match before {
            Some(byte) if self.depth <= KINDS_MAX => match self.kinds & 1 {
                0 => matches!(byte, b'[' | b','),
                _ => *byte == b':',
            },
            // Its first bracket, or what is before was handed out, or it is too deep.
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
    fn note(&mut self, marks: &Marks, among: u64) {
        self.has_bracket_in_text |= marks.brackets_in_text & among != 0;
        let odd = marks.odd & among;
        if odd != 0 && self.odd_at.is_none() {
            self.odd_at = Some(self.scanned + odd.trailing_zeros() as usize);
        }
    }

    fn doubt(&self) -> Option<Found> {
        self.odd_at.filter(|_| self.has_bracket_in_text).map(|at| Found::Doubt(TEXT, at))
    }
}
