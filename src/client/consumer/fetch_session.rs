//! The client's side of an incremental fetch session with one broker (KIP-227).
//!
//! A full fetch asks for a session; from then on only partitions whose data changed are named, and those no longer
//! wanted are forgotten. In Kafka: `FetchSessionHandler`, `FetchMetadata`.
//!
//! Invariant: `partitions` is what the broker believes the session holds once the last request built arrived.

use crate::base::TopicPartition;
use crate::protocol::{ErrorCode, FetchPartition, FetchResponse, FetchSession};

/// A session with one broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FetchSessionHandler {
    next: FetchSession,
    partitions: Vec<FetchPartition>,
}

/// What a request has to say to keep the session in step.
pub(super) struct SessionRequest {
    pub(super) session: FetchSession,
    pub(super) partitions: Vec<FetchPartition>,
    pub(super) forgotten: Vec<TopicPartition>,
}

const FINAL_EPOCH: i32 = -1;
const INITIAL_EPOCH: i32 = 0;

const fn is_full(session: FetchSession) -> bool {
    session.epoch == INITIAL_EPOCH || session.epoch == FINAL_EPOCH
}

const fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}

impl FetchSessionHandler {
    pub(super) fn new() -> Self {
        FetchSessionHandler { next: FetchSession::INITIAL, partitions: Vec::new() }
    }

    /// The place in the session that the next request will name.
    pub fn next(&self) -> FetchSession {
        self.next
    }

    /// What the session holds.
    pub fn partitions(&self) -> &[FetchPartition] {
        &self.partitions
    }

    pub(super) fn get(&self, tp: TopicPartition) -> Option<&FetchPartition> {
        self.partitions.iter().find(|known| known.partition == tp)
    }

    /// The next request for exactly the partitions `wanted`.
    pub(super) fn build(&mut self, wanted: Vec<FetchPartition>) -> SessionRequest {
        if is_full(self.next) {
            self.partitions.clone_from(&wanted);
            return SessionRequest { session: self.next, partitions: wanted, forgotten: Vec::new() };
        }
        let mut forgotten = Vec::new();
        let mut altered = Vec::new();
        self.partitions.retain_mut(|known| {
            let Some(next) = wanted.iter().find(|next| next.partition == known.partition) else {
                forgotten.push(known.partition);
                return false;
            };
            if known != next {
                *known = *next;
                altered.push(*next);
            }
            true
        });
        let held = self.partitions.len();
        let added = wanted.iter().filter(|next| !self.partitions.iter().any(|known| known.partition == next.partition));
        let added: Vec<FetchPartition> = added.copied().collect();
        self.partitions.extend_from_slice(&added);
        debug_assert_eq!(held + added.len(), wanted.len());
        let mut partitions = added;
        partitions.append(&mut altered);
        SessionRequest { session: self.next, partitions, forgotten }
    }

    /// Whether the response's partitions may be used; moves the session on.
    pub(super) fn handle_response(&mut self, response: &FetchResponse) -> bool {
        if response.error == ErrorCode::FetchSessionIdNotFound {
            self.next = FetchSession::INITIAL;
            return false;
        }
        if response.error.is_error() {
            self.handle_error();
            return false;
        }
        let all_known = response.partitions.iter().all(|partition| self.get(partition.partition).is_some());
        if is_full(self.next) {
            let complete = response.partitions.len() == self.partitions.len();
            if !all_known || !complete || response.session_id == 0 {
                self.next = FetchSession::INITIAL;
                return all_known && complete;
            }
            self.next = FetchSession { id: response.session_id, epoch: next_epoch(INITIAL_EPOCH) };
            return true;
        }
        if !all_known {
            self.handle_error();
            return false;
        }
        self.next = match response.session_id {
            0 => FetchSession::INITIAL,
            _ => FetchSession { epoch: next_epoch(self.next.epoch), ..self.next },
        };
        true
    }

    /// The request failed, nobody knows where: close the session and try for a new one.
    pub(super) fn handle_error(&mut self) {
        self.next.epoch = INITIAL_EPOCH;
    }

    /// The request that ends the session, if there is one.
    pub(super) fn close(&mut self) -> Option<SessionRequest> {
        if self.next.id == 0 {
            return None;
        }
        self.next.epoch = FINAL_EPOCH;
        self.partitions.clear();
        Some(SessionRequest { session: self.next, partitions: Vec::new(), forgotten: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{BrokerId, Offset, TopicId};
    use crate::protocol::FetchPartitionResponse;

    fn ask(partition: u32, fetch_offset: Offset) -> FetchPartition {
        FetchPartition {
            partition: TopicPartition::new(TopicId(1), partition),
            current_leader_epoch: 0,
            fetch_offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 1,
            high_watermark: -1,
        }
    }

    fn answer(error: ErrorCode, session_id: i32, partitions: &[u32]) -> FetchResponse {
        let partition = |index: &u32| FetchPartitionResponse {
            partition: TopicPartition::new(TopicId(1), *index),
            error: ErrorCode::None,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: 0,
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            aborted_transactions: Vec::new(),
            preferred_read_replica: BrokerId::NONE,
            records: Vec::new(),
        };
        FetchResponse { error, session_id, partitions: partitions.iter().map(partition).collect() }
    }

    #[test]
    fn only_changes_are_sent() {
        let mut handler = FetchSessionHandler::new();
        let full = handler.build(vec![ask(0, 0), ask(1, 0)]);
        assert_eq!((full.session, full.partitions.len()), (FetchSession::INITIAL, 2));
        assert!(handler.handle_response(&answer(ErrorCode::None, 9, &[0, 1])));

        let next = handler.build(vec![ask(1, 5), ask(2, 0)]);
        assert_eq!(next.session, FetchSession { id: 9, epoch: 1 });
        assert_eq!(next.partitions, [ask(2, 0), ask(1, 5)]);
        assert_eq!(next.forgotten, [TopicPartition::new(TopicId(1), 0)]);
        assert!(handler.handle_response(&answer(ErrorCode::None, 9, &[])));
        let idle = handler.build(vec![ask(1, 5), ask(2, 0)]);
        assert!(idle.partitions.is_empty() && idle.forgotten.is_empty());
        assert_eq!(idle.session.epoch, 2);
    }

    #[test]
    fn errors_end_the_session() {
        let mut handler = FetchSessionHandler::new();
        handler.build(vec![ask(0, 0)]);
        handler.handle_response(&answer(ErrorCode::None, 9, &[0]));
        assert!(!handler.handle_response(&answer(ErrorCode::InvalidFetchSessionEpoch, 0, &[])));
        assert_eq!(handler.next(), FetchSession { id: 9, epoch: 0 });
        assert!(!handler.handle_response(&answer(ErrorCode::FetchSessionIdNotFound, 0, &[])));
        assert_eq!(handler.next(), FetchSession::INITIAL);
    }

    #[test]
    fn a_full_response_must_name_every_partition() {
        let mut handler = FetchSessionHandler::new();
        handler.build(vec![ask(0, 0), ask(1, 0)]);
        assert!(!handler.handle_response(&answer(ErrorCode::None, 9, &[0])));
        assert_eq!(handler.next(), FetchSession::INITIAL);
    }

    #[test]
    fn the_epoch_wraps_to_one() {
        assert_eq!(next_epoch(i32::MAX), 1);
    }
}
