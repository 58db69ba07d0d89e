//! What a leader knows of the others, and what follows from it: the high watermark, and whether it may go on leading.
//!
//! Invariants: the high watermark is the highest offset that a majority of voters has reached, and it never lies at or
//! before the start of the leader's epoch: what older leaders wrote is committed only together with a record of this one;
//! it never falls. In Kafka: `LeaderState`.

use crate::base::{Duration, NodeId, Offset, Time};

/// How long observers that fell silent are remembered (`OBSERVER_SESSION_TIMEOUT_MS`).
const OBSERVER_SESSION: Duration = Duration::from_millis(300_000);

/// One voter or observer, as the leader knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReplicaState {
    /// Which.
    pub node: NodeId,
    /// Where its log ends, if it has told.
    pub log_end_offset: Option<Offset>,
    /// When it last fetched.
    pub last_fetch: Option<Time>,
    /// When it last had everything that the leader had.
    pub last_caught_up: Option<Time>,
    /// Where the leader's log ended at its last fetch.
    last_fetch_leader_end: Offset,
}

impl ReplicaState {
    fn new(node: NodeId) -> ReplicaState {
        ReplicaState { node, log_end_offset: None, last_fetch: None, last_caught_up: None, last_fetch_leader_end: 0 }
    }

    fn fetched(&mut self, now: Time, offset: Offset, leader_end: Offset) {
        if offset >= leader_end {
            self.last_caught_up = self.last_caught_up.max(Some(now));
        } else if self.last_fetch_leader_end > 0 && offset >= self.last_fetch_leader_end {
            self.last_caught_up = self.last_caught_up.max(self.last_fetch);
        }
        self.last_fetch_leader_end = leader_end;
        self.last_fetch = self.last_fetch.max(Some(now));
        self.log_end_offset = Some(offset);
    }
}

/// A leader's own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct LeaderState {
    me: NodeId,
    pub epoch_start_offset: Offset,
    voters: Vec<ReplicaState>,
    observers: Vec<ReplicaState>,
    pub high_watermark: Option<Offset>,
    /// Who has fetched since a majority last had.
    fetched: Vec<NodeId>,
    /// It resigns then, unless a majority fetches.
    check_quorum_at: Time,
    check_quorum_timeout: Duration,
    /// Who is silent is told then who leads.
    pub begin_epoch_at: Time,
    begin_epoch_timeout: Duration,
    pub resign_requested: bool,
}

impl LeaderState {
    pub fn new(
        me: NodeId,
        voters: &[NodeId],
        epoch_start_offset: Offset,
        fetch_timeout: Duration,
        now: Time,
    ) -> LeaderState {
        let check_quorum_timeout = Duration(fetch_timeout.0 + fetch_timeout.0 / 2);
        LeaderState {
            me,
            epoch_start_offset,
            voters: voters.iter().copied().map(ReplicaState::new).collect(),
            observers: Vec::new(),
            high_watermark: None,
            fetched: Vec::new(),
            check_quorum_at: now + check_quorum_timeout,
            check_quorum_timeout,
            begin_epoch_at: now,
            begin_epoch_timeout: Duration(fetch_timeout.0 / 2),
            resign_requested: false,
        }
    }

    /// When it must resign; never, if there is nobody else.
    pub fn check_quorum_at(&self) -> Time {
        if self.voters.len() == 1 { Time::MAX } else { self.check_quorum_at }
    }

    /// The voters that have not fetched for a while, and must be told who leads. They are told again after a pause.
    pub fn voters_to_tell(&mut self, now: Time) -> Vec<NodeId> {
        self.begin_epoch_at = now + self.begin_epoch_timeout;
        let silent =
            |voter: &&ReplicaState| voter.last_fetch.is_none_or(|at| now.since(at) >= self.begin_epoch_timeout);
        self.voters.iter().filter(|voter| voter.node != self.me).filter(silent).map(|voter| voter.node).collect()
    }

    /// A voter fetched records or a piece of a snapshot.
    pub fn follows(&mut self, node: NodeId, now: Time) {
        assert!(node != self.me, "invariant: a leader does not fetch from itself");
        let is_voter = self.voters.iter().any(|voter| voter.node == node);
        if is_voter && !self.fetched.contains(&node) {
            self.fetched.push(node);
        }
        if self.fetched.len() >= self.voters.len() / 2 {
            self.fetched.clear();
            self.check_quorum_at = now + self.check_quorum_timeout;
        }
    }

    /// The leader's own log grew. Whether the high watermark moved.
    pub fn update_local(&mut self, end: Offset) -> bool {
        let me = self.me;
        if let Some(own) = self.voters.iter_mut().find(|voter| voter.node == me) {
            assert!(own.log_end_offset.is_none_or(|old| old <= end), "invariant: a leader's log only grows");
            own.log_end_offset = Some(end);
        }
        self.update_high_watermark()
    }

    /// A replica fetches from `offset`, so it has all before. Whether the high watermark moved.
    pub fn update_replica(&mut self, node: NodeId, now: Time, offset: Offset, leader_end: Offset) -> bool {
        self.follows(node, now);
        if let Some(voter) = self.voters.iter_mut().find(|voter| voter.node == node) {
            voter.fetched(now, offset, leader_end);
            return self.update_high_watermark();
        }
        let place = self.observers.iter().position(|observer| observer.node == node).unwrap_or_else(|| {
            self.observers.push(ReplicaState::new(node));
            self.observers.len() - 1
        });
        self.observers[place].fetched(now, offset, leader_end);
        false
    }

    fn update_high_watermark(&mut self) -> bool {
        let Some(reached) = self.reached_by_majority() else { return false };
        let moves = reached > self.epoch_start_offset && self.high_watermark.is_none_or(|old| reached > old);
        if moves {
            self.high_watermark = Some(reached);
        }
        moves
    }

    fn reached_by_majority(&self) -> Option<Offset> {
        let has = |offset: Offset| self.voters.iter().filter(|voter| voter.log_end_offset >= Some(offset)).count();
        let ends = self.voters.iter().filter_map(|voter| voter.log_end_offset);
        ends.filter(|end| has(*end) > self.voters.len() / 2).max()
    }

    /// The other voters, those with the longest logs first.
    pub fn successors(&self) -> Vec<NodeId> {
        let mut others: Vec<_> = self.voters.iter().filter(|voter| voter.node != self.me).collect();
        crate::base::sort_short(&mut others, |a, b| (b.log_end_offset, a.node) < (a.log_end_offset, b.node));
        others.into_iter().map(|voter| voter.node).collect()
    }

    /// The voters, and the observers that are still there.
    pub fn replicas(&self, now: Time) -> (&[ReplicaState], impl Iterator<Item = &ReplicaState>) {
        let alive = move |it: &&ReplicaState| it.last_fetch.is_some_and(|at| now.since(at) < OBSERVER_SESSION);
        (&self.voters, self.observers.iter().filter(alive))
    }
}
