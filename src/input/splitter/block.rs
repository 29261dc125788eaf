//! 64 bytes of JSON as bits: bit n is about byte n.
//!
//! How quotes become the inside of strings is the way of Langdale and Lemire, "Parsing Gigabytes of JSON per Second"
//! (2019), section 3.1.

use wide::u8x16;

pub(super) const BLOCK_BYTES: usize = 64;

/// What the block before has left open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carry {
    is_in_text: bool,
    is_escaped: bool,
    is_behind_text: bool,
}

/// Brackets of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brackets {
    /// Those that are no part of a string.
    pub(super) outside: u64,
    /// Those in strings.
    pub(super) in_text: u64,
}

/// What is where in the first `length` bytes of a block; what stands behind them are blanks.
#[derive(Debug)]
pub(super) struct Marks {
    block: Block,
    within: u64,
    /// Of a string, its opening quote and all up to the closing one.
    text: u64,
    /// What follows a string.
    behind: u64,
}

impl Marks {
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK_BYTES], length: usize, carry: &mut Carry) -> Self {
        let block = Block::of(block);
        let mut quotes = block.is(b'"');
        if carry.is_escaped || block.has(|lane| lane.simd_eq(u8x16::splat(b'\\'))) {
            let escaped = escaped(block.is(b'\\'), &mut carry.is_escaped);
            if length < BLOCK_BYTES {
                carry.is_escaped = escaped >> length & 1 == 1;
            }
            quotes &= !escaped;
        }
        let text = prefix_xor(quotes) ^ if carry.is_in_text { u64::MAX } else { 0 };
        let closing = quotes & !text;
        let behind = closing << 1 | u64::from(carry.is_behind_text);
        carry.is_in_text = text >> (BLOCK_BYTES - 1) == 1;
        carry.is_behind_text = closing >> (length - 1) & 1 == 1;
        Self { block, within: u64::MAX >> (BLOCK_BYTES - length), text, behind }
    }

    #[inline]
    pub(super) fn brackets(&self) -> Brackets {
        let found = self.block.bits(|lane| {
            let lane = either_kind(lane);
            lane.simd_eq(u8x16::splat(b'{')) | lane.simd_eq(u8x16::splat(b'}'))
        });
        Brackets { outside: found & !self.text & self.within, in_text: found & self.text & self.within }
    }

    /// Control characters in strings, and what follows a string and is none of `,:]}` and white space.
    pub(super) fn odd(&self) -> u64 {
        let separators = self.block.bits(|lane| {
            lane.simd_eq(u8x16::splat(b','))
                | lane.simd_eq(u8x16::splat(b':'))
                | lane.simd_eq(u8x16::splat(b' '))
                | either_kind(lane).simd_eq(u8x16::splat(b'}'))
        });
        let white_space = self.block.is(b'\n') | self.block.is(b'\r') | self.block.is(b'\t');
        // What is below the blank is itself the smaller of both.
        let controls = self.block.bits(|lane| lane.simd_eq(lane.min(u8x16::splat(b' ' - 1))));
        (self.behind & !(separators | white_space) | controls & self.text) & self.within
    }
}

/// A bracket and its brace differ in one bit, and no other byte becomes a brace with it.
#[inline]
fn either_kind(lane: u8x16) -> u8x16 {
    lane | u8x16::splat(0x20)
}

/// A block in lanes that the machine compares at once.
#[derive(Debug)]
struct Block([u8x16; 4]);

impl Block {
    #[inline]
    fn of(block: &[u8; BLOCK_BYTES]) -> Self {
        let (lanes, _) = block.as_chunks();
        Self([0, 1, 2, 3].map(|at| u8x16::new(lanes[at])))
    }

    /// Of which bytes this holds.
    #[inline]
    fn bits(&self, is: impl Fn(u8x16) -> u8x16) -> u64 {
        let bits = self.0.map(|lane| u64::from(is(lane).to_bitmask()));
        bits[0] | bits[1] << 16 | bits[2] << 32 | bits[3] << 48
    }

    #[inline]
    fn is(&self, byte: u8) -> u64 {
        self.bits(|lane| lane.simd_eq(u8x16::splat(byte)))
    }

    /// Whether this holds of any byte.
    #[inline]
    fn has(&self, is: impl Fn(u8x16) -> u8x16) -> bool {
        let [a, b, c, d] = self.0.map(is);
        (a | b | c | d).to_bitmask() != 0
    }
}

/// Which bytes a backslash stands before that is not escaped itself.
fn escaped(backslashes: u64, carry: &mut bool) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let before = u64::from(*carry);
    let backslashes = backslashes & !before;
    let follows = backslashes << 1 | before;
    let odd_starts = backslashes & !EVEN & !follows;
    let (sum, overflow) = odd_starts.overflowing_add(backslashes);
    *carry = overflow;
    (EVEN ^ sum << 1) & follows
}

/// Bit n is whether an odd number of the bits up to n are set.
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a byte at a time.
    fn slowly(text: &[u8]) -> Vec<[bool; 3]> {
        let (mut is_in_text, mut is_escaped, mut is_behind) = (false, false, false);
        let mut marks = Vec::new();
        for &byte in text {
            let is_bracket = b"{}[]".contains(&byte);
            let is_quote = byte == b'"' && !is_escaped;
            let stays_in_text = is_in_text && !is_quote;
            let is_odd = stays_in_text && byte < b' ' || is_behind && !b" \t\r\n,:]}".contains(&byte);
            marks.push([is_bracket && !is_in_text, is_bracket && is_in_text, is_odd]);
            is_behind = is_quote && is_in_text;
            is_in_text ^= is_quote;
            is_escaped = byte == b'\\' && !is_escaped;
        }
        marks
    }

    proptest! {
        #[test]
        fn marks_are_those_found_byte_by_byte(text in r#"[\["\\{},: a\n\t]{0,200}"#, cut in 1_usize..=64) {
            let mut carry = Carry::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(cut) {
                let mut block = [b' '; BLOCK_BYTES];
                block[..part.len()].copy_from_slice(part);
                let marks = Marks::of(&block, part.len(), &mut carry);
                let Brackets { outside, in_text } = marks.brackets();
                let at = |bits: u64, bit: usize| bits >> bit & 1 == 1;
                found.extend((0..part.len()).map(|bit| [outside, in_text, marks.odd()].map(|bits| at(bits, bit))));
            }
            prop_assert_eq!(found, slowly(text.as_bytes()));
        }
    }
}
