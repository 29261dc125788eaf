//! JSON as different programs write it: their white space, their escapes, their order of properties.

use crate::{customer::push_pattern, random::Random};

/// How a program writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// After colons and commas.
    spaces: bool,
    escapes: Escapes,
    order: Order,
}

#[derive(Debug, Clone, Copy)]
enum Escapes {
    /// What JSON demands.
    Few,
    /// All that is no ASCII.
    NonAscii,
    /// That, and slashes.
    NonAsciiAndSlashes,
    /// That without slashes, in capitals, and what means something in HTML.
    Html,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    /// The JSON Schema's.
    Usual,
    Alphabetical,
    /// Shorter names first, then alphabetical.
    Length,
    Any,
}

impl Layout {
    pub(super) fn draw(random: &mut Random) -> Self {
        let (spaces, escapes, order) = match random.below(100) {
            // Python's json.dumps
            0..10 => (true, Escapes::NonAscii, Order::Usual),
            // PHP's json_encode
            10..17 => (false, Escapes::NonAsciiAndSlashes, Order::Usual),
            // What keeps properties in a sorted map, as Go does
            17..24 => (false, Escapes::Few, Order::Alphabetical),
            // PostgreSQL's jsonb
            24..30 => (true, Escapes::Few, Order::Length),
            // What keeps properties in a hash table
            30..36 => (false, Escapes::Few, Order::Any),
            // .NET's JsonSerializer
            36..38 => (false, Escapes::Html, Order::Usual),
            _ => (false, Escapes::Few, Order::Usual),
        };
        Self { spaces, escapes, order }
    }

    /// These property names, which come in the usual order, in that of the layout.
    pub(super) fn order<const N: usize>(
        self,
        mut names: [&'static str; N],
        random: &mut Random,
    ) -> [&'static str; N] {
        match self.order {
            Order::Usual => {}
            Order::Alphabetical => names.sort_unstable(),
            Order::Length => names.sort_unstable_by_key(|name| (name.len(), *name)),
            Order::Any => (1..N).for_each(|at| names.swap(at, random.index(at + 1))),
        }
        names
    }
}

/// Writes one document in its layout.
#[derive(Debug)]
pub(super) struct Pen<'o> {
    out: &'o mut Vec<u8>,
    layout: Layout,
}

impl<'o> Pen<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, layout: Layout) -> Self {
        Self { out, layout }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    /// What comes before an item of an array.
    pub(super) fn item(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
            self.space();
        }
    }

    /// A property up to its value.
    pub(super) fn name(&mut self, name: &str) {
        self.item();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.space();
    }

    fn space(&mut self) {
        if self.layout.spaces {
            self.out.push(b' ');
        }
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A string that `push` writes the inside of.
    pub(super) fn string_of(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        push(self.out);
        self.out.push(b'"');
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push(b'"');
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'@' | b'.'))
        {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            text.chars().for_each(|char| self.char(char));
        }
        self.out.push(b'"');
    }

    /// A string with the pattern's digits and letters drawn.
    pub(super) fn pattern(&mut self, pattern: &str, random: &mut Random) {
        let text = filled(pattern, random);
        self.string(&text);
    }

    fn char(&mut self, char: char) {
        let escapes = self.layout.escapes;
        match (char, escapes) {
            ('"' | '\'' | '&' | '<' | '>' | '+' | '`', Escapes::Html) => self.escape(char),
            ('"' | '\\', _) => self.out.extend_from_slice(&[b'\\', char as u8]),
            ('/', Escapes::NonAsciiAndSlashes) => self.out.extend_from_slice(b"\\/"),
            (' '..='~', _) => self.out.push(char as u8),
            (_, Escapes::Few) => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => self.escape(char),
        }
    }

    /// As one `\u` escape, or as two where UTF-16 needs a surrogate pair.
    fn escape(&mut self, char: char) {
        let digits: &[u8; 16] = match self.layout.escapes {
            Escapes::Html => b"0123456789ABCDEF",
            _ => b"0123456789abcdef",
        };
        for unit in char.encode_utf16(&mut [0; 2]) {
            let digit = |shift: u32| digits[usize::from(*unit >> shift & 15)];
            self.out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
        }
    }
}

pub(super) fn filled(pattern: &str, random: &mut Random) -> String {
    let mut bytes = Vec::with_capacity(pattern.len());
    push_pattern(&mut bytes, pattern, random);
    String::from_utf8(bytes).expect("ASCII takes the place of ASCII")
}
