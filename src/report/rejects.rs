//! The reject files: rejected documents byte for byte, and beside them why, one object a line.
//!
//! While a run goes on, and when it stops early, the files are named `*.partial`; only a run that has seen
//! all of its input gives them their names, after moving earlier ones aside (`rejects.1.ndjson`, …). So a
//! file that is being fixed and loaded again is never overwritten, and a crash leaves partial files, which
//! the next attempt of the same run writes from their beginning again. A crash between any two steps of the
//! end leaves what that attempt brings to the same end: hence the comparison with what is there already.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, BufWriter, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    ChunkRejects,
    chunk_rejects::RejectedLine,
    own_file::{self, Readers},
    reject_form::{RejectForm, is_read_as_lines, turn_into_records},
    reject_paths::RejectPaths,
    rejects_error::{RejectsError, error, error_of},
};
use crate::{
    failpoint,
    input::Source,
    settings::{Framing, FramingRequest},
};

/// What is gathered for a file before it is written.
const BUFFER_BYTES: usize = 128 << 10;

/// The two files while they are being written.
#[derive(Debug)]
pub(crate) struct RejectFiles {
    dir: PathBuf,
    run_id: Option<i64>,
    /// The folder itself, locked while a run writes here.
    folder: File,
    partial: RejectPaths,
    documents: BufWriter<File>,
    errors: BufWriter<File>,
    /// How they will be read, if the same command reads them.
    framing: FramingRequest,
    form: RejectForm,
    /// How many lines there are of rejected documents.
    lines: u64,
    /// The line where the document at hand began, of which a part was written.
    part_of: Option<u64>,
}

impl RejectFiles {
    /// Creates the folder (0700) and the two partial files (0600) in it. Those of a run that the ledger knows
    /// bear its number, and are written anew by each of its attempts.
    pub(crate) fn create(dir: &Path, run_id: Option<i64>) -> Result<Self, RejectsError> {
        make_folder(dir)?;
        let folder = lock(dir)?;
        let partial = Self::partial_paths(dir, run_id);
        let unfinished = Self::unfinished_records(dir, run_id).documents;
        if let Err(source) = fs::remove_file(&unfinished)
            && source.kind() != io::ErrorKind::NotFound
        {
            return Err(error("removed", &unfinished)(source));
        }
        if run_id.is_none() {
            // Those of a run that was stopped: its input may have been a pipe.
            partial.move_aside(dir, ".partial", false)?;
        }
        Self::open(dir.to_owned(), run_id, folder, partial)
    }

    /// The same, for a command with this framing, which can read them as well.
    pub(crate) fn for_framing(self, framing: FramingRequest) -> Self {
        Self { framing, ..self }
    }

    /// Makes sure that [`Self::create`] will find a folder that it can use, which it makes.
    pub(crate) fn try_folder(dir: &Path) -> Result<(), RejectsError> {
        make_folder(dir)?;
        let _folder = lock(dir)?;
        let tried = RejectPaths::in_dir(dir, ".tried", ".partial").documents;
        own_file::create(&tried, Readers::Owner).map_err(error("created", &tried))?;
        fs::remove_file(&tried).map_err(error("removed", &tried))
    }

    fn open(
        dir: PathBuf,
        run_id: Option<i64>,
        folder: File,
        partial: RejectPaths,
    ) -> Result<Self, RejectsError> {
        let create = |path: &Path| {
            let file = own_file::create(path, Readers::Owner).map_err(error("created", path))?;
            Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
        };
        let documents = create(&partial.documents)?;
        let errors = create(&partial.errors)?;
        let (framing, form) = (FramingRequest::Auto, RejectForm::Lines);
        Ok(Self { dir, run_id, folder, partial, documents, errors, framing, form, lines: 0, part_of: None })
    }

    /// Another pair of partial files of the same run, told apart by a word.
    pub(crate) fn beside(&self, word: &str) -> Result<Self, RejectsError> {
        let infix = format!("{}.{word}", infix(self.run_id));
        let partial = RejectPaths::in_dir(&self.dir, &infix, ".partial");
        let folder = self.folder.try_clone().map_err(error("opened", &self.dir))?;
        let files = Self::open(self.dir.clone(), self.run_id, folder, partial)?;
        Ok(files.for_framing(self.framing))
    }

    /// Gives these files, which hold all that those held, their names.
    pub(super) fn take_place_of(mut self, other: Self) -> Result<Self, RejectsError> {
        for (from, to) in [
            (&self.partial.documents, &other.partial.documents),
            (&self.partial.errors, &other.partial.errors),
        ] {
            fs::rename(from, to).map_err(error("renamed", to))?;
        }
        self.partial = other.partial;
        Ok(self)
    }

