//! What a leader knows of one follower (Kafka's `ReplicaState`).
//!
//! Departure in form, not in effect: an idle partition of a fetch session is not visited by each fetch. Its fetches are
//! made up for by [`FollowerState::record_idle_fetch`], at the latest when the leader's log moves again.

use crate::base::{BrokerId, Duration, Offset, Time};

/// A follower, as its fetches show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FollowerState {
    /// Which broker.
    pub broker: BrokerId,
    /// Its log end offset: where its last fetch asked to read. −1 if it has not fetched from this leader yet.
    pub log_end_offset: Offset,
    /// Its log start offset, −1 likewise.
    pub log_start_offset: Offset,
    /// The leader's log end offset at its last fetch.
    pub last_fetch_leader_log_end_offset: Offset,
    /// When it last fetched from this leader.
    pub last_fetch_time: Option<Time>,
    /// When it last had everything that the leader had.
    pub last_caught_up_time: Option<Time>,
    /// The broker epoch it fetched with.
    pub broker_epoch: Option<i64>,
}

impl FollowerState {
    /// A follower that was never heard of.
    pub fn new(broker: BrokerId) -> Self {
        FollowerState {
            broker,
            log_end_offset: -1,
            log_start_offset: -1,
            last_fetch_leader_log_end_offset: 0,
            last_fetch_time: None,
            last_caught_up_time: None,
            broker_epoch: None,
        }
    }

    /// The leader epoch changed: a follower in sync gets the benefit of the doubt for one lag time.
    pub fn reset(&mut self, now: Time, leader_end: Offset, new_leader: bool, in_sync: bool) {
        let caught_up = in_sync.then_some(now);
        if new_leader {
            *self = FollowerState { last_fetch_leader_log_end_offset: -1, ..FollowerState::new(self.broker) };
        } else {
            self.last_fetch_leader_log_end_offset = leader_end;
            self.last_fetch_time = caught_up;
        }
        self.last_caught_up_time = caught_up;
    }

    /// A fetch at `offset`, when the leader's log ended at `leader_end`.
    pub fn record_fetch(&mut self, offset: Offset, start: Offset, now: Time, leader_end: Offset, broker_epoch: i64) {
        if offset >= leader_end {
            self.last_caught_up_time = self.last_caught_up_time.max(Some(now));
        } else if offset >= self.last_fetch_leader_log_end_offset {
            self.last_caught_up_time = self.last_caught_up_time.max(self.last_fetch_time);
        }
        self.log_start_offset = start;
        self.log_end_offset = offset;
        self.last_fetch_leader_log_end_offset = leader_end.max(self.last_fetch_leader_log_end_offset);
        self.last_fetch_time = Some(now);
        self.broker_epoch = Some(broker_epoch);
    }

    /// Its session fetched at `then`, when this partition had nothing to say and the follower stood at the leader's end.
    pub fn record_idle_fetch(&mut self, then: Time, leader_end: Offset) {
        if self.log_end_offset == leader_end && Some(then) > self.last_fetch_time {
            self.last_caught_up_time = self.last_caught_up_time.max(Some(then));
            self.last_fetch_time = Some(then);
            self.last_fetch_leader_log_end_offset = leader_end;
        }
    }

    /// In sync as far as the logs go.
    pub fn is_caught_up(&self, leader_end: Offset, now: Time, max_lag: Duration) -> bool {
        self.log_end_offset == leader_end || self.last_caught_up_time.is_some_and(|time| now.since(time) <= max_lag)
    }
}
