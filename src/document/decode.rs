//! What is wrong with a line that is no document of JSON, told apart: encoding, syntax, what follows, too much of something.
//!
//! serde_json looks once more at what `tree` could not read, and makes nothing of it: where it stops, and its words, are
//! what is reported.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    rejection::Fault,
    stray,
    tree::{DEPTH_MAX, Node, Storage, Tree, VALUES_MAX},
};

pub(super) fn as_text(line: &[u8]) -> Result<&str, Fault> {
    simdutf8::compat::from_utf8(line).map_err(|error| {
        let message = with_words("the document is not valid UTF-8", stray::words_of_bytes(line));
        Fault::in_line("json:invalid_utf8", error.valid_up_to() + 1, message)
    })
}

/// The object that a line without its line end is. There has to be as much `room` as text.
pub(super) fn decode<'t>(
    text: &'t str,
    room: &'t mut [u8],
    storage: &mut Storage,
) -> Result<Tree<'t>, Fault> {
    let tree = decode_any(text, room, storage)?;
    if tree.root().is_object() { Ok(tree) } else { Err(not_object(tree.root())) }
}

/// The same of JSON of any kind.
pub(super) fn decode_any<'t>(
    text: &'t str,
    room: &'t mut [u8],
    storage: &mut Storage,
) -> Result<Tree<'t>, Fault> {
    Tree::parse(text, room, storage).ok_or_else(|| fault(text))
}

/// Of a text that can't be read.
fn fault(text: &str) -> Fault {
    let short = ShortNumbers::of(text);
    short.fault(text).or_else(|| ShortNumbers::whole(text).fault(text)).unwrap_or_else(|| {
        debug_assert!(false, "two parsers do not agree on {text}");
        Fault::of_document("json:syntax", "not valid JSON, as far as can be told")
    })
}

/// A text without most of the digits of very long numbers, which serde_json would copy, a megabyte for each in the line.
struct ShortNumbers<'t> {
    text: Cow<'t, str>,
    /// Where digits are missing in `text`, and how many, in order.
    cuts: Vec<(usize, usize)>,
}

impl<'t> ShortNumbers<'t> {
    fn whole(text: &'t str) -> Self {
        Self { text: Cow::Borrowed(text), cuts: Vec::new() }
    }

    fn of(text: &'t str) -> Self {
        if text.len() <= DIGITS_KEPT {
            return Self::whole(text);
        }
        let mut short = String::new();
        let mut cuts = Vec::new();
        let (mut taken, mut at) = (0, 0);
        let bytes = text.as_bytes();
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > DIGITS_KEPT {
                short.push_str(&text[taken..at + DIGITS_KEPT]);
                cuts.push((short.len(), digits - DIGITS_KEPT));
                taken = at + digits;
            }
            at += digits + 1;
        }
        if cuts.is_empty() {
            return Self::whole(text);
        }
        short.push_str(&text[taken..]);
        Self { text: Cow::Owned(short), cuts }
    }

    /// Where a column of `text` stands in the whole text.
    fn column(&self, column: usize) -> usize {
        column + self.cuts.iter().take_while(|(at, _)| *at <= column).map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// What serde_json says of it; nothing where it has nothing to say.
    fn fault(&self, whole: &str) -> Option<Fault> {
        let found = Findings::default();
        let mut parser = serde_json::Deserializer::from_str(&self.text);
        parser.disable_recursion_limit(); // ours stands in `Values`
        if let Err(error) = (Values { depth: 1, found: &found }).deserialize(&mut parser) {
            let column = self.column(error.column());
            return Some(explain(&error, column, whole, found.excess.take()));
        }
        let column = self.column(parser.end().err()?.column());
        let words = stray::words_of_trailing(whole, column);
        let message = with_words("something follows the JSON value on its line", words);
        Some(Fault::in_line("json:trailing_data", column, message))
    }
}

