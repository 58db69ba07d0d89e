//! A leader's work: appending, answering Fetch and FetchSnapshot, moving the high watermark.
//!
//! Invariant: a fetch is parked only if it would get nothing new: no records, no higher high watermark. It is answered when
//! there is either, when its time is over, or when this voter is known not to lead.

use super::super::log::Position;
use super::super::quorum::State;
use super::{RaftClient, node_of};
use crate::base::{LeaderEpoch, NodeId, Offset, Time};
use crate::node::{ControllerTimer, Event, Outbox, RequestContext, Timer};
use crate::protocol::{ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse};
use crate::protocol::{FetchSnapshotRequest, FetchSnapshotResponse, Response};
use crate::record::RecordBatch;
use bytes::Bytes;

/// A fetch that waits for news.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct ParkedFetch {
    pub context: RequestContext,
    deadline: Time,
    replica: Option<NodeId>,
    partition: FetchPartition,
    max_bytes: u32,
}

impl RaftClient {
    // ---- appending ----

    /// Writes a batch that has its offset and epoch: only while this voter leads in that epoch.
    pub fn append(&mut self, now: Time, batch: RecordBatch, out: &mut Outbox<'_>) {
        assert!(batch.leader_epoch() == self.election.epoch, "invariant: a leader writes in its own epoch");
        self.log.append_as_leader(now, batch);
        let end = self.log.end_offset();
        let moved = self.leader_state().expect("invariant: only a leader appends").update_local(end);
        if moved {
            self.high_watermark_moved(now, out);
        } else {
            self.answer_parked(now, out, |fetch| fetch.partition.fetch_offset < end);
        }
    }

    fn high_watermark_moved(&mut self, now: Time, out: &mut Outbox<'_>) {
        let leader = self.leader_state().expect("invariant: only a leader commits");
        let high_watermark = leader.high_watermark;
        self.process().high_watermark = high_watermark;
        self.set_log_high_watermark(high_watermark, out);
        self.answer_parked(now, out, |_| true);
    }

    pub(super) fn set_log_high_watermark(&mut self, high_watermark: Option<Offset>, out: &mut Outbox<'_>) {
        let before = self.log.high_watermark();
        self.log.set_high_watermark(high_watermark.unwrap_or(0));
        let offset = self.log.high_watermark();
        if offset > before && !self.is_only_voter() {
            let leader = matches!(self.state(), State::Leader(_));
            out.emit(Event::HighWatermark { partition: self.setup.partition, leader, offset });
        }
    }

    // ---- Fetch ----

    pub(super) fn handle_fetch(
        &mut self,
        now: Time,
        context: RequestContext,
        request: &FetchRequest,
        out: &mut Outbox<'_>,
    ) {
        let [partition] = request.partitions[..] else {
            return out.respond(context, self.refusal(ErrorCode::InvalidRequest));
        };
        let is_bad = partition.partition != self.setup.partition
            || partition.fetch_offset < 0
            || partition.last_fetched_epoch < 0
            || partition.last_fetched_epoch > partition.current_leader_epoch;
        if is_bad {
            return out.respond(context, self.refusal(ErrorCode::InvalidRequest));
        }
        let replica = request.replica.and_then(|replica| node_of(replica.id));
        let deadline = now + request.max_wait;
        let fetch = ParkedFetch { context, deadline, replica, partition, max_bytes: request.max_bytes };
        let response = self.try_complete(now, &fetch, out);
        let waits = deadline > now
            && !response.error.is_error()
            && response.records.is_empty()
            && response.diverging_epoch.is_none()
            && response.snapshot_id.is_none()
            && response.high_watermark <= partition.high_watermark;
        if !waits {
            return out.respond(context, fetched(response));
        }
        self.process().parked.push(fetch);
        self.schedule_parked(out);
    }

    /// Who asks for a leader in which epoch gets an answer from the leader of that epoch only.
    fn validate_leader_request(&self, epoch: LeaderEpoch) -> ErrorCode {
        match self.state() {
            _ if epoch < self.election.epoch => ErrorCode::FencedLeaderEpoch,
            _ if epoch > self.election.epoch => ErrorCode::UnknownLeaderEpoch,
            State::Leader(_) => ErrorCode::None,
            _ => ErrorCode::NotLeaderOrFollower,
        }
    }

    fn try_complete(&mut self, now: Time, fetch: &ParkedFetch, out: &mut Outbox<'_>) -> FetchPartitionResponse {
        let request = &fetch.partition;
        let error = self.validate_leader_request(request.current_leader_epoch);
        let mut response = self.empty_response(error);
        if error.is_error() {
            return response;
        }
        let offset = request.fetch_offset;
        let from_scratch = self.log.latest_snapshot().filter(|_| offset == 0).map(|snapshot| snapshot.id);
        let position = match from_scratch {
            Some(snapshot) => Position::Snapshot(snapshot),
            None => self.log.validate(offset, request.last_fetched_epoch),
        };
        match position {
            Position::Diverging(end) => response.diverging_epoch = Some(end),
            Position::Snapshot(id) => response.snapshot_id = Some(id),
            Position::Valid => {
                response.records = self.log.read(offset, fetch.max_bytes);
                let end = self.log.end_offset();
                let leader = self.leader_state().expect("invariant: it was checked");
                if fetch.replica.is_some_and(|replica| leader.update_replica(replica, now, offset, end)) {
                    self.high_watermark_moved(now, out);
                }
            }
        }
        response.high_watermark = self.process().high_watermark.unwrap_or(-1);
        response
    }

