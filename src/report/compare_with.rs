//! What has changed since an earlier report.

use std::collections::HashMap;

use super::{Baseline, Before, Change, ErrorGroup, FieldProfile, Gone, Lengths, Moved, RunReport};

/// Shares that differ by less are the same: chance does that once in 370 times at most.
const DEVIATIONS: f64 = 3.0;

/// And by less than this, of the earlier share, nobody cares.
const RELATIVE: f64 = 0.1;

/// A presence that moved by less, of all documents, is the same.
const PRESENCE: f64 = 0.01;

impl RunReport {
    /// Puts an earlier report beside this one.
    pub fn compare_with(&mut self, before: &Self) {
        let mut known: HashMap<_, u64> = HashMap::new();
        for group in &before.errors {
            *known.entry(key(group)).or_default() += group.documents;
        }
        let change = |group: &ErrorGroup| {
            let documents = known.get(&key(group)).copied().unwrap_or(0);
            let change = if documents == 0 {
                Change::New
            } else {
                change(documents, before.documents.read, group.documents, self.documents.read)
            };
            Before { documents, change }
        };
        let errors = self.errors.iter().map(change).collect();
        let is_gone = |group: &&ErrorGroup| !self.errors.iter().any(|one| key(one) == key(group));
        let gone = before.errors.iter().filter(is_gone).map(|group| Gone {
            code: group.code.clone(),
            pointer: group.pointer.clone(),
            message: group.message.clone(),
            documents: group.documents,
        });
        self.baseline = Some(Baseline {
            started_at: before.started_at.clone(),
            documents_read: before.documents.read,
            documents_rejected: before.documents.rejected,
            errors,
            gone: gone.collect(),
            moved: match (&before.fields, &self.fields) {
                (Some(before), Some(now)) => moved(before, now),
                _ => Vec::new(),
            },
        });
    }

    /// Kinds of faults that the earlier report does not have.
    pub fn new_errors(&self) -> impl Iterator<Item = &ErrorGroup> {
        let before = self.baseline.iter().flat_map(|baseline| &baseline.errors);
        self.errors
            .iter()
            .zip(before)
            .filter(|(_, before)| before.change == Change::New)
            .map(|(group, _)| group)
    }
}

fn key(group: &ErrorGroup) -> (&str, &str, &str) {
    (&group.code, &group.pointer, &group.message)
}

/// By the test of two proportions.
fn change(before: u64, of_before: u64, now: u64, of_now: u64) -> Change {
    let (before, of_before, now, of_now) = (float(before), float(of_before), float(now), float(of_now));
    let (share_before, share_now) = (before / of_before.max(1.0), now / of_now.max(1.0));
    let pooled = (before + now) / (of_before + of_now).max(1.0);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / of_before.max(1.0) + 1.0 / of_now.max(1.0))).sqrt();
    let difference = share_now - share_before;
    if difference.abs() <= DEVIATIONS * deviation || difference.abs() < RELATIVE * share_before {
        Change::Same
    } else if difference > 0.0 {
        Change::Grown
    } else {
        Change::Shrunk
    }
}

fn moved(before: &FieldProfile, now: &FieldProfile) -> Vec<Moved> {
    let mut moved = Vec::new();
    let mut add = |pointer: &str, what: String, before: f64, now: f64| {
        moved.push(Moved { pointer: pointer.to_owned(), what, before, now });
    };
    let per_document = |count: u64, of: &FieldProfile| float(count) / float(of.documents.max(1));
    let lengths = |field: &FieldProfile| -> Vec<(String, Lengths)> {
        let texts = field.texts.iter().map(|field| (field.pointer.clone(), field.characters.clone()));
        texts.chain(field.lists.iter().map(|field| (field.pointer.clone(), field.items.clone()))).collect()
    };
    let of_now = lengths(now);
    for (pointer, lengths_before) in lengths(before) {
        let Some((_, lengths_now)) = of_now.iter().find(|(other, _)| *other == pointer) else { continue };
        let present = [(&lengths_before, before), (lengths_now, now)]
            .map(|(lengths, of)| per_document(lengths.total(), of));
        if (present[0] - present[1]).abs() >= PRESENCE {
            add(&pointer, "present".to_owned(), present[0], present[1]);
        }
        for (what, share) in [("median", 0.5), ("99th percentile", 0.99), ("maximum", 1.0)] {
            let [Some(one), Some(other)] = [lengths_before.quantile(share), lengths_now.quantile(share)]
            else {
                continue;
            };
            // A length that few documents have is something of theirs.
            let is_told =
                share < 1.0 || lengths_before.count_like(one).min(lengths_now.count_like(other)) >= 5;
            let (one, other) = (float(one), float(other));
            if is_told && (one - other).abs() > RELATIVE * one.max(1.0) {
                add(&pointer, what.to_owned(), one, other);
            }
        }
    }
    for field in &before.choices {
        let Some(field_now) = now.choices.iter().find(|other| other.pointer == field.pointer) else {
            continue;
        };
        let total =
            |values: &std::collections::BTreeMap<String, u64>, other| values.values().sum::<u64>() + other;
        let (all, all_now) = (total(&field.values, field.other), total(&field_now.values, field_now.other));
        let names = field.values.keys().chain(field_now.values.keys());
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            let of =
                |values: &std::collections::BTreeMap<String, u64>| values.get(name).copied().unwrap_or(0);
            let (one, other) = (of(&field.values), of(&field_now.values));
            let shares = [(one, all), (other, all_now)].map(|(count, all)| float(count) / float(all.max(1)));
            if one.max(other) >= 5 && (shares[0] - shares[1]).abs() >= PRESENCE {
                add(&field.pointer, format!("share of {name}"), shares[0], shares[1]);
            }
        }
    }
    moved
}

#[expect(clippy::cast_precision_loss, reason = "shares need no 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_does_is_no_change() {
        assert_eq!(change(100, 10_000, 110, 10_000), Change::Same);
        assert_eq!(change(100, 10_000, 200, 10_000), Change::Grown);
        assert_eq!(change(200, 10_000, 100, 10_000), Change::Shrunk);
        assert_eq!(change(1, 10, 2, 10), Change::Same);
        assert_eq!(
            change(100_000, 1_000_000, 105_000, 1_000_000),
            Change::Same,
            "real, and too little to care"
        );
    }
}
