//! What a part of the broker needs from the rest while one event is being handled.

use super::request_queue::RequestQueue;
use crate::base::config::{BrokerConfig, GroupConfig};
use crate::base::{BrokerId, Time, TopicPartition};
use crate::metadata::MetadataImage;
use crate::node::{Event, Outbox};
use crate::protocol::{CurrentLeader, ErrorCode};

/// Borrowed for the time of one event.
pub struct Context<'a, 'o> {
    /// The time.
    pub now: Time,
    /// This broker.
    pub id: BrokerId,
    /// Its epoch, −1 before it is registered.
    pub broker_epoch: i64,
    /// The cluster's settings.
    pub config: &'a BrokerConfig,
    /// The cluster as this broker knows it.
    pub image: &'a MetadataImage,
    /// The disk takes no more bytes.
    pub disk_full: bool,
    /// Where answers go through.
    pub requests: &'a mut RequestQueue,
    /// Where effects go.
    pub out: &'a mut Outbox<'o>,
}

impl Context<'_, '_> {
    /// Before an append: whether the disk takes it. If not, the only log directory is offline, and the broker halts once
    /// it has answered (`LogDirFailureChannel`, `LogManager.handleLogDirFailure`).
    pub fn check_disk(&mut self) -> Result<(), ErrorCode> {
        if !self.disk_full {
            return Ok(());
        }
        self.out.emit(Event::LogDirFailed);
        self.out.halt();
        Err(ErrorCode::KafkaStorageError)
    }

    /// The epoch of another broker, if it is registered and not fenced.
    pub fn alive_broker_epoch(&self, broker: BrokerId) -> Option<i64> {
        self.image.broker(broker).filter(|registration| !registration.fenced).map(|registration| registration.epoch)
    }

    /// What is in effect for a group.
    pub fn group_config(&self, group: &str) -> GroupConfig {
        self.image.group_config(group, self.config)
    }

    /// Why this broker has no replica of the partition.
    pub fn not_hosted(&self, partition: TopicPartition) -> ErrorCode {
        match self.image.partition(partition) {
            Some(_) => ErrorCode::NotLeaderOrFollower,
            None => ErrorCode::UnknownTopicOrPartition,
        }
    }

    /// As [`Self::not_hosted`], for the requests that name topics by id: Produce and Fetch.
    pub fn not_hosted_by_id(&self, partition: TopicPartition) -> ErrorCode {
        match self.image.topic(partition.topic) {
            Some(_) => self.not_hosted(partition),
            None => ErrorCode::UnknownTopicId,
        }
    }

    /// Who leads, as far as the metadata go (KIP-951).
    pub fn leader_in_metadata(&self, partition: TopicPartition) -> Option<CurrentLeader> {
        let registration = self.image.partition(partition)?;
        Some(CurrentLeader { leader: registration.leader, epoch: registration.leader_epoch })
    }
}