    /// Where they are while they are written.
    pub(super) fn paths(&self) -> &RejectPaths {
        &self.partial
    }

    /// Where the words about them are while they are written.
    pub(crate) fn errors_path(&self) -> &Path {
        &self.partial.errors
    }

    /// How many lines the rejected documents take.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn form(&self) -> RejectForm {
        self.form
    }

    /// They hold so much, which was written to them by others.
    pub(super) fn set(&mut self, form: RejectForm, lines: u64) {
        (self.form, self.lines) = (form, lines);
    }

    /// For documents and for the words about them.
    pub(super) fn writers(&mut self) -> (&mut BufWriter<File>, &mut BufWriter<File>) {
        (&mut self.documents, &mut self.errors)
    }

    /// Where lines are turned into records.
    fn unfinished_records(dir: &Path, run_id: Option<i64>) -> RejectPaths {
        RejectPaths::in_dir(dir, &format!("{}.records", infix(run_id)), ".partial")
    }

    /// Where they are once all is read.
    pub(crate) fn final_paths(dir: &Path) -> RejectPaths {
        RejectPaths::in_dir(dir, "", "")
    }

    /// The files that a run writes; none of them may be its input.
    pub(crate) fn partial_paths(dir: &Path, run_id: Option<i64>) -> RejectPaths {
        RejectPaths::in_dir(dir, &infix(run_id), ".partial")
    }

    /// Writes the rejects of a chunk; `bytes` are the chunk's.
    pub(crate) fn write(&mut self, bytes: &[u8], rejects: &ChunkRejects) -> Result<(), RejectsError> {
        let takes_records = self.framing == FramingRequest::Only(Framing::Json);
        let are_lines = rejects.framing == Framing::Ndjson && !takes_records;
        let mut lines = &rejects.lines[..];
        while let [line, rest @ ..] = lines {
            if are_lines && self.form == RejectForm::Lines && self.part_of.is_none() {
                let side_by_side = side_by_side(bytes, lines);
                if !side_by_side.is_empty() {
                    self.write_lines(bytes, side_by_side, rejects)?;
                    lines = &lines[side_by_side.len()..];
                    continue;
                }
            }
            lines = rest;
            let raw = &bytes[line.bytes.clone()];
            let is_part = line.record.is_none();
            let has_line_break =
                || rejects.framing == Framing::Json && (is_part || memchr::memchr(b'\n', raw).is_some());
            if self.form == RejectForm::Lines && (takes_records || has_line_break()) {
                self.turn_into_records()?;
            }
            let first_line =
                self.write_document(raw, is_part).map_err(error("written", &self.partial.documents))?;
            self.part_of = is_part.then_some(first_line);
            let Some(record) = &line.record else { continue };
            self.write_record(first_line, &rejects.records[record.clone()])
                .map_err(error("written", &self.partial.errors))?;
        }
        Ok(())
    }

    /// Writes whole lines that stand side by side.
    fn write_lines(
        &mut self,
        bytes: &[u8],
        lines: &[RejectedLine],
        rejects: &ChunkRejects,
    ) -> Result<(), RejectsError> {
        let (first, last) = (&lines[0].bytes, &lines[lines.len() - 1].bytes);
        self.documents
            .write_all(&bytes[first.start..last.end])
            .map_err(error("written", &self.partial.documents))?;
        for record in lines.iter().filter_map(|line| line.record.clone()) {
            self.lines += 1;
            self.write_record(self.lines, &rejects.records[record])
                .map_err(error("written", &self.partial.errors))?;
        }
        Ok(())
    }

    fn write_record(&mut self, first_line: u64, record: &[u8]) -> io::Result<()> {
        self.errors.write_all(b"{\"reject_line\":")?;
        serde_json::to_writer(&mut self.errors, &first_line)?;
        self.errors.write_all(b",")?;
        self.errors.write_all(&record[1..])?; // without its opening brace
        self.errors.write_all(b"\n")
    }

    /// Writes a document or a part of it; gives the line where it began.
    fn write_document(&mut self, raw: &[u8], is_part: bool) -> io::Result<u64> {
        let first_line = self.part_of.unwrap_or(self.lines + 1);
        if self.part_of.is_none() {
            self.form.begin(&mut self.documents)?;
        }
        self.documents.write_all(raw)?;
        self.lines += u64::try_from(memchr::memchr_iter(b'\n', raw).count()).expect("a length has 64 bits");
        if !is_part && !raw.ends_with(b"\n") {
            self.documents.write_all(b"\n")?;
            self.lines += 1;
        }
        Ok(first_line)
    }

    fn turn_into_records(&mut self) -> Result<(), RejectsError> {
        let path = &self.partial.documents;
        let written = if self.lines == 0 {
            RejectForm::Records.begin_file(&mut self.documents)
        } else {
            let other = Self::unfinished_records(&self.dir, self.run_id);
            let turned = self.documents.flush().and_then(|()| turn_into_records(path, &other.documents));
            turned.map(|documents| self.documents = documents)
        };
        written.map_err(error("written", path))?;
        self.form = RejectForm::Records;
        Ok(())
    }

    /// Ends the files of a run that has seen all of its input: earlier ones are moved aside, whether or not
    /// there is something new, unless they hold the same. `None` when nothing was rejected.
    pub(crate) fn complete(mut self) -> Result<Option<RejectPaths>, RejectsError> {
        self.end()?;
        let paths = Self::final_paths(&self.dir);
        if !paths.hold_already(&self.partial)? {
            paths.move_aside(&self.dir, "", self.lines > 0)?;
        }
        if self.lines == 0 {
            for path in [&self.partial.documents, &self.partial.errors] {
                fs::remove_file(path).map_err(error("removed", path))?;
            }
        } else {
            for (from, to) in
                [(&self.partial.documents, &paths.documents), (&self.partial.errors, &paths.errors)]
            {
                failpoint("rejects-renaming");
                fs::rename(from, to).map_err(error("renamed from its partial name", to))?;
            }
            failpoint("rejects-renamed");
        }
        // So that the names survive a power failure; a file system that can't do this keeps them by itself.
        let _ = self.folder.sync_all();
        Ok((self.lines > 0).then_some(paths))
    }

    /// Whether this source would be moved aside when the files get their names.
    pub(crate) fn replaces(&self, source: &Source) -> bool {
        let Source::File(path) = source else { return false };
        let paths = Self::final_paths(&self.dir);
        let is_same = |own: &Path| match (fs::canonicalize(own), fs::canonicalize(path)) {
            (Ok(own), Ok(path)) => own == path,
            _ => false,
        };
        is_same(&paths.documents) || is_same(&paths.errors)
    }

    /// Writes everything out; returns the names that [`Self::complete`] will give, where there is anything to name.
    pub(crate) fn prepare(&mut self) -> Result<Option<RejectPaths>, RejectsError> {
        self.end()?;
        Ok((self.lines > 0).then(|| Self::final_paths(&self.dir)))
    }

    /// Ends the files of a run that stopped early, under their partial names.
    pub(crate) fn leave_partial(mut self) -> Result<Option<RejectPaths>, RejectsError> {
        self.end()?;
        Ok((self.lines > 0).then_some(self.partial))
    }

    /// Writes everything out, in a form that is read as it is meant.
    fn end(&mut self) -> Result<(), RejectsError> {
        self.flush()?;
        let path = &self.partial.documents;
        if self.form == RejectForm::Lines
            && self.lines > 0
            && !is_read_as_lines(path).map_err(error("read", path))?
        {
            self.turn_into_records()?;
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), RejectsError> {
        for (file, path) in
            [(&mut self.documents, &self.partial.documents), (&mut self.errors, &self.partial.errors)]
        {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(error("written", path))?;
        }
        Ok(())
    }
}

