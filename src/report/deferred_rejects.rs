//! Documents that were deferred and then rejected, merged into those that were rejected at once: reject files
//! are in input order, whenever a fault was found.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use serde::Deserialize;

use super::{
    reject_form::RejectForm,
    rejects::RejectFiles,
    rejects_error::{RejectsError, error},
};

/// What tells where a rejected document stands, of its record.
#[derive(Deserialize)]
struct RecordPlace {
    source: String,
    byte_offset: u64,
}

/// Rejected documents and the records about them, read side by side.
struct Rejects<'n> {
    form: RejectForm,
    documents: BufReader<File>,
    errors: BufReader<File>,
    names: &'n [String],
    /// The record of the document at hand; empty at the end.
    record: Vec<u8>,
    /// Index of its source, and where it begins there. Several documents may begin on one line.
    place: (usize, u64),
}

impl<'n> Rejects<'n> {
    fn open(files: &RejectFiles, names: &'n [String]) -> Result<Self, RejectsError> {
        let open = |path: &Path| File::open(path).map(BufReader::new).map_err(error("read", path));
        let paths = files.paths();
        let (mut documents, errors) = (open(&paths.documents)?, open(&paths.errors)?);
        let form = files.form();
        if files.lines() > 0 {
            form.skip_mark(&mut documents).map_err(error("read", &paths.documents))?;
        }
        let mut rejects = Self { form, documents, errors, names, record: Vec::new(), place: (0, 0) };
        rejects.advance().map_err(error("read", &paths.errors))?;
        Ok(rejects)
    }

    fn is_at_end(&self) -> bool {
        self.record.is_empty()
    }

    fn advance(&mut self) -> io::Result<()> {
        let is_first = self.record.is_empty();
        self.record.clear();
        if self.errors.read_until(b'\n', &mut self.record)? == 0 {
            return Ok(());
        }
        let place: RecordPlace = serde_json::from_slice(&self.record)?;
        let (source, byte_offset) = self.place;
        // The same file may have been named more than once.
        let from = if is_first || place.byte_offset > byte_offset { source } else { source + 1 };
        let found = self.names[from.min(self.names.len())..].iter().position(|name| *name == place.source);
        let index = found
            .map(|index| from + index)
            .or_else(|| self.names.iter().position(|name| *name == place.source));
        let unknown = || io::Error::other("a record names a source that is not read");
        self.place = (index.ok_or_else(unknown)?, place.byte_offset);
        Ok(())
    }

    /// Moves the document at hand and its record over; the record gets the document's new line. Says how many lines
    /// that takes.
    fn move_to(
        &mut self,
        line: u64,
        form: RejectForm,
        documents: &mut impl Write,
        errors: &mut impl Write,
    ) -> io::Result<u64> {
        let lines = self.form.copy_document(&mut self.documents, form, documents)?;
        let rest = memchr::memchr(b',', &self.record).ok_or(io::ErrorKind::InvalidData)?;
        write!(errors, "{{\"reject_line\":{line}")?;
        errors.write_all(&self.record[rest..])?;
        self.advance()?;
        Ok(lines)
    }
}

/// The rejects of both, in input order, under the names of `early`. `names` are the sources' in their order.
pub(crate) fn merge_deferred_rejects(
    mut early: RejectFiles,
    mut deferred: RejectFiles,
    names: &[String],
) -> Result<RejectFiles, RejectsError> {
    early.flush()?;
    deferred.flush()?;
    if deferred.lines() > 0 {
        let mut merged = early.beside("merged")?;
        let (mut one, mut other) = (Rejects::open(&early, names)?, Rejects::open(&deferred, names)?);
        let form = if early.form() == deferred.form() { early.form() } else { RejectForm::Records };
        form.begin_file(merged.writers().0).map_err(error("written", &merged.paths().documents))?;
        let mut lines = 0;
        while !one.is_at_end() || !other.is_at_end() {
            let is_first = other.is_at_end() || !one.is_at_end() && one.place < other.place;
            let next = if is_first { &mut one } else { &mut other };
            let (documents, errors) = merged.writers();
            let moved = next.move_to(lines + 1, form, documents, errors);
            lines += moved.map_err(error("written", &merged.paths().documents))?;
        }
        assert_eq!(lines, early.lines() + deferred.lines(), "all documents were moved");
        merged.set(form, lines);
        merged.flush()?;
        early = merged.take_place_of(early)?;
    }
    for path in [&deferred.paths().documents, &deferred.paths().errors] {
        fs::remove_file(path).map_err(error("removed", path))?;
    }
    Ok(early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::Fault,
        report::{ChunkRejects, Rejection},
        settings::Framing,
    };

    /// Rejected documents as (source, line).
    fn write(files: &mut RejectFiles, names: &[String], documents: &[(usize, u64)]) {
        for &(source, line) in documents {
            let mut rejects = ChunkRejects::of(Framing::Ndjson, false);
            let bytes = format!("{source} {line}\n");
            let rejection = Rejection {
                line,
                byte_offset: line * 7,
                faults: vec![Fault::of_document("load:duplicate", "words")],
            };
            rejects.push(0..bytes.len(), &names[source], &rejection);
            files.write(bytes.as_bytes(), &rejects).unwrap();
        }
    }

    #[test]
    fn rejects_come_in_input_order() {
        let names = ["a", "b", "a"].map(str::to_owned);
        let check = |early: &[(usize, u64)], deferred: &[(usize, u64)]| {
            let home = tempfile::tempdir().unwrap();
            let mut files = RejectFiles::create(home.path(), Some(3)).unwrap();
            write(&mut files, &names, early);
            let mut beside = files.beside("deferred").unwrap();
            write(&mut beside, &names, deferred);
            let paths = merge_deferred_rejects(files, beside, &names).unwrap().complete().unwrap();
            let mut expected = [early, deferred].concat();
            expected.sort_unstable();
            let Some(paths) = paths else {
                assert!(expected.is_empty());
                return;
            };
            let lines: Vec<_> = expected.iter().map(|(source, line)| format!("{source} {line}\n")).collect();
            assert_eq!(fs::read_to_string(&paths.documents).unwrap(), lines.concat());
            let records = fs::read_to_string(&paths.errors).unwrap();
            for (index, (record, (source, line))) in records.lines().zip(&expected).enumerate() {
                let start = format!(
                    r#"{{"reject_line":{},"source":"{}","line":{line},"byte_offset":{},"#,
                    index + 1,
                    names[*source],
                    line * 7
                );
                assert!(record.starts_with(&start) && record.ends_with("]}"), "{record}");
            }
            assert_eq!(records.lines().count(), expected.len());
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
        };
        check(&[], &[]);
        check(&[(0, 1)], &[]);
        check(&[], &[(0, 1), (2, 1)]);
        check(&[(0, 2), (1, 1), (1, 5), (2, 4)], &[(0, 1), (0, 3), (1, 4), (2, 3), (2, 9)]);
    }
}
