//! Random numbers that are equal everywhere and for ever: splitmix64, written out.
//!
//! A stream starts from keys (seed, document, part of the document), never from another stream's state:
//! so a document can be written without writing those before it.

/// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(crate) fn of(keys: &[u64]) -> Self {
        let mixed = keys.iter().fold(STEP, |state, key| mix(state ^ key).wrapping_add(STEP));
        Self { state: mixed }
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 up to, not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        assert!((1..1 << 32).contains(&end), "the upper half of a draw has to be enough");
        ((self.draw() >> 32) * end) >> 32
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True with a probability of `share`.
    pub(crate) fn within(&mut self, share: f64) -> bool {
        let high = u32::try_from(self.draw() >> 32).expect("32 bits");
        f64::from(high) < share * (f64::from(u32::MAX) + 1.0)
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        let end = u64::try_from(len).expect("a length");
        usize::try_from(self.below(end)).expect("less than a length")
    }
}

/// A bijection of 64 bits.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The 16 bytes of a UUID of version 4 (RFC 9562 section 5.4); of one seed never two that are equal.
pub(crate) fn uuid(seed: u64, index: u64) -> [u8; 16] {
    let upper = Random::of(&[seed, index, 0]).draw();
    let bits = u128::from(upper) << 64 | u128::from(scatter(seed, index));
    let version = 4_u128 << 76;
    let variant = 2_u128 << 62;
    (bits & !(0xf_u128 << 76) & !(3_u128 << 62) | version | variant).to_be_bytes()
}

/// A bijection of 62 bits (for indices below 2^62): each step can be undone.
fn scatter(seed: u64, index: u64) -> u64 {
    const MASK: u64 = (1 << 62) - 1;
    let mut bits = (index ^ mix(seed)) & MASK;
    bits = bits.wrapping_mul(STEP) & MASK;
    bits ^= bits >> 31;
    bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9) & MASK;
    bits ^ (bits >> 29)
}
