//! The reject files: rejected lines byte for byte, and beside them why, one object a line.
//!
//! While a run goes on, and when it stops early, the files are named `*.partial`; only a run that has seen
//! all of its input gives them their names, after moving earlier ones aside (`rejects.1.ndjson`, …). So a
//! file that is being mended and loaded again is never overwritten, and a crash leaves partial files only.
//! Those of a load bear the run's number: whoever goes on with the run writes them anew.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, Read, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;
use thiserror::Error;

use crate::{
    document::{Fault, Rejection},
    failpoint,
};

const DOCUMENTS: &str = "rejects.ndjson";
const ERRORS: &str = "rejects.errors.ndjson";

/// How much of two files is compared at once.
const COMPARE_BYTES: usize = 64 * 1024;

/// Why the reject files can't be written.
#[derive(Debug, Error)]
#[error("{what} {} can't be {done}{}", path.display(), if is_full(source) { ": free space there and run the same command again" } else { "" })]
pub struct RejectsError {
    what: &'static str,
    path: PathBuf,
    done: &'static str,
    source: io::Error,
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn error(done: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RejectsError + use<> {
    let path = path.to_owned();
    move |source| RejectsError { what: "the reject file", path, done, source }
}

/// The rejected lines of one chunk, in order, with the words about each already written out.
#[derive(Debug, Default)]
pub struct ChunkRejects {
    pub lines: Vec<RejectedLine>,
    records: Vec<u8>,
}

/// A rejected line, or a part of one that is too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// In the chunk, with the line end.
    pub bytes: Range<usize>,
    /// In `records`; `None` for a part that another part of the line follows.
    record: Option<Range<usize>>,
}

#[derive(Serialize)]
struct Record<'a> {
    source: &'a str,
    line: u64,
    byte_offset: u64,
    errors: Vec<RecordError<'a>>,
}

#[derive(Serialize)]
struct RecordError<'a> {
    code: &'a str,
    pointer: &'a str,
    schema_path: &'a str,
    message: String,
}

impl ChunkRejects {
    /// Adds a rejected line, the one after those added so far.
    pub fn push(&mut self, bytes: Range<usize>, source: &str, rejection: &Rejection) {
        let start = self.records.len();
        let errors = rejection.faults.iter().map(record_error).collect();
        let record = Record { source, line: rejection.line, byte_offset: rejection.byte_offset, errors };
        serde_json::to_writer(&mut self.records, &record).expect("a record is plain data");
        self.lines.push(RejectedLine { bytes, record: Some(start..self.records.len()) });
    }

    /// Adds a part of a line that goes on in the next chunk.
    pub fn push_part(&mut self, bytes: Range<usize>) {
        self.lines.push(RejectedLine { bytes, record: None });
    }
}

fn record_error(fault: &Fault) -> RecordError<'_> {
    let message = match fault.column {
        Some(column) => format!("{} (byte {column} of the line)", fault.message),
        None => fault.message.clone(),
    };
    RecordError { code: &fault.code, pointer: &fault.pointer, schema_path: &fault.schema_path, message }
}

/// Where the rejected documents of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectPaths {
    pub documents: PathBuf,
    pub errors: PathBuf,
}

impl RejectPaths {
    fn in_dir(dir: &Path, suffix: &str) -> Self {
        let path = |name: &str| dir.join(format!("{name}{suffix}"));
        Self { documents: path(DOCUMENTS), errors: path(ERRORS) }
    }
}

impl RejectPaths {
    fn hold_what_there_is_of(&self, other: &Self) -> bool {
        [(&self.documents, &other.documents), (&self.errors, &other.errors)]
            .iter()
            .all(|(own, other)| !other.exists() || holds_the_same(own, other))
    }
}

/// False also where one of them can't be read.
fn holds_the_same(one: &Path, other: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (mut one, mut other) = (File::open(one)?, File::open(other)?);
        if one.metadata()?.len() != other.metadata()?.len() {
            return Ok(false);
        }
        let (mut here, mut there) = (vec![0; COMPARE_BYTES], vec![0; COMPARE_BYTES]);
        loop {
            let length = one.read(&mut here)?;
            if length == 0 {
                return Ok(true);
            }
            other.read_exact(&mut there[..length])?;
            if here[..length] != there[..length] {
                return Ok(false);
            }
        }
    };
    same().unwrap_or(false)
}

/// The two files while they are being written.
#[derive(Debug)]
pub struct RejectFiles {
    dir: PathBuf,
    /// Locked while a run writes here.
    _lock: File,
    partial: RejectPaths,
    documents: BufWriter<File>,
    errors: BufWriter<File>,
    lines: u64,
}

