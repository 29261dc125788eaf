//! Ids that come more than once in the input, counted in constant memory.
//!
//! Of each id a hash of 64 bits is kept, and 32 bits of one of its document's text, in a temporary file once there are many:
//! among a hundred million ids the chance that two different ones are taken for one is one in 3,700, and texts that differ
//! are taken for the same once in four billion times.

use std::{collections::BTreeMap, hash::BuildHasher as _, io, num::NonZeroUsize, ops::Bound, thread};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use super::partitions::{Entry, PARTITIONS, Partitions};

/// Of how many ids a report keeps what is needed to merge it with others.
const SKETCH_MAX: usize = 1024;

/// An id and the text of its document, as they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(Entry);

impl Fingerprint {
    pub(crate) fn of(id: [u8; 16], text: &[u8]) -> Self {
        let id = u128::from_be_bytes(id);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
        let (high, low) = (half(id >> 64), half(id));
        // SplitMix64 of both halves.
        let mut z = high ^ low.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let content = FixedState::with_seed(0).hash_one(text) >> 32;
        let content = u32::try_from(content).expect("32 bits");
        // 0 is no key.
        Self(Entry { key: (z ^ (z >> 31)).max(1), content })
    }
}

/// The ids that were met.
#[derive(Debug, Default)]
pub(crate) struct SeenIds {
    entries: Partitions,
    sketch: Sketch,
    /// Why they could not be kept.
    failed: Option<io::Error>,
}

impl SeenIds {
    pub(crate) fn add(&mut self, new: Fingerprint) {
        let Fingerprint(entry) = new;
        if entry.key <= self.sketch.bound {
            self.sketch.add(entry.key, Repeats { content: entry.content, documents: 1, differs: false });
        }
        if self.failed.is_none()
            && let Err(error) = self.entries.push(entry)
        {
            self.failed = Some(error);
        }
    }

    /// Counts them; none where the temporary file could not be written or read.
    pub(crate) fn into_duplicates(self) -> Option<Duplicates> {
        if self.failed.is_some() {
            return None;
        }
        let counts = self.count().ok()?;
        Some(Duplicates {
            ids_identical: counts.identical,
            ids_differing: counts.differing,
            repeats: counts.repeats,
            exactness: Exactness::Exact,
            sketch: self.sketch,
        })
    }
}

impl SeenIds {
    /// On all cores, since everybody else is done.
    fn count(&self) -> io::Result<Counts> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count_every = &|first: usize| -> io::Result<Counts> {
            let (mut counts, mut table) = (Counts::default(), Vec::new());
            for partition in (first..PARTITIONS).step_by(threads) {
                counts.add_partition(&self.entries.entries(partition)?, &mut table);
            }
            Ok(counts)
        };
        thread::scope(|scope| {
            let counting: Vec<_> =
                (1..threads).map(|first| scope.spawn(move || count_every(first))).collect();
            let mut counts = count_every(0)?;
            for counted in counting {
                counts.add(&counted.join().expect("counting does not panic")?);
            }
            Ok(counts)
        })
    }
}

#[derive(Debug, Default)]
struct Counts {
    identical: u64,
    differing: u64,
    repeats: u64,
}

/// A place of the table; its key is 0 where it is free.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u64,
    content: u32,
    is_repeated: bool,
    differs: bool,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.identical += other.identical;
        self.differing += other.differing;
        self.repeats += other.repeats;
    }

    /// Counts the ids of a partition; all documents of an id are in the same one.
    fn add_partition(&mut self, entries: &[Entry], table: &mut Vec<Slot>) {
        let length = (entries.len() * 2).next_power_of_two();
        table.clear();
        table.resize(length, Slot::default());
        for entry in entries {
            // The partition has the high bits.
            let mut at = usize::try_from(entry.key & (length as u64 - 1)).expect("less than the length");
            while table[at].key != 0 && table[at].key != entry.key {
                at = (at + 1) & (length - 1);
            }
            let slot = &mut table[at];
            if slot.key == 0 {
                *slot = Slot { key: entry.key, content: entry.content, is_repeated: false, differs: false };
                continue;
            }
            self.repeats += 1;
            let differs = slot.differs || slot.content != entry.content;
            match (slot.is_repeated, slot.differs) {
                (false, _) if differs => self.differing += 1,
                (false, _) => self.identical += 1,
                (true, false) if differs => {
                    self.identical -= 1;
                    self.differing += 1;
                }
                (true, _) => {}
            }
            (slot.is_repeated, slot.differs) = (true, differs);
        }
    }
}

/// Ids that come more than once in the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Ids all of whose documents are the same text.
    pub ids_identical: u64,
    /// Ids whose documents differ.
    pub ids_differing: u64,
    /// Documents beyond the first one of their id.
    pub repeats: u64,
    pub exactness: Exactness,
    sketch: Sketch,
}

/// How exact [`Duplicates`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// But for ids whose hashes are the same.
    Exact,
    /// Merged: ids that come in more than one part are told from a sample.
    Estimated,
}

impl Duplicates {
    /// Adds those of another part of the input.
    pub(crate) fn merge(&mut self, other: &Self) {
        let (mine, others) = (self.sketch.repeated(), other.sketch.repeated());
        let bound = self.sketch.bound.min(other.sketch.bound);
        self.sketch.merge_within(&other.sketch, bound);
        if self.sketch.is_whole() {
            [self.ids_identical, self.ids_differing, self.repeats] = self.sketch.repeated();
        } else {
            let within = self.sketch.repeated();
            let share = |at: usize, sum: u64| {
                sum + self.sketch.scaled(within[at].saturating_sub(mine[at] + others[at]))
            };
            self.ids_identical = share(0, self.ids_identical + other.ids_identical);
            self.ids_differing = share(1, self.ids_differing + other.ids_differing);
            self.repeats = share(2, self.repeats + other.repeats);
            self.exactness = Exactness::Estimated;
        }
        self.sketch.shrink();
    }
}

