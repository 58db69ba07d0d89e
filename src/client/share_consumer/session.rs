//! The client's side of a share session with one broker: which partitions it holds, and the epoch that counts its requests.
//!
//! Requests name what is new and what is to be forgotten; what is acknowledged travels with them. A session begins with a
//! fetch, never with an acknowledgement. Unlike a fetch session it ends with an error, and what was acquired in it is released.
//! In Kafka: `ShareSessionHandler`, `ShareRequestMetadata`.

use super::Acknowledgements;
use crate::base::TopicPartition;
use crate::protocol::{
    ErrorCode, SHARE_SESSION_FINAL_EPOCH, SHARE_SESSION_INITIAL_EPOCH, SharePartitionAcknowledgements,
};

/// A session with one broker.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareSession {
    next_epoch: i32,
    partitions: Vec<TopicPartition>,
}

/// What a request has to say to keep the session in step.
pub(super) struct SessionRequest {
    pub(super) epoch: i32,
    pub(super) partitions: Vec<SharePartitionAcknowledgements>,
    pub(super) forgotten: Vec<TopicPartition>,
    pub(super) renews: bool,
}

impl ShareSession {
    pub(super) fn new() -> Self {
        ShareSession { next_epoch: SHARE_SESSION_INITIAL_EPOCH, partitions: Vec::new() }
    }

    /// The epoch of the next request.
    pub fn next_epoch(&self) -> i32 {
        self.next_epoch
    }

    /// What it holds.
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.partitions
    }

    pub(super) fn is_new(&self) -> bool {
        self.next_epoch == SHARE_SESSION_INITIAL_EPOCH
    }

    /// The next fetch, of exactly the partitions `wanted` (in a new session besides those it had).
    pub(super) fn fetch(
        &mut self,
        wanted: &[TopicPartition],
        acknowledged: Vec<(TopicPartition, Acknowledgements)>,
    ) -> SessionRequest {
        let mut forgotten = Vec::new();
        if !self.is_new() {
            self.partitions.retain(|known| {
                let kept = wanted.contains(known);
                if !kept {
                    forgotten.push(*known);
                }
                kept
            });
        }
        let before = if self.is_new() { 0 } else { self.partitions.len() };
        for partition in wanted {
            if !self.partitions.contains(partition) {
                self.partitions.push(*partition);
            }
        }
        let added = self.partitions[before..].iter().map(|partition| nothing_of(*partition)).collect();
        self.request(added, forgotten, acknowledged)
    }

    /// The next acknowledgement.
    pub(super) fn acknowledge(&mut self, acknowledged: Vec<(TopicPartition, Acknowledgements)>) -> SessionRequest {
        self.request(Vec::new(), Vec::new(), acknowledged)
    }

    fn request(
        &self,
        mut partitions: Vec<SharePartitionAcknowledgements>,
        forgotten: Vec<TopicPartition>,
        acknowledged: Vec<(TopicPartition, Acknowledgements)>,
    ) -> SessionRequest {
        let renews = acknowledged.iter().any(|(_, acknowledgements)| acknowledgements.has_renewals());
        for (partition, acknowledgements) in acknowledged {
            let batches = acknowledgements.batches();
            match partitions.iter_mut().find(|known| known.partition == partition) {
                Some(known) => known.batches = batches,
                None => partitions.push(SharePartitionAcknowledgements { partition, batches }),
            }
        }
        SessionRequest { epoch: self.next_epoch, partitions, forgotten, renews }
    }

    /// Whether the response's partitions may be used; moves the session on.
    pub(super) fn on_response(&mut self, error: ErrorCode) -> bool {
        let over =
            [ErrorCode::ShareSessionNotFound, ErrorCode::InvalidShareSessionEpoch, ErrorCode::ShareSessionLimitReached];
        self.next_epoch = match self.next_epoch {
            _ if over.contains(&error) => SHARE_SESSION_INITIAL_EPOCH,
            SHARE_SESSION_FINAL_EPOCH => SHARE_SESSION_FINAL_EPOCH,
            i32::MAX => 1,
            epoch => epoch + 1,
        };
        !error.is_error()
    }

    /// The request failed, nobody knows where: the next one begins anew.
    pub(super) fn on_failure(&mut self) {
        self.next_epoch = SHARE_SESSION_INITIAL_EPOCH;
    }

    /// The next request is the last one.
    pub(super) fn close(&mut self) {
        self.next_epoch = SHARE_SESSION_FINAL_EPOCH;
    }
}

fn nothing_of(partition: TopicPartition) -> SharePartitionAcknowledgements {
    SharePartitionAcknowledgements { partition, batches: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;
    use crate::protocol::AcknowledgeType;

    fn tp(partition: u32) -> TopicPartition {
        TopicPartition::new(TopicId(1), partition)
    }

    fn named(request: &SessionRequest) -> Vec<(u32, usize)> {
        request.partitions.iter().map(|it| (it.partition.partition, it.batches.len())).collect()
    }

    #[test]
    fn only_changes_are_named() {
        let mut session = ShareSession::new();
        let first = session.fetch(&[tp(0), tp(1)], Vec::new());
        assert_eq!((first.epoch, named(&first)), (0, vec![(0, 0), (1, 0)]));
        assert!(session.on_response(ErrorCode::None));

        let mut accepted = Acknowledgements::default();
        accepted.set(4, AcknowledgeType::Accept);
        let next = session.fetch(&[tp(1), tp(2)], vec![(tp(0), accepted)]);
        assert_eq!((next.epoch, named(&next)), (1, vec![(2, 0), (0, 1)]));
        assert_eq!(next.forgotten, [tp(0)]);
        assert!(session.on_response(ErrorCode::None));
        assert!(session.fetch(&[tp(1), tp(2)], Vec::new()).partitions.is_empty());
    }

    #[test]
    fn an_error_of_the_session_begins_a_new_one_and_others_do_not() {
        let mut session = ShareSession::new();
        session.fetch(&[tp(0)], Vec::new());
        assert!(session.on_response(ErrorCode::None));
        assert!(!session.on_response(ErrorCode::UnknownServerError));
        assert_eq!(session.next_epoch(), 2);
        assert!(!session.on_response(ErrorCode::InvalidShareSessionEpoch));
        assert!(session.is_new());
        let again = session.fetch(&[tp(1)], Vec::new());
        assert_eq!(named(&again), [(0, 0), (1, 0)], "what it held is named again");
    }

    #[test]
    fn the_epoch_wraps_to_one_and_ends_for_good() {
        let mut session = ShareSession { next_epoch: i32::MAX, partitions: Vec::new() };
        session.on_response(ErrorCode::None);
        assert_eq!(session.next_epoch(), 1);
        session.close();
        session.on_response(ErrorCode::None);
        assert_eq!(session.next_epoch(), SHARE_SESSION_FINAL_EPOCH);
    }
}
