//! The ways to spoil a valid document, each so that it gets one fault of a known code.

use std::ops::Range;

use memchr::{memchr, memmem};

use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    MissingProperty,
    Null,
    WrongType,
    UnknownProperty,
    BadEmail,
    BadUuid,
    BadNumber,
    EmptyName,
    LongCountry,
    RepeatedEmail,
    BrokenJson,
    InvalidUtf8,
    DuplicateKey,
    Nul,
    LoneSurrogate,
    TrailingData,
}

pub(crate) const DEFECTS: [Defect; 16] = [
    Defect::MissingProperty,
    Defect::Null,
    Defect::WrongType,
    Defect::UnknownProperty,
    Defect::BadEmail,
    Defect::BadUuid,
    Defect::BadNumber,
    Defect::EmptyName,
    Defect::LongCountry,
    Defect::RepeatedEmail,
    Defect::BrokenJson,
    Defect::InvalidUtf8,
    Defect::DuplicateKey,
    Defect::Nul,
    Defect::LoneSurrogate,
    Defect::TrailingData,
];

const NAMES: [&str; 2] = ["firstName", "lastName"];
const STRINGS: [&str; 4] = ["firstName", "lastName", "line1", "city"];

const BAD_EMAILS: [&str; 5] =
    ["no-at-sign.example", "joe@", "Joe <joe@example.com>", "joe doe@example.com", ""];
const BAD_UUIDS: [&str; 3] =
    ["4711", "{0b8f2f0a-6c1e-4d5b-9a37-5f0c2d1e8b64}", "0b8f2f0a6c1e4d5b9a375f0c2d1e8b64"];
const BAD_NUMBERS: [&str; 5] =
    ["0151 2345678", "+49-151-2345678", "+0123456789", "1234567890123456", r"n\/a"];
const UNKNOWN: [&str; 3] = [r#""dateOfBirth":"1980-02-29","#, r#""lastname":"Doe","#, r#""tags":[],"#];

impl Defect {
    /// The code of the fault that the document gets.
    #[cfg(test)]
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::MissingProperty => "schema:required",
            Self::Null | Self::WrongType => "schema:type",
            Self::UnknownProperty => "schema:additionalProperties",
            Self::BadEmail | Self::BadUuid => "schema:format",
            Self::BadNumber => "schema:pattern",
            Self::EmptyName => "schema:minLength",
            Self::LongCountry => "schema:maxLength",
            Self::RepeatedEmail => "schema:uniqueItems",
            Self::BrokenJson => "json:syntax",
            Self::InvalidUtf8 => "json:invalid_utf8",
            Self::DuplicateKey => "json:duplicate_key",
            Self::Nul => "db:nul",
            Self::LoneSurrogate => "json:lone_surrogate",
            Self::TrailingData => "json:trailing_data",
        }
    }
}

/// Spoils a document that has phone numbers and an address, in whatever layout.
pub(crate) fn spoil(document: &mut Vec<u8>, defect: Defect, random: &mut Random) {
    match defect {
        Defect::MissingProperty => remove(document, random.pick(&["id", "firstName", "lastName", "line1"])),
        Defect::Null => replace(document, random.pick(&STRINGS), "null"),
        Defect::WrongType => replace(document, random.pick(&STRINGS), random.pick(&["42", "[]", "true"])),
        Defect::UnknownProperty => insert(document, 1, random.pick(&UNKNOWN).as_bytes()),
        Defect::BadEmail => replace_text(document, "emails", random.pick(&BAD_EMAILS)),
        Defect::BadUuid => replace_text(document, "id", random.pick(&BAD_UUIDS)),
        Defect::BadNumber => replace_text(document, "number", random.pick(&BAD_NUMBERS)),
        Defect::EmptyName => replace_text(document, random.pick(&NAMES), ""),
        Defect::LongCountry => replace_text(document, "country", random.pick(&["DEU", "Germany"])),
        Defect::RepeatedEmail => {
            let first = string_of(document, "emails");
            let again = [&document[first.clone()], b","].concat();
            insert(document, first.start, &again);
        }
        Defect::BrokenJson => {
            let choice = random.below(3);
            let first_email = string_of(document, "emails").start;
            match choice {
                0 => document.truncate(document.len() - 1),
                1 => document.truncate(first_email),
                _ => insert(document, first_email, b"'"),
            }
        }
        Defect::InvalidUtf8 => insert_in_string(document, random.pick(&NAMES), b"\xe9"), // Latin-1
        Defect::DuplicateKey => {
            let name = random.pick(&STRINGS);
            let (begin, end) = (property(document, name), string_of(document, name).end);
            let again = [b",", &document[begin..end]].concat();
            insert(document, end, &again);
        }
        Defect::Nul => insert_in_string(document, random.pick(&STRINGS), br"\u0000"),
        Defect::LoneSurrogate => insert_in_string(document, random.pick(&STRINGS), br"\ud83d"),
        Defect::TrailingData => document.extend_from_slice(random.pick(&["{}", " ,", "}"]).as_bytes()),
    }
}

/// With the comma that follows or, of the last property of its object, with the one before.
fn remove(document: &mut Vec<u8>, name: &str) {
    let mut property = property(document, name)..string_of(document, name).end;
    if document[property.end] == b',' {
        property.end += 1;
    } else {
        property.start = document[..property.start].iter().rposition(|byte| *byte == b',').unwrap_or(0);
    }
    document.drain(property);
}

fn replace(document: &mut Vec<u8>, name: &str, value: &str) {
    let old = string_of(document, name);
    document.splice(old, value.bytes());
}

fn replace_text(document: &mut Vec<u8>, name: &str, text: &str) {
    let old = string_of(document, name);
    document.splice(old.start + 1..old.end - 1, text.bytes());
}

fn insert_in_string(document: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    insert(document, string_of(document, name).start + 1, bytes);
}

fn insert(document: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    document.splice(at..at, bytes.iter().copied());
}

/// Where the first string of a property's value stands, quotes included.
fn string_of(document: &[u8], name: &str) -> Range<usize> {
    let value = property(document, name) + name.len() + 2;
    let quote = memchr(b'"', &document[value..]).expect("the value is a string or has one");
    let begin = value + quote;
    let mut end = begin + 1;
    while document[end] != b'"' {
        end += if document[end] == b'\\' { 2 } else { 1 };
    }
    begin..end + 1
}

/// Where a property begins: at the quote before its name.
fn property(document: &[u8], name: &str) -> usize {
    let quoted = format!("\"{name}\":");
    memmem::find(document, quoted.as_bytes()).expect("a complete document has every property")
}
