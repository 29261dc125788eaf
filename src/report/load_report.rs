//! What a load did, in counts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::tables::Table;

/// accepted + settled_earlier = inserted + updated + unchanged + skipped + not_loaded + unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    pub strategy: Cow<'static, str>,
    pub connections: usize,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub skipped: u64,
    /// Accepted, but the run stopped before their transaction; 0 in a run that came to its end.
    pub not_loaded: u64,
    /// Accepted, and their COMMIT was sent and not answered before the run stopped: they are loaded or not, and the same
    /// command finds out; 0 in a run that came to its end.
    pub unknown: u64,
    /// Settled by an earlier attempt, which this one stopped before reading again; 0 in a run that came to its end.
    pub settled_earlier: u64,
    /// How often a transaction failed, for a lost connection or another session's doing, and was tried again.
    #[serde(default)]
    pub retries: u64,
    pub rows: RowCounts,
}

/// Rows written: inserted, updated or deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    pub customer_profiles: u64,
    pub customer_profile_addresses: u64,
    pub customer_profile_emails: u64,
    pub customer_profile_phone_numbers: u64,
}

impl RowCounts {
    /// In the order of [`Table::ALL`].
    pub(crate) fn of_tables(rows: [u64; Table::ALL.len()]) -> Self {
        let [
            customer_profiles,
            customer_profile_addresses,
            customer_profile_emails,
            customer_profile_phone_numbers,
        ] = rows;
        Self {
            customer_profiles,
            customer_profile_addresses,
            customer_profile_emails,
            customer_profile_phone_numbers,
        }
    }

    /// In the order of [`Table::ALL`].
    pub(crate) fn by_table(self) -> [u64; Table::ALL.len()] {
        [
            self.customer_profiles,
            self.customer_profile_addresses,
            self.customer_profile_emails,
            self.customer_profile_phone_numbers,
        ]
    }

    pub fn add(&mut self, other: Self) {
        self.customer_profiles += other.customer_profiles;
        self.customer_profile_addresses += other.customer_profile_addresses;
        self.customer_profile_emails += other.customer_profile_emails;
        self.customer_profile_phone_numbers += other.customer_profile_phone_numbers;
    }

    pub fn total(self) -> u64 {
        self.customer_profiles
            + self.customer_profile_addresses
            + self.customer_profile_emails
            + self.customer_profile_phone_numbers
    }
}
