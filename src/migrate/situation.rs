//! What a database is like and what follows from it: everything that `up` and `down` decide before they act.

use tokio_postgres::Transaction;

use super::{
    MIGRATIONS, MigrateError, Migration, MigrationStatus, State, failed,
    ledger::{self, LEDGER_VERSION, Ledger, LedgerState},
    plan::plan,
    script::{self, DdlContext, Step},
    verify::differences,
};
use crate::postgres::{Catalog, quote_identifier};

/// A migration that was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub version: i32,
    pub name: &'static str,
}

/// What the server says about the schema and the role.
#[derive(Debug)]
pub(super) struct Server {
    database: String,
    pub(super) role: String,
    may_create: bool,
}

impl Server {
    pub(super) async fn find(transaction: &Transaction<'_>, db_schema: &str) -> Result<Self, MigrateError> {
        let row = transaction
            .query_one(include_str!("../../sql/ledger/db_schema.sql"), &[&db_schema])
            .await
            .map_err(failed("looking for the schema of the tables"))?;
        let database: String = row.get("database");
        let Some(may_create) = row.get("may_create") else {
            let fix = format!("CREATE SCHEMA {}", quote_identifier(db_schema));
            return Err(MigrateError::NoSchema { db_schema: db_schema.to_owned(), database, fix });
        };
        Ok(Self { database, role: row.get("role"), may_create })
    }
}

/// All that a decision needs, read in the transaction that acts on it.
#[derive(Debug)]
pub(super) struct Situation {
    server: Server,
    pub(super) ledger: Ledger,
    pub(super) catalog: Catalog,
    pub(super) plan: Vec<MigrationStatus>,
}

impl Situation {
    pub(super) async fn look(transaction: &Transaction<'_>, db_schema: &str) -> Result<Self, MigrateError> {
        let server = Server::find(transaction, db_schema).await?;
        let ledger = ledger::read(transaction, db_schema, &quote_identifier(&server.role)).await?;
        let catalog = read_catalog(transaction, db_schema).await?;
        let plan = plan(&MIGRATIONS, &ledger.records, !catalog.is_empty());
        Ok(Self { server, ledger, catalog, plan })
    }

    pub(super) fn of_empty_database(db_schema: &str) -> Self {
        Self {
            server: Server { database: String::new(), role: String::new(), may_create: true },
            ledger: Ledger { has_schema: false, state: LedgerState::Missing, records: Vec::new() },
            catalog: Catalog { db_schema: db_schema.to_owned(), relations: Vec::new(), phone_type: None },
            plan: plan(&MIGRATIONS, &[], false),
        }
    }

    pub(super) fn place(&self) -> DdlContext<'_> {
        DdlContext {
            db_schema: &self.catalog.db_schema,
            database: &self.server.database,
            role: &self.server.role,
        }
    }

    fn migrations_in(&self, state: State) -> impl DoubleEndedIterator<Item = &'static Migration> {
        MIGRATIONS.iter().filter(move |migration| {
            self.plan.iter().any(|status| status.version == migration.version && status.state == state)
        })
    }

    pub(super) fn in_state(&self, state: State) -> Vec<Applied> {
        self.migrations_in(state).map(|m| Applied { version: m.version, name: m.name }).collect()
    }

    /// None where everything is applied.
    pub(super) fn steps_of_up(&self) -> Result<Vec<Step>, MigrateError> {
        self.refuse_unknown()?;
        let place = self.place();
        let mut steps = self.steps_of_ledger();
        for migration in self.migrations_in(State::Pending) {
            steps.push(script::search_path(&place));
            steps.push(script::up(&place, migration));
            steps.push(script::record(&place, migration, false));
        }
        if self.migrations_in(State::Adoptable).next().is_some() {
            let differences = differences(&self.catalog);
            if !differences.is_empty() {
                return Err(MigrateError::Differs(differences));
            }
        }
        for migration in self.migrations_in(State::Adoptable) {
            steps.push(script::record(&place, migration, true));
        }
        Ok(steps)
    }

    /// None where the ledger is up to date.
    pub(super) fn steps_of_ledger(&self) -> Vec<Step> {
        let place = self.place();
        let version = match self.ledger.state {
            LedgerState::Missing => 0,
            LedgerState::Outdated { version } => version,
            LedgerState::Current => LEDGER_VERSION,
        };
        let ledger = || script::create_ledger(&place, self.ledger.has_schema);
        let steps: [(i32, &dyn Fn() -> Step); 8] = [
            (1, &ledger),
            (2, &|| script::create_runs(&place)),
            (3, &|| script::create_bulk(&place)),
            (4, &|| script::create_plans(&place)),
            (5, &|| script::create_reports(&place)),
            (6, &|| script::create_rejected_documents(&place)),
            (7, &|| script::create_etags(&place)),
            (8, &|| script::create_parts(&place)),
        ];
        steps.iter().filter(|(since, _)| *since > version).map(|(_, step)| step()).collect()
    }

    /// What the ledger is, where it is to be made or brought up to date.
    pub(super) fn ledger_to_be_changed(&self) -> Option<LedgerState> {
        Some(self.ledger.state).filter(|state| *state != LedgerState::Current)
    }

    pub(super) fn steps_of_down(&self) -> Vec<Step> {
        let place = self.place();
        let mut steps = vec![script::search_path_for_down(&place)];
        for migration in self.migrations_in(State::Applied).rev() {
            steps.push(script::down(&place, migration, &self.owners()));
            steps.push(script::forget(&place, migration));
        }
        steps
    }

    pub(super) fn refuse_unknown(&self) -> Result<(), MigrateError> {
        for status in &self.plan {
            let (version, name) = (status.version, status.name.clone());
            match status.state {
                State::ChangedSinceApplied => return Err(MigrateError::Changed { version, name }),
                State::UnknownRecorded => return Err(MigrateError::Newer { version, name }),
                State::Applied | State::Pending | State::Adoptable => {}
            }
        }
        Ok(())
    }

    pub(super) fn refuse_up_without_privilege(&self) -> Result<(), MigrateError> {
        if self.server.may_create || self.in_state(State::Pending).is_empty() {
            return Ok(());
        }
        let needed = script::grant_create(&self.place());
        Err(MigrateError::Privilege { what: "creating the tables", needed, source: None })
    }

    pub(super) fn refuse_adopted(&self) -> Result<(), MigrateError> {
        if self.ledger.records.iter().any(|record| record.is_adopted) {
            return Err(MigrateError::AdoptedDown { db_schema: self.catalog.db_schema.clone() });
        }
        Ok(())
    }

    /// Of the tables, each once.
    pub(super) fn owners(&self) -> Vec<&str> {
        let mut owners: Vec<_> = self.catalog.relations.iter().map(|table| table.owner.as_str()).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }
}

pub(super) async fn read_catalog(
    transaction: &Transaction<'_>,
    db_schema: &str,
) -> Result<Catalog, MigrateError> {
    Catalog::read(transaction, db_schema).await.map_err(failed("reading what the tables are like"))
}