/// Of JSON that is no object.
fn not_object(value: Node<'_>) -> Fault {
    let message = with_words("the document is JSON, but not an object", stray::words_of_value(value));
    Fault::of_document("json:not_object", message)
}

/// Digits of a number that serde_json is given: with more, a number is out of range unless an exponent as long takes it back.
const DIGITS_KEPT: usize = 64 << 10;

/// What a document has too much of.
#[derive(Clone, Copy)]
enum Excess {
    Depth,
    Values,
}

fn explain(error: &serde_json::Error, column: usize, text: &str, excess: Option<Excess>) -> Fault {
    match excess {
        Some(Excess::Depth) => {
            let message = "arrays and objects are nested more than 128 deep";
            return Fault::in_line("json:too_deep", column, message);
        }
        Some(Excess::Values) => {
            let message = format!("the document holds more than {VALUES_MAX} values");
            return Fault::in_line("json:too_many_values", column, message);
        }
        None => {}
    }
    if let Some(position) = lone_surrogate(text.as_bytes())
        && position < column
    {
        return Fault::in_line(
            "json:lone_surrogate",
            position + 1,
            "a \\u escape is half of a surrogate pair, which is no character",
        );
    }
    let words = stray::words_of_syntax(text, column).map_or_else(|| without_position(error), str::to_owned);
    Fault::in_line("json:syntax", column, format!("not valid JSON: {words}"))
}

fn with_words(message: &str, words: Option<&str>) -> String {
    words.map_or_else(|| message.to_owned(), |words| format!("{message}: {words}"))
}

/// serde_json's own words, which quote nothing of the input, without " at line 1 column N".
fn without_position(error: &serde_json::Error) -> String {
    let mut words = error.to_string();
    if let Some(position) = words.rfind(" at line ") {
        words.truncate(position);
    }
    words
}

/// Where the first escape stands that is one half of a surrogate pair (RFC 8259 section 8.2).
fn lone_surrogate(text: &[u8]) -> Option<usize> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while let Some(backslash) = memchr::memchr(b'\\', &text[at..]) {
        at += backslash;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => return Some(at),
            _ => at = (at + 2).min(text.len()),
        }
    }
    None
}

#[derive(Default)]
struct Findings {
    excess: Cell<Option<Excess>>,
    values: Cell<usize>,
}

impl Findings {
    /// Counts a value before it is looked at.
    fn count<E: Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > VALUES_MAX {
            self.excess.set(Some(Excess::Values));
            return Err(E::custom("too many values"));
        }
        Ok(())
    }
}

/// Goes over values and counts them.
#[derive(Clone, Copy)]
struct Values<'f> {
    depth: usize,
    found: &'f Findings,
}

impl Values<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth > DEPTH_MAX {
            self.found.excess.set(Some(Excess::Depth));
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.found.count()?;
        deserializer.deserialize_any(self)
    }
}

