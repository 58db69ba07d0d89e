//! Chance as an argument: streams split from one seed, so that using one more number here changes nothing there.

use crate::base::Duration;
use rand_core::RngCore;
use rand_pcg::Pcg64Mcg;

/// A stream of random numbers (PCG, whose output is stable across versions and platforms).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prng(Pcg64Mcg);

/// A probability as a ratio of integers: floats have no place in the core.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ratio {
    /// How many
    pub numerator: u32,
    /// out of how many.
    pub denominator: u32,
}

impl Prng {
    /// The stream `label` of `seed`. Different labels give independent streams.
    pub fn split(seed: u64, label: &str) -> Prng {
        // FNV-1a, then SplitMix64 to spread neighbouring seeds.
        let tag = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let high = mix(seed ^ tag);
        let low = mix(high ^ seed.rotate_left(32));
        Prng(Pcg64Mcg::new((u128::from(high) << 64) | u128::from(low)))
    }

    /// Any number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "invariant: a random choice has at least one alternative");
        // Multiply-shift: the bias is below 2^-32 for every bound used here, and it draws exactly once.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A span from `low` to `high`, both included.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration(self.between(low.0, high.0))
    }

    /// True with probability `ratio`.
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        self.below(u64::from(ratio.denominator)) < u64::from(ratio.numerator)
    }

    /// `span` × a number in [0.8, 1.2): Kafka's jitter for exponential backoff.
    pub fn jitter(&mut self, span: Duration) -> Duration {
        Duration(span.0.saturating_mul(800 + self.below(400)) / 1_000)
    }
}

impl std::hash::Hash for Prng {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // The generator hides its state; the next two outputs identify it.
        let mut copy = self.0.clone();
        state.write_u64(copy.next_u64());
        state.write_u64(copy.next_u64());
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_for_ever() {
        let mut prng = Prng::split(42, "network");
        let drawn: Vec<u64> = (0..3).map(|_| prng.below(1_000)).collect();
        assert_eq!(drawn, GOLDEN);
    }
    const GOLDEN: [u64; 3] = [541, 350, 582];

    #[test]
    fn streams_differ_by_label_and_by_seed() {
        let first = Prng::split(1, "a").next_u64();
        assert_ne!(first, Prng::split(1, "b").next_u64());
        assert_ne!(first, Prng::split(2, "a").next_u64());
    }

    #[test]
    fn bounds_are_kept() {
        let mut prng = Prng::split(7, "bounds");
        for _ in 0..1_000 {
            assert!((3..=5).contains(&prng.between(3, 5)));
            assert!((800..1_200).contains(&prng.jitter(Duration(1_000)).0));
        }
    }
}
