//! Tells from a source's first bytes that it is not NDJSON at all, so that a million rejections of one
//! cause become one error that says how to convert the file.
//!
//! Looks twice: only where all of the head agrees is a source refused. A line that is no document among lines that may be
//! is one line's fault, and left to the documents' own checks.

mod binary;
mod encoding;
mod json;
mod lines;
mod shape;
mod text;

#[cfg(test)]
mod tests;

pub(super) use lines::HEAD_BYTES;

use lines::Head;
use shape::Shape;

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the input is instead of NDJSON, and how to make NDJSON of it.
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

/// Looks at the start of a source (after a byte order mark) as it is decompressed from `form`: all of it, or at least
/// `HEAD_BYTES`.
pub(super) fn foreign(head: &[u8], name: &str, form: &str) -> Option<Foreign> {
    let Shape { found, told, fix } = shape_of(head)?;
    Some(Foreign { found, told, fix: fix.text(name, form) })
}

fn shape_of(bytes: &[u8]) -> Option<Shape> {
    let head = Head::of(bytes);
    let documents_apart = || {
        encoding::wide_text(head.bytes).or_else(|| text::text(&head)).or_else(|| binary::unknown(head.bytes))
    };
    binary::binary(head.bytes)
        .or_else(|| binary::zlib(head.bytes))
        .or_else(|| json::json(&head))
        .or_else(|| text::page(&head))
        .or_else(|| if head.has_documents() { None } else { documents_apart() })
}
