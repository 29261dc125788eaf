//! Spoils documents in seeded ways that keep most of them near the border between valid and not.
//!
//! Knows the properties' names but none of the rules: whether the result is valid is for others to say.

use serde_json::{Map, Value, json};

/// SplitMix64 (Steele, Lea and Flood, 2014), enough to draw test data from.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below a usize")
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Where a value may be put: every property that a document may have, and some that it may not.
const PLACES: [&str; 26] = [
    "/firstName",
    "/firstName",
    "/middleName",
    "/middleName",
    "/lastName",
    "/emails",
    "/emails/0",
    "/emails/0",
    "/emails/1",
    "/phoneNumbers",
    "/phoneNumbers/0",
    "/phoneNumbers/0/type",
    "/phoneNumbers/0/number",
    "/phoneNumbers/0/number",
    "/address",
    "/address/line1",
    "/address/line2",
    "/address/line2",
    "/address/city",
    "/address/state",
    "/address/postalCode",
    "/address/country",
    "/address/country",
    "/privacySettings/twoFactorEnabled",
    "/nickname",
    "/id",
];

/// Texts that have tripped parsers, encoders, columns and comparisons.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "a",
    "é",
    "ß",
    "e\u{301}",
    "\u{0}",
    "a\u{0}b",
    "\u{1}",
    "\t\r\n",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{ffff}",
    "\u{10ffff}",
    "🧑‍🚒",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "'; --",
    "{a,\"b\"}",
    "(,)",
    "DE",
    "🇩🇪",
    "中国",
    "home",
    "work ",
    "\u{202e}abc",
];

const EMAILS: [&str; 12] = [
    "a@b.example",
    "A@B.EXAMPLE",
    "a@b",
    "\"a b\"@example.com",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "ä@example.com",
    "a@ä.example",
    "a.@example.com",
    "a+b@example.com",
    " a@example.com",
    "a@example.com.",
];

const NUMBERS: [&str; 12] = [
    "+4915112345678",
    "12",
    "+12",
    "1",
    "+1",
    "012",
    "+123456789012345",
    "123456789012345",
    "1234567890123456",
    "+1234567890123456",
    "12345678901234567",
    "+49 151",
];

/// One to three changes of a document, as one line without its end.
pub(crate) fn mutate(line: &[u8], random: &mut Random) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(line).expect("a generated document is JSON");
    for _ in 0..=random.below(3) {
        change(&mut document, random);
    }
    let mut text = document.to_string().into_bytes();
    match random.below(12) {
        0 => spoil_a_byte(&mut text, random),
        1 => text = repeat_a_property(&document, random),
        2 => text = escape_letters(&document),
        3 => text = [b" \t", &text[..], b" \r"].concat(),
        _ => {}
    }
    text.retain(|byte| *byte != b'\n');
    text
}

fn change(document: &mut Value, random: &mut Random) {
    let pointer = *random.pick(&PLACES);
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    match document.pointer_mut(parent) {
        Some(Value::Object(object)) => change_property(object, name, random),
        Some(Value::Array(items)) => change_item(items, random),
        _ => {}
    }
}

fn change_property(object: &mut Map<String, Value>, name: &str, random: &mut Random) {
    match random.below(8) {
        0 => drop(object.remove(name)),
        1 => {
            let value = object.remove(name).unwrap_or(Value::Null);
            object.insert(name.to_ascii_uppercase(), value);
        }
        _ => {
            let old = object.get(name).cloned().unwrap_or(Value::Null);
            object.insert(name.to_owned(), another(name, &old, random));
        }
    }
}

fn change_item(items: &mut Vec<Value>, random: &mut Random) {
    let old = items.first().cloned().unwrap_or(Value::Null);
    match random.below(5) {
        0 => items.clear(),
        1 => items.push(old),
        2 => items.truncate(1),
        _ => items.push(another("0", &old, random)),
    }
}

/// Sometimes anything, mostly something of the same kind.
fn another(name: &str, old: &Value, random: &mut Random) -> Value {
    if name == "id" {
        let id = old.as_str().unwrap_or_default();
        let forms =
            [id.to_ascii_uppercase(), format!("{{{id}}}"), id.replace('-', ""), id.replacen('-', "_", 1)];
        return json!(forms[[0, 0, 0, 1, 2, 3][random.below(6)]]);
    }
    match (random.below(10), old) {
        (0, _) => {
            random.pick(&[json!(null), json!(1), json!(1.5e300), json!(true), json!([]), json!({})]).clone()
        }
        (1, Value::String(text)) => json!(text.to_uppercase()),
        (2, Value::String(text)) => json!(format!("{text}{}", random.pick(&TEXTS))),
        (3, Value::String(text)) => {
            let length = *random.pick(&[2, 3, 16, 17, 255, 319, 320, 321, 5000, 70_000]);
            let filler = *random.pick(&["x", "é", "𝔘"]);
            let kept = text.chars().take(length);
            json!(kept.chain(filler.chars().cycle()).take(length).collect::<String>())
        }
        (4, Value::String(_)) => {
            // A local part of any length at a domain of 253 characters.
            let label = "d".repeat(61);
            let local = "l".repeat(*random.pick(&[1, 63, 64, 65, 66, 67]));
            json!(format!("{local}@{label}.{label}.{label}.{label}.exam"))
        }
        (5 | 6, Value::String(_)) if name == "number" => json!(random.pick(&NUMBERS)),
        (5 | 6, Value::String(_)) if name == "0" => json!(random.pick(&EMAILS)),
        (_, Value::Array(items)) => json!(items.iter().rev().collect::<Vec<_>>()),
        (_, Value::Bool(value)) => json!(!value),
        _ => json!(random.pick(&TEXTS)),
    }
}

/// Broken JSON, mostly; or another letter.
fn spoil_a_byte(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len());
    match random.below(4) {
        0 => drop(text.remove(at)),
        1 => text.truncate(at),
        2 => text.insert(at, *random.pick(b"\"\\{}[],:\x00\x1f\x7f\x80\xc3\xed\xff")),
        _ => text[at] = *random.pick(b"\"\\ abc019,:\xe9"),
    }
}

/// The object with one of its properties a second time, as it is or with another value.
fn repeat_a_property(document: &Value, random: &mut Random) -> Vec<u8> {
    let text = document.to_string();
    let name = *random.pick(&["id", "lastName", "emails", "x"]);
    let value = if random.below(2) == 0 { document[name].clone() } else { json!("again") };
    format!("{},{}:{value}}}", &text[..text.len() - 1], json!(name)).into_bytes()
}

/// The same document with every character of its strings and names as `\u` escapes.
fn escape_letters(document: &Value) -> Vec<u8> {
    let text = document.to_string();
    let mut out = String::new();
    let mut rest = text.chars();
    let mut is_inside = false;
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                is_inside = !is_inside;
                out.push('"');
            }
            '\\' => out.extend([Some('\\'), rest.next()].into_iter().flatten()),
            c if is_inside => {
                out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out.into_bytes()
}
