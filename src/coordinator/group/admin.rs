//! What an administrator asks about groups (`kafka-groups`, `kafka-consumer-groups`): list, describe, delete.
//!
//! Departure: Kafka describes a group of the consumer protocol as it was at the last committed record, this coordinator as
//! it is at the end of its log.

use super::classic::{ClassicGroup, group_tombstone};
use super::consumer::{ConsumerGroup, ConsumerGroupMember, MemberEpochs};
use super::offset_records::{OffsetKey, offset_tombstone};
use super::shard::GroupShard;
use crate::base::config::ServerAssignor;
use crate::base::{SortedSet, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::protocol::{
    DescribedConsumer, DescribedConsumerGroup, DescribedGroup, DescribedMember, ErrorCode, GroupState, GroupType,
    ListGroupsRequest, ListedGroup,
};
use std::rc::Rc;

/// The protocol type of groups whose members are consumers (`ConsumerProtocol.PROTOCOL_TYPE`).
const CONSUMER: &str = "consumer";

/// The records that forget offsets, and what becomes of each.
pub type OffsetsDeleted = (Vec<CoordinatorRecord>, Vec<(TopicPartition, ErrorCode)>);

impl GroupShard {
    /// The groups that pass the filters, by id (`GroupMetadataManager.listGroups`).
    pub fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let passes = |wanted: &[Rc<str>], name: &str| {
            wanted.is_empty() || wanted.iter().any(|it| it.trim().eq_ignore_ascii_case(name))
        };
        let listed = self.ids().into_iter().map(|id| self.listed(&id));
        listed.filter(|it| passes(&request.states, it.state.name()) && passes(&request.types, it.kind.name())).collect()
    }

    /// All groups: those with members, without, and with nothing but offsets.
    pub(super) fn ids(&self) -> SortedSet<Rc<str>> {
        let members = self.groups.iter().map(|it| it.id()).chain(self.consumers.iter().map(|it| it.id()));
        let members = members.chain(self.shares.iter().map(|it| it.id()));
        self.offsets.group_ids().chain(members).cloned().collect()
    }

    fn listed(&self, id: &Rc<str>) -> ListedGroup {
        let group = id.clone();
        if let Some(found) = self.consumers.group(id) {
            let (protocol_type, state, kind) = (Rc::from(CONSUMER), found.state(), GroupType::Consumer);
            return ListedGroup { group, protocol_type, state, kind };
        }
        if let Some(found) = self.shares.group(id) {
            let (protocol_type, state, kind) = (Rc::from("share"), found.state(), GroupType::Share);
            return ListedGroup { group, protocol_type, state, kind };
        }
        let found = self.groups.group(id);
        let protocol_type = found.and_then(ClassicGroup::protocol_type).cloned().unwrap_or_default();
        let state = found.map_or(GroupState::Empty, ClassicGroup::state);
        ListedGroup { group, protocol_type, state, kind: GroupType::Classic }
    }

    /// A classic group, or one of which only offsets are known.
    pub fn describe(&self, id: &Rc<str>) -> DescribedGroup {
        if self.consumers.group(id).is_none() {
            if let Some(group) = self.groups.group(id) {
                return describe_classic(group);
            }
            if self.offsets.knows(id) {
                return DescribedGroup::failed(id.clone(), ErrorCode::None, Some(GroupState::Empty));
            }
        }
        DescribedGroup::failed(id.clone(), ErrorCode::GroupIdNotFound, Some(GroupState::Dead))
    }

    /// A group of the consumer protocol.
    pub fn describe_consumers(
        &self,
        id: &Rc<str>,
        assignors: &[ServerAssignor],
        image: &MetadataImage,
    ) -> DescribedConsumerGroup {
        let Some(group) = self.consumers.group(id) else {
            return DescribedConsumerGroup::failed(id.clone(), ErrorCode::GroupIdNotFound);
        };
        DescribedConsumerGroup {
            error: ErrorCode::None,
            group: id.clone(),
            state: Some(group.state()),
            epoch: group.epoch(),
            assignment_epoch: group.target_epoch(),
            assignor: Rc::from(group.preferred_assignor(None, None, assignors).name()),
            members: group.members().map(|member| describe_consumer(group, member, image)).collect(),
        }
    }

    /// The records that forget these groups, and what becomes of each (`GroupCoordinatorShard.deleteGroups`).
    pub fn delete(&self, ids: &[Rc<str>]) -> (Vec<CoordinatorRecord>, Vec<(Rc<str>, ErrorCode)>) {
        let mut records = Vec::new();
        let mut delete = |id: &Rc<str>| match self.group_tombstones(id) {
            Ok(tombstones) => {
                records.extend(self.offsets.tombstones(id));
                records.extend(tombstones);
                ErrorCode::None
            }
            Err(error) => error,
        };
        let results = ids.iter().map(|id| (id.clone(), delete(id))).collect();
        (records, results)
    }

    fn group_tombstones(&self, id: &Rc<str>) -> Result<Vec<CoordinatorRecord>, ErrorCode> {
        if let Some(group) = self.shares.group(id) {
            return if group.members().len() > 0 { Err(ErrorCode::NonEmptyGroup) } else { Ok(group.tombstones()) };
        }
        match (self.consumers.group(id), self.groups.group(id)) {
            (Some(group), _) if group.members().len() > 0 => Err(ErrorCode::NonEmptyGroup),
            (Some(group), _) => Ok(group.tombstones()),
            (None, Some(group)) if !group.is_empty() => Err(ErrorCode::NonEmptyGroup),
            (None, None) if !self.offsets.knows(id) => Err(ErrorCode::GroupIdNotFound),
            (None, _) => Ok(vec![group_tombstone(id)]),
        }
    }

    /// The records that forget offsets of a group, and what becomes of each; an error, if the group does not let them go
    /// (`OffsetMetadataManager.deleteOffsets`).
    pub fn delete_offsets(
        &self,
        id: &Rc<str>,
        partitions: &[TopicPartition],
        image: &MetadataImage,
    ) -> Result<OffsetsDeleted, ErrorCode> {
        let subscribed: Box<dyn Fn(&str) -> bool> = match (self.consumers.group(id), self.groups.group(id)) {
            (Some(group), _) => {
                let topics = group.subscribed_topics();
                Box::new(move |topic| topics.contains(topic))
            }
            (None, Some(group)) => {
                let consumers = group.protocol_type().is_some_and(|it| &**it == CONSUMER);
                if !group.is_empty() && !consumers {
                    return Err(ErrorCode::NonEmptyGroup);
                }
                let topics = if consumers { group.subscribed_topics() } else { None };
                Box::new(move |topic| topics.as_ref().map_or(consumers, |topics| topics.contains(topic)))
            }
            (None, None) if self.offsets.knows(id) => Box::new(|_| false),
            (None, None) => return Err(ErrorCode::GroupIdNotFound),
        };
        let mut records = Vec::new();
        let mut delete = |partition: &TopicPartition| {
            let known = image.partition(*partition).and_then(|_| image.topic(partition.topic));
            let Some(topic) = known else { return ErrorCode::UnknownTopicOrPartition };
            if subscribed(&topic.name) {
                return ErrorCode::GroupSubscribedToTopic;
            }
            let key = OffsetKey { group: id.clone(), topic: topic.name.clone(), partition: partition.partition };
            records.extend(self.offsets.has(&key).then(|| offset_tombstone(&key)));
            ErrorCode::None
        };
        let results = partitions.iter().map(|partition| (*partition, delete(partition))).collect();
        Ok((records, results))
    }
}

