//! A chunk to what is in it: rows for the lanes, rejects, and a tally. CPU work only, one chunk a thread.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    checked::CheckedChunk,
    lines::{self, Texts, as_one_line},
    parts::PlacedDocument,
};
use crate::{
    document::{
        DocumentSchema, Fault, Node, Profile, check_line, check_text, check_with, is_blank, sound_text,
    },
    input::{Chunk, Piece},
    map::{DocumentMap, MapScratch},
    report::{ChunkRejects, Rejection, RejectsError, SourceLocation, Tally},
    rows::{LanePart, RowForm, lane_of, part_of},
    settings::Framing,
};

/// What documents are held against, and made with before.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub schema: Arc<DocumentSchema>,
    pub map: Option<Arc<DocumentMap>>,
}

/// Memory for one document after another: a worker has one.
#[derive(Debug, Default)]
struct Scratch {
    document: crate::document::Scratch,
    map: MapScratch,
}

/// What a document without a fault comes to.
enum Checked {
    /// With its part, where there are parts.
    Accepted(u32),
    /// The map makes nothing of it.
    Dropped,
}

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Checker {
    pub rules: Rules,
    /// Names of the sources in the order of their indices.
    pub source_names: Vec<String>,
    /// 0 when nothing is loaded, and so nothing encoded.
    pub lanes: usize,
    /// What the lanes make of documents.
    pub form: RowForm,
    /// Whether rejected lines are kept for the reject files.
    pub keep_rejects: bool,
    /// Whether what only reports tell is gathered.
    pub has_details: bool,
    /// 0 when accepted documents are put into no parts.
    parts: u32,
    /// Held while a long line is checked: a JSON value of it takes several times as much as its text.
    long_line: Mutex<()>,
}

/// One longer than this is checked while no other of its kind is: its values may take 200 times as much as its text.
const ALONE_BYTES: usize = 256 << 10;

impl Checker {
    pub(crate) fn new(
        rules: Rules,
        source_names: Vec<String>,
        lanes: usize,
        form: RowForm,
        keep_rejects: bool,
        has_details: bool,
    ) -> Self {
        let (parts, long_line) = (0, Mutex::default());
        Self { rules, source_names, lanes, form, keep_rejects, has_details, parts, long_line }
    }

    /// The same that puts accepted documents into so many parts.
    pub(crate) fn with_parts(self, parts: u32) -> Self {
        Self { parts, ..self }
    }

    pub(super) fn parts(&self) -> u32 {
        self.parts
    }

    pub(super) fn check(&self, chunk: Chunk) -> CheckedChunk {
        let part = |_| LanePart::of(&chunk, self.form);
        let mut parts: Vec<_> = (0..self.lanes).map(part).collect();
        let mut tally = Tally::with_details(self.has_details);
        let mut rejects = ChunkRejects::of(chunk.framing, self.rules.map.is_some());
        let mut accepted = Vec::new();
        match chunk.piece {
            Piece::Whole => {
                self.check_documents(&chunk, &mut parts, &mut tally, &mut rejects, &mut accepted);
            }
            Piece::Long { line, starts_at, ends, has_hole } => {
                let bytes = 0..chunk.bytes.len();
                if ends {
                    let faults =
                        vec![if has_hole { Fault::long_line_with_hole() } else { Fault::line_too_long() }];
                    let rejection = Rejection { line, byte_offset: starts_at, faults };
                    self.reject(chunk.source, bytes, rejection, &mut tally, &mut rejects);
                } else if self.keep_rejects {
                    rejects.push_part(bytes);
                }
            }
        }
        CheckedChunk::of(chunk, tally, rejects, parts, accepted)
    }

