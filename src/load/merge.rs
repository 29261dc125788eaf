//! One transaction: documents are staged by COPY, compared with what is stored, and only what differs is
//! written. A crash leaves either all of it or nothing.
//!
//! Queries are prepared anew each time: a plan made while the tables were small must not outlive that.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, pin_mut};
use tokio_postgres::{Statement, Transaction, types::ToSql};

use super::{
    LoadError, Session, Verdict,
    batch::{BatchDocument, Decisions, Stored},
    failed,
    session::MergeSql,
};
use crate::{
    report::RowCounts,
    rows::{COPY_HEADER, COPY_TRAILER},
    settings::OnExisting,
};

/// How much goes to the socket at once.
const FRAME_BYTES: usize = 256 * 1024;

/// So many rounds are finished even when the run is to stop: ordinary input needs no more.
const PATIENT_ROUNDS: u32 = 4;

/// What a committed transaction did.
pub(super) struct Merged {
    /// One for each document, in order.
    pub(super) verdicts: Vec<Verdict>,
    pub(super) rows: RowCounts,
}

/// Why a transaction was rolled back.
#[derive(Debug)]
pub(super) enum MergeError {
    Failed(LoadError),
    /// The run is to stop, and the documents of one id would have taken long.
    Stopped,
    /// Fewer rows were written than the documents have, without an error.
    LeftOut,
}

impl From<LoadError> for MergeError {
    fn from(error: LoadError) -> Self {
        Self::Failed(error)
    }
}

