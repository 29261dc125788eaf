//! What stands at which place of the output: a document, its fault, or one that came before.
//!
//! Everything follows from the options and the place alone; nothing is remembered. The tricky one is the
//! duplicate: its original has to be valid and to stand in this output, so it is looked for, place by place.

use crate::{customer::Version, random::Random};

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Where the output begins: duplicates reach no further back.
    pub(crate) start: u64,
    pub(crate) invalid: f64,
    pub(crate) duplicates: f64,
    pub(crate) changed: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Valid(Version),
    /// To be spoilt.
    Faulty(Version),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Valid,
    Faulty,
    Duplicate,
}

/// Streams beside those of a document's parts.
const ROLE: u64 = 100;
const CHANGE: u64 = 101;
const EARLIER: u64 = 102;

/// How often a duplicate looks for its original; in vain, it becomes a document of its own. Each look
/// ends at a valid document in half of the cases even when half of all are faulty.
const LOOKS_MAX: usize = 16;

impl Plan {
    pub(crate) fn line(&self, index: u64) -> Line {
        match self.role(index) {
            Role::Valid => Line::Valid(self.version(index)),
            Role::Faulty => Line::Faulty(Version { complete: true, ..self.version(index) }),
            Role::Duplicate => Line::Valid(self.duplicate(index)),
        }
    }

    fn role(&self, index: u64) -> Role {
        let mut random = Random::of(&[self.seed, index, ROLE]);
        if random.within(self.invalid) {
            Role::Faulty
        } else if index > self.start && random.within(self.duplicates / (1.0 - self.invalid)) {
            Role::Duplicate
        } else {
            Role::Valid
        }
    }

    fn version(&self, index: u64) -> Version {
        let is_changed = Random::of(&[self.seed, index, CHANGE]).within(self.changed);
        Version {
            seed: self.seed,
            index,
            revision: u64::from(is_changed),
            turned: is_changed,
            complete: false,
        }
    }

    /// An earlier document: byte for byte, or changed.
    fn duplicate(&self, index: u64) -> Version {
        let mut random = Random::of(&[self.seed, index, EARLIER]);
        let Some(original) = (0..LOOKS_MAX).find_map(|_| self.earlier_valid(index, &mut random)) else {
            return self.version(index);
        };
        let original = self.version(original);
        if random.chance(50) {
            original
        } else {
            Version { revision: index + 2, turned: !original.turned, ..original }
        }
    }

    /// Steps back at random until a document of its own is met; none if that one is faulty.
    fn earlier_valid(&self, mut index: u64, random: &mut Random) -> Option<u64> {
        loop {
            index = self.start + random.draw() % (index - self.start);
            match self.role(index) {
                Role::Valid => return Some(index),
                Role::Faulty => return None,
                Role::Duplicate => {}
            }
        }
    }
}
