//! The keys and indexes of one table: primary key, unique constraint, foreign key, index. Names don't matter.

use super::{
    Difference,
    ddl::{Ddl, primary_key, unique},
};
use crate::{
    postgres::{Constraint, ConstraintKind, Index, Reference, ReferentialAction, Relation, quote_identifier},
    tables::{ForeignKeyDefinition, KeyDefinition, Table},
};

/// In the order in which they can be fixed: a foreign key wants the primary key that it refers to.
pub(super) fn differences(ddl: Ddl<'_>, table: Table, found: &Relation) -> Vec<Difference> {
    let expected = table.definition();
    let mut all = Vec::new();
    all.extend(of_primary_key(ddl, table, found));
    if let Some(key) = &expected.unique {
        all.extend(of_unique(ddl, table, key, found));
    }
    if let Some(key) = &expected.foreign_key {
        all.extend(of_foreign_key(ddl, table, key, found));
    }
    if let Some(key) = &expected.index {
        all.extend(of_index(ddl, table, key, found));
    }
    all
}

fn of_primary_key(ddl: Ddl<'_>, table: Table, found: &Relation) -> Option<Difference> {
    let key = &table.definition().primary_key;
    let name = table.name();
    let columns = key.columns.join(", ");
    let add = format!("ADD CONSTRAINT {}", primary_key(key));
    // INSERT … ON CONFLICT (id) needs one that is unique at once, whatever it is called.
    let breaks_load = table == Table::Profiles && !is_unique(found, key.columns);
    let Some(constraint) = found.constraints.iter().find(|c| c.kind == ConstraintKind::PrimaryKey) else {
        let what = format!("table {name} has no primary key ({columns})");
        return Some(Difference { breaks_load, ..Difference::new(what, ddl.alter(table, &add)) });
    };
    let replace = ddl.alter(table, &format!("DROP CONSTRAINT {}, {add}", quote_identifier(&constraint.name)));
    if !same(&constraint.columns, key.columns) {
        // A key of fewer columns, or of others, may refuse rows that the right one takes.
        let refuses_more = key.columns.iter().any(|column| constraint.columns.iter().all(|c| c != column));
        let what = format!(
            "the primary key of {name} is ({}) instead of ({columns})",
            constraint.columns.join(", ")
        );
        return Some(Difference {
            breaks_load: breaks_load || refuses_more,
            ..Difference::new(what, replace)
        });
    }
    let what = format!("the primary key of {name} is deferrable");
    constraint.is_deferrable.then(|| Difference { breaks_load, ..Difference::new(what, replace) })
}

fn of_unique(ddl: Ddl<'_>, table: Table, key: &KeyDefinition, found: &Relation) -> Option<Difference> {
    if is_unique(found, key.columns) {
        return None;
    }
    let add = if is_free(found, key.name) {
        ddl.alter(table, &format!("ADD CONSTRAINT {}", unique(key)))
    } else {
        let constraint = found.constraints.iter().find(|constraint| constraint.name == key.name);
        match constraint {
            Some(_) => ddl.alter(
                table,
                &format!("DROP CONSTRAINT {}, ADD CONSTRAINT {}", quote_identifier(key.name), unique(key)),
            ),
            None => format!(
                "DROP INDEX {}; {}",
                ddl.qualified(key.name),
                ddl.alter(table, &format!("ADD CONSTRAINT {}", unique(key)))
            ),
        }
    };
    let what = format!("table {} has no unique constraint ({})", table.name(), key.columns.join(", "));
    Some(Difference::new(what, add))
}

