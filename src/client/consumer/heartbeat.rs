//! When a member says that it lives, when it doubts its coordinator, and when it gives itself up.
//!
//! In Kafka: `Heartbeat`. Departure: its thread looks every `retry.backoff.ms`; here everything happens when it is due.

use crate::base::config::ConsumerConfig;
use crate::base::{Duration, Prng, Time};
use crate::client::network_client::ExponentialBackoff;

/// The timers of a member in the classic protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Heartbeat {
    interval: Duration,
    session: Duration,
    max_poll_interval: Duration,
    backoff: ExponentialBackoff,
    send_at: Time,
    session_ends: Time,
    poll_ends: Time,
    attempts: u32,
    enabled: bool,
}

impl Heartbeat {
    pub(super) fn new(config: &ConsumerConfig) -> Self {
        Heartbeat {
            interval: config.heartbeat_interval_ms,
            session: config.session_timeout_ms,
            max_poll_interval: config.max_poll_interval_ms,
            backoff: super::backoff(config),
            send_at: Time::ZERO,
            session_ends: Time::ZERO,
            poll_ends: Time::ZERO,
            attempts: 0,
            enabled: false,
        }
    }

    /// A member of a generation: all timers begin.
    pub(super) fn enable(&mut self, now: Time) {
        self.enabled = true;
        self.session_ends = now + self.session;
        self.poll_ends = now + self.max_poll_interval;
        self.send_at = now + self.interval;
    }

    pub(super) fn disable(&mut self) {
        self.enabled = false;
    }

    /// Whether it beats.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The application called `poll()`.
    pub(super) fn polled(&mut self, now: Time) {
        self.poll_ends = now + self.max_poll_interval;
    }

    pub(super) fn sent(&mut self, now: Time) {
        self.send_at = now + self.interval;
    }

    pub(super) fn received(&mut self, now: Time) {
        self.attempts = 0;
        self.session_ends = now + self.session;
    }

    pub(super) fn failed(&mut self, now: Time, random: &mut Prng) {
        self.send_at = now + self.backoff.backoff(self.attempts, random);
        self.attempts += 1;
    }

    /// A coordinator was found: it gets the whole session to answer.
    pub(super) fn reset_session(&mut self, now: Time) {
        self.session_ends = now + self.session;
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.send_at <= now
    }

    pub(super) fn session_expired(&self, now: Time) -> bool {
        self.session_ends <= now
    }

    pub(super) fn poll_expired(&self, now: Time) -> bool {
        self.poll_ends <= now
    }

    /// When the member leaves if `poll()` is not called before (`max.poll.interval.ms`).
    pub fn poll_ends(&self) -> Time {
        self.poll_ends
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Time {
        self.send_at.min(self.session_ends).min(self.poll_ends)
    }
}
