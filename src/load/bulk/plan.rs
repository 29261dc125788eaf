//! What is dropped of the four tables before they are filled in bulk, and the statements that restore it, just as the
//! catalog defines it and not as we would write it; pure.
//!
//! An index is dropped only if no document can violate it or fail to get into it: what the owner forbids beyond our
//! own keys (a unique e-mail, an exclusion, an expression that may fail) stays, so that it refuses one document and
//! not the whole table at the end. Whatever something else depends on stays as well, and so does everything where the
//! owner's triggers act on the rows.

use serde::Serialize;

use crate::{
    postgres::{quote_identifier, quote_literal},
    tables::Table,
};

/// An index of one of the tables.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) table: String,
    pub(super) name: String,
    /// `CREATE INDEX …`.
    pub(super) definition: String,
    /// Of the key; none for an expression.
    pub(super) columns: Vec<Option<String>>,
    pub(super) is_unique: bool,
    pub(super) is_clustered: bool,
    /// Over an expression, or of some rows only.
    pub(super) is_computed: bool,
    /// Valid, no exclusion constraint, no replica identity.
    pub(super) is_ordinary: bool,
    /// Equal keys are bytewise equal.
    pub(super) is_bytewise: bool,
    /// Something besides our foreign keys depends on it.
    pub(super) is_needed: bool,
    pub(super) constraint: Option<Constraint>,
    pub(super) comment: Option<String>,
}

/// The constraint that an index enforces; it has the index's name.
#[derive(Debug, Clone)]
pub(super) struct Constraint {
    pub(super) is_primary_key: bool,
    pub(super) is_deferrable: bool,
    pub(super) is_deferred: bool,
    pub(super) comment: Option<String>,
}

/// A foreign key to the profile that a row belongs to.
#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    pub(super) table: String,
    pub(super) name: String,
    /// `FOREIGN KEY … REFERENCES …`.
    pub(super) definition: String,
    pub(super) is_validated: bool,
    pub(super) comment: Option<String>,
}

/// A statement that restores something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RestoreStep {
    pub(super) table: String,
    /// Human-readable.
    pub(super) label: String,
    pub(super) sql: String,
    /// Indices of the steps that have to be done before.
    pub(super) after: Vec<usize>,
}

#[derive(Debug, Default)]
pub(super) struct BulkPlan {
    /// Drop everything, in order.
    pub(super) drop: Vec<String>,
    pub(super) restore: Vec<RestoreStep>,
    /// Names of what is kept, and slows the load down.
    pub(super) kept: Vec<String>,
    /// What has to be there once everything is restored.
    pub(super) dropped: Vec<DroppedObject>,
}

/// Something that was dropped, as `sql/bulk/not_restored.sql` looks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DroppedObject {
    kind: &'static str,
    table: String,
    name: String,
    definition: String,
    /// Restores it.
    sql: String,
}

/// The largest tables first: their indexes take longest.
const ORDER: [Table; 4] = [Table::Emails, Table::PhoneNumbers, Table::Profiles, Table::Addresses];

impl BulkPlan {
    pub(super) fn of(db_schema: &str, indexes: &[Index], foreign_keys: &[ForeignKey]) -> Self {
        let schema = quote_identifier(db_schema);
        let mut plan = Self::default();
        // One that is not validated would not say what was orphaned while it was dropped.
        let (foreign_keys, kept): (Vec<_>, Vec<_>) = foreign_keys.iter().partition(|key| key.is_validated);
        plan.kept.extend(kept.iter().map(|key| key.name.clone()));
        for key in &foreign_keys {
            plan.drop.push(format!(
                "ALTER TABLE {schema}.{} DROP CONSTRAINT {}",
                key.table,
                quote_identifier(&key.name)
            ));
        }
        for table in ORDER {
            plan.drop_indexes(&schema, table, indexes);
        }
        plan.restore_foreign_keys(&schema, &foreign_keys);
        plan
    }

