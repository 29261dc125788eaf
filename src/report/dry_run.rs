//! What a load would do besides what becomes of the documents.

use serde::{Deserialize, Serialize};

/// Of a dry run: nothing of it was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DryRun {
    /// Why the load would take its strategy.
    pub because: Option<String>,
    /// The unfinished run of the same input that the load would go on with. What it has loaded is compared with what is
    /// stored, like all else: mostly unchanged, but where an id comes twice.
    pub resumes: Option<i64>,
    /// What would be applied before the load.
    pub ddl: Vec<String>,
    /// Where the tables are not as they should be, though a load can bear it.
    pub differences: Vec<String>,
    /// Why the load would not begin, as things are now.
    pub refusals: Vec<String>,
    /// Another loader, or another thing that makes the counts out of date soon.
    pub warnings: Vec<String>,
    /// Columns of stored profiles that would get another value.
    pub columns: Vec<ColumnChanges>,
    /// Rows that would be written, by table.
    pub rows: Vec<TableChanges>,
    /// Documents whose contents there was no room to remember: later ones with the same id are compared with what is stored
    /// only.
    pub forgotten: u64,
    /// What the tables' owner has set up that may refuse or change rows: only writing would tell.
    pub unforeseen: Vec<String>,
    pub estimate: Option<Estimate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChanges {
    pub table: String,
    pub column: String,
    pub profiles: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChanges {
    pub table: String,
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
}

/// How long the load would take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub seconds: f64,
    /// The earlier runs on this server that it is taken from; where there are none, it is how long looking took, and a load
    /// takes longer.
    pub runs: Vec<i64>,
}

impl DryRun {
    /// Adds what comes behind in the input.
    pub(super) fn merge(&mut self, other: Self) {
        let of_both = |one: &mut Vec<String>, other: Vec<String>| {
            for text in other {
                if !one.contains(&text) {
                    one.push(text);
                }
            }
        };
        of_both(&mut self.ddl, other.ddl);
        of_both(&mut self.differences, other.differences);
        of_both(&mut self.refusals, other.refusals);
        of_both(&mut self.warnings, other.warnings);
        of_both(&mut self.unforeseen, other.unforeseen);
        for later in other.columns {
            match self
                .columns
                .iter_mut()
                .find(|one| (&one.table, &one.column) == (&later.table, &later.column))
            {
                Some(one) => one.profiles += later.profiles,
                None => self.columns.push(later),
            }
        }
        for later in other.rows {
            match self.rows.iter_mut().find(|one| one.table == later.table) {
                Some(one) => {
                    one.added += later.added;
                    one.changed += later.changed;
                    one.removed += later.removed;
                }
                None => self.rows.push(later),
            }
        }
        self.forgotten += other.forgotten;
        // What was true of one load at a time.
        (self.because, self.resumes, self.estimate) = (None, None, None);
    }
}
