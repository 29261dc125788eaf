//! A place in the text of a document, and the steps over JSON's tokens from there.
//!
//! `None` is "not sure", never "wrong". Strings are looked at in blocks, by vector instructions that every machine has.

use std::mem;

use wide::u8x16;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Room for texts whose escapes are resolved.
    room: &'a mut [u8],
    /// Whether a text had the escape of U+0000.
    has_nul: bool,
}

impl<'a> Cursor<'a> {
    /// At the first token of `text`.
    pub(super) fn new(text: &'a str, room: &'a mut [u8]) -> Self {
        let mut cursor = Self { text, at: 0, room, has_nul: false };
        cursor.skip_white_space();
        cursor
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether a text that was read had U+0000 in it, which only an escape gives.
    pub(super) fn has_nul(&self) -> bool {
        self.has_nul
    }

    /// Whether nothing but white space follows.
    pub(super) fn ends(&mut self) -> bool {
        self.skip_white_space();
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

    /// Steps over the closing bracket, and what white space follows, if it stands here.
    pub(super) fn is_closed(&mut self, bracket: u8) -> bool {
        let is_closed = self.step(bracket).is_some();
        if is_closed {
            self.skip_white_space();
        }
        is_closed
    }

    /// Steps over the colon behind a name, with white space around it.
    pub(super) fn colon(&mut self) -> Option<()> {
        self.skip_white_space();
        self.step(b':')?;
        self.skip_white_space();
        Some(())
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

    /// Steps over a name that is written in another way: with escapes, or white space before its colon.
    #[cold]
    pub(super) fn odd_name(&mut self) -> Option<&'a str> {
        let name = self.any_string()?;
        self.colon()?;
        Some(name)
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

    pub(super) fn null(&mut self) -> bool {
        let is_here = self.rest().starts_with(b"null");
        self.at += if is_here { 4 } else { 0 };
        is_here
    }

    /// All bytes from here that a number may have, none or more.
    pub(super) fn number(&mut self) -> &'a str {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let start = self.at;
        self.at += self.rest().iter().take_while(|byte| is_part(byte)).count();
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// A string without U+0000, its escapes resolved.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        let (text, is_plain) = self.plain_string()?;
        // Only an escape gives one.
        if is_plain { Some(text) } else { self.unescape(text).filter(|text| !text.contains('\0')) }
    }

    /// A string, its escapes resolved.
    pub(super) fn any_string(&mut self) -> Option<&'a str> {
        let (text, is_plain) = self.plain_string()?;
        if is_plain { Some(text) } else { self.unescape(text) }
    }

    /// A string, if it has no escapes; else what stands before the first one.
    #[inline]
    fn plain_string(&mut self) -> Option<(&'a str, bool)> {
        self.step(b'"')?;
        let start = self.at;
        self.skip_plain();
        let end = self.peek()?;
        let text = self.text.get(start..self.at)?;
        match end {
            b'"' => {
                self.at += 1;
                Some((text, true))
            }
            b'\\' => Some((text, false)),
            _ => None,
        }
    }

    /// The whole of a string that begins like this and whose first escape stands here.
    #[cold]
    fn unescape(&mut self, beginning: &str) -> Option<&'a str> {
        let (mut from, mut length) = (self.at - beginning.len(), 0);
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
            // Many may stand side by side.
            if self.peek() != Some(b'\\') {
                self.skip_plain();
            }
        }
        self.at += 1;
        let (text, room) = mem::take(&mut self.room).split_at_mut(length);
        self.room = room;
        std::str::from_utf8(text).ok()
    }

    /// The character of an escape (RFC 8259 section 7), or of two that are a surrogate pair.
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
                let unit = self.unit()?;
                self.has_nul |= unit == 0;
                let low = if matches!(unit, 0xd800..=0xdbff) && self.rest().starts_with(b"\\u") {
                    self.at += 2;
                    Some(self.unit()?)
                } else {
                    None
                };
                char::decode_utf16([unit].into_iter().chain(low)).next()?.ok()?
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u16> {
        let mut unit = 0;
        for digit in self.rest().first_chunk::<4>()? {
            unit = unit << 4 | u16::from(hex_digit(*digit)?);
        }
        self.at += 4;
        Some(unit)
    }

    /// Steps to the first byte that is not plainly a part of a string: a quote, a backslash, a control.
    fn skip_plain(&mut self) {
        while let Some(block) = self.rest().first_chunk() {
            if let Some(at) = first_end(block) {
                self.at += at;
                return;
            }
            self.at += BLOCK_BYTES;
        }
        while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')) {
            self.at += 1;
        }
    }

    #[inline]
    fn skip_white_space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.skip_blanks();
        }
    }

    /// Indentation, mostly: how far is decided once for many bytes.
    fn skip_blanks(&mut self) {
        while let Some(block) = self.rest().first_chunk() {
            let blanks = blanks(block);
            self.at += blanks;
            if blanks < BLANKS_BYTES {
                return;
            }
        }
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn step(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Few lines of a document are indented deeper.
const BLANKS_BYTES: usize = 16;

/// How much white space a block begins with.
#[inline]
fn blanks(block: &[u8; BLANKS_BYTES]) -> usize {
    let lane = u8x16::new(*block);
    let is = |byte| lane.simd_eq(u8x16::splat(byte));
    let blanks = (is(b' ') | is(b'\n')) | (is(b'\r') | is(b'\t'));
    usize::try_from(blanks.to_bitmask().trailing_ones()).expect("a block has few bytes")
}

/// Most strings of an ordinary document end within so many bytes.
const BLOCK_BYTES: usize = 32;

/// Where the first byte of a block is that ends a run.
#[inline]
fn first_end(block: &[u8; BLOCK_BYTES]) -> Option<usize> {
    let (lanes, _) = block.as_chunks();
    let bits = [0, 1].map(|at| {
        let lane = u8x16::new(lanes[at]);
        // What is below the blank is itself the smaller of both.
        let controls = lane.simd_eq(lane.min(u8x16::splat(b' ' - 1)));
        let ends = lane.simd_eq(u8x16::splat(b'"')) | lane.simd_eq(u8x16::splat(b'\\')) | controls;
        ends.to_bitmask()
    });
    let bits = bits[0] | bits[1] << 16;
    if bits == 0 { None } else { usize::try_from(bits.trailing_zeros()).ok() }
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
    fn white_space_ends_where_anything_else_stands() {
        for length in 0..70 {
            let blanks = " \n\t\r".chars().cycle().take(length).collect::<String>();
            for other in [
                "",
                "\u{b}",
                "\0",
                "\u{a0}",
                "x",
                "\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}",
            ] {
                let text = format!("{blanks}{other}");
                assert_eq!(Cursor::new(&text, &mut []).at(), length, "{text:?}");
            }
        }
    }

    #[test]
    fn escapes_are_resolved_as_far_as_there_is_room() {
        check(r#""\"\\\/\b\f\n\r\t\u00e9\u20ACx","#, Some(("\"\\/\u{8}\u{c}\n\r\té€x", ",")));
        check(r#""\ud83d\uDE00\ud83d\ude00","#, Some(("😀😀", ",")));
        for bad in [
            r"\u0000",
            r"\ud83d",
            r"\ud83dx",
            r"\ud83d\u0041",
            r"\ude00",
            r"\u12",
            r"\u+123",
            r"\x",
            r"\",
            r"\u00e",
            "\\\u{1}",
        ] {
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
    fn the_first_end_of_a_block_is_found() {
        for byte in 0..=u8::MAX {
            for at in 0..BLOCK_BYTES {
                let mut block = [b'a'; BLOCK_BYTES];
                block[at..].fill(byte);
                let expected = matches!(byte, b'"' | b'\\' | ..b' ').then_some(at);
                assert_eq!(first_end(&block), expected, "{byte}");
            }
        }
    }
}
