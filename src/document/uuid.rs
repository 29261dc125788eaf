//! UUIDs as documents write them (RFC 9562 section 4), to their sixteen bytes.

/// A UUID in its hyphenated form (8-4-4-4-12 hexadecimal digits), in any letter case.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    /// Where the two digits of each byte stand.
    const DIGITS_AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let (mut id, mut seen) = ([0; 16], 0);
    for (byte, at) in id.iter_mut().zip(DIGITS_AT) {
        let (high, low) = (HEX[usize::from(text[at])], HEX[usize::from(text[at + 1])]);
        seen |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    let has_hyphens = [8, 13, 18, 23].iter().all(|&at| text[at] == b'-');
    (has_hyphens && seen & NO_DIGIT == 0).then_some(id)
}

/// The value of a hexadecimal digit, or more than 15.
static HEX: [u8; 256] = hex();

const NO_DIGIT: u8 = 0x10;

const fn hex() -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0_u8;
    while value < 16 {
        let digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_hyphenated_in_any_case() {
        let id = parse_uuid("00112233-4455-6677-8899-AABBccddeeff").unwrap();
        assert_eq!(id[15], 0xff);
        for bad in [
            "",
            "00112233445566778899aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeefg",
            "00112233-4455-6677-8899-aabbccddeef",
            "0011223-34455-6677-8899-aabbccddeeff",
            "00112233-4455-6677-8899-aabbccddeé",
        ] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
