//! Names of files as text: in messages, reports and the ledger.

use std::{fmt::Write as _, os::unix::ffi::OsStrExt as _, path::Path};

/// As it is, where it is plain text; else bytes that are none and control characters as `\x1b`, and a backslash twice, so
/// that no two names look alike and none tells a terminal what to do.
pub(crate) fn path_text(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => escaped(bytes),
    }
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
}
