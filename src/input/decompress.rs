//! Unwraps gzip (every member) and zstd (every frame), recognised by their first bytes, never by name.
//!
//! The tricky thing is the position of a fault: what is counted are the stored bytes that the decoder has
//! consumed, not those that happen to be buffered.

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use flate2::bufread::GzDecoder;

use crate::bound::bound;

const STORED_BUFFER_BYTES: usize = bound(256 * 1024, 64);
const MAGIC_BYTES_MAX: usize = 6;

/// 32 MiB, as `zstd --ultra -20` makes them: the decoder keeps so much of what it has decompressed.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// Parts of what zstd says (`ZSTD_getErrorName`).
const ZSTD_WINDOW_TOO_LARGE: &str = "too much memory";
const ZSTD_DICTIONARY: &str = "Dictionary mismatch";
const ZSTD_NO_FRAME: &str = "Unknown frame descriptor";

/// A source's decompressed stream, with what is needed to explain a fault in it.
pub(super) struct Decompressed {
    stream: Box<dyn Read + Send>,
    pub(super) form: &'static str,
    consumed: Arc<AtomicU64>,
    stored_read_failed: Arc<AtomicBool>,
    /// How much text the members before this one have; of zstd, whose frames are not told apart, nothing.
    text_before_member: Arc<AtomicU64>,
}

/// Where in the stored bytes a read failed, and why.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) byte_offset: u64,
    pub(super) kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The stored bytes can't be read.
    Unreadable,
    /// They end too early.
    BrokenOff,
    /// They are not what was compressed: what was read of this member may be something else, too.
    Damaged,
    /// All that came before is sound.
    Trailing,
    /// Compressed with a window that this program does not make room for.
    Window,
    /// Compressed with a dictionary.
    Dictionary,
}

/// What follows the last member of a gzip file is none.
#[derive(Debug, thiserror::Error)]
#[error("what follows the last member is no gzip member")]
struct Trailing;

impl Decompressed {
    /// The form of what is not compressed.
    pub(super) const PLAIN: &str = "plain";

    /// Wraps `stored`; `consumed` counts its bytes as they are used, for progress.
    pub(super) fn new(mut stored: Box<dyn Read + Send>, consumed: Arc<AtomicU64>) -> io::Result<Self> {
        consumed.store(0, Ordering::Relaxed);
        let magic = read_magic(&mut stored)?;
        let stored_read_failed = Arc::new(AtomicBool::new(false));
        let watched = Watched { inner: stored, failed: Arc::clone(&stored_read_failed) };
        let rest = Cursor::new(magic.clone()).chain(watched);
        let counted = Counted {
            inner: BufReader::with_capacity(STORED_BUFFER_BYTES, rest),
            consumed: Arc::clone(&consumed),
        };
        let text_before_member = Arc::new(AtomicU64::new(0));
        let (form, stream): (_, Box<dyn Read + Send>) = match Form::of(&magic) {
            Form::Plain => (Self::PLAIN, Box::new(counted)),
            Form::Gzip => ("gzip", Box::new(Members::new(counted, Arc::clone(&text_before_member)))),
            Form::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(counted)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                ("zstd", Box::new(decoder))
            }
        };
        Ok(Self { stream, form, consumed, stored_read_failed, text_before_member })
    }

    /// Takes `stored` as it is, whatever it begins with.
    pub(super) fn plain(stored: Box<dyn Read + Send>, consumed: Arc<AtomicU64>) -> Self {
        consumed.store(0, Ordering::Relaxed);
        let stored_read_failed = Arc::new(AtomicBool::new(false));
        let inner = BufReader::with_capacity(STORED_BUFFER_BYTES, stored);
        let stream = Box::new(Counted { inner, consumed: Arc::clone(&consumed) });
        let text_before_member = Arc::new(AtomicU64::new(0));
        Self { stream, form: Self::PLAIN, consumed, stored_read_failed, text_before_member }
    }

    /// Whether what begins like this is unwrapped.
    pub(super) fn is_compressed(head: &[u8]) -> bool {
        Form::of(head) != Form::Plain
    }

    /// Where in the text the member began that is read now.
    pub(super) fn text_before_member(&self) -> u64 {
        self.text_before_member.load(Ordering::Relaxed)
    }

    pub(super) fn fault(&self, error: &io::Error) -> Fault {
        Fault { byte_offset: self.consumed.load(Ordering::Relaxed), kind: self.kind_of(error) }
    }

    fn kind_of(&self, error: &io::Error) -> FaultKind {
        let words = error.to_string();
        let says = |words_of_zstd: &str| self.form == "zstd" && words.contains(words_of_zstd);
        if self.form == Self::PLAIN || self.stored_read_failed.load(Ordering::Relaxed) {
            FaultKind::Unreadable
        } else if error.kind() == ErrorKind::UnexpectedEof {
            FaultKind::BrokenOff
        } else if error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Trailing>)
            || says(ZSTD_NO_FRAME)
        {
            FaultKind::Trailing
        } else if says(ZSTD_WINDOW_TOO_LARGE) {
            FaultKind::Window
        } else if says(ZSTD_DICTIONARY) {
            FaultKind::Dictionary
        } else {
            FaultKind::Damaged
        }
    }
}

