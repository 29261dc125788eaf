//! The first lines of a source, and whether documents are among them.

use serde::{Deserialize as _, de::IgnoredAny};

use crate::bound::bound;

/// How much of a source is looked at to tell that it is no NDJSON.
pub(in crate::input) const HEAD_BYTES: usize = bound(64 * 1024, 48);

/// The start of a source.
pub(super) struct Head<'a> {
    pub(super) bytes: &'a [u8],
    /// Those that are not blank, without white space around them. Where no line ends in a line feed, the carriage
    /// return ends lines.
    pub(super) lines: Vec<&'a [u8]>,
    /// Whether the last line may go on behind the head.
    pub(super) is_cut: bool,
}

impl<'a> Head<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        let is_cut = bytes.len() >= HEAD_BYTES;
        let bytes = &bytes[..bytes.len().min(HEAD_BYTES)];
        let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
        let lines =
            bytes.split(|&byte| byte == end).map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()).collect();
        Self { bytes, lines, is_cut }
    }

    /// The lines that are there to their end, or the one that is not if there is no other.
    pub(super) fn whole_lines(&self) -> &[&'a [u8]] {
        match self.lines.split_last() {
            Some((_, before)) if self.is_cut && !before.is_empty() => before,
            _ => &self.lines,
        }
    }

    pub(super) fn has_documents(&self) -> bool {
        self.lines.iter().any(|line| is_document_start(line))
    }
}

/// Whether a line begins as documents do, which no line of prose, markup or code does.
pub(super) fn is_document_start(line: &[u8]) -> bool {
    line.strip_prefix(b"{").is_some_and(|rest| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}')))
}

/// Whether a text is an object of JSON, whole.
pub(super) fn is_object(text: &[u8]) -> bool {
    let mut parser = serde_json::Deserializer::from_slice(text);
    text.trim_ascii_start().first() == Some(&b'{')
        && IgnoredAny::deserialize(&mut parser).is_ok()
        && parser.end().is_ok()
}
