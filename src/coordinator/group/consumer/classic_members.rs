//! Members that speak the classic protocol in a group of the consumer protocol: JoinGroup, SyncGroup, Heartbeat.
//!
//! To such a member its epoch is the generation, and the first of its own assignors the one that was chosen; it is never the
//! leader. A step that a heartbeat makes for others needs a JoinGroup of it, to which `REBALANCE_IN_PROGRESS` calls.
//!
//! In Kafka: `classicGroupJoinToConsumerGroup` and its like.

use super::group::ConsumerGroup;
use super::heartbeat::Handled;
use super::member::{ClassicMetadata, MemberState};
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings};
use crate::base::{Generation, JavaMap, Prng, SortedSet, TopicPartition};
use crate::metadata::{MetadataImage, Uuid};
use crate::protocol::{
    CONSUMER_PROTOCOL_TYPE, ConsumerAssignment, ConsumerSubscription, ErrorCode, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeavingMember, NamedPartition, SyncGroupRequest, SyncGroupResponse,
};
use std::rc::Rc;

/// A static member of the classic protocol has taken the place of the last one that does not speak it: the group becomes
/// a classic one.
pub(in crate::coordinator::group) struct Downgrade {
    /// With its new id.
    pub member: ConsumerGroupMember,
    /// The id before.
    pub replaced: Rc<str>,
    /// The target is not that of the group's epoch.
    pub rebalance: bool,
}

impl ConsumerGroups {
    /// Handles JoinGroup to a group that has members.
    pub(in crate::coordinator::group) fn join(
        &mut self,
        group: &ConsumerGroup,
        request: &JoinGroupRequest,
        around: Surroundings<'_>,
        random: &mut Prng,
    ) -> Result<(Handled<JoinGroupResponse>, Option<Downgrade>), ErrorCode> {
        let is_new = request.member_id.is_empty();
        let id: Rc<str> = if is_new { random_uuid(random) } else { request.member_id.clone() };
        group.has_room_for(&id, around.config.group_consumer_max_size)?;
        if !group.supports(request) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let mut records = Vec::new();
        if is_new && request.instance_id.is_none() {
            let response = JoinGroupResponse::failed(id, ErrorCode::MemberIdRequired);
            return Ok((Handled { records, response, resolve: false }, None));
        }
        let place = request.instance_id.as_deref().and_then(|instance| group.static_member(instance));
        let member = match (&request.instance_id, place) {
            (None, _) => group.members.get(&id).cloned().unwrap_or_else(|| ConsumerGroupMember::new(id)),
            (Some(_), None) if is_new => ConsumerGroupMember::new(id),
            (Some(_), Some(place)) if is_new => group.replace(place, &id, &mut records),
            (Some(instance), _) => group.instance(instance, &id)?.clone(),
        };
        let said = ConsumerSubscription::decode(&request.protocols[0].metadata);
        let said = said.map_err(|_| ErrorCode::InconsistentGroupProtocol)?;
        let owned = partitions_of(&said.owned_partitions, around.image);
        let mut updated = member.joined(request, said);
        let update = self.update(group, (&member, &updated), around, &mut records)?;
        let known = (update.subscription_changed, Some(&owned[..]));
        let mut downgrade = None;
        if let Some(place) = place.filter(|place| self.may_downgrade(group, place, around)) {
            let rebalance = group.target_epoch() < update.epoch;
            if !rebalance {
                let target = (group.target_epoch(), &group.last_target(&updated).cloned().unwrap_or_default());
                updated = self.reconcile(group, updated, target, known, around, &mut records)?;
            }
            downgrade = Some(Downgrade { member: updated.clone(), replaced: place.member_id.clone(), rebalance });
        } else {
            let (epoch, target) = group.target_for(update.epoch, &updated, around, &mut records);
            updated = self.reconcile(group, updated, (epoch, &target), known, around, &mut records)?;
            self.start_session(&group.id, &updated, around).joined(&updated, around.now);
        }
        let response = JoinGroupResponse {
            error: ErrorCode::None,
            generation: updated.member_epoch,
            protocol_type: Some(CONSUMER_PROTOCOL_TYPE.into()),
            protocol_name: updated.chosen_protocol().cloned(),
            leader: "".into(),
            skip_assignment: false,
            member_id: updated.member_id,
            members: Vec::new(),
        };
        Ok((Handled { records, response, resolve: update.resolve }, downgrade))
    }

