//! The forms of texts that the validator accepts for certain. Each accepts less than the schema's own format.

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
    let step = |state: u64, byte: &u8| EMAIL_STEPS[usize::from(*byte)] >> (state & 63);
    let last = text.as_bytes().iter().fold(ATOM_STARTS, step);
    last & 63 == LABEL && (text.len() <= LABEL_BYTES_MAX || has_short_parts(text))
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
    use super::*;
    use crate::limits::PHONE_TYPES;

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
