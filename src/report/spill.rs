//! Documents that a bulk load puts off until the indexes are back: their lines, in input order, and beside them
//! where each of them stands.
//!
//! It holds what customers have given, so it lies in the folder of the reject files, readable for nobody else,
//! and goes when the run ends. A crash leaves it; the next attempt writes it anew, byte for byte the same.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    SourceLocation,
    rejects_error::{RejectsError, error_of},
};

const WHAT: &str = "the file of deferred documents,";

/// Source (4 bytes), line (8) and byte offset (8), big-endian.
const PLACE_BYTES: usize = 20;

/// The files while they are being written.
#[derive(Debug)]
pub(crate) struct SpillFiles {
    lines_path: PathBuf,
    places_path: PathBuf,
    lines: BufWriter<File>,
    places: BufWriter<File>,
    documents: u64,
}

/// Deferred documents.
#[derive(Debug)]
pub(crate) struct Spill {
    /// NDJSON.
    pub path: PathBuf,
    places_path: PathBuf,
    places: BufReader<File>,
    /// The line whose place is read next, from 0.
    next: u64,
}

impl SpillFiles {
    /// In a folder that is there.
    pub(crate) fn create(dir: &Path, run_id: i64) -> Result<Self, RejectsError> {
        let [lines_path, places_path] = paths(dir, run_id);
        let create = |path: &Path| {
            let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            options.map(BufWriter::new).map_err(error_of(WHAT, "created", path))
        };
        let (lines, places) = (create(&lines_path)?, create(&places_path)?);
        Ok(Self { lines_path, places_path, lines, places, documents: 0 })
    }

    /// Adds a document, the one after those added so far in input order.
    pub(crate) fn push(&mut self, line: &[u8], place: SourceLocation) -> Result<(), RejectsError> {
        let end: &[u8] = if line.ends_with(b"\n") { b"" } else { b"\n" };
        let lines = self.lines.write_all(line).and_then(|()| self.lines.write_all(end));
        lines.map_err(error_of(WHAT, "written", &self.lines_path))?;
        let source = u32::try_from(place.source).expect("few sources");
        let mut record = [0; PLACE_BYTES];
        record[..4].copy_from_slice(&source.to_be_bytes());
        record[4..12].copy_from_slice(&place.line.to_be_bytes());
        record[12..].copy_from_slice(&place.byte_offset.to_be_bytes());
        self.places.write_all(&record).map_err(error_of(WHAT, "written", &self.places_path))?;
        self.documents += 1;
        Ok(())
    }

    /// All of them, to be read; `None` when there are none.
    pub(crate) fn complete(mut self) -> Result<Option<Spill>, RejectsError> {
        if self.documents == 0 {
            self.remove();
            return Ok(None);
        }
        self.lines.flush().map_err(error_of(WHAT, "written", &self.lines_path))?;
        self.places.flush().map_err(error_of(WHAT, "written", &self.places_path))?;
        let places = File::open(&self.places_path).map_err(error_of(WHAT, "read", &self.places_path))?;
        Ok(Some(Spill {
            path: self.lines_path,
            places_path: self.places_path,
            places: BufReader::new(places),
            next: 0,
        }))
    }

    /// Takes them away; what can't be removed is written anew by the next attempt.
    pub(crate) fn remove(self) {
        remove([&self.lines_path, &self.places_path]);
    }
}

impl Spill {
    /// Where the document stands that the 1-based `line` of the spill holds.
    pub(crate) fn place(&mut self, line: u64) -> Result<SourceLocation, RejectsError> {
        let failed = |path: &Path| error_of(WHAT, "read", path);
        let index = line - 1;
        if index != self.next {
            let at = index * u64::try_from(PLACE_BYTES).expect("it is small");
            self.places.seek(SeekFrom::Start(at)).map_err(failed(&self.places_path))?;
        }
        let mut record = [0; PLACE_BYTES];
        self.places.read_exact(&mut record).map_err(failed(&self.places_path))?;
        self.next = index + 1;
        let (source, rest) = record.split_first_chunk().expect("a record is long enough");
        let (line, byte_offset) = rest.split_first_chunk().expect("a record is long enough");
        Ok(SourceLocation {
            source: usize::try_from(u32::from_be_bytes(*source)).expect("usize has 32 bits"),
            line: u64::from_be_bytes(*line),
            byte_offset: u64::from_be_bytes(byte_offset.try_into().expect("the rest is 8 bytes")),
        })
    }

    /// Takes the files away.
    pub(crate) fn remove(self) {
        remove([&self.path, &self.places_path]);
    }
}

fn paths(dir: &Path, run_id: i64) -> [PathBuf; 2] {
    ["ndjson", "places"].map(|ending| dir.join(format!("spill.run-{run_id}.{ending}.partial")))
}

fn remove(paths: [&Path; 2]) {
    // What stays is overwritten by the next attempt, or does no harm.
    let _ = paths.map(fs::remove_file);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn documents_keep_their_places() {
        let home = tempfile::tempdir().unwrap();
        let place = |line: u64| SourceLocation { source: 70_000, line, byte_offset: line << 33 };
        let mut files = SpillFiles::create(home.path(), 7).unwrap();
        for (line, text) in [(3, "{}\r\n"), (9, "{1}\n"), (12, "{2}")] {
            files.push(text.as_bytes(), place(line)).unwrap();
        }
        assert_eq!(files.documents, 3);
        let mut spill = files.complete().unwrap().unwrap();
        assert_eq!(fs::read(&spill.path).unwrap(), b"{}\r\n{1}\n{2}\n");
        assert_eq!(fs::metadata(&spill.path).unwrap().permissions().mode() & 0o777, 0o600);
        for (line, expected) in [(1, 3), (2, 9), (3, 12), (2, 9), (3, 12), (1, 3)] {
            assert_eq!(spill.place(line).unwrap(), place(expected));
        }
        assert!(spill.place(4).is_err());
        spill.remove();
        assert!(SpillFiles::create(home.path(), 7).unwrap().complete().unwrap().is_none());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