    /// `validateOnlineDowngradeWithReplacedMember`
    fn may_downgrade(&self, group: &ConsumerGroup, replaced: &ConsumerGroupMember, around: Surroundings<'_>) -> bool {
        let others = group.members.values().filter(|it| it.member_id != replaced.member_id);
        replaced.classic.is_none()
            && others.into_iter().all(|it| it.classic.is_some())
            && around.config.group_consumer_migration_policy.downgrades()
            && group.members.len() <= around.config.group_max_size as usize
    }

    /// Handles SyncGroup.
    pub(in crate::coordinator::group) fn sync(
        &mut self,
        request: &SyncGroupRequest,
        around: Surroundings<'_>,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let group = self.groups.get(&request.group).cloned().ok_or(ErrorCode::UnknownMemberId)?;
        let (instance, generation) = (request.instance_id.as_deref(), request.generation);
        let member = group.classic_member(&request.member_id, instance, generation)?;
        let differs = |asked: Option<&str>, own: Option<&str>| asked.is_some_and(|asked| Some(asked) != own);
        let chosen = member.chosen_protocol().map(Rc::as_ref);
        if differs(request.protocol_type.as_deref(), Some(CONSUMER_PROTOCOL_TYPE))
            || differs(request.protocol_name.as_deref(), chosen)
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        // One that has to give something up first has joined already.
        if group.target_epoch() > member.member_epoch && member.state != MemberState::UnrevokedPartitions {
            self.shall_join(&group.id, member, around.now);
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.start_session(&group.id, member, around).synced();
        let partitions = member.assigned.keys().copied();
        Ok(SyncGroupResponse {
            error: ErrorCode::None,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: encode_assignment(partitions, member.chosen_metadata(), around.image),
        })
    }

    /// Handles Heartbeat.
    pub(in crate::coordinator::group) fn classic_heartbeat(
        &mut self,
        request: &HeartbeatRequest,
        around: Surroundings<'_>,
    ) -> Result<(), ErrorCode> {
        let group = self.groups.get(&request.group).cloned().ok_or(ErrorCode::UnknownMemberId)?;
        let (instance, generation) = (request.instance_id.as_deref(), request.generation);
        let member = group.classic_member(&request.member_id, instance, generation)?;
        let timers = self.start_session(&group.id, member, around);
        let shall_join = match member.state {
            _ if member.member_epoch < group.target_epoch() => true,
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => !group.waits_for_others(member),
            MemberState::Stable | MemberState::Unknown => false,
        };
        if shall_join {
            timers.shall_join(member, around.now);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}

impl ConsumerGroup {
    /// Who leaves by LeaveGroup: any member by its id, a static one also by its instance.
    pub(in crate::coordinator::group) fn leaving(&self, member: &LeavingMember) -> Result<Rc<str>, ErrorCode> {
        let found = match &member.instance_id {
            None => self.members.get(&member.member_id),
            Some(instance) if member.member_id.is_empty() => self.static_member(instance),
            Some(instance) => Some(self.instance(instance, &member.member_id)?),
        };
        found.map(|member| member.member_id.clone()).ok_or(ErrorCode::UnknownMemberId)
    }

    /// Has it a protocol that all classic members support (`supportsClassicProtocols`)?
    fn supports(&self, request: &JoinGroupRequest) -> bool {
        let classic = self.members.values().filter_map(|member| member.classic.as_ref());
        let supported = |name: &Rc<str>| classic.clone().all(|it| it.protocols.iter().any(|it| it.name == *name));
        *request.protocol_type == *CONSUMER_PROTOCOL_TYPE && request.protocols.iter().any(|it| supported(&it.name))
    }

    /// Who says that it is a member of the classic protocol in this generation.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: Generation,
    ) -> Result<&ConsumerGroupMember, ErrorCode> {
        let member = match instance_id {
            None => self.members.get(member_id).ok_or(ErrorCode::UnknownMemberId)?,
            Some(instance) => self.instance(instance, member_id)?,
        };
        match member.classic {
            None => Err(ErrorCode::UnknownMemberId),
            Some(_) if member.member_epoch != generation => Err(ErrorCode::IllegalGeneration),
            Some(_) => Ok(member),
        }
    }

    /// Is anything that it shall have still held by others (`waitingOnUnreleasedPartition`)?
    fn waits_for_others(&self, member: &ConsumerGroupMember) -> bool {
        let target = self.target.get(&member.member_id).into_iter().flat_map(|target| target.iter());
        let mut wanted = target.flat_map(|(topic, all)| all.iter().map(|it| TopicPartition::new(*topic, *it)));
        wanted.any(|it| !member.assigned.contains_key(&it) && self.is_held(it))
    }
}

impl ConsumerGroupMember {
    fn joined(&self, request: &JoinGroupRequest, said: ConsumerSubscription) -> ConsumerGroupMember {
        ConsumerGroupMember {
            instance_id: request.instance_id.clone().or_else(|| self.instance_id.clone()),
            rack_id: said.rack.or_else(|| self.rack_id.clone()),
            rebalance_timeout: i32::try_from(request.rebalance_timeout.as_millis()).unwrap_or(i32::MAX),
            client_id: request.client_id.clone(),
            client_host: Rc::from("/127.0.0.1"),
            subscribed_topics: said.topics.into_iter().collect(),
            subscribed_regex: Some(Rc::from("")),
            classic: Some(ClassicMetadata {
                session_timeout: request.session_timeout,
                protocols: Rc::from(&request.protocols[..]),
            }),
            ..self.clone()
        }
    }

    /// What a classic member is told the group has chosen.
    fn chosen_protocol(&self) -> Option<&Rc<str>> {
        self.classic.as_ref()?.protocols.first().map(|protocol| &protocol.name)
    }

    fn chosen_metadata(&self) -> &[u8] {
        self.classic.as_ref().and_then(|it| it.protocols.first()).map_or(&[], |protocol| &protocol.metadata)
    }
}

/// Partitions as SyncGroup carries them, at the version of what the member said of itself.
pub(in crate::coordinator::group) fn encode_assignment(
    partitions: impl Iterator<Item = TopicPartition>,
    metadata: &[u8],
    image: &MetadataImage,
) -> bytes::Bytes {
    let mut topics: JavaMap<Uuid, SortedSet<TopicPartition>> = JavaMap::default();
    for partition in partitions {
        let topic = Uuid::of_topic(partition.topic);
        let mut all = topics.get(&topic).cloned().unwrap_or_default();
        all.insert(partition);
        topics.insert(topic, all);
    }
    let name = |it: &TopicPartition| Some((image.topic(it.topic)?.name.clone(), it.partition));
    let partitions: Vec<NamedPartition> = topics.iter().flat_map(|(_, all)| all.iter().filter_map(name)).collect();
    let version = metadata.first_chunk().map_or(0, |version| i16::from_be_bytes(*version));
    ConsumerAssignment { partitions, user_data: None }.encode_as(version)
}

/// Those whose topics exist.
pub(in crate::coordinator::group) fn partitions_of(
    named: &[NamedPartition],
    image: &MetadataImage,
) -> Vec<TopicPartition> {
    let known = |(topic, partition): &NamedPartition| Some(TopicPartition::new(image.topic_id(topic)?, *partition));
    named.iter().filter_map(known).collect()
}

/// `Uuid.randomUuid()`, as it is printed; no dash comes first.
fn random_uuid(random: &mut Prng) -> Rc<str> {
    loop {
        let (high, low) = (random.next_u64(), random.next_u64());
        let id = Uuid { high: high & !0xf000 | 0x4000, low: low & !(3 << 62) | (1 << 63) }.to_string();
        if !id.starts_with('-') {
            return Rc::from(id);
        }
    }
}
