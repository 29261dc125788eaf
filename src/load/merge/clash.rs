//! Unique and exclusion constraints between profiles: what each compares, who holds what documents want to have, and which
//! documents want the same. The server compares, for only the server knows its operators and collations.

use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{Row, Transaction};

use super::refusal::{self, Clash};
use crate::{
    document::Fault,
    postgres::quote_identifier,
    runs::{RunError, failed},
    session::Uuid,
    tables::Table,
};

/// What can't be hashed is compared each with each: of so many documents in some seconds.
const PAIRWISE_MAX: usize = 4000;

/// So many pairs that exclude each other are taken in, which is 16 MB.
const PAIRS_MAX: usize = 1_000_000;

/// A constraint that may hold between profiles.
#[derive(Debug)]
pub(crate) struct Constraint {
    pub(crate) table: String,
    pub(crate) name: String,
}

/// What a unique index or exclusion constraint compares.
#[derive(Debug)]
pub(crate) struct ClashKey {
    /// Of staged documents, by their seqs: seq, owner, and the values.
    wanted: String,
    /// Of what is stored: owner, and the values.
    stored: String,
    /// The values' names.
    columns: String,
    operators: Vec<String>,
    /// All of them can be compared at once.
    pub(crate) is_quick: bool,
    /// Whether values that are null are the same.
    nulls_are_alike: bool,
    /// One profile may have the same more than once.
    spares_own: bool,
    /// Of a document that can't have what it wants.
    pub(crate) fault: Fault,
}

/// What documents want, some of them together.
#[derive(Debug, Default)]
pub(crate) struct Contested {
    /// The seqs of documents of which only one can have what they want; each has two at least.
    pub(crate) claims: Vec<Vec<u64>>,
    /// Those that want the same twice, which nobody can have.
    pub(crate) impossible: Vec<u64>,
}

/// The constraints that may hold between profiles, in the order of their names.
pub(crate) async fn constraints(
    transaction: &Transaction<'_>,
    db_schema: &str,
) -> Result<Vec<Constraint>, RunError> {
    let names: &[&str] = &Table::ALL.map(Table::name);
    let rows = transaction
        .query(include_str!("../../../sql/runs/clashes.sql"), &[&db_schema, &names])
        .await
        .map_err(failed("reading the constraints of the tables"))?;
    Ok(rows.iter().map(|row| Constraint { table: row.get("table_name"), name: row.get("name") }).collect())
}

impl ClashKey {
    /// Nothing where it compares nothing of the documents.
    pub(crate) async fn read(
        transaction: &Transaction<'_>,
        db_schema: &str,
        table: &str,
        constraint: &str,
    ) -> Result<Option<Self>, RunError> {
        let Some(table) = Table::ALL.into_iter().find(|known| known.name() == table) else { return Ok(None) };
        let owner = if table == Table::Profiles { "id" } else { "customer_profile_id" };
        let row = transaction
            .query_opt(
                include_str!("../../../sql/merge/clash_key.sql"),
                &[&db_schema, &table.name(), &constraint, &owner],
            )
            .await
            .map_err(failed("reading what a constraint compares"))?;
        let Some(row) = row else { return Ok(None) };
        let rows = match table {
            Table::Profiles => include_str!("../../../sql/merge/rows_of_profiles.sql"),
            Table::Addresses => include_str!("../../../sql/merge/rows_of_addresses.sql"),
            Table::Emails => include_str!("../../../sql/merge/rows_of_emails.sql"),
            Table::PhoneNumbers => include_str!("../../../sql/merge/rows_of_phone_numbers.sql"),
        };
        let schema = quote_identifier(db_schema);
        let keys: Vec<String> = row.get("keys");
        let values: Vec<_> = keys.iter().enumerate().map(|(n, key)| format!("{key} AS key_{n}")).collect();
        let values = values.join(", ");
        let columns: Vec<_> = (0..keys.len()).map(|n| format!("key_{n}")).collect();
        let condition = row.get::<_, Option<&str>>("predicate").unwrap_or("true");
        let rows = rows.replace("@schema@", &schema);
        Ok(Some(Self {
            wanted: format!("SELECT seq, {owner} AS owner, {values} FROM ({rows}) AS r WHERE {condition}"),
            stored: format!(
                "SELECT {owner} AS owner, {values} FROM {schema}.{} WHERE {condition}",
                table.name()
            ),
            columns: columns.join(", "),
            operators: row.get("operators"),
            is_quick: row.get("is_hashed"),
            nulls_are_alike: row.get("nulls_are_alike"),
            spares_own: row.get("spares_own"),
            fault: refusal::clash(table.name(), constraint, row.get("is_exclusion")),
        }))
    }

    pub(crate) async fn of(
        transaction: &Transaction<'_>,
        db_schema: &str,
        clash: &Clash,
    ) -> Result<Option<Self>, RunError> {
        Self::read(transaction, db_schema, &clash.table, &clash.constraint).await
    }

    /// The profiles that hold what staged documents want to have: seq and id; rising.
    pub(crate) async fn holders(
        &self,
        transaction: &Transaction<'_>,
        seqs: &[u64],
    ) -> Result<Vec<(u64, [u8; 16])>, RunError> {
        let sql = format!(
            "SELECT DISTINCT wanted.seq, stored.owner AS holder FROM ({}) AS wanted JOIN ({}) AS stored ON {}
             WHERE stored.owner <> wanted.owner",
            self.wanted,
            self.stored,
            self.alike("stored", "wanted")
        );
        let holder = |row: &Row| (number(row, "seq"), row.get::<_, Uuid>("holder").0);
        let mut holders = ask(transaction, &sql, seqs, holder).await?;
        holders.sort_unstable();
        Ok(holders)
    }

