//! Text in units of two or four bytes, told by its byte order mark or by where its zero bytes stand.

use super::shape::{Fix, Shape};

/// So much is enough to see where the zero bytes stand.
const LOOKED_AT_BYTES: usize = 1024;

const CONVERT: &str = "convert it with";

struct Encoding {
    found: &'static str,
    mark: &'static [u8],
    /// With a mark, which iconv reads; and without one.
    commands: [&'static str; 2],
}

/// Those of four bytes first: the mark of one begins with that of another.
const ENCODINGS: [Encoding; 4] = [
    Encoding {
        found: "UTF-32",
        mark: b"\xff\xfe\0\0",
        commands: ["iconv -f UTF-32 -t UTF-8 FILE", "iconv -f UTF-32LE -t UTF-8 FILE"],
    },
    Encoding {
        found: "UTF-32",
        mark: b"\0\0\xfe\xff",
        commands: ["iconv -f UTF-32 -t UTF-8 FILE", "iconv -f UTF-32BE -t UTF-8 FILE"],
    },
    Encoding {
        found: "UTF-16",
        mark: b"\xff\xfe",
        commands: ["iconv -f UTF-16 -t UTF-8 FILE", "iconv -f UTF-16LE -t UTF-8 FILE"],
    },
    Encoding {
        found: "UTF-16",
        mark: b"\xfe\xff",
        commands: ["iconv -f UTF-16 -t UTF-8 FILE", "iconv -f UTF-16BE -t UTF-8 FILE"],
    },
];

/// Looks at a start in which no line is a document.
pub(super) fn wide_text(bytes: &[u8]) -> Option<Shape> {
    // A blank line may come before the text, if that was appended to it.
    let blanks = bytes.len() - bytes.trim_ascii_start().len();
    let shape = |encoding: &Encoding, told, command: usize, before| {
        let fix = Fix::Behind(CONVERT, encoding.commands[command], before);
        Shape { found: encoding.found, told, fix }
    };
    for before in [0, blanks] {
        let encoding = ENCODINGS.iter().find(|encoding| bytes[before..].starts_with(encoding.mark));
        if let Some(encoding) = encoding {
            return Some(shape(encoding, "its byte order mark says so", 0, before));
        }
    }
    // A zero byte behind it belongs to it.
    let before = if bytes.get(blanks) == Some(&0) { 0 } else { blanks };
    let index = by_zeros(&bytes[before..])?;
    Some(shape(&ENCODINGS[index], "zero bytes stand between its characters", 1, before))
}

/// Which of `ENCODINGS` has its zero bytes where `text` has them. Most characters of any JSON are ASCII.
fn by_zeros(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(LOOKED_AT_BYTES)];
    let zeros = |width: usize, place: usize| {
        let units = text.chunks_exact(width);
        let count = units.len();
        (units.filter(|unit| unit[place] == 0).count(), count)
    };
    let (all, few, most) = (
        |width, place| matches!(zeros(width, place), (zeros, count) if count > 0 && zeros == count),
        |width, place| matches!(zeros(width, place), (zeros, count) if 8 * zeros <= count),
        |width, place| matches!(zeros(width, place), (zeros, count) if count > 0 && 2 * zeros > count),
    );
    if all(4, 3) && most(4, 2) && most(4, 1) && few(4, 0) {
        Some(0)
    } else if all(4, 0) && most(4, 1) && most(4, 2) && few(4, 3) {
        Some(1)
    } else if most(2, 1) && few(2, 0) {
        Some(2)
    } else if most(2, 0) && few(2, 1) {
        Some(3)
    } else {
        None
    }
}
