//! How far groups have read.
//!
//! Invariants: handlers change nothing; a later commit wins whatever its offset; a group without members exists as soon as
//! an offset of it is replayed. Whoever owns the shard replays a record when it is committed (below the high watermark), so
//! a fetch never shows an offset that could still be lost; Kafka reads its timeline at the last committed offset, which
//! looks the same from outside. A fetch with `require_stable` must be answered only when all writes before it are committed
//! (Kafka runs it as a write without records).
//!
//! Offsets of a transaction are pending until its marker is replayed: a commit makes them count where nothing newer was
//! committed in the meantime, an abort drops them (KIP-98).
//!
//! In Kafka: `OffsetMetadataManager`.

use super::offset_records::{OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone};
use super::pending_offsets::{PendingOffsets, StoredOffset};
use crate::base::{Offset, ProducerId, SortedMap, SortedSet, Time, TopicId, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::metadata::wire::WireError;
use crate::protocol::{
    ErrorCode, OffsetCommitPartition, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResult,
};
use crate::protocol::{OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResult};
use crate::protocol::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use crate::record::NO_PRODUCER_ID;
use std::rc::Rc;

/// One group's offsets, by topic name and partition.
pub(super) type GroupOffsets = SortedMap<(Rc<str>, u32), StoredOffset>;

/// The offsets of the groups of one `__consumer_offsets` partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct OffsetsShard {
    metadata_max_size: u32,
    pub(super) groups: SortedMap<Rc<str>, Rc<GroupOffsets>>,
    pub(super) pending: PendingOffsets,
}

impl OffsetsShard {
    /// A shard that knows of no group; `offset.metadata.max.bytes` limits what applications may add.
    pub fn new(metadata_max_size: u32) -> Self {
        OffsetsShard { metadata_max_size, groups: SortedMap::new(), pending: PendingOffsets::default() }
    }

    /// The records that remember these offsets, and the answer to give once they are committed. If the group does not take
    /// them that is `group_error`.
    pub fn commit(
        &self,
        request: &OffsetCommitRequest,
        group_error: ErrorCode,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, OffsetCommitResponse) {
        let (mut records, mut partitions) = (Vec::new(), Vec::with_capacity(request.offsets.len()));
        for wish in &request.offsets {
            let error = match image.topic(wish.partition.topic) {
                None => ErrorCode::UnknownTopicId,
                Some(_) if image.partition(wish.partition).is_none() => ErrorCode::UnknownTopicOrPartition,
                Some(_) if group_error.is_error() => group_error,
                Some(_) if self.is_too_large(&wish.metadata) => ErrorCode::OffsetMetadataTooLarge,
                Some(topic) => {
                    let topic_id = Some(wish.partition.topic);
                    records.push(record_of(&request.group, &topic.name, topic_id, wish, now));
                    ErrorCode::None
                }
            };
            partitions.push(OffsetCommitResult { partition: wish.partition, error });
        }
        (records, OffsetCommitResponse { partitions })
    }