/// The ids with the least hashes: a sample in which ids meet that several parts of the input have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SketchForm", into = "SketchForm")]
struct Sketch {
    ids: BTreeMap<u64, Repeats>,
    /// All ids up to this key are in it.
    bound: u64,
}

/// As it is written: key, content, documents, whether they differ.
#[derive(Serialize, Deserialize)]
struct SketchForm {
    ids: Vec<(u64, u32, u64, bool)>,
    bound: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeats {
    content: u32,
    documents: u64,
    differs: bool,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { ids: BTreeMap::new(), bound: u64::MAX }
    }
}

impl Sketch {
    fn is_whole(&self) -> bool {
        self.bound == u64::MAX
    }

    /// Adds one whose key is within the bound.
    fn add(&mut self, key: u64, more: Repeats) {
        self.ids
            .entry(key)
            .and_modify(|known| {
                known.documents = known.documents.saturating_add(more.documents);
                known.differs |= more.differs || more.content != known.content;
            })
            .or_insert(more);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.ids.len() > SKETCH_MAX {
            self.ids.pop_last();
            self.bound = self.ids.last_key_value().map_or(0, |(key, _)| *key);
        }
    }

    /// Both, as far as both are whole; not shrunk.
    fn merge_within(&mut self, other: &Self, bound: u64) {
        self.bound = bound;
        let beyond: Vec<_> =
            self.ids.range((Bound::Excluded(bound), Bound::Unbounded)).map(|(key, _)| *key).collect();
        beyond.iter().for_each(|key| {
            self.ids.remove(key);
        });
        for (key, more) in other.ids.range(..=bound) {
            self.ids
                .entry(*key)
                .and_modify(|known| {
                    known.documents = known.documents.saturating_add(more.documents);
                    known.differs |= more.differs || more.content != known.content;
                })
                .or_insert(*more);
        }
    }

    /// Ids whose documents are the same, those whose documents differ, and documents beyond the first.
    fn repeated(&self) -> [u64; 3] {
        let mut counts = [0_u64; 3];
        for one in self.ids.values().filter(|one| one.documents > 1) {
            counts[usize::from(one.differs)] += 1;
            counts[2] = counts[2].saturating_add(one.documents - 1);
        }
        counts
    }

    /// What a count of the sample is of all.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn scaled(&self, count: u64) -> u64 {
        let share = self.bound as f64 / u64::MAX as f64;
        (count as f64 / share.max(f64::MIN_POSITIVE)).round() as u64
    }
}

impl From<SketchForm> for Sketch {
    fn from(form: SketchForm) -> Self {
        let ids = form
            .ids
            .into_iter()
            .map(|(key, content, documents, differs)| (key, Repeats { content, documents, differs }));
        Self { ids: ids.collect(), bound: form.bound }
    }
}

impl From<Sketch> for SketchForm {
    fn from(sketch: Sketch) -> Self {
        let ids = sketch.ids.iter().map(|(key, one)| (*key, one.content, one.documents, one.differs));
        Self { ids: ids.collect(), bound: sketch.bound }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn fingerprint(id: u32, text: u8) -> Fingerprint {
        Fingerprint::of(u128::from(id).to_be_bytes(), &[text])
    }

    fn of(documents: &[(u32, u8)]) -> Duplicates {
        let mut seen = SeenIds::default();
        documents.iter().for_each(|&(id, text)| seen.add(fingerprint(id, text)));
        seen.into_duplicates().expect("the temporary folder is writable")
    }

    fn counted(documents: &[(u32, u8)]) -> [u64; 3] {
        let mut texts: HashMap<u32, Vec<u8>> = HashMap::new();
        documents.iter().for_each(|&(id, text)| texts.entry(id).or_default().push(text));
        let mut counts = [0_u64; 3];
        for texts in texts.values().filter(|texts| texts.len() > 1) {
            counts[usize::from(texts.iter().any(|text| *text != texts[0]))] += 1;
            counts[2] += texts.len() as u64 - 1;
        }
        counts
    }

    fn counts(duplicates: &Duplicates) -> [u64; 3] {
        [duplicates.ids_identical, duplicates.ids_differing, duplicates.repeats]
    }

    proptest! {
        #[test]
        fn they_are_counted_and_parts_merged_equal_the_whole(
            documents in proptest::collection::vec((0_u32..400, 0_u8..3), 0..600),
            cut in 0_usize..600,
        ) {
            let whole = of(&documents);
            prop_assert_eq!(counts(&whole), counted(&documents));
            let (one, other) = documents.split_at(cut.min(documents.len()));
            let mut merged = of(one);
            merged.merge(&of(other));
            prop_assert_eq!(&merged, &whole);
            let text = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<Duplicates>(&text).unwrap(), whole);
        }
    }

    #[test]
    fn many_ids_are_counted_and_their_parts_estimated() {
        let documents: Vec<_> = (0..300_000).map(|index| (index % 200_000, 0)).collect();
        let whole = of(&documents);
        assert_eq!(counts(&whole), [100_000, 0, 100_000]);
        assert_eq!(whole.exactness, Exactness::Exact);
        let mut merged = of(&documents[..200_000]);
        merged.merge(&of(&documents[200_000..]));
        assert_eq!(merged.exactness, Exactness::Estimated);
        assert!((85_000..115_000).contains(&merged.repeats), "{}", merged.repeats);
    }
}