    /// Where triggers change rows or add others, nothing is known of what comes into the tables: all is kept.
    pub(super) fn of_nothing(indexes: &[Index], foreign_keys: &[ForeignKey]) -> Self {
        let names = indexes.iter().map(|index| &index.name).chain(foreign_keys.iter().map(|key| &key.name));
        Self { kept: names.cloned().collect(), ..Self::default() }
    }

    fn drop_indexes(&mut self, schema: &str, table: Table, indexes: &[Index]) {
        let of_table = || indexes.iter().filter(|index| index.table == table.name());
        let first = self.restore.len();
        let mut attach = Vec::new();
        // Unique ones first: those with the longest keys.
        let (unique, others): (Vec<&Index>, Vec<_>) = of_table().partition(|index| index.is_unique);
        // A foreign key that is made anew takes the oldest of them, which is not to change.
        let has_choice = unique.iter().filter(|index| index.is_for_foreign_keys(table)).count() > 1;
        for index in unique.into_iter().chain(others) {
            if !index.may_be_dropped(table) || has_choice && index.is_for_foreign_keys(table) {
                self.kept.push(index.name.clone());
                continue;
            }
            let name = quote_identifier(&index.name);
            self.drop.push(match &index.constraint {
                Some(_) => format!("ALTER TABLE {schema}.{} DROP CONSTRAINT {name}", table.name()),
                None => format!("DROP INDEX {schema}.{name}"),
            });
            self.restore.push(RestoreStep {
                table: table.name().to_owned(),
                label: format!("index {}", index.name),
                sql: with_comment(
                    index.definition.clone(),
                    &format!("INDEX {schema}.{name}"),
                    index.comment.as_ref(),
                ),
                after: Vec::new(),
            });
            let statements = index.attach(schema, table);
            self.dropped.push(DroppedObject {
                kind: "index",
                table: index.table.clone(),
                name: index.name.clone(),
                definition: index.definition.clone(),
                sql: index.definition.clone(),
            });
            if index.constraint.is_some() {
                self.dropped.push(DroppedObject {
                    kind: "key",
                    table: index.table.clone(),
                    name: index.name.clone(),
                    definition: String::new(),
                    sql: statements.first().cloned().unwrap_or_default(),
                });
            }
            attach.extend(statements);
        }
        if !attach.is_empty() {
            // It locks the table, so it waits for all that is being built on it.
            let step = RestoreStep {
                table: table.name().to_owned(),
                label: format!("constraints of {}", table.name()),
                sql: attach.join("; "),
                after: (first..self.restore.len()).collect(),
            };
            self.restore.push(step);
        }
    }

    fn restore_foreign_keys(&mut self, schema: &str, foreign_keys: &[&ForeignKey]) {
        let is_before = |step: &RestoreStep, key: &ForeignKey| {
            step.table == key.table || step.table == Table::Profiles.name()
        };
        let indexes = self.restore.len();
        for key in foreign_keys {
            let name = quote_identifier(&key.name);
            let table = format!("{schema}.{}", key.table);
            let definition = &key.definition;
            let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}");
            self.dropped.push(DroppedObject {
                kind: "foreign key",
                table: key.table.clone(),
                name: key.name.clone(),
                definition: definition.clone(),
                sql: add.clone(),
            });
            let add = add + " NOT VALID";
            let comment_on = format!("CONSTRAINT {name} ON {table}");
            let after = (0..indexes).filter(|&step| is_before(&self.restore[step], key)).collect();
            let (table_name, label) = (key.table.clone(), format!("foreign key {}", key.name));
            let sql = with_comment(add, &comment_on, key.comment.as_ref());
            self.restore.push(RestoreStep { table: table_name.clone(), label, sql, after });
            self.restore.push(RestoreStep {
                table: table_name,
                label: format!("check of foreign key {}", key.name),
                sql: format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"),
                after: vec![self.restore.len() - 1],
            });
        }
    }
}

