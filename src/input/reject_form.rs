//! How files of rejected documents tell them apart, so that they hold each as it was and load again.
//!
//! What is read as lines, each as it is, may be lines. All else is a JSON text sequence of RFC 7464 with a mark before it, by
//! which it is recognised whatever its documents begin with and whatever framing is asked for. To other programs the mark is
//! one separator, because any number of them stands before a record; here it says that a separator counts only at the
//! beginning of a line. Others stand in documents: no document with line breaks has any there, and other lines have no line
//! breaks.

use super::{
    decompress::Decompressed,
    sniff::{self, BOM, HEAD_BYTES},
};

/// RFC 7464: it stands before a record, which is one document.
pub(crate) const SEPARATOR: u8 = 0x1e;

/// Stands before the first separator.
pub(crate) const MARK: &[u8] = &[SEPARATOR; 2];

/// How much of a file tells how it is read.
pub(crate) const FORM_BYTES: usize = HEAD_BYTES + BOM.len();

/// Whether a text begins with the mark and a record.
pub(super) fn is_marked(text: &[u8]) -> bool {
    text.strip_prefix(MARK).is_some_and(|records| records.first() == Some(&SEPARATOR))
}

/// Whether a file whose first `FORM_BYTES` these are is read by lines, each as it is.
pub(crate) fn reads_as_lines(head: &[u8]) -> bool {
    !Decompressed::is_compressed(head) && sniff::reads_as_lines(head)
}

/// How far it is to the separator that ends a record, of a file with the mark.
pub(crate) fn end_of_own_record(rest: &[u8], is_behind_line_feed: bool) -> Option<usize> {
    if is_behind_line_feed && rest.first() == Some(&SEPARATOR) {
        return Some(0);
    }
    memchr::memmem::find(rest, &[b'\n', SEPARATOR]).map(|line_end| line_end + 1)
}

#[cfg(test)]
mod tests {
    use crate::{
        input::framing_tests::{check, read},
        settings::{Framing, FramingRequest},
    };

    /// As reject files have them: what else has to be escaped stands in them as it is.
    #[test]
    fn marked_records_end_where_a_separator_begins_a_line() {
        check(
            "\u{1e}\u{1e}\u{1e}{}\n\u{1e}\u{1e}{}\r\n\u{1e}\u{feff}[{}]\n",
            &["{}", "\u{1e}{}", "\u{feff}[{}]"],
        );
        check(
            "\u{feff}\u{1e}\u{1e}\u{1e}{\n\"a\":\"\u{1e}\"}\n\n\u{1e}\u{1e}\n\u{1e} \n",
            &["{\n\"a\":\"\u{1e}\"}", "\u{1e}"],
        );
        check("\u{1e}\u{1e}\u{1e}\u{1e}\u{1e}\u{1e}", &["\u{1e}\u{1e}\u{1e}"]);
        check("\u{1e}\u{1e}\u{1e}\u{c}{}", &["\u{c}{}"]);
        for framing in [FramingRequest::Auto, FramingRequest::Only(Framing::Ndjson)] {
            let (chunks, error) = read(b"\x1e\x1e\x1e{}\n\x1e<html>\x1e\n", framing, 1 << 20);
            assert!(error.is_none() && chunks[0].framing == Framing::Json && chunks[0].documents.len() == 2);
        }
    }
}