    fn check_documents(
        &self,
        chunk: &Chunk,
        parts: &mut [LanePart],
        tally: &mut Tally,
        rejects: &mut ChunkRejects,
        accepted: &mut Vec<PlacedDocument>,
    ) {
        let mut scratch = Scratch::default();
        let mut texts = Texts::of(chunk);
        for document in &chunk.documents {
            let bytes = document.range();
            if chunk.framing == Framing::Ndjson && is_blank(&chunk.bytes[bytes.clone()]) {
                tally.blank += 1;
                continue;
            }
            let SourceLocation { source, line, byte_offset } = lines::place(chunk, *document);
            match self.check_document(chunk, bytes.clone(), &mut texts, &mut scratch, parts, tally) {
                Ok(Checked::Accepted(part)) => {
                    tally.accept(source, line);
                    if self.parts > 0 {
                        accepted.push(PlacedDocument::of(chunk, bytes, line, part));
                    }
                }
                Ok(Checked::Dropped) => tally.drop(source, line),
                Err(mut faults) => {
                    if chunk.framing == Framing::Json {
                        faults = self.in_bytes_of_document(&chunk.bytes[bytes.clone()], faults, &mut scratch);
                    }
                    let rejection = Rejection { line, byte_offset, faults };
                    self.reject(source, bytes, rejection, tally, rejects);
                }
            }
        }
    }

    /// Faults of syntax are told by a byte of their line. Of a document over several lines they are told by a byte of all
    /// of it: it is looked at once more, as one line of the same length.
    fn in_bytes_of_document(&self, bytes: &[u8], faults: Vec<Fault>, scratch: &mut Scratch) -> Vec<Fault> {
        if faults.iter().all(|fault| fault.column.is_none()) || memchr::memchr(b'\n', bytes).is_none() {
            return faults;
        }
        let line = as_one_line(bytes);
        let (schema, scratch) = (&self.rules.schema, &mut scratch.document);
        match &self.rules.map {
            None => check_with(&line, schema, scratch, |_| (), |_| ()).err(),
            Some(_) => sound_text(&line, schema, scratch, |_, _| ()).err(),
        }
        .unwrap_or(faults)
    }

