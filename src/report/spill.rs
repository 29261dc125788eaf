//! Documents that a bulk load puts off until the indexes are back, in input order, each from the start of a line on,
//! and beside them where each of them stands.
//!
//! It holds what customers have given, so it lies in the folder of the reject files, readable for nobody else,
//! and goes when the run ends. A crash leaves it; the next attempt writes it anew, byte for byte the same.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::{
    SourceLocation,
    own_file::{self, Readers},
    rejects_error::{RejectsError, error_of},
};
use crate::settings::Framing;

const WHAT: &str = "the file of deferred documents,";

/// Where a document begins in the spill (its line, 8 bytes), and where it stands in the input: source (4), line (8) and
/// byte offset (8), big-endian.
const PLACE_BYTES: usize = 28;

/// The files while they are being written.
#[derive(Debug)]
pub(crate) struct SpillFiles {
    lines_path: PathBuf,
    places_path: PathBuf,
    lines: BufWriter<File>,
    places: BufWriter<File>,
    documents: u64,
    /// How many lines they take.
    line_count: u64,
}

/// Deferred documents.
#[derive(Debug)]
pub(crate) struct Spill {
    pub path: PathBuf,
    /// NDJSON, unless a document takes several lines. All of them are sound objects.
    pub framing: Framing,
    places_path: PathBuf,
    places: BufReader<File>,
    /// Where the document began that was asked for last.
    last_line: u64,
}

impl SpillFiles {
    /// In a folder that is there.
    pub(crate) fn create(dir: &Path, run_id: i64) -> Result<Self, RejectsError> {
        let [lines_path, places_path] = paths(dir, run_id);
        let create = |path: &Path| {
            own_file::create(path, Readers::Owner)
                .map(BufWriter::new)
                .map_err(error_of(WHAT, "created", path))
        };
        let (lines, places) = (create(&lines_path)?, create(&places_path)?);
        Ok(Self { lines_path, places_path, lines, places, documents: 0, line_count: 0 })
    }

    /// Adds a document, the one after those added so far in input order.
    pub(crate) fn push(&mut self, line: &[u8], place: SourceLocation) -> Result<(), RejectsError> {
        let end: &[u8] = if line.ends_with(b"\n") { b"" } else { b"\n" };
        let lines = self.lines.write_all(line).and_then(|()| self.lines.write_all(end));
        lines.map_err(error_of(WHAT, "written", &self.lines_path))?;
        let source = u32::try_from(place.source).expect("few sources");
        let mut record = [0; PLACE_BYTES];
        record[..8].copy_from_slice(&(self.line_count + 1).to_be_bytes());
        record[8..12].copy_from_slice(&source.to_be_bytes());
        record[12..20].copy_from_slice(&place.line.to_be_bytes());
        record[20..].copy_from_slice(&place.byte_offset.to_be_bytes());
        self.places.write_all(&record).map_err(error_of(WHAT, "written", &self.places_path))?;
        self.documents += 1;
        let line_ends = memchr::memchr_iter(b'\n', line).count() + end.len();
        self.line_count += u64::try_from(line_ends).expect("a length has 64 bits");
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
            framing: if self.line_count == self.documents { Framing::Ndjson } else { Framing::Json },
            places_path: self.places_path,
            places: BufReader::new(places),
            last_line: 0,
        }))
    }

    /// Takes them away; what can't be removed is written anew by the next attempt.
    pub(crate) fn remove(self) {
        remove([&self.lines_path, &self.places_path]);
    }
}

impl Spill {
    /// Where the document stands in the input that begins on the 1-based `line` of the spill.
    pub(crate) fn place(&mut self, line: u64) -> Result<SourceLocation, RejectsError> {
        let failed = |path: &Path| error_of(WHAT, "read", path);
        if line <= self.last_line {
            self.places.rewind().map_err(failed(&self.places_path))?;
        }
        self.last_line = line;
        loop {
            let mut record = [0; PLACE_BYTES];
            self.places.read_exact(&mut record).map_err(failed(&self.places_path))?;
            let (number, rest) = record.split_first_chunk().expect("a record is long enough");
            if u64::from_be_bytes(*number) != line {
                continue;
            }
            let (source, rest) = rest.split_first_chunk().expect("a record is long enough");
            let (line, byte_offset) = rest.split_first_chunk().expect("a record is long enough");
            return Ok(SourceLocation {
                source: usize::try_from(u32::from_be_bytes(*source)).expect("usize has 32 bits"),
                line: u64::from_be_bytes(*line),
                byte_offset: u64::from_be_bytes(byte_offset.try_into().expect("the rest is 8 bytes")),
            });
        }
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
        assert_eq!(spill.framing, Framing::Ndjson);
        assert!(spill.place(4).is_err());
        spill.remove();
        let mut files = SpillFiles::create(home.path(), 7).unwrap();
        for (line, text) in [(3, "{}"), (9, "{\n}"), (12, "{}")] {
            files.push(text.as_bytes(), place(line)).unwrap();
        }
        let mut spill = files.complete().unwrap().unwrap();
        assert_eq!(spill.framing, Framing::Json);
        for (line, expected) in [(1, 3), (2, 9), (4, 12), (2, 9)] {
            assert_eq!(spill.place(line).unwrap(), place(expected));
        }
        spill.remove();
        assert!(SpillFiles::create(home.path(), 7).unwrap().complete().unwrap().is_none());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
