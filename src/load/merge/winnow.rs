//! Rejecting the documents that the server refuses whatever becomes of the others, all at once: they are tried, not searched
//! for.

use std::collections::{HashMap, HashSet};

use super::{
    clash::{self, ClashKey},
    decisions::{Compared, Comparison, Decisions},
    error::MergeError,
    execute::{Merge, OnClash},
    narrow::Narrowing,
    refusal::Refused,
    trial::Trial,
};
use crate::{runs::Verdict, settings::OnExisting};

/// Documents of a batch that have been tried, by their indices.
pub(super) struct Winnowed {
    /// Nothing is known against them.
    pub(super) left: Vec<usize>,
    /// What a constraint between profiles lets them have depends on others.
    pub(super) contested: Vec<usize>,
    /// Another of their id comes before.
    pub(super) followers: Vec<usize>,
}

impl Merge<'_, '_> {
    /// Rejects documents that are refused by themselves; nothing where none can be tried.
    pub(super) async fn winnow(
        &mut self,
        narrowing: &mut Narrowing<'_>,
        chosen: &[usize],
    ) -> Result<Option<Winnowed>, MergeError> {
        let trial =
            Trial::prepare(self.transaction, self.sql, self.db_schema, self.pulse, self.is_stopping).await?;
        let Some(trial) = trial else { return Ok(None) };
        let mut met = HashSet::with_capacity(chosen.len());
        let (first, followers): (Vec<_>, Vec<_>) =
            chosen.iter().copied().partition(|&index| met.insert(narrowing.documents[index].id));
        let Some(contested) = self.contested(narrowing, &first).await? else { return Ok(None) };
        let (contested, mut left): (Vec<_>, Vec<_>) =
            first.into_iter().partition(|index| contested.contains(&narrowing.documents[*index].seq));
        let (inserts, updates): (Vec<_>, Vec<_>) = self
            .to_write(narrowing, &left)
            .await?
            .into_iter()
            .partition(|(_, found)| found.what == Comparison::NotStored);
        for (documents, are_stored) in [(inserts, false), (updates, true)] {
            let places: Vec<_> = documents.iter().map(|(_, found)| found.ctid).collect();
            let parts: Vec<_> = documents.iter().map(|(_, found)| found.parts).collect();
            let mut refused = trial.refused(&places, are_stored.then_some(&parts)).await?;
            for (index, found) in documents {
                match refused.remove(&found.ctid) {
                    None => {}
                    // Somebody may be about to give it up.
                    Some(Refused::Clash(_)) if self.on_clash != OnClash::Reject => {}
                    Some(refused) => {
                        narrowing.verdicts[index] = Some(Verdict::Rejected(refused.into_fault()));
                    }
                }
            }
        }
        left.retain(|&index| narrowing.verdicts[index].is_none());
        Ok(Some(Winnowed { left, contested, followers }))
    }

    /// The seqs of documents that want what another one has or wants to have, too; nothing where that can't be told of all
    /// at once.
    async fn contested(
        &mut self,
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
        &mut self,
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
