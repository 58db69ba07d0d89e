//! How far groups have read.
//!
//! Invariants: handlers change nothing; a later commit wins whatever its offset; a group without members exists as soon as
//! an offset of it is replayed. Whoever owns the shard replays a record when it is committed (below the high watermark), so
//! a fetch never shows an offset that could still be lost; Kafka reads its timeline at the last committed offset, which
//! looks the same from outside. A fetch with `require_stable` must be answered only when all writes before it are committed
//! (Kafka runs it as a write without records).
//!
//! In Kafka: `OffsetMetadataManager`, `ClassicGroup.validateOffsetCommit`. Left for later: members, expiry, pending
//! transactional offsets.

use super::offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
use crate::base::{SortedMap, Time, TopicId, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::metadata::wire::WireError;
use crate::protocol::{ErrorCode, OffsetCommitPartition, OffsetCommitRequest, OffsetCommitResponse};
use crate::protocol::{OffsetCommitResult, OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResult};
use std::rc::Rc;

/// The version of OffsetCommit that Kafka 4.3's clients speak.
pub const LATEST_OFFSET_COMMIT_VERSION: i16 = 10;

/// One group's offsets, by topic name and partition.
type GroupOffsets = SortedMap<(Rc<str>, u32), OffsetAndMetadata>;

/// The offsets of the groups of one `__consumer_offsets` partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetsShard {
    metadata_max_size: u32,
    groups: SortedMap<Rc<str>, Rc<GroupOffsets>>,
}

impl OffsetsShard {
    /// A shard that knows of no group; `offset.metadata.max.bytes` limits what applications may add.
    pub fn new(metadata_max_size: u32) -> Self {
        OffsetsShard { metadata_max_size, groups: SortedMap::new() }
    }

    /// The records that remember these offsets, and the answer to give once they are committed.
    pub fn commit(
        &self,
        request: &OffsetCommitRequest,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, OffsetCommitResponse) {
        self.commit_at_version(request, LATEST_OFFSET_COMMIT_VERSION, image, now)
    }

    fn commit_at_version(
        &self,
        request: &OffsetCommitRequest,
        version: i16,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, OffsetCommitResponse) {
        let group_error = self.validate_group(request, version);
        let mut records = Vec::new();
        let partitions = request
            .offsets
            .iter()
            .map(|wish| {
                let error = match image.topic(wish.partition.topic) {
                    None => ErrorCode::UnknownTopicId,
                    Some(_) if image.partition(wish.partition).is_none() => ErrorCode::UnknownTopicOrPartition,
                    Some(_) if group_error.is_error() => group_error,
                    Some(_) if self.is_too_large(&wish.metadata) => ErrorCode::OffsetMetadataTooLarge,
                    Some(topic) => {
                        records.push(record_of(&request.group, &topic.name, wish, now));
                        ErrorCode::None
                    }
                };
                OffsetCommitResult { partition: wish.partition, error }
            })
            .collect();
        (records, OffsetCommitResponse { partitions })
    }

    /// Java counts the characters of UTF-16.
    fn is_too_large(&self, metadata: &str) -> bool {
        metadata.len() > self.metadata_max_size as usize
            && metadata.encode_utf16().count() > self.metadata_max_size as usize
    }

    /// Groups here have no members, so only who claims none may commit.
    fn validate_group(&self, request: &OffsetCommitRequest, version: i16) -> ErrorCode {
        match self.groups.contains_key(&request.group) {
            _ if request.generation < 0 => ErrorCode::None,
            true => ErrorCode::UnknownMemberId,
            false if version >= 9 => ErrorCode::GroupIdNotFound,
            false => ErrorCode::IllegalGeneration,
        }
    }

    /// How far the group has read: −1 for what it never committed.
    pub fn fetch(&self, request: &OffsetFetchRequest, image: &MetadataImage) -> OffsetFetchResponse {
        let result = |partition: &TopicPartition| {
            let found = self.find(&request.group, *partition, image);
            OffsetFetchResult {
                partition: *partition,
                error: ErrorCode::None,
                offset: found.map_or(-1, |found| found.offset),
                leader_epoch: found.map_or(-1, |found| found.leader_epoch),
                metadata: found.map_or_else(|| Rc::from(""), |found| found.metadata.clone()),
            }
        };
        OffsetFetchResponse { error: ErrorCode::None, partitions: request.partitions.iter().map(result).collect() }
    }

    fn find(&self, group: &str, partition: TopicPartition, image: &MetadataImage) -> Option<&OffsetAndMetadata> {
        let name = &image.topic(partition.topic)?.name;
        let found = self.groups.get(group)?.get(&(name.clone(), partition.partition))?;
        Some(found).filter(|found| is_of(found, partition.topic))
    }

    /// The records that forget all offsets of a topic that is gone.
    pub fn forget_topic(&self, topic: &str) -> Vec<CoordinatorRecord> {
        self.offsets().filter(|(key, _)| &*key.topic == topic).map(|(key, _)| offset_tombstone(&key)).collect()
    }

    /// Follows a record of the log; one of another kind is left alone.
    pub fn replay(&mut self, record: &CoordinatorRecord) -> Result<(), WireError> {
        let Some(OffsetKey { group, topic, partition }) = OffsetKey::decode(&record.key)? else { return Ok(()) };
        match &record.value {
            Some(value) => {
                let offset = OffsetAndMetadata::decode(value)?;
                Rc::make_mut(self.groups.entry(group).or_default()).insert((topic, partition), offset);
            }
            None => {
                let Some(offsets) = self.groups.get_mut(&group) else { return Ok(()) };
                Rc::make_mut(offsets).remove(&(topic, partition));
                if offsets.is_empty() {
                    self.groups.remove(&group);
                }
            }
        }
        Ok(())
    }

    /// All offsets, for inspection.
    pub fn offsets(&self) -> impl Iterator<Item = (OffsetKey, &OffsetAndMetadata)> {
        self.groups.iter().flat_map(|(group, offsets)| {
            offsets.iter().map(|((topic, partition), offset)| {
                (OffsetKey { group: group.clone(), topic: topic.clone(), partition: *partition }, offset)
            })
        })
    }
}

fn is_of(offset: &OffsetAndMetadata, topic: TopicId) -> bool {
    offset.topic_id.is_none_or(|committed| committed == topic)
}

fn record_of(group: &Rc<str>, topic: &Rc<str>, wish: &OffsetCommitPartition, now: Time) -> CoordinatorRecord {
    let key = OffsetKey { group: group.clone(), topic: topic.clone(), partition: wish.partition.partition };
    let offset = OffsetAndMetadata {
        offset: wish.offset,
        leader_epoch: wish.leader_epoch,
        metadata: wish.metadata.clone(),
        commit_timestamp: now.wall_clock_ms(),
        expire_timestamp: None,
        topic_id: Some(wish.partition.topic),
    };
    offset_commit_record(&key, &offset)
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
