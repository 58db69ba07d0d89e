//! Groups that change their protocol while they have members (`group.consumer.migration.policy`).
//!
//! A classic group whose members are consumers becomes one of the consumer protocol when somebody joins it that way; the
//! others stay, and speak the classic protocol. When the last member of the consumer protocol goes, or a static one comes
//! back with the classic protocol, the group becomes a classic one again. The group's epoch is the generation.
//!
//! In Kafka: `convertToConsumerGroup`, `ConsumerGroup.fromClassicGroup`, `convertToClassicGroup`. Departure: a classic group
//! is in place when it is created, and stays so if its record cannot be appended, which happens where the shard is about to
//! go anyway.

use super::classic::{ClassicGroup, ClassicGroupMember, Work, group_tombstone};
use super::consumer::{
    ClassicMetadata, ConsumerGroup, ConsumerGroupMember, Downgrade, Surroundings, encode_assignment, partitions_of,
};
use super::shard::GroupShard;
use crate::base::{JavaMap, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::protocol::{CONSUMER_PROTOCOL_TYPE, ConsumerAssignment, ConsumerSubscription, ErrorCode};
use std::rc::Rc;

impl GroupShard {
    /// The group as one of the consumer protocol, with the records that make it one.
    pub(super) fn upgrade(
        &mut self,
        id: &Rc<str>,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Result<(ConsumerGroup, Vec<CoordinatorRecord>), ErrorCode> {
        let classic = self.groups.group(id).ok_or(ErrorCode::GroupIdNotFound)?;
        let consumers = classic.protocol_type().is_some_and(|it| **it == *CONSUMER_PROTOCOL_TYPE);
        let fits = classic.members().len() <= work.config.group_consumer_max_size as usize;
        if !work.config.group_consumer_migration_policy.upgrades() || !consumers || !fits {
            return Err(ErrorCode::GroupIdNotFound);
        }
        self.groups.interrupt(id, work);
        let classic = self.groups.group(id).ok_or(ErrorCode::GroupIdNotFound)?;
        let members =
            classic.members().map(|member| converted(classic, member, image)).collect::<Result<Vec<_>, _>>()?;
        let group = ConsumerGroup::of_members(id.clone(), classic.generation(), members, image);
        let mut records = vec![group_tombstone(id)];
        records.extend(group.records());
        Ok((group, records))
    }

    /// The records that remove members from a group of the consumer protocol, which may make it a classic one.
    pub fn fence(
        &mut self,
        id: &Rc<str>,
        members: &[Rc<str>],
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Vec<CoordinatorRecord> {
        let Some(group) = self.consumers.group(id).cloned().filter(|_| !members.is_empty()) else { return Vec::new() };
        let others = || group.members().filter(|it| !members.contains(&it.member_id));
        let count = others().count();
        if count > 0
            && others().all(|it| it.classic.is_some())
            && work.config.group_consumer_migration_policy.downgrades()
            && count <= work.config.group_max_size as usize
        {
            let order: JavaMap<Rc<str>, &ConsumerGroupMember> =
                others().map(|member| (member.member_id.clone(), member)).collect();
            let stay = order.iter().map(|(_, member)| (classic_member(member), member.member_id.clone())).collect();
            let mut records = group.tombstones();
            records.push(self.downgrade(&group, stay, true, image, work));
            return records;
        }
        let around = Surroundings { now: work.now, config: work.config, image };
        self.consumers.fence(&group, members, around)
    }

    /// The same when a static member takes a place.
    pub(super) fn downgrade_with(
        &mut self,
        group: &ConsumerGroup,
        by: &Downgrade,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> Vec<CoordinatorRecord> {
        let named = |id: &Rc<str>| if *id == by.replaced { by.member.member_id.clone() } else { id.clone() };
        let mut records = group.tombstones_as(named);
        let order: JavaMap<Rc<str>, &ConsumerGroupMember> = group
            .members()
            .filter(|it| it.member_id != by.replaced)
            .map(|member| (member.member_id.clone(), member))
            .collect();
        let stay = order.iter().map(|(_, member)| (classic_member(member), member.member_id.clone()));
        let members = stay.chain([(classic_member(&by.member), by.replaced.clone())]).collect();
        records.push(self.downgrade(group, members, by.rebalance, image, work));
        records
    }

    /// The group as a classic one of these members, each with whom the target calls it.
    fn downgrade(
        &mut self,
        group: &ConsumerGroup,
        members: Vec<(ClassicGroupMember, Rc<str>)>,
        rebalance: bool,
        image: &MetadataImage,
        work: &mut Work<'_>,
    ) -> CoordinatorRecord {
        let (id, generation) = (group.id().clone(), group.epoch());
        let names: Vec<(Rc<str>, Rc<str>)> =
            members.iter().map(|(member, name)| (member.member_id.clone(), name.clone())).collect();
        let members = members.into_iter().map(|(member, _)| member).collect();
        let mut classic = ClassicGroup::of_members(id, generation, members, work.now);
        classic.assign_with(|member, metadata| {
            let name = names.iter().find(|(id, _)| *id == member.member_id).map_or(&member.member_id, |(_, name)| name);
            let target = group.target(name).into_iter().flat_map(|target| target.iter());
            let partitions = target.flat_map(|(topic, all)| all.iter().map(|it| TopicPartition::new(*topic, *it)));
            encode_assignment(partitions, metadata, image)
        });
        let record = classic.record();
        self.consumers.cancel_timers(group.id());
        self.groups.adopt(classic, rebalance, work);
        record
    }
}

/// A classic member in the consumer protocol. Errors are Kafka's: `UNKNOWN_SERVER_ERROR` where it did not reckon with a group
/// that has chosen no protocol yet.
fn converted(
    group: &ClassicGroup,
    member: &ClassicGroupMember,
    image: &MetadataImage,
) -> Result<ConsumerGroupMember, ErrorCode> {
    let malformed = |_| ErrorCode::GroupIdNotFound;
    let mut assigned = Vec::new();
    if !member.assignment.is_empty() {
        let assignment = ConsumerAssignment::decode(&member.assignment).map_err(malformed)?;
        // What a custom assignor has added would be lost.
        if assignment.user_data.is_some_and(|data| !data.is_empty()) {
            return Err(ErrorCode::GroupIdNotFound);
        }
        assigned = partitions_of(&assignment.partitions, image);
    }
    let metadata = group.protocol_name().and_then(|protocol| member.metadata(protocol));
    let said = ConsumerSubscription::decode(metadata.ok_or(ErrorCode::UnknownServerError)?).map_err(malformed)?;
    let generation = group.generation();
    Ok(ConsumerGroupMember {
        member_epoch: generation,
        previous_member_epoch: generation,
        instance_id: member.instance_id.clone(),
        rack_id: said.rack,
        rebalance_timeout: i32::try_from(member.rebalance_timeout.as_millis()).unwrap_or(i32::MAX),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topics: said.topics.into_iter().collect(),
        assigned: Rc::new(assigned.into_iter().map(|partition| (partition, generation)).collect()),
        classic: Some(ClassicMetadata { session_timeout: member.session_timeout, protocols: member.protocols.clone() }),
        ..ConsumerGroupMember::new(member.member_id.clone())
    })
}

/// A member that speaks the classic protocol, in a classic group.
fn classic_member(member: &ConsumerGroupMember) -> ClassicGroupMember {
    let ClassicMetadata { session_timeout, protocols } =
        member.classic.clone().expect("invariant: only who speaks the classic protocol stays in a classic group");
    ClassicGroupMember::settled(
        member.member_id.clone(),
        member.instance_id.clone(),
        (member.client_id.clone(), member.client_host.clone()),
        (session_timeout, member.rebalance_timeout()),
        protocols,
    )
}
