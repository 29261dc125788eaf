//! Replays against recorded watermarks: the same input under another cut, and inputs that were changed.

use std::io::Write;

use proptest::prelude::*;

use super::{Change, Chunk, ChunkReader, InputError, LINE_BYTES_MAX, Position, Source, Watermark};
use crate::settings::FramingRequest;

/// Temporary files with these contents, and the sources that name them.
fn sources(contents: &[&[u8]]) -> (Vec<tempfile::NamedTempFile>, Vec<Source>) {
    let file = |bytes: &&[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    };
    let files: Vec<_> = contents.iter().map(file).collect();
    let sources = files.iter().map(|file| Source::File(file.path().to_owned())).collect();
    (files, sources)
}

/// The chunks up to an error, if there is one; with each, whether all that is expected has come by.
fn replay(
    contents: &[&[u8]],
    chunk_bytes: usize,
    expected: &[Watermark],
) -> (Vec<(Chunk, bool)>, Option<InputError>) {
    let (_files, sources) = sources(contents);
    let mut reader = ChunkReader::open(sources, FramingRequest::Auto, chunk_bytes).unwrap();
    reader.require_watermarks(expected.to_vec());
    let mut chunks = Vec::new();
    loop {
        match reader.next_chunk(Vec::new()) {
            Ok(Some(chunk)) => chunks.push((chunk, reader.is_verified())),
            Ok(None) => return (chunks, None),
            Err(error) => return (chunks, Some(error)),
        }
    }
}

/// The watermarks of all chunk ends.
fn watermarks(contents: &[&[u8]], chunk_bytes: usize) -> Vec<Watermark> {
    let (chunks, error) = replay(contents, chunk_bytes, &[]);
    assert!(error.is_none() && chunks.iter().all(|(_, is_verified)| *is_verified));
    chunks.into_iter().map(|(chunk, _)| chunk.end).collect()
}

/// What the watermark of a position has to be, worked out from the whole input.
fn independent(contents: &[&[u8]], position: Position) -> Watermark {
    let head = &contents[position.source][..usize::try_from(position.byte_offset).unwrap()];
    let (mut digests, mut cost_bytes) = (Vec::new(), 0);
    for bytes in contents[..position.source].iter().copied().chain([head]) {
        digests.extend_from_slice(blake3::hash(bytes).as_bytes());
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        cost_bytes += text.len() + 256 * memchr::memchr_iter(b'\n', text).count();
    }
    let digest = blake3::hash(&digests).to_hex().to_string();
    Watermark { position, digest, cost_bytes: cost_bytes as u64 }
}

/// A replay must end with this change at this byte, before a chunk that reaches over it. The order in which the
/// watermarks are told does not matter, nor how often.
fn check(contents: &[&[u8]], expected: &[Watermark], change: Change, at: u64) {
    let mut expected = [expected, expected].concat();
    expected.reverse();
    let first_wrong = expected.iter().map(|watermark| watermark.position).max().unwrap();
    for chunk_bytes in [1, 7, 1 << 20] {
        let (chunks, error) = replay(contents, chunk_bytes, &expected);
        match error {
            Some(InputError::Changed { byte_offset, change: found, .. }) => {
                assert_eq!((found, byte_offset), (change, at));
            }
            other => panic!("{other:?}"),
        }
        assert!(chunks.iter().all(|(chunk, is_verified)| !is_verified && chunk.end.position < first_wrong));
    }
}

