//! Trying documents on the server, which then says of each that it refuses why (`sql/merge/trial.sql`).
//!
//! A trial leaves nothing behind: what it finds acceptable is merged afterwards like any other document, and the server
//! has the last word there. Where PL/pgSQL is not to be had, there are no trials.

use std::collections::{HashMap, HashSet};

use tokio_postgres::{Row, Transaction};

use super::{
    error::MergeError,
    refusal::{self, Clash, Refused},
    rules::Rules,
    statements::TrialSql,
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

const ALL_TABLES: i32 = (1 << Table::ALL.len()) - 1;

/// The transaction that documents are tried in, and what there is to know of the tables.
pub(crate) struct Trial<'a> {
    transaction: &'a Transaction<'a>,
    pulse: &'a Pulse,
    is_stopping: &'a (dyn Fn() -> bool + Sync),
    sql: &'a TrialSql,
    rules: Rules,
}

impl<'a> Trial<'a> {
    /// Makes the function where the session does not have it; nothing where that can't be done.
    pub(crate) async fn prepare(
        transaction: &'a Transaction<'a>,
        sql: &'a TrialSql,
        rules: Rules,
        pulse: &'a Pulse,
        is_stopping: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Option<Self>, RunError> {
        let row = transaction
            .query_one(include_str!("../../../sql/merge/trial_made.sql"), &[])
            .await
            .map_err(failed("asking whether functions can be made"))?;
        pulse.beat();
        let is_there = row.get::<_, bool>("is_made")
            || row.get::<_, bool>("may_be_made") && make(transaction, sql).await?;
        // Whatever it is that refuses documents then.
        let tables = if rules.are_none() { ALL_TABLES } else { rules.tables };
        let rules = Rules { tables, ..rules };
        Ok(is_there.then_some(Self { transaction, pulse, is_stopping, sql, rules }))
    }

    /// Which documents the server refuses of some that are staged at these places, no id twice. `parts` says in what each
    /// differs from what is stored; where there is none, none of the documents is stored.
    pub(crate) async fn refused(
        &self,
        places: &[Ctid],
        parts: Option<&[i32]>,
    ) -> Result<HashMap<Ctid, Refused>, MergeError> {
        let suspects = suspects(self.transaction, self.sql, self.pulse).await?;
        let mut refused = HashMap::new();
        // A group that one of the suspects is in would be tried for nothing.
        for (are_suspect, tables) in [(false, self.rules.tables), (true, ALL_TABLES)] {
            let is_chosen = |at: &usize| suspects.contains(&places[*at]) == are_suspect;
            let chosen: Vec<_> = (0..places.len()).filter(is_chosen).collect();
            let places: Vec<_> = chosen.iter().map(|&at| places[at]).collect();
            let parts: Option<Vec<_>> = parts.map(|parts| chosen.iter().map(|&at| parts[at]).collect());
            refused.extend(self.tried(&places, parts.as_deref(), tables).await?);
        }
        Ok(refused)
    }

    /// The same for new documents that no CHECK constraint is known to refuse.
    pub(crate) async fn refused_of_new(&self, places: &[Ctid]) -> Result<HashMap<Ctid, Refused>, MergeError> {
        self.tried(places, None, self.rules.tables).await
    }

    async fn tried(
        &self,
        places: &[Ctid],
        parts: Option<&[i32]>,
        tables: i32,
    ) -> Result<HashMap<Ctid, Refused>, MergeError> {
        let mut refused = HashMap::new();
        for (nth, places) in places.chunks(AT_ONCE).enumerate() {
            if (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let first = nth * AT_ONCE;
            let parts = parts.map(|parts| &parts[first..first + places.len()]);
            let rows = self
                .transaction
                .query(
                    "SELECT * FROM pg_temp.profile_loader_try($1, $2, $3, $4)",
                    &[&places, &parts, &tables, &self.rules.has_triggers],
                )
                .await
                .map_err(failed("trying documents that may be refused"))?;
            self.pulse.beat();
            refused.extend(rows.iter().map(|row| (row.get("refused_place"), why(row))));
        }
        Ok(refused)
    }
}

/// The places of staged documents that a CHECK constraint is going to refuse, as far as its condition tells by itself.
pub(crate) async fn suspects(
    transaction: &Transaction<'_>,
    sql: &TrialSql,
    pulse: &Pulse,
) -> Result<HashSet<Ctid>, RunError> {
    let what = || failed("looking for documents that a CHECK constraint refuses");
    let names: &[&str] = &Table::ALL.map(Table::name);
    let checks = include_str!("../../../sql/merge/checks.sql");
    let checks = transaction.query(checks, &[&sql.db_schema, &names]).await.map_err(what())?;
    let mut suspects = HashSet::new();
    for check in checks {
        let table = usize::try_from(check.get::<_, i32>("table")).expect("it is one of the tables");
        let condition: &str = check.get("condition");
        let rows = &sql.rows[table];
        let sql = format!("SELECT DISTINCT r.place FROM ({rows}) AS r WHERE NOT ({condition})");
        transaction.batch_execute("SAVEPOINT looked_up").await.map_err(what())?;
        match transaction.query(&sql, &[]).await {
            Ok(rows) => suspects.extend(rows.iter().map(|row| row.get::<_, Ctid>("place"))),
            // It may speak of a column that documents have nothing to say of.
            Err(error) if is_permanent(&error) => {}
            Err(error) => return Err(what()(error)),
        }
        let back = "ROLLBACK TO SAVEPOINT looked_up; RELEASE SAVEPOINT looked_up";
        transaction.batch_execute(back).await.map_err(what())?;
        pulse.beat();
    }
    Ok(suspects)
}

fn is_permanent(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some() && !ErrorClass::of_statement(error).is_temporary()
}

/// Whether there was nothing in the way.
async fn make(transaction: &Transaction<'_>, sql: &TrialSql) -> Result<bool, RunError> {
    let what = || failed("making a temporary function");
    transaction.batch_execute("SAVEPOINT made").await.map_err(what())?;
    match transaction.batch_execute(&sql.function).await {
        Ok(()) => {
            transaction.batch_execute("RELEASE SAVEPOINT made").await.map_err(what())?;
            Ok(true)
        }
        // An event trigger of the owner's, say.
        Err(error) if is_permanent(&error) => {
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
