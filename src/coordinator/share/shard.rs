//! The share-partitions of one `__share_group_state` partition (`ShareCoordinatorShard`).

use super::SharePartitionKey;
use super::batches::combine;
use super::record::{ShareRecord, ShareSnapshot, ShareUpdate};
use crate::base::{LeaderEpoch, SortedMap, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::metadata::wire::WireError;
use crate::protocol::{
    ErrorCode, InitializeStatePartition, ReadStatePartition, ReadStateSummaryPartition, WriteStatePartition,
};
use std::rc::Rc;

/// A share-partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SharePartitionState {
    /// As a snapshot would have it now.
    pub now: ShareSnapshot,
    /// Updates since the last snapshot.
    updates: u32,
    /// The greatest that were ever heard of.
    leader_epoch: LeaderEpoch,
    state_epoch: i32,
}

/// All that one partition of `__share_group_state` is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareCoordinatorShard {
    states: SortedMap<SharePartitionKey, Rc<SharePartitionState>>,
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    updates_per_snapshot: u32,
}

type Handled<R> = (Option<CoordinatorRecord>, R);

impl ShareCoordinatorShard {
    /// It knows of nothing.
    pub fn new(updates_per_snapshot: u32) -> Self {
        ShareCoordinatorShard { states: SortedMap::new(), updates_per_snapshot }
    }

    /// What is known of each share-partition.
    pub fn states(&self) -> impl Iterator<Item = (&SharePartitionKey, &SharePartitionState)> {
        self.states.iter().map(|(key, state)| (key, state.as_ref()))
    }

    /// Follows a record of the log. One of another kind is left alone.
    pub fn replay(&mut self, record: &CoordinatorRecord) -> Result<(), WireError> {
        match ShareRecord::decode(record)? {
            None => {}
            Some((key, ShareRecord::Snapshot(None))) => {
                self.states.remove(&key);
            }
            Some((key, ShareRecord::Snapshot(Some(now)))) => {
                let known = self.states.get(&key).map(Rc::as_ref);
                let updates = known.map_or(0, |known| known.updates);
                let state = SharePartitionState {
                    updates: if updates >= self.updates_per_snapshot { 0 } else { updates },
                    leader_epoch: known.map_or(now.leader_epoch, |known| known.leader_epoch.max(now.leader_epoch)),
                    state_epoch: known.map_or(now.state_epoch, |known| known.state_epoch.max(now.state_epoch)),
                    now,
                };
                self.states.insert(key, Rc::new(state));
            }
            Some((key, ShareRecord::Update(update))) => {
                let state = self.states.entry(key).or_insert_with(|| Rc::new(SharePartitionState::unknown(&update)));
                Rc::make_mut(state).update(update);
            }
        }
        Ok(())
    }

    /// Handles one partition of InitializeShareGroupState.
    pub fn initialize(
        &self,
        key: &SharePartitionKey,
        request: &InitializeStatePartition,
        image: &MetadataImage,
        now_ms: i64,
    ) -> Handled<ErrorCode> {
        let known = self.states.get(key);
        if request.state_epoch != -1 && known.is_some_and(|known| known.state_epoch > request.state_epoch) {
            return (None, ErrorCode::FencedStateEpoch);
        }
        if let Err(error) = check_exists(key, image) {
            return (None, error);
        }
        let snapshot = ShareSnapshot {
            snapshot_epoch: known.map_or(0, |known| known.now.snapshot_epoch + 1),
            state_epoch: request.state_epoch,
            leader_epoch: 0,
            start_offset: request.start_offset,
            delivery_complete_count: if request.start_offset == -1 { -1 } else { 0 },
            create_timestamp: now_ms,
            write_timestamp: now_ms,
            state_batches: Rc::default(),
        };
        (Some(ShareRecord::Snapshot(Some(snapshot)).encode(key)), ErrorCode::None)
    }

    fn known(
        &self,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
        state_epoch: i32,
        image: &MetadataImage,
    ) -> Result<&SharePartitionState, ErrorCode> {
        let known = self.states.get(key).ok_or(ErrorCode::InvalidRequest)?;
        if leader_epoch != -1 && known.leader_epoch > leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if state_epoch != -1 && known.state_epoch > state_epoch {
            return Err(ErrorCode::FencedStateEpoch);
        }
        check_exists(key, image).map(|()| known.as_ref())
    }

    /// Handles one partition of WriteShareGroupState.
    pub fn write(
        &self,
        key: &SharePartitionKey,
        request: &WriteStatePartition,
        image: &MetadataImage,
        now_ms: i64,
    ) -> Handled<ErrorCode> {
        match self.known(key, request.leader_epoch, request.state_epoch, image) {
            Err(error) => (None, error),
            Ok(known) => (Some(self.change(key, known, known.now.leader_epoch, request, now_ms)), ErrorCode::None),
        }
    }