    /// Hands the document to its lane, or says all that is wrong with it.
    #[inline]
    fn check_document(
        &self,
        chunk: &Chunk,
        place: Range<usize>,
        texts: &mut Texts<'_>,
        scratch: &mut Scratch,
        parts: &mut [LanePart],
        tally: &mut Tally,
    ) -> Result<Checked, Vec<Fault>> {
        let (start, bytes) = (place.start, &chunk.bytes[place.clone()]);
        let Rules { schema, map } = &self.rules;
        let _alone = (bytes.len() > ALONE_BYTES)
            .then(|| self.long_line.lock().unwrap_or_else(PoisonError::into_inner));
        let mapped = match map {
            None => None,
            Some(map) => {
                let Scratch { document, map: map_scratch } = scratch;
                let mapped =
                    sound_text(bytes, schema, document, |text, values| map.apply(text, values, map_scratch));
                match mapped?.map_err(|fault| vec![fault])? {
                    Some(text) => Some(text),
                    None => return Ok(Checked::Dropped),
                }
            }
        };
        let bytes = mapped.map_or(bytes, str::as_bytes);
        let details = RefCell::new(tally.details.as_deref_mut());
        let part = Cell::new(0);
        let accept = |profile: &Profile<'_>| {
            if self.parts > 0 {
                part.set(part_of(profile.id, self.parts));
            }
            if !parts.is_empty() {
                parts[lane_of(profile.id, parts.len())].push(profile, start);
            }
            if let Some(details) = details.borrow_mut().as_deref_mut() {
                details.add(profile, bytes);
            }
        };
        let reject = |document: Node<'_>| {
            if let Some(details) = details.borrow_mut().as_deref_mut() {
                details.add_rejected(document, bytes);
            }
        };
        let scratch = &mut scratch.document;
        match mapped {
            None => match texts.get(place) {
                Some(line) => check_line(line, schema, scratch, accept, reject),
                None => check_with(bytes, schema, scratch, accept, reject),
            },
            Some(text) => check_text(text, schema, scratch, accept, reject),
        }
        .map(|()| Checked::Accepted(part.get()))
    }

    fn reject(
        &self,
        source: usize,
        bytes: Range<usize>,
        rejection: Rejection,
        tally: &mut Tally,
        rejects: &mut ChunkRejects,
    ) {
        if self.keep_rejects {
            rejects.push(bytes, &self.source_names[source], &rejection);
        }
        let Rejection { line, byte_offset, faults } = rejection;
        tally.reject(SourceLocation { source, line, byte_offset }, faults);
    }

    /// Adds accepted documents that the server refused: (line offset in the chunk, fault). `locate` says
    /// where a document really stands that the chunk has at a place.
    pub(super) fn reject_accepted(
        &self,
        checked: &mut CheckedChunk,
        refused: Vec<(u32, Fault)>,
        mut locate: impl FnMut(SourceLocation) -> Result<SourceLocation, RejectsError>,
    ) -> Result<(), RejectsError> {
        for (offset, fault) in refused {
            let (bytes, place) = lines::document_at(&checked.chunk, offset);
            let place = locate(place)?;
            let SourceLocation { source, line, byte_offset } = place;
            let rejection = Rejection { line, byte_offset, faults: vec![fault] };
            if self.keep_rejects {
                checked.rejects.push(bytes, &self.source_names[source], &rejection);
            }
            checked.tally.reject_accepted(place, rejection.faults);
        }
        checked.rejects.lines.sort_by_key(|line| line.bytes.start);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Span, Watermark};

    fn chunk(text: &str) -> Chunk {
        let bytes = text.as_bytes().to_vec();
        let (mut documents, mut start) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            documents.push(Span::new(start..start + line.len(), documents.len()));
            start += line.len();
        }
        Chunk {
            sequence: 3,
            source: 0,
            byte_offset: 100,
            first_line: 11,
            lines: 6,
            framing: Framing::Ndjson,
            piece: Piece::Whole,
            documents,
            origins: Vec::new(),
            consumed: 0,
            end: Watermark::default(),
            is_unterminated: false,
            ended: Vec::new(),
            bytes,
        }
    }

    fn document(first: u8) -> String {
        format!(
            r#"{{"id":"{first:02x}9619ff-8b86-4011-b42d-00c04fc964ff","firstName":"A","lastName":"B","emails":["a@example.com"],"privacySettings":{{"marketingEmailsEnabled":true,"twoFactorEnabled":false}}}}"#
        )
    }

    #[test]
    fn every_line_is_accounted_for() {
        let text = format!("{}\n\r\n{{}}\n{}\n \n{{", document(1), document(2));
        let schema = Arc::new(DocumentSchema::built_in());
        let rules = Rules { schema, map: None };
        let checker = Checker::new(rules, vec!["a".to_owned()], 2, RowForm::Staged, true, false);
        let mut checked = checker.check(chunk(&text));
        let tally = &checked.tally;
        assert_eq!((tally.read, tally.accepted, tally.rejected, tally.blank), (4, 2, 2, 2));
        assert_eq!(checked.parts.iter().map(|part| part.documents().len()).sum::<usize>(), 2);
        let second = text.find("{\"id\":\"02").unwrap();
        let fault = Fault::of_document("db:23514", "refused");
        let refused = vec![(u32::try_from(second).unwrap(), fault)];
        checker.reject_accepted(&mut checked, refused, Ok).unwrap();
        let starts: Vec<_> = checked.rejects.lines.iter().map(|line| line.bytes.start).collect();
        assert_eq!(starts, [text.find("{}").unwrap(), second, text.len() - 1]);
        let groups = checked.tally.take_faults().groups;
        let refused = groups.iter().find(|group| group.kind.code == "db:23514").unwrap();
        assert_eq!((refused.first.line, refused.first.byte_offset), (14, 100 + second as u64));
    }
}
