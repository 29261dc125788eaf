//! The forms of texts that the validator accepts for certain. Each accepts less than the schema's own format.

use wide::u8x16;

/// How long the parts of an address may be (RFC 5321 section 4.5.3.1, RFC 1035 section 2.3.4). An address that is no longer
/// than the shortest of them keeps all.
const LOCAL_BYTES_MAX: usize = 64;
const LABEL_BYTES_MAX: usize = 63;
const DOMAIN_BYTES_MAX: usize = 253;

/// Digits of `^\+?[1-9]\d{1,14}$`.
const DIGITS_MAX: usize = 15;

/// States of `EMAIL_STEPS`, each the place of its six bits in a step.
const DEAD: u64 = 0;
const ATOM_STARTS: u64 = 6;
const ATOM: u64 = 12;
const LABEL_STARTS: u64 = 18;
const LABEL: u64 = 24;
const LABEL_HYPHEN: u64 = 30;

/// For each byte, the next state from every state: a step is a shift.
static EMAIL_STEPS: [u64; 256] = email_steps();

const fn email_steps() -> [u64; 256] {
    let mut steps = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        steps[byte as usize] = match byte {
            b'@' => LABEL_STARTS << ATOM,
            b'.' => ATOM_STARTS << ATOM | LABEL_STARTS << LABEL,
            b'-' => ATOM << ATOM_STARTS | ATOM << ATOM | LABEL_HYPHEN << LABEL,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                ATOM << ATOM_STARTS
                    | ATOM << ATOM
                    | LABEL << LABEL_STARTS
                    | LABEL << LABEL
                    | LABEL << LABEL_HYPHEN
            }
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~' => {
                ATOM << ATOM_STARTS | ATOM << ATOM
            }
            _ => DEAD,
        };
        byte += 1;
    }
    steps
}

/// Whether a text is an ASCII address without quotes, comments, literals or doubled hyphens (as of A-labels).
pub(super) fn is_plain_email(text: &str) -> bool {
    is_plainest_email(text.as_bytes())
        .unwrap_or_else(|| ends_in_label(text) && (text.len() <= LABEL_BYTES_MAX || has_short_parts(text)))
}

/// The same but for how long its parts are, a byte after another.
fn ends_in_label(text: &str) -> bool {
    let step = |state: u64, byte: &u8| EMAIL_STEPS[usize::from(*byte)] >> (state & 63);
    text.as_bytes().iter().fold(ATOM_STARTS, step) & 63 == LABEL
}

/// The same of an address of letters, digits, dots and hyphens that is as long as most are, looked at as bits: bit n is about
/// byte n. `None` of any other text.
fn is_plainest_email(text: &[u8]) -> Option<bool> {
    const LANES: usize = 16;
    let last = text.len().checked_sub(LANES).filter(|_| text.len() <= LABEL_BYTES_MAX)?;
    let (mut ats, mut dots, mut hyphens, mut others) = (0, 0, 0, 0);
    // The last block overlaps the one before.
    for start in (0..last).step_by(LANES).chain([last]) {
        let block = u8x16::new(*text[start..].first_chunk()?);
        let is_in = |lanes: u8x16, first: u8, count: u8| {
            let from_first = lanes - u8x16::splat(first);
            from_first.min(u8x16::splat(count - 1)).simd_eq(from_first)
        };
        let alphanumeric = is_in(block | u8x16::splat(b' '), b'a', 26) | is_in(block, b'0', 10);
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << start;
        ats |= bits(block.simd_eq(u8x16::splat(b'@')));
        dots |= bits(block.simd_eq(u8x16::splat(b'.')));
        hyphens |= bits(block.simd_eq(u8x16::splat(b'-')));
        others |= bits(alphanumeric);
    }
    let all = u64::MAX >> (u64::BITS as usize - text.len());
    if ats | dots | hyphens | others != all || !ats.is_power_of_two() {
        return None;
    }
    let (first, last) = (1, 1 << (text.len() - 1));
    let separators = ats | dots;
    let has_labels = separators & (separators << 1 | first | last) == 0;
    let in_domain = hyphens & !(ats | (ats - 1));
    let around = (separators | in_domain) << 1 | (separators | in_domain) >> 1 | last;
    Some(has_labels && in_domain & around == 0)
}

