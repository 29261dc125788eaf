//! What an unfinished bulk load has dropped and not restored, as statements.

use crate::{console::Console, postgres::quote_identifier, runs::PendingStep};

pub(super) fn show_pending(pending: &[PendingStep], console: Console) {
    if pending.is_empty() {
        return;
    }
    let statements: Vec<_> = pending.iter().map(|step| format!("\n  {};", step.sql)).collect();
    console.info(&format!("still to be restored, in this order:{}", statements.concat()));
}

/// Of a run whose table is not there any more: the one way out, whoever is asked.
pub(super) fn table_is_missing(run_id: i64, missing: &[String], db_schema: &str) -> String {
    let tables = missing.join(" and ");
    let example = &missing[0];
    format!(
        "run {run_id}, a bulk load, is unfinished, and {tables} of schema {db_schema}, which it was filling, is not there \
         any more: it was dropped or renamed; if it was renamed, rename it back (ALTER TABLE {}.NEW_NAME RENAME TO \
         {example}) and run the load's command again; else abandon the run, which restores keys and indexes of the other \
         tables: profile-loader runs abandon {run_id}",
        quote_identifier(db_schema)
    )
}
