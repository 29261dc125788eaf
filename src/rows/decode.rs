//! Reads staging rows again, for whoever compares documents without a server.

use super::encode::StagedRow;

/// What a staging row holds besides its `seq` and id, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedFields<'a> {
    /// First, middle and last name; whether marketing e-mails and two factors are enabled.
    pub(crate) names: [Option<&'a [u8]>; 3],
    pub(crate) flags: [bool; 2],
    /// Two lines, city, state, postal code, country; the first is none where there is no address.
    pub(crate) address: [Option<&'a [u8]>; 6],
    pub(crate) emails: TextArray<'a>,
    /// The type, a space and the number.
    pub(crate) phones: TextArray<'a>,
}

/// A `text[]` without NULLs, as `array_send` writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextArray<'a>(&'a [u8]);

/// Dimensions, whether there are NULLs, the type of the elements.
const ARRAY_HEAD: usize = 3 * 4;
/// Length and lower bound of the one dimension.
const DIMENSION: usize = 2 * 4;

impl<'a> TextArray<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0.get(ARRAY_HEAD + DIMENSION..).unwrap_or_default();
        std::iter::from_fn(move || if rest.is_empty() { None } else { take_field(&mut rest) })
    }
}

impl<'a> StagedRow<'a> {
    pub(crate) fn fields(self) -> StagedFields<'a> {
        let mut rest = self.contents();
        // The id.
        take_field(&mut rest);
        let mut next = || take_field(&mut rest);
        let names = [next(), next(), next()];
        let flags = [next(), next()].map(|flag| flag == Some(&[1][..]));
        let address = [next(), next(), next(), next(), next(), next()];
        let [emails, phones] = [next(), next()].map(|list| TextArray(list.unwrap_or_default()));
        StagedFields { names, flags, address, emails, phones }
    }
}

/// The next field; `None` is NULL.
pub(super) fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = rest.split_first_chunk().expect("a field has a length");
    let length = usize::try_from(i32::from_be_bytes(*length)).ok();
    let (field, tail) = tail.split_at(length.unwrap_or(0));
    *rest = tail;
    length.map(|_| field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{PhoneNumber, PostalAddress, Profile},
        rows::encode_staged,
    };

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let mut profile = Profile {
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
        let mut row = Vec::new();
        encode_staged(&profile, 1, &mut row);
        let fields = StagedRow(&row).fields();
        assert_eq!(fields.names, [Some("Zoë".as_bytes()), None, Some(&b""[..])]);
        assert_eq!((fields.flags, fields.address), ([true, false], [None; 6]));
        assert_eq!((fields.emails.iter().count(), fields.phones.iter().count()), (0, 0));

        profile.emails = vec!["a@b.example", ""].into();
        profile.phone_numbers = vec![PhoneNumber { kind: "home", number: "+4930123" }].into();
        profile.address = Some(PostalAddress {
            line1: "1",
            line2: None,
            city: "2",
            state: "3",
            postal_code: "4",
            country: "DE",
        });
        row.clear();
        encode_staged(&profile, 1, &mut row);
        let fields = StagedRow(&row).fields();
        let texts = ["1", "2", "3", "4", "DE"].map(|text| Some(text.as_bytes()));
        let [line1, city, state, postal_code, country] = texts;
        assert_eq!(fields.address, [line1, None, city, state, postal_code, country]);
        assert_eq!(fields.emails.iter().collect::<Vec<_>>(), [&b"a@b.example"[..], b""]);
        assert_eq!(fields.phones.iter().collect::<Vec<_>>(), [b"home +4930123"]);
    }
}