fn describe_classic(group: &ClassicGroup) -> DescribedGroup {
    let protocol = group.protocol_name().filter(|_| group.state() == GroupState::Stable);
    let members = group.members().map(|member| DescribedMember {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        metadata: protocol.and_then(|protocol| member.metadata(protocol)).cloned().unwrap_or_default(),
        assignment: member.assignment.clone(),
    });
    DescribedGroup {
        error: ErrorCode::None,
        group: group.id().clone(),
        state: Some(group.state()),
        protocol_type: group.protocol_type().cloned().unwrap_or_default(),
        protocol: protocol.cloned().unwrap_or_default(),
        members: members.collect(),
    }
}

fn describe_consumer(group: &ConsumerGroup, member: &ConsumerGroupMember, image: &MetadataImage) -> DescribedConsumer {
    let exists = |partition: &TopicPartition| image.topic(partition.topic).is_some();
    let held = |of: &MemberEpochs| of.keys().copied().filter(exists).collect::<Vec<_>>();
    let mut assigned = held(&member.assigned);
    assigned.append(&mut held(&member.pending_revocation));
    let target = group.target(&member.member_id).into_iter().flat_map(|target| target.iter());
    let target = target.flat_map(|(topic, all)| all.iter().map(|partition| TopicPartition::new(*topic, *partition)));
    DescribedConsumer {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        member_epoch: member.member_epoch,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topics: member.subscribed_topics.iter().cloned().collect(),
        subscribed_regex: member.subscribed_regex.clone(),
        assigned,
        target: target.filter(exists).collect(),
        classic: member.classic.is_some(),
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