impl Index {
    fn may_be_dropped(&self, table: Table) -> bool {
        self.is_ordinary
            && !self.is_computed
            && !self.is_needed
            && (!self.is_unique || self.is_bytewise && self.holds_by_itself(table))
    }

    /// Whether a foreign key to a profile may rest on it.
    fn is_for_foreign_keys(&self, table: Table) -> bool {
        table == Table::Profiles && self.is_unique && matches!(&*self.columns, [Some(id)] if id == "id")
    }

    /// Whether documents, each id once and no e-mail twice, can't break the uniqueness.
    fn holds_by_itself(&self, table: Table) -> bool {
        let has = |column: &&str| self.columns.iter().flatten().any(|found| found == column);
        table.unique_keys().any(|key| key.iter().all(has))
    }

    /// What makes the index, once it is there, what it was.
    fn attach(&self, schema: &str, table: Table) -> Vec<String> {
        let name = quote_identifier(&self.name);
        let table = format!("{schema}.{}", table.name());
        let mut statements = Vec::new();
        if let Some(constraint) = &self.constraint {
            let kind = if constraint.is_primary_key { "PRIMARY KEY" } else { "UNIQUE" };
            let deferrable = if constraint.is_deferrable { " DEFERRABLE" } else { "" };
            let deferred = if constraint.is_deferred { " INITIALLY DEFERRED" } else { "" };
            let add = format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name}{deferrable}{deferred}"
            );
            statements.push(with_comment(
                add,
                &format!("CONSTRAINT {name} ON {table}"),
                constraint.comment.as_ref(),
            ));
        }
        if self.is_clustered {
            statements.push(format!("ALTER TABLE {table} CLUSTER ON {name}"));
        }
        statements
    }
}

