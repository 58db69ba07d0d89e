//! What one fetcher keeps: its partitions, its session, its request in flight.

use super::InitialFetchState;
use crate::base::config::{BrokerConfig, IsolationLevel};
use crate::base::{BrokerId, LeaderEpoch, Offset, SortedMap, Time, TopicPartition};
use crate::node::{Channel, Outbox};
use crate::protocol::{FetchPartition, FetchReplica, FetchRequest, FetchSession};
use std::collections::VecDeque;

/// Fetches from one leader broker.
#[derive(Clone, Hash, Debug)]
pub struct Fetcher {
    leader: BrokerId,
    partitions: SortedMap<TopicPartition, FetchState>,
    /// To be named in the next incremental request.
    changed: Vec<TopicPartition>,
    /// To leave the session with the next request.
    forgotten: Vec<TopicPartition>,
    session: FetchSession,
    in_flight: Option<InFlight>,
    /// Partitions that were out of range: the leader has to be asked for its offsets.
    probes: VecDeque<TopicPartition>,
    delayed: u32,
    next_wake: Option<Time>,
}

/// A partition that is being fetched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FetchState {
    /// From where: the end of the local log.
    pub fetch_offset: Offset,
    /// The leader's epoch.
    pub leader_epoch: LeaderEpoch,
    /// The epoch of the last record, −1 if there is none.
    pub last_fetched_epoch: LeaderEpoch,
    /// It backs off until then.
    pub delayed_until: Option<Time>,
    /// What the session holds of it.
    requested: Option<(Offset, LeaderEpoch)>,
    changed: bool,
    probing: bool,
}

/// What a fetcher waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct InFlight {
    pub(super) correlation: u32,
    pub(super) deadline: Time,
    pub(super) question: Question,
}

/// What it asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Question {
    /// For records.
    Fetch,
    /// Where the leader's log ends.
    Latest(TopicPartition, LeaderEpoch),
    /// Where it starts.
    Earliest(TopicPartition, LeaderEpoch),
}

impl FetchState {
    /// Whether the answer to the request in flight is about the state it is in now.
    pub(super) fn is_current(&self) -> bool {
        self.is_ready() && self.requested == Some((self.fetch_offset, self.leader_epoch))
    }

    fn is_ready(&self) -> bool {
        self.delayed_until.is_none() && !self.probing
    }
}

impl Fetcher {
    pub(super) fn new(leader: BrokerId) -> Self {
        Fetcher {
            leader,
            partitions: SortedMap::new(),
            changed: Vec::new(),
            forgotten: Vec::new(),
            session: FetchSession::INITIAL,
            in_flight: None,
            probes: VecDeque::new(),
            delayed: 0,
            next_wake: None,
        }
    }

    /// The partitions it fetches.
    pub fn partitions(&self) -> &SortedMap<TopicPartition, FetchState> {
        &self.partitions
    }

