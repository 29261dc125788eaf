//! Trying documents on the server, which then says of each that it refuses why (`sql/merge/trial.sql`).
//!
//! A trial leaves nothing behind: what it finds acceptable is merged afterwards like any other document, and the server
//! has the last word there. Where PL/pgSQL is not to be had, there are no trials.

use std::collections::HashMap;

use tokio_postgres::{Row, Transaction};

use super::{
    error::MergeError,
    refusal::{self, Clash, Refused},
    statements::MergeSql,
};
use crate::{
    document::Fault,
    postgres::ErrorClass,
    runs::{RunError, failed},
    session::{Ctid, Pulse},
    tables::Table,
};

/// Documents of one call, between which the lane shows that it is alive and listens to a stop.
const AT_ONCE: usize = 2000;

/// The transaction that documents are tried in, and what there is to know of the tables.
pub(crate) struct Trial<'a> {
    transaction: &'a Transaction<'a>,
    pulse: &'a Pulse,
    is_stopping: &'a (dyn Fn() -> bool + Sync),
    /// Those with rules of their owner's, in the bits of `sql/merge/classify.sql`.
    tables: i32,
    has_triggers: bool,
}

impl<'a> Trial<'a> {
    /// Makes the function where the session does not have it; nothing where that can't be done.
    pub(crate) async fn prepare(
        transaction: &'a Transaction<'a>,
        sql: &MergeSql,
        db_schema: &str,
        pulse: &'a Pulse,
        is_stopping: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Option<Self>, RunError> {
        let names: &[&str] = &Table::ALL.map(Table::name);
        let row = transaction
            .query_one(include_str!("../../../sql/merge/rules.sql"), &[&db_schema, &names])
            .await
            .map_err(failed("reading the rules of the tables"))?;
        pulse.beat();
        let is_there = row.get::<_, bool>("is_made")
            || row.get::<_, bool>("may_be_made") && make(transaction, sql).await?;
        let all = (1 << Table::ALL.len()) - 1;
        // Whatever it is that refuses documents then.
        let tables = Some(row.get("tables")).filter(|&tables| tables != 0).unwrap_or(all);
        let has_triggers = row.get("has_triggers");
        Ok(is_there.then_some(Self { transaction, pulse, is_stopping, tables, has_triggers }))
    }

    /// Which documents the server refuses of some that are staged at these places, no id twice. `parts` says in what each
    /// differs from what is stored; where there is none, none of the documents is stored.
    pub(crate) async fn refused(
        &self,
        places: &[Ctid],
        parts: Option<&[i32]>,
    ) -> Result<HashMap<Ctid, Refused>, MergeError> {
        let mut refused = HashMap::new();
        for (at, places) in places.chunks(AT_ONCE).enumerate() {
            if (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let parts = parts.map(|parts| &parts[at * AT_ONCE..][..places.len()]);
            let rows = self
                .transaction
                .query(
                    "SELECT * FROM pg_temp.profile_loader_try($1, $2, $3, $4)",
                    &[&places, &parts, &self.tables, &self.has_triggers],
                )
                .await
                .map_err(failed("trying documents that may be refused"))?;
            self.pulse.beat();
            refused.extend(rows.iter().map(|row| (row.get("refused_place"), why(row))));
        }
        Ok(refused)
    }
}

/// Whether there was nothing in the way.
async fn make(transaction: &Transaction<'_>, sql: &MergeSql) -> Result<bool, RunError> {
    let what = || failed("making a temporary function");
    transaction.batch_execute("SAVEPOINT made").await.map_err(what())?;
    match transaction.batch_execute(&sql.trial).await {
        Ok(()) => {
            transaction.batch_execute("RELEASE SAVEPOINT made").await.map_err(what())?;
            Ok(true)
        }
        // An event trigger of the owner's, say.
        Err(error) if error.as_db_error().is_some() && !ErrorClass::of_statement(&error).is_temporary() => {
            let back = "ROLLBACK TO SAVEPOINT made; RELEASE SAVEPOINT made";
            transaction.batch_execute(back).await.map_err(what())?;
            Ok(false)
        }
        Err(error) => Err(what()(error)),
    }
}

fn why(row: &Row) -> Refused {
    let name = |column| row.get::<_, Option<&str>>(column).filter(|name| !name.is_empty());
    match name("refused_code") {
        Some(code) => {
            let [table, column, constraint] =
                ["refused_table", "refused_column", "refused_constraint"].map(name);
            Refused::of_fields(code, table, column, constraint)
        }
        None => Refused::Fault(refusal::suppressed()),
    }
}

impl Refused {
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Clash(Clash { fault, .. }) | Self::Fault(fault) => fault,
        }
    }
}