fn with_comment(statement: String, on: &str, comment: Option<&String>) -> String {
    match comment {
        Some(text) => format!("{statement}; COMMENT ON {on} IS {}", quote_literal(text)),
        None => statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(table: Table, name: &str, columns: &[&str]) -> Index {
        Index {
            table: table.name().to_owned(),
            name: name.to_owned(),
            definition: format!("CREATE {name}"),
            columns: columns.iter().map(|&column| Some(column.to_owned())).collect(),
            is_unique: false,
            is_clustered: false,
            is_computed: false,
            is_ordinary: true,
            is_bytewise: true,
            is_needed: false,
            constraint: None,
            comment: None,
        }
    }

    fn unique(table: Table, name: &str, columns: &[&str]) -> Index {
        Index { is_unique: true, ..index(table, name, columns) }
    }

    fn primary_key() -> Constraint {
        Constraint { is_primary_key: true, is_deferrable: false, is_deferred: false, comment: None }
    }

    #[test]
    fn what_a_document_may_violate_is_kept() {
        let check = |index: Index, may_be_dropped: bool| {
            let plan = BulkPlan::of("public", std::slice::from_ref(&index), &[]);
            assert_eq!(plan.kept.is_empty(), may_be_dropped, "{index:?}");
            assert_eq!(plan.drop.len(), plan.restore.len());
        };
        check(unique(Table::Profiles, "a", &["id"]), true);
        check(unique(Table::Profiles, "a", &["last_name", "id"]), true);
        check(unique(Table::Profiles, "a", &["last_name"]), false);
        check(index(Table::Profiles, "a", &["last_name"]), true);
        check(unique(Table::Emails, "a", &["customer_profile_id", "email"]), true);
        check(unique(Table::Emails, "a", &["email"]), false);
        check(unique(Table::Emails, "a", &["customer_profile_id"]), false);
        let emails = || unique(Table::Emails, "a", &["customer_profile_id", "email"]);
        check(Index { is_bytewise: false, ..emails() }, false);
        check(Index { is_needed: true, ..emails() }, false);
        check(Index { is_ordinary: false, ..emails() }, false);
        check(Index { is_computed: true, ..index(Table::Emails, "a", &[]) }, false);
        check(Index { is_bytewise: false, ..index(Table::Emails, "a", &["email"]) }, true);
    }

    #[test]
    fn foreign_keys_stay_with_the_index_that_they_rest_on() {
        let key = |name| unique(Table::Profiles, name, &["id"]);
        assert_eq!(BulkPlan::of("s", &[key("a")], &[]).kept, [""; 0]);
        let kept =
            BulkPlan::of("s", &[key("a"), key("b"), unique(Table::Profiles, "c", &["id", "x"])], &[]).kept;
        assert_eq!(kept, ["a", "b"]);
        // Over addresses no foreign key rests.
        let addresses = ["a", "b"].map(|name| unique(Table::Addresses, name, &["customer_profile_id"]));
        assert_eq!(BulkPlan::of("s", &addresses, &[]).kept, [""; 0]);
    }

    #[test]
    fn where_triggers_act_on_the_rows_nothing_is_dropped() {
        let foreign_key = ForeignKey {
            table: Table::Emails.name().to_owned(),
            name: "fk".to_owned(),
            definition: String::new(),
            is_validated: true,
            comment: None,
        };
        let plan = BulkPlan::of_nothing(&[index(Table::Emails, "a", &["email"])], &[foreign_key]);
        assert_eq!((plan.drop.len(), plan.restore.len()), (0, 0));
        assert_eq!(plan.kept, ["a", "fk"]);
    }

    #[test]
    fn everything_is_restored_in_an_order_that_works() {
        let indexes = [
            Index { constraint: Some(primary_key()), ..unique(Table::Profiles, "pk_p", &["id"]) },
            index(Table::Emails, "Ix e", &["customer_profile_id"]),
            Index {
                constraint: Some(primary_key()),
                comment: Some("it's".to_owned()),
                is_clustered: true,
                ..unique(Table::Emails, "pk_e", &["id"])
            },
        ];
        let foreign_key = ForeignKey {
            table: Table::Emails.name().to_owned(),
            name: "fk".to_owned(),
            definition: "FOREIGN KEY (x) REFERENCES y".to_owned(),
            is_validated: true,
            comment: None,
        };
        let plan = BulkPlan::of("s", &indexes, &[foreign_key]);
        assert_eq!(
            plan.drop,
            [
                r#"ALTER TABLE "s".customer_profile_emails DROP CONSTRAINT "fk""#,
                r#"ALTER TABLE "s".customer_profile_emails DROP CONSTRAINT "pk_e""#,
                r#"DROP INDEX "s"."Ix e""#,
                r#"ALTER TABLE "s".customer_profiles DROP CONSTRAINT "pk_p""#,
            ]
        );
        let steps: Vec<_> = plan.restore.iter().map(|step| (step.sql.as_str(), &*step.after)).collect();
        assert_eq!(
            steps,
            [
                (r#"CREATE pk_e; COMMENT ON INDEX "s"."pk_e" IS 'it''s'"#, &[][..]),
                ("CREATE Ix e", &[]),
                (
                    r#"ALTER TABLE "s".customer_profile_emails ADD CONSTRAINT "pk_e" PRIMARY KEY USING INDEX "pk_e"; ALTER TABLE "s".customer_profile_emails CLUSTER ON "pk_e""#,
                    &[0, 1]
                ),
                ("CREATE pk_p", &[]),
                (
                    r#"ALTER TABLE "s".customer_profiles ADD CONSTRAINT "pk_p" PRIMARY KEY USING INDEX "pk_p""#,
                    &[3]
                ),
                (
                    r#"ALTER TABLE "s".customer_profile_emails ADD CONSTRAINT "fk" FOREIGN KEY (x) REFERENCES y NOT VALID"#,
                    &[0, 1, 2, 3, 4]
                ),
                (r#"ALTER TABLE "s".customer_profile_emails VALIDATE CONSTRAINT "fk""#, &[5]),
            ]
        );
    }
}
