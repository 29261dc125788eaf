//! How rejected documents are told apart in their file, which has to load again.
//!
//! A file of documents without line breaks is NDJSON. Once there is one with a line break, all of the file is a JSON
//! text sequence of RFC 7464: its separator, U+001E, stands in no document, whatever is wrong with it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use super::own_file::{self, Readers};

const SEPARATOR: u8 = 0x1e;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RejectForm {
    /// Each is a line.
    Lines,
    /// Each has a separator before it and a line feed behind it.
    Records,
}

impl RejectForm {
    /// Writes what stands before a document.
    pub(super) fn begin(self, documents: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Lines => Ok(()),
            Self::Records => documents.write_all(&[SEPARATOR]),
        }
    }

    /// Copies the next document, of any length, in constant memory; says how many lines it takes.
    pub(super) fn copy_document(self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
        match self {
            Self::Lines => copy_until(b'\n', from, to).map(|()| 1),
            Self::Records => {
                from.skip_until(SEPARATOR)?;
                copy_before(SEPARATOR, from, to)
            }
        }
    }
}

/// Makes a sequence of the lines in a file, by way of another one; what is written further goes to its end.
pub(super) fn turn_into_records(path: &Path, other: &Path) -> io::Result<BufWriter<File>> {
    let mut from = BufReader::new(File::open(path)?);
    let mut to = BufWriter::new(own_file::create(other, Readers::Owner)?);
    while !from.fill_buf()?.is_empty() {
        RejectForm::Records.begin(&mut to)?;
        copy_until(b'\n', &mut from, &mut to)?;
    }
    to.flush()?;
    fs::rename(other, path)?;
    Ok(to)
}

fn copy_until(end: u8, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let found = memchr::memchr(end, buffer);
        let length = found.map_or(buffer.len(), |at| at + 1);
        to.write_all(&buffer[..length])?;
        from.consume(length);
        if found.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// Says how many line feeds were copied.
fn copy_before(end: u8, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
    let mut lines = 0;
    loop {
        let buffer = from.fill_buf()?;
        let found = memchr::memchr(end, buffer);
        let length = found.unwrap_or(buffer.len());
        to.write_all(&buffer[..length])?;
        lines += memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64;
        let is_all = found.is_some() || length == 0;
        from.consume(length);
        if is_all {
            return Ok(lines);
        }
    }
}
