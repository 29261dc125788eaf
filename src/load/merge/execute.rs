//! Documents are compared with what is stored, and only what differs is written; all within a transaction that
//! somebody else begins and commits.
//!
//! A range of documents is merged inside a savepoint. When the server refuses one of them it doesn't say which:
//! the range is taken back and its halves are merged by themselves, until the one document is found.
//! Queries are prepared anew each time: a plan made while the tables were small must not outlive that.

use std::{collections::HashSet, ops::Range};

use tokio_postgres::{Row, Transaction};

use super::{
    decisions::{BatchDocument, Compared, Comparison, Decisions},
    refusal,
    statements::MergeSql,
};
use crate::{
    report::RowCounts,
    runs::{RunError, Verdict, failed},
    session::{Ctid, Pulse, SessionError, Uuid},
    settings::OnExisting,
};

/// So many rounds are finished even when the run is to stop: ordinary input needs no more.
const PATIENT_ROUNDS: u32 = 4;

/// How often a document is tried again whose rows did not all arrive: another session may have changed some of
/// them in between, which does not happen twice.
const LEFT_OUT_MAX: u32 = 2;

/// The parts of a document, as they are told apart in what the server says of it.
const PROFILE: i32 = 1;
const ADDRESS: i32 = 2;
const EMAILS: i32 = 4;
const PHONE_NUMBERS: i32 = 8;

/// What was merged; it stands once the transaction is committed.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// One for each document, in order.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) rows: RowCounts,
}

/// Why documents were not merged.
#[derive(Debug)]
pub(crate) enum MergeError {
    Failed(RunError),
    /// The run is to stop, and what is left would take long.
    Stopped,
    /// Fewer rows were written than the documents have, without an error.
    LeftOut,
}

impl From<RunError> for MergeError {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

impl From<SessionError> for MergeError {
    fn from(error: SessionError) -> Self {
        Self::Failed(error.into())
    }
}

/// The transaction that documents are merged in, and what merging needs to know.
pub(crate) struct Merge<'a, 'o> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) sql: &'a MergeSql,
    pub(crate) on_existing: OnExisting,
    pub(crate) own: &'a mut OwnTransactions<'o>,
    /// Whether the run is to stop.
    pub(crate) is_stopping: &'a (dyn Fn() -> bool + Sync),
    pub(crate) pulse: &'a Pulse,
    /// How many documents are staged.
    pub(crate) staged: usize,
}

/// The transactions of a lane that inserted profiles, as the rows' `xmin` has them.
#[derive(Debug)]
pub(crate) struct OwnTransactions<'a> {
    committed: &'a HashSet<u32>,
    /// The tables were empty as the run began.
    is_all: bool,
    /// Those of the transaction under way.
    new: HashSet<u32>,
}

impl<'a> OwnTransactions<'a> {
    pub(crate) fn new(committed: &'a HashSet<u32>, is_all: bool) -> Self {
        Self { committed, is_all, new: HashSet::new() }
    }

    fn contains(&self, xid: u32) -> bool {
        self.is_all || self.committed.contains(&xid) || self.new.contains(&xid)
    }

    pub(crate) fn into_new(self) -> Vec<u32> {
        self.new.into_iter().collect()
    }
}

