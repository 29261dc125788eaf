//! 64 bytes of JSON as bits: bit n is about byte n.
//!
//! The loops have no branches and become vector instructions on every machine. How quotes become the inside of
//! strings is the way of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1.

pub(super) const BLOCK_BYTES: usize = 64;

/// What the block before has left open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carry {
    is_in_text: bool,
    is_escaped: bool,
    is_behind_text: bool,
}

/// What is where in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    /// Brackets that are no part of a string.
    pub(super) brackets: u64,
    /// Brackets in strings.
    pub(super) brackets_in_text: u64,
    /// Control characters in strings, and what follows a string and is none of `,:]}` and white space.
    pub(super) odd: u64,
}

/// The marks of the first `length` bytes of a block; what stands behind them are blanks.
pub(super) fn marks(block: &[u8; BLOCK_BYTES], length: usize, carry: &mut Carry) -> Marks {
    let quotes = bits(block, |byte| byte == b'"');
    let brackets = bits(block, |byte| matches!(byte | 0x20, b'{' | b'}'));
    let separators =
        bits(block, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b']' | b'}'));
    let escaped = if carry.is_escaped || has_any(block, |byte| byte == b'\\') {
        let escaped = escaped(bits(block, |byte| byte == b'\\'), &mut carry.is_escaped);
        if length < BLOCK_BYTES {
            carry.is_escaped = escaped >> length & 1 == 1;
        }
        escaped
    } else {
        0
    };
    let quotes = quotes & !escaped;
    // Of a string, its opening quote and all up to the closing one.
    let text = prefix_xor(quotes) ^ if carry.is_in_text { u64::MAX } else { 0 };
    let closing = quotes & !text;
    let behind = closing << 1 | u64::from(carry.is_behind_text);
    let is_control = |byte| byte < b' ';
    let controls = if has_any(block, is_control) { bits(block, is_control) } else { 0 };
    let within = u64::MAX >> (BLOCK_BYTES - length);
    carry.is_in_text = text >> (BLOCK_BYTES - 1) == 1;
    carry.is_behind_text = closing >> (length - 1) & 1 == 1;
    Marks {
        brackets: brackets & !text & within,
        brackets_in_text: brackets & text & within,
        odd: (behind & !separators | controls & text) & within,
    }
}

#[inline]
fn has_any(block: &[u8; BLOCK_BYTES], is: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(0, |found, &byte| found | u8::from(is(byte))) != 0
}

/// Of which bytes this holds.
#[inline]
fn bits(block: &[u8; BLOCK_BYTES], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0_u8; BLOCK_BYTES];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is(*byte));
    }
    let (words, _) = flags.as_chunks();
    let mut bits = 0;
    for (at, word) in words.iter().enumerate() {
        // The factor moves the lowest bit of each of eight bytes into the highest byte.
        bits |= u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56 << (8 * at);
    }
    bits
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
                let marks = marks(&block, part.len(), &mut carry);
                let at = |bits: u64, bit: usize| bits >> bit & 1 == 1;
                found.extend((0..part.len()).map(|bit| {
                    [marks.brackets, marks.brackets_in_text, marks.odd].map(|bits| at(bits, bit))
                }));
            }
            prop_assert_eq!(found, slowly(text.as_bytes()));
        }
    }
}
