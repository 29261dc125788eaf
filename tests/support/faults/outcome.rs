//! What a load leaves that two ways to the same end have in common: to be compared with that of an undisturbed one.

use std::{collections::BTreeMap, fs};

use super::loader::{Ended, files};
use crate::support::{Store, catalog, digests, texts};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) tables: BTreeMap<&'static str, String>,
    catalog: Vec<String>,
    /// Of the ledger, with their numbers.
    pub(crate) runs: Vec<String>,
    /// The reject files, as bytes.
    pub(crate) rejects: BTreeMap<String, Vec<u8>>,
}

/// Attempts are left out: those differ.
const RUNS: &str = "
    SELECT concat_ws(' ', id, strategy, state, lanes, documents_read, documents_accepted, documents_rejected)
    FROM profile_loader.runs ORDER BY id";

impl Outcome {
    pub(crate) async fn of(store: &Store, ended: &Ended) -> Self {
        let client = store.connect().await;
        let names = files(&store.path("")).into_iter().filter(|name| name.starts_with("rejects/"));
        let read = |name: &String| fs::read(store.path(name)).expect("it is there");
        Self {
            code: ended.code(),
            tables: digests(&client, "public").await,
            catalog: catalog(&client).await,
            runs: texts(&client, RUNS).await,
            rejects: names.map(|name| (name.clone(), read(&name))).collect(),
        }
    }
}

/// The runs of the ledger: number and state.
pub(crate) async fn run_states(store: &Store) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', id, state) FROM profile_loader.runs ORDER BY id";
    texts(&store.connect().await, sql).await
}
