//! All groups of one `__consumer_offsets` partition: their members and their offsets (`GroupCoordinatorShard`).
//!
//! A group that only ever committed offsets (a simple group) is known by these alone, and counts as empty.

use super::classic::{AfterWrite, ClassicGroups, Work, group_tombstone};
use super::consumer::{ConsumerGroup, ConsumerGroups, Handled, Leaving, Surroundings, validate};
use super::offsets::OffsetsShard;
use super::share::{self, ShareGroups};
use crate::base::config::MigrationPolicy;
use crate::base::{Duration, Offset, SortedSet, Time};
use crate::coordinator::{CoordinatorRecord, records_of};
use crate::metadata::MetadataImage;
use crate::node::RequestContext;
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, GroupState, HeartbeatRequest, JOIN_EPOCH,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, MemberEpoch, OffsetCommitRequest,
    OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse, SyncGroupRequest, SyncGroupResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use crate::record::{ControlRecord, RecordBatch};
use std::rc::Rc;

/// The version of OffsetCommit that Kafka 4.3's clients speak.
const LATEST_OFFSET_COMMIT_VERSION: i16 = 10;

/// The groups of one partition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupShard {
    /// How far groups have read.
    pub offsets: OffsetsShard,
    /// Who is a member.
    pub groups: ClassicGroups,
    /// Likewise, of the consumer protocol.
    pub consumers: ConsumerGroups,
    /// Likewise, of share groups.
    pub shares: ShareGroups,
}

impl GroupShard {
    /// A shard that knows of no group; `offset.metadata.max.bytes` limits what applications may add.
    pub fn new(metadata_max_size: u32) -> Self {
        GroupShard {
            offsets: OffsetsShard::new(metadata_max_size),
            groups: ClassicGroups::default(),
            consumers: ConsumerGroups::default(),
            shares: ShareGroups::default(),
        }
    }

    /// Handles OffsetCommit: the records, and the answer to give once they are committed.
    pub fn commit(
        &mut self,
        request: &OffsetCommitRequest,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, OffsetCommitResponse) {
        self.commit_at_version(request, LATEST_OFFSET_COMMIT_VERSION, image, now)
    }

    pub(super) fn commit_at_version(
        &mut self,
        request: &OffsetCommitRequest,
        version: i16,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, OffsetCommitResponse) {
        let OffsetCommitRequest { group, generation, member_id, instance_id, .. } = request;
        let error = match self.groups.group(group) {
            // Members of share groups acknowledge.
            _ if self.shares.group(group).is_some() => Err(ErrorCode::GroupIdNotFound),
            _ if let Some(found) = self.consumers.group(group) => {
                // Members of the consumer protocol speak version 9 at least.
                let speaks_classic = found.member(member_id).is_none_or(|member| member.classic.is_some());
                let partitions = self.offsets.acceptable(&request.offsets, image);
                let valid =
                    found.validate_offset_commit(member_id, instance_id.as_ref(), *generation, false, partitions);
                if version < 9 && !speaks_classic { Err(ErrorCode::UnsupportedVersion) } else { valid }
            }
            Some(found) => found.validate_offset_commit(member_id, instance_id.as_ref(), *generation, false),
            None if *generation < 0 => Ok(()),
            None if self.offsets.knows(group) => Err(ErrorCode::UnknownMemberId),
            None if version >= 9 => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
        };
        if error.is_ok() {
            self.groups.refresh_on_commit(group, member_id, now);
        }
        self.offsets.commit(request, error.err().unwrap_or(ErrorCode::None), image, now)
    }

