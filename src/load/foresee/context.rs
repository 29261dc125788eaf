//! What the lanes share that only look.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{decide::Foreseen, remembered::PROFILES_MAX};
use crate::{
    load::lane::BatchLimits,
    postgres::quote_identifier,
    session::{Outage, SessionPool, Watch},
    settings::OnExisting,
};

#[derive(Debug)]
pub(crate) struct ForeseeContext {
    pub(super) on_existing: OnExisting,
    /// Reads what is stored; none where the tables are not there.
    pub(super) stored_sql: Option<String>,
    pub(super) sessions: SessionPool,
    pub(super) watch: Arc<Watch>,
    pub(super) outage: Outage,
    pub(super) db_wait: Duration,
    pub(super) limits: BatchLimits,
    /// Of each lane.
    pub(super) profiles_max: usize,
    foreseen: Mutex<Foreseen>,
}

impl ForeseeContext {
    /// `db_schema` has the tables, if they are there.
    pub(crate) fn new(
        db_schema: Option<&str>,
        on_existing: OnExisting,
        lanes: usize,
        sessions: SessionPool,
        watch: Arc<Watch>,
        limits: BatchLimits,
        db_wait: Duration,
    ) -> Self {
        let sql = |schema: &str| {
            include_str!("../../../sql/merge/stored.sql").replace("@schema@", &quote_identifier(schema))
        };
        Self {
            on_existing,
            stored_sql: db_schema.map(sql),
            sessions,
            watch,
            outage: Outage::default(),
            db_wait,
            limits,
            profiles_max: PROFILES_MAX / lanes,
            foreseen: Mutex::default(),
        }
    }

    /// What all lanes have foreseen so far.
    pub(crate) fn foreseen(&self) -> Foreseen {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add(&self, foreseen: &Foreseen) {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner).add(foreseen);
    }
}
