//! UUIDs as documents write them (RFC 9562 section 4), to their sixteen bytes.

/// A UUID in its hyphenated form (8-4-4-4-12 hexadecimal digits), in any letter case.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let four = |at: usize| text[at..].first_chunk::<4>().copied().unwrap_or_default();
    let mut id = [0; 16];
    let (parts, _) = id.as_chunks_mut();
    for (part, [left, right]) in parts.iter_mut().zip([[0, 4], [9, 14], [19, 24], [28, 32]]) {
        let eight =
            u64::from(u32::from_le_bytes(four(left))) | u64::from(u32::from_le_bytes(four(right))) << 32;
        *part = hex(eight)?;
    }
    Some(id)
}

/// Four bytes of eight hexadecimal digits, the first in the lowest byte, all of them at once.
fn hex(digits: u64) -> Option<[u8; 4]> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // Of bytes below 0x80, the highest bit of a sum says whether a byte is at least so large.
    let at_least = |bytes: u64, least: u8| bytes + EACH * u64::from(0x80 - least);
    let is_in = |bytes: u64, first: u8, last: u8| at_least(bytes, first) & !at_least(bytes, last + 1);
    let ascii = digits & !HIGH;
    let lower = ascii | (EACH * 0x20);
    let (decimals, letters) = (is_in(ascii, b'0', b'9'), is_in(lower, b'a', b'f'));
    if (decimals | letters) & !digits & HIGH != HIGH {
        return None;
    }
    let values = (ascii & (EACH * 0xf)) + ((letters & HIGH) >> 7) * 9;
    let bytes = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    let [a, b, c, d, ..] = (pairs | pairs >> 16).to_le_bytes();
    Some([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut digits = *b"0a9F3cDe";
                digits[at] = byte;
                let expected = std::str::from_utf8(&digits)
                    .ok()
                    .filter(|_| byte != b'+')
                    .and_then(|text| u32::from_str_radix(text, 16).ok())
                    .map(u32::to_be_bytes);
                assert_eq!(hex(u64::from_le_bytes(digits)), expected, "{byte} at {at}");
            }
        }
    }

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
