//! What the tables' owner has set up on them that may refuse, change or see what a merge writes.

use tokio_postgres::Transaction;

use crate::{
    runs::{RunError, failed},
    tables::Table,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The tables that have some, in the bits of `sql/merge/classify.sql`.
    pub(crate) tables: i32,
    /// Some of them are triggers, so what was written is counted again.
    pub(crate) has_triggers: bool,
}

impl Rules {
    pub(crate) async fn read(transaction: &Transaction<'_>, db_schema: &str) -> Result<Self, RunError> {
        let names: &[&str] = &Table::ALL.map(Table::name);
        let row = transaction
            .query_one(include_str!("../../../sql/merge/rules.sql"), &[&db_schema, &names])
            .await
            .map_err(failed("reading the rules of the tables"))?;
        Ok(Self { tables: row.get("tables"), has_triggers: row.get("has_triggers") })
    }

    pub(crate) fn are_none(self) -> bool {
        self.tables == 0
    }
}
