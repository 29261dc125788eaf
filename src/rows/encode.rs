//! Writes profiles in COPY's binary format (PostgreSQL manual, section "COPY", Binary Format), straight into
//! a buffer: field by field, nothing allocated.

use crate::{document::Profile, tables::STAGED_COUNT};

/// Signature, flags, and the length of an empty header extension.
pub const COPY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A field count of -1.
pub const COPY_TRAILER: &[u8; 2] = b"\xff\xff";

/// The type `text` in the catalog of every PostgreSQL (pg_type.dat).
const TEXT_OID: i32 = 25;

/// Where the identity of a row starts: after the field count and the `seq` field, which differ between
/// identical documents.
const SEQ_FIELD_END: usize = 2 + 4 + 8;

/// The bytes of one encoded staging row.
#[derive(Debug, Clone, Copy)]
pub struct StagedRow<'a>(pub &'a [u8]);

impl<'a> StagedRow<'a> {
    /// What is equal exactly when the documents hold the same values in the same order.
    pub fn contents(self) -> &'a [u8] {
        &self.0[SEQ_FIELD_END..]
    }
}

/// Appends one staging row; `seq` tells it apart from every other row of the run.
pub fn encode_staged(profile: &Profile<'_>, seq: u64, out: &mut Vec<u8>) {
    put_count(STAGED_COUNT, out);
    put_field(&seq.to_be_bytes(), out);
    put_field(&profile.id, out);
    put_field(profile.first_name.as_bytes(), out);
    put_optional(profile.middle_name, out);
    put_field(profile.last_name.as_bytes(), out);
    put_field(&[u8::from(profile.marketing_emails_enabled)], out);
    put_field(&[u8::from(profile.two_factor_enabled)], out);
    let address = profile.address.as_ref();
    put_optional(address.map(|a| a.line1), out);
    put_optional(address.and_then(|a| a.line2), out);
    put_optional(address.map(|a| a.city), out);
    put_optional(address.map(|a| a.state), out);
    put_optional(address.map(|a| a.postal_code), out);
    put_optional(address.map(|a| a.country), out);
    let [nothing, space] = [&b""[..], b" "];
    put_texts(profile.emails.iter().map(|email| [nothing, nothing, email.as_bytes()]), out);
    let phones = profile.phone_numbers.iter();
    put_texts(phones.map(|phone| [phone.kind.as_bytes(), space, phone.number.as_bytes()]), out);
}

/// How many fields a row has.
pub(super) fn put_count(fields: usize, out: &mut Vec<u8>) {
    let fields = i16::try_from(fields).expect("a table has few columns");
    out.extend_from_slice(&fields.to_be_bytes());
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    let length = i32::try_from(length).expect("a field comes from a line of at most 16 MiB");
    out.extend_from_slice(&length.to_be_bytes());
}

pub(super) fn put_field(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

pub(super) fn put_optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => put_field(text.as_bytes(), out),
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
    }
}

/// A `text[]` (array_send in src/backend/utils/adt/arrayfuncs.c); each element is its parts joined.
pub(super) fn put_texts<'p>(texts: impl ExactSizeIterator<Item = [&'p [u8]; 3]>, out: &mut Vec<u8>) {
    let length_at = out.len();
    put_length(0, out);
    let count = texts.len();
    let (has_nulls, lower_bound) = (0_i32, 1_i32);
    put_length(usize::from(count > 0), out);
    out.extend_from_slice(&has_nulls.to_be_bytes());
    out.extend_from_slice(&TEXT_OID.to_be_bytes());
    if count > 0 {
        put_length(count, out);
        out.extend_from_slice(&lower_bound.to_be_bytes());
    }
    for parts in texts {
        put_length(parts.iter().map(|part| part.len()).sum(), out);
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
    let length = out.len() - length_at - 4;
    let length = i32::try_from(length).expect("an array comes from a line of at most 16 MiB");
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::PhoneNumber;

    fn profile() -> Profile<'static> {
        Profile {
            id: [7; 16],
            first_name: "Zoë",
            middle_name: None,
            last_name: "",
            marketing_emails_enabled: true,
            two_factor_enabled: false,
            address: None,
            emails: vec!["a@b.example"].into(),
            phone_numbers: vec![].into(),
        }
    }

    /// The fields of a row as COPY reads them: `None` is null.
    fn fields(row: &[u8]) -> Vec<Option<&[u8]>> {
        let (count, mut rest) = row.split_first_chunk().unwrap();
        let mut fields = Vec::new();
        for _ in 0..i16::from_be_bytes(*count) {
            let (length, tail) = rest.split_first_chunk().unwrap();
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let (field, tail) = tail.split_at(length.unwrap_or(0));
            fields.push(length.map(|_| field));
            rest = tail;
        }
        assert!(rest.is_empty(), "nothing follows the last field");
        fields
    }

    #[test]
    fn a_row_has_every_column() {
        let mut row = Vec::new();
        encode_staged(&profile(), 0x0102, &mut row);
        let fields = fields(&row);
        assert_eq!(fields.len(), STAGED_COUNT);
        assert_eq!(fields[0], Some(&[0, 0, 0, 0, 0, 0, 1, 2][..]));
        assert_eq!(fields[1], Some(&[7; 16][..]));
        assert_eq!(fields[2], Some("Zoë".as_bytes()));
        assert_eq!((fields[3], fields[4]), (None, Some(&b""[..])));
        assert_eq!((fields[5], fields[6]), (Some(&[1][..]), Some(&[0][..])));
        assert!(fields[7..13].iter().all(Option::is_none));
        assert_eq!(
            fields[13],
            Some(&b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x01\0\0\0\x01\0\0\0\x0ba@b.example"[..])
        );
        assert_eq!(fields[14], Some(&b"\0\0\0\0\0\0\0\0\0\0\0\x19"[..]));
    }

    #[test]
    fn contents_are_equal_for_equal_documents_only() {
        let (mut one, mut same, mut other) = (Vec::new(), Vec::new(), Vec::new());
        encode_staged(&profile(), 1, &mut one);
        encode_staged(&profile(), 2, &mut same);
        let phone_numbers = vec![PhoneNumber { kind: "home", number: "+4930123" }];
        encode_staged(&Profile { phone_numbers: phone_numbers.into(), ..profile() }, 1, &mut other);
        assert_eq!(StagedRow(&one).contents(), StagedRow(&same).contents());
        assert_ne!(StagedRow(&one).contents(), StagedRow(&other).contents());
    }
}
