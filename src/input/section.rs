//! A section of a file that was looked at before: some of its bytes, with what a reader that begins in the middle of a
//! file can't know, and their digest, so that nobody takes other bytes for them.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::{InputError, RemoteFault, Source};
use crate::settings::Framing;

/// Which bytes of a file are read, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// How long the file is, as it is stored.
    pub file_bytes: u64,
    /// Of a compressed file, or one that is no NDJSON, all of it; else whole lines.
    pub range: Range<u64>,
    /// The 1-based number of its first line in the file.
    pub first_line: u64,
    pub is_compressed: bool,
    pub framing: Framing,
    /// BLAKE3 of these bytes, in hexadecimal; none where a server's ETag says that they are the same.
    pub digest: Option<String>,
    /// BLAKE3 of the text of the whole file, in hexadecimal, where the section is a part of it.
    pub file_digest: Option<String>,
}

impl Section {
    /// The digest that reports have, where it needs not be computed: it is the file's if what is read is as planned.
    pub(super) fn known_digest(&self) -> Option<&str> {
        let of_all_text = || self.digest.as_deref().filter(|_| !self.is_compressed);
        self.file_digest.as_deref().or_else(of_all_text)
    }
}

/// What was read of a section so far.
#[derive(Clone, Default)]
pub(super) struct SeenBytes(Arc<Mutex<blake3::Hasher>>);

impl SeenBytes {
    /// Refuses a section that was read to its end and is not what it was.
    pub(super) fn verify(&self, section: &Section, name: &str) -> Result<(), InputError> {
        let Some(expected) = &section.digest else { return Ok(()) };
        let digest = self.0.lock().unwrap_or_else(PoisonError::into_inner).finalize();
        if digest.to_hex().as_str() == expected {
            return Ok(());
        }
        let Range { start, end } = section.range;
        Err(changed(name, format!("bytes {start} to {end} of it have another digest")))
    }
}

struct Watched<R> {
    stored: R,
    seen: SeenBytes,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stored.read(buffer)?;
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..count]);
        Ok(count)
    }
}

/// The section's bytes as they are stored.
pub(super) fn open(
    source: &Source,
    section: &Section,
    seen: &SeenBytes,
) -> Result<Box<dyn Read + Send>, InputError> {
    if source.as_remote().is_some() {
        let stored = source.open().map_err(as_planned)?;
        return Ok(match section.digest {
            Some(_) => Box::new(Watched { stored, seen: seen.clone() }),
            None => stored,
        });
    }
    let failed = |error| InputError::Open { name: source.name(), source: error };
    let mut file = open_file(source)?;
    let file_bytes = file.metadata().map_err(failed)?.len();
    if file_bytes != section.file_bytes {
        let reason = format!("it had {} bytes and has {file_bytes}", section.file_bytes);
        return Err(changed(&source.name(), reason));
    }
    file.seek(SeekFrom::Start(section.range.start)).map_err(failed)?;
    let stored = file.take(section.range.end - section.range.start);
    Ok(Box::new(Watched { stored, seen: seen.clone() }))
}

/// All of a source that can be read again, as it is stored.
pub(super) fn open_to_survey(source: &Source) -> Result<Box<dyn Read + Send>, InputError> {
    match source {
        Source::Remote(_) => source.open(),
        Source::File(_) | Source::Stdin => Ok(Box::new(open_file(source)?)),
    }
}

/// A file that can be read again from anywhere.
fn open_file(source: &Source) -> Result<File, InputError> {
    match source {
        Source::File(path) if source.stored_bytes().is_some() => {
            File::open(path).map_err(|error| InputError::Open { name: source.name(), source: error })
        }
        Source::File(_) if source.is_missing() => {
            Err(InputError::Missing { name: source.name(), similar: None })
        }
        _ => Err(InputError::NoFile { name: source.name() }),
    }
}

/// What has changed at a server since the plan was made was not read.
fn as_planned(error: InputError) -> InputError {
    match error {
        InputError::Remote { name, fault: RemoteFault::Changed { how }, .. } => changed(&name, how),
        error => error,
    }
}

fn changed(name: &str, reason: String) -> InputError {
    InputError::NotAsPlanned { name: name.to_owned(), reason }
}
