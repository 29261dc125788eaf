//! Bulk loads, disturbed while indexes come off, documents are copied, indexes come back, and those documents are
//! merged that were deferred.

mod connections;
mod disks;
mod failpoints;
mod killed;
mod people;
mod servers;

use crate::faults::{Moment, Side};

pub(super) use failpoints::OF_BULK;

/// While what slows the load down is dropped.
const TAKING_OFF: Moment = Moment::Statement("DROP CONSTRAINT", 3);
/// While documents are copied, and as a batch of them is about to be committed.
const COPYING: [Moment; 2] =
    [Moment::Kind(Side::Frontend, b'd', 9), Moment::Statement("UPDATE profile_loader.run_lanes", 4)];
/// While an index is built, a constraint is put on it, a foreign key is checked, and after that is done.
pub(super) const RESTORING: [Moment; 4] = [
    Moment::Statement("CREATE UNIQUE INDEX", 2),
    Moment::Statement("PRIMARY KEY USING INDEX", 1),
    Moment::Statement("VALIDATE CONSTRAINT", 1),
    Moment::Statement("VACUUM", 2),
];
/// While what was deferred is compared with what is stored, and inserted. (Documents are staged before that as well, to find
/// those that the server refuses.)
pub(super) const MERGING: [Moment; 2] = [
    Moment::Statement("-- Of the documents looked at, those that the tables don't hold", 1),
    Moment::Statement("INSERT INTO \"public\".customer_profile_emails", 1),
];

/// Of all moments, the first one when every index and key is back: the last of `RESTORING`.
const FIRST_WHEN_RESTORED: usize = 1 + COPYING.len() + RESTORING.len() - 1;

/// From the first of a run to the last.
fn all_moments() -> Vec<Moment> {
    [&[TAKING_OFF][..], &COPYING[..], &RESTORING, &MERGING].concat()
}
