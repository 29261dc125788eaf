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
        self.lines = match self.at {
            counted if counted <= at => self.lines + line_ends(&bytes[counted..at]),
            _ => line_ends(&bytes[..at]),
        };
        self.at = at;
        Place { line: self.start.line + to_u64(self.lines), byte_offset: self.start.byte_offset + to_u64(at) }
    }

    /// Takes the first bytes from the buffer; says how many lines end in them.
    pub(super) fn cut(&mut self, bytes: &[u8], length: usize) -> usize {
        let counted = (self.at, self.lines);
        if self.at < length {
            self.place(bytes, length);
        } else {
            self.lines -= line_ends(&bytes[length..self.at]);
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

fn line_ends(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
