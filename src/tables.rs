//! The four tables, once: names, columns, types, limits, keys. What is encoded, checked, created, verified, dropped and
//! reported follows from this; a change here needs a migration in `sql/` beside it.

pub(crate) use crate::document::{COUNTRY_CHARS_MAX, EMAIL_CHARS_MAX, NUMBER_CHARS_MAX, PHONE_TYPES};

/// The enum of a phone number's type.
pub(crate) const PHONE_TYPE: &str = "customer_profile_phone_numbers_type_enum";

/// One of the four tables, parents first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Profiles,
    Addresses,
    Emails,
    PhoneNumbers,
}

impl Table {
    pub(crate) const ALL: [Self; 4] = [Self::Profiles, Self::Addresses, Self::Emails, Self::PhoneNumbers];

    pub(crate) fn name(self) -> &'static str {
        self.definition().name
    }

    pub(crate) const fn definition(self) -> &'static TableDefinition {
        &TABLES[self as usize]
    }

    /// The columns that a row gets from its document, in the order they are encoded for COPY into the table.
    pub(crate) fn copied_columns(self) -> impl Iterator<Item = &'static ColumnDefinition> {
        self.definition().columns.iter().filter(|column| column.is_copied())
    }

    /// How many of them there are.
    pub(crate) const fn copied_count(self) -> usize {
        let columns = self.definition().columns;
        let (mut at, mut count) = (0, 0);
        while at < columns.len() {
            count += columns[at].is_copied() as usize;
            at += 1;
        }
        count
    }

    /// The column that a sequence fills; it comes first.
    pub(crate) fn numbered_column(self) -> Option<&'static str> {
        let first = self.definition().columns.first()?;
        (first.filled_by == FilledBy::Sequence).then_some(first.name)
    }

    /// The sets of columns of which no two rows of a table may hold the same.
    pub(crate) fn unique_keys(self) -> impl Iterator<Item = &'static [&'static str]> {
        let definition = self.definition();
        std::iter::once(&definition.primary_key).chain(&definition.unique).map(|key| key.columns)
    }
}

/// How many columns the staging table has: `seq`, the profile, its address without the key, e-mails, phone numbers.
pub(crate) const STAGED_COUNT: usize =
    1 + Table::Profiles.copied_count() + (Table::Addresses.copied_count() - 1) + 2;

/// The staging table's columns and types; one row holds one document. `line1` is null when there is no address; each
/// of `phones` is the type, a space, and the number, in the document's order.
#[cfg(test)]
pub(crate) fn staged_columns() -> Vec<(&'static str, &'static str)> {
    let staged = |column: &'static ColumnDefinition| {
        let staged_type = match column.column_type {
            ColumnType::Uuid => "uuid",
            ColumnType::Boolean => "boolean",
            ColumnType::Bigint => "bigint",
            ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Phone => "text",
        };
        (column.name, staged_type)
    };
    let profile = Table::Profiles.copied_columns().map(staged);
    let address = Table::Addresses.copied_columns().skip(1).map(staged);
    let lists = [("emails", "text[]"), ("phones", "text[]")];
    [("seq", "bigint")].into_iter().chain(profile).chain(address).chain(lists).collect()
}

#[derive(Debug)]
pub(crate) struct TableDefinition {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [ColumnDefinition],
    pub(crate) primary_key: KeyDefinition,
    pub(crate) unique: Option<KeyDefinition>,
    pub(crate) foreign_key: Option<ForeignKeyDefinition>,
    pub(crate) index: Option<KeyDefinition>,
}

#[derive(Debug)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: &'static str,
    pub(crate) column_type: ColumnType,
    pub(crate) is_nullable: bool,
    pub(crate) filled_by: FilledBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Uuid,
    Text,
    Boolean,
    Bigint,
    /// Of so many characters.
    Varchar(usize),
    Phone,
}

impl ColumnDefinition {
    /// Whether a row gets it from its document; keys of e-mails and phone numbers come from a sequence.
    pub(crate) const fn is_copied(&self) -> bool {
        !matches!(self.filled_by, FilledBy::Sequence)
    }
}

/// Where a value comes from that an INSERT does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilledBy {
    Nothing,
    RandomUuid,
    Sequence,
}

/// A primary key, unique constraint or index.
#[derive(Debug)]
pub(crate) struct KeyDefinition {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
}