    fn empty_response(&self, error: ErrorCode) -> FetchPartitionResponse {
        FetchPartitionResponse {
            partition: self.setup.partition,
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: self.log.log().log_start_offset(),
            diverging_epoch: None,
            current_leader: Some(self.current_leader()),
            snapshot_id: None,
            aborted_transactions: Vec::new(),
            preferred_read_replica: crate::base::BrokerId::NONE,
            records: Vec::new(),
        }
    }

    fn refusal(&self, error: ErrorCode) -> Response {
        fetched(self.empty_response(error))
    }

    fn answer_parked(&mut self, now: Time, out: &mut Outbox<'_>, which: impl Fn(&ParkedFetch) -> bool) {
        if !self.process().parked.iter().any(&which) {
            return;
        }
        let parked = std::mem::take(&mut self.process().parked);
        let (ready, waiting): (Vec<_>, Vec<_>) = parked.into_iter().partition(which);
        self.process().parked = waiting;
        for fetch in &ready {
            let response = self.try_complete(now, fetch, out);
            out.respond(fetch.context, fetched(response));
        }
        if self.process().parked.is_empty() {
            out.cancel_timer(Timer::Controller(ControllerTimer::Purgatory));
        }
    }

    /// Who has waited long enough gets an empty answer.
    pub fn expire_parked(&mut self, now: Time, out: &mut Outbox<'_>) {
        let parked = std::mem::take(&mut self.process().parked);
        let (expired, waiting): (Vec<_>, Vec<_>) = parked.into_iter().partition(|fetch| fetch.deadline <= now);
        self.process().parked = waiting;
        for fetch in &expired {
            // As it was when the fetch came; this voter may have been deposed since, without knowing by whom.
            let mut response = self.empty_response(ErrorCode::None);
            response.high_watermark = fetch.partition.high_watermark;
            if self.election.epoch != fetch.partition.current_leader_epoch {
                response.current_leader = None;
            }
            out.respond(fetch.context, fetched(response));
        }
        self.schedule_parked(out);
    }

    /// This voter does not lead.
    pub(super) fn refuse_parked(&mut self, error: ErrorCode, out: &mut Outbox<'_>) {
        for fetch in std::mem::take(&mut self.process().parked) {
            out.respond(fetch.context, self.refusal(error));
        }
    }

    fn schedule_parked(&mut self, out: &mut Outbox<'_>) {
        if let Some(deadline) = self.process().parked.iter().map(|fetch| fetch.deadline).min() {
            out.set_timer(Timer::Controller(ControllerTimer::Purgatory), deadline);
        }
    }

    // ---- FetchSnapshot ----

    pub(super) fn handle_fetch_snapshot(&mut self, now: Time, request: &FetchSnapshotRequest) -> FetchSnapshotResponse {
        let FetchSnapshotRequest { snapshot, position, max_bytes, .. } = *request;
        let (error, size, bytes) = match self.piece_of_snapshot(request) {
            Ok((size, bytes)) => (ErrorCode::None, size, bytes),
            Err(error) => (error, 0, Bytes::new()),
        };
        debug_assert!(bytes.len() as u64 <= u64::from(max_bytes), "invariant: a piece is no larger than asked for");
        if let (false, Some(replica), Some(leader)) = (error.is_error(), node_of(request.replica), self.leader_state())
        {
            leader.follows(replica, now);
        }
        FetchSnapshotResponse { error, current_leader: self.current_leader(), snapshot, size, position, bytes }
    }

    fn piece_of_snapshot(&self, request: &FetchSnapshotRequest) -> Result<(u64, Bytes), ErrorCode> {
        let error = self.validate_leader_request(request.current_leader_epoch);
        if error.is_error() {
            return Err(error);
        }
        let snapshot = self.log.snapshot(request.snapshot).ok_or(ErrorCode::SnapshotNotFound)?;
        let all = &snapshot.bytes;
        let from = usize::try_from(request.position).ok().filter(|from| *from < all.len());
        let from = from.ok_or(ErrorCode::PositionOutOfRange)?;
        let to = all.len().min(from.saturating_add(request.max_bytes as usize));
        Ok((all.len() as u64, all.slice(from..to)))
    }
}

fn fetched(partition: FetchPartitionResponse) -> Response {
    Response::Fetch(FetchResponse { error: ErrorCode::None, session_id: 0, partitions: vec![partition] })
}
