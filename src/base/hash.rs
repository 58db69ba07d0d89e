//! A hash of state that is equal natively and in wasm, today and after an upgrade of the compiler.
//!
//! Invariant: everything is fed little-endian and `usize` is widened to 64 bits. Do not hash slices of `usize`.

use std::hash::{Hash, Hasher};

/// The hash of a whole world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateHash(pub u64);

impl StateHash {
    /// The hash of `value`.
    pub fn of(value: &impl Hash) -> StateHash {
        let mut hasher = StableHasher::default();
        value.hash(&mut hasher);
        StateHash(hasher.finish())
    }
}

impl std::fmt::Display for StateHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A multiply-and-rotate hasher over 64-bit words (as FxHash), with a final mix.
#[derive(Clone, Default, Debug)]
pub struct StableHasher(u64);

impl StableHasher {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        z ^ (z >> 33)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, i: u8) {
        self.word(u64::from(i));
    }
    fn write_u16(&mut self, i: u16) {
        self.word(u64::from(i));
    }
    fn write_u32(&mut self, i: u32) {
        self.word(u64::from(i));
    }
    fn write_u64(&mut self, i: u64) {
        self.word(i);
    }
    fn write_usize(&mut self, i: usize) {
        self.word(i as u64);
    }
    fn write_isize(&mut self, i: isize) {
        self.word(i as i64 as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_length_count() {
        assert_ne!(StateHash::of(&[1_u8, 2]), StateHash::of(&[2_u8, 1]));
        assert_ne!(StateHash::of(&vec![0_u8]), StateHash::of(&vec![0_u8, 0]));
        assert_ne!(StateHash::of(&Some(0_u8)), StateHash::of(&None::<u8>));
    }
}
