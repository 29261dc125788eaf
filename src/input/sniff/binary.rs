//! Files that are no text: archives, compressed streams and databases, told by their first bytes.

use std::{
    io::{ErrorKind, Read as _},
    path::Path,
};

use super::shape::{Fix, PIPE_IN, Shape};

/// A tar archive begins with a header of this size.
const TAR_HEADER_BYTES: usize = 512;
/// Where the header says how tar writes it, and where its checksum stands.
const TAR_MAGIC_AT: usize = 257;
const TAR_CHECKSUM: std::ops::Range<usize> = 148..156;

/// What is unwrapped is a stream that could be unwrapped, too.
const TWICE: &str = "compressed twice";
/// Fewer zero bytes may be a fault of one line.
const HOLE_BYTES_MIN: usize = 512;
/// So much of a stream is inflated to see that it is one.
const INFLATED_BYTES: u64 = 4096;

const NO_DATA: Fix = Fix::Words("check the name of the input, there are no documents in it");
const EXPORT: Fix = Fix::Words("export it as one JSON object a line");

#[rustfmt::skip]
const MAGIC: &[(&[u8], &str, Fix)] = &[
    (b"PK\x03\x04", "a ZIP archive", Fix::FileCommand(PIPE_IN, "unzip -p FILE | profile-loader … -")),
    (b"PK\x05\x06", "an empty ZIP archive", Fix::Words("check where it was made, it holds no file")),
    (b"\xfd7zXZ\0", "an xz stream", Fix::Command(PIPE_IN, "xz -dc FILE | profile-loader … -")),
    (b"\x04\x22\x4d\x18", "an lz4 stream", Fix::Command(PIPE_IN, "lz4 -dc FILE | profile-loader … -")),
    (b"\x02\x21\x4c\x18", "an lz4 stream", Fix::Command(PIPE_IN, "lz4 -dc FILE | profile-loader … -")),
    (b"LZIP\x01", "an lzip stream", Fix::Command(PIPE_IN, "lzip -dc FILE | profile-loader … -")),
    (b"\x89LZO\0\r\n\x1a\n", "an lzop stream", Fix::Command(PIPE_IN, "lzop -dc FILE | profile-loader … -")),
    (b"\xff\x06\0\0sNaPpY", "a snappy stream", Fix::Command(PIPE_IN, "snzip -dc FILE | profile-loader … -")),
    (b"\x1f\x9d", "a stream of compress", Fix::Command(PIPE_IN, "gzip -dc FILE | profile-loader … -")),
    (b"\x5d\0\0", "an lzma stream", Fix::Command(PIPE_IN, "xz --format=lzma -dc FILE | profile-loader … -")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", Fix::FileCommand(PIPE_IN, "7z x -so FILE | profile-loader … -")),
    (b"Rar!\x1a\x07", "a RAR archive", Fix::FileCommand(PIPE_IN, "unrar p -inul FILE | profile-loader … -")),
    (b"\x1f\x8b", TWICE, Fix::Command(PIPE_IN, "gunzip -c FILE | profile-loader … -")),
    (b"\x28\xb5\x2f\xfd", TWICE, Fix::Command(PIPE_IN, "zstd -dc FILE | profile-loader … -")),
    (b"Obj\x01", "an Avro file", Fix::FileCommand(PIPE_IN, "avro-tools tojson FILE | profile-loader … -")),
    (b"ARROW1\0\0", "an Arrow file", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", Fix::Words("export its rows as one JSON object a line, with json_object()")),
    (b"PGCOPY\n\xff\r\n\0", "the binary format of COPY", Fix::Words("export the rows as one JSON object a line, with row_to_json()")),
    (b"\x7fELF", "a program", NO_DATA),
    (b"\xcf\xfa\xed\xfe", "a program", NO_DATA),
    (b"\xca\xfe\xba\xbe", "a program", NO_DATA),
    (b"\0asm", "a program", NO_DATA),
    (b"\x89PNG\r\n\x1a\n", "a picture", NO_DATA),
    (b"\xff\xd8\xff", "a picture", NO_DATA),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", EXPORT),
];

/// Magic of so few and ordinary letters that text may begin with it.
#[rustfmt::skip]
const MAGIC_LIKE_TEXT: &[(&[u8], &str, Fix)] = &[
    (b"BZh", "a bzip2 stream", Fix::Command(PIPE_IN, "bzip2 -dc FILE | profile-loader … -")),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"ORC", "an ORC file", EXPORT),
    (b"PGDMP", "a dump of pg_dump in its custom format", Fix::Words("restore it with pg_restore, then export its rows as one JSON object a line, with row_to_json()")),
    (b"MZ", "a program", NO_DATA),
    (b"GIF8", "a picture", NO_DATA),
];

/// How all versions of PDF begin; many hold bytes that no text has, and some do not.
const PDF: &[u8] = b"%PDF-";

/// Looks at the decompressed start of a source, whatever its lines are.
pub(super) fn binary(head: &[u8]) -> Option<Shape> {
    let told = "its first bytes say so";
    let magic = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, found, fix)) = magic {
        return Some(Shape { found, told, fix: fix.clone() });
    }
    let magic = MAGIC_LIKE_TEXT.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, found, fix)) = magic.filter(|_| !is_text(head) || is_bzip2(head)) {
        return Some(Shape { found, told, fix: fix.clone() });
    }
    if is_bson(head) {
        let fix = Fix::Command(PIPE_IN, "bsondump FILE | profile-loader … -");
        return Some(Shape { found: "a BSON dump", told, fix });
    }
    let told_by_header = "its first 512 bytes are a header of tar";
    is_tar(head).then_some(Shape { found: "a tar archive", told: told_by_header, fix: Fix::Tar })
}

