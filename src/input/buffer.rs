//! A chunk's bytes while they are being read.
//!
//! Reading needs memory that holds something already, and to clear a mebibyte for each chunk costs as much as
//! to search it. So the bytes of the chunk that had the memory before are left in it until they are read over.

use std::io::{self, ErrorKind, Read};

use super::chunk::LINE_BYTES_MAX;
use crate::{bound::bound, document::LONG_ROOM_BYTES};

/// What grows beyond this gets room for the longest line at once: what is moved from piece to piece of memory leaves holes,
/// which together may be several times as large. Room that nothing was written to takes no memory.
pub(super) const LONG_BYTES: usize = bound(3 << 20, 500);
const WHOLE_BYTES: usize = bound(LONG_ROOM_BYTES, LINE_BYTES_MAX + LONG_BYTES);

/// Bytes that are filled from the front.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// How many of them are filled.
    length: usize,
}

impl Buffer {
    /// An empty one in the memory of `bytes`.
    pub(super) fn reusing(bytes: Vec<u8>) -> Self {
        Self { bytes, length: 0 }
    }

    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.grow(end);
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }

    /// Takes the first bytes away.
    pub(super) fn remove_front(&mut self, count: usize) {
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }

    /// Reads until `target` bytes are filled or the stream ends; says whether it has. What was read before an
    /// error stays.
    pub(super) fn fill(&mut self, stream: &mut impl Read, target: usize) -> io::Result<bool> {
        self.grow(target);
        while self.length < target {
            match stream.read(&mut self.bytes[self.length..target]) {
                Ok(0) => return Ok(true),
                Ok(count) => self.length += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The first `length` of the bytes that are filled.
    pub(super) fn into_bytes(self, length: usize) -> Vec<u8> {
        assert!(length <= self.length, "only what is filled is handed out");
        let mut bytes = self.bytes;
        bytes.truncate(length);
        bytes
    }

    /// The same, with the memory back where little of it is filled: a chunk holds about as much as its text is long.
    pub(super) fn into_bytes_and_spare(self, length: usize) -> (Vec<u8>, Option<Vec<u8>>) {
        const SLACK_MAX: usize = 4;
        if self.bytes.capacity() <= SLACK_MAX * length {
            return (self.into_bytes(length), None);
        }
        (self.filled()[..length].to_vec(), Some(self.bytes))
    }

    fn grow(&mut self, length: usize) {
        if let Some(missing) = length.checked_sub(self.bytes.len()) {
            let whole = if length > LONG_BYTES { WHOLE_BYTES.saturating_sub(self.bytes.len()) } else { 0 };
            self.bytes.reserve_exact(missing.max(whole));
            self.bytes.resize(length, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives a few bytes a time, and an error where there is `None`.
    struct Pieces(VecDeque<Option<&'static [u8]>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                None => Ok(0),
                Some(None) => Err(ErrorKind::BrokenPipe.into()),
                Some(Some(bytes)) => {
                    let (now, later) = bytes.split_at(bytes.len().min(into.len()));
                    into[..now.len()].copy_from_slice(now);
                    if !later.is_empty() {
                        self.0.push_front(Some(later));
                    }
                    Ok(now.len())
                }
            }
        }
    }

    #[test]
    fn nothing_of_earlier_bytes_shows() {
        let mut stream = Pieces([Some(&b"abc"[..]), Some(b"defg"), None, Some(b"h")].into());
        let mut buffer = Buffer::reusing(b"earlier bytes".to_vec());
        assert_eq!(buffer.filled(), b"");
        buffer.push(b"01");
        assert!(!buffer.fill(&mut stream, 4).unwrap());
        assert_eq!(buffer.filled(), b"01ab");
        assert!(!buffer.fill(&mut stream, 3).unwrap(), "it holds more already");
        buffer.remove_front(1);
        assert!(buffer.fill(&mut stream, 20).is_err());
        assert_eq!(buffer.filled(), b"1abcdefg");
        assert!(buffer.fill(&mut stream, 20).unwrap());
        assert_eq!(buffer.filled(), b"1abcdefgh");
        assert_eq!(buffer.into_bytes(3), b"1ab");
    }

    #[test]
    fn a_short_chunk_takes_little_memory() {
        let buffer = |length| {
            let mut buffer = Buffer::reusing(vec![0; 1000]);
            buffer.push(&vec![1; length]);
            buffer
        };
        let (bytes, spare) = buffer(100).into_bytes_and_spare(90);
        assert!(bytes == [1; 90] && bytes.capacity() < 200);
        assert_eq!(spare.map(|spare| spare.capacity()), Some(1000));
        let (bytes, spare) = buffer(400).into_bytes_and_spare(300);
        assert!(bytes == [1; 300] && spare.is_none());
    }
}
