//! How rejected documents are told apart in their file, which has to load again.
//!
//! A file of documents without line breaks is NDJSON. Once there is one with a line break, all of the file is a JSON
//! text sequence of RFC 7464. Its separator, U+001E, stands in no document but a line of another input; there U+001F is
//! written for it, which JSON allows as little, so that the line stays one document.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use super::own_file::{self, Readers};

const SEPARATOR: u8 = 0x1e;
const STAND_IN: u8 = 0x1f;

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

    /// Writes a document, or a part of one.
    pub(super) fn write(self, document: &[u8], documents: &mut impl Write) -> io::Result<()> {
        let mut rest = document;
        while self == Self::Records
            && let Some(at) = memchr::memchr(SEPARATOR, rest)
        {
            documents.write_all(&rest[..at])?;
            documents.write_all(&[STAND_IN])?;
            rest = &rest[at + 1..];
        }
        documents.write_all(rest)
    }

    /// Copies the next document, of any length, in constant memory, to a file of this or another form; says how many lines it
    /// takes.
    pub(super) fn copy_document(
        self,
        from: &mut impl BufRead,
        form: Self,
        to: &mut impl Write,
    ) -> io::Result<u64> {
        form.begin(to)?;
        match self {
            Self::Lines => copy_line(from, form, to).map(|()| 1),
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
        RejectForm::Lines.copy_document(&mut from, RejectForm::Records, &mut to)?;
    }
    to.flush()?;
    fs::rename(other, path)?;
    Ok(to)
}

fn copy_line(from: &mut impl BufRead, form: RejectForm, to: &mut impl Write) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let found = memchr::memchr(b'\n', buffer);
        let length = found.map_or(buffer.len(), |at| at + 1);
        form.write(&buffer[..length], to)?;
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