impl Merge<'_, '_> {
    /// Merges documents that are staged, those excepted that the server refuses.
    pub(crate) async fn documents(&mut self, documents: &[BatchDocument<'_>]) -> Result<Merged, MergeError> {
        let mut done = Merged::default();
        let mut todo = Vec::from([Range { start: 0, end: documents.len() }]);
        let mut left_out = 0;
        while let Some(range) = todo.pop() {
            if range.is_empty() {
                continue;
            }
            if range.len() < documents.len() && (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let fault = match self.in_savepoint(&documents[range.clone()]).await {
                Ok(merged) => {
                    done.verdicts.extend(merged.verdicts);
                    done.rows.add(merged.rows);
                    left_out = 0;
                    continue;
                }
                Err(MergeError::LeftOut) if range.len() == 1 && left_out < LEFT_OUT_MAX => {
                    left_out += 1;
                    todo.push(range);
                    continue;
                }
                Err(MergeError::LeftOut) => refusal::suppressed(),
                Err(MergeError::Failed(error)) => {
                    refusal::of_a_document(&error).map(refusal::fault).ok_or(error)?
                }
                Err(MergeError::Stopped) => return Err(MergeError::Stopped),
            };
            left_out = 0;
            if range.len() == 1 {
                done.verdicts.push(Verdict::Rejected(fault));
            } else {
                let middle = range.start + range.len() / 2;
                todo.push(middle..range.end);
                todo.push(range.start..middle);
            }
        }
        Ok(done)
    }

    /// All of the documents or, where the server refuses one of them, none.
    async fn in_savepoint(&mut self, documents: &[BatchDocument<'_>]) -> Result<Merged, MergeError> {
        self.execute("setting a savepoint", "SAVEPOINT merged").await?;
        let merged = match self.in_rounds(documents).await {
            // A constraint that the owner made deferrable speaks now, not at the end of the transaction.
            Ok(merged) => self
                .execute("checking deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE")
                .await
                .map(|()| merged)
                .map_err(MergeError::Failed),
            Err(error) => Err(error),
        };
        let is_over = |error: &MergeError| match error {
            MergeError::LeftOut => false,
            MergeError::Stopped => true,
            MergeError::Failed(error) => refusal::of_a_document(error).is_none(),
        };
        match &merged {
            // The whole transaction is about to be rolled back.
            Err(error) if is_over(error) => {}
            Err(_) => {
                let back = "ROLLBACK TO SAVEPOINT merged; RELEASE SAVEPOINT merged";
                self.execute("going back to the savepoint", back).await?;
            }
            Ok(_) => self.execute("releasing the savepoint", "RELEASE SAVEPOINT merged").await?,
        }
        merged
    }

    async fn execute(&self, what: &'static str, sql: &str) -> Result<(), RunError> {
        self.transaction.batch_execute(sql).await.map_err(failed(what))?;
        self.pulse.beat();
        Ok(())
    }

    async fn in_rounds(&mut self, documents: &[BatchDocument<'_>]) -> Result<Merged, MergeError> {
        let mut decisions = Decisions::new(documents, self.on_existing);
        let mut rows = RowCounts::default();
        for rounds in 0.. {
            let round = decisions.next_round();
            if round.is_empty() {
                break;
            }
            if rounds >= PATIENT_ROUNDS && (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let found = self.classify(&decisions, &round).await?;
            let writes = decisions.classify(&round, &found);
            if !writes.insert.is_empty() {
                let inserted = self.insert(&decisions, &writes.insert, &mut rows).await?;
                decisions.written(&writes.insert, &inserted, &Verdict::Inserted);
            }
            if !writes.update.is_empty() {
                let updated =
                    update(self.transaction, self.sql, &decisions, &writes.update, &mut rows).await?;
                self.pulse.beat();
                decisions.written(&writes.update, &updated, &Verdict::Updated);
            }
        }
        Ok(Merged { verdicts: decisions.into_verdicts(), rows })
    }

    async fn classify(&self, decisions: &Decisions<'_>, round: &[usize]) -> Result<Vec<Compared>, RunError> {
        let what = failed("comparing with the stored profiles");
        let row = if round.len() == self.staged {
            self.transaction.query_one(&self.sql.classify_all, &[]).await
        } else {
            self.transaction.query_one(&self.sql.classify_seqs, &[&decisions.seqs(round)]).await
        };
        self.pulse.beat();
        Ok(found(&row.map_err(what)?, self.own))
    }

    async fn insert(
        &mut self,
        decisions: &Decisions<'_>,
        chosen: &[usize],
        rows: &mut RowCounts,
    ) -> Result<HashSet<[u8; 16]>, MergeError> {
        let inserted = insert(self.transaction, self.sql, decisions, chosen, rows).await?;
        self.pulse.beat();
        if self.on_existing == OnExisting::Reject
            && let Some(&id) = inserted.iter().next()
        {
            let row = self
                .transaction
                .query_opt(&self.sql.written_by, &[&Uuid(id)])
                .await
                .map_err(failed("reading which transaction inserted a profile"))?;
            self.own.new.extend(row.map(|row| transaction_id(row.get("written_by"))));
        }
        Ok(inserted)
    }
}

/// What was found, from arrays of the same length.
fn found(row: &Row, own: &OwnTransactions<'_>) -> Vec<Compared> {
    let (seqs, ctids, writers): (Vec<i64>, Vec<Ctid>, Vec<Option<i64>>) =
        (row.get("seqs"), row.get("places"), row.get("writers"));
    let found = seqs.into_iter().zip(ctids).zip(writers).map(|((seq, ctid), writer)| Compared {
        seq: u64::try_from(seq).expect("a seq is not negative"),
        ctid,
        what: writer.map_or(Comparison::NotStored, |writer| Comparison::Differs {
            is_ours: own.contains(transaction_id(writer)),
        }),
    });
    found.collect()
}

/// From an `xmin`: the transaction, or the part of one after a savepoint, that wrote a row.
fn transaction_id(xmin: i64) -> u32 {
    u32::try_from(xmin).expect("xmin is a 32-bit number")
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
    let ctids = decisions.ctids(chosen);
    let returned = transaction.query(&sql.insert_profiles, &[&ctids]).await.map_err(what)?;
    let ids: HashSet<[u8; 16]> = returned.iter().map(|row| row.get::<_, Uuid>(0).0).collect();
    let arrived: Vec<_> =
        chosen.iter().copied().filter(|&index| ids.contains(&decisions.id(index))).collect();
    rows.customer_profiles += count(ids.len());
    if arrived.is_empty() {
        return Ok(ids);
    }
    let ctids = decisions.ctids(&arrived);
    let expected = decisions.children(&arrived);
    let [addresses, emails, phone_numbers] = &sql.insert_children;
    let execute = async |what, statement: &String, expected| {
        let written = transaction.execute(statement, &[&ctids]).await.map_err(failed(what))?;
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
    // They may have changed until they were held.
    let again = transaction
        .query_one(&sql.classify_places, &[&decisions.ctids(&held)])
        .await
        .map_err(failed("comparing with the profiles that are held"))?;
    let (ctids, parts): (Vec<Ctid>, Vec<i32>) = (again.get("places"), again.get("parts"));
    let [profiles, addresses, emails, phone_numbers] = &sql.updates;
    let execute = async |what, part, statement: &String| {
        let differs = |(ctid, parts): (&Ctid, &i32)| (parts & part != 0).then_some(*ctid);
        let ctids: Vec<_> = ctids.iter().zip(&parts).filter_map(differs).collect();
        if ctids.is_empty() {
            return Ok(0);
        }
        let row = transaction.query_one(statement, &[&ctids]).await.map_err(failed(what))?;
        let count = |name| u64::try_from(row.get::<_, i64>(name)).expect("a count is not negative");
        as_expected(count("rows"), count("expected"))
    };
    rows.customer_profiles += execute("updating profiles", PROFILE, profiles).await?;
    rows.customer_profile_addresses += execute("updating addresses", ADDRESS, addresses).await?;
    rows.customer_profile_emails += execute("updating e-mails", EMAILS, emails).await?;
    rows.customer_profile_phone_numbers +=
        execute("updating phone numbers", PHONE_NUMBERS, phone_numbers).await?;
    Ok(ids)
}

/// A trigger or rule of the owner's can leave rows out without an error; a document is whole or rejected.
fn as_expected(written: u64, expected: u64) -> Result<u64, MergeError> {
    if written == expected { Ok(written) } else { Err(MergeError::LeftOut) }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a length has 64 bits")
}
