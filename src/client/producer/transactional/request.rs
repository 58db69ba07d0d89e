//! The requests of a transactional producer on their way to the wire: one is in flight at a time, the others wait by
//! priority.
//!
//! In Kafka: `TxnRequestHandler` and `Priority` of `TransactionManager`.

use super::ResultId;
use crate::base::TopicPartition;
use crate::client::producer::ProducerIdAndEpoch;
use crate::protocol::{CoordinatorType, OffsetCommitPartition};
use std::rc::Rc;

/// A consumer's membership, as `sendOffsetsToTransaction()` takes it (`ConsumerGroupMetadata`, KIP-447).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupMetadata {
    /// The group.
    pub group: Rc<str>,
    /// The member's generation or epoch, −1 if it is no member.
    pub generation: i32,
    /// Empty likewise.
    pub member_id: Rc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
}

/// What a request asks for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::client::producer) enum Content {
    /// Who coordinates this?
    FindCoordinator(CoordinatorType, Rc<str>),
    /// Who am I, or which epoch comes next?
    InitProducerId {
        /// None at first; to raise the epoch, the current one.
        producer: ProducerIdAndEpoch,
    },
    /// These partitions become part of the transaction.
    AddPartitions {
        /// All that wait to be added.
        partitions: Rc<[TopicPartition]>,
    },
    /// The group's offsets do.
    AddOffsets {
        /// What is committed after.
        offsets: Rc<[OffsetCommitPartition]>,
        /// Whose.
        group: Rc<GroupMetadata>,
    },
    /// These are the offsets.
    TxnOffsetCommit {
        /// All that are not committed yet.
        offsets: Rc<[OffsetCommitPartition]>,
        /// Whose.
        group: Rc<GroupMetadata>,
    },
    /// The transaction ends.
    EndTxn {
        /// Or is aborted.
        committed: bool,
    },
}

/// A request, with what happens around it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(in crate::client::producer) struct TxnRequest {
    /// The request.
    pub content: Content,
    /// Who sends it, as it was when it was asked for.
    pub producer: ProducerIdAndEpoch,
    /// Who waits for it.
    pub result: Option<ResultId>,
    /// It came back once: a pause is due before it is sent again.
    pub is_retry: bool,
    /// That pause is short: an earlier transaction is about to be complete.
    pub hurry: bool,
}

impl TxnRequest {
    /// Who answers it; none if any broker does.
    pub fn coordinator_type(&self) -> Option<CoordinatorType> {
        match self.content {
            Content::FindCoordinator(..) => None,
            Content::TxnOffsetCommit { .. } => Some(CoordinatorType::Group),
            _ => Some(CoordinatorType::Transaction),
        }
    }

    /// The group, if its coordinator answers it.
    pub fn group(&self) -> Option<&Rc<str>> {
        match &self.content {
            Content::TxnOffsetCommit { group, .. } => Some(&group.group),
            _ => None,
        }
    }

    /// It ends the transaction.
    pub fn is_end_txn(&self) -> bool {
        matches!(self.content, Content::EndTxn { .. })
    }

    /// Low ones go first.
    fn priority(&self) -> u8 {
        match &self.content {
            Content::FindCoordinator(..) => 0,
            Content::InitProducerId { producer } if !producer.is_valid() => 1,
            Content::AddPartitions { .. } | Content::AddOffsets { .. } | Content::TxnOffsetCommit { .. } => 2,
            Content::EndTxn { .. } => 3,
            // An epoch is raised at the end of a transaction only.
            Content::InitProducerId { .. } => 4,
        }
    }

    /// The name of its API, as Kafka spells it.
    pub fn name(&self) -> &'static str {
        match self.content {
            Content::FindCoordinator(..) => "FindCoordinator",
            Content::InitProducerId { .. } => "InitProducerId",
            Content::AddPartitions { .. } => "AddPartitionsToTxn",
            Content::AddOffsets { .. } => "AddOffsetsToTxn",
            Content::TxnOffsetCommit { .. } => "TxnOffsetCommit",
            Content::EndTxn { .. } => "EndTxn",
        }
    }
}

/// Requests by priority; those of one priority in the order in which they came.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(in crate::client::producer) struct RequestQueue(Vec<TxnRequest>);

impl RequestQueue {
    pub fn push(&mut self, request: TxnRequest) {
        let at = self.0.partition_point(|other| other.priority() <= request.priority());
        self.0.insert(at, request);
    }

    pub fn peek(&self) -> Option<&TxnRequest> {
        self.0.first()
    }

    pub fn pop(&mut self) -> Option<TxnRequest> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    pub fn iter(&self) -> impl Iterator<Item = &TxnRequest> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn take_all(&mut self) -> Vec<TxnRequest> {
        std::mem::take(&mut self.0)
    }
}
