//! The migrations that this program brings along: pairs of SQL files, embedded. An applied file never changes;
//! its checksum would tell.

use crate::document::sha256_hex;

/// One step of the tables' history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// From 1, without gaps.
    pub version: i32,
    pub name: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
}

/// In the order in which they are applied.
pub static MIGRATIONS: [Migration; 1] = [Migration {
    version: 1,
    name: "customer_profiles",
    up: include_str!("../../sql/0001_customer_profiles.up.sql"),
    down: include_str!("../../sql/0001_customer_profiles.down.sql"),
}];

impl Migration {
    /// SHA-256 of the up file, in hexadecimal.
    pub fn checksum(&self) -> String {
        sha256_hex(self.up)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn versions_rise_by_one() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..).take(MIGRATIONS.len()).collect::<Vec<_>>());
    }

    #[test]
    fn every_file_is_embedded_and_every_up_has_a_down() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let files: BTreeSet<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "sql"))
            .collect();
        let mut embedded = BTreeSet::new();
        for Migration { version, name, up, down } in MIGRATIONS {
            for (direction, text) in [("up", up), ("down", down)] {
                let file = format!("{version:04}_{name}.{direction}.sql");
                assert_eq!(fs::read_to_string(dir.join(&file)).unwrap(), text, "{file}");
                embedded.insert(file);
            }
        }
        assert_eq!(files, embedded);
    }

    /// An applied file never changes. Where this fails, undo the change and write the next migration.
    #[test]
    fn applied_files_stay_as_they_are() {
        let checksums: Vec<_> = MIGRATIONS.iter().map(Migration::checksum).collect();
        assert_eq!(checksums, ["cdd97aa4a94f41828b184f2e8be7a1f14affd0bc24d0e4bf24caf46a718629ca"]);
    }
}
