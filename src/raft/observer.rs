//! A reader of the quorum's log that has no vote: a broker. It finds the leader, fetches from it, and hands out what is
//! committed.
//!
//! Invariants: batches are handed out once, in order, and only below the high watermark; what lies above it is kept here,
//! and cut off when a new leader's log went another way.
//!
//! In Kafka: `KafkaRaftClient` in a broker, `pollFollowerAsObserver`. A quorum of one needs no search for the leader.

use super::client::{node_of, raft_fetch};
use super::quorum::FetchingSnapshot;
use super::request_manager::RequestManager;
use crate::base::{BrokerId, Duration, LeaderEpoch, NodeId, Offset, Time, TopicPartition};
use crate::node::{Channel, Outbox};
use crate::protocol::{CurrentLeader, EpochEndOffset, ErrorCode, FetchPartition, FetchPartitionResponse};
use crate::protocol::{FetchSnapshotRequest, FetchSnapshotResponse, Request, Response, SnapshotId};
use crate::record::RecordBatch;
use bytes::Bytes;
use std::rc::Rc;

/// `controller.quorum.fetch.snapshot.max.bytes`
const MAX_SNAPSHOT_BYTES: u32 = 8 * 1024 * 1024;

/// What an answer brought.
#[derive(Clone, PartialEq, Debug)]
pub enum Observed {
    /// Nothing that is committed.
    Nothing,
    /// These batches, in order, perhaps none; the leader has answered.
    Batches(Vec<RecordBatch>),
    /// Everything before the snapshot's end.
    Snapshot(SnapshotId, Bytes),
}

/// The reader.
#[derive(Clone, Hash, Debug)]
pub struct Observer {
    id: BrokerId,
    partition: TopicPartition,
    epoch: LeaderEpoch,
    leader: Option<NodeId>,
    requests: RequestManager,
    /// The first offset that was not handed out, and the epoch of the last record that was.
    next: Offset,
    last_epoch: LeaderEpoch,
    /// Fetched, but not known to be committed.
    tail: Vec<RecordBatch>,
    high_watermark: Offset,
    /// As it last answered, −1 if it knows none.
    leader_high_watermark: Offset,
    snapshot: Option<FetchingSnapshot>,
}

impl Observer {
    /// Knows nothing yet.
    pub fn new(
        id: BrokerId,
        partition: TopicPartition,
        voters: &Rc<[NodeId]>,
        retry_backoff: Duration,
        request_timeout: Duration,
    ) -> Observer {
        let leader = if voters.len() == 1 { voters.first().copied() } else { None };
        Observer {
            id,
            partition,
            epoch: 0,
            leader,
            requests: RequestManager::new(voters.clone(), None, retry_backoff, request_timeout),
            next: 0,
            last_epoch: 0,
            tail: Vec::new(),
            high_watermark: -1,
            leader_high_watermark: -1,
            snapshot: None,
        }
    }

    /// Who leads the quorum, as far as it knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// In which epoch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Before it, all is committed, as far as it knows; −1 if it knows nothing.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Where that what it has read ends.
    pub fn end_offset(&self) -> Offset {
        self.tail.last().map_or(self.next, RecordBatch::next_offset)
    }

    /// Whether it has handed out all that was committed when the leader last answered.
    pub fn is_caught_up(&self) -> bool {
        self.leader_high_watermark >= 0 && self.next >= self.leader_high_watermark
    }

