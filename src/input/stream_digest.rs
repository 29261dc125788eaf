//! The digest of the stream up to where it has been handed out, and whether it still is what an earlier attempt at the
//! same run had read.

use std::collections::VecDeque;

use super::{
    Change, InputError, LINE_BYTES_MAX, Section, Source,
    chunk::{Chunk, Piece, Position, SourceDigest, Watermark},
    sniff,
};
use crate::settings::Framing;

/// The first part of a long document ends where the splitter had looked last, so much before what was read.
const LOOK_AHEAD_BYTES: usize = 64;

/// The part of the stream that was handed out.
pub(super) struct StreamDigest {
    /// Whether digests are asked for that are not known already.
    is_wanted: bool,
    finished: Vec<SourceDigest>,
    /// Over the digests of the finished sources.
    earlier: blake3::Hasher,
    /// Over the source at hand.
    hasher: blake3::Hasher,
    /// How many of its bytes went into `hasher`.
    bytes: u64,
    cost_bytes: u64,
    /// Watermarks that have not been passed, in order.
    required: VecDeque<Watermark>,
}

impl StreamDigest {
    pub(super) fn new() -> Self {
        Self {
            is_wanted: true,
            finished: Vec::new(),
            earlier: blake3::Hasher::new(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            cost_bytes: 0,
            required: VecDeque::new(),
        }
    }

    /// For a stream that begins at this byte of its source.
    pub(super) fn begin_at(&mut self, byte_offset: u64) {
        self.bytes = byte_offset;
    }

    /// Digests are not asked for, or known already: it costs much of what checking documents takes to know them.
    pub(super) fn leave_out(&mut self) {
        assert!(self.required.is_empty(), "watermarks are held against digests");
        self.is_wanted = false;
        // Of sources that were empty.
        self.finished.iter_mut().for_each(|source| source.digest = None);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(super) fn require_watermarks(&mut self, mut watermarks: Vec<Watermark>) {
        assert!(self.is_wanted, "watermarks are held against digests");
        assert_eq!(self.cost_bytes, 0, "nothing of the stream was handed out yet");
        watermarks.sort_by_key(|watermark| watermark.position);
        self.required = watermarks.into();
    }

    pub(super) fn is_verified(&self) -> bool {
        self.required.is_empty()
    }

    pub(super) fn finished(&self) -> &[SourceDigest] {
        &self.finished
    }

    /// Takes a chunk in, and marks its end on it. Fails at the first place that is not what it was, or as soon
    /// as the places still expected can't agree any more: who waits for them never waits for more input than
    /// there was before them.
    pub(super) fn pass(&mut self, chunk: &mut Chunk, sources: &[Source]) -> Result<(), InputError> {
        if !self.is_wanted {
            return Ok(());
        }
        self.skip_to(chunk.byte_offset);
        let start = chunk.byte_offset;
        let end = start + to_u64(chunk.bytes.len());
        while let Some(required) = self.required.front()
            && required.position <= (Position { source: chunk.source, byte_offset: end })
        {
            let at = required.position;
            if at.source < chunk.source || at.byte_offset < self.bytes {
                return Err(self.changed(sources));
            }
            let within = |offset: u64| usize::try_from(offset - start).expect("it is in the chunk");
            self.hasher.update(&chunk.bytes[within(self.bytes)..within(at.byte_offset)]);
            self.bytes = at.byte_offset;
            if self.digest() != required.digest {
                return Err(self.changed(sources));
            }
            if !can_end_at(chunk, within(at.byte_offset)) {
                let (name, byte_offset) = (sources[at.source].name(), at.byte_offset);
                return Err(InputError::Changed { name, byte_offset, change: Change::GoesOn });
            }
            self.required.pop_front();
        }
        let unhashed = usize::try_from(self.bytes - start).expect("it is in the chunk");
        self.hasher.update(&chunk.bytes[unhashed..]);
        self.bytes = end;
        self.cost_bytes += to_u64(chunk.cost_bytes());
        if self.required.back().is_some_and(|last| last.cost_bytes < self.cost_bytes) {
            return Err(self.changed(sources));
        }
        let position = Position { source: chunk.source, byte_offset: end };
        chunk.end = Watermark { position, digest: self.digest(), cost_bytes: self.cost_bytes };
        Ok(())
    }

    /// Takes in that the source that comes next is read in another way than its first bytes ask for: what was read of it
    /// in one way is not what is read of it in another.
    pub(super) fn begin_overridden(&mut self, framing: Framing) {
        let mark: &[u8] = match framing {
            Framing::Ndjson => b"--framing ndjson",
            Framing::Json => b"--framing json",
        };
        self.earlier.update(mark);
    }

    /// Takes in that the source at hand has ended after so many bytes.
    pub(super) fn finish_source(&mut self, bytes: u64) {
        let digest = self.is_wanted.then(|| {
            self.skip_to(bytes);
            let digest = std::mem::take(&mut self.hasher).finalize();
            self.earlier.update(digest.as_bytes());
            digest.to_hex().to_string()
        });
        self.finished.push(SourceDigest { bytes, digest });
        self.bytes = 0;
    }

    /// Takes in that the section at hand has ended at this byte of its source.
    pub(super) fn finish_section(&mut self, end: u64, section: &Section) {
        self.finish_source(end);
        let finished = self.finished.last_mut().expect("it was just added");
        finished.bytes = end - section.range.start;
        finished.digest = section.known_digest().map(str::to_owned).or(finished.digest.take());
    }

    /// Takes in that there are no more sources.
    pub(super) fn finish(&self, sources: &[Source]) -> Result<(), InputError> {
        if self.required.is_empty() { Ok(()) } else { Err(self.changed(sources)) }
    }

    /// In which way the input is not what it was up to the first place that is still expected.
    fn changed(&self, sources: &[Source]) -> InputError {
        let at = self.required.front().expect("a position that does not agree is required").position;
        let name = |source: usize| sources.get(source).map(Source::name).unwrap_or_default();
        let (source, change) = match self.finished.get(at.source) {
            _ if at.source >= sources.len() => (sources.len().saturating_sub(1), Change::Missing),
            Some(ended) if ended.bytes < at.byte_offset => (at.source, Change::Shorter),
            _ if at.source == 0 => (0, Change::Differs),
            _ => (at.source, Change::DiffersOrAnEarlier),
        };
        InputError::Changed { name: name(source), byte_offset: at.byte_offset, change }
    }

    /// The byte order mark is in the stream, but in no chunk.
    fn skip_to(&mut self, byte_offset: u64) {
        if self.bytes < byte_offset {
            assert_eq!((self.bytes, byte_offset), (0, to_u64(sniff::BOM.len())), "chunks follow each other");
            self.hasher.update(sniff::BOM);
            self.bytes = byte_offset;
        }
    }

    fn digest(&self) -> String {
        let mut digest = self.earlier.clone();
        digest.update(self.hasher.finalize().as_bytes());
        digest.finalize().to_hex().to_string()
    }
}

/// Whether an earlier attempt can have had a chunk that ended there. Anywhere else a document that was whole goes on now.
fn can_end_at(chunk: &Chunk, at: usize) -> bool {
    let is_long = |bytes: u64| bytes > to_u64(LINE_BYTES_MAX - LOOK_AHEAD_BYTES);
    match (chunk.framing, chunk.piece) {
        (Framing::Ndjson, _) => can_end_line_at(chunk, at),
        (Framing::Json, Piece::Whole) => chunk.documents.iter().all(|document| {
            let inside = document.range();
            at <= inside.start || inside.end <= at || is_long(to_u64(at - inside.start))
        }),
        (Framing::Json, Piece::Long { starts_at, .. }) => {
            let document_bytes = chunk.byte_offset - starts_at + to_u64(at);
            at == chunk.bytes.len() || document_bytes == 0 || is_long(document_bytes)
        }
    }
}

/// Behind a line end, or behind a last line that lacked its end and has got it since, or inside a line above the limit.
fn can_end_line_at(chunk: &Chunk, at: usize) -> bool {
    let (head, tail) = chunk.bytes.split_at(at);
    let line_bytes = match (memchr::memrchr(b'\n', head), chunk.piece) {
        (Some(end), _) => to_u64(head.len() - end - 1),
        (None, Piece::Whole) => to_u64(head.len()),
        (None, Piece::Long { starts_at, .. }) => chunk.byte_offset - starts_at + to_u64(head.len()),
    };
    let has_ended =
        line_bytes == 0 || tail.is_empty() || tail.starts_with(b"\n") || tail.starts_with(b"\r\n");
    // Of a line above the limit it may have been a part, or all that there was of it: it is too long either way.
    let limit = to_u64(LINE_BYTES_MAX) + u64::from(head.ends_with(b"\r"));
    has_ended || line_bytes > limit
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
