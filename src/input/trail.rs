//! What the stream was up to where it has been handed out: digests, and whether it still is what an earlier
//! attempt at the same run had read.

use std::collections::VecDeque;

use super::{
    InputError,
    chunk::{Chunk, Position, SourceDigest, Watermark},
    sniff,
};

/// The part of the stream that was handed out.
pub(super) struct Trail {
    finished: Vec<SourceDigest>,
    /// Over the digests of the finished sources.
    earlier: blake3::Hasher,
    /// Over the source at hand.
    hasher: blake3::Hasher,
    /// How many of its bytes went into `hasher`.
    bytes: u64,
    cost_bytes: u64,
    /// What is still to come by, in order.
    expected: VecDeque<Watermark>,
}

impl Trail {
    pub(super) fn new() -> Self {
        Self {
            finished: Vec::new(),
            earlier: blake3::Hasher::new(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            cost_bytes: 0,
            expected: VecDeque::new(),
        }
    }

    pub(super) fn expect(&mut self, mut watermarks: Vec<Watermark>) {
        assert!(self.bytes == 0 || self.finished.is_empty(), "nothing of the stream was handed out yet");
        watermarks.sort_by_key(|watermark| watermark.position);
        self.expected = watermarks.into();
    }

    pub(super) fn is_verified(&self) -> bool {
        self.expected.is_empty()
    }

    pub(super) fn finished(&self) -> &[SourceDigest] {
        &self.finished
    }

    /// Takes a chunk in, and marks its end on it.
    pub(super) fn pass(&mut self, chunk: &mut Chunk, name: &str) -> Result<(), InputError> {
        self.skip_to(chunk.byte_offset);
        let mut rest = chunk.bytes.as_slice();
        let end = chunk.byte_offset + to_u64(rest.len());
        while let Some(expected) = self.expected.front()
            && expected.position.source == chunk.source
            && expected.position.byte_offset <= end
        {
            let ahead = expected.position.byte_offset.saturating_sub(self.bytes);
            let (before, after) = rest.split_at(usize::try_from(ahead).expect("it is in the chunk"));
            self.hasher.update(before);
            self.bytes += to_u64(before.len());
            rest = after;
            if self.digest() != expected.digest {
                return Err(changed(name, expected.position));
            }
            self.expected.pop_front();
        }
        self.hasher.update(rest);
        self.bytes = end;
        self.cost_bytes += to_u64(chunk.cost_bytes());
        let position = Position { source: chunk.source, byte_offset: end };
        chunk.end = Watermark { position, digest: self.digest(), cost_bytes: self.cost_bytes };
        Ok(())
    }

    /// Takes in that the source at hand has ended after so many bytes.
    pub(super) fn finish_source(&mut self, bytes: u64, name: &str) -> Result<(), InputError> {
        self.skip_to(bytes);
        let source = self.finished.len();
        if let Some(expected) = self.expected.front()
            && expected.position.source == source
        {
            return Err(changed(name, expected.position));
        }
        let digest = std::mem::take(&mut self.hasher).finalize();
        self.earlier.update(digest.as_bytes());
        self.finished.push(SourceDigest { bytes, digest: digest.to_hex().to_string() });
        self.bytes = 0;
        Ok(())
    }

    /// Takes in that there are no more sources.
    pub(super) fn finish(&self, name: &str) -> Result<(), InputError> {
        self.expected.front().map_or(Ok(()), |expected| Err(changed(name, expected.position)))
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

fn changed(name: &str, position: Position) -> InputError {
    InputError::Changed { name: name.to_owned(), byte_offset: position.byte_offset }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