/// As many of these lines from the first one on as stand side by side, each of them whole and with its line end.
fn side_by_side<'l>(bytes: &[u8], lines: &'l [RejectedLine]) -> &'l [RejectedLine] {
    let mut end = None;
    let is_next = |line: &&RejectedLine| {
        let is_beside = end.is_none_or(|end| end == line.bytes.start);
        end = Some(line.bytes.end);
        is_beside && line.record.is_some() && bytes[line.bytes.clone()].ends_with(b"\n")
    };
    &lines[..lines.iter().take_while(is_next).count()]
}

fn infix(run_id: Option<i64>) -> String {
    run_id.map_or_else(String::new, |id| format!(".run-{id}"))
}

/// Two runs in one folder would write over each other's rejects. The lock goes with the process.
fn make_folder(dir: &Path) -> Result<(), RejectsError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(error_of("the folder for rejected documents", "made", dir))
}

fn lock(dir: &Path) -> Result<File, RejectsError> {
    let folder = File::open(dir).map_err(error("opened", dir))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => {
            let source =
                io::Error::other("another run writes its rejected documents there; name another folder");
            Err(error_of("the folder", "used", dir)(source))
        }
        Err(TryLockError::Error(source)) => Err(error("locked", dir)(source)),
    }
}

#[cfg(test)]
#[path = "rejects_tests.rs"]
mod tests;
