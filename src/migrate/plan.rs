//! What is to be done, from what the program brings along and what the database says; pure.

use super::{ledger::Record, source::Migration};

/// Where a migration stands in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Applied,
    Pending,
    /// Not recorded, but tables of these names are there: to be recorded if they are what it would have made.
    Adoptable,
    /// Recorded with another text than it has now.
    ChangedSinceApplied,
    /// Recorded by a program that knows more migrations.
    UnknownRecorded,
}

/// A migration and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    pub version: i32,
    pub name: String,
    pub state: State,
    pub record: Option<Record>,
}

/// One for each migration that is embedded or recorded, by version. The records are those of one `db_schema`.
pub(super) fn plan(embedded: &[Migration], records: &[Record], tables_exist: bool) -> Vec<MigrationStatus> {
    let recorded = |version| records.iter().find(|record| record.version == version);
    let known = embedded.iter().map(|migration| {
        let record = recorded(migration.version);
        let state = match record {
            Some(record) if record.checksum == migration.checksum() => State::Applied,
            Some(_) => State::ChangedSinceApplied,
            None if records.is_empty() && tables_exist => State::Adoptable,
            None => State::Pending,
        };
        let (version, name) = (migration.version, migration.name.to_owned());
        MigrationStatus { version, name, state, record: record.cloned() }
    });
    let unknown = records
        .iter()
        .filter(|record| embedded.iter().all(|migration| migration.version != record.version))
        .map(|record| MigrationStatus {
            version: record.version,
            name: record.name.clone(),
            state: State::UnknownRecorded,
            record: Some(record.clone()),
        });
    let mut all: Vec<_> = known.chain(unknown).collect();
    all.sort_by_key(|status| status.version);
    all
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{State::*, *};

    const ONE: Migration = Migration { version: 1, name: "one", up: "SELECT 1", down: "" };
    const TWO: Migration = Migration { version: 2, name: "two", up: "SELECT 2", down: "" };

    fn check(records: &[(i32, String)], tables_exist: bool, expected: &[(i32, State)]) {
        let records: Vec<_> = records
            .iter()
            .map(|(version, checksum)| Record {
                version: *version,
                name: format!("of {version}"),
                checksum: checksum.clone(),
                is_adopted: false,
                applied_at: SystemTime::UNIX_EPOCH,
                applied_by: "somebody".to_owned(),
            })
            .collect();
        let plan = plan(&[ONE, TWO], &records, tables_exist);
        let states: Vec<_> = plan.iter().map(|status| (status.version, status.state)).collect();
        assert_eq!(states, expected);
        assert!(plan.iter().all(|status| {
            status.record.is_some() == records.iter().any(|record| record.version == status.version)
        }));
    }

    #[test]
    fn every_migration_has_a_state() {
        let (one, two) = ((1, ONE.checksum()), (2, TWO.checksum()));
        check(&[], false, &[(1, Pending), (2, Pending)]);
        check(&[], true, &[(1, Adoptable), (2, Adoptable)]);
        check(std::slice::from_ref(&one), true, &[(1, Applied), (2, Pending)]);
        check(&[one.clone(), two.clone()], true, &[(1, Applied), (2, Applied)]);
        // What was dropped by hand is not made again in silence.
        check(&[one.clone(), two.clone()], false, &[(1, Applied), (2, Applied)]);
        check(&[(1, two.1.clone())], true, &[(1, ChangedSinceApplied), (2, Pending)]);
        check(&[one, two, (3, String::new())], true, &[(1, Applied), (2, Applied), (3, UnknownRecorded)]);
        check(&[(0, String::new())], true, &[(0, UnknownRecorded), (1, Pending), (2, Pending)]);
    }
}
