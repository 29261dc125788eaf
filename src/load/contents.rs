//! What a profile holds, stored or in a document, and how two of them differ: bytewise, lists in any order.

use tokio_postgres::Row;

use super::row_changes::RowChanges;
use crate::{
    rows::{StagedRow, TextArray},
    tables::Table,
};

/// The columns of a profile and of an address that are compared, each with its bit.
pub(crate) const COLUMNS: [(Table, &str); 11] = [
    (Table::Profiles, "first_name"),
    (Table::Profiles, "middle_name"),
    (Table::Profiles, "last_name"),
    (Table::Profiles, "marketing_emails_enabled"),
    (Table::Profiles, "two_factor_enabled"),
    (Table::Addresses, "line1"),
    (Table::Addresses, "line2"),
    (Table::Addresses, "city"),
    (Table::Addresses, "state"),
    (Table::Addresses, "postal_code"),
    (Table::Addresses, "country"),
];

/// The place of the first column of `sql/merge/stored.sql`.
pub(in crate::load) const ID: usize = 0;

/// In place of a NULL in a list, which tables that differ a little may hold: no document has such a text.
const NULL: &[u8] = b"\0";

/// Those of the profile itself.
const OF_PROFILE: u16 = (1 << 5) - 1;

#[derive(Debug)]
pub(in crate::load) struct Contents<'a> {
    pub(in crate::load) names: [Option<&'a [u8]>; 3],
    pub(in crate::load) flags: [Option<bool>; 2],
    pub(in crate::load) address: Option<[Option<&'a [u8]>; 6]>,
    /// Sorted, as are the phone numbers: type, space, number.
    pub(in crate::load) emails: Vec<&'a [u8]>,
    pub(in crate::load) phones: Vec<&'a [u8]>,
}

/// How a document differs from what is stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::load) struct Difference {
    /// Bits of [`COLUMNS`] that would get another value.
    pub(in crate::load) columns: u16,
    /// Of each table.
    pub(in crate::load) rows: [RowChanges; 4],
    /// Whether there is any.
    pub(in crate::load) is_any: bool,
}

impl<'a> Contents<'a> {
    pub(in crate::load) fn of_document(row: StagedRow<'a>) -> Self {
        let fields = row.fields();
        let sorted = |list: TextArray<'a>| {
            let mut list: Vec<_> = list.iter().collect();
            list.sort_unstable();
            list
        };
        Self {
            names: fields.names,
            flags: fields.flags.map(Some),
            address: fields.address[0].is_some().then_some(fields.address),
            emails: sorted(fields.emails),
            phones: sorted(fields.phones),
        }
    }

    /// A row of `sql/merge/stored.sql`.
    pub(in crate::load) fn of_stored(row: &'a Row) -> Self {
        let text = |column: usize| row.get::<_, Option<&'a str>>(column).map(str::as_bytes);
        let sorted = |column: usize| {
            let list: Vec<Option<&'a str>> = row.get(column);
            let mut list: Vec<_> = list.into_iter().map(|text| text.map_or(NULL, str::as_bytes)).collect();
            list.sort_unstable();
            list
        };
        // By their places, since names are searched for.
        let [names, flags, address] = [ID + 1, ID + 4, ID + 7];
        let has_address: bool = row.get(ID + 6);
        Self {
            names: [names, names + 1, names + 2].map(text),
            flags: [flags, flags + 1].map(|column| row.get(column)),
            address: has_address.then(|| [0, 1, 2, 3, 4, 5].map(|place| text(address + place))),
            emails: sorted(address + 6),
            phones: sorted(address + 7),
        }
    }

    /// What would become of the stored profile.
    pub(in crate::load) fn difference(&self, stored: &Self) -> Difference {
        let names = self.names.iter().zip(&stored.names).map(|(one, other)| one != other);
        let flags = self.flags.iter().zip(&stored.flags).map(|(one, other)| one != other);
        let address = match (&self.address, &stored.address) {
            (Some(wanted), Some(stored)) => {
                wanted.iter().zip(stored).map(|(one, other)| one != other).collect()
            }
            _ => Vec::new(),
        };
        let differing = names.chain(flags).chain(address);
        let columns = differing.enumerate().fold(0, |bits, (bit, differs)| bits | u16::from(differs) << bit);
        let address = match (&self.address, &stored.address) {
            (Some(_), None) => RowChanges::ADDED,
            (None, Some(_)) => RowChanges::REMOVED,
            _ => RowChanges::changed(columns & !OF_PROFILE != 0),
        };
        Difference::of(
            columns,
            [RowChanges::changed(columns & OF_PROFILE != 0), address],
            [&self.emails, &stored.emails],
            [&self.phones, &stored.phones],
        )
    }
}

