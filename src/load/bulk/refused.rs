//! Finding the documents of a batch that the server refuses while the tables lack their indexes: they are staged, as for a
//! merge, and those that a CHECK constraint is going to refuse are known by its condition. Only where others are refused as
//! well are documents tried (`load/merge/trial.rs`).
//!
//! What is found is deferred, not rejected: once the indexes stand, a merge says why, in the same words as ever.

use std::{collections::HashMap, sync::atomic::Ordering};

use super::copy::BulkCopy;
use crate::{
    load::merge::{MergeError, Rules, Trial, TrialSql, stage, suspects},
    report::RowCounts,
    rows::put_staged,
    runs::{RunError, Verdict, failed},
    session::Ctid,
    tables::Table,
};

impl BulkCopy<'_> {
    /// Copies all documents that are to be inserted but those that the server refuses, which are deferred; nothing where it
    /// can't be told which these are.
    pub(super) async fn without_refused(
        &self,
        verdicts: &mut [Verdict],
    ) -> Result<Option<RowCounts>, MergeError> {
        let all = 0..verdicts.len();
        let was_tried = !self.has_refused.load(Ordering::Relaxed);
        let mut places = self.staged(verdicts).await?;
        let sql = TrialSql::without_keys(self.db_schema);
        let suspects = suspects(self.transaction, &sql, self.pulse).await?;
        let has_suspects = !suspects.is_empty();
        self.has_refused.store(has_suspects, Ordering::Relaxed);
        places.retain(|place, index| {
            let is_suspect = suspects.contains(place);
            if is_suspect {
                verdicts[*index] = Verdict::Deferred { by_server: true };
            }
            !is_suspect
        });
        if (has_suspects || !was_tried)
            && let Some(rows) = self.in_savepoint(all.clone(), verdicts).await?
        {
            return Ok(Some(rows));
        }
        let rules = Rules::read(self.transaction, self.db_schema).await?;
        // Triggers that act on new rows are none here.
        let rules = Rules { has_triggers: false, ..rules };
        let trial = Trial::prepare(self.transaction, &sql, rules, self.pulse, self.is_stopping).await?;
        let Some(trial) = trial else { return Ok(None) };
        let left: Vec<Ctid> = places.keys().copied().collect();
        for place in trial.refused_of_new(&left).await?.into_keys() {
            verdicts[places[&place]] = Verdict::Deferred { by_server: true };
        }
        Ok(self.in_savepoint(all, verdicts).await?)
    }

    /// Where documents are staged, which are told apart by their indices.
    async fn staged(&self, verdicts: &[Verdict]) -> Result<HashMap<Ctid, usize>, RunError> {
        let row = |document| {
            let mut row = Vec::new();
            let rows = Table::ALL.map(|table| self.batch.rows_of(document, table));
            let seq = u64::try_from(document.index()).expect("an index has 64 bits");
            put_staged(rows, seq, &mut row);
            row
        };
        stage(self.transaction, self.chosen(0..verdicts.len(), verdicts).map(row), self.pulse).await?;
        let sql =
            "SELECT coalesce(array_agg(s.seq), '{}') AS seqs, coalesce(array_agg(s.ctid), '{}') AS places
                   FROM pg_temp.profile_loader_staged AS s";
        let row = self.transaction.query_one(sql, &[]).await;
        let row = row.map_err(failed("reading where documents are staged"))?;
        self.pulse.beat();
        let (seqs, places): (Vec<i64>, Vec<Ctid>) = (row.get("seqs"), row.get("places"));
        let index = |seq| usize::try_from(seq).expect("it is an index");
        Ok(places.into_iter().zip(seqs.into_iter().map(index)).collect())
    }
}