    /// Handles TxnOffsetCommit: the records, and the answer to give once they are committed.
    pub fn commit_in_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
        image: &MetadataImage,
        now: Time,
    ) -> (Vec<CoordinatorRecord>, TxnOffsetCommitResponse) {
        let TxnOffsetCommitRequest { group, generation, member_id, instance_id, .. } = request;
        let error = match self.groups.group(group) {
            _ if self.shares.group(group).is_some() => Err(ErrorCode::GroupIdNotFound),
            _ if let Some(found) = self.consumers.group(group) => {
                let partitions = self.offsets.acceptable(&request.offsets, image);
                found.validate_offset_commit(member_id, instance_id.as_ref(), *generation, true, partitions)
            }
            Some(found) => found.validate_offset_commit(member_id, instance_id.as_ref(), *generation, true),
            None if *generation < 0 => Ok(()),
            None if self.offsets.knows(group) => Err(ErrorCode::UnknownMemberId),
            None => Err(ErrorCode::IllegalGeneration),
        };
        self.offsets.commit_in_transaction(request, error.err().unwrap_or(ErrorCode::None), image, now)
    }

    /// Follows a committed batch of the log, from this offset on: offsets, and the ends of transactions. A record that cannot
    /// be read is skipped, as Kafka's loader does with types it does not know.
    pub fn replay(&mut self, batch: &RecordBatch, from: Offset) {
        if batch.is_control() {
            let committed = match ControlRecord::of_batch(batch) {
                Ok(Some(ControlRecord::Commit { .. })) => true,
                Ok(Some(ControlRecord::Abort { .. })) => false,
                _ => return,
            };
            return self.offsets.replay_end_transaction(batch.producer_id(), committed);
        }
        for (offset, record) in records_of(batch).unwrap_or_default() {
            if offset >= from {
                let _ = self.offsets.replay(offset, batch.producer_id(), &record);
            }
        }
    }

    /// A record about groups stands in the log.
    pub fn appended(&mut self, record: &CoordinatorRecord) {
        self.groups.forget(record);
        let _ = self.consumers.replay(record);
        let _ = self.shares.replay(record);
    }

    /// A record about groups is found when the partition is loaded. One that cannot be read is skipped.
    pub fn load(&mut self, record: &CoordinatorRecord) {
        let _ = self.groups.load(record);
        let _ = self.consumers.replay(record);
        let _ = self.shares.replay(record);
    }

    /// A group as others see it: state, epoch (or generation), members; none if it is not there, or has offsets only.
    pub fn outline(&self, group: &str) -> Option<(GroupState, MemberEpoch, Vec<Rc<str>>)> {
        if let Some(group) = self.groups.group(group) {
            let members = group.members().map(|member| member.member_id.clone()).collect();
            return Some((group.state(), group.generation(), members));
        }
        if let Some(group) = self.shares.group(group) {
            let members = group.members().map(|member| member.member_id.clone()).collect();
            return Some((group.state(), group.epoch(), members));
        }
        let group = self.consumers.group(group)?;
        let members = group.members().map(|member| member.member_id.clone()).collect();
        Some((group.state(), group.epoch(), members))
    }

    /// The earliest moment at which something happens by itself.
    pub fn deadline(&self) -> Option<Time> {
        [self.groups.deadline(), self.consumers.deadline(), self.shares.deadline()].into_iter().flatten().min()
    }

    /// Handles OffsetFetch.
    pub fn fetch(&self, request: &OffsetFetchRequest, image: &MetadataImage) -> OffsetFetchResponse {
        if let (Some(group), Some((member, epoch))) = (self.consumers.group(&request.group), &request.member)
            && let Err(error) = group.validate_offset_fetch(member, *epoch)
        {
            return OffsetFetchResponse { error, partitions: Vec::new() };
        }
        self.offsets.fetch(request, image)
    }

    /// Handles ConsumerGroupHeartbeat. A classic group makes room for one of the consumer protocol if it has no members, and
    /// becomes one if it has.
    pub fn consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Handled<ConsumerGroupHeartbeatResponse> {
        self.try_consumer_heartbeat(request, image, work).unwrap_or_else(|error| {
            let response = ConsumerGroupHeartbeatResponse::failed(error);
            Handled { records: Vec::new(), response, resolve: false }
        })
    }

    fn try_consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Result<Handled<ConsumerGroupHeartbeatResponse>, ErrorCode> {
        let around = Surroundings { now: work.now, config: work.config, image };
        validate(request, around)?;
        let id = &request.group;
        if request.member_epoch < JOIN_EPOCH {
            let records = match self.consumers.leaving(request)? {
                Leaving::Away(record) => vec![record],
                Leaving::Gone(member) => self.fence(id, &[member], image, work),
            };
            let response = ConsumerGroupHeartbeatResponse {
                error: ErrorCode::None,
                member_id: Some(request.member_id.clone()),
                member_epoch: request.member_epoch,
                heartbeat_interval: Duration::ZERO,
                assignment: None,
            };
            return Ok(Handled { records, response, resolve: false });
        }
        let (mut records, mut converted) = (Vec::new(), None);
        match self.groups.group(id) {
            _ if self.shares.group(id).is_some() => return Err(ErrorCode::GroupIdNotFound),
            _ if self.consumers.group(id).is_some() || request.member_epoch != JOIN_EPOCH => {}
            Some(classic) if !classic.is_empty() => {
                let (group, conversion) = self.upgrade(id, image, work)?;
                records = conversion;
                converted = Some(Rc::new(group));
            }
            classic => records.extend((classic.is_some() || self.offsets.knows(id)).then(|| group_tombstone(id))),
        }
        let handled = self.consumers.heartbeat(request, converted.clone(), around)?;
        if let Some(group) = converted {
            self.consumers.watch_classic(&group, work.now);
        }
        records.extend(handled.records);
        Ok(Handled { records, ..handled })
    }

    /// Handles ShareGroupHeartbeat: the records, the answer to give once they are committed, and what the share coordinator
    /// is to be told then. A group of another type makes no room.
    pub fn share_heartbeat(
        &mut self,
        request: &ShareGroupHeartbeatRequest,
        around: Surroundings<'_>,
    ) -> share::Handled {
        let group = &request.group;
        let is_other = || {
            let (classic, consumer) = (self.groups.group(group).is_some(), self.consumers.group(group).is_some());
            classic || consumer || self.offsets.knows(group)
        };
        let handled = match share::validate(request) {
            Ok(()) if self.shares.group(group).is_none() && is_other() => Err(ErrorCode::GroupIdNotFound),
            Ok(()) => self.shares.heartbeat(request, around),
            Err(error) => Err(error),
        };
        handled.unwrap_or_else(|error| (Vec::new(), ShareGroupHeartbeatResponse::failed(error), None))
    }

    /// Handles JoinGroup. In a group of the consumer protocol that has members it is answered when the records are committed.
    pub fn join(
        &mut self,
        context: RequestContext,
        request: &JoinGroupRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Option<Handled<JoinGroupResponse>> {
        if let Some(group) = self.consumers.group(&request.group) {
            if group.members().len() > 0 {
                let group = group.clone();
                let joined = self.join_consumers(&group, request, image, work);
                return joined.map_err(|(id, error)| work.refuse_join(context, &id, error)).ok();
            }
            group.tombstones().into_iter().for_each(|record| work.write(record, AfterWrite::Emptied));
        }
        if self.shares.group(&request.group).is_some() {
            work.refuse_join(context, &Rc::from(""), ErrorCode::InconsistentGroupProtocol);
            return None;
        }
        self.groups.join(context, request, self.offsets.knows(&request.group), work);
        None
    }

    fn join_consumers(
        &mut self,
        group: &ConsumerGroup,
        request: &JoinGroupRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Result<Handled<JoinGroupResponse>, (Rc<str>, ErrorCode)> {
        if !ClassicGroups::has_valid_session(request, work.config) {
            return Err((request.member_id.clone(), ErrorCode::InvalidSessionTimeout));
        }
        let nobody = |error| (Rc::from(""), error);
        if work.config.group_consumer_migration_policy == MigrationPolicy::Disabled {
            return Err(nobody(ErrorCode::InconsistentGroupProtocol));
        }
        let around = Surroundings { now: work.now, config: work.config, image };
        let (mut joined, downgrade) = self.consumers.join(group, request, around, work.random).map_err(nobody)?;
        if let Some(downgrade) = downgrade {
            joined.records.extend(self.downgrade_with(group, &downgrade, image, work));
        }
        Ok(joined)
    }

    /// Handles SyncGroup; whoever assigns, an answer that is given here waits for what was written before.
    pub fn sync(
        &mut self,
        context: RequestContext,
        request: &SyncGroupRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Option<SyncGroupResponse> {
        if self.consumers.group(&request.group).is_none() {
            self.groups.sync(context, request, work);
            return None;
        }
        let around = Surroundings { now: work.now, config: work.config, image };
        self.consumers.sync(request, around).map_err(|error| work.refuse_sync(context, error)).ok()
    }

    /// Handles Heartbeat.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, around: Surroundings<'_>) -> ErrorCode {
        match self.consumers.group(&request.group) {
            Some(_) => self.consumers.classic_heartbeat(request, around).err().unwrap_or(ErrorCode::None),
            None => self.groups.heartbeat(request, around.now),
        }
    }

    /// Handles LeaveGroup: the records, and the answer to give once they are committed.
    pub fn leave(
        &mut self,
        request: &LeaveGroupRequest,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> (Vec<CoordinatorRecord>, LeaveGroupResponse) {
        let Some(group) = self.consumers.group(&request.group) else {
            return (Vec::new(), self.groups.leave(request, work));
        };
        let found: Vec<Result<Rc<str>, ErrorCode>> = request.members.iter().map(|it| group.leaving(it)).collect();
        let gone: SortedSet<Rc<str>> = found.iter().flatten().cloned().collect();
        let gone: Vec<Rc<str>> = gone.into_iter().collect();
        let records = self.fence(&request.group, &gone, image, work);
        let results = request.members.iter().cloned().zip(found);
        let members = results.map(|(member, found)| (member, found.err().unwrap_or(ErrorCode::None))).collect();
        (records, LeaveGroupResponse { error: ErrorCode::None, members })
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
#[cfg(test)]
#[path = "offsets_tests.rs"]
pub(super) mod tests;
#[cfg(test)]
#[path = "transaction_tests.rs"]
mod transaction_tests;
