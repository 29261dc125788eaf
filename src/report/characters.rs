//! How many characters a short string has.

/// Most strings of a document are no longer, in bytes.
const BLOCK_BYTES: usize = 32;

/// How many characters `text` has, which is a part of `line`, if it has no escapes: whatever stands behind it there is
/// read with it, so that most strings take one step, without a branch on how long they are.
#[inline]
pub(super) fn characters(text: &str, line: &[u8]) -> usize {
    let start = text.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
    // Whatever begins at an address of the line is a part of it.
    match line.get(start..).and_then(<[u8]>::first_chunk) {
        Some(block) if text.len() <= BLOCK_BYTES => text.len() - continuations(block, text.len()),
        _ => text.chars().count(),
    }
}

/// How many of the first `length` bytes go on with a character (0b10……, RFC 3629).
#[inline]
fn continuations(block: &[u8; BLOCK_BYTES], length: usize) -> usize {
    let length = length.to_le_bytes()[0];
    let mut sum = 0_u8;
    for (index, byte) in (0_u8..).zip(block) {
        sum += u8::from(byte.cast_signed() < -0x40) & u8::from(index < length);
    }
    usize::from(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn characters_of_any_part_of_a_line_are_counted(line in "\\PC{0,80}", from in 0..80_usize, to in 0..80_usize) {
            let places: Vec<_> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
            let at = |index: usize| places[index.min(places.len() - 1)];
            let text = &line[at(from.min(to))..at(from.max(to))];
            proptest::prop_assert_eq!(characters(text, line.as_bytes()), text.chars().count());
        }

        #[test]
        fn a_text_may_stand_elsewhere(line in "\\PC{0,80}", text in "\\PC{0,40}") {
            proptest::prop_assert_eq!(characters(&text, line.as_bytes()), text.chars().count());
        }
    }
}