    /// The records that remember these offsets if the transaction commits, and the answer to give once they are committed.
    /// They do not say which topic of that name is meant: only its name is in Kafka's request.
    pub fn commit_in_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
        group_error: ErrorCode,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, TxnOffsetCommitResponse) {
        let (mut records, mut partitions) = (Vec::new(), Vec::with_capacity(request.offsets.len()));
        for wish in &request.offsets {
            let topic = image.partition(wish.partition).and_then(|_| image.topic(wish.partition.topic));
            let error = match topic {
                None => ErrorCode::UnknownTopicOrPartition,
                Some(_) if group_error.is_error() => group_error,
                Some(_) if self.is_too_large(&wish.metadata) => ErrorCode::OffsetMetadataTooLarge,
                Some(topic) => {
                    records.push(record_of(&request.group, &topic.name, None, wish, now));
                    ErrorCode::None
                }
            };
            partitions.push(OffsetCommitResult { partition: wish.partition, error });
        }
        (records, TxnOffsetCommitResponse { partitions })
    }

    /// Those that would be committed if the group agrees.
    pub(super) fn acceptable<'a>(
        &'a self,
        wishes: &'a [OffsetCommitPartition],
        image: &'a MetadataImage,
    ) -> impl Iterator<Item = TopicPartition> + 'a {
        let exists = |wish: &&OffsetCommitPartition| image.partition(wish.partition).is_some();
        wishes.iter().filter(exists).filter(|wish| !self.is_too_large(&wish.metadata)).map(|wish| wish.partition)
    }

    /// Java counts the characters of UTF-16.
    fn is_too_large(&self, metadata: &str) -> bool {
        metadata.len() > self.metadata_max_size as usize
            && metadata.encode_utf16().count() > self.metadata_max_size as usize
    }

    /// Has the group committed offsets, or would an open transaction commit some? Kafka's groups begin with either.
    pub fn knows(&self, group: &str) -> bool {
        self.groups.contains_key(group) || self.pending.iter().any(|(_, key, _)| &*key.group == group)
    }

    /// All groups with offsets, or with some in an open transaction (those more than once).
    pub(super) fn group_ids(&self) -> impl Iterator<Item = &Rc<str>> {
        self.groups.keys().chain(self.pending.iter().map(|(_, key, _)| &key.group))
    }

    /// Is there an offset, or would an open transaction commit one?
    pub(super) fn has(&self, key: &OffsetKey) -> bool {
        let committed = self
            .groups
            .get(&key.group)
            .is_some_and(|offsets| offsets.contains_key(&(key.topic.clone(), key.partition)));
        committed || self.pending.contains(key)
    }

    /// The records that forget all offsets of a group, the pending ones included (`deleteAllOffsets`).
    pub(super) fn tombstones(&self, group: &Rc<str>) -> Vec<CoordinatorRecord> {
        let pending = self.pending.iter().map(|(_, key, _)| key).filter(|key| key.group == *group).cloned();
        let offsets = self.groups.get(group).into_iter().flat_map(|offsets| offsets.keys());
        let key = |(topic, partition): &(Rc<str>, u32)| OffsetKey {
            group: group.clone(),
            topic: topic.clone(),
            partition: *partition,
        };
        let keys: SortedSet<OffsetKey> = offsets.map(key).chain(pending).collect();
        keys.iter().map(offset_tombstone).collect()
    }

    /// How far the group has read: −1 for what it never committed.
    pub fn fetch(&self, request: &OffsetFetchRequest, image: &MetadataImage) -> OffsetFetchResponse {
        let result = |partition: &TopicPartition| {
            let unstable = request.require_stable && self.is_unstable(&request.group, *partition, image);
            let found = self.find(&request.group, *partition, image).filter(|_| !unstable);
            OffsetFetchResult {
                partition: *partition,
                error: if unstable { ErrorCode::UnstableOffsetCommit } else { ErrorCode::None },
                offset: found.map_or(-1, |found| found.offset),
                leader_epoch: found.map_or(-1, |found| found.leader_epoch),
                metadata: found.map_or_else(|| Rc::from(""), |found| found.metadata.clone()),
            }
        };
        OffsetFetchResponse { error: ErrorCode::None, partitions: request.partitions.iter().map(result).collect() }
    }

    fn find(&self, group: &str, partition: TopicPartition, image: &MetadataImage) -> Option<&OffsetAndMetadata> {
        let name = &image.topic(partition.topic)?.name;
        let found = &self.groups.get(group)?.get(&(name.clone(), partition.partition))?.value;
        Some(found).filter(|found| is_of(found, partition.topic))
    }

    /// Would an open transaction commit an offset there?
    fn is_unstable(&self, group: &Rc<str>, partition: TopicPartition, image: &MetadataImage) -> bool {
        !self.pending.is_empty()
            && image.topic(partition.topic).is_some_and(|topic| {
                let (group, topic, partition) = (group.clone(), topic.name.clone(), partition.partition);
                self.pending.contains(&OffsetKey { group, topic, partition })
            })
    }

    /// The records that forget all offsets of a topic that is gone, the pending ones included.
    pub fn forget_topic(&self, topic: &str) -> Vec<CoordinatorRecord> {
        let pending = self.pending.iter().map(|(_, key, _)| key.clone());
        let keys = self.offsets().map(|(key, _)| key).chain(pending);
        keys.filter(|key| &*key.topic == topic).map(|key| offset_tombstone(&key)).collect()
    }

    /// Follows a record of the log; one of another kind is left alone. The producer is that of its batch, −1 if it is part
    /// of no transaction.
    pub fn replay(
        &mut self,
        record_offset: Offset,
        producer_id: ProducerId,
        record: &CoordinatorRecord,
    ) -> Result<(), WireError> {
        let Some(key) = OffsetKey::decode(&record.key)? else { return Ok(()) };
        match &record.value {
            Some(value) => {
                let offset = StoredOffset { value: OffsetAndMetadata::decode(value)?, record_offset };
                if producer_id == NO_PRODUCER_ID {
                    self.put(key, offset);
                } else {
                    self.pending.put(producer_id, key, offset);
                }
            }
            None => {
                self.pending.forget(&key);
                let OffsetKey { group, topic, partition } = key;
                let Some(offsets) = self.groups.get_mut(&group) else { return Ok(()) };
                Rc::make_mut(offsets).remove(&(topic, partition));
                if offsets.is_empty() {
                    self.groups.remove(&group);
                }
            }
        }
        Ok(())
    }

    /// Follows the end of a transaction. Of two offsets the one whose record is later in the log holds: a plain commit
    /// while the transaction was open may be the newer one, and compaction may have left only that.
    pub fn replay_end_transaction(&mut self, producer_id: ProducerId, committed: bool) {
        let ended = self.pending.end(producer_id);
        if !committed {
            return;
        }
        for (key, offset) in ended.iter() {
            let known =
                self.groups.get(&key.group).and_then(|offsets| offsets.get(&(key.topic.clone(), key.partition)));
            if known.is_none_or(|known| known.record_offset < offset.record_offset) {
                self.put(key.clone(), offset.clone());
            }
        }
    }

    fn put(&mut self, key: OffsetKey, offset: StoredOffset) {
        let offsets = self.groups.entry(key.group).or_default();
        Rc::make_mut(offsets).insert((key.topic, key.partition), offset);
    }

    /// All offsets, for inspection.
    pub fn offsets(&self) -> impl Iterator<Item = (OffsetKey, &OffsetAndMetadata)> {
        self.groups.iter().flat_map(|(group, offsets)| {
            offsets.iter().map(|((topic, partition), offset)| {
                (OffsetKey { group: group.clone(), topic: topic.clone(), partition: *partition }, &offset.value)
            })
        })
    }

    /// What open transactions would commit, and whose they are, for inspection.
    pub fn pending_offsets(&self) -> impl Iterator<Item = (ProducerId, &OffsetKey, &OffsetAndMetadata)> {
        self.pending.iter().map(|(producer_id, key, offset)| (producer_id, key, &offset.value))
    }
}

fn is_of(offset: &OffsetAndMetadata, topic: TopicId) -> bool {
    offset.topic_id.is_none_or(|committed| committed == topic)
}

fn record_of(
    group: &Rc<str>,
    topic: &Rc<str>,
    topic_id: Option<TopicId>,
    wish: &OffsetCommitPartition,
    now: Time,
) -> CoordinatorRecord {
    let key = OffsetKey { group: group.clone(), topic: topic.clone(), partition: wish.partition.partition };
    let offset = OffsetAndMetadata {
        offset: wish.offset,
        leader_epoch: wish.leader_epoch,
        metadata: wish.metadata.clone(),
        commit_timestamp: now.wall_clock_ms(),
        expire_timestamp: None,
        topic_id,
    };
    offset_commit_record(&key, &offset)
}