impl Difference {
    /// From lists that are sorted, the document's and the one that is stored.
    pub(in crate::load) fn of<T: Ord>(
        columns: u16,
        [profile, address]: [RowChanges; 2],
        [emails, stored_emails]: [&[T]; 2],
        [phones, stored_phones]: [&[T]; 2],
    ) -> Self {
        // As `sql/merge/update_emails.sql` and `update_phone_numbers.sql` see them: sets and multisets.
        let email_rows = differing(emails, stored_emails, true);
        let phone_rows = differing(phones, stored_phones, false);
        let rows = [profile, address, email_rows, phone_rows];
        let is_any = rows.iter().any(|rows| rows.total() > 0)
            || emails.len() != stored_emails.len()
            || phones.len() != stored_phones.len();
        Self { columns, rows, is_any }
    }
}

/// What has to be added and removed for `stored` to be as `wanted`; both are sorted. In sets, what is equal is one.
fn differing<T: Ord>(wanted: &[T], stored: &[T], are_sets: bool) -> RowChanges {
    let mut changes = RowChanges::default();
    let (mut wanted, mut stored) = (wanted, stored);
    loop {
        match (wanted, stored) {
            ([], rest) => return RowChanges { removed: changes.removed + count(rest), ..changes },
            (rest, []) => return RowChanges { added: changes.added + count(rest), ..changes },
            ([one, later @ ..], [other, ..]) if one < other => {
                changes.added += 1;
                wanted = later;
            }
            ([one, ..], [other, later @ ..]) if one > other => {
                changes.removed += 1;
                stored = later;
            }
            ([one, later @ ..], [_, others @ ..]) if are_sets => {
                let behind = |list: &'_ [T]| list.iter().take_while(|item| *item == one).count();
                (wanted, stored) = (&later[behind(later)..], &others[behind(others)..]);
            }
            ([_, later @ ..], [_, others @ ..]) => (wanted, stored) = (later, others),
        }
    }
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).expect("a length has 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents<'a>(first_name: &'a str, emails: &[&'a str], phones: &[&'a str]) -> Contents<'a> {
        let sorted = |list: &[&'a str]| {
            let mut list: Vec<_> = list.iter().map(|text| text.as_bytes()).collect();
            list.sort_unstable();
            list
        };
        Contents {
            names: [Some(first_name.as_bytes()), None, Some(b"x")],
            flags: [Some(true), Some(false)],
            address: None,
            emails: sorted(emails),
            phones: sorted(phones),
        }
    }

    #[test]
    fn lists_are_compared_in_any_order() {
        let stored = contents("a", &["1", "2"], &["home 1", "home 1"]);
        assert_eq!(
            contents("a", &["2", "1"], &["home 1", "home 1"]).difference(&stored),
            Difference::default()
        );
        let fewer = contents("a", &["2", "3"], &["home 1"]).difference(&stored);
        let rows = |added, removed| RowChanges { added, changed: 0, removed };
        assert_eq!(fewer.rows, [rows(0, 0), rows(0, 0), rows(1, 1), rows(0, 1)]);
        assert!(fewer.is_any && fewer.columns == 0);
        // A set has no second one to take away.
        let doubled = contents("a", &["1"], &[]).difference(&contents("a", &["1", "1"], &[]));
        assert_eq!((doubled.rows[2], doubled.is_any), (RowChanges::default(), true));
    }

    #[test]
    fn columns_that_change_are_told() {
        let with =
            |address: Option<[Option<&'static [u8]>; 6]>| Contents { address, ..contents("a", &[], &[]) };
        let berlin: [Option<&[u8]>; 6] =
            [Some(b"1"), None, Some(b"Berlin"), Some(b"BE"), Some(b"1"), Some(b"DE")];
        let mut bonn = berlin;
        bonn[2] = Some(b"Bonn");
        let moved = with(Some(bonn)).difference(&with(Some(berlin)));
        assert_eq!((moved.columns, moved.rows[1]), (1 << 7, RowChanges::changed(true)));
        assert_eq!(COLUMNS[7].1, "city");
        assert_eq!(with(None).difference(&with(Some(berlin))).rows[1], RowChanges::REMOVED);
        assert_eq!(with(Some(berlin)).difference(&with(None)).rows[1], RowChanges::ADDED);
        let renamed = contents("b", &[], &[]).difference(&contents("a", &[], &[]));
        assert_eq!((renamed.columns, renamed.rows[0]), (1, RowChanges::changed(true)));
    }
}