    /// The staged documents that want what another's before them wants to have, too; of those that can be compared at once.
    pub(crate) async fn later(
        &self,
        transaction: &Transaction<'_>,
        seqs: &[u64],
    ) -> Result<Vec<u64>, RunError> {
        let sql = format!(
            "SELECT DISTINCT seq FROM (
                 SELECT seq, owner <> first_value(owner) OVER (PARTITION BY {} ORDER BY seq) AS is_later
                 FROM ({}) AS wanted WHERE {}
             ) AS wanted WHERE is_later",
            self.columns,
            self.wanted,
            self.can_clash()
        );
        ask(transaction, &sql, seqs, |row| number(row, "seq")).await
    }

    /// What more than one of the staged documents want to have, none of them with the id of another.
    pub(crate) async fn contested(
        &self,
        transaction: &Transaction<'_>,
        seqs: &[u64],
    ) -> Result<Contested, RunError> {
        if self.is_quick {
            self.equal(transaction, seqs).await
        } else if seqs.len() <= PAIRWISE_MAX {
            self.pairs(transaction, seqs).await
        } else {
            Ok(Contested::default())
        }
    }

    async fn equal(&self, transaction: &Transaction<'_>, seqs: &[u64]) -> Result<Contested, RunError> {
        let sql = format!(
            "SELECT seq, dense_rank() OVER (ORDER BY {columns}) AS value FROM (
                 SELECT *, count(*) OVER (PARTITION BY {columns}) AS claims
                 FROM ({}) AS wanted WHERE {}
             ) AS wanted WHERE claims > 1",
            self.wanted,
            self.can_clash(),
            columns = self.columns
        );
        let mut wanted =
            ask(transaction, &sql, seqs, |row| (number(row, "value"), number(row, "seq"))).await?;
        wanted.sort_unstable();
        let mut contested = Contested::default();
        for claim in wanted.chunk_by(|one, other| one.0 == other.0) {
            let mut seqs: Vec<u64> = claim.iter().map(|&(_, seq)| seq).collect();
            if !self.spares_own {
                let twice = seqs.windows(2).filter(|two| two[0] == two[1]);
                contested.impossible.extend(twice.map(|two| two[0]));
            }
            seqs.dedup();
            if seqs.len() > 1 {
                contested.claims.push(seqs);
            }
        }
        Ok(contested)
    }

    /// Nothing where there are too many: the server decides on each by itself.
    async fn pairs(&self, transaction: &Transaction<'_>, seqs: &[u64]) -> Result<Contested, RunError> {
        let sql = format!(
            "WITH wanted AS MATERIALIZED ({})
             SELECT DISTINCT earlier.seq AS earlier, later.seq AS later
             FROM wanted AS later JOIN wanted AS earlier ON {}
             WHERE earlier.seq < later.seq AND earlier.owner <> later.owner LIMIT {}",
            self.wanted,
            self.alike("earlier", "later"),
            PAIRS_MAX + 1
        );
        let pair = |row: &Row| [number(row, "earlier"), number(row, "later")];
        let mut pairs = ask(transaction, &sql, seqs, pair).await?;
        if pairs.len() > PAIRS_MAX {
            return Ok(Contested::default());
        }
        pairs.sort_unstable();
        Ok(Contested { claims: pairs.into_iter().map(Vec::from).collect(), impossible: Vec::new() })
    }

    fn alike(&self, one: &str, other: &str) -> String {
        let compared = |(n, operator): (usize, &String)| {
            if self.nulls_are_alike {
                // Arrays compare their nulls as equal, and can be hashed, which IS NOT DISTINCT FROM can't.
                format!("ARRAY[{one}.key_{n}] OPERATOR(pg_catalog.=) ARRAY[{other}.key_{n}]")
            } else {
                format!("{one}.key_{n} {operator} {other}.key_{n}")
            }
        };
        self.operators.iter().enumerate().map(compared).collect::<Vec<_>>().join(" AND ")
    }

    /// Whether a row can clash with another at all.
    fn can_clash(&self) -> String {
        if self.nulls_are_alike {
            return "true".to_owned();
        }
        let is_there = (0..self.operators.len()).map(|n| format!("key_{n} IS NOT NULL"));
        is_there.collect::<Vec<_>>().join(" AND ")
    }
}

fn number(row: &Row, column: &str) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).expect("neither a seq nor a rank is negative")
}

/// Nothing where the constraint needs more than the documents have, such as a column of the owner's.
async fn ask<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    seqs: &[u64],
    of_row: impl Fn(&Row) -> T,
) -> Result<Vec<T>, RunError> {
    let what = || failed("looking for the profiles that documents clash with");
    let seqs: Vec<i64> = seqs.iter().map(|&seq| i64::try_from(seq).expect("a seq has 63 bits")).collect();
    transaction.batch_execute("SAVEPOINT asked").await.map_err(what())?;
    let collect = async {
        // One row after another, for there may be millions.
        let rows = transaction.query_raw(sql, [&seqs]).await?;
        pin_mut!(rows);
        let mut all = Vec::new();
        while let Some(row) = rows.try_next().await? {
            all.push(of_row(&row));
        }
        Ok(all)
    };
    let all = match collect.await {
        Ok(all) => all,
        Err::<_, tokio_postgres::Error>(error) if error.as_db_error().is_some() => Vec::new(),
        Err(error) => return Err(what()(error)),
    };
    let back = "ROLLBACK TO SAVEPOINT asked; RELEASE SAVEPOINT asked";
    transaction.batch_execute(back).await.map_err(what())?;
    Ok(all)
}