impl RejectFiles {
    /// Creates the folder (0700) and the two partial files (0600) in it. `run_id` is that of a load's run, whose
    /// earlier attempt may have left some.
    pub fn create(dir: &Path, run_id: Option<i64>) -> Result<Self, RejectsError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| {
            let path = dir.to_owned();
            RejectsError { what: "the folder for rejected documents", path, done: "made", source }
        })?;
        let lock = lock(dir)?;
        let partial = Self::partial_paths(dir, run_id);
        if run_id.is_none() {
            // Those of a run that was stopped: its input may have been a pipe.
            move_aside(dir, &partial, ".partial")?;
        }
        let create = |path: &Path| {
            let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            options.map(BufWriter::new).map_err(error("created", path))
        };
        let documents = create(&partial.documents)?;
        let errors = create(&partial.errors)?;
        Ok(Self { dir: dir.to_owned(), _lock: lock, partial, documents, errors, lines: 0 })
    }

    /// The files that a run writes; none of them may be its input.
    pub fn partial_paths(dir: &Path, run_id: Option<i64>) -> RejectPaths {
        let Some(run_id) = run_id else { return RejectPaths::in_dir(dir, ".partial") };
        RejectPaths {
            documents: dir.join(format!("rejects.run-{run_id}.ndjson.partial")),
            errors: dir.join(format!("rejects.run-{run_id}.errors.ndjson.partial")),
        }
    }

    /// Writes the rejects of a chunk; `bytes` are the chunk's.
    pub fn write(&mut self, bytes: &[u8], rejects: &ChunkRejects) -> Result<(), RejectsError> {
        let failed = |path: &Path| error("written", path);
        for line in &rejects.lines {
            let raw = &bytes[line.bytes.clone()];
            self.documents.write_all(raw).map_err(failed(&self.partial.documents))?;
            let Some(record) = &line.record else { continue };
            if !raw.ends_with(b"\n") {
                self.documents.write_all(b"\n").map_err(failed(&self.partial.documents))?;
            }
            self.lines += 1;
            let record = &rejects.records[record.start + 1..record.end]; // without its opening brace
            write!(self.errors, "{{\"reject_line\":{},", self.lines)
                .and_then(|()| self.errors.write_all(record))
                .and_then(|()| self.errors.write_all(b"\n"))
                .map_err(failed(&self.partial.errors))?;
        }
        Ok(())
    }

    /// Ends the files of a run that has seen all of its input: earlier ones are moved aside, whether or not
    /// there is something new. `None` when nothing was rejected.
    pub fn complete(mut self) -> Result<Option<RejectPaths>, RejectsError> {
        self.flush()?;
        let paths = RejectPaths::in_dir(&self.dir, "");
        // An attempt that got this far may have left the same, or one of the two.
        if !self.partial.hold_what_there_is_of(&paths) {
            move_aside(&self.dir, &paths, "")?;
        }
        if self.lines == 0 {
            for path in [&self.partial.documents, &self.partial.errors] {
                fs::remove_file(path).map_err(error("removed", path))?;
            }
            return Ok(None);
        }
        for (from, to) in [(&self.partial.documents, &paths.documents), (&self.partial.errors, &paths.errors)]
        {
            failpoint("rejects-renaming");
            fs::rename(from, to).map_err(error("renamed from its partial name", to))?;
        }
        failpoint("rejects-renamed");
        Ok(Some(paths))
    }

    /// Ends the files of a run that stopped early, under their partial names.
    pub fn leave_partial(mut self) -> Result<Option<RejectPaths>, RejectsError> {
        self.flush()?;
        Ok((self.lines > 0).then_some(self.partial))
    }

    fn flush(&mut self) -> Result<(), RejectsError> {
        for (file, path) in
            [(&mut self.documents, &self.partial.documents), (&mut self.errors, &self.partial.errors)]
        {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(error("written", path))?;
        }
        Ok(())
    }
}

/// Two runs in one folder would write over each other's rejects. The lock goes with the process.
fn lock(dir: &Path) -> Result<File, RejectsError> {
    let folder = File::open(dir).map_err(error("opened", dir))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => {
            let source =
                io::Error::other("another run writes its rejected documents there; name another folder");
            Err(RejectsError { what: "the folder", path: dir.to_owned(), done: "used", source })
        }
        Err(TryLockError::Error(source)) => Err(error("locked", dir)(source)),
    }
}

