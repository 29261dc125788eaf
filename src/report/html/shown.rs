//! Texts and numbers as the page shows them.

use crate::{path_text::visible, report::grouped};

/// Longest text of a name or message, in characters.
const CHARS_MAX: usize = 160;

const SENTENCE_CHARS_MAX: usize = 2000;

/// Fewer documents than this are not told apart: a length that one document alone has is something of its customer.
pub(super) const FEW: u64 = 5;

/// A text of the schema, of a file name or of a setting: cut, and without characters that change how others are read.
pub(super) fn shown(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// A sentence with statements to copy, which may be long.
pub(super) fn sentence(text: &str) -> String {
    let end = text.char_indices().nth(SENTENCE_CHARS_MAX).map_or(text.len(), |(end, _)| end);
    visible(&text[..end]).into_owned()
}

/// A share in per cent; never 0 or 100 for what is neither.
#[expect(clippy::cast_precision_loss, reason = "a share is shown to a few digits")]
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = part as f64 * 100.0 / whole as f64;
    match share {
        _ if part == 0 => "0 %".to_owned(),
        _ if part == whole => "100 %".to_owned(),
        ..0.01 => "< 0.01 %".to_owned(),
        ..1.0 => format!("{share:.2} %"),
        ..99.0 => format!("{share:.1} %"),
        _ => format!("{:.2} %", share.min(99.99)),
    }
}

/// A count of documents of which few are not told apart.
pub(super) fn count_or_few(count: u64) -> String {
    if count > 0 && count < FEW { format!("fewer than {FEW}") } else { grouped(count) }
}

/// `1 document`, `2 documents`.
pub(super) fn documents(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "document" } else { "documents" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_how_others_are_read_is_escaped() {
        assert_eq!(shown("a\u{202e}b\u{1b}[31m"), "a\\u{202e}b\\u{1b}[31m");
        assert_eq!(shown(&"é".repeat(161)), format!("{}…", "é".repeat(160)));
    }

    #[test]
    fn shares_are_not_rounded_to_all_or_nothing() {
        assert_eq!(percent(1, 1_000_000), "< 0.01 %");
        assert_eq!(percent(999_999, 1_000_000), "99.99 %");
        assert_eq!(
            (percent(0, 3), percent(3, 3), percent(1, 3)),
            ("0 %".into(), "100 %".into(), "33.3 %".into())
        );
        assert_eq!(count_or_few(4), "fewer than 5");
    }
}
