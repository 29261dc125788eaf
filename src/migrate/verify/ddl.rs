//! The DDL that creates the tables and fixes what differs from them.

use crate::{
    postgres::quote_identifier,
    tables::{
        ColumnDefinition, ColumnType, FilledBy, ForeignKeyDefinition, KeyDefinition, PHONE_TYPE, PHONE_TYPES,
        Table,
    },
};

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
    pub(super) fn create_table(self, table: Table) -> String {
        let expected = table.definition();
        let mut parts: Vec<_> = expected.columns.iter().map(|column| self.column(column)).collect();
        parts.push(format!("CONSTRAINT {}", primary_key(&expected.primary_key)));
        parts.extend(expected.unique.iter().map(|key| format!("CONSTRAINT {}", unique(key))));
        parts.extend(expected.foreign_key.iter().map(|key| format!("CONSTRAINT {}", self.foreign_key(key))));
        let index = expected.index.iter().map(|key| format!(" {}", self.create_index(table, key, true)));
        let name = self.qualified(table.name());
        format!("CREATE TABLE {name} ({});{}", parts.join(", "), index.collect::<String>())
    }

    pub(super) fn column(self, column: &ColumnDefinition) -> String {
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
    pub(super) fn foreign_key(self, key: &ForeignKeyDefinition) -> String {
        let (table, column) = ForeignKeyDefinition::REFERENCED;
        format!(
            "{} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE CASCADE",
            quote_identifier(key.name),
            quote_identifier(ForeignKeyDefinition::COLUMN),
            self.qualified(table.name()),
            quote_identifier(column),
        )
    }

    /// Under a name that PostgreSQL chooses where the right one is taken.
    pub(super) fn create_index(self, table: Table, key: &KeyDefinition, is_name_free: bool) -> String {
        let name = if is_name_free { format!("{} ", quote_identifier(key.name)) } else { String::new() };
        format!("CREATE INDEX {name}ON {} ({});", self.qualified(table.name()), quoted(key.columns))
    }

    pub(super) fn create_phone_type(self) -> String {
        let labels: Vec<_> = PHONE_TYPES.iter().map(|label| format!("'{label}'")).collect();
        format!("CREATE TYPE {} AS ENUM ({});", self.qualified(PHONE_TYPE), labels.join(", "))
    }
}

/// As it follows CONSTRAINT.
pub(super) fn primary_key(key: &KeyDefinition) -> String {
    format!("{} PRIMARY KEY ({})", quote_identifier(key.name), quoted(key.columns))
}

/// As it follows CONSTRAINT.
pub(super) fn unique(key: &KeyDefinition) -> String {
    format!("{} UNIQUE ({})", quote_identifier(key.name), quoted(key.columns))
}

fn quoted(columns: &[&str]) -> String {
    columns.iter().map(|column| quote_identifier(column)).collect::<Vec<_>>().join(", ")
}
