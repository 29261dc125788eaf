//! The tables as the loader needs them: as data to compare with, and as the DDL that mends what is missing.

use crate::{
    postgres::{PHONE_TYPE, quote_identifier},
    rows::Table,
};

pub(super) const PHONE_LABELS: [&str; 4] = ["mobile", "home", "work", "other"];

#[derive(Debug)]
pub(super) struct ExpectedTable {
    pub(super) table: Table,
    pub(super) columns: &'static [ExpectedColumn],
    pub(super) primary_key: ExpectedKey,
    pub(super) unique: Option<ExpectedKey>,
    pub(super) foreign_key: Option<ForeignKey>,
    pub(super) index: Option<ExpectedKey>,
}

#[derive(Debug)]
pub(super) struct ExpectedColumn {
    pub(super) name: &'static str,
    pub(super) column_type: ColumnType,
    pub(super) is_nullable: bool,
    pub(super) filled_by: FilledBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Uuid,
    Text,
    Boolean,
    Bigint,
    /// Of so many characters.
    Varchar(u32),
    Phone,
}

/// Where a value comes from that an INSERT does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilledBy {
    Nothing,
    RandomUuid,
    Sequence,
}

/// A primary key, unique constraint or index.
#[derive(Debug)]
pub(super) struct ExpectedKey {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// From `customer_profile_id` to `customer_profiles (id)`, `ON DELETE CASCADE`.
#[derive(Debug)]
pub(super) struct ForeignKey {
    pub(super) name: &'static str,
}

impl ForeignKey {
    pub(super) const COLUMN: &'static str = "customer_profile_id";
    pub(super) const REFERENCED: (Table, &'static str) = (Table::Profiles, "id");
}

const fn column(name: &'static str, column_type: ColumnType) -> ExpectedColumn {
    ExpectedColumn { name, column_type, is_nullable: false, filled_by: FilledBy::Nothing }
}

const fn nullable(name: &'static str, column_type: ColumnType) -> ExpectedColumn {
    ExpectedColumn { is_nullable: true, ..column(name, column_type) }
}

const fn filled(name: &'static str, column_type: ColumnType, filled_by: FilledBy) -> ExpectedColumn {
    ExpectedColumn { filled_by, ..column(name, column_type) }
}

/// Parents first.
pub(super) static TABLES: [ExpectedTable; 4] = [
    ExpectedTable {
        table: Table::Profiles,
        columns: &[
            filled("id", ColumnType::Uuid, FilledBy::RandomUuid),
            column("first_name", ColumnType::Text),
            nullable("middle_name", ColumnType::Text),
            column("last_name", ColumnType::Text),
            column("marketing_emails_enabled", ColumnType::Boolean),
            column("two_factor_enabled", ColumnType::Boolean),
        ],
        primary_key: ExpectedKey { name: "pk_customer_profiles", columns: &["id"] },
        unique: None,
        foreign_key: None,
        index: None,
    },
    ExpectedTable {
        table: Table::Addresses,
        columns: &[
            column("customer_profile_id", ColumnType::Uuid),
            column("line1", ColumnType::Text),
            nullable("line2", ColumnType::Text),
            column("city", ColumnType::Text),
            column("state", ColumnType::Text),
            column("postal_code", ColumnType::Text),
            column("country", ColumnType::Varchar(2)),
        ],
        primary_key: ExpectedKey { name: "pk_customer_profile_addresses", columns: &["customer_profile_id"] },
        unique: None,
        foreign_key: Some(ForeignKey { name: "fk_customer_profile_addresses__customer_profile_id" }),
        index: None,
    },
    ExpectedTable {
        table: Table::Emails,
        columns: &[
            filled("id", ColumnType::Bigint, FilledBy::Sequence),
            column("customer_profile_id", ColumnType::Uuid),
            column("email", ColumnType::Varchar(320)),
        ],
        primary_key: ExpectedKey { name: "pk_customer_profile_emails", columns: &["id"] },
        unique: Some(ExpectedKey {
            name: "uq_customer_profile_emails__customer_profile_id__email",
            columns: &["customer_profile_id", "email"],
        }),
        foreign_key: Some(ForeignKey { name: "fk_customer_profile_emails__customer_profile_id" }),
        index: Some(ExpectedKey {
            name: "ix_customer_profile_emails__customer_profile_id",
            columns: &["customer_profile_id"],
        }),
    },
    ExpectedTable {
        table: Table::PhoneNumbers,
        columns: &[
            filled("id", ColumnType::Bigint, FilledBy::Sequence),
            column("customer_profile_id", ColumnType::Uuid),
            column("type", ColumnType::Phone),
            column("number", ColumnType::Varchar(16)),
        ],
        primary_key: ExpectedKey { name: "pk_customer_profile_phone_numbers", columns: &["id"] },
        unique: None,
        foreign_key: Some(ForeignKey { name: "fk_customer_profile_phone_numbers__customer_profile_id" }),
        index: Some(ExpectedKey {
            name: "ix_customer_profile_phone_numbers__customer_profile_id",
            columns: &["customer_profile_id"],
        }),
    },
];

/// DDL for one schema, every name qualified and quoted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ddl<'a> {
    pub(super) db_schema: &'a str,
}

impl Ddl<'_> {
    pub(super) fn qualified(self, name: &str) -> String {
        format!("{}.{}", quote_identifier(self.db_schema), quote_identifier(name))
    }

