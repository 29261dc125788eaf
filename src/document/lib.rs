//! One line to a [`Profile`], or to everything that is wrong with it.
//!
//! Knows no SQL. The rules stand in three layers: what JSON is (`decode`), what the JSON Schema asks
//! (`schema`), and what the tables can hold on top of it (`profile`).

mod checks;
mod cursor;
mod decode;
mod digest;
mod formats;
mod limits;
mod meant;
mod place;
mod profile;
mod rejection;
mod rules;
mod scan;
mod schema;
mod schema_message;
mod shapes;
mod stray;
mod tree;
mod uuid;
mod validator;
mod value_shape;

pub use digest::sha256_hex;
pub use limits::{
    COUNTRY_CHARS_MAX, EMAIL_CHARS_MAX, HOLE_BYTES_MIN, LINE_BYTES_MAX, LONG_ROOM_BYTES, NUMBER_CHARS_MAX,
    PHONE_TYPES,
};
pub use profile::{
    ADDRESS_PROPERTIES, PHONE_PROPERTIES, PRIVACY_PROPERTIES, PROFILE_PROPERTIES, PhoneNumber, PostalAddress,
    Profile,
};
pub use rejection::{Fault, FaultKind, record_bytes_max};
pub use schema::{BUILT_IN_SCHEMA, DocumentSchema, SchemaError};
pub use tree::{DEPTH_MAX, Kind, Node, VALUES_MAX};
pub use uuid::parse_uuid;

use std::io::{self, Read as _};

use meant::Remembered;
use serde::{Deserialize as _, de::IgnoredAny};
use tree::{Storage, Tree};

/// How many members of a document are told whose names come twice in their objects.
const DUPLICATES_MAX: usize = 100;

/// Whether a line holds no document: nothing but JSON white space.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether a line is the beginning of a document whose rest is missing. One that is broken in another way is
/// not, nor is a blank one.
pub fn is_cut_off(line: &[u8]) -> bool {
    let ends_early = |line: &mut dyn io::Read| {
        let parsed = IgnoredAny::deserialize(&mut serde_json::Deserializer::from_reader(line));
        parsed.is_err_and(|error| error.is_eof())
    };
    // A digit ends a number that was cut behind its sign, point or exponent, which serde_json calls no number.
    !is_blank(line) && (ends_early(&mut &*line) || ends_early(&mut line.chain(&b"0"[..])))
}

/// Memory for one document after another: a worker has one.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For texts whose escapes are resolved.
    room: Vec<u8>,
    storage: Storage,
    remembered: Remembered,
    /// How many documents in a row were rejected, the last one included.
    rejected: usize,
}

/// After so many rejected documents in a row the next one probably is rejected too: it is not even tried the short way.
const REJECTED_IN_A_ROW: usize = 8;

/// More room than this is given back after a document.
const ROOM_BYTES_MAX: usize = 1 << 20;

impl Scratch {
    /// Makes room for all texts of a document.
    fn make_room_for(&mut self, text: &str) {
        if let Some(missing) = text.len().checked_sub(self.room.len()) {
            let is_long = text.len() > ROOM_BYTES_MAX;
            self.room.reserve_exact(if is_long { LONG_ROOM_BYTES.max(missing) } else { missing });
            self.room.resize(text.len(), 0);
        }
    }

    fn room_for(&mut self, text: &str) -> &mut [u8] {
        self.make_room_for(text);
        &mut self.room
    }

    fn tidy(&mut self) {
        if self.room.len() > ROOM_BYTES_MAX {
            self.room = Vec::new();
        }
    }
}

