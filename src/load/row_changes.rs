//! Rows that would be written.

/// Rows of a table that would be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowChanges {
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
}

impl RowChanges {
    pub(in crate::load) const ADDED: Self = Self { added: 1, changed: 0, removed: 0 };
    pub(in crate::load) const REMOVED: Self = Self { added: 0, changed: 0, removed: 1 };

    pub(in crate::load) fn changed(is_changed: bool) -> Self {
        Self { changed: u64::from(is_changed), ..Self::default() }
    }

    pub(in crate::load) fn total(self) -> u64 {
        self.added + self.changed + self.removed
    }

    pub(in crate::load) fn add(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.removed += other.removed;
    }
}