/// Loads the documents in one transaction; on an error nothing of it stays.
pub(super) async fn merge(
    session: &mut Session,
    documents: &[BatchDocument<'_>],
    on_existing: OnExisting,
    stop: &AtomicBool,
) -> Result<Merged, MergeError> {
    let mut decisions = Decisions::new(documents, on_existing);
    let mut rows = RowCounts::default();
    let (client, sql, copy, own_transactions) = session.split();
    let transaction = client.transaction().await.map_err(failed("BEGIN"))?;
    stage(&transaction, copy, &decisions).await?;
    for rounds in 0.. {
        let round = decisions.next_round();
        if round.is_empty() {
            break;
        }
        if rounds >= PATIENT_ROUNDS && stop.load(Ordering::Relaxed) {
            return Err(MergeError::Stopped);
        }
        let seqs = decisions.seqs(&round);
        let found = classify(&transaction, sql, &seqs, own_transactions).await?;
        let writes = decisions.classify(&round, &found);
        if !writes.insert.is_empty() {
            own_transactions.insert(current_transaction(&transaction).await?);
            let inserted = insert(&transaction, sql, &decisions, &writes.insert, &mut rows).await?;
            decisions.written(&writes.insert, &inserted, &Verdict::Inserted);
        }
        if !writes.update.is_empty() {
            let updated = update(&transaction, sql, &decisions, &writes.update, &mut rows).await?;
            decisions.written(&writes.update, &updated, &Verdict::Updated);
        }
    }
    transaction.commit().await.map_err(failed("COMMIT"))?;
    Ok(Merged { verdicts: decisions.into_verdicts(), rows })
}

/// COPY in the order of the ids, which is the order that the indexes like.
async fn stage(
    transaction: &Transaction<'_>,
    copy: &Statement,
    decisions: &Decisions<'_>,
) -> Result<(), LoadError> {
    let mut documents: Vec<_> = decisions.to_stage().collect();
    documents.sort_unstable_by_key(|document| (document.id, document.seq));
    let sink = transaction.copy_in::<_, Bytes>(copy).await.map_err(failed("COPY"))?;
    pin_mut!(sink);
    let mut frame = BytesMut::with_capacity(FRAME_BYTES);
    frame.extend_from_slice(COPY_HEADER);
    for document in documents {
        frame.extend_from_slice(document.row.0);
        if frame.len() >= FRAME_BYTES {
            sink.send(frame.split().freeze()).await.map_err(failed("COPY"))?;
            frame.reserve(FRAME_BYTES);
        }
    }
    frame.extend_from_slice(COPY_TRAILER);
    sink.send(frame.freeze()).await.map_err(failed("COPY"))?;
    sink.finish().await.map_err(failed("COPY"))?;
    Ok(())
}

async fn classify(
    transaction: &Transaction<'_>,
    sql: &MergeSql,
    seqs: &[i64],
    own_transactions: &HashSet<u32>,
) -> Result<Vec<Stored>, LoadError> {
    let rows = transaction
        .query(&sql.classify, &[&seqs])
        .await
        .map_err(failed("comparing with the stored profiles"))?;
    let stored = rows.iter().map(|row| {
        let written_by: &str = row.get("written_by");
        let written_by: u32 = written_by.parse().expect("xmin is a 32-bit number");
        Stored {
            seq: u64::try_from(row.get::<_, i64>("seq")).expect("a seq is not negative"),
            is_identical: row.get("is_identical"),
            is_ours: own_transactions.contains(&written_by),
        }
    });
    Ok(stored.collect())
}

/// The transaction's id as `xmin` has it: the low half of the 64 bits with the epoch.
async fn current_transaction(transaction: &Transaction<'_>) -> Result<u32, LoadError> {
    let row = transaction
        .query_one("SELECT txid_current()", &[])
        .await
        .map_err(failed("reading the transaction's id"))?;
    let id: i64 = row.get(0);
    Ok(u32::try_from(id & i64::from(u32::MAX)).expect("32 bits"))
}

/// Inserts documents whose ids are not stored; says which ids it wrote: another session may have been first.
async fn insert(
    transaction: &Transaction<'_>,
    sql: &MergeSql,
    decisions: &Decisions<'_>,
    chosen: &[usize],
    rows: &mut RowCounts,
) -> Result<HashSet<[u8; 16]>, MergeError> {
    let what = failed("inserting profiles");
    let seqs = decisions.seqs(chosen);
    let returned = transaction.query(&sql.insert_profiles, &[&seqs]).await.map_err(what)?;
    let ids: HashSet<[u8; 16]> = returned.iter().map(|row| row.get::<_, Uuid>(0).0).collect();
    let arrived: Vec<_> =
        chosen.iter().copied().filter(|&index| ids.contains(&decisions.id(index))).collect();
    rows.customer_profiles += count(ids.len());
    if arrived.is_empty() {
        return Ok(ids);
    }
    let seqs = decisions.seqs(&arrived);
    let expected = decisions.children(&arrived);
    let [addresses, emails, phone_numbers] = &sql.insert_children;
    let execute = async |what, statement: &String, expected| {
        let written = transaction.execute(statement, &[&seqs]).await.map_err(failed(what))?;
        as_expected(written, expected)
    };
    rows.customer_profile_addresses += execute("inserting addresses", addresses, expected.addresses).await?;
    rows.customer_profile_emails += execute("inserting e-mails", emails, expected.emails).await?;
    rows.customer_profile_phone_numbers +=
        execute("inserting phone numbers", phone_numbers, expected.phone_numbers).await?;
    Ok(ids)
}

/// Brings stored profiles to what the documents say, row by row where they differ; says which ids were still
/// stored.
async fn update(
    transaction: &Transaction<'_>,
    sql: &MergeSql,
    decisions: &Decisions<'_>,
    chosen: &[usize],
    rows: &mut RowCounts,
) -> Result<HashSet<[u8; 16]>, MergeError> {
    let ids: Vec<Uuid> = chosen.iter().map(|&index| Uuid(decisions.id(index))).collect();
    let locked = transaction
        .query(&sql.lock_profiles, &[&ids])
        .await
        .map_err(failed("locking the profiles that are to be updated"))?;
    let ids: HashSet<[u8; 16]> = locked.iter().map(|row| row.get::<_, Uuid>(0).0).collect();
    let held: Vec<_> = chosen.iter().copied().filter(|&index| ids.contains(&decisions.id(index))).collect();
    let seqs = decisions.seqs(&held);
    let [profiles, addresses, emails, phone_numbers] = &sql.updates;
    let execute = async |what, statement: &String| {
        let row = transaction.query_one(statement, &[&seqs]).await.map_err(failed(what))?;
        let count = |name| u64::try_from(row.get::<_, i64>(name)).expect("a count is not negative");
        as_expected(count("rows"), count("expected"))
    };
    rows.customer_profiles += execute("updating profiles", profiles).await?;
    rows.customer_profile_addresses += execute("updating addresses", addresses).await?;
    rows.customer_profile_emails += execute("updating e-mails", emails).await?;
    rows.customer_profile_phone_numbers += execute("updating phone numbers", phone_numbers).await?;
    Ok(ids)
}

/// A trigger or rule of the owner's can leave rows out without an error; a document is whole or rejected.
fn as_expected(written: u64, expected: u64) -> Result<u64, MergeError> {
    if written == expected { Ok(written) } else { Err(MergeError::LeftOut) }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}

/// A `uuid` on the wire.
#[derive(Debug)]
struct Uuid([u8; 16]);

impl<'a> tokio_postgres::types::FromSql<'a> for Uuid {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    tokio_postgres::types::accepts!(UUID);
}

impl ToSql for Uuid {
    fn to_sql(
        &self,
        _: &tokio_postgres::types::Type,
        out: &mut BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(tokio_postgres::types::IsNull::No)
    }

    tokio_postgres::types::accepts!(UUID);
    tokio_postgres::types::to_sql_checked!();
}
