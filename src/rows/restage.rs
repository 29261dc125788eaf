//! Rows of the four tables as one row of the staging table, for documents that were encoded for the tables and are to be
//! looked at one by one.

use super::{
    decode::take_field,
    direct::rows_in,
    encode::{put_count, put_field, put_optional, put_texts},
};
use crate::tables::{STAGED_COUNT, Table};

/// The count of a row's fields.
const COUNT_BYTES: usize = 2;

/// Appends a document's staging row, made of its rows in each table, in the order of [`Table::ALL`].
pub(crate) fn put_staged([profile, address, emails, phone_numbers]: [&[u8]; 4], seq: u64, out: &mut Vec<u8>) {
    put_count(STAGED_COUNT, out);
    put_field(&seq.to_be_bytes(), out);
    out.extend_from_slice(&profile[COUNT_BYTES..]);
    match address.get(COUNT_BYTES..) {
        Some(mut fields) => {
            take_field(&mut fields);
            out.extend_from_slice(fields);
        }
        None => (1..Table::Addresses.copied_count()).for_each(|_| put_optional(None, out)),
    }
    put_texts(texts_of::<1>(emails).into_iter().map(|[email]| [&b""[..], b"", email]), out);
    put_texts(texts_of::<2>(phone_numbers).into_iter().map(|[kind, number]| [kind, b" ", number]), out);
}

/// What each row of a child table says besides whose it is.
fn texts_of<const FIELDS: usize>(rows: &[u8]) -> Vec<[&[u8]; FIELDS]> {
    rows_in(rows).map(texts_of_row).collect()
}

fn texts_of_row<const FIELDS: usize>(row: &[u8]) -> [&[u8]; FIELDS] {
    let mut fields = &row[COUNT_BYTES..];
    take_field(&mut fields);
    [(); FIELDS].map(|()| take_field(&mut fields).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{PhoneNumber, PostalAddress, Profile},
        rows::{TableRows, encode_staged},
    };

    #[test]
    fn a_staging_row_is_the_same_by_either_way() {
        let address =
            PostalAddress { line1: "1", line2: None, city: "", state: "3", postal_code: "4", country: "DE" };
        let phones = [("home", "+4930123"), ("work", "")].map(|(kind, number)| PhoneNumber { kind, number });
        let bare = Profile {
            id: [7; 16],
            first_name: "Zoë",
            middle_name: None,
            last_name: "",
            marketing_emails_enabled: true,
            two_factor_enabled: false,
            address: None,
            emails: vec![].into(),
            phone_numbers: vec![].into(),
        };
        let full = Profile {
            middle_name: Some("M"),
            address: Some(address),
            emails: vec!["a@b.example", "c@d.example"].into(),
            phone_numbers: phones.to_vec().into(),
            ..bare.clone()
        };
        for profile in [bare, full] {
            let mut tables = TableRows::default();
            tables.push(&profile);
            let (mut one, mut other) = (b"before".to_vec(), b"before".to_vec());
            put_staged(tables.0.each_ref().map(Vec::as_slice), 9, &mut one);
            encode_staged(&profile, 9, &mut other);
            assert_eq!(one, other);
        }
    }
}