/// Checks one line, with or without its line end: gives its profile to `accept`, or says all that is wrong
/// with it (at least one fault).
pub fn check<T>(
    line: &[u8],
    schema: &DocumentSchema,
    accept: impl FnOnce(&Profile<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    check_with(line, schema, &mut Scratch::default(), accept, |_| ())
}

/// The same for one document after another.
pub fn check_in<T>(
    line: &[u8],
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    accept: impl FnOnce(&Profile<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    check_with(line, schema, scratch, accept, |_| ())
}

/// The same; `reject` gets a document that is wrong, as far as it is JSON.
pub fn check_with<T>(
    line: &[u8],
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    accept: impl FnOnce(&Profile<'_>) -> T,
    reject: impl FnOnce(Node<'_>),
) -> Result<T, Vec<Fault>> {
    check_text(as_text(line)?, schema, scratch, accept, reject)
}

/// The same for a line that is known to be UTF-8.
pub fn check_line<T>(
    line: &str,
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    accept: impl FnOnce(&Profile<'_>) -> T,
    reject: impl FnOnce(Node<'_>),
) -> Result<T, Vec<Fault>> {
    let text = line.strip_suffix('\n').unwrap_or(line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.len() > LINE_BYTES_MAX {
        return Err(vec![Fault::line_too_long()]);
    }
    check_text(text, schema, scratch, accept, reject)
}

/// The same for a text.
pub fn check_text<T>(
    text: &str,
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    accept: impl FnOnce(&Profile<'_>) -> T,
    reject: impl FnOnce(Node<'_>),
) -> Result<T, Vec<Fault>> {
    let is_hopeful = scratch.rejected < REJECTED_IN_A_ROW || !schema.has_checks();
    let accept = match schema.rules().filter(|_| is_hopeful) {
        Some(rules) => match scan::scan(text, rules, scratch.room_for(text), accept) {
            Ok(accepted) => {
                scratch.rejected = 0;
                return Ok(accepted);
            }
            Err(accept) => accept,
        },
        None => accept,
    };
    let validated = validate(text, schema, scratch, Way::Checks, accept, reject);
    scratch.rejected = if validated.is_ok() { 0 } else { scratch.rejected.saturating_add(1) };
    scratch.tidy();
    validated
}

/// Gives the text and the values of a line that is JSON of any kind to `use_it`, or says what is wrong with it as JSON: all
/// that [`check`] finds besides what schema and tables ask.
pub fn sound_text<T>(
    line: &[u8],
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    use_it: impl FnOnce(&str, Node<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    let text = as_text(line)?;
    scratch.make_room_for(text);
    let Scratch { room, storage, .. } = scratch;
    let sound = decode::decode_any(text, room, storage).map_err(|fault| vec![fault]).and_then(|tree| {
        let duplicates = tree.duplicates(DUPLICATES_MAX, |name| schema.segment(name).into_owned());
        let mut faults = DocumentSchema::duplicate_faults(&duplicates);
        let used = if faults.is_empty() {
            Ok(use_it(text, tree.root()))
        } else {
            rejection::limit(&mut faults, text.len(), true);
            Err(faults)
        };
        tree.give_back(storage);
        used
    });
    scratch.tidy();
    sound
}

/// What [`check`] has to agree with: every document goes to the validator, none the short way or by checks.
pub fn check_in_full<T>(
    line: &[u8],
    schema: &DocumentSchema,
    accept: impl FnOnce(&Profile<'_>) -> T,
) -> Result<T, Vec<Fault>> {
    validate(as_text(line)?, schema, &mut Scratch::default(), Way::Full, accept, |_| ())
}

/// The short way alone: gives the profile of a line to `accept` if it surely is valid.
pub fn check_ordinary<T>(
    line: &[u8],
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    accept: impl FnOnce(&Profile<'_>) -> T,
) -> Option<T> {
    let text = as_text(line).ok()?;
    scan::scan(text, schema.rules()?, scratch.room_for(text), accept).ok()
}

fn as_text(line: &[u8]) -> Result<&str, Vec<Fault>> {
    let line = without_line_end(line);
    if line.len() > LINE_BYTES_MAX {
        return Err(vec![Fault::line_too_long()]);
    }
    decode::as_text(line).map_err(|fault| vec![fault])
}

/// Who says what a document that is not surely valid breaks of its schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The schema's checks, where it has some and they are sure.
    Checks,
    /// The validator alone.
    Full,
}

fn validate<T>(
    text: &str,
    schema: &DocumentSchema,
    scratch: &mut Scratch,
    way: Way,
    accept: impl FnOnce(&Profile<'_>) -> T,
    reject: impl FnOnce(Node<'_>),
) -> Result<T, Vec<Fault>> {
    scratch.make_room_for(text);
    let Scratch { room, storage, remembered, .. } = scratch;
    let tree = decode::decode(text, room, storage).map_err(|fault| vec![fault])?;
    let checked = validate_tree(text, &tree, (schema, way), remembered, accept, reject);
    tree.give_back(storage);
    checked
}

fn validate_tree<T>(
    text: &str,
    tree: &Tree<'_>,
    (schema, way): (&DocumentSchema, Way),
    remembered: &mut Remembered,
    accept: impl FnOnce(&Profile<'_>) -> T,
    reject: impl FnOnce(Node<'_>),
) -> Result<T, Vec<Fault>> {
    let document = tree.root();
    let duplicates = tree.duplicates(DUPLICATES_MAX, |name| schema.segment(name).into_owned());
    let mut faults = DocumentSchema::duplicate_faults(&duplicates);
    let checked = if way == Way::Checks { schema.checked(document, text.len(), remembered) } else { None };
    let is_sound = checked.as_ref().is_some_and(Vec::is_empty);
    let profile = is_sound.then(|| Profile::of_valid(document));
    // Only the validator says that a document is valid, but one that is rejected in any case need not be.
    let (schema_faults, is_complete) = match (checked, &profile) {
        (Some(schema_faults), None) => (schema_faults, true),
        (_, Some(profile)) if profile.is_err() || !faults.is_empty() => (Vec::new(), true),
        _ => validator_faults(document, text.len(), schema, is_sound, remembered),
    };
    if schema_faults.is_empty() {
        match profile.unwrap_or_else(|| Profile::of_valid(document)) {
            Ok(profile) if faults.is_empty() => return Ok(accept(&profile)),
            Ok(_) => {}
            Err(table_faults) => faults.extend(table_faults),
        }
    } else {
        faults.extend(schema_faults);
        // What the schema refuses is not refused once more in the tables' words.
        faults.extend(profile::text_faults(tree, schema));
    }
    assert!(!faults.is_empty(), "a document that is not accepted has a fault");
    rejection::limit(&mut faults, text.len(), is_complete);
    reject(document);
    Err(faults)
}

/// The rules of the schema that a document breaks, whose text has so many bytes, as the validator tells them, and whether
/// these are all.
fn validator_faults(
    document: Node<'_>,
    text_bytes: usize,
    schema: &DocumentSchema,
    is_sound: bool,
    remembered: &mut Remembered,
) -> (Vec<Fault>, bool) {
    // Few documents get here by a schema with rules without a fault, so it is not asked first whether there is.
    let may_be_valid = is_sound || schema.rules().is_none();
    let is_valid = may_be_valid && schema.is_valid(document);
    if is_valid { (Vec::new(), true) } else { schema.faults(document, text_bytes, remembered) }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
