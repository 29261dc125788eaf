//! Documents that a unique or exclusion constraint refuses, because of what other profiles hold: who holds it, and which
//! documents have to be tried together, because they give up what others of them want to have.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio_postgres::{Row, Transaction};

use super::{decisions::BatchDocument, refusal::Clash};
use crate::{
    postgres::quote_identifier,
    runs::{RunError, failed},
    session::Uuid,
    tables::Table,
};

/// Of a group of more documents, none is left out to see whether the others can have what they want.
const CHOICES_MAX: usize = 32;

/// A document that was refused by itself.
#[derive(Debug)]
pub(crate) struct Clashing {
    /// In its batch.
    pub(crate) index: usize,
    pub(crate) clash: Clash,
}

/// What a unique index or exclusion constraint compares.
#[derive(Debug)]
pub(crate) struct ClashKey {
    /// Of staged documents, by their seqs: seq, owner, and the values.
    wanted: String,
    /// Of what is stored: owner, and the values.
    stored: String,
    operators: Vec<String>,
    /// All of them can be compared at once.
    pub(crate) is_quick: bool,
}

impl ClashKey {
    pub(crate) async fn read(
        transaction: &Transaction<'_>,
        db_schema: &str,
        Clash { table, constraint, .. }: &Clash,
    ) -> Result<Option<Self>, RunError> {
        let Some(table) = Table::ALL.into_iter().find(|known| known.name() == table) else { return Ok(None) };
        let row = transaction
            .query_opt(
                include_str!("../../../sql/merge/clash_key.sql"),
                &[&db_schema, &table.name(), constraint],
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
        let owner = if table == Table::Profiles { "id" } else { "customer_profile_id" };
        let schema = quote_identifier(db_schema);
        let keys: Vec<String> = row.get("keys");
        let columns: Vec<_> = keys.iter().enumerate().map(|(n, key)| format!("{key} AS key_{n}")).collect();
        let columns = columns.join(", ");
        let condition = row.get::<_, Option<&str>>("predicate").unwrap_or("true");
        let rows = rows.replace("@schema@", &schema);
        Ok(Some(Self {
            wanted: format!("SELECT seq, {owner} AS owner, {columns} FROM ({rows}) AS r WHERE {condition}"),
            stored: format!(
                "SELECT {owner} AS owner, {columns} FROM {schema}.{} WHERE {condition}",
                table.name()
            ),
            operators: row.get("operators"),
            is_quick: row.get("is_hashed"),
        }))
    }

    /// The profiles that hold what staged documents want to have: seq and id.
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
        let rows = ask(transaction, &sql, seqs).await?;
        Ok(rows.iter().map(|row| (seq(row), row.get::<_, Uuid>("holder").0)).collect())
    }

    /// The staged documents that want what one before them wants to have, too.
    pub(crate) async fn later(
        &self,
        transaction: &Transaction<'_>,
        seqs: &[u64],
    ) -> Result<Vec<u64>, RunError> {
        let sql = format!(
            "WITH wanted AS MATERIALIZED ({})
             SELECT DISTINCT later.seq FROM wanted AS later JOIN wanted AS earlier ON {}
             WHERE earlier.seq < later.seq AND earlier.owner <> later.owner",
            self.wanted,
            self.alike("earlier", "later")
        );
        let rows = ask(transaction, &sql, seqs).await?;
        Ok(rows.iter().map(seq).collect())
    }

    fn alike(&self, one: &str, other: &str) -> String {
        let operators = self.operators.iter().enumerate();
        let alike: Vec<_> =
            operators.map(|(n, operator)| format!("{one}.key_{n} {operator} {other}.key_{n}")).collect();
        alike.join(" AND ")
    }
}

fn seq(row: &Row) -> u64 {
    u64::try_from(row.get::<_, i64>("seq")).expect("a seq is not negative")
}

/// Nothing where the constraint needs more than the documents have, such as a column of the owner's.
async fn ask(transaction: &Transaction<'_>, sql: &str, seqs: &[u64]) -> Result<Vec<Row>, RunError> {
    let what = || failed("looking for the profiles that documents clash with");
    let seqs: Vec<i64> = seqs.iter().map(|&seq| i64::try_from(seq).expect("a seq has 63 bits")).collect();
    transaction.batch_execute("SAVEPOINT asked").await.map_err(what())?;
    let rows = match transaction.query(sql, &[&seqs]).await {
        Ok(rows) => rows,
        Err(error) if error.as_db_error().is_some() => Vec::new(),
        Err(error) => return Err(what()(error)),
    };
    let back = "ROLLBACK TO SAVEPOINT asked; RELEASE SAVEPOINT asked";
    transaction.batch_execute(back).await.map_err(what())?;
    Ok(rows)
}

/// Those of the documents whose wish may be granted: what they want is held by nobody, or only by others of them, which
/// may give it up.
pub(crate) fn contenders(
    documents: &[BatchDocument<'_>],
    chosen: &[usize],
    holders: &[(u64, [u8; 16])],
) -> BTreeSet<usize> {
    let held_by = by_seq(holders);
    let mut open: BTreeSet<usize> = chosen.iter().copied().collect();
    loop {
        let ids: HashSet<_> = open.iter().map(|&index| documents[index].id).collect();
        let before = open.len();
        open.retain(|&index| {
            let holders = held_by.get(&documents[index].seq);
            holders.is_none_or(|holders| holders.iter().all(|holder| ids.contains(holder)))
        });
        if open.len() == before {
            return open;
        }
    }
}

fn by_seq(holders: &[(u64, [u8; 16])]) -> HashMap<u64, Vec<[u8; 16]>> {
    let mut held_by: HashMap<u64, Vec<[u8; 16]>> = HashMap::new();
    for &(seq, holder) in holders {
        held_by.entry(seq).or_default().push(holder);
    }
    held_by
}

/// Indices of documents, rising, that have to be tried together, in the order of the first of each group: what each
/// wants is held by nobody but others of the group, as far as is known.
pub(crate) fn groups(
    documents: &[BatchDocument<'_>],
    clashing: &[usize],
    holders: &[(u64, [u8; 16])],
) -> Vec<Vec<usize>> {
    let open = contenders(documents, clashing, holders);
    let held_by = by_seq(holders);
    // Each group is named by one of its ids.
    let mut group_of: HashMap<[u8; 16], [u8; 16]> =
        open.iter().map(|&index| (documents[index].id, documents[index].id)).collect();
    let find = |group_of: &HashMap<[u8; 16], [u8; 16]>, mut id: [u8; 16]| {
        while group_of[&id] != id {
            id = group_of[&id];
        }
        id
    };
    for &index in &open {
        for holder in held_by.get(&documents[index].seq).into_iter().flatten() {
            let (one, other) = (find(&group_of, documents[index].id), find(&group_of, *holder));
            group_of.insert(one, other);
        }
    }
    let mut at: HashMap<[u8; 16], usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &index in &open {
        let name = find(&group_of, documents[index].id);
        let place = *at.entry(name).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(index);
    }
    groups
}

/// Which documents of a group are tried, one choice after another until one is accepted: all, then all but one, the
/// latest first.
pub(crate) fn attempts(group: &[usize]) -> Vec<Vec<usize>> {
    let mut attempts = vec![group.to_vec()];
    if (3..=CHOICES_MAX).contains(&group.len()) {
        let without = |left_out: usize| {
            group.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, &index)| index).collect()
        };
        attempts.extend((0..group.len()).rev().map(without));
    }
    attempts
}
