//! Writes rejected documents in one of two forms that load again: lines, as long as none has a line break inside and the file
//! is read as such, else the marked records that `input::reject_form` tells of.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read as _, Write},
    path::Path,
};

use super::own_file::{self, Readers};
use crate::input::{FORM_BYTES, MARK, SEPARATOR, end_of_own_record, reads_as_lines};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RejectForm {
    /// Each is a line.
    Lines,
    /// Each has a separator before it and a line feed behind it.
    Records,
}

impl RejectForm {
    /// Writes what stands before all documents.
    pub(super) fn begin_file(self, documents: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Lines => Ok(()),
            Self::Records => documents.write_all(MARK),
        }
    }

    /// Writes what stands before a document.
    pub(super) fn begin(self, documents: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Lines => Ok(()),
            Self::Records => documents.write_all(&[SEPARATOR]),
        }
    }

    /// Goes to the first document.
    pub(super) fn skip_mark(self, documents: &mut impl BufRead) -> io::Result<()> {
        match self {
            Self::Lines => Ok(()),
            Self::Records => documents.read_exact(&mut [0; MARK.len()]),
        }
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
            Self::Lines => copy_line(from, to).map(|()| 1),
            Self::Records => {
                from.read_exact(&mut [0; 1])?;
                copy_record(from, to)
            }
        }
    }
}

/// Makes a sequence of the lines in a file, by way of another one; what is written further goes to its end.
pub(super) fn turn_into_records(path: &Path, other: &Path) -> io::Result<BufWriter<File>> {
    let mut from = BufReader::new(File::open(path)?);
    let mut to = BufWriter::new(own_file::create(other, Readers::Owner)?);
    RejectForm::Records.begin_file(&mut to)?;
    while !from.fill_buf()?.is_empty() {
        RejectForm::Lines.copy_document(&mut from, RejectForm::Records, &mut to)?;
    }
    to.flush()?;
    fs::rename(other, path)?;
    Ok(to)
}

/// Whether who reads this file takes it for lines.
pub(super) fn is_read_as_lines(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    let length = u64::try_from(FORM_BYTES).expect("a length has 64 bits");
    File::open(path)?.take(length).read_to_end(&mut head)?;
    Ok(reads_as_lines(&head))
}

fn copy_line(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let found = memchr::memchr(b'\n', buffer);
        let length = found.map_or(buffer.len(), |at| at + 1);
        to.write_all(&buffer[..length])?;
        from.consume(length);
        if found.is_some() || length == 0 {
            return Ok(());
        }
    }
}

/// Says how many line feeds were copied.
fn copy_record(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
    let (mut lines, mut is_behind_line_feed) = (0, false);
    loop {
        let buffer = from.fill_buf()?;
        let end = end_of_own_record(buffer, is_behind_line_feed);
        let length = end.unwrap_or(buffer.len());
        to.write_all(&buffer[..length])?;
        lines += memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64;
        is_behind_line_feed = buffer.last() == Some(&b'\n');
        let is_all = end.is_some() || length == 0;
        from.consume(length);
        if is_all {
            return Ok(lines);
        }
    }
}
