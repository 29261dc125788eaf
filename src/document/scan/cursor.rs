//! A place in the text of a document, and the steps over JSON's tokens from there.
//!
//! `None` is "not sure", never "wrong". Strings are looked at sixteen bytes at once: two words whose bytes
//! that end a run are found by arithmetic on all of their bytes together (Warren, Hacker's Delight, 6-1).

use std::mem;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Room for texts whose escapes are resolved.
    room: &'a mut [u8],
}

impl<'a> Cursor<'a> {
    /// At the first token of `text`.
    pub(super) fn new(text: &'a str, room: &'a mut [u8]) -> Self {
        let mut cursor = Self { text, at: 0, room };
        cursor.skip_white_space();
        cursor
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Steps over `bracket` and what white space follows.
    pub(super) fn open(&mut self, bracket: u8) -> Option<()> {
        self.step(bracket)?;
        self.skip_white_space();
        Some(())
    }

    /// After a value: steps over a comma, or over the closing bracket; says whether it was that.
    pub(super) fn closes(&mut self, bracket: u8) -> Option<bool> {
        self.skip_white_space();
        let byte = self.peek()?;
        if byte != b',' && byte != bracket {
            return None;
        }
        self.at += 1;
        self.skip_white_space();
        Some(byte == bracket)
    }

    /// Steps over `key` (a name in quotes, and the colon) and what white space follows, if it stands here.
    pub(super) fn key<const N: usize>(&mut self, key: &[u8; N]) -> bool {
        let is_here = self.rest().first_chunk() == Some(key);
        if is_here {
            self.at += N;
            self.skip_white_space();
        }
        is_here
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        let value = if self.rest().starts_with(b"true") {
            true
        } else if self.rest().starts_with(b"false") {
            false
        } else {
            return None;
        };
        self.at += if value { 4 } else { 5 };
        Some(value)
    }

    /// A string without U+0000, its escapes resolved.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.step(b'"')?;
        let start = self.at;
        self.skip_plain();
        match self.peek()? {
            b'"' => {
                let text = self.text.get(start..self.at)?;
                self.at += 1;
                Some(text)
            }
            b'\\' => self.unescape(start),
            _ => None,
        }
    }

    /// The rest of a string that began at `start` and whose first escape stands here.
    #[cold]
    fn unescape(&mut self, start: usize) -> Option<&'a str> {
        let (mut from, mut length) = (start, 0);
        loop {
            let plain = self.text.as_bytes().get(from..self.at)?;
            self.room.get_mut(length..length + plain.len())?.copy_from_slice(plain);
            length += plain.len();
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    let c = self.escape()?;
                    let room = self.room.get_mut(length..length + c.len_utf8())?;
                    length += c.encode_utf8(room).len();
                }
                _ => return None,
            }
            from = self.at;
            self.skip_plain();
        }
        self.at += 1;
        let (text, room) = mem::take(&mut self.room).split_at_mut(length);
        self.room = room;
        std::str::from_utf8(text).ok()
    }

    /// The character of an escape, if it needs no second one (RFC 8259 section 7).
    fn escape(&mut self) -> Option<char> {
        let letter = *self.rest().get(1)?;
        self.at += 2;
        Some(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut unit = 0;
                for digit in self.rest().first_chunk::<4>()? {
                    unit = unit << 4 | char::from(*digit).to_digit(16)?;
                }
                self.at += 4;
                // Half of a surrogate pair is no character.
                char::from_u32(unit).filter(|c| *c != '\0')?
            }
            _ => return None,
        })
    }

    /// Steps to the first byte that is not plainly a part of a string: a quote, a backslash, a control.
    fn skip_plain(&mut self) {
        while let Some(bytes) = self.rest().first_chunk::<16>() {
            let (low, high) = halves(bytes);
            let (low, high) = (ends(low), ends(high));
            if low | high != 0 {
                let length = if low == 0 { 64 + high.trailing_zeros() } else { low.trailing_zeros() };
                self.at += usize::try_from(length / 8).expect("at most sixteen");
                return;
            }
            self.at += 16;
        }
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')) {
            self.at += 1;
        }
    }

    /// Only what may stand within a line.
    fn skip_white_space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn step(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    let low = u64::try_from(both & u128::from(u64::MAX)).expect("masked");
    (low, u64::try_from(both >> 64).expect("shifted"))
}

/// The high bit of the first byte that is a quote, a backslash or a control; those of later bytes may be
/// wrong, and all are clear when there is none.
fn ends(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the string that `text` begins with, and says what is left.
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let mut room = [0; 64];
        let mut cursor = Cursor::new(text, &mut room);
        let found = cursor.string().map(|string| (string, &text[cursor.at()..]));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn strings_end_at_their_quote_wherever_it_stands() {
        for length in 0..70 {
            let inside = "aé€😀\u{7f}~".chars().cycle().take(length).collect::<String>();
            check(&format!("\"{inside}\""), Some((&inside, "")));
            check(
                &format!("\"{inside}\", \"more\", \"and more of it\""),
                Some((&inside, ", \"more\", \"and more of it\"")),
            );
            for bad in ['\0', '\u{1f}', '\n'] {
                check(&format!("\"{inside}{bad}\", \"more\", \"and more of it\""), None);
            }
            check(&format!("\"{inside}"), None);
        }
    }

    #[test]
    fn escapes_are_resolved_as_far_as_there_is_room() {
        check(r#""\"\\\/\b\f\n\r\t\u00e9\u20ACx","#, Some(("\"\\/\u{8}\u{c}\n\r\té€x", ",")));
        for bad in
            [r"\u0000", r"\ud83d\ude00", r"\ude00", r"\u12", r"\u+123", r"\x", r"\", r"\u00e", "\\\u{1}"]
        {
            check(&format!("\"abc{bad}\" and so on"), None);
        }
        let inside = "x".repeat(63);
        check(&format!("\"\\n{inside}\""), Some((&format!("\n{inside}"), "")));
        check(&format!("\"\\n{inside}x\""), None);
        check(&format!("\"{inside}\\u00e9\""), None);
    }

    #[test]
    fn each_unescaped_text_has_its_own_room() {
        let mut room = [0; 4];
        let mut cursor = Cursor::new(r#""\n1""\n2""\n3""#, &mut room);
        assert_eq!([cursor.string(), cursor.string(), cursor.string()], [Some("\n1"), Some("\n2"), None]);
    }

    #[test]
    fn every_byte_ends_a_run_or_does_not() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = [b'a'; 8];
                bytes[at] = byte;
                let found = ends(u64::from_le_bytes(bytes));
                let expected = matches!(byte, b'"' | b'\\' | ..b' ');
                assert_eq!(found != 0, expected, "{byte}");
                assert!(
                    !expected || usize::try_from(found.trailing_zeros()).unwrap() / 8 == at,
                    "{byte} at {at}"
                );
            }
        }
    }
}
