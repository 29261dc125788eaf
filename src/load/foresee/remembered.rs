//! What documents of the input would have left of their profiles: of each as much as it takes to compare the next one
//! with the same id, in bounded memory.
//!
//! Texts are kept as hashes of 32 bits: a document that differs in one of them alone is taken for the same once in four
//! billion times.

use std::{collections::HashMap, hash::BuildHasher as _};

use foldhash::fast::FixedState;

use crate::load::{
    contents::{Contents, Difference},
    row_changes::RowChanges,
};

/// How many profiles the lanes of a run remember together: about 150 MiB.
pub(super) const PROFILES_MAX: usize = 2 << 20;

#[derive(Debug)]
pub(super) struct Remembered {
    /// Where the hashes of a profile begin.
    places: HashMap<[u8; 16], u32>,
    /// Of each profile: its own columns, its address, how many e-mails and phone numbers it has, and these, sorted.
    hashes: Vec<u32>,
    profiles_max: usize,
    forgotten: u64,
}

/// A profile's contents as hashes.
#[derive(Debug, PartialEq, Eq)]
struct Hashed<L> {
    profile: u32,
    /// 0 where there is none.
    address: u32,
    emails: L,
    phones: L,
}

const HEAD: usize = 4;

impl Remembered {
    pub(super) fn new(profiles_max: usize) -> Self {
        Self { places: HashMap::new(), hashes: Vec::new(), profiles_max, forgotten: 0 }
    }

    pub(super) fn has(&self, id: &[u8; 16]) -> bool {
        self.places.contains_key(id)
    }

    /// How many profiles there was no room for.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// How a document differs from what those before it would have left; none where none has come.
    pub(super) fn difference(&self, id: &[u8; 16], document: &Contents<'_>) -> Option<Difference> {
        let earlier = self.at(*self.places.get(id)?);
        let document = Hashed::of(document);
        let address = match (document.address, earlier.address) {
            (one, other) if one == other => RowChanges::default(),
            (_, 0) => RowChanges::ADDED,
            (0, _) => RowChanges::REMOVED,
            _ => RowChanges::changed(true),
        };
        // Which columns it is, nobody knows any more.
        Some(Difference::of(
            0,
            [RowChanges::changed(document.profile != earlier.profile), address],
            [&document.emails, earlier.emails],
            [&document.phones, earlier.phones],
        ))
    }

    /// What the profile would be after this document.
    pub(super) fn remember(&mut self, id: [u8; 16], document: &Contents<'_>) {
        let is_known = self.places.contains_key(&id);
        let Ok(place) = u32::try_from(self.hashes.len()) else { return self.forget(&id) };
        if !is_known && self.places.len() >= self.profiles_max {
            self.forgotten += 1;
            return;
        }
        let hashed = Hashed::of(document);
        let count =
            |list: &[u32]| u32::try_from(list.len()).expect("a list comes from a line of at most 16 MiB");
        let words = HEAD + hashed.emails.len() + hashed.phones.len();
        // In place of what was there, where it has room: one id may come a million times.
        let place = match self.places.get(&id) {
            Some(&place) if self.words(place) >= words => place,
            _ => {
                self.hashes.resize(self.hashes.len() + words, 0);
                place
            }
        };
        self.places.insert(id, place);
        let head = [hashed.profile, hashed.address, count(&hashed.emails), count(&hashed.phones)];
        let at = usize::try_from(place).expect("usize has 32 bits");
        let all = head.into_iter().chain(hashed.emails).chain(hashed.phones);
        self.hashes[at..].iter_mut().zip(all).for_each(|(word, hash)| *word = hash);
    }

    fn forget(&mut self, id: &[u8; 16]) {
        self.places.remove(id);
        self.forgotten += 1;
    }

    fn words(&self, place: u32) -> usize {
        let hashed = self.at(place);
        HEAD + hashed.emails.len() + hashed.phones.len()
    }

    fn at(&self, place: u32) -> Hashed<&[u32]> {
        let size = |word: u32| usize::try_from(word).expect("usize has 32 bits");
        let rest = &self.hashes[size(place)..];
        let ([profile, address, emails, phones], lists) =
            rest.split_first_chunk().expect("a profile has a head");
        let (emails, lists) = lists.split_at(size(*emails));
        Hashed { profile: *profile, address: *address, emails, phones: &lists[..size(*phones)] }
    }
}

impl Hashed<Vec<u32>> {
    fn of(contents: &Contents<'_>) -> Self {
        let list = |texts: &[&[u8]]| {
            let mut hashes: Vec<_> = texts.iter().map(hash).collect();
            hashes.sort_unstable();
            hashes
        };
        Self {
            profile: hash((contents.names, contents.flags)),
            address: contents.address.map_or(0, |address| hash(address).max(1)),
            emails: list(&contents.emails),
            phones: list(&contents.phones),
        }
    }
}

fn hash(value: impl std::hash::Hash) -> u32 {
    u32::try_from(FixedState::with_seed(0).hash_one(value) >> 32).expect("32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents<'a>(first_name: &'a [u8], emails: &[&'a [u8]]) -> Contents<'a> {
        Contents {
            names: [Some(first_name), None, None],
            flags: [Some(false); 2],
            address: None,
            emails: emails.to_vec(),
            phones: Vec::new(),
        }
    }

    #[test]
    fn the_last_document_is_compared_with() {
        let mut remembered = Remembered::new(2);
        assert!(remembered.difference(&[1; 16], &contents(b"a", &[])).is_none());
        remembered.remember([1; 16], &contents(b"a", &[b"1"]));
        remembered.remember([2; 16], &contents(b"x", &[b"1", b"2"]));
        assert_eq!(remembered.difference(&[1; 16], &contents(b"a", &[b"1"])), Some(Difference::default()));
        let other = remembered.difference(&[1; 16], &contents(b"b", &[b"2", b"3"])).unwrap();
        assert_eq!(other.rows[0], RowChanges::changed(true));
        assert_eq!(other.rows[2], RowChanges { added: 2, changed: 0, removed: 1 });
        // One that needs more room, and one that needs less.
        for emails in [&[&b"1"[..], b"2", b"3"][..], &[b"4"]] {
            remembered.remember([1; 16], &contents(b"c", emails));
            assert_eq!(remembered.difference(&[1; 16], &contents(b"c", emails)), Some(Difference::default()));
        }
        assert_eq!(
            remembered.difference(&[2; 16], &contents(b"x", &[b"1", b"2"])),
            Some(Difference::default())
        );
        // There is room for two.
        remembered.remember([3; 16], &contents(b"y", &[]));
        assert!(!remembered.has(&[3; 16]) && remembered.has(&[2; 16]));
        assert_eq!(remembered.forgotten(), 1);
    }
}
