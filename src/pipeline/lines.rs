//! Where the lines or documents of a chunk stand, and their text.

use std::ops::Range;

use crate::{
    input::{Chunk, Origin, Span},
    report::SourceLocation,
};

/// The place of a document: in its own source, where that is not what is read.
pub(super) fn place(chunk: &Chunk, document: Span) -> SourceLocation {
    if let Some(Origin { source, line, byte_offset }) = chunk.origin(document) {
        return SourceLocation { source, line, byte_offset };
    }
    SourceLocation {
        source: chunk.source,
        line: chunk.first_line + document.lines_before(),
        byte_offset: chunk.byte_offset + to_u64(document.range().start),
    }
}

/// The document that begins at an offset of the chunk, of NDJSON all of its line, and its place.
pub(super) fn document_at(chunk: &Chunk, offset: u32) -> (Range<usize>, SourceLocation) {
    let start = usize::try_from(offset).expect("an offset in a chunk");
    let document = chunk.document_at(start);
    (document.range(), place(chunk, document))
}

/// So many bytes, which stay in a processor's cache until they are read again, are held against UTF-8 at once: it is quicker
/// than to begin anew with each document.
const TEXT_BYTES: usize = 32 << 10;

/// The text of one document of a chunk after another.
#[derive(Debug)]
pub(super) struct Texts<'c> {
    bytes: &'c [u8],
    /// What was looked at last, and its text, if it is UTF-8.
    part: Range<usize>,
    text: Option<&'c str>,
}

impl<'c> Texts<'c> {
    pub(super) fn of(chunk: &'c Chunk) -> Self {
        Self::of_bytes(&chunk.bytes)
    }

    fn of_bytes(bytes: &'c [u8]) -> Self {
        Self { bytes, part: 0..0, text: None }
    }

    /// The text of a place that is behind those that were asked for before; `None` where it may be no UTF-8.
    pub(super) fn get(&mut self, place: Range<usize>) -> Option<&'c str> {
        if self.part.end < place.end {
            self.look_at(&place);
        }
        self.text?.get(place.start - self.part.start..place.end - self.part.start)
    }

    fn look_at(&mut self, place: &Range<usize>) {
        let mut end = self.bytes.len().min(place.end.max(place.start + TEXT_BYTES));
        // Not in the middle of a character, if it is one.
        let is_inside = |end: usize| self.bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
        while place.end < end && is_inside(end) {
            end -= 1;
        }
        self.part = place.start..end;
        self.text = simdutf8::basic::from_utf8(&self.bytes[self.part.clone()]).ok();
    }
}

pub(super) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}

/// The same document with its line feeds as blanks, in strings as another character that JSON does not have there.
pub(super) fn as_one_line(bytes: &[u8]) -> Vec<u8> {
    let (mut is_in_text, mut is_escaped) = (false, false);
    let in_place_of = |&byte: &u8| {
        let is_quote = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_in_text ^= is_quote;
        match byte {
            b'\n' if is_in_text => 1,
            b'\n' => b' ',
            _ => byte,
        }
    };
    bytes.iter().map(in_place_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of lines that are asked for one after another, and of every second one.
    fn texts<'c>(lines: &[&'c [u8]], bytes: &'c [u8]) -> [Vec<Option<&'c str>>; 2] {
        let starts = lines.iter().scan(0, |start, line| {
            *start += line.len();
            Some(*start - line.len())
        });
        let places: Vec<_> = starts.zip(lines).map(|(start, line)| start..start + line.len()).collect();
        [1, 2].map(|step| {
            let mut texts = Texts::of_bytes(bytes);
            places.iter().step_by(step).map(|place| texts.get(place.clone())).collect()
        })
    }

    #[test]
    fn characters_may_stand_across_the_end_of_a_part() {
        for length in TEXT_BYTES - 12..TEXT_BYTES + 4 {
            let long = "x".repeat(length - 9);
            let lines = ["{\"a\":1}\n", &long, "\n", "é€😀é€😀\n", "b\n", "é\n"].map(str::as_bytes);
            let bytes = lines.concat();
            let [all, some] = texts(&lines, &bytes);
            assert_eq!(all, lines.map(|line| std::str::from_utf8(line).ok()), "{length}");
            assert_eq!(some, [all[0], all[2], all[4]], "{length}");
        }
    }

    #[test]
    fn what_is_no_utf_8_gives_no_text_and_others_none_that_is_wrong() {
        for bad in [&b"\xff\n"[..], b"\xc3\n", b"\xa9\xa9\xa9\xa9\xa9\n", b"\xf0\x9f\x98\n"] {
            for length in TEXT_BYTES - 12..TEXT_BYTES + 4 {
                let long = "x".repeat(length);
                let lines = [long.as_bytes(), "é\n".as_bytes(), bad, b"a\n", "€\n".as_bytes()];
                let bytes = lines.concat();
                let [all, _] = texts(&lines, &bytes);
                assert_eq!(all[2], None);
                for (text, line) in all.iter().zip(lines) {
                    assert!(text.is_none_or(|text| text.as_bytes() == line), "{length}");
                }
            }
        }
    }
}
