//! Writes profiles as rows of the four tables themselves, for COPY straight into them: one buffer a table.
//!
//! The keys of e-mails and phone numbers are left out: they are put in front of a row as it is sent, or left to the tables'
//! own defaults.

use super::encode::{put_count, put_field, put_optional};
use crate::{document::Profile, tables::Table};

/// An index entry of B-tree may be a third of a page, about 2,700 bytes. Documents whose texts in one row come
/// to more than this are not sent while an owner's index is off: it could not be built again over such a row.
const ROW_TEXT_BYTES_MAX: usize = 2000;

/// The rows of some documents in COPY's binary format, without its header and trailer; one buffer a table, in
/// the order of [`Table::ALL`].
#[derive(Debug, Default)]
pub struct TableRows(pub [Vec<u8>; 4]);

impl TableRows {
    /// Adds the rows of a document.
    pub fn push(&mut self, profile: &Profile<'_>) {
        let [profiles, addresses, emails, phone_numbers] = &mut self.0;
        put_profile(profile, profiles);
        if let Some(address) = &profile.address {
            put_columns(Table::Addresses, addresses);
            put_field(&profile.id, addresses);
            put_field(address.line1.as_bytes(), addresses);
            put_optional(address.line2, addresses);
            for text in [address.city, address.state, address.postal_code, address.country] {
                put_field(text.as_bytes(), addresses);
            }
        }
        for email in profile.emails.iter() {
            put_columns(Table::Emails, emails);
            put_field(&profile.id, emails);
            put_field(email.as_bytes(), emails);
        }
        for phone in profile.phone_numbers.iter() {
            put_columns(Table::PhoneNumbers, phone_numbers);
            put_field(&profile.id, phone_numbers);
            put_field(phone.kind.as_bytes(), phone_numbers);
            put_field(phone.number.as_bytes(), phone_numbers);
        }
    }

    /// Where the rows pushed so far end in each buffer.
    pub(super) fn ends(&self) -> [u32; 4] {
        let end = |rows: &Vec<u8>| u32::try_from(rows.len()).expect("a chunk's rows are below 4 GiB");
        [end(&self.0[0]), end(&self.0[1]), end(&self.0[2]), end(&self.0[3])]
    }
}

fn put_profile(profile: &Profile<'_>, out: &mut Vec<u8>) {
    put_columns(Table::Profiles, out);
    put_field(&profile.id, out);
    put_field(profile.first_name.as_bytes(), out);
    put_optional(profile.middle_name, out);
    put_field(profile.last_name.as_bytes(), out);
    put_field(&[u8::from(profile.marketing_emails_enabled)], out);
    put_field(&[u8::from(profile.two_factor_enabled)], out);
}

fn put_columns(table: Table, out: &mut Vec<u8>) {
    put_count(table.copied_count(), out);
}

/// The rows in a buffer, one by one.
pub fn rows_in(mut rows: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (fields, mut rest) = rows.split_first_chunk()?;
        for _ in 0..i16::from_be_bytes(*fields) {
            let (length, tail) = rest.split_first_chunk().expect("a field has a length");
            // Null has no bytes.
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            rest = &tail[length..];
        }
        let (row, rest) = rows.split_at(rows.len() - rest.len());
        rows = rest;
        Some(row)
    })
}

/// A row with `id` as one more field in front, in two parts.
pub fn with_id(row: &[u8], id: i64) -> ([u8; 14], &[u8]) {
    let (fields, rest) = row.split_first_chunk().expect("a row has a field count");
    let mut head = [0; 14];
    head[..2].copy_from_slice(&(i16::from_be_bytes(*fields) + 1).to_be_bytes());
    head[2..6].copy_from_slice(&8_i32.to_be_bytes());
    head[6..].copy_from_slice(&id.to_be_bytes());
    (head, rest)
}

/// Whether a row of the document might be too long for an index over its texts.
pub(super) fn has_long_row(profile: &Profile<'_>) -> bool {
    let length = |text: Option<&str>| text.map_or(0, str::len);
    let names = profile.first_name.len() + length(profile.middle_name) + profile.last_name.len();
    let address = profile.address.as_ref().map_or(0, |a| {
        a.line1.len() + length(a.line2) + a.city.len() + a.state.len() + a.postal_code.len() + a.country.len()
    });
    names.max(address) > ROW_TEXT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{PhoneNumber, PostalAddress};

    fn profile() -> Profile<'static> {
        Profile {
            id: [7; 16],
            first_name: "Zoë",
            middle_name: None,
            last_name: "",
            marketing_emails_enabled: true,
            two_factor_enabled: false,
            address: None,
            emails: vec!["a@b.example", "c@d.example"].into(),
            phone_numbers: vec![PhoneNumber { kind: "home", number: "+12" }].into(),
        }
    }

    fn address(line1: &'static str) -> PostalAddress<'static> {
        PostalAddress { line1, line2: None, city: "c", state: "s", postal_code: "", country: "DE" }
    }

    #[test]
    fn each_table_gets_its_rows() {
        let mut rows = TableRows::default();
        rows.push(&profile());
        let id = [&[0, 0, 0, 16][..], &[7; 16]].concat();
        assert_eq!(
            rows.0[0],
            [&[0, 6][..], &id, b"\0\0\0\x04Zo\xc3\xab\xff\xff\xff\xff\0\0\0\0\0\0\0\x01\x01\0\0\0\x01\0"]
                .concat()
        );
        assert_eq!(rows.0[1], b"");
        let email = |email: &str| [&[0, 2][..], &id, b"\0\0\0\x0b", email.as_bytes()].concat();
        assert_eq!(rows.0[2], [email("a@b.example"), email("c@d.example")].concat());
        assert_eq!(rows.0[3], [&[0, 3][..], &id, b"\0\0\0\x04home\0\0\0\x03+12"].concat());
        assert_eq!(rows.ends().map(|end| end > 0), [true, false, true, true]);
        rows.push(&Profile { address: Some(address("1")), ..profile() });
        assert_eq!(rows.0[1][..2], [0, 7]);
    }

    #[test]
    fn rows_are_told_apart_and_get_their_ids() {
        let mut rows = TableRows::default();
        rows.push(&profile());
        rows.push(&Profile { middle_name: Some(""), ..profile() });
        assert_eq!(rows.0.each_ref().map(|rows| rows_in(rows).count()), [2, 0, 4, 2]);
        for rows in &rows.0 {
            assert_eq!(rows_in(rows).flatten().copied().collect::<Vec<_>>(), *rows);
        }
        let row = rows_in(&rows.0[3]).next().unwrap();
        let (head, rest) = with_id(row, -2);
        assert_eq!(head, *b"\0\x04\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(rest, &row[2..]);
    }

    #[test]
    fn texts_that_an_index_may_not_hold_are_told() {
        let text: &'static str = Box::leak("x".repeat(ROW_TEXT_BYTES_MAX).into_boxed_str());
        let check = |profile: Profile<'_>, expected| assert_eq!(has_long_row(&profile), expected);
        check(Profile { first_name: text, ..profile() }, false);
        check(Profile { first_name: text, last_name: "x", ..profile() }, true);
        check(Profile { address: Some(address(&text[6..])), ..profile() }, false);
        check(Profile { address: Some(address(text)), ..profile() }, true);
    }
}
