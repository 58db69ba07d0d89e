//! Virtual time: microseconds, moved only by the simulator's event queue.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

/// A moment, in microseconds. The cluster boots before [`Time::ORIGIN`]; a scenario's clock starts there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub u64);

/// A span, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Duration(pub u64);

/// 2026-01-01T00:00:00Z: what the simulated wall clocks show at [`Time::ZERO`], so that record timestamps look like ones.
const WALL_CLOCK_AT_ZERO_MS: i64 = 1_767_225_600_000;

impl Time {
    /// Power on: brokers and controllers start here.
    pub const ZERO: Time = Time(0);
    /// Zero of the scenario's clock: the cluster is up, applications start.
    pub const ORIGIN: Time = Time(10_000_000);
    /// Later than every event.
    pub const MAX: Time = Time(u64::MAX);

    /// The moment `us` microseconds after the scenario began.
    pub const fn from_origin_us(us: u64) -> Time {
        Time(Self::ORIGIN.0.saturating_add(us))
    }

    /// Microseconds since the scenario began (0 while booting).
    pub const fn us_since_origin(self) -> u64 {
        self.0.saturating_sub(Self::ORIGIN.0)
    }

    /// The span since `earlier`, or zero when that is in the future.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// What a correct wall clock shows now, in milliseconds since 1970: the clock Kafka stamps records with.
    pub const fn wall_clock_ms(self) -> i64 {
        WALL_CLOCK_AT_ZERO_MS + (self.0 / 1_000) as i64
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// Longer than any run.
    pub const MAX: Duration = Duration(u64::MAX / 4);

    /// A span of `us` microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Duration(us)
    }

    /// A span of `ms` milliseconds, Kafka's unit for settings.
    pub const fn from_millis(ms: u64) -> Self {
        Duration(ms.saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, other: Duration) -> Duration {
        Duration(self.0.saturating_sub(other.0))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, times: u64) -> Duration {
        Duration(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Time {
    /// Seconds since the scenario began, to the microsecond: `1.234567`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.us_since_origin();
        write!(f, "{}.{:06}", us / 1_000_000, us % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_seconds_since_the_origin() {
        assert_eq!(Time::from_origin_us(1_234_567).to_string(), "1.234567");
        assert_eq!(Time::ZERO.to_string(), "0.000000");
    }

    #[test]
    fn spans_saturate() {
        assert_eq!(Time(5).since(Time(9)), Duration::ZERO);
        assert_eq!(Duration(3) - Duration(4), Duration::ZERO);
        assert_eq!(Duration::from_millis(2).0, 2_000);
    }
}
