//! Reads COPY's binary format, as the manual of PostgreSQL has it (section "COPY", Binary Format).

/// `None` is null.
pub type Field = Option<Vec<u8>>;

/// All rows of a stream from its signature to its trailer.
pub fn read(stream: &[u8]) -> Vec<Vec<Field>> {
    let mut rest = stream.strip_prefix(b"PGCOPY\n\xff\r\n\0").expect("a stream begins with its signature");
    assert_eq!((int32(&mut rest), int32(&mut rest)), (0, 0), "neither OIDs nor an extension");
    let mut rows = Vec::new();
    loop {
        let (count, tail) = rest.split_first_chunk().expect("a row has a count");
        rest = tail;
        match i16::from_be_bytes(*count) {
            -1 => {
                assert!(rest.is_empty(), "nothing follows the trailer");
                return rows;
            }
            count => rows.push((0..count).map(|_| field(&mut rest)).collect()),
        }
    }
}

/// The elements of a `text[]`, as `array_recv` reads them.
pub fn texts(mut array: &[u8]) -> Vec<String> {
    let (dimensions, flags, element_type) = (int32(&mut array), int32(&mut array), int32(&mut array));
    assert_eq!((flags, element_type), (0, 25), "there are texts, and none is null");
    let mut texts = Vec::new();
    if dimensions == 1 {
        let (count, lower_bound) = (int32(&mut array), int32(&mut array));
        assert!(count > 0 && lower_bound == 1);
        for _ in 0..count {
            let text = field(&mut array).expect("none is null");
            texts.push(String::from_utf8(text).expect("a text is UTF-8"));
        }
    }
    assert!(array.is_empty() && (0..=1).contains(&dimensions));
    texts
}

fn field(rest: &mut &[u8]) -> Field {
    let length = int32(rest);
    if length == -1 {
        return None;
    }
    let (field, tail) = rest.split_at(usize::try_from(length).expect("a length is no less than -1"));
    *rest = tail;
    Some(field.to_vec())
}

fn int32(rest: &mut &[u8]) -> i32 {
    let (bytes, tail) = rest.split_first_chunk().expect("four bytes");
    *rest = tail;
    i32::from_be_bytes(*bytes)
}
