//! What the lanes share that only look.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{decide::Foreseen, remembered::PROFILES_MAX};
use crate::{
    load::lane::BatchLimits,
    postgres::quote_identifier,
    session::{Outage, SessionPool, Watch},
    settings::{LoadSettings, OnExisting},
};

#[derive(Debug)]
pub(crate) struct ForeseeContext {
    pub(super) on_existing: OnExisting,
    /// Reads what is stored; none where the tables are not there.
    pub(super) stored_sql: Option<String>,
    pub(super) sessions: SessionPool,
    pub(super) watch: Watch,
    pub(super) outage: Outage,
    pub(super) db_wait: Duration,
    pub(super) limits: BatchLimits,
    /// Whether the load would be one transaction, which is rolled back beyond `--max-rejects`.
    pub(super) is_atomic: bool,
    /// Of each lane.
    pub(super) profiles_max: usize,
    foreseen: Mutex<Foreseen>,
}

impl ForeseeContext {
    /// `has_tables` tells whether the tables are there.
    pub(crate) fn new(
        has_tables: bool,
        settings: &LoadSettings,
        limits: BatchLimits,
        sessions: SessionPool,
        watch: Watch,
    ) -> Self {
        let schema = quote_identifier(&settings.db_schema);
        let sql = include_str!("../../../sql/merge/stored.sql").replace("@schema@", &schema);
        Self {
            on_existing: settings.on_existing,
            stored_sql: has_tables.then_some(sql),
            sessions,
            watch,
            outage: Outage::default(),
            db_wait: settings.timeouts.db_wait,
            limits,
            is_atomic: settings.atomic,
            profiles_max: PROFILES_MAX / settings.connections,
            foreseen: Mutex::default(),
        }
    }

    /// What all lanes have foreseen so far.
    pub(crate) fn foreseen(&self) -> Foreseen {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nothing of it would stay.
    pub(super) fn forget(&self) {
        *self.foreseen.lock().unwrap_or_else(PoisonError::into_inner) = Foreseen::default();
    }

    pub(super) fn add(&self, foreseen: &Foreseen) {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner).add(foreseen);
    }
}
