//! The text of a line to a tree, in one pass.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde_json::Number;

use super::{DEPTH_MAX, Entry, Kind, Storage, Tree, VALUES_MAX};
use crate::{cursor::Cursor, limits::EMAIL_CHARS_MAX};

/// Objects of more members have their names hashed.
const COMPARED_MAX: usize = 16;

/// Digits of a number that is surely below 2^64.
const PLAIN_DIGITS_MAX: usize = 18;

/// An integer of more digits is no number that a program can hold (the largest has 309), or begins with a zero.
const DIGITS_MAX: usize = 400;

/// A fraction of more bytes is shortened before it is read.
const FRACTION_BYTES: usize = 2000;

impl<'t> Tree<'t> {
    /// `None` where the text is not JSON, or has too much of something: `decode` says what. There has to be as much `room`
    /// as text.
    pub(crate) fn parse(text: &'t str, room: &'t mut [u8], storage: &mut Storage) -> Option<Self> {
        let cursor = Cursor::new(text, room);
        let mut parser = Parser { cursor, entries: storage.take(), duplicates: 0, has_long_text: false };
        let is_whole = parser.value(text, 1).is_some() && parser.cursor.ends();
        let may_have_text_fault = parser.has_long_text || parser.cursor.has_nul();
        let tree = Self { entries: parser.entries, duplicates: parser.duplicates, may_have_text_fault };
        if is_whole {
            return Some(tree);
        }
        tree.give_back(storage);
        None
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    entries: Vec<Entry<'t>>,
    duplicates: usize,
    has_long_text: bool,
}

impl<'t> Parser<'t> {
    fn value(&mut self, name: &'t str, depth: usize) -> Option<()> {
        if self.entries.len() == VALUES_MAX {
            return None;
        }
        let at = self.entries.len();
        let kind = match self.cursor.peek()? {
            b'"' => {
                let text = self.cursor.any_string()?;
                self.has_long_text |= text.len() > EMAIL_CHARS_MAX;
                Kind::Text(text)
            }
            b'{' | b'[' if depth > DEPTH_MAX => return None,
            b'{' => return self.object(name, depth),
            b'[' => return self.array(name, depth),
            b't' | b'f' => Kind::Boolean(self.cursor.boolean()?),
            b'n' => {
                self.cursor.null().then_some(())?;
                Kind::Null
            }
            _ => Kind::Number(self.number()?),
        };
        self.entries.push(Entry { name, kind, end: at + 1, is_replaced: false, is_again: false });
        Some(())
    }

    fn object(&mut self, name: &'t str, depth: usize) -> Option<()> {
        let at = self.open(name, b'{', Kind::Object(0))?;
        let (mut members, mut seen, mut may_repeat) = (0, 0_u128, false);
        if !self.cursor.is_closed(b'}') {
            loop {
                let member = self.cursor.any_string()?;
                self.cursor.colon()?;
                let bit = 1 << sample(member);
                may_repeat |= seen & bit != 0;
                seen |= bit;
                self.value(member, depth + 1)?;
                members += 1;
                if self.cursor.closes(b'}')? {
                    break;
                }
            }
        }
        if may_repeat {
            members -= self.mark_repeated(at, members);
        }
        self.close(at, Kind::Object(members));
        Some(())
    }

    fn array(&mut self, name: &'t str, depth: usize) -> Option<()> {
        let at = self.open(name, b'[', Kind::Array(0))?;
        let mut items = 0;
        if !self.cursor.is_closed(b']') {
            loop {
                self.value("", depth + 1)?;
                items += 1;
                if self.cursor.closes(b']')? {
                    break;
                }
            }
        }
        self.close(at, Kind::Array(items));
        Some(())
    }

    fn open(&mut self, name: &'t str, bracket: u8, kind: Kind<'t>) -> Option<usize> {
        self.cursor.open(bracket)?;
        self.entries.push(Entry { name, kind, end: 0, is_replaced: false, is_again: false });
        Some(self.entries.len() - 1)
    }