    /// Handles one partition of ReadShareGroupState. A leader in a new epoch is remembered, which fences those before it.
    pub fn read(
        &self,
        key: &SharePartitionKey,
        leader_epoch: LeaderEpoch,
        image: &MetadataImage,
        now_ms: i64,
    ) -> Handled<ReadStatePartition> {
        let (partition, state_batches) = (key.1, Vec::new());
        let known = match self.known(key, leader_epoch, -1, image) {
            Ok(known) => known,
            Err(error) => {
                let failed = ReadStatePartition { partition, error, state_epoch: 0, start_offset: 0, state_batches };
                return (None, failed);
            }
        };
        let response = ReadStatePartition {
            partition,
            error: ErrorCode::None,
            state_epoch: known.now.state_epoch,
            start_offset: known.now.start_offset,
            state_batches: known.now.state_batches.to_vec(),
        };
        if leader_epoch == -1 || known.leader_epoch == leader_epoch {
            return (None, response);
        }
        let nothing = WriteStatePartition {
            partition,
            state_epoch: known.now.state_epoch,
            leader_epoch,
            start_offset: known.now.start_offset,
            delivery_complete_count: known.now.delivery_complete_count,
            state_batches,
        };
        (Some(self.change(key, known, leader_epoch, &nothing, now_ms)), response)
    }

    /// Handles one partition of ReadShareGroupStateSummary.
    pub fn summary(&self, key: &SharePartitionKey, image: &MetadataImage) -> ReadStateSummaryPartition {
        let unknown = |error| ReadStateSummaryPartition {
            partition: key.1,
            error,
            state_epoch: 0,
            leader_epoch: 0,
            start_offset: -1,
            delivery_complete_count: -1,
        };
        if let Err(error) = check_exists(key, image) {
            return unknown(error);
        }
        let Some(known) = self.states.get(key) else { return unknown(ErrorCode::None) };
        ReadStateSummaryPartition {
            state_epoch: known.now.state_epoch,
            leader_epoch: known.now.leader_epoch,
            start_offset: known.now.start_offset,
            delivery_complete_count: known.now.delivery_complete_count,
            ..unknown(ErrorCode::None)
        }
    }

    /// Handles one partition of DeleteShareGroupState.
    pub fn delete(&self, key: &SharePartitionKey, image: &MetadataImage) -> Handled<ErrorCode> {
        match check_exists(key, image) {
            Err(error) => (None, error),
            Ok(()) if self.states.contains_key(key) => (Some(ShareRecord::Snapshot(None).encode(key)), ErrorCode::None),
            Ok(()) => (None, ErrorCode::None),
        }
    }

    /// The record of a change: an update, or a snapshot if there have been many of these.
    fn change(
        &self,
        key: &SharePartitionKey,
        known: &SharePartitionState,
        leader_epoch: LeaderEpoch,
        write: &WriteStatePartition,
        now_ms: i64,
    ) -> CoordinatorRecord {
        let (delivery_complete_count, now) = (write.delivery_complete_count, &known.now);
        let new = write.state_batches.iter().copied();
        if known.updates < self.updates_per_snapshot {
            let update = ShareUpdate {
                snapshot_epoch: now.snapshot_epoch,
                leader_epoch,
                start_offset: write.start_offset,
                delivery_complete_count,
                state_batches: combine(new, write.start_offset),
            };
            return ShareRecord::Update(update).encode(key);
        }
        let start_offset = if write.start_offset == -1 { now.start_offset } else { write.start_offset };
        let snapshot = ShareSnapshot {
            snapshot_epoch: now.snapshot_epoch + 1,
            state_epoch: now.state_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count,
            create_timestamp: now_ms,
            write_timestamp: now_ms,
            state_batches: combine(now.state_batches.iter().copied().chain(new), start_offset).into(),
        };
        ShareRecord::Snapshot(Some(snapshot)).encode(key)
    }
}

impl SharePartitionState {
    /// An update without a snapshot before it.
    fn unknown(update: &ShareUpdate) -> SharePartitionState {
        let now = ShareSnapshot {
            snapshot_epoch: update.snapshot_epoch,
            state_epoch: 0,
            leader_epoch: update.leader_epoch,
            start_offset: update.start_offset,
            delivery_complete_count: update.delivery_complete_count,
            create_timestamp: 0,
            write_timestamp: 0,
            state_batches: Rc::default(),
        };
        SharePartitionState { now, updates: 0, leader_epoch: update.leader_epoch, state_epoch: i32::MIN }
    }

    fn update(&mut self, update: ShareUpdate) {
        self.updates += 1;
        self.leader_epoch = self.leader_epoch.max(update.leader_epoch);
        let now = &mut self.now;
        if update.start_offset != -1 {
            now.start_offset = update.start_offset;
        }
        if update.leader_epoch != -1 {
            now.leader_epoch = update.leader_epoch;
        }
        now.delivery_complete_count = update.delivery_complete_count;
        let all = now.state_batches.iter().copied().chain(update.state_batches);
        now.state_batches = combine(all, now.start_offset).into();
    }
}

fn check_exists((_, partition): &SharePartitionKey, image: &MetadataImage) -> Result<(), ErrorCode> {
    let TopicPartition { topic, partition } = *partition;
    if partition < image.partition_count(topic) { Ok(()) } else { Err(ErrorCode::UnknownTopicOrPartition) }
}
