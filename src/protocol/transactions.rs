//! AddPartitionsToTxn (API 24), as brokers send it to coordinators since version 4 (KIP-890).

use super::ErrorCode;
use crate::base::{ProducerEpoch, ProducerId, TopicPartition};
use std::rc::Rc;

/// Are these partitions part of these transactions? If they are not, add them, or only say so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnRequest {
    /// One for each transactional id.
    pub transactions: Vec<AddPartitionsToTxn>,
}

/// One transaction of an [`AddPartitionsToTxnRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxn {
    /// Whose.
    pub transactional_id: Rc<str>,
    /// The id it writes with.
    pub producer_id: ProducerId,
    /// And its epoch.
    pub producer_epoch: ProducerEpoch,
    /// Add nothing (transaction version 1, whose producers add the partitions themselves).
    pub verify_only: bool,
    /// Which partitions.
    pub partitions: Vec<TopicPartition>,
}

/// What the coordinator found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnResponse {
    /// Of the whole request.
    pub error: ErrorCode,
    /// One for each transactional id.
    pub transactions: Vec<AddPartitionsToTxnResult>,
}

/// One transaction of an [`AddPartitionsToTxnResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AddPartitionsToTxnResult {
    /// Whose.
    pub transactional_id: Rc<str>,
    /// Each partition with `NONE` or why not.
    pub partitions: Vec<(TopicPartition, ErrorCode)>,
}

impl AddPartitionsToTxn {
    /// The same error for all partitions.
    pub fn failed(&self, error: ErrorCode) -> Vec<(TopicPartition, ErrorCode)> {
        self.partitions.iter().map(|partition| (*partition, error)).collect()
    }
}
