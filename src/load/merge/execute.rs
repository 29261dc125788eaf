//! Documents are compared with what is stored, and only what differs is written; all within a transaction that
//! somebody else begins and commits.
//!
//! Documents are merged together inside a savepoint, all of them or none.
//! Queries are prepared anew each time: a plan made while the tables were small must not outlive that.

use std::collections::HashSet;

use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::{Row, Transaction};

use super::{
    decisions::{BatchDocument, Compared, Comparison, Decisions},
    error::MergeError,
    refusal,
    rules::Rules,
    statements::MergeSql,
    write,
};
use crate::{
    load::contents::{self, Contents},
    report::RowCounts,
    runs::{RunError, Verdict, failed},
    session::{Ctid, Pulse, Uuid},
    settings::OnExisting,
};

/// So many rounds are finished even when the run is to stop: ordinary input needs no more.
const PATIENT_ROUNDS: u32 = 4;

/// What was merged; it stands once the transaction is committed.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// One for each document, in order.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) rows: RowCounts,
}

/// The transaction that documents are merged in, and what merging needs to know.
pub(crate) struct Merge<'a, 'o> {
    pub(crate) transaction: &'a Transaction<'a>,
    pub(crate) sql: &'a MergeSql,
    pub(crate) db_schema: &'a str,
    pub(crate) on_existing: OnExisting,
    pub(crate) own: &'a mut OwnTransactions<'o>,
    /// Whether the run is to stop.
    pub(crate) is_stopping: &'a (dyn Fn() -> bool + Sync),
    pub(crate) pulse: &'a Pulse,
    /// How many documents are staged.
    pub(crate) staged: usize,
    pub(crate) on_clash: OnClash,
    pub(crate) rules: Rules,
    /// What comes between the first and the last document of an id is not written.
    pub(crate) skips_replaced: bool,
}

/// What becomes of a document that a unique or exclusion constraint refuses. Another of the input may be about to give
/// up what it wants to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnClash {
    /// No constraint holds between profiles: it is rejected.
    Reject,
    /// It is deferred until all others are loaded.
    Defer,
    /// It is tried again with those of its batch that clash with it.
    Decide,
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
    /// All of the documents or, where the server refuses one of them, none.
    pub(super) async fn in_savepoint(
        &mut self,
        documents: &[BatchDocument<'_>],
    ) -> Result<Merged, MergeError> {
        self.execute("setting a savepoint", "SAVEPOINT merged").await?;
        let merged = self.in_rounds(documents).await;
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
        if self.skips_replaced {
            decisions.skip_replaced();
        }
        let (mut rows, mut uncounted) = (RowCounts::default(), RowCounts::default());
        let mut written = Vec::new();
        for rounds in 0.. {
            decisions.decide_replaced();
            self.compare_with_stored(&mut decisions).await?;
            let round = decisions.next_round();
            if round.is_empty() {
                break;
            }
            if rounds >= PATIENT_ROUNDS && (self.is_stopping)() {
                return Err(MergeError::Stopped);
            }
            let rows = if decisions.stand_for_others(&round) { &mut uncounted } else { &mut rows };
            let found = self.classify(&decisions, &round).await?;
            let writes = decisions.classify(&round, &found);
            let mut have_arrived = true;
            // They give up what others may want to have.
            if !writes.update.is_empty() {
                let updated =
                    write::update(self.transaction, self.sql, &decisions, &writes.update, rows).await?;
                self.pulse.beat();
                have_arrived &= decisions.written(&writes.update, &updated, &Verdict::Updated);
            }
            if !writes.insert.is_empty() {
                let inserted = self.insert(&decisions, &writes.insert, rows).await?;
                have_arrived &= decisions.written(&writes.insert, &inserted, &Verdict::Inserted);
            }
            if !have_arrived {
                return Err(MergeError::LeftOut);
            }
            // A constraint that the owner made deferrable speaks now, of each document by itself: not when others with
            // the same id have followed it, and not at the end of the transaction.
            self.execute("checking deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE").await?;
            if self.rules.has_triggers {
                written.extend(decisions.ctids(&writes.insert));
                written.extend(decisions.ctids(&writes.update));
            }
        }
        if self.rules.has_triggers && self.lack_rows(&written).await? {
            return Err(MergeError::LeftOut);
        }
        rows.add(decisions.rows_of_replaced());
        Ok(Merged { verdicts: decisions.into_verdicts(), rows })
    }

    /// Many documents of one id are compared here with what is stored, if that stays what it is.
    async fn compare_with_stored(&self, decisions: &mut Decisions<'_>) -> Result<(), RunError> {
        let crowded = decisions.crowded();
        if crowded.is_empty() {
            return Ok(());
        }
        let what = || failed("reading the stored profiles");
        let ids: Vec<Uuid> = crowded.keys().map(|&id| Uuid(id)).collect();
        // One row after another, for they may be long.
        let rows = self.transaction.query_raw(&self.sql.stored, [&ids]).await.map_err(what())?;
        pin_mut!(rows);
        while let Some(row) = rows.try_next().await.map_err(what())? {
            self.pulse.beat();
            let Uuid(id) = row.get(contents::ID);
            let is_ours = self.own.contains(transaction_id(row.get("written_by")));
            decisions.compare_with(&crowded[&id], &Contents::of_stored(&row), is_ours);
        }
        decisions.forget_decided();
        Ok(())
    }

    /// Whether one of the documents that were written, by where they are staged, is not whole.
    async fn lack_rows(&self, written: &[Ctid]) -> Result<bool, RunError> {
        let row = self.transaction.query_one(&self.sql.incomplete, &[&written]).await;
        self.pulse.beat();
        Ok(row.map_err(failed("counting the rows of the documents"))?.get("are_there"))
    }

    pub(super) async fn classify(
        &self,
        decisions: &Decisions<'_>,
        round: &[usize],
    ) -> Result<Vec<Compared>, RunError> {
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
        let inserted = write::insert(self.transaction, self.sql, decisions, chosen, rows).await?;
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
    let (seqs, ctids): (Vec<i64>, Vec<Ctid>) = (row.get("seqs"), row.get("places"));
    let (writers, parts): (Vec<Option<i64>>, Vec<i32>) = (row.get("writers"), row.get("parts"));
    let all = seqs.into_iter().zip(ctids).zip(writers.into_iter().zip(parts));
    let found = all.map(|((seq, ctid), (writer, parts))| Compared {
        seq: u64::try_from(seq).expect("a seq is not negative"),
        ctid,
        what: writer.map_or(Comparison::NotStored, |writer| Comparison::Differs {
            is_ours: own.contains(transaction_id(writer)),
        }),
        parts,
    });
    found.collect()
}

/// From an `xmin`: the transaction, or the part of one after a savepoint, that wrote a row.
fn transaction_id(xmin: i64) -> u32 {
    u32::try_from(xmin).expect("xmin is a 32-bit number")
}
