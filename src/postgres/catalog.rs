//! What the server says about the four tables of one schema, as plain structs; judges nothing.
//!
//! Types and expressions are spelled with an empty search path, so they read the same for every user: whatever
//! is not PostgreSQL's own is qualified.

use tokio_postgres::{Error, Row, Transaction, types::ToSql};

use crate::tables::{PHONE_TYPE, Table};

/// The four tables and the enum, as far as they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catalog {
    pub db_schema: String,
    /// By name.
    pub relations: Vec<Relation>,
    pub phone_type: Option<PhoneType>,
}

/// Whatever bears the name of one of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub name: String,
    pub kind: RelationKind,
    /// Unlogged tables are emptied by a crash of the server.
    pub is_logged: bool,
    pub owner: String,
    /// Triggers of the owner's, not those of foreign keys.
    pub has_triggers: bool,
    /// In the table's order.
    pub columns: Vec<Column>,
    /// By name.
    pub constraints: Vec<Constraint>,
    /// By name; those of constraints too.
    pub indexes: Vec<Index>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
    /// An index, a sequence or a composite type.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    /// With its length, as in `character varying(320)`.
    pub type_name: String,
    /// Its type is [`PHONE_TYPE`] of the same schema.
    pub is_phone_type: bool,
    pub is_not_null: bool,
    /// An SQL expression; that of a generated column too.
    pub default: Option<String>,
    /// Whoever inserts a row has to give a value.
    pub needs_value: bool,
    pub is_identity: bool,
    pub is_generated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    pub name: String,
    pub kind: ConstraintKind,
    pub columns: Vec<String>,
    pub is_deferrable: bool,
    pub is_validated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConstraintKind {
    PrimaryKey,
    Unique,
    ForeignKey(Reference),
    Check,
}

/// What a foreign key points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub db_schema: String,
    pub table: String,
    pub columns: Vec<String>,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReferentialAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub name: String,
    /// `btree`, `hash`, …
    pub method: String,
    /// Of the key, in its order; none for an expression.
    pub columns: Vec<Option<String>>,
    pub is_unique: bool,
    /// Unique at once, not at the end of the transaction.
    pub is_immediate: bool,
    pub is_valid: bool,
    pub predicate: Option<String>,
}

/// Whatever bears the enum's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneType {
    pub is_enum: bool,
    /// In their order.
    pub labels: Vec<String>,
}

impl Catalog {
    /// Reads it; the transaction's search path is empty afterwards.
    pub(crate) async fn read(transaction: &Transaction<'_>, db_schema: &str) -> Result<Self, Error> {
        transaction.batch_execute("SET LOCAL search_path TO ''").await?;
        let names: &[&str] = &Table::ALL.map(Table::name);
        let of_tables: &[&(dyn ToSql + Sync)] = &[&db_schema, &names];
        let relations = transaction.query(include_str!("../../sql/catalog/relations.sql"), of_tables).await?;
        let mut relations: Vec<_> = relations.iter().map(relation).collect();
        let columns = transaction
            .query(include_str!("../../sql/catalog/columns.sql"), &[&db_schema, &names, &PHONE_TYPE])
            .await?;
        for row in &columns {
            of_row(&mut relations, row, |relation| relation.columns.push(column(row)));
        }
        for row in &transaction.query(include_str!("../../sql/catalog/constraints.sql"), of_tables).await? {
            of_row(&mut relations, row, |relation| relation.constraints.push(constraint(row)));
        }
        for row in &transaction.query(include_str!("../../sql/catalog/indexes.sql"), of_tables).await? {
            of_row(&mut relations, row, |relation| relation.indexes.push(index(row)));
        }
        let phone_type = transaction
            .query_opt(include_str!("../../sql/catalog/phone_type.sql"), &[&db_schema, &PHONE_TYPE])
            .await?;
        let phone_type = phone_type
            .map(|row| PhoneType { is_enum: row.get::<_, &str>("kind") == "e", labels: row.get("labels") });
        Ok(Self { db_schema: db_schema.to_owned(), relations, phone_type })
    }

    /// Whether nothing bears any of the names.
    pub(crate) fn is_empty(&self) -> bool {
        self.relations.is_empty() && self.phone_type.is_none()
    }

    pub(crate) fn relation(&self, table: Table) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == table.name())
    }
}

/// Between two of the queries another session may have made a table; what is not known yet is left out.
fn of_row(relations: &mut [Relation], row: &Row, add: impl FnOnce(&mut Relation)) {
    let name: &str = row.get("table_name");
    if let Some(relation) = relations.iter_mut().find(|relation| relation.name == name) {
        add(relation);
    }
}

fn relation(row: &Row) -> Relation {
    Relation {
        name: row.get("name"),
        kind: match row.get("kind") {
            "r" => RelationKind::Table,
            "p" => RelationKind::PartitionedTable,
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::ForeignTable,
            _ => RelationKind::Other,
        },
        is_logged: row.get::<_, &str>("persistence") == "p",
        owner: row.get("owner"),
        has_triggers: row.get("has_triggers"),
        columns: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
    }
}

fn column(row: &Row) -> Column {
    Column {
        name: row.get("name"),
        type_name: row.get("type_name"),
        is_phone_type: row.get("is_phone_type"),
        is_not_null: row.get("is_not_null"),
        default: row.get("default_expression"),
        needs_value: row.get("needs_value"),
        is_identity: row.get("is_identity"),
        is_generated: row.get("is_generated"),
    }
}

fn constraint(row: &Row) -> Constraint {
    Constraint {
        name: row.get("name"),
        kind: match row.get("kind") {
            "p" => ConstraintKind::PrimaryKey,
            "u" => ConstraintKind::Unique,
            "f" => ConstraintKind::ForeignKey(Reference {
                db_schema: row.get("referenced_schema"),
                table: row.get("referenced_table"),
                columns: row.get("referenced_columns"),
                on_delete: action(row.get("on_delete")),
                on_update: action(row.get("on_update")),
            }),
            _ => ConstraintKind::Check,
        },
        columns: row.get("columns"),
        is_deferrable: row.get("is_deferrable"),
        is_validated: row.get("is_validated"),
    }
}

fn action(letter: &str) -> ReferentialAction {
    match letter {
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        _ => ReferentialAction::NoAction,
    }
}

fn index(row: &Row) -> Index {
    Index {
        name: row.get("name"),
        method: row.get("method"),
        columns: row.get("columns"),
        is_unique: row.get("is_unique"),
        is_immediate: row.get("is_immediate"),
        is_valid: row.get("is_valid"),
        predicate: row.get("predicate"),
    }
}