    fn close(&mut self, at: usize, kind: Kind<'t>) {
        let end = self.entries.len();
        self.entries[at].kind = kind;
        self.entries[at].end = end;
    }

    /// Marks members of the object at `at` whose names come more than once, and counts those that are replaced.
    fn mark_repeated(&mut self, at: usize, members: usize) -> usize {
        let mut places: Vec<usize> = Vec::with_capacity(members);
        let mut last: HashMap<&'t str, usize, RandomState> = HashMap::default();
        let (mut next, mut replaced) = (at + 1, 0);
        while next < self.entries.len() {
            let name = self.entries[next].name;
            let earlier = if members <= COMPARED_MAX {
                places.iter().rev().copied().find(|place| self.entries[*place].name == name)
            } else {
                last.insert(name, next)
            };
            if let Some(earlier) = earlier {
                self.entries[earlier].is_replaced = true;
                self.entries[next].is_again = true;
                replaced += 1;
            }
            places.push(next);
            next = self.entries[next].end;
        }
        self.duplicates += replaced;
        replaced
    }

    fn number(&mut self) -> Option<Number> {
        let text = self.cursor.number();
        let digits = text.as_bytes();
        let is_plain = digits.len() <= PLAIN_DIGITS_MAX && digits.iter().all(u8::is_ascii_digit);
        if is_plain && (digits.len() == 1 || !digits.starts_with(b"0")) {
            return text.parse::<u64>().ok().map(Number::from);
        }
        // The crate would copy them before it says so.
        if digits.len() > DIGITS_MAX && digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        // What a number is, and how large it may be, is the crate's to say.
        match shortened(text) {
            Some(short) => serde_json::from_str(&short).ok(),
            None => serde_json::from_str(text).ok(),
        }
    }
}

/// The same number as a fraction of very many digits, in few of them: no float depends on more than 768 digits and whether
/// what follows is zero.
fn shortened(text: &str) -> Option<String> {
    let (head, tail) = text.split_at_checked(FRACTION_BYTES)?;
    let point = head.find('.')?;
    let is_short = point <= DIGITS_MAX && !head.contains(['e', 'E']);
    let is_fraction = is_short && tail.bytes().all(|digit| digit.is_ascii_digit());
    is_fraction.then(|| format!("{head}{}", u8::from(tail.bytes().any(|digit| digit != b'0'))))
}

/// How many samples there are: a bit each.
pub(crate) const SAMPLES: usize = u128::BITS as usize;

/// Differs for names that differ in length or at their ends, mostly.
pub(crate) fn sample(name: &str) -> usize {
    let end = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
    (name.len() * 7 + end(name.as_bytes().first()) * 5 + end(name.as_bytes().last())) % SAMPLES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Kind<'static>> {
        let mut room = vec![0; text.len()];
        let tree = Tree::parse(text, &mut room, &mut Storage::default())?;
        match tree.root().kind() {
            Kind::Number(number) => Some(Kind::Number(number.clone())),
            _ => None,
        }
    }

    #[test]
    fn numbers_of_very_many_digits_are_what_they_are() {
        // Half way between two floats, and what decides may come late.
        let tie = "1.00000000000000011102230246251565404236316680908203125";
        for (start, digit, end) in [
            ("0.", "7", ""),
            ("-12.", "0", "1"),
            (tie, "0", ""),
            (tie, "0", "1"),
            ("0.", "7", "e5"),
            ("0.", "7", "x"),
        ] {
            for digits in [10, FRACTION_BYTES - 60, 3 * FRACTION_BYTES] {
                let text = [start, &digit.repeat(digits), end].concat();
                let expected = serde_json::from_str(&text).ok().map(Kind::Number);
                assert_eq!(parsed(&text), expected, "{digits} times {digit} behind {start}");
            }
        }
        for digits in [300, DIGITS_MAX, DIGITS_MAX + 1] {
            let text = "7".repeat(digits);
            assert_eq!(parsed(&text), serde_json::from_str(&text).ok().map(Kind::Number), "{digits} digits");
        }
    }
}
