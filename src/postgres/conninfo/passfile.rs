//! Passwords from libpq's password file: `host:port:database:user:password` (manual, section "The Password File").

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use crate::read_file::{SHORT, read_at_most};

/// The lines of a password file; none where there is no file.
#[derive(Default)]
pub(in crate::postgres) struct Passwords(Vec<u8>);

/// Why a password file is not used.
#[derive(Debug)]
pub(in crate::postgres) enum PassfileFault {
    NotAFile,
    ReadableByOthers,
    Unreadable(io::Error),
}

impl Passwords {
    /// As libpq has it, a file that others may read is not used; here its name is told.
    pub(in crate::postgres) fn read(path: &Path) -> Result<Self, PassfileFault> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(PassfileFault::Unreadable(error)),
        };
        if !metadata.is_file() {
            return Err(PassfileFault::NotAFile);
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(PassfileFault::ReadableByOthers);
        }
        read_at_most(path, SHORT).map(Self).map_err(PassfileFault::Unreadable)
    }

    /// Those of a file that was read.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of(file: Vec<u8>) -> Self {
        Self(file)
    }

    /// The password of the first line that matches.
    pub(in crate::postgres) fn find(
        &self,
        host: &str,
        port: u16,
        database: &str,
        user: &str,
    ) -> Option<Vec<u8>> {
        let port = port.to_string();
        let fields = [host, &port, database, user];
        self.0.split(|byte| *byte == b'\n').find_map(|line| password_of(line, &fields))
    }
}

fn password_of(line: &[u8], fields: &[&str]) -> Option<Vec<u8>> {
    // As libpq, all of them.
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    let mut rest = &line[..end];
    if rest.is_empty() || rest.starts_with(b"#") {
        return None;
    }
    for field in fields {
        rest = match rest.strip_prefix(b"*:") {
            Some(rest) => rest,
            None => matching(rest, field.as_bytes())?,
        };
    }
    let (mut password, mut bytes) = (Vec::new(), rest.iter().peekable());
    while let Some(byte) = bytes.next() {
        match byte {
            b':' => break,
            b'\\' if bytes.peek().is_some() => password.extend(bytes.next()),
            byte => password.push(*byte),
        }
    }
    Some(password)
}

/// What follows a field and its colon, if the field is this text.
fn matching<'l>(line: &'l [u8], text: &[u8]) -> Option<&'l [u8]> {
    let (mut rest, mut wanted) = (line, text);
    loop {
        match rest.split_first()? {
            (b':', after) if wanted.is_empty() => return Some(after),
            (b'\\', after) => {
                let (byte, after) = after.split_first()?;
                wanted = wanted.strip_prefix(&[*byte])?;
                rest = after;
            }
            (byte, after) => {
                wanted = wanted.strip_prefix(&[*byte])?;
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_matches_counts() {
        let file =
            b"# h:5432:d:u:comment\n\nother:*:*:*:1\r\r\nh:5432:d:u:a\\:b\\\\c:rest\r\nh:*:d:*:2\n*:*:*:u:3\n\
            \\:\\:1:*:*:*:4\nnothing:1\n";
        let find = |host, port, database, user| {
            Passwords::of(file.to_vec())
                .find(host, port, database, user)
                .map(|password| String::from_utf8(password).unwrap())
        };
        assert_eq!(find("h", 5432, "d", "u").as_deref(), Some("a:b\\c"));
        assert_eq!(find("h", 5433, "d", "v").as_deref(), Some("2"));
        assert_eq!(find("x", 1, "e", "u").as_deref(), Some("3"));
        assert_eq!(find("::1", 1, "e", "v").as_deref(), Some("4"));
        assert_eq!(find("other", 1, "e", "v").as_deref(), Some("1"));
        assert_eq!(find("nothing", 1, "e", "v"), None);
        assert_eq!(find("hh", 5432, "d", "v"), None);
    }
}
