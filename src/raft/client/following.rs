//! A follower's work: what the leader's answers to Fetch and FetchSnapshot do to its log.

use super::super::log::Snapshot;
use super::super::quorum::{FetchingSnapshot, Follower, State};
use super::RaftClient;
use crate::base::{Offset, Time};
use crate::node::{Event, Outbox};
use crate::protocol::{ErrorCode, FetchPartitionResponse, FetchResponse, FetchSnapshotResponse};
use bytes::Bytes;
use std::rc::Rc;

impl RaftClient {
    pub(super) fn on_fetch(&mut self, now: Time, response: &FetchResponse, out: &mut Outbox<'_>) -> bool {
        let [partition] = &response.partitions[..] else { return false };
        if response.error.is_error() || partition.partition != self.setup.partition {
            return false;
        }
        // An answer without a leader is that of an epoch that is over.
        let Some(current) = partition.current_leader else { return true };
        if let Some(well) = self.handle_common(now, partition.error, current, out) {
            return well;
        }
        if partition.error.is_error() {
            return false;
        }
        if !matches!(self.state(), State::Follower(_)) {
            return true;
        }
        self.follow(now, partition, out);
        self.heard_from_leader(now);
        true
    }

    fn follower(&mut self) -> &mut Follower {
        match &mut self.process().state {
            State::Follower(follower) => follower,
            other => panic!("invariant: a {} voter does not follow", other.role().name()),
        }
    }

    fn heard_from_leader(&mut self, now: Time) {
        let timeout = self.fetch_timeout();
        let follower = self.follower();
        follower.fetch_at = now + timeout;
        follower.has_fetched = true;
    }

    fn follow(&mut self, now: Time, partition: &FetchPartitionResponse, out: &mut Outbox<'_>) {
        if let Some(diverging) = partition.diverging_epoch {
            let from = self.log.end_offset();
            let to = self.log.truncate_to_end_offset(diverging, now);
            if to < from {
                out.emit(Event::Truncated { partition: self.setup.partition, from, to, records: Rc::new([]) });
            }
        } else if let Some(id) = partition.snapshot_id {
            let known = self.log.snapshot(id).is_some();
            self.follower().snapshot = (!known).then(|| FetchingSnapshot { id, bytes: Vec::new() });
        } else {
            if !partition.records.is_empty() {
                self.log.append_as_follower(now, &partition.records, self.election.epoch);
            }
            self.advance_high_watermark(partition.high_watermark, out);
        }
    }

    /// A follower knows what is committed, as far as its log reaches.
    fn advance_high_watermark(&mut self, of_leader: Offset, out: &mut Outbox<'_>) {
        if of_leader < 0 {
            return;
        }
        let known = of_leader.min(self.log.end_offset());
        let process = self.process();
        assert!(process.high_watermark.is_none_or(|old| old <= known), "invariant: what is committed stays so");
        process.high_watermark = Some(known);
        self.set_log_high_watermark(Some(known), out);
    }

    pub(super) fn on_fetch_snapshot(
        &mut self,
        now: Time,
        response: FetchSnapshotResponse,
        out: &mut Outbox<'_>,
    ) -> bool {
        if let Some(well) = self.handle_common(now, response.error, response.current_leader, out) {
            return well;
        }
        if !matches!(self.state(), State::Follower(_)) {
            return true;
        }
        if response.error == ErrorCode::SnapshotNotFound {
            // The leader has deleted it meanwhile: from the beginning.
            self.follower().snapshot = None;
            self.heard_from_leader(now);
            return true;
        }
        if response.error.is_error() {
            return false;
        }
        let Some(mut fetching) = self.follower().snapshot.take() else { return false };
        if fetching.id != response.snapshot || fetching.bytes.len() as u64 != response.position {
            return false;
        }
        fetching.bytes.extend_from_slice(&response.bytes);
        if (fetching.bytes.len() as u64) < response.size {
            self.follower().snapshot = Some(fetching);
        } else {
            let (id, bytes) = (fetching.id, Bytes::from(fetching.bytes));
            self.log.install_snapshot(Snapshot { id, bytes, timestamp: now });
            let known = self.process().high_watermark.unwrap_or(0).max(id.end_offset);
            self.advance_high_watermark(known, out);
            out.emit(Event::HighWatermark { partition: self.setup.partition, leader: false, offset: id.end_offset });
        }
        self.heard_from_leader(now);
        true
    }
}
