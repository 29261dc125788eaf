//! Sources that are read at the same time, each by a reader of its own.

use std::{fs::File, io::Read, path::Path, sync::Arc};

use super::{ChunkReader, Source, decompress::zstd_window_bytes};
use crate::settings::FramingRequest;

/// What a decoder may keep of its text while other sources are read: as much as zstd does below its levels `--ultra`.
const WINDOW_BYTES_MAX: u64 = 8 << 20;

/// Enough for a frame header of zstd.
const FRAME_HEADER_BYTES: u64 = 18;

/// Called before a reader takes much memory, for a line of some mebibytes.
pub(crate) type Patience = Arc<dyn Fn() + Send + Sync>;

/// Several files, of which at least two are compressed.
#[derive(Debug)]
pub(crate) struct SourcesApart {
    sources: Vec<Source>,
    framing: FramingRequest,
    chunk_bytes: usize,
    has_digests: bool,
    /// Stored bytes of those before each.
    stored_before: Vec<u64>,
}

impl SourcesApart {
    /// `None` where one of them is no file that can be opened anew.
    pub(super) fn of(
        sources: &[Source],
        framing: FramingRequest,
        chunk_bytes: usize,
        has_digests: bool,
    ) -> Option<Self> {
        let mut stored = 0;
        let mut stored_before = Vec::with_capacity(sources.len());
        for source in sources {
            let Source::File(_) = source else { return None };
            stored_before.push(stored);
            stored += source.stored_bytes()?;
        }
        Some(Self { sources: sources.to_vec(), framing, chunk_bytes, has_digests, stored_before })
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn stored_before(&self, source: usize) -> u64 {
        self.stored_before[source]
    }

    /// Whether a source is to be read only when those before it are, for the memory that it takes.
    pub(crate) fn takes_much_memory(&self, source: usize) -> bool {
        let Source::File(path) = &self.sources[source] else { return true };
        // The read that follows tells of errors.
        let head = head_of(path).unwrap_or_default();
        zstd_window_bytes(&head).is_some_and(|bytes| bytes > WINDOW_BYTES_MAX)
    }

    /// Reads a source from its beginning; it is the first and only one of its reader.
    pub(crate) fn open(&self, source: usize, patience: Patience) -> ChunkReader {
        let sources = vec![self.sources[source].clone()];
        let reader = ChunkReader::new(sources, self.framing, None, self.chunk_bytes).with_patience(patience);
        if self.has_digests { reader } else { reader.without_digests() }
    }
}

fn head_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(FRAME_HEADER_BYTES).read_to_end(&mut head)?;
    Ok(head)
}