proptest! {
    #[test]
    fn watermarks_do_not_depend_on_the_cut(
        texts in proptest::collection::vec("(\u{feff})?(\\{[a-z]{1,9}\n|\n){0,9}(\\{[a-z]{1,9})?", 1..4),
        first_bytes in 1_usize..40,
        second_bytes in 1_usize..40,
    ) {
        let contents: Vec<_> = texts.iter().map(String::as_bytes).collect();
        let recorded = watermarks(&contents, first_bytes);
        for watermark in &recorded {
            prop_assert_eq!(watermark, &independent(&contents, watermark.position));
        }
        let (chunks, error) = replay(&contents, second_bytes, &recorded);
        prop_assert!(error.is_none(), "{:?}", error);
        if let (Some(last), Some(chunk)) = (recorded.last(), chunks.last()) {
            prop_assert_eq!(last, &chunk.0.end);
            for (chunk, is_verified) in &chunks {
                prop_assert_eq!(*is_verified, last.position <= chunk.end.position);
            }
        }
    }

    #[test]
    fn any_changed_byte_is_found(
        lines in proptest::collection::vec("\\{[a-z]{0,9}\n", 2..9),
        at: prop::sample::Index,
        chunk_bytes in 1_usize..40,
    ) {
        let mut text = lines.concat().into_bytes();
        let recorded = watermarks(&[b"{}\n", &text], 12);
        let at = at.index(text.len());
        text[at] ^= 1;
        let (chunks, error) = replay(&[b"{}\n", &text], chunk_bytes, &recorded);
        let found = match error {
            Some(InputError::Changed { byte_offset, change: Change::DiffersOrAnEarlier, .. }) => byte_offset,
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let at = at as u64;
        prop_assert!(found > at, "the first watermark behind the change tells of it");
        let before = recorded.iter().filter(|watermark| watermark.position.source == 1);
        prop_assert!(before.map(|watermark| watermark.position.byte_offset).all(|offset| offset <= at || offset >= found));
        prop_assert!(chunks.iter().all(|(chunk, _)| chunk.source == 0 || chunk.end.position.byte_offset < found));
    }
}

#[test]
fn what_comes_after_the_last_watermark_may_be_new() {
    let recorded = watermarks(&[b"{}\n{}\n"], 3);
    for grown in [&b"{}\n{}\n"[..], b"{}\n{}\n{}", b"{}\n{}\n\n{}\n"] {
        assert!(replay(&[grown], 4, &recorded).1.is_none());
        assert!(replay(&[grown, b"{}"], 4, &recorded).1.is_none());
    }
    check(&[b"{}\n"], &recorded, Change::Shorter, 6);
    check(&[b"{}\n", b"{}\n"], &recorded, Change::Shorter, 6);
    check(&[b"", b"{}\n"], &recorded[..1], Change::Shorter, 3);
    check(&[b"{} \n{}"], &recorded[..1], Change::Differs, 3);
    let unended = watermarks(&[b"{}", b"{}"], 3);
    check(&[b"{}x", b"{}"], &unended, Change::GoesOn, 2);
    check(&[b""], &recorded, Change::Shorter, 3);
}

#[test]
fn sources_count_by_their_order() {
    let recorded = watermarks(&[b"{}\n", b"", b"{1}\n"], 8);
    assert_eq!(recorded.len(), 2);
    check(&[b"{}\n"], &recorded, Change::Missing, 4);
    check(&[b"{}\n", b"{1}\n", b""], &recorded, Change::Shorter, 4);
    check(&[b"{}\n\n", b"", b"{1}\n"], &recorded[1..], Change::DiffersOrAnEarlier, 4);
    check(&[b"\xef\xbb\xbf{}\n", b"", b"{1}\n"], &recorded[1..], Change::DiffersOrAnEarlier, 4);
    assert!(replay(&[b"{}\n", b"", b"{1}\n", b"{}"], 8, &recorded).1.is_none());
}

/// A last line without its end was a document; it still is one when the end has come, and none if it goes on.
#[test]
fn an_unterminated_line_may_be_ended_but_not_continued() {
    let recorded = watermarks(&[b"{}\n{1}"], 8);
    assert_eq!(recorded.iter().map(|watermark| watermark.position.byte_offset).collect::<Vec<_>>(), [3, 6]);
    for grown in [&b"{}\n{1}\n"[..], b"{}\n{1}\r\n{}", b"{}\n{1}\n\n"] {
        assert!(replay(&[grown], 1, &recorded).1.is_none());
        assert!(replay(&[grown], 80, &recorded).1.is_none());
    }
    check(&[b"{}\n{1}{2}\n"], &recorded, Change::GoesOn, 6);
    check(&[b"{}\n{1} \n"], &recorded, Change::GoesOn, 6);
    let long = ["{}\n{1}", &"x".repeat(LINE_BYTES_MAX + 9)].concat();
    let (chunks, error) = replay(&[long.as_bytes()], 1 << 20, &recorded);
    assert!(
        chunks.len() == 1 && matches!(error, Some(InputError::Changed { byte_offset: 6, .. })),
        "{error:?}"
    );
}

/// It was too long before, and what follows it was not read yet.
#[test]
fn an_unterminated_line_above_the_limit_may_be_continued() {
    for more in [1, 2, 3, 1 << 20, (3 << 20) + 5] {
        let text = ["{}\n", &"x".repeat(LINE_BYTES_MAX + more)].concat();
        let recorded = watermarks(&[text.as_bytes()], 1 << 20);
        for behind in ["\n", "\r\n{}", "x", "x\n{}\n", "\n{}\n"] {
            let grown = [&text, behind].concat();
            for chunk_bytes in [1 << 20, 3 << 20] {
                let (_, error) = replay(&[grown.as_bytes()], chunk_bytes, &recorded);
                assert!(error.is_none(), "{more} {behind:?}: {error:?}");
            }
        }
    }
    // Its carriage return is no part of it, so this one is not too long, until it goes on.
    let text = ["{}\n", &"x".repeat(LINE_BYTES_MAX), "\r"].concat();
    let recorded = watermarks(&[text.as_bytes()], 1 << 20);
    assert!(replay(&[[&text, "\n{}"].concat().as_bytes()], 1 << 20, &recorded).1.is_none());
    let (_, error) = replay(&[[&text, "x\n"].concat().as_bytes()], 1 << 20, &recorded);
    assert!(matches!(error, Some(InputError::Changed { .. })), "{error:?}");
}

#[test]
fn watermarks_may_stand_inside_a_long_line() {
    let text = ["{}\n", &"x".repeat(LINE_BYTES_MAX + (3 << 20)), "\n{}\n"].concat();
    let recorded = watermarks(&[text.as_bytes()], 1 << 20);
    assert!(recorded.len() > 3);
    assert!(replay(&[text.as_bytes()], 3 << 20, &recorded).1.is_none());
    let watermark = &recorded[1];
    assert_eq!(watermark, &independent(&[text.as_bytes()], watermark.position));
    let still_growing = &text.as_bytes()[..text.len() - 100];
    assert!(replay(&[still_growing], 3 << 20, &recorded[..2]).1.is_none());
}

/// Who waits for the last watermark has room for what came before it, and must not be given more.
#[test]
fn a_change_is_told_before_more_comes_than_there_was() {
    let lines = "{\"line\":1}\n".repeat(2000);
    let recorded = watermarks(&[b"{}\n", lines.as_bytes()], 1000);
    let (first, last) = (&recorded[0], recorded.last().unwrap());
    let expected = [first.clone(), last.clone()];
    let cost =
        |chunks: &[(Chunk, bool)]| chunks.iter().map(|(chunk, _)| chunk.cost_bytes() as u64).sum::<u64>();
    let many_lines = "{\n".repeat(lines.len() / 2);
    for changed in [[&b"{}\n"[..], many_lines.as_bytes()], [b"", lines.as_bytes()]] {
        let (chunks, error) = replay(&changed, 1000, &expected);
        assert!(matches!(error, Some(InputError::Changed { .. })), "{error:?}");
        assert!(cost(&chunks) <= last.cost_bytes);
    }
    let (chunks, _) = replay(&[b"", lines.as_bytes()], 1000, &expected);
    assert!(chunks.is_empty(), "nothing of a source before which another has vanished");
}

#[test]
fn damage_before_a_watermark_is_damage() {
    let text = "{\"line\":1}\n".repeat(50_000);
    let recorded = watermarks(&[text.as_bytes()], 1 << 20);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    assert!(replay(&[&whole], 4096, &recorded).1.is_none(), "compression is no change");
    let (chunks, error) = replay(&[&whole[..whole.len() / 2]], 4096, &recorded);
    assert!(!chunks.is_empty() && matches!(error, Some(InputError::BrokenOff { .. })), "{error:?}");
}
