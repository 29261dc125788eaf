//! The columns of one table.

use std::cmp::Ordering;

use super::{ddl::Ddl, difference::Difference};
use crate::{
    postgres::{Column, Relation, quote_identifier},
    tables::{ColumnDefinition, ColumnType, FilledBy, PHONE_TYPE, Table},
};

pub(super) fn differences(ddl: Ddl<'_>, table: Table, found: &Relation) -> Vec<Difference> {
    let columns = table.definition().columns;
    let mut all = Vec::new();
    for wanted in columns {
        match found.columns.iter().find(|column| column.name == wanted.name) {
            Some(column) => all.extend(of_column(ddl, table, wanted, column)),
            None => all.push(Difference::breaking(
                format!("column {}.{} is missing", table.name(), wanted.name),
                ddl.alter(table, &format!("ADD COLUMN {}", ddl.column(wanted))),
            )),
        }
    }
    for column in &found.columns {
        if columns.iter().all(|wanted| wanted.name != column.name) {
            all.extend(extra(ddl, table, column));
        }
    }
    all
}

fn of_column(ddl: Ddl<'_>, table: Table, wanted: &ColumnDefinition, found: &Column) -> Vec<Difference> {
    let name = format!("column {}.{}", table.name(), wanted.name);
    let alter = |action: &str| ddl.alter_column(table, wanted.name, action);
    let mut all = Vec::new();
    if found.is_generated {
        let fix = alter("DROP EXPRESSION");
        all.push(Difference::breaking(format!("{name} is generated, so it can't be written"), fix));
    }
    all.extend(of_type(ddl, table, wanted, found));
    match (wanted.is_nullable, found.is_not_null) {
        (false, false) => {
            all.push(Difference::new(format!("{name} may be null"), alter("SET NOT NULL")));
        }
        (true, true) => {
            all.push(Difference::breaking(format!("{name} may not be null"), alter("DROP NOT NULL")));
        }
        (false, true) | (true, false) => {}
    }
    all.extend(of_default(ddl, table, wanted, found));
    all
}

fn of_type(ddl: Ddl<'_>, table: Table, wanted: &ColumnDefinition, found: &Column) -> Option<Difference> {
    let column = quote_identifier(wanted.name);
    let wanted_name = ddl.type_name(wanted.column_type);
    let what = format!(
        "column {}.{} is {}, where {} is expected",
        table.name(),
        wanted.name,
        found.type_name,
        if wanted.column_type == ColumnType::Phone { PHONE_TYPE } else { &wanted_name },
    );
    // No explicit cast to varchar(n): it would cut what is longer, in silence.
    let using = match wanted.column_type {
        ColumnType::Text | ColumnType::Varchar(_) => format!("{column}::text"),
        _ => format!("{column}::text::{wanted_name}"),
    };
    let fix = ddl.alter_column(table, wanted.name, &format!("TYPE {wanted_name} USING {using}"));
    match fit(wanted.column_type, found) {
        Fit::Same => None,
        Fit::Roomier => Some(Difference::new(what, fix)),
        Fit::Other => Some(Difference::breaking(what, fix)),
    }
}

enum Fit {
    Same,
    /// Holds all that the expected type holds, in the same way.
    Roomier,
    Other,
}

fn fit(wanted: ColumnType, found: &Column) -> Fit {
    let is = |name: &str| if found.type_name == name { Fit::Same } else { Fit::Other };
    match wanted {
        ColumnType::Uuid => is("uuid"),
        ColumnType::Boolean => is("boolean"),
        ColumnType::Bigint => is("bigint"),
        ColumnType::Phone if found.is_phone_type => Fit::Same,
        ColumnType::Phone => Fit::Other,
        ColumnType::Text if found.type_name == "text" => Fit::Same,
        ColumnType::Text => against(characters(&found.type_name), UNLIMITED, Fit::Roomier),
        ColumnType::Varchar(wanted) => against(characters(&found.type_name), wanted, Fit::Same),
    }
}

fn against(found: Option<usize>, wanted: usize, equal: Fit) -> Fit {
    match found.map(|found| found.cmp(&wanted)) {
        Some(Ordering::Equal) => equal,
        Some(Ordering::Greater) => Fit::Roomier,
        Some(Ordering::Less) | None => Fit::Other,
    }
}

/// More than a declared length can be.
const UNLIMITED: usize = usize::MAX;

/// How many characters a text type holds; none for other types. `character(n)` is one of those: it compares
/// without trailing blanks.
fn characters(type_name: &str) -> Option<usize> {
    match type_name {
        "text" | "character varying" => Some(UNLIMITED),
        _ => type_name.strip_prefix("character varying(")?.strip_suffix(')')?.parse().ok(),
    }
}

fn of_default(ddl: Ddl<'_>, table: Table, wanted: &ColumnDefinition, found: &Column) -> Option<Difference> {
    let name = format!("{}.{}", table.name(), wanted.name);
    let default = found.default.as_deref();
    match wanted.filled_by {
        // Whatever a column's default is, the loader always gives a value.
        FilledBy::Nothing => None,
        FilledBy::RandomUuid if default.is_some_and(calls_gen_random_uuid) => None,
        FilledBy::RandomUuid => {
            let fix = ddl.alter_column(table, wanted.name, "SET DEFAULT gen_random_uuid()");
            Some(Difference::new(format!("column {name} has not the default gen_random_uuid()"), fix))
        }
        FilledBy::Sequence => {
            let is_filled =
                found.is_identity || default.is_some_and(|default| default.starts_with("nextval("));
            let what = format!("column {name} takes its values from no sequence");
            (!is_filled).then(|| Difference::breaking(what, add_sequence(ddl, table, wanted.name)))
        }
    }
}

/// PostgreSQL's own, or that of pgcrypto in whatever schema.
fn calls_gen_random_uuid(default: &str) -> bool {
    default.strip_suffix("gen_random_uuid()").is_some_and(|schema| schema.is_empty() || schema.ends_with('.'))
}

/// As `bigserial` does it, with the sequence that may be left of it, beginning after the rows that are there.
fn add_sequence(ddl: Ddl<'_>, table: Table, column: &str) -> String {
    let sequence = ddl.qualified(&format!("{}_{column}_seq", table.name()));
    let literal = sequence.replace('\'', "''");
    let literal = format!("'{literal}'");
    let qualified = ddl.qualified(table.name());
    let quoted = quote_identifier(column);
    format!(
        "CREATE SEQUENCE IF NOT EXISTS {sequence} OWNED BY {qualified}.{quoted}; \
         SELECT setval({literal}, coalesce(max({quoted}), 0) + 1, false) FROM {qualified}; {}",
        ddl.alter_column(table, column, &format!("SET DEFAULT nextval({literal})")),
    )
}

/// A column of the owner's is no difference as long as rows can be inserted without it: it gets its default, or null.
fn extra(ddl: Ddl<'_>, table: Table, found: &Column) -> Option<Difference> {
    if !found.needs_value {
        return None;
    }
    let what = format!(
        "column {}.{} is unknown to the loader, may not be null and has no default",
        table.name(),
        found.name
    );
    let give_default = ddl.alter_column(table, &found.name, "SET DEFAULT …");
    let let_be_null = if found.is_not_null {
        ddl.alter_column(table, &found.name, "DROP NOT NULL")
    } else {
        format!("ALTER DOMAIN {} DROP NOT NULL;", found.type_name)
    };
    let fix =
        format!("-- or give it a default, which rows that are loaded get: {give_default}\n{let_be_null}");
    Some(Difference::breaking(what, fix))
}
