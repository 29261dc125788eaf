//! Names of files as text: in messages, reports and the ledger; and what of any text a reader is shown.

use std::{borrow::Cow, fmt::Write as _, os::unix::ffi::OsStrExt as _, path::Path};

/// As it is, where it is plain text; else bytes that are none and control characters as `\x1b`, and a backslash twice, so
/// that no two names look alike and none tells a terminal what to do.
pub(crate) fn path_text(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => escaped(bytes),
    }
}

/// A text as a terminal, a log or a page gets it: characters that control a terminal, that nobody sees, or that change in
/// which order others are read, as `\u{202e}`. Text that people are to read goes through here last, wherever it is from; what
/// programs read keeps its characters.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The same for a text of several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Control characters, and format characters (Cf in Unicode) with the separators of lines and paragraphs.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str(r"\\"),
                c if c.is_control() => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_byte(&mut text, byte));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&byte| push_byte(&mut text, byte));
    }
    text
}

fn push_byte(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02x}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_are_shown_as_text() {
        for (name, expected) in [
            (&b"a b.ndjson"[..], "a b.ndjson"),
            ("naïve\\é".as_bytes(), "naïve\\é"),
            (b"x\xff\xc3.ndjson", r"x\xff\xc3.ndjson"),
            (b"a\nb\\\x1b[31m", r"a\x0ab\\\x1b[31m"),
        ] {
            assert_eq!(path_text(Path::new(OsStr::from_bytes(name))), expected);
        }
    }

    #[test]
    fn what_changes_how_others_are_read_is_visible() {
        for (text, expected) in [
            ("naïve \u{301}漢字 \\", "naïve \u{301}漢字 \\"),
            ("a\u{202e}b\u{1b}[31m", r"a\u{202e}b\u{1b}[31m"),
            ("\u{feff}\u{200d}\u{2028}\u{9b}\t", r"\u{feff}\u{200d}\u{2028}\u{9b}\u{9}"),
        ] {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(visible_lines("a\n\u{7}\n"), "a\n\\u{7}\n");
    }
}
