//! Why splitting can't go on, in words that quote nothing of the input.

use super::lines::Place;

/// All before it is sound, and what follows can't be told apart for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::input) struct Stop {
    pub(in crate::input) found: &'static str,
    /// Where it was found.
    pub(in crate::input) place: Place,
    /// Where the document begins that it is in, if it is in one.
    pub(in crate::input) document: Option<Place>,
}

/// What an input lacks that ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::input) enum Missing {
    RestOfDocument,
    /// That of an array; all of its documents so far are whole.
    Bracket,
}

pub(super) const CONTROL: &str = "a control character in a string, as where its closing quote is missing";

pub(super) const SEPARATOR: &str =
    "U+001E, the record separator of RFC 7464, in a document that none stands before";

/// Of what stands where a value has to begin.
pub(super) fn before(byte: u8, is_top: bool) -> &'static str {
    match (byte, is_top) {
        (b',', true) => {
            "a comma between documents that are in no array; put [ before the first document and ] behind the last"
        }
        (b',', false) => {
            "a comma where a document has to stand, as where one was taken out and its comma was not"
        }
        (b']', true) => "a ] that closes no array",
        (b']', false) => "a comma before the ] of the array, as where the last document is missing",
        (b'}', _) => "a } that closes no object",
        (0x1e, _) => "U+001E, the record separator of RFC 7464, in an array",
        (0, _) => "a zero byte (U+0000) between documents",
        _ => "something between documents that is no document",
    }
}

/// Of what follows a value in an array.
pub(super) fn behind(byte: u8) -> &'static str {
    match byte {
        b'{' | b'[' | b'"' => "no comma between two documents of an array",
        b'}' => "a } that closes no object",
        0x1e => "U+001E, the record separator of RFC 7464, in an array",
        0 => "a zero byte (U+0000) between documents",
        _ => "something behind a document that is neither a comma nor the ] of its array",
    }
}

/// Of text that is no JSON.
pub(super) fn text(bytes: &[u8]) -> &'static str {
    if bytes.starts_with("\u{feff}".as_bytes()) {
        r"U+FEFF, a byte order mark, in the middle of the input, as where files were joined; take it off with sed 's/\xef\xbb\xbf//g'"
    } else {
        "text between documents that is no JSON"
    }
}