impl Read for Decompressed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

/// How much of its text the decoder of a zstd stream that begins like this keeps (RFC 8878, section 3.1.1.1); nothing where it
/// begins like none. What stands behind a skippable frame may be anything.
pub(super) fn zstd_window_bytes(head: &[u8]) -> Option<u64> {
    if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return Some(u64::MAX);
    }
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = head else { return None };
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = *rest.first()?;
        let base = 1 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // All of the text.
    let dictionary_id_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = rest.get(dictionary_id_bytes..)?;
    match descriptor >> 6 {
        0 => size.first().map(|&bytes| u64::from(bytes)),
        1 => size.first_chunk().map(|&bytes| 256 + u64::from(u16::from_le_bytes(bytes))),
        2 => size.first_chunk().map(|&bytes| u64::from(u32::from_le_bytes(bytes))),
        _ => size.first_chunk().map(|&bytes| u64::from_le_bytes(bytes)),
    }
}

#[derive(PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

impl Form {
    /// RFC 1952 section 2.3.1 and RFC 8878 sections 3.1.1 and 3.1.2 (skippable frames).
    fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// The first bytes of the stream; a pipe may give them one by one.
fn read_magic(stored: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES_MAX);
    stored.take(MAGIC_BYTES_MAX as u64).read_to_end(&mut magic)?;
    Ok(magic)
}

/// All members of a gzip file (RFC 1952 section 2.2), and the zero bytes that tar and tapes fill a block with.
struct Members<R> {
    /// `None` after the last member.
    member: Option<GzDecoder<R>>,
    text: u64,
    text_before_member: Arc<AtomicU64>,
}

impl<R: BufRead> Members<R> {
    fn new(stored: R, text_before_member: Arc<AtomicU64>) -> Self {
        Self { member: Some(GzDecoder::new(stored)), text: 0, text_before_member }
    }

    /// What follows a member that has ended.
    fn next_member(mut stored: R) -> io::Result<Option<GzDecoder<R>>> {
        let mut is_padding = false;
        loop {
            let bytes = stored.fill_buf()?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            match bytes.get(zeros) {
                None if bytes.is_empty() => return Ok(None),
                None => is_padding = true,
                Some(0x1f) if !is_padding && zeros == 0 => return Ok(Some(GzDecoder::new(stored))),
                Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, Trailing)),
            }
            stored.consume(zeros);
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.text += count as u64;
                return Ok(count);
            }
            self.text_before_member.store(self.text, Ordering::Relaxed);
            if let Some(ended) = self.member.take() {
                self.member = Self::next_member(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

/// Counts what is consumed, not what is buffered.
struct Counted<R> {
    inner: R,
    consumed: Arc<AtomicU64>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        self.inner.consume(count);
    }
}

/// Remembers that the stored bytes themselves could not be read, which decoders report as their own error.
struct Watched {
    inner: Box<dyn Read + Send>,
    failed: Arc<AtomicBool>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted {
                self.failed.store(true, Ordering::Relaxed);
            }
        })
    }
}

#[cfg(test)]
#[path = "decompress_tests.rs"]
mod tests;
