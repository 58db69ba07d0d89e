//! `ExponentialBackoff` with Kafka's constants for clients: base 2, jitter 0.2.

use crate::base::{Duration, Prng};

/// A pause that doubles with each attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExponentialBackoff {
    initial: Duration,
    max: Duration,
}

impl ExponentialBackoff {
    /// From `initial` up to `max`; constant and without jitter if `max` is not above `initial`.
    pub fn new(initial: Duration, max: Duration) -> Self {
        ExponentialBackoff { initial: initial.min(max), max }
    }

    /// The pause after `attempts` attempts (from 0).
    pub fn backoff(&self, attempts: u32, random: &mut Prng) -> Duration {
        if self.max <= self.initial {
            return self.initial;
        }
        let doubled = self.initial * (1_u64 << attempts.min(32));
        random.jitter(doubled.min(self.max)).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h13_exponential_retry_backoff() {
        let backoff = ExponentialBackoff::new(Duration::from_millis(100), Duration::from_millis(1_000));
        let mut random = Prng::split(1, "backoff");
        for (attempts, expected) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1_000), (5, 1_000), (400, 1_000)] {
            for _ in 0..200 {
                let pause = backoff.backoff(attempts, &mut random);
                assert!(pause.0 >= expected * 800 && pause.0 < expected * 1_200, "{attempts}: {pause:?}");
                assert!(pause <= Duration::from_millis(1_000));
            }
        }
    }

    #[test]
    fn constant_when_there_is_no_room() {
        let mut random = Prng::split(1, "backoff");
        let backoff = ExponentialBackoff::new(Duration::from_millis(100), Duration::from_millis(50));
        assert_eq!(backoff.backoff(7, &mut random), Duration::from_millis(50));
    }
}