    /// Asks for what comes next, if nothing is in flight.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        while let Some(silent) = self.requests.next_timed_out(now) {
            out.disconnect(silent, Channel::Metadata);
        }
        let to = match self.leader {
            Some(leader) if !self.requests.is_backing_off(leader, now) => {
                Some(leader).filter(|_| !self.requests.has_any_in_flight())
            }
            _ => self.requests.ready_bootstrap(now, out.random()),
        };
        if let Some(to) = to {
            let request = match &self.snapshot {
                Some(snapshot) if Some(to) == self.leader => self.snapshot_request(snapshot),
                _ => self.fetch_request(),
            };
            let correlation = self.requests.sent(to, now);
            out.request(to, Channel::Metadata, correlation, request);
        }
    }

    /// When to call [`Self::poll`].
    pub fn deadline(&self) -> Option<Time> {
        self.requests.deadline()
    }

    fn fetch_request(&self) -> Request {
        let partition = FetchPartition {
            partition: self.partition,
            current_leader_epoch: self.epoch,
            fetch_offset: self.end_offset(),
            last_fetched_epoch: self.tail.last().map_or(self.last_epoch, RecordBatch::leader_epoch),
            log_start_offset: -1,
            partition_max_bytes: 0,
            high_watermark: self.high_watermark,
        };
        raft_fetch(self.id, partition)
    }

    fn snapshot_request(&self, snapshot: &FetchingSnapshot) -> Request {
        Request::FetchSnapshot(FetchSnapshotRequest {
            replica: self.id,
            current_leader_epoch: self.epoch,
            snapshot: snapshot.id,
            position: snapshot.bytes.len() as u64,
            max_bytes: MAX_SNAPSHOT_BYTES,
        })
    }

    /// The connection to a controller broke.
    pub fn disconnected(&mut self, now: Time, peer: NodeId) {
        self.requests.disconnected(peer, now);
    }

    /// A controller answered.
    pub fn on_response(&mut self, now: Time, from: NodeId, correlation: u32, response: Response) -> Observed {
        if !self.requests.is_expected(from, correlation) {
            return Observed::Nothing;
        }
        let observed = match response {
            Response::Fetch(mut response) => match response.partitions.pop() {
                Some(partition) if !response.error.is_error() => self.on_fetch(partition),
                _ => None,
            },
            Response::FetchSnapshot(response) => self.on_fetch_snapshot(response),
            _ => None,
        };
        self.requests.answered(from, correlation, observed.is_some(), now);
        observed.unwrap_or(Observed::Nothing)
    }

    /// None if the controller should be left alone for a while.
    fn on_fetch(&mut self, partition: FetchPartitionResponse) -> Option<Observed> {
        let Some(current) = partition.current_leader else { return Some(Observed::Nothing) };
        if self.learn(partition.error, current) {
            return Some(Observed::Nothing);
        }
        if partition.error.is_error() {
            return None;
        }
        if let Some(diverging) = partition.diverging_epoch {
            self.truncate(diverging);
            return Some(Observed::Nothing);
        }
        if let Some(id) = partition.snapshot_id {
            self.snapshot = Some(FetchingSnapshot { id, bytes: Vec::new() });
            return Some(Observed::Nothing);
        }
        for batch in partition.records {
            if batch.base_offset() == self.end_offset() {
                self.tail.push(batch);
            }
        }
        self.leader_high_watermark = partition.high_watermark;
        self.high_watermark = self.high_watermark.max(partition.high_watermark.min(self.end_offset()));
        Some(Observed::Batches(self.hand_out()))
    }

    fn hand_out(&mut self) -> Vec<RecordBatch> {
        let high_watermark = self.high_watermark;
        let committed = self.tail.iter().take_while(|batch| batch.next_offset() <= high_watermark).count();
        let batches: Vec<_> = self.tail.drain(..committed).collect();
        if let Some(last) = batches.last() {
            (self.next, self.last_epoch) = (last.next_offset(), last.leader_epoch());
        }
        batches
    }

    /// The leader's `diverging` epoch ends there: what goes beyond it is not in its log.
    fn truncate(&mut self, diverging: EpochEndOffset) {
        assert!(diverging.end_offset >= self.next, "invariant: what is committed is not cut off");
        let agrees = |batch: &RecordBatch| {
            batch.leader_epoch() <= diverging.epoch && batch.next_offset() <= diverging.end_offset
        };
        let keep = self.tail.iter().take_while(|batch| agrees(batch)).count();
        self.tail.truncate(keep);
    }

    fn on_fetch_snapshot(&mut self, response: FetchSnapshotResponse) -> Option<Observed> {
        if self.learn(response.error, response.current_leader) {
            return Some(Observed::Nothing);
        }
        let mut fetching = self.snapshot.take()?;
        if response.error == ErrorCode::SnapshotNotFound {
            return Some(Observed::Nothing);
        }
        let fits = fetching.id == response.snapshot && fetching.bytes.len() as u64 == response.position;
        if response.error.is_error() || !fits {
            return None;
        }
        fetching.bytes.extend_from_slice(&response.bytes);
        if (fetching.bytes.len() as u64) < response.size {
            self.snapshot = Some(fetching);
            return Some(Observed::Nothing);
        }
        let FetchingSnapshot { id, bytes } = fetching;
        self.tail.clear();
        (self.next, self.last_epoch) = (id.end_offset, id.epoch);
        self.high_watermark = self.high_watermark.max(id.end_offset);
        Some(Observed::Snapshot(id, Bytes::from(bytes)))
    }

    /// What any answer tells about the leader; true if there is no more to it.
    fn learn(&mut self, error: ErrorCode, current: CurrentLeader) -> bool {
        if current.epoch < self.epoch || error == ErrorCode::UnknownLeaderEpoch {
            return true;
        }
        let leader = node_of(current.leader);
        let is_new = current.epoch > self.epoch || (self.leader.is_none() && leader.is_some());
        if is_new {
            (self.epoch, self.leader) = (current.epoch, leader);
            self.snapshot = None;
            self.requests.reset_all();
        }
        let refused = matches!(error, ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower);
        refused || (is_new && error.is_error())
    }
}