    /// Whether it waits for the leader.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.partitions.is_empty()
    }

    pub(super) fn close(&self, out: &mut Outbox<'_>) {
        out.disconnect(self.leader.node(), Channel::Replication);
    }

    pub(super) fn add(&mut self, start: InitialFetchState) {
        let state = FetchState {
            fetch_offset: start.offset,
            leader_epoch: start.leader_epoch,
            last_fetched_epoch: start.last_fetched_epoch,
            delayed_until: None,
            requested: None,
            changed: true,
            probing: false,
        };
        self.forgotten.retain(|partition| *partition != start.partition);
        self.partitions.insert(start.partition, state);
        self.changed.push(start.partition);
    }

    pub(super) fn remove(&mut self, partition: TopicPartition) {
        let Some(state) = self.partitions.remove(&partition) else { return };
        self.delayed -= u32::from(state.delayed_until.is_some());
        self.changed.retain(|changed| *changed != partition);
        self.probes.retain(|probe| *probe != partition);
        if state.requested.is_some() {
            self.forgotten.push(partition);
        }
    }

    pub(super) fn state(&self, partition: TopicPartition) -> Option<&FetchState> {
        self.partitions.get(&partition)
    }

    /// The local log ends at `offset` now, in `epoch`.
    pub(super) fn moved(&mut self, partition: TopicPartition, offset: Offset, epoch: LeaderEpoch) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.fetch_offset = offset;
            state.last_fetched_epoch = epoch;
            state.probing = false;
            self.log_start_moved(partition);
        }
    }

    /// The local log starts elsewhere now, which the leader is to hear with the next fetch.
    pub(super) fn log_start_moved(&mut self, partition: TopicPartition) {
        if let Some(state) = self.partitions.get_mut(&partition)
            && !state.changed
            && state.delayed_until.is_none()
        {
            state.changed = true;
            self.changed.push(partition);
        }
    }

    /// The partition is in trouble: leaves the session until `until`.
    pub(super) fn delay(&mut self, partition: TopicPartition, until: Time) {
        let Some(state) = self.partitions.get_mut(&partition) else { return };
        self.delayed += u32::from(state.delayed_until.is_none());
        state.delayed_until = Some(until);
        state.probing = false;
        if state.requested.take().is_some() {
            self.forgotten.push(partition);
        }
        self.next_wake = Some(self.next_wake.map_or(until, |wake| wake.min(until)));
    }

    /// The partition is out of range: the leader is asked before anything else is fetched.
    pub(super) fn probe(&mut self, partition: TopicPartition) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.probing = true;
            self.probes.push_back(partition);
        }
    }

    pub(super) fn connection_failed(&mut self, until: Time) {
        match self.in_flight.take().map(|in_flight| in_flight.question) {
            None => return,
            Some(Question::Latest(partition, _) | Question::Earliest(partition, _)) => self.delay(partition, until),
            Some(Question::Fetch) => {
                let all: Vec<TopicPartition> = self.partitions.keys().copied().collect();
                all.into_iter().for_each(|partition| self.delay(partition, until));
            }
        }
        self.renew_session();
    }

    /// The leader closes the session and opens another.
    fn renew_session(&mut self) {
        self.session = FetchSession { id: self.session.id, epoch: 0 };
        self.forgotten.clear();
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let in_flight = self.in_flight.map(|in_flight| in_flight.deadline);
        in_flight.into_iter().chain(self.next_wake).min()
    }

    pub(super) fn on_deadline(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox<'_>) {
        if self.in_flight.is_some_and(|in_flight| in_flight.deadline <= now) {
            self.close(out);
            self.connection_failed(now + config.replica_fetch_backoff_ms);
        }
        if self.next_wake.is_some_and(|wake| wake <= now) {
            self.wake(now);
        }
    }

    fn wake(&mut self, now: Time) {
        self.next_wake = None;
        for (partition, state) in self.partitions.iter_mut() {
            match state.delayed_until {
                Some(until) if until <= now => {
                    state.delayed_until = None;
                    self.delayed -= 1;
                    if !state.changed {
                        state.changed = true;
                        self.changed.push(*partition);
                    }
                }
                Some(until) => self.next_wake = Some(self.next_wake.map_or(until, |wake| wake.min(until))),
                None => {}
            }
        }
    }

    /// The answer to the request in flight has come.
    pub(super) fn answered(&mut self, correlation: u32) -> Option<Question> {
        let in_flight = self.in_flight.take_if(|in_flight| in_flight.correlation == correlation)?;
        Some(in_flight.question)
    }

    /// What a Fetch answer says of the session; false if its partitions must not be used.
    pub(super) fn session_answered(&mut self, error: crate::protocol::ErrorCode, session_id: i32) -> bool {
        use crate::protocol::ErrorCode;
        match error {
            ErrorCode::None => {
                self.session = match session_id {
                    0 => FetchSession::INITIAL,
                    id if self.session.epoch == 0 => FetchSession { id, epoch: 1 },
                    id => FetchSession {
                        id,
                        epoch: if self.session.epoch == i32::MAX { 1 } else { self.session.epoch + 1 },
                    },
                };
                true
            }
            ErrorCode::FetchSessionIdNotFound => {
                self.session = FetchSession::INITIAL;
                self.forgotten.clear();
                false
            }
            _ => {
                self.renew_session();
                false
            }
        }
    }

    pub(super) fn next_probe(&mut self) -> Option<(TopicPartition, LeaderEpoch)> {
        while let Some(partition) = self.probes.pop_front() {
            if let Some(state) = self.partitions.get(&partition).filter(|state| state.probing) {
                return Some((partition, state.leader_epoch));
            }
        }
        None
    }

    pub(super) fn sent(&mut self, correlation: u32, deadline: Time, question: Question) {
        self.in_flight = Some(InFlight { correlation, deadline, question });
    }

    /// The next Fetch, if there is anything to fetch.
    pub(super) fn build(
        &mut self,
        replica: FetchReplica,
        config: &BrokerConfig,
        log_start: impl Fn(TopicPartition) -> Offset,
    ) -> Option<FetchRequest> {
        if self.partitions.len() == self.delayed as usize && self.forgotten.is_empty() {
            return None;
        }
        let full = self.session.epoch == 0;
        let changed = std::mem::take(&mut self.changed);
        let named: Vec<TopicPartition> = if full { self.partitions.keys().copied().collect() } else { changed };
        let mut partitions = Vec::with_capacity(named.len());
        for partition in named {
            let Some(state) = self.partitions.get_mut(&partition) else { continue };
            state.changed = false;
            if state.is_ready() {
                state.requested = Some((state.fetch_offset, state.leader_epoch));
                partitions.push(FetchPartition {
                    partition,
                    current_leader_epoch: state.leader_epoch,
                    fetch_offset: state.fetch_offset,
                    last_fetched_epoch: state.last_fetched_epoch,
                    log_start_offset: log_start(partition),
                    partition_max_bytes: config.replica_fetch_max_bytes,
                    high_watermark: -1,
                });
            }
        }
        let forgotten = std::mem::take(&mut self.forgotten);
        if full && partitions.is_empty() {
            return None;
        }
        Some(FetchRequest {
            replica: Some(replica),
            max_wait: config.replica_fetch_wait_max_ms,
            min_bytes: config.replica_fetch_min_bytes,
            max_bytes: config.replica_fetch_response_max_bytes,
            isolation: IsolationLevel::ReadUncommitted,
            session: self.session,
            partitions,
            forgotten: if full { Vec::new() } else { forgotten },
            rack: None,
        })
    }
}
