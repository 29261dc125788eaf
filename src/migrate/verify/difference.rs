//! A place where the tables are not what the loader needs.

/// A place where the tables are not what the loader needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Plain words that name the table and the column.
    pub what: String,
    /// SQL that puts it right where it can be, given the rows that are there.
    pub fix: String,
    /// Documents that `validate` accepts could not all be loaded.
    pub breaks_load: bool,
}

impl Difference {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into(), breaks_load: false }
    }

    pub(super) fn breaking(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { breaks_load: true, ..Self::new(what, fix) }
    }
}
