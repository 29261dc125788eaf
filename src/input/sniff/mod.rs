//! Tells from a source's first bytes how its documents are framed, or that it is no JSON at all, so that a million
//! rejections of one cause become one error that says how to convert the file.
//!
//! Looks twice: only where all of the head agrees is a source refused, or no NDJSON. A line that is no document among lines
//! that may be is one line's fault, and left to the documents' own checks.

mod binary;
mod encoding;
mod json;
mod lines;
mod shape;
mod text;

#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod tests;

pub(super) use lines::HEAD_BYTES;

use super::reject_form::is_marked;
use crate::settings::{Framing, FramingRequest};
use json::Json;
use lines::Head;
use shape::Shape;

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the input is instead of documents, and how to make NDJSON of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) found: &'static str,
    /// How it was told.
    pub(super) told: &'static str,
    pub(super) fix: String,
}

/// The length of a UTF-8 byte order mark at the start of `head`, 0 or 3.
pub(super) fn bom_bytes(head: &[u8]) -> usize {
    if head.starts_with(BOM) { BOM.len() } else { 0 }
}

/// The framing of a source that starts like this (after a byte order mark) as it is decompressed from `form`: all of it,
/// or at least `HEAD_BYTES`.
pub(super) fn framing(
    head: &[u8],
    request: FramingRequest,
    name: &str,
    form: &str,
) -> Result<Framing, Foreign> {
    let foreign = |Shape { found, told, fix }| Foreign { found, told, fix: fix.text(name, form) };
    if is_marked(head) {
        return Ok(Framing::Json);
    }
    if let Some(shape) = binary::brotli(head, name) {
        return Err(foreign(shape));
    }
    match (recognise(head), request) {
        (Recognised::Foreign(shape), _) | (Recognised::OtherJson(shape), FramingRequest::Auto) => {
            Err(foreign(shape))
        }
        (Recognised::Framing(framing), FramingRequest::Auto) | (_, FramingRequest::Only(framing)) => {
            Ok(framing)
        }
    }
}

/// Whether a source that starts like this has another framing than the one that is found.
pub(super) fn is_overridden(head: &[u8], framing: Framing) -> bool {
    !matches!(recognise(head), Recognised::Framing(found) if found == framing)
}

enum Recognised {
    Framing(Framing),
    /// JSON, but no documents.
    OtherJson(Shape),
    Foreign(Shape),
}

/// Whether a file that starts like this is read by lines, each as it is, if nobody says how.
pub(super) fn reads_as_lines(head: &[u8]) -> bool {
    bom_bytes(head) == 0 && matches!(recognise(head), Recognised::Framing(Framing::Ndjson))
}

fn recognise(bytes: &[u8]) -> Recognised {
    if is_marked(bytes) {
        return Recognised::Framing(Framing::Json);
    }
    let head = Head::of(bytes);
    let documents_apart = || {
        encoding::wide_text(head.bytes).or_else(|| text::text(&head)).or_else(|| binary::unknown(head.bytes))
    };
    if let Some(shape) = binary::binary(head.bytes).or_else(|| binary::zlib(head.bytes)) {
        return Recognised::Foreign(shape);
    }
    match json::json(&head) {
        Some(Json::Documents) => return Recognised::Framing(Framing::Json),
        Some(Json::Other(shape)) => return Recognised::OtherJson(shape),
        None => {}
    }
    let foreign = text::page(&head).or_else(|| if head.has_documents() { None } else { documents_apart() });
    foreign.map_or(Recognised::Framing(Framing::Ndjson), Recognised::Foreign)
}
