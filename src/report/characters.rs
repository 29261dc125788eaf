//! How many characters a short string has.

/// The bytes that do not go on with a character (0b10……, RFC 3629): most strings are too short for what the standard
/// library does with long ones.
#[inline]
pub(super) fn characters(text: &str) -> usize {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let of_words: usize = words.iter().map(|word| continuations(u64::from_le_bytes(*word))).sum();
    let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let of_rest = match text.as_bytes().last_chunk::<8>() {
        // The last eight bytes without those that were counted.
        Some(last) => continuations(u64::from_le_bytes(*last) >> 1 >> (63 - 8 * rest.len())),
        None => rest.iter().filter(continues).count(),
    };
    text.len() - of_words - of_rest
}

/// How many of eight bytes go on with a character.
#[inline]
fn continuations(bytes: u64) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const SUM: u64 = 0x0101_0101_0101_0101;
    let continue_ = (bytes & HIGH & !(bytes << 1)) >> 7;
    usize::from((continue_.wrapping_mul(SUM) >> 56).to_le_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn characters_of_any_string_are_counted(text in "\\PC{0,40}") {
            proptest::prop_assert_eq!(characters(&text), text.chars().count());
        }
    }
}