    pub(super) fn alter(self, table: Table, action: &str) -> String {
        format!("ALTER TABLE {} {action};", self.qualified(table.name()))
    }

    pub(super) fn alter_column(self, table: Table, column: &str, action: &str) -> String {
        self.alter(table, &format!("ALTER COLUMN {} {action}", quote_identifier(column)))
    }

    /// The table with all that belongs to it.
    pub(super) fn create_table(self, expected: &ExpectedTable) -> String {
        let mut parts: Vec<_> = expected.columns.iter().map(|column| self.column(column)).collect();
        parts.push(format!("CONSTRAINT {}", primary_key(&expected.primary_key)));
        parts.extend(expected.unique.iter().map(|key| format!("CONSTRAINT {}", unique(key))));
        parts.extend(expected.foreign_key.iter().map(|key| format!("CONSTRAINT {}", self.foreign_key(key))));
        let table = self.qualified(expected.table.name());
        let index =
            expected.index.iter().map(|key| format!(" {}", self.create_index(expected.table, key, true)));
        format!("CREATE TABLE {table} ({});{}", parts.join(", "), index.collect::<String>())
    }

    pub(super) fn column(self, column: &ExpectedColumn) -> String {
        let type_name = match column.filled_by {
            FilledBy::Sequence => "bigserial".to_owned(),
            FilledBy::Nothing | FilledBy::RandomUuid => self.type_name(column.column_type),
        };
        let null = if column.is_nullable { "NULL" } else { "NOT NULL" };
        let default = match column.filled_by {
            FilledBy::RandomUuid => " DEFAULT gen_random_uuid()",
            FilledBy::Nothing | FilledBy::Sequence => "",
        };
        format!("{} {type_name} {null}{default}", quote_identifier(column.name))
    }

    pub(super) fn type_name(self, column_type: ColumnType) -> String {
        match column_type {
            ColumnType::Uuid => "uuid".to_owned(),
            ColumnType::Text => "text".to_owned(),
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Bigint => "bigint".to_owned(),
            ColumnType::Varchar(characters) => format!("varchar({characters})"),
            ColumnType::Phone => self.qualified(PHONE_TYPE),
        }
    }

    /// `fk_… FOREIGN KEY …`, as it follows CONSTRAINT.
    pub(super) fn foreign_key(self, key: &ForeignKey) -> String {
        let (table, column) = ForeignKey::REFERENCED;
        format!(
            "{} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE CASCADE",
            quote_identifier(key.name),
            quote_identifier(ForeignKey::COLUMN),
            self.qualified(table.name()),
            quote_identifier(column),
        )
    }

    /// Under a name that PostgreSQL chooses where the right one is taken.
    pub(super) fn create_index(self, table: Table, key: &ExpectedKey, is_name_free: bool) -> String {
        let name = if is_name_free { format!("{} ", quote_identifier(key.name)) } else { String::new() };
        format!("CREATE INDEX {name}ON {} ({});", self.qualified(table.name()), quoted(key.columns))
    }

    pub(super) fn create_phone_type(self) -> String {
        let labels: Vec<_> = PHONE_LABELS.iter().map(|label| format!("'{label}'")).collect();
        format!("CREATE TYPE {} AS ENUM ({});", self.qualified(PHONE_TYPE), labels.join(", "))
    }
}

/// As it follows CONSTRAINT.
pub(super) fn primary_key(key: &ExpectedKey) -> String {
    format!("{} PRIMARY KEY ({})", quote_identifier(key.name), quoted(key.columns))
}

/// As it follows CONSTRAINT.
pub(super) fn unique(key: &ExpectedKey) -> String {
    format!("{} UNIQUE ({})", quote_identifier(key.name), quoted(key.columns))
}

fn quoted(columns: &[&str]) -> String {
    columns.iter().map(|column| quote_identifier(column)).collect::<Vec<_>>().join(", ")
}
