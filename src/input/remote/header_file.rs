//! Headers from a file: tokens that are not for a command line, which other users of a machine can see.

use std::{fmt, fs, os::unix::fs::PermissionsExt as _, path::Path};

use ureq::http::{HeaderName, HeaderValue};

use crate::read_file::read_at_most;

/// A file of headers is short; this is none.
const BYTES_MAX: u64 = 64 << 10;

/// What this program has to say by itself.
const OWN: [&str; 11] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "te",
    "transfer-encoding",
];

/// Never shown.
#[derive(Clone, Default)]
pub(super) struct Headers(Vec<(HeaderName, HeaderValue)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} headers", self.0.len())
    }
}

impl Headers {
    /// A line a header, `Name: value`; lines that are empty or begin with # are none. The error is what is wrong with the
    /// file, and never what it holds.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("can't be read: {error}");
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err("is a folder".to_owned());
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            let path = crate::path_text::path_text(path);
            return Err(format!("can be read by other users, as no file with tokens may: chmod 600 {path}"));
        }
        if metadata.len() > BYTES_MAX {
            return Err("is too long for a file of headers".to_owned());
        }
        Self::parse(&read_at_most(path, BYTES_MAX).map_err(unreadable)?)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let mut headers = Vec::new();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let wrong = |what: &str| format!("{what} in line {number}; write 'Name: value'");
            let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| wrong("has no colon"))?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let name = HeaderName::from_bytes(name).map_err(|_| wrong("has no name of a header"))?;
            if OWN.contains(&name.as_str()) {
                return Err(format!(
                    "has the header {name} in line {number}, which is sent anyway; remove it"
                ));
            }
            let mut value =
                HeaderValue::from_bytes(value).map_err(|_| wrong("has a value that no header can have"))?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        if headers.is_empty() { Err("holds no header".to_owned()) } else { Ok(Self(headers)) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_headers_and_their_faults_are_told_without_them() {
        let text = b"# a comment\r\n\r\nAuthorization: Bearer s3cret\r\nX-Key:s3cret : more\n";
        let headers = Headers::parse(text).expect("they are headers");
        let shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("it is text")))
            .collect();
        assert_eq!(shown, [("authorization", "Bearer s3cret"), ("x-key", "s3cret : more")]);
        assert_eq!(format!("{headers:?}"), "2 headers");
        for (text, expected) in [
            ("", "no header"),
            ("# nothing", "no header"),
            ("s3cret", "no colon in line 1"),
            ("\ns3 cret: x", "no name of a header in line 2"),
            ("A: s3cret\u{1}", "no header can have"),
            ("Range: bytes=0-1", "the header range in line 1"),
        ] {
            let error = Headers::parse(text.as_bytes()).expect_err(text);
            assert!(error.contains(expected) && !error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "A: b\n").unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = Headers::read(file.path()).err();
            assert_eq!(error.is_none(), is_fine, "{mode:o}: {error:?}");
            assert!(error.is_none_or(|error| error.contains("chmod 600 ")), "{mode:o}");
        }
    }
}
