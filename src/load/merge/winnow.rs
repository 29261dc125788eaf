//! Rejecting the documents that the server refuses whatever becomes of the others, all at once: they are tried, not searched
//! for.

use std::collections::{HashMap, HashSet};

use super::{
    clash::{self, ClashKey},
    decisions::{Compared, Comparison, Decisions},
    error::MergeError,
    execute::{Merge, OnClash},
    narrow::{Narrowing, Winnowed},
    refusal::Refused,
    trial::Trial,
};
use crate::{document::Fault, runs::Verdict, settings::OnExisting};

impl Merge<'_, '_> {
    /// Rejects documents that are refused by themselves; nothing where none can be tried.
    pub(super) async fn winnow(
        &self,
        narrowing: &mut Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Option<Winnowed>, MergeError> {
        let Some(trial) = self.trial().await? else { return Ok(None) };
        let mut met = HashSet::with_capacity(chosen.len());
        let (first, followers): (Vec<_>, Vec<_>) =
            chosen.iter().copied().partition(|&index| met.insert(narrowing.documents[index].id));
        let Some(contested) = self.contested(narrowing, &first).await? else { return Ok(None) };
        let (contested, mut left): (Vec<_>, Vec<_>) =
            first.into_iter().partition(|index| contested.contains(&narrowing.documents[*index].seq));
        for (index, refused) in self.refused_by(&trial, narrowing, &left).await? {
            // Somebody may be about to give up what it wants.
            if self.on_clash == OnClash::Reject || matches!(refused, Refused::Fault(_)) {
                narrowing.verdicts[index] = Some(Verdict::Rejected(refused.into_fault()));
            }
        }
        left.retain(|&index| narrowing.verdicts[index].is_none());
        Ok(Some(Winnowed { left, contested, followers }))
    }

    /// What the server has against documents, no two with the same id, that is not for what others have; nothing where none
    /// can be tried.
    pub(super) async fn faults(
        &self,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<HashMap<usize, Fault>, MergeError> {
        let Some(trial) = self.trial().await? else { return Ok(HashMap::new()) };
        let refused = self.refused_by(&trial, narrowing, chosen).await?;
        let faults = refused.into_iter().filter_map(|(index, refused)| match refused {
            Refused::Clash(_) => None,
            Refused::Fault(fault) => Some((index, fault)),
        });
        Ok(faults.collect())
    }

    async fn trial(&self) -> Result<Option<Trial<'_>>, MergeError> {
        let sql = &self.sql.trial;
        Ok(Trial::prepare(self.transaction, sql, self.rules, self.pulse, self.is_stopping).await?)
    }

    async fn refused_by(
        &self,
        trial: &Trial<'_>,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Vec<(usize, Refused)>, MergeError> {
        let (inserts, updates): (Vec<_>, Vec<_>) = self
            .to_write(narrowing, chosen)
            .await?
            .into_iter()
            .partition(|(_, found)| found.what == Comparison::NotStored);
        let mut all = Vec::new();
        for (documents, are_stored) in [(inserts, false), (updates, true)] {
            let places: Vec<_> = documents.iter().map(|(_, found)| found.ctid).collect();
            let parts: Vec<_> = documents.iter().map(|(_, found)| found.parts).collect();
            let mut refused = trial.refused(&places, are_stored.then_some(&parts)).await?;
            let of_index = |(index, found): (usize, Compared)| Some((index, refused.remove(&found.ctid)?));
            all.extend(documents.into_iter().filter_map(of_index));
        }
        Ok(all)
    }

    /// The seqs of documents that want what another one has or wants to have, too; nothing where that can't be told of all
    /// at once.
    async fn contested(
        &self,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Option<HashSet<u64>>, MergeError> {
        let mut contested = HashSet::new();
        if self.on_clash == OnClash::Reject {
            return Ok(Some(contested));
        }
        let seqs: Vec<_> = chosen.iter().map(|&index| narrowing.documents[index].seq).collect();
        for constraint in clash::constraints(self.transaction, self.db_schema).await? {
            let (table, name) = (&constraint.table, &constraint.name);
            let key = ClashKey::read(self.transaction, self.db_schema, table, name).await?;
            let Some(key) = key.filter(|key| key.is_quick) else { return Ok(None) };
            let holders = key.holders(self.transaction, &seqs).await?;
            self.pulse.beat();
            contested.extend(holders.into_iter().map(|(seq, _)| seq));
            let claims = key.contested(self.transaction, &seqs).await?;
            self.pulse.beat();
            contested.extend(claims.claims.into_iter().flatten().chain(claims.impossible));
        }
        Ok(Some(contested))
    }

    /// Those that would be inserted or replace what is stored, as they compare.
    pub(super) async fn to_write(
        &self,
        narrowing: &Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Vec<(usize, Compared)>, MergeError> {
        let documents = narrowing.of(chosen);
        let decisions = Decisions::new(&documents, self.on_existing);
        let all: Vec<_> = (0..documents.len()).collect();
        let found = self.classify(&decisions, &all).await?;
        let mut found: HashMap<u64, Compared> = found.into_iter().map(|found| (found.seq, found)).collect();
        let mut of_index = |index: &usize| {
            let found = found.remove(&narrowing.documents[*index].seq)?;
            let is_written = found.what == Comparison::NotStored || self.on_existing == OnExisting::Update;
            is_written.then_some((*index, found))
        };
        Ok(chosen.iter().filter_map(&mut of_index).collect())
    }
}