#[cold]
fn has_short_parts(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        local.len() <= LOCAL_BYTES_MAX
            && domain.len() <= DOMAIN_BYTES_MAX
            && domain.split('.').all(|label| label.len() <= LABEL_BYTES_MAX)
    })
}

/// Whether a text matches `^\+?[1-9]\d{1,14}$`.
pub(super) fn is_plain_number(text: &str) -> bool {
    let text = text.as_bytes();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    (2..=DIGITS_MAX).contains(&digits.len()) && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit)
}

/// Whether a text is one of `PHONE_TYPES`.
pub(super) fn is_phone_type(text: &str) -> bool {
    matches!(text, "mobile" | "home" | "work" | "other")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::PHONE_TYPES;

    proptest! {
        /// Most are turned into a domain behind an at, so that many of them are addresses.
        #[test]
        fn plainest_emails_are_those_found_byte_by_byte(
            local in "[a-zA-Z09.-]{0,24}",
            at in "@{1,2}|",
            labels in proptest::collection::vec("[a-zA-Z09][a-zA-Z09-]{0,12}|[é@.-]{1,2}", 1..6),
        ) {
            let text = format!("{local}{at}{}", labels.join("."));
            if let Some(found) = is_plainest_email(text.as_bytes()) {
                prop_assert_eq!(found, ends_in_label(&text), "{}", text);
            }
        }
    }

    #[test]
    fn plainest_emails_are_of_letters_digits_dots_and_hyphens() {
        for good in
            ["anna.lindqvist@example.com", "-A-b.9-c@mail-2.ex-ample.co", &format!("x@{}", "y".repeat(40))]
        {
            assert_eq!(is_plainest_email(good.as_bytes()), Some(true), "{good}");
        }
        for bad in [
            ".anna.lindqvist@example.com",
            "anna..lindqvist@example.com",
            "anna.lindqvist@example.com.",
            "anna.lindqvist@-example.com",
            "anna.lindqvist@example-.com",
            "anna.lindqvist@ex--ample.com",
            "anna.lindqvist@example.com-",
            "anna.lindqvist.@example.com",
            "anna.lindqvist@.example.com",
            "anna.lindqvist.01@",
        ] {
            assert_eq!(is_plainest_email(bad.as_bytes()), Some(false), "{bad}");
        }
        for other in [
            "a@example.com",
            "anna+lindqvist@example.com",
            "anna.lindqvist.example.com",
            "anna@lindqvist@example.com",
            "änna.lindqvist@example.com",
            &format!("anna@{}", "x".repeat(60)),
        ] {
            assert_eq!(is_plainest_email(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn plain_emails_have_one_at_and_whole_labels() {
        let domain = ["x".repeat(LABEL_BYTES_MAX).as_str(); 4].join(".");
        let domain = &domain[..DOMAIN_BYTES_MAX];
        let long = format!("{}@{domain}", "x".repeat(LOCAL_BYTES_MAX));
        for good in ["a@b", "a.b@c.d", "a+b_c-d@e-f.g1", "-@0", "!#$%&'*+/=?^_`{|}~@b.c", &long] {
            assert!(is_plain_email(good), "{good}");
        }
        let (long_local, long_domain) = (format!("x{long}"), format!("{long}x"));
        let long_label = format!("a@{}.com", "x".repeat(LABEL_BYTES_MAX + 1));
        for other in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a@b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b-.c",
            "a@b--c",
            "a@b_c",
            "a b@c",
            "a@b c",
            "\"a\"@b",
            "a@[1.2.3.4]",
            "é@b",
            "a@é",
            "a<b@c",
            "a,b@c",
            "a@b\0",
            &long_local,
            &long_domain,
            &long_label,
        ] {
            assert!(!is_plain_email(other), "{other}");
        }
    }

    #[test]
    fn plain_numbers_have_two_to_fifteen_digits() {
        for good in ["12", "+12", "123456789012345", "+123456789012345"] {
            assert!(is_plain_number(good), "{good}");
        }
        for other in
            ["", "+", "1", "+1", "012", "+012", "1234567890123456", "++12", "1+2", "1 2", "١٢", "12\n"]
        {
            assert!(!is_plain_number(other), "{other}");
        }
    }

    #[test]
    fn phone_types_are_those_of_the_table() {
        assert!(PHONE_TYPES.iter().all(|kind| is_phone_type(kind)));
        assert!(["", "Home", "fax"].iter().all(|kind| !is_phone_type(kind)));
    }
}
