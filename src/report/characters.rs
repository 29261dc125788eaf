//! How many characters a short string has.

/// Most strings of a document are no longer than one block, nearly all no longer than two.
const BLOCK_BYTES: usize = 32;
const BLOCKS: usize = 2;

/// 1 for each of the first bytes of a block, as many as the index says.
static FIRST: [[u8; BLOCK_BYTES]; BLOCK_BYTES + 1] = first();

const fn first() -> [[u8; BLOCK_BYTES]; BLOCK_BYTES + 1] {
    let mut first = [[0; BLOCK_BYTES]; BLOCK_BYTES + 1];
    let mut length = 1;
    while length <= BLOCK_BYTES {
        let mut at = 0;
        while at < length {
            first[length][at] = 1;
            at += 1;
        }
        length += 1;
    }
    first
}

/// Whether a text that is not empty stands in a line, rather than in memory of its own as one that had escapes.
#[inline]
pub(super) fn is_part(text: &str, line: &[u8]) -> bool {
    text.as_ptr().addr().wrapping_sub(line.as_ptr().addr()) < line.len()
}

/// How many characters `text` has, which is a part of `line`, if it has no escapes: whatever stands behind it there is
/// read with it, so that most strings take one step, without a branch on how long they are.
// Out of line: a document has a dozen strings, and this is as short as a call.
#[inline(never)]
pub(super) fn characters(text: &str, line: &[u8]) -> usize {
    let start = text.as_ptr().addr().wrapping_sub(line.as_ptr().addr());
    // Whatever begins at an address of the line is a part of it.
    let rest = line.get(start..).unwrap_or_default();
    if let (Some(block), Some(mask)) = (rest.first_chunk(), FIRST.get(text.len())) {
        return text.len() - continuations(block, mask);
    }
    match (rest.first_chunk::<{ BLOCKS * BLOCK_BYTES }>(), text.len().checked_sub(BLOCK_BYTES)) {
        (Some(blocks), Some(length @ ..=BLOCK_BYTES)) => {
            let ([one, other], _) = blocks.as_chunks() else { unreachable!("there are two blocks") };
            text.len() - continuations(one, &FIRST[BLOCK_BYTES]) - continuations(other, &FIRST[length])
        }
        _ => text.chars().count(),
    }
}

/// How many bytes go on with a character (0b10……, RFC 3629), of those that the mask has a 1 for.
#[inline]
fn continuations(block: &[u8; BLOCK_BYTES], mask: &[u8; BLOCK_BYTES]) -> usize {
    let ones = block.iter().zip(mask).map(|(byte, mask)| u8::from(byte.cast_signed() < -0x40) & mask);
    usize::from(ones.sum::<u8>())
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn characters_of_any_part_of_a_line_are_counted(line in "\\PC{0,150}", from in 0..150_usize, to in 0..150_usize) {
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