/// RFC 1950 has no magic but a check of two bytes, so that it has to inflate as well.
pub(super) fn zlib(head: &[u8]) -> Option<Shape> {
    let &[method, flags, _, ..] = head else { return None };
    let is_header = method & 0x8f == 0x08 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0;
    let inflates = || {
        let mut text = Vec::new();
        let mut decoder = flate2::read::ZlibDecoder::new(head).take(INFLATED_BYTES);
        let is_whole = match decoder.read_to_end(&mut text) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::UnexpectedEof,
        };
        is_whole && !text.is_empty()
    };
    (is_header && inflates()).then_some(Shape {
        found: "a zlib stream",
        told: "its header says so, and it inflates",
        fix: Fix::Command(PIPE_IN, "pigz -dc < FILE | profile-loader … -"),
    })
}

/// RFC 7932 has no magic, so that it is told by the name, and by bytes that no text has.
pub(super) fn brotli(head: &[u8], name: &str) -> Option<Shape> {
    let has_name = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("br"));
    (has_name && !is_text(head)).then_some(Shape {
        found: "a brotli stream",
        told: "its name ends so, and it is no text",
        fix: Fix::Command(PIPE_IN, "brotli -dc FILE | profile-loader … -"),
    })
}

/// Looks at a start in which no line is a document: those that look like text in part, and bytes that no text has.
pub(super) fn unknown(head: &[u8]) -> Option<Shape> {
    if head.starts_with(PDF) {
        return Some(Shape {
            found: "a PDF file",
            told: "its first bytes say so",
            fix: Fix::Words(
                "it shows data and holds none that can be loaded; ask for the data themselves, one JSON object a line",
            ),
        });
    }
    let zeros = memchr::memchr_iter(0, head).count();
    if zeros >= HOLE_BYTES_MIN && zeros == head.len() {
        return Some(Shape {
            found: "a hole",
            told: "it begins with zero bytes and nothing else, as a file does that was made longer and not written",
            fix: Fix::Command(
                "what was to stand there is missing, so bring a sound copy, or take the zero bytes out with",
                r"tr -d '\000' < FILE",
            ),
        });
    }
    let strange = head.iter().filter(|&&byte| byte != 0 && is_control(byte)).count();
    let is_text = zeros == 0 && std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true);
    (!is_text && strange * 20 > head.len() - zeros).then_some(Shape {
        found: "binary data",
        told: "it holds bytes that no text has; perhaps it is compressed or encrypted",
        fix: Fix::Words("decompress or decrypt it into a pipe and name - as the input"),
    })
}

/// The size of its blocks, and the magic of the first.
fn is_bzip2(head: &[u8]) -> bool {
    head.starts_with(b"BZh") && head.get(4..).is_some_and(|block| block.starts_with(b"1AY&SY"))
}

fn is_text(head: &[u8]) -> bool {
    !head.iter().copied().any(is_control)
        && std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x1e)
}

fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..TAR_HEADER_BYTES) else { return false };
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if TAR_CHECKSUM.contains(&at) { b' ' } else { byte }))
        .sum();
    let written = header[TAR_CHECKSUM].iter().filter(|byte| byte.is_ascii_digit());
    let written = written.fold(0_u32, |sum, digit| sum.wrapping_mul(8).wrapping_add(u32::from(digit - b'0')));
    header.contains(&0) && (header[TAR_MAGIC_AT..].starts_with(b"ustar") || written == sum)
}

/// A length, and the type of an object id for the key `_id` of a document.
fn is_bson(head: &[u8]) -> bool {
    head.get(3) == Some(&0) && head.get(4..9).is_some_and(|key| key[0] < 0x14 && key[1..] == *b"_id\0")
}
