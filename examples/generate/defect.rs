//! The ways to spoil a valid document, each so that it gets one fault of a known code.

use std::ops::Range;

use memchr::memmem;

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

const NAMES: [&str; 2] = ["\"firstName\":", "\"lastName\":"];
const STRINGS: [&str; 4] = ["\"firstName\":", "\"lastName\":", "\"line1\":", "\"city\":"];
const FIRST_EMAIL: &str = "\"emails\":[";

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

/// Spoils a document that has phone numbers and an address.
pub(crate) fn spoil(document: &mut Vec<u8>, defect: Defect, random: &mut Random) {
    match defect {
        Defect::MissingProperty => {
            let name = random.pick(&["\"id\":", "\"firstName\":", "\"lastName\":", "\"line1\":"]);
            let value = string_after(document, name);
            document.drain(value.start - name.len()..=value.end); // with the comma that follows
        }
        Defect::Null => replace(document, random.pick(&STRINGS), "null"),
        Defect::WrongType => replace(document, random.pick(&STRINGS), random.pick(&["42", "[]", "true"])),
        Defect::UnknownProperty => insert(document, "{", random.pick(&UNKNOWN).as_bytes()),
        Defect::BadEmail => replace_text(document, FIRST_EMAIL, random.pick(&BAD_EMAILS)),
        Defect::BadUuid => replace_text(document, "\"id\":", random.pick(&BAD_UUIDS)),
        Defect::BadNumber => replace_text(document, "\"number\":", random.pick(&BAD_NUMBERS)),
        Defect::EmptyName => replace_text(document, random.pick(&NAMES), ""),
        Defect::LongCountry => replace_text(document, "\"country\":", random.pick(&["DEU", "Germany"])),
        Defect::RepeatedEmail => {
            let first = string_after(document, FIRST_EMAIL);
            let again = [&document[first], b","].concat();
            insert(document, FIRST_EMAIL, &again);
        }
        Defect::BrokenJson => match random.below(3) {
            0 => document.truncate(document.len() - 1),
            1 => document.truncate(after(document, FIRST_EMAIL)),
            _ => insert(document, FIRST_EMAIL, b"'"),
        },
        Defect::InvalidUtf8 => insert_in_string(document, random.pick(&NAMES), b"\xe9"), // Latin-1
        Defect::DuplicateKey => {
            let name = random.pick(&STRINGS);
            let value = string_after(document, name);
            let again = [b",", &document[value.start - name.len()..value.end]].concat();
            document.splice(value.end..value.end, again);
        }
        Defect::Nul => insert_in_string(document, random.pick(&STRINGS), br"\u0000"),
        Defect::LoneSurrogate => insert_in_string(document, random.pick(&STRINGS), br"\ud83d"),
        Defect::TrailingData => document.extend_from_slice(random.pick(&["{}", " ,", "}"]).as_bytes()),
    }
}

fn replace(document: &mut Vec<u8>, name: &str, value: &str) {
    let old = string_after(document, name);
    document.splice(old, value.bytes());
}

fn replace_text(document: &mut Vec<u8>, name: &str, text: &str) {
    let old = string_after(document, name);
    document.splice(old.start + 1..old.end - 1, text.bytes());
}

fn insert_in_string(document: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let at = string_after(document, name).start + 1;
    document.splice(at..at, bytes.iter().copied());
}

fn insert(document: &mut Vec<u8>, marker: &str, bytes: &[u8]) {
    let at = after(document, marker);
    document.splice(at..at, bytes.iter().copied());
}

/// Where the first string after `marker` stands, quotes included.
fn string_after(document: &[u8], marker: &str) -> Range<usize> {
    let begin = after(document, marker);
    let mut end = begin + 1;
    while document[end] != b'"' {
        end += if document[end] == b'\\' { 2 } else { 1 };
    }
    begin..end + 1
}

fn after(document: &[u8], marker: &str) -> usize {
    let at = memmem::find(document, marker.as_bytes()).expect("a complete document has every property");
    at + marker.len()
}
