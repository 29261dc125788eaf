//! Files that are read as a whole, because they are short when they are what they should be.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Certificates, passwords, services, headers, options.
pub(crate) const SHORT: u64 = 1 << 20;

/// Reports of many inputs, and plans of many splits.
pub(crate) const LONG: u64 = 1 << 30;

/// All of a file; of one that is longer, or has no end, no more than this is read.
pub(crate) fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(count).is_ok_and(|count| count <= bytes_max) {
        return Ok(bytes);
    }
    let unit = if bytes_max < 1 << 20 { (10, "KiB") } else { (20, "MiB") };
    let words = format!("it is longer than {} {}, so it is something else", bytes_max >> unit.0, unit.1);
    Err(io::Error::new(io::ErrorKind::FileTooLarge, words))
}

/// The same of a text.
pub(crate) fn read_text_at_most(path: &Path, bytes_max: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read_at_most(path, bytes_max)?).map_err(not_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_not_read_for_ever() {
        let read = |bytes_max| read_at_most(Path::new("/dev/zero"), bytes_max);
        let error = read(64 << 10).expect_err("it has no end");
        assert_eq!(error.to_string(), "it is longer than 64 KiB, so it is something else");
        let error = read(SHORT).expect_err("it has no end");
        assert_eq!(error.to_string(), "it is longer than 1 MiB, so it is something else");
    }

    #[test]
    fn a_file_may_be_as_long_as_it_may_be() {
        let file = tempfile::NamedTempFile::new().expect("there is room");
        std::fs::write(file.path(), "abc").expect("it is ours");
        assert_eq!(read_text_at_most(file.path(), 3).expect("it is not longer"), "abc");
        assert!(read_text_at_most(file.path(), 2).is_err());
    }
}