/// A name: a text whose escapes are looked at, too.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while entries.next_key_seed(Name)?.is_some() {
            entries.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::place::Segment;

    /// The places of names that come twice.
    fn decode(text: &str) -> Result<Vec<Vec<Segment<'static>>>, Fault> {
        let mut room = vec![0; text.len()];
        let tree = super::decode(text, &mut room, &mut Storage::default())?;
        Ok(tree.duplicates(100, |name| Segment::Name(Cow::Owned(name.to_owned()))))
    }

    fn check(line: &[u8], code: &str, column: Option<usize>) {
        let fault = as_text(line).and_then(decode).err().unwrap_or_else(|| panic!("accepted: {line:?}"));
        let place = format!("{:?}", String::from_utf8_lossy(&line[..line.len().min(300)]));
        assert_eq!((fault.code.as_ref(), fault.column), (code, column), "{place}");
    }

    #[test]
    fn very_long_numbers_are_told_as_the_crate_tells_them() {
        let more = 3 * DIGITS_KEPT;
        let (sevens, zeros) = ("7".repeat(more), "0".repeat(more));
        for text in [
            format!("{{\"a\":{sevens}}}"),
            format!("{{\"a\":0.{sevens},\"b\":{sevens}, \"c\":x}}"),
            format!("{{\"a\":0.{sevens},\"b\":-0.{sevens}e-5,\"c\"}}"),
            format!("{{\"{sevens}\":\"{sevens}\",\"b\":tru{sevens}}}"),
            format!("{{\"a\":{zeros}}}"),
            format!("{{\"a\":1{zeros}e-{DIGITS_KEPT}}}"),
            format!("{{\"a\":1}} {sevens}"),
            sevens.clone(),
            format!("-{sevens}"),
        ] {
            let fault = decode(&text).expect_err("it is none of ours");
            let whole = ShortNumbers::whole(&text).fault(&text).expect("the crate finds something");
            assert_eq!(fault, whole, "{:?}", &text[..20]);
        }
    }

    #[test]
    fn faults_before_json() {
        check(b"{\"a\":\"\xff\"}", "json:invalid_utf8", Some(7));
        check(b"{\"a\":", "json:syntax", Some(5));
        check(b"{'a':1}", "json:syntax", Some(2));
        check(b"{\"a\":NaN}", "json:syntax", Some(6));
        check(b"{\"a\":\"\t\"}", "json:syntax", Some(7));
        check(b"{\"a\":1e999}", "json:syntax", Some(10));
        check(b"{} {}", "json:trailing_data", Some(4));
        check(b"{}x", "json:trailing_data", Some(3));
        for other in [&b"[]"[..], b"1", b"null", b"\"{}\""] {
            check(other, "json:not_object", None);
        }
    }

    #[test]
    fn lone_surrogates_are_told_from_other_syntax() {
        check(br#"{"a":"\ud83d"}"#, "json:lone_surrogate", Some(7));
        check(br#"{"a":"\ud83dx"}"#, "json:lone_surrogate", Some(7));
        check(br#"{"a":"\ude00"}"#, "json:lone_surrogate", Some(7));
        check(br#"{"a":"\ud83d\ud83d\ude00"}"#, "json:lone_surrogate", Some(7));
        check(br#"{"a":"\ud83d\ude00",}"#, "json:syntax", Some(21));
        check(br#"{"a":x,"b":"\ud83d"}"#, "json:syntax", Some(6));
        assert!(decode(r#"{"a":"\ud83d\ude00 \\ud83d"}"#).is_ok());
    }

    #[test]
    fn the_depth_limit_is_exact() {
        let nested =
            |depth: usize| format!("{}{}{}{}", r#"{"a":"#, "[".repeat(depth - 1), "]".repeat(depth - 1), "}");
        assert!(decode(&nested(128)).is_ok());
        check(nested(129).as_bytes(), "json:too_deep", Some(134));
        check("[".repeat(1_000_000).as_bytes(), "json:too_deep", Some(129));
    }

    #[test]
    fn values_are_counted_wherever_they_stand() {
        // The object and the array are values, too.
        let items = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count - 1));
        assert!(decode(&items(VALUES_MAX - 2)).is_ok());
        check(items(VALUES_MAX - 1).as_bytes(), "json:too_many_values", Some(2 * VALUES_MAX + 2));
        let members: String = ["\"a\":0,", "\"b\":0,"].concat().repeat(VALUES_MAX / 2);
        let fault = decode(&format!("{{{members}\"a\":0}}")).err().unwrap();
        assert_eq!(fault.code, "json:too_many_values");
    }

    #[test]
    fn duplicate_keys_are_placed() {
        let line = r#"{"a":1,"b":[{"c":1,"c":2},{}],"\u0061":{"d":{"e":1,"e":1}}}"#;
        let name = |name: &'static str| Segment::Name(Cow::Borrowed(name));
        assert_eq!(
            decode(line).unwrap(),
            [
                vec![name("b"), Segment::Index(0), name("c")],
                vec![name("a"), name("d"), name("e")],
                vec![name("a")],
            ]
        );
    }
}
