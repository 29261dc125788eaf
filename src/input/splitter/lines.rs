//! Counts the lines of a buffer, each byte once.

/// A place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::input) struct Place {
    /// 1-based.
    pub(in crate::input) line: u64,
    pub(in crate::input) byte_offset: u64,
}

/// Lines up to places that rise.
#[derive(Debug)]
pub(super) struct LineCounter {
    /// Where the buffer begins.
    start: Place,
    /// Counted up to here, in the buffer, and so many line ends.
    at: usize,
    lines: usize,
}

impl LineCounter {
    pub(super) fn new(start: Place) -> Self {
        Self { start, at: 0, lines: 0 }
    }

    pub(super) fn place(&mut self, bytes: &[u8], at: usize) -> Place {
        let lines = self.lines_before(bytes, at);
        Place { line: self.start.line + to_u64(lines), byte_offset: self.start.byte_offset + to_u64(at) }
    }

    /// How many lines end in the buffer before this byte.
    pub(super) fn lines_before(&mut self, bytes: &[u8], at: usize) -> usize {
        self.lines = match self.at {
            counted if counted <= at => self.lines + bytecount::count(&bytes[counted..at], b'\n'),
            _ => bytecount::count(&bytes[..at], b'\n'),
        };
        self.at = at;
        self.lines
    }

    /// Takes the first bytes from the buffer; says how many lines end in them.
    pub(super) fn cut(&mut self, bytes: &[u8], length: usize) -> usize {
        let counted = (self.at, self.lines);
        if self.at < length {
            self.lines_before(bytes, length);
        } else {
            self.lines -= bytecount::count(&bytes[length..self.at], b'\n');
        }
        let lines = self.lines;
        self.start.line += to_u64(lines);
        self.start.byte_offset += to_u64(length);
        (self.at, self.lines) = match counted {
            (at, lines_before) if at > length => (at - length, lines_before - lines),
            _ => (0, 0),
        };
        lines
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
