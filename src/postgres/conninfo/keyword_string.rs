//! libpq's keyword strings: `host=db.example dbname = app password='it''s'` (manual, section "Keyword/Value Connection
//! Strings").
//!
//! As libpq reads them: blanks may stand around `=`; a value that begins with `'` ends at the next one; `\` takes the
//! next byte as it is, in quotes and outside; `name=` followed by a blank takes the next word.

use super::{fault::Fault, keywords::is_separated_by_semicolons};

/// A name and its value; neither is known to be one of libpq's.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

pub(super) fn parse(text: &[u8]) -> Result<Vec<Pair>, Fault> {
    let mut pairs = Vec::new();
    let mut rest = skip_blanks(text);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'=' || is_blank(*byte)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = skip_blanks(after).strip_prefix(b"=") else {
            return Err(Fault::NoEqualsSign);
        };
        let after = skip_blanks(after);
        let (value, after) = match after.strip_prefix(b"'") {
            Some(quoted) => quoted_value(quoted)?,
            None => plain_value(after)?,
        };
        pairs.push((name.to_owned(), value));
        rest = skip_blanks(after);
    }
    Ok(pairs)
}

fn quoted_value(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let (mut value, mut bytes) = (Vec::new(), text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\'' => return Ok((value, bytes.as_slice())),
            b'\\' => value.extend(bytes.next()),
            byte => value.push(*byte),
        }
    }
    Err(Fault::NoEndOfQuotes)
}

fn plain_value(text: &[u8]) -> Result<(Vec<u8>, &[u8]), Fault> {
    let (mut value, mut bytes) = (Vec::new(), text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.extend(bytes.next()),
            byte if is_blank(*byte) => break,
            byte => value.push(*byte),
        }
    }
    // libpq would take all that follows as part of the value: another user, another server.
    if is_separated_by_semicolons(&value) { Err(Fault::Semicolons) } else { Ok((value, bytes.as_slice())) }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let begin = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    &text[begin..]
}

/// As C's `isspace`.
pub(super) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[(&str, &str)], Fault>) {
        let owned = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let expected = expected.map(|pairs| pairs.iter().map(owned).collect());
        assert_eq!(parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        check("", Ok(&[]));
        check(" \t\n", Ok(&[]));
        check("host=a port=1", Ok(&[("host", "a"), ("port", "1")]));
        check(" host \n=\t a  port\x0b=1 ", Ok(&[("host", "a"), ("port", "1")]));
        check("password='a b' user=c", Ok(&[("password", "a b"), ("user", "c")]));
        check(r"password='a\'b\\'user=c", Ok(&[("password", r"a'b\"), ("user", "c")]));
        check(r"password=a\ b\'c\\ user=d", Ok(&[("password", r"a b'c\"), ("user", "d")]));
        check("password=a'b user=c", Ok(&[("password", "a'b"), ("user", "c")]));
        check("password= user=c", Ok(&[("password", "user=c")]));
        check("password=", Ok(&[("password", "")]));
        check("password='' user=c", Ok(&[("password", ""), ("user", "c")]));
        check(r"password=a\", Ok(&[("password", "a")]));
        check("password=a=b", Ok(&[("password", "a=b")]));
        check("=a", Ok(&[("", "a")]));
    }

    #[test]
    fn what_libpq_refuses_is_refused() {
        check("host", Err(Fault::NoEqualsSign));
        check("host=a password=b c", Err(Fault::NoEqualsSign));
        check("host=a b =c d", Err(Fault::NoEqualsSign));
        check("password='a", Err(Fault::NoEndOfQuotes));
        check(r"password='a\'", Err(Fault::NoEndOfQuotes));
        check("host=a;password=b", Err(Fault::Semicolons));
        check("password='a;host=b'", Ok(&[("password", "a;host=b")]));
    }
}
