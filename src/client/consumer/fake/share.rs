//! The fake broker as coordinator and only leader of a share group: what it acquires is held until it is acknowledged, and
//! released is given out again. Nobody else is in the group, and no lock expires by itself.

use super::{FakeBroker, TP};
use crate::base::{Duration, Offset, SortedMap, TopicPartition};
use crate::protocol::*;
use std::collections::VecDeque;
use std::rc::Rc;

/// How long acquired records are locked, as the fake says.
pub const LOCK: Duration = Duration::from_millis(30_000);

/// The group.
#[derive(Default)]
pub struct FakeShareGroup {
    /// What is locked, and the how-manieth delivery it is.
    pub acquired: SortedMap<Offset, i16>,
    /// What was acknowledged, in the order of arrival.
    pub acknowledged: Vec<(Offset, AcknowledgeType)>,
    /// What the coordinator assigns next.
    pub targets: VecDeque<Vec<TopicPartition>>,
    /// Errors of the partition that the next fetches meet.
    pub partition_errors: VecDeque<ErrorCode>,
    /// Errors that the next acknowledgements meet.
    pub acknowledge_errors: VecDeque<ErrorCode>,
    /// Acquire only what is below.
    pub limit: Option<Offset>,
    released: SortedMap<Offset, i16>,
    next: Offset,
    epoch: i32,
    session: Vec<TopicPartition>,
}

impl FakeBroker {
    /// The answer to a request about the share group, if it is one; none inside if a fetch has to wait.
    pub(super) fn answer_share(&mut self, request: &Request, error: ErrorCode) -> Option<Option<Response>> {
        Some(match request {
            Request::ShareGroupHeartbeat(r) => Some(Response::ShareGroupHeartbeat(self.share_heartbeat(r, error))),
            Request::ShareFetch(r) => self.share_fetch(r, error).map(Response::ShareFetch),
            Request::ShareAcknowledge(r) => Some(Response::ShareAcknowledge(self.share_acknowledge(r, error))),
            _ => return None,
        })
    }

    /// The member's connection is gone, and with it the session: what it held is free.
    pub(super) fn release_share(&mut self) {
        let held = std::mem::take(&mut self.share.acquired);
        self.share.released.extend(held);
    }

    fn share_heartbeat(&mut self, r: &ShareGroupHeartbeatRequest, error: ErrorCode) -> ShareGroupHeartbeatResponse {
        if error.is_error() {
            return ShareGroupHeartbeatResponse::failed(error);
        }
        let (group, joins) = (&mut self.share, r.member_epoch == JOIN_EPOCH);
        let assignment = group.targets.pop_front().or(joins.then(|| vec![TP]));
        group.epoch += i32::from(assignment.is_some());
        ShareGroupHeartbeatResponse {
            error,
            member_id: Some(Rc::clone(&r.member_id)),
            member_epoch: if r.member_epoch < 0 { r.member_epoch } else { group.epoch },
            heartbeat_interval: Duration::from_millis(5_000),
            assignment,
        }
    }

    fn note(&mut self, parts: &[SharePartitionAcknowledgements]) -> ErrorCode {
        let mut error = ErrorCode::None;
        for batch in parts.iter().flat_map(|part| &part.batches) {
            error = self.share.acknowledge_errors.pop_front().unwrap_or(ErrorCode::None);
            if error.is_error() {
                continue;
            }
            for (place, offset) in (batch.first_offset..=batch.last_offset).enumerate() {
                let kind = *batch.types.get(place).unwrap_or(&batch.types[0]);
                self.share.acknowledged.push((offset, kind));
                if kind == AcknowledgeType::Renew {
                    continue;
                }
                let count = self.share.acquired.remove(&offset).expect("only what is acquired is acknowledged");
                if kind == AcknowledgeType::Release {
                    self.share.released.insert(offset, count);
                }
            }
        }
        error
    }

    fn share_fetch(&mut self, r: &ShareFetchRequest, error: ErrorCode) -> Option<ShareFetchResponse> {
        let answer = |error, partitions| ShareFetchResponse { error, acquisition_lock_timeout: LOCK, partitions };
        if error.is_error() {
            return Some(answer(error, Vec::new()));
        }
        if r.session_epoch == SHARE_SESSION_INITIAL_EPOCH {
            self.share.session.clear();
        }
        self.share.session.retain(|known| !r.forgotten.contains(known));
        let carries = r.partitions.iter().any(|part| !part.batches.is_empty());
        let acknowledge_error = self.note(&r.partitions);
        let added = r.partitions.iter().map(|part| part.partition);
        let added: Vec<_> = added.filter(|partition| !self.share.session.contains(partition)).collect();
        self.share.session.extend(added);
        let mut part = ShareFetchPartitionResponse {
            partition: TP,
            error: self.share.partition_errors.pop_front().unwrap_or(ErrorCode::None),
            acknowledge_error,
            current_leader: None,
            records: Vec::new(),
            acquired: Vec::new(),
        };
        if !part.error.is_error() && self.share.session.contains(&TP) {
            part.acquired = self.acquire(r.max_records);
            let first = part.acquired.first().map_or(Offset::MAX, |acquired| acquired.first_offset);
            part.records = self.log.iter().filter(|batch| batch.last_offset() >= first).cloned().collect();
        }
        let news = carries || part.error.is_error() || !part.acquired.is_empty();
        if !news && r.max_wait > Duration::ZERO {
            return None;
        }
        Some(answer(error, if news { vec![part] } else { Vec::new() }))
    }

    fn acquire(&mut self, max: u32) -> Vec<AcquiredRecords> {
        let end = self.share.limit.unwrap_or(self.end());
        let mut acquired = Vec::new();
        while acquired.len() < max as usize {
            let (offset, count) = match self.share.released.pop_first() {
                Some((offset, count)) => (offset, count + 1),
                None if self.share.next < end => {
                    self.share.next += 1;
                    (self.share.next - 1, 1)
                }
                None => break,
            };
            self.share.acquired.insert(offset, count);
            acquired.push(AcquiredRecords { first_offset: offset, last_offset: offset, delivery_count: count });
        }
        acquired
    }

    fn share_acknowledge(&mut self, r: &ShareAcknowledgeRequest, error: ErrorCode) -> ShareAcknowledgeResponse {
        let acquisition_lock_timeout = LOCK;
        if error.is_error() {
            return ShareAcknowledgeResponse { error, acquisition_lock_timeout, partitions: Vec::new() };
        }
        let part_error = self.note(&r.partitions);
        let part = |part: &SharePartitionAcknowledgements| ShareAcknowledgePartitionResponse {
            partition: part.partition,
            error: part_error,
            current_leader: None,
        };
        let partitions = r.partitions.iter().map(part).collect();
        ShareAcknowledgeResponse { error, acquisition_lock_timeout, partitions }
    }
}