fn of_foreign_key(
    ddl: Ddl<'_>,
    table: Table,
    key: &ForeignKeyDefinition,
    found: &Relation,
) -> Option<Difference> {
    let name = table.name();
    let candidates: Vec<_> = found
        .constraints
        .iter()
        .filter_map(|constraint| Some((constraint, reference(ddl, constraint)?)))
        .collect();
    let faults: Vec<_> = candidates
        .iter()
        .map(|(constraint, reference)| (*constraint, fault(constraint, reference)))
        .collect();
    if faults.iter().any(|(_, fault)| fault.is_none()) {
        return None;
    }
    let add = format!("ADD CONSTRAINT {}", ddl.foreign_key(key));
    let Some((constraint, Some(fault))) = faults.first() else {
        let (referenced, column) = ForeignKeyDefinition::REFERENCED;
        let what = format!(
            "table {name} has no foreign key ({}) to {} ({column})",
            ForeignKeyDefinition::COLUMN,
            referenced.name()
        );
        return Some(Difference::new(what, ddl.alter(table, &add)));
    };
    let old = quote_identifier(&constraint.name);
    let fix = match fault {
        Fault::NotValidated => ddl.alter(table, &format!("VALIDATE CONSTRAINT {old}")),
        Fault::Rule(_) => ddl.alter(table, &format!("DROP CONSTRAINT {old}, {add}")),
    };
    let what = match fault {
        Fault::NotValidated => "is not validated".to_owned(),
        Fault::Rule(rule) => format!("is {rule}"),
    };
    Some(Difference::new(format!("foreign key {} of {name} {what}", constraint.name), fix))
}

enum Fault {
    NotValidated,
    /// In words: what it is, and what it should be.
    Rule(String),
}

/// What the constraint points at, if it is a foreign key between the right columns.
fn reference<'a>(ddl: Ddl<'_>, constraint: &'a Constraint) -> Option<&'a Reference> {
    let (table, column) = ForeignKeyDefinition::REFERENCED;
    match &constraint.kind {
        ConstraintKind::ForeignKey(reference)
            if constraint.columns == [ForeignKeyDefinition::COLUMN]
                && reference.db_schema == ddl.db_schema
                && reference.table == table.name()
                && reference.columns == [column] =>
        {
            Some(reference)
        }
        _ => None,
    }
}

fn fault(constraint: &Constraint, reference: &Reference) -> Option<Fault> {
    let rule = if reference.on_delete != ReferentialAction::Cascade {
        format!("ON DELETE {} instead of ON DELETE CASCADE", in_sql(reference.on_delete))
    } else if reference.on_update != ReferentialAction::NoAction {
        format!("ON UPDATE {} instead of ON UPDATE NO ACTION", in_sql(reference.on_update))
    } else if constraint.is_deferrable {
        "deferrable".to_owned()
    } else {
        return (!constraint.is_validated).then_some(Fault::NotValidated);
    };
    Some(Fault::Rule(rule))
}

fn in_sql(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}

fn of_index(ddl: Ddl<'_>, table: Table, key: &KeyDefinition, found: &Relation) -> Option<Difference> {
    let covers = |index: &&Index| {
        index.predicate.is_none()
            && ["btree", "hash"].contains(&index.method.as_str())
            && covers(index, key.columns)
    };
    if found.indexes.iter().any(|index| index.is_valid && covers(&index)) {
        return None;
    }
    let columns = key.columns.join(", ");
    if let Some(index) = found.indexes.iter().find(covers) {
        let what = format!("index {} of {} is invalid", index.name, table.name());
        return Some(Difference::new(what, format!("REINDEX INDEX {};", ddl.qualified(&index.name))));
    }
    let what = format!("table {} has no index on ({columns})", table.name());
    Some(Difference::new(what, ddl.create_index(table, key, is_free(found, key.name))))
}

/// Whether a constraint or index lets no two rows have the same values, at once and in the whole table.
fn is_unique(found: &Relation, columns: &[&str]) -> bool {
    found.indexes.iter().any(|index| {
        index.is_unique
            && index.is_immediate
            && index.is_valid
            && index.predicate.is_none()
            && covers(index, columns)
    })
}

fn covers(index: &Index, columns: &[&str]) -> bool {
    let found: Option<Vec<String>> = index.columns.iter().cloned().collect();
    found.is_some_and(|found| same(&found, columns))
}

/// In whatever order.
fn same(found: &[String], columns: &[&str]) -> bool {
    found.len() == columns.len() && columns.iter().all(|column| found.iter().any(|f| f == column))
}

/// Constraints and indexes of a table share their names.
fn is_free(found: &Relation, name: &str) -> bool {
    found.indexes.iter().all(|index| index.name != name)
        && found.constraints.iter().all(|constraint| constraint.name != name)
}
