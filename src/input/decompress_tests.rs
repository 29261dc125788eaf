use std::io::Write;

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn read(stored: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let mut stream = Decompressed::new(Box::new(Cursor::new(stored)), Arc::new(AtomicU64::new(0))).unwrap();
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(stream.fault(&error)),
    }
}

fn fault_kind(stored: Vec<u8>) -> FaultKind {
    read(stored).expect_err("it is at fault").kind
}

#[test]
fn every_form_gives_back_the_text() {
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], &zstd(b"abc")[..]].concat();
    let cases: [(Vec<u8>, &[u8]); 11] = [
        (b"".to_vec(), b""),
        (b"{".to_vec(), b"{"),
        (b"{}\n".to_vec(), b"{}\n"),
        (gzip(b""), b""),
        (gzip(b"abc"), b"abc"),
        ([gzip(b"abc"), gzip(b""), gzip(b"def")].concat(), b"abcdef"),
        ([gzip(b"abc"), vec![0]].concat(), b"abc"),
        ([gzip(b"abc"), gzip(b"def"), vec![0; STORED_BUFFER_BYTES + 9]].concat(), b"abcdef"),
        (zstd(b"abc"), b"abc"),
        ([zstd(b"abc"), zstd(b"def")].concat(), b"abcdef"),
        (skippable, b"abc"),
    ];
    for (stored, text) in cases {
        assert_eq!(read(stored).ok().unwrap(), text);
    }
}

#[test]
fn a_cut_stream_breaks_off_at_its_last_byte() {
    for whole in [gzip(b"some text that is long enough"), zstd(b"some text that is long enough")] {
        for cut in 7..whole.len() {
            let fault = read(whole[..cut].to_vec()).expect_err("it is cut");
            assert_eq!(fault.kind, FaultKind::BrokenOff, "cut at {cut} of {}", whole.len());
            assert!(fault.byte_offset <= cut as u64);
        }
    }
    assert_eq!(fault_kind([gzip(b"abc"), gzip(b"def")[..9].to_vec()].concat()), FaultKind::BrokenOff);
}

#[test]
fn what_follows_the_last_member_is_no_damage_of_it() {
    for rest in [&b"x"[..], b"{}\n", b"\0\0x", &[&[0], &gzip(b"def")[..]].concat(), &zstd(b"def")] {
        assert_eq!(fault_kind([gzip(b"abc"), rest.to_vec()].concat()), FaultKind::Trailing, "{rest:?}");
    }
    for rest in [&b"{\"id\": 1}\n"[..], &[0; 9], &gzip(b"def")] {
        assert_eq!(fault_kind([zstd(b"abc"), rest.to_vec()].concat()), FaultKind::Trailing, "{rest:?}");
    }
}

#[test]
fn a_flipped_byte_is_damage_not_text() {
    let text = b"some text that is long enough";
    let mut stored = gzip(text);
    let checksum = stored.len() - 6;
    stored[checksum] ^= 1;
    assert_eq!(fault_kind(stored), FaultKind::Damaged);
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    let mut stored = encoder.finish().unwrap();
    let checksum = stored.len() - 2;
    stored[checksum] ^= 1;
    assert_eq!(fault_kind(stored), FaultKind::Damaged);
}

#[test]
fn how_much_a_decoder_keeps_is_told() {
    let bytes = |stored: &[u8]| zstd_window_bytes(stored);
    assert_eq!((bytes(b""), bytes(&gzip(b"abc")), bytes(b"{}\n")), (None, None, None));
    for length in [3, 300, 70_000] {
        // Its length is known, so all of it is one segment.
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_pledged_src_size(Some(length)).unwrap();
        encoder.include_contentsize(true).unwrap();
        encoder.write_all(&vec![b'a'; usize::try_from(length).unwrap()]).unwrap();
        assert_eq!(bytes(&encoder.finish().unwrap()), Some(length));
    }
    for window_log in [17, 23, 25] {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(b"abc").unwrap();
        encoder.flush().unwrap();
        assert_eq!(bytes(&encoder.finish().unwrap()), Some(1 << window_log));
    }
    assert_eq!(bytes(&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]), Some(u64::MAX));
}

#[test]
fn a_dictionary_is_told() {
    // RFC 8878, section 3.1.1: a single segment of 3 bytes, of dictionary 5, in one raw block.
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x21, 5, 3, 0x19, 0, 0][..], b"abc"].concat();
    assert_eq!(fault_kind(frame), FaultKind::Dictionary);
}
