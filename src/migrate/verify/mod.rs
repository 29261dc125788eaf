//! Whether the tables that are there are what the loader needs, judged by meaning; pure.
//!
//! An index, a primary key, a unique constraint or a foreign key may bear any name. What an owner adds to the
//! tables (indexes, checks, triggers) is the owner's right and no difference.

mod columns;
mod ddl;
mod difference;
mod keys;
mod phone_type;

use ddl::Ddl;
pub use difference::Difference;

use crate::{
    postgres::{Catalog, Relation, RelationKind},
    tables::Table,
};

/// In an order in which they can be fixed one by one.
pub(super) fn differences(catalog: &Catalog) -> Vec<Difference> {
    let ddl = Ddl { db_schema: &catalog.db_schema };
    let mut all = phone_type::differences(ddl, catalog.phone_type.as_ref());
    for table in Table::ALL {
        match catalog.relation(table) {
            Some(relation) => all.extend(of_relation(ddl, table, relation)),
            None => all.push(Difference::breaking(
                format!("table {} is missing", table.name()),
                ddl.create_table(table),
            )),
        }
    }
    all
}

/// Those of the columns alone, for which documents are refused: what keys and indexes there are is another matter while a
/// bulk load has dropped them.
pub(super) fn refusing_columns(catalog: &Catalog) -> Vec<Difference> {
    let ddl = Ddl { db_schema: &catalog.db_schema };
    let mut all = phone_type::differences(ddl, catalog.phone_type.as_ref());
    for table in Table::ALL {
        match catalog.relation(table) {
            Some(relation) => all.extend(columns::differences(ddl, table, relation)),
            None => all.push(Difference::breaking(
                format!("table {} is missing", table.name()),
                ddl.create_table(table),
            )),
        }
    }
    all.retain(|difference| difference.breaks_load);
    all
}

/// All of them in one line.
pub(super) fn in_words(differences: &[Difference]) -> String {
    differences.iter().map(|difference| difference.what.as_str()).collect::<Vec<_>>().join("; ")
}

fn of_relation(ddl: Ddl<'_>, table: Table, found: &Relation) -> Vec<Difference> {
    let name = table.name();
    let is_instead = |kind: &str| {
        let rename = ddl.alter(table, &format!("RENAME TO \"{name}_renamed\""));
        let fix = format!("{rename} {}", ddl.create_table(table));
        vec![Difference::breaking(format!("{name} is {kind}, where a table is expected"), fix)]
    };
    let mut all = match found.kind {
        RelationKind::View => return is_instead("a view"),
        RelationKind::MaterializedView => return is_instead("a materialized view"),
        RelationKind::ForeignTable => return is_instead("a foreign table"),
        RelationKind::Other => return is_instead("an index, a sequence or a type"),
        RelationKind::PartitionedTable => vec![Difference::new(
            format!("table {name} is partitioned"),
            format!(
                "-- copy the rows of {} into an ordinary table and give that the name",
                ddl.qualified(name)
            ),
        )],
        RelationKind::Table if !found.is_logged => vec![Difference::new(
            format!("table {name} is unlogged, so a crash of the server empties it"),
            ddl.alter(table, "SET LOGGED"),
        )],
        RelationKind::Table => Vec::new(),
    };
    all.extend(columns::differences(ddl, table, found));
    all.extend(keys::differences(ddl, table, found));
    all
}
