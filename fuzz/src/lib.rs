//! What several targets have in common: bytes as a file, and the chunks that are read of it.

pub mod copy;
pub mod forms;
pub mod libpq;
pub mod page;
pub mod reports;
pub mod splitter;

use std::{env, fs, path::PathBuf, process, sync::LazyLock};

use profile_loader::{
    internals::{
        input::{Chunk, ChunkReader, InputError, LINE_BYTES_MAX, Piece, Source, Watermark},
        report::fuzzing::reject_file,
    },
    settings::{Framing, FramingRequest},
};

/// A folder of this process, best in memory (`TMPDIR`).
pub static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = env::temp_dir().join(format!("profile-loader-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder in TMPDIR");
    folder
});

/// These bytes as a file, instead of those before.
pub fn file(bytes: &[u8]) -> Source {
    let path = FOLDER.join("input");
    fs::write(&path, bytes).expect("a file in TMPDIR");
    Source::File(path)
}

#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    pub line: u64,
    pub byte_offset: u64,
    pub text: Vec<u8>,
}

impl Document {
    /// Without blanks around it: long records pass with those that they have.
    pub fn trimmed(&self) -> Self {
        let is_visible = |byte: &u8| !b" \t\r\n".contains(byte);
        let blanks = self.text.iter().position(is_visible).unwrap_or(self.text.len());
        let end = self.text.iter().rposition(is_visible).map_or(blanks, |last| last + 1);
        Self {
            line: self.line + line_ends(&self.text[..blanks]),
            byte_offset: self.byte_offset + blanks as u64,
            text: self.text[blanks..end].to_vec(),
        }
    }
}

/// What a reader handed out.
#[derive(Debug, Default)]
pub struct Outcome {
    pub framing: Option<Framing>,
    /// A line is there with its end.
    pub documents: Vec<Document>,
    /// All chunks joined.
    pub text: Vec<u8>,
    /// Of each chunk.
    pub ends: Vec<Watermark>,
    pub error: Option<InputError>,
}

impl Outcome {
    pub fn error_text(&self) -> Option<String> {
        self.error.as_ref().map(ToString::to_string)
    }
}

pub fn read(source: &Source, framing: FramingRequest, chunk_bytes: usize) -> Outcome {
    read_again(source, framing, chunk_bytes, &[])
}

/// Reads a source that an earlier attempt has read up to these places.
pub fn read_again(
    source: &Source,
    framing: FramingRequest,
    chunk_bytes: usize,
    required: &[Watermark],
) -> Outcome {
    let mut reader = match ChunkReader::open(vec![source.clone()], framing, chunk_bytes) {
        Ok(reader) => reader,
        Err(error) => return Outcome { error: Some(error), ..Outcome::default() },
    };
    reader.require_watermarks(required.to_vec());
    let outcome = drain(&mut reader);
    assert!(outcome.error.is_some() || reader.is_verified());
    outcome
}

/// All that is left. Each chunk has to follow the one before it.
pub fn drain(reader: &mut ChunkReader) -> Outcome {
    let mut outcome = Outcome::default();
    let mut next = None;
    let mut long = None;
    let mut buffer = Vec::new();
    let mut is_unterminated = false;
    loop {
        let chunk = match reader.next_chunk(buffer) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                assert!(long.is_none(), "a document in pieces has an end");
                return outcome;
            }
            Err(error) => {
                outcome.error = Some(error);
                return outcome;
            }
        };
        // All of a long record may have been handed out before its end was seen.
        assert!(!chunk.bytes.is_empty() || matches!(chunk.piece, Piece::Long { ends: true, .. }));
        assert!(!is_unterminated, "nothing follows a document that may be cut off");
        is_unterminated = chunk.is_unterminated;
        let line_ends = line_ends(&chunk.bytes);
        assert_eq!(chunk.lines as u64, line_ends);
        let here = (chunk.sequence, chunk.byte_offset, chunk.first_line);
        assert_eq!(
            here,
            next.unwrap_or((0, chunk.byte_offset, chunk.first_line)),
            "chunks follow each other"
        );
        next = Some((here.0 + 1, here.1 + chunk.bytes.len() as u64, here.2 + line_ends));
        assert_eq!(*outcome.framing.get_or_insert(chunk.framing), chunk.framing);
        take_documents(&chunk, &mut long, &mut outcome.documents);
        outcome.text.extend_from_slice(&chunk.bytes);
        outcome.ends.push(chunk.end.clone());
        buffer = chunk.bytes;
    }
}

fn take_documents(chunk: &Chunk, long: &mut Option<Document>, documents: &mut Vec<Document>) {
    if let Piece::Long { line, starts_at, ends, .. } = chunk.piece {
        assert!(chunk.documents.is_empty());
        let document =
            long.get_or_insert_with(|| Document { line, byte_offset: starts_at, text: Vec::new() });
        assert_eq!((document.line, document.byte_offset), (line, starts_at));
        assert_eq!(document.byte_offset + document.text.len() as u64, chunk.byte_offset);
        document.text.extend_from_slice(&chunk.bytes);
        if ends {
            documents.extend(long.take());
        }
        return;
    }
    assert!(long.is_none(), "a document in pieces has an end");
    if chunk.framing == Framing::Ndjson {
        let lines = chunk.bytes.split_inclusive(|byte| *byte == b'\n');
        assert!(
            lines.eq(chunk.documents.iter().map(|span| &chunk.bytes[span.range()])),
            "its documents are its lines"
        );
    }
    for span in &chunk.documents {
        let range = span.range();
        assert_eq!(span.lines_before(), line_ends(&chunk.bytes[..range.start]));
        documents.push(Document {
            line: chunk.first_line + span.lines_before(),
            byte_offset: chunk.byte_offset + range.start as u64,
            text: chunk.bytes[range].to_vec(),
        });
    }
}

pub fn line_ends(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Documents of this framing are in a reject file as they were, for whoever reads it with the same words.
pub fn come_again_from_rejects(documents: &[Document], framing: Framing) {
    // One that is longer may pass in pieces, with the blanks around it.
    if documents.iter().any(|document| document.text.len() > LINE_BYTES_MAX - splitter::TOKEN_BYTES_MAX) {
        return;
    }
    let expected: Vec<_> = documents.iter().map(|document| document.trimmed().text).collect();
    let expected: Vec<_> = expected.into_iter().filter(|text| !text.is_empty()).collect();
    for request in [FramingRequest::Auto, FramingRequest::Only(framing)] {
        let Some(text) = reject_file(&FOLDER.join("rejects"), &expected, framing, request) else { return };
        let outcome = read(&file(&text), request, 50);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let texts = outcome.documents.iter().map(|document| document.trimmed().text);
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }
}