/// Gives earlier files a number; empty ones go.
fn move_aside(dir: &Path, paths: &RejectPaths, suffix: &str) -> Result<(), RejectsError> {
    let both = [&paths.documents, &paths.errors];
    if both.iter().all(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0) {
        return Ok(());
    }
    let numbered = |number: u32| RejectPaths {
        documents: dir.join(format!("rejects.{number}.ndjson{suffix}")),
        errors: dir.join(format!("rejects.{number}.errors.ndjson{suffix}")),
    };
    let free = (1..=u32::MAX)
        .map(numbered)
        .find(|aside| !aside.documents.exists() && !aside.errors.exists())
        .expect("some number is free");
    for (from, to) in [(&paths.documents, &free.documents), (&paths.errors, &free.errors)] {
        if from.exists() {
            fs::rename(from, to).map_err(error("moved aside", from))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn rejects(lines: &[(Range<usize>, u64)]) -> ChunkRejects {
        let mut rejects = ChunkRejects::default();
        for (bytes, line) in lines {
            let faults = vec![Fault::of_document("json:syntax", "not valid JSON")];
            rejects.push(bytes.clone(), "a.ndjson", &Rejection { line: *line, byte_offset: 7, faults });
        }
        rejects
    }

    #[test]
    fn lines_are_kept_byte_for_byte() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("new/rejects");
        let mut files = RejectFiles::create(&dir, None).unwrap();
        files.write(b"{\r\n{}\n\xff\n", &rejects(&[(0..3, 1), (6..8, 3)])).unwrap();
        let mut long = ChunkRejects::default();
        long.push_part(0..3);
        files.write(b"xxx", &long).unwrap();
        files.write(b"yy", &rejects(&[(0..2, 4)])).unwrap();
        let paths = files.complete().unwrap().unwrap();
        assert_eq!(fs::read(&paths.documents).unwrap(), b"{\r\n\xff\nxxxyy\n");
        assert_eq!(
            fs::read_to_string(&paths.errors).unwrap().lines().next().unwrap(),
            r#"{"reject_line":1,"source":"a.ndjson","line":1,"byte_offset":7,"errors":[{"code":"json:syntax","pointer":"","schema_path":"","message":"not valid JSON"}]}"#
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&paths.documents), mode(&paths.errors)), (0o700, 0o600, 0o600));
    }

    #[test]
    fn earlier_files_are_moved_aside_by_complete_runs_only() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let run = || {
            let mut files = RejectFiles::create(dir, None).unwrap();
            files.write(b"{\n", &rejects(&[(0..2, 1)])).unwrap();
            files
        };
        run().leave_partial().unwrap().unwrap();
        let partial = ["rejects.errors.ndjson.partial", "rejects.ndjson.partial"];
        assert_eq!(names(), partial);
        run().leave_partial().unwrap().unwrap();
        assert_eq!(names().len(), 4, "those of the stopped run are kept");
        for name in names().iter().filter(|name| !partial.contains(&name.as_str())) {
            assert!(name.starts_with("rejects.1."));
            fs::remove_file(dir.join(name)).unwrap();
        }
        let running = RejectFiles::create(dir, None).unwrap();
        assert!(RejectFiles::create(dir, None).is_err(), "one run at a time");
        drop(running);
        for name in names() {
            fs::remove_file(dir.join(name)).unwrap();
        }
        run().complete().unwrap().unwrap();
        assert_eq!(names(), ["rejects.errors.ndjson", "rejects.ndjson"]);
        assert_eq!(RejectFiles::create(dir, None).unwrap().complete().unwrap(), None);
        assert_eq!(names(), ["rejects.1.errors.ndjson", "rejects.1.ndjson"]);
        run().complete().unwrap().unwrap();
        run().complete().unwrap().unwrap();
        assert_eq!(names().len(), 4, "the same again is not kept twice");
        let mut files = RejectFiles::create(dir, None).unwrap();
        files.write(b"[\n", &rejects(&[(0..2, 1)])).unwrap();
        files.complete().unwrap().unwrap();
        assert_eq!(names().len(), 6);
    }

    #[test]
    fn a_resumed_run_writes_its_partial_files_anew() {
        let home = tempfile::tempdir().unwrap();
        let create = |run_id| RejectFiles::create(home.path(), Some(run_id)).unwrap();
        for _ in 0..2 {
            let mut files = create(7);
            files.write(b"{\n", &rejects(&[(0..2, 1)])).unwrap();
            let paths = files.leave_partial().unwrap().unwrap();
            assert_eq!(paths, RejectFiles::partial_paths(home.path(), Some(7)));
            assert_eq!(fs::read(paths.documents).unwrap(), b"{\n");
        }
        drop(create(8));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 4, "each run has its own");
    }
}