/// From `customer_profile_id` to `customer_profiles (id)`, `ON DELETE CASCADE`.
#[derive(Debug)]
pub(crate) struct ForeignKeyDefinition {
    pub(crate) name: &'static str,
}

impl ForeignKeyDefinition {
    pub(crate) const COLUMN: &'static str = "customer_profile_id";
    pub(crate) const REFERENCED: (Table, &'static str) = (Table::Profiles, "id");
}

const fn column(name: &'static str, column_type: ColumnType) -> ColumnDefinition {
    ColumnDefinition { name, column_type, is_nullable: false, filled_by: FilledBy::Nothing }
}

const fn nullable(name: &'static str, column_type: ColumnType) -> ColumnDefinition {
    ColumnDefinition { is_nullable: true, ..column(name, column_type) }
}

const fn filled(name: &'static str, column_type: ColumnType, filled_by: FilledBy) -> ColumnDefinition {
    ColumnDefinition { filled_by, ..column(name, column_type) }
}

/// Parents first.
static TABLES: [TableDefinition; 4] = [
    TableDefinition {
        name: "customer_profiles",
        columns: &[
            filled("id", ColumnType::Uuid, FilledBy::RandomUuid),
            column("first_name", ColumnType::Text),
            nullable("middle_name", ColumnType::Text),
            column("last_name", ColumnType::Text),
            column("marketing_emails_enabled", ColumnType::Boolean),
            column("two_factor_enabled", ColumnType::Boolean),
        ],
        primary_key: KeyDefinition { name: "pk_customer_profiles", columns: &["id"] },
        unique: None,
        foreign_key: None,
        index: None,
    },
    TableDefinition {
        name: "customer_profile_addresses",
        columns: &[
            column("customer_profile_id", ColumnType::Uuid),
            column("line1", ColumnType::Text),
            nullable("line2", ColumnType::Text),
            column("city", ColumnType::Text),
            column("state", ColumnType::Text),
            column("postal_code", ColumnType::Text),
            column("country", ColumnType::Varchar(COUNTRY_CHARS_MAX)),
        ],
        primary_key: KeyDefinition {
            name: "pk_customer_profile_addresses",
            columns: &["customer_profile_id"],
        },
        unique: None,
        foreign_key: Some(ForeignKeyDefinition {
            name: "fk_customer_profile_addresses__customer_profile_id",
        }),
        index: None,
    },
    TableDefinition {
        name: "customer_profile_emails",
        columns: &[
            filled("id", ColumnType::Bigint, FilledBy::Sequence),
            column("customer_profile_id", ColumnType::Uuid),
            column("email", ColumnType::Varchar(EMAIL_CHARS_MAX)),
        ],
        primary_key: KeyDefinition { name: "pk_customer_profile_emails", columns: &["id"] },
        unique: Some(KeyDefinition {
            name: "uq_customer_profile_emails__customer_profile_id__email",
            columns: &["customer_profile_id", "email"],
        }),
        foreign_key: Some(ForeignKeyDefinition { name: "fk_customer_profile_emails__customer_profile_id" }),
        index: Some(KeyDefinition {
            name: "ix_customer_profile_emails__customer_profile_id",
            columns: &["customer_profile_id"],
        }),
    },
    TableDefinition {
        name: "customer_profile_phone_numbers",
        columns: &[
            filled("id", ColumnType::Bigint, FilledBy::Sequence),
            column("customer_profile_id", ColumnType::Uuid),
            column("type", ColumnType::Phone),
            column("number", ColumnType::Varchar(NUMBER_CHARS_MAX)),
        ],
        primary_key: KeyDefinition { name: "pk_customer_profile_phone_numbers", columns: &["id"] },
        unique: None,
        foreign_key: Some(ForeignKeyDefinition {
            name: "fk_customer_profile_phone_numbers__customer_profile_id",
        }),
        index: Some(KeyDefinition {
            name: "ix_customer_profile_phone_numbers__customer_profile_id",
            columns: &["customer_profile_id"],
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_stands_where_its_number_says() {
        let names = Table::ALL.map(Table::name);
        assert_eq!(names, TABLES.each_ref().map(|table| table.name));
        assert_eq!(staged_columns().len(), STAGED_COUNT);
        for table in Table::ALL {
            assert_eq!(table.copied_columns().count(), table.copied_count());
            let is_numbered = matches!(table, Table::Emails | Table::PhoneNumbers);
            assert_eq!(table.numbered_column(), is_numbered.then_some("id"));
        }
    }
}
