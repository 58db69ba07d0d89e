//! What eyes see of consumer groups: what coordinators know, and what members know.

use super::project::partition_name;
use super::share;
use crate::base::{Generation, SortedSet, TopicPartition, sort_long};
use crate::broker::Broker;
use crate::client::consumer::{Consumer, MemberState};
use crate::coordinator::group::classic::ClassicGroup;
use crate::coordinator::group::consumer::{ConsumerGroup, MemberEpochs};
use crate::protocol::{ConsumerAssignment, ConsumerSubscription, MemberEpoch};
use crate::sim::{AnyNode, World};
use serde::Serialize;
use std::rc::Rc;

/// A group as its coordinator knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupView {
    /// `group.id`.
    pub group: Rc<str>,
    /// The partition of `__consumer_offsets` that holds it.
    pub home: Rc<str>,
    /// By Kafka's name.
    pub state: &'static str,
    /// `classic`, `consumer`, or `share`.
    pub protocol: &'static str,
    /// Generation (classic), or group epoch.
    pub generation: Generation,
    /// The epoch for which the target assignment was computed; none in the classic protocol.
    pub assignment_epoch: Option<MemberEpoch>,
    /// The assignor that was chosen; on the server in the consumer protocol.
    pub assignor: Option<Rc<str>>,
    /// The member that assigns.
    pub leader: Option<Rc<str>>,
    /// By member id.
    pub members: Vec<GroupMemberView>,
    /// What its members subscribe to, and what it has offsets of.
    pub topics: Vec<Rc<str>>,
    /// Committed offsets by partition.
    pub committed: Vec<(Rc<str>, i64)>,
}

/// A member as its coordinator knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupMemberView {
    /// Made by the coordinator.
    pub member_id: Rc<str>,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Rc<str>>,
    /// Whose it is: the application's name.
    pub client_id: Rc<str>,
    /// Its partitions.
    pub assigned: Vec<Rc<str>>,
    /// How far it is on its way to its target; none in the classic protocol.
    pub reconciling: Option<ReconcilingView>,
}

/// How far a member is on its way to what it shall have (KIP-848).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReconcilingView {
    /// The epoch it has reached.
    pub epoch: MemberEpoch,
    /// By Kafka's name: `STABLE`, `UNREVOKED_PARTITIONS`, …
    pub state: &'static str,
    /// What it shall have.
    pub target: Vec<Rc<str>>,
    /// What it must give up, and has not yet.
    pub revoking: Vec<Rc<str>>,
}

/// A member as it knows itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MembershipView {
    /// Empty while it has none.
    pub member_id: Rc<str>,
    /// Its generation (classic) or epoch, −1 for none.
    pub generation: Generation,
    /// By Kafka's name: `UNJOINED`, …
    pub state: &'static str,
    /// It assigned the partitions of this generation.
    pub leader: bool,
    /// It speaks the consumer protocol: what counts is its epoch.
    pub by_epochs: bool,
}

/// The groups that a broker coordinates. One that only stores offsets is Empty, as Kafka has it.
pub(super) fn coordinated(world: &World, broker: &Broker) -> Vec<GroupView> {
    let mut found = Vec::new();
    for (home, shard) in broker.group_shards() {
        let home = partition_name(world, *home);
        found.extend(shard.groups.iter().map(|it| classic(&home, it)));
        found.extend(shard.consumers.iter().map(|it| consumer(world, broker, &home, it)));
        found.extend(shard.shares.iter().map(|it| share::group(world, &home, it)));
        for (key, offset) in shard.offsets.offsets() {
            let at = found.iter().position(|it: &GroupView| it.group == key.group).unwrap_or_else(|| {
                found.push(empty(Rc::clone(&key.group), Rc::clone(&home)));
                found.len() - 1
            });
            let group = &mut found[at];
            if !group.topics.contains(&key.topic) {
                group.topics.push(Rc::clone(&key.topic));
            }
            group.committed.push((named(&key.topic, key.partition), offset.offset));
        }
    }
    found
}

pub(super) fn empty(group: Rc<str>, home: Rc<str>) -> GroupView {
    GroupView {
        group,
        home,
        state: "Empty",
        protocol: "classic",
        generation: 0,
        assignment_epoch: None,
        assignor: None,
        leader: None,
        members: Vec::new(),
        topics: Vec::new(),
        committed: Vec::new(),
    }
}

fn classic(home: &Rc<str>, group: &ClassicGroup) -> GroupView {
    let mut topics = SortedSet::new();
    let members = group.members().map(|it| {
        // Bytes that are no subscription say nothing.
        let metadata =
            group.protocol_name().map_or(it.protocols.first().map(|it| &it.metadata), |it_is| it.metadata(it_is));
        topics
            .extend(metadata.and_then(|it| ConsumerSubscription::decode(it).ok()).into_iter().flat_map(|it| it.topics));
        let assigned = ConsumerAssignment::decode(&it.assignment).unwrap_or_default().partitions;
        let mut assigned: Vec<Rc<str>> = assigned.iter().map(|(topic, partition)| named(topic, *partition)).collect();
        sort_long(&mut assigned, |a, b| a < b);
        GroupMemberView {
            member_id: Rc::clone(&it.member_id),
            instance_id: it.instance_id.clone(),
            client_id: Rc::clone(&it.client_id),
            assigned,
            reconciling: None,
        }
    });
    let members = members.collect();
    GroupView {
        state: group.state().name(),
        generation: group.generation(),
        assignor: group.protocol_name().cloned(),
        leader: group.leader().cloned(),
        members,
        topics: topics.into_iter().collect(),
        ..empty(Rc::clone(group.id()), Rc::clone(home))
    }
}

fn consumer(world: &World, broker: &Broker, home: &Rc<str>, group: &ConsumerGroup) -> GroupView {
    let of_epochs =
        |it: &MemberEpochs| it.keys().map(|partition| partition_name(world, *partition)).collect::<Vec<_>>();
    let members = group.members().map(|it| {
        let target = group.target(&it.member_id).into_iter().flat_map(|target| target.iter());
        let target =
            target.flat_map(|(topic, indexes)| indexes.iter().map(|index| TopicPartition::new(*topic, *index)));
        GroupMemberView {
            member_id: Rc::clone(&it.member_id),
            instance_id: it.instance_id.clone(),
            client_id: Rc::clone(&it.client_id),
            assigned: of_epochs(&it.assigned),
            reconciling: Some(ReconcilingView {
                epoch: it.member_epoch,
                state: it.state.name(),
                target: target.map(|partition| partition_name(world, partition)).collect(),
                revoking: of_epochs(&it.pending_revocation),
            }),
        }
    });
    GroupView {
        state: group.state().name(),
        protocol: "consumer",
        generation: group.epoch(),
        assignment_epoch: Some(group.target_epoch()),
        assignor: Some(Rc::from(group.assignor(&broker.config().group_consumer_assignors).name())),
        members: members.collect(),
        topics: group.subscribed_topics().into_iter().collect(),
        ..empty(Rc::clone(group.id()), Rc::clone(home))
    }
}

/// A partition, as people write it.
pub(super) fn named(topic: &str, partition: u32) -> Rc<str> {
    Rc::from(format!("{topic}-{partition}"))
}

/// What a client knows of its membership; none if it assigns partitions to itself, or does not run.
pub(super) fn membership(client: Option<&Consumer>) -> Option<MembershipView> {
    let client = client.filter(|it| it.subscription().subscribed().is_auto_assigned())?;
    let coordinator = client.coordinator()?;
    if let Some(member) = coordinator.epoch_member() {
        let (member_id, generation) = (Rc::clone(member.member_id()), member.epoch());
        // Before it has an epoch it is in none.
        let generation = if generation == 0 { -1 } else { generation };
        return Some(MembershipView {
            member_id,
            generation,
            state: member.state().name(),
            leader: false,
            by_epochs: true,
        });
    }
    let member = coordinator.member();
    let state = match member.state() {
        MemberState::Unjoined => "UNJOINED",
        MemberState::PreparingRebalance => "PREPARING_REBALANCE",
        MemberState::CompletingRebalance => "COMPLETING_REBALANCE",
        MemberState::Stable => "STABLE",
    };
    let it = member.generation();
    let (member_id, leader) = (Rc::clone(&it.member_id), member.is_leader());
    Some(MembershipView { member_id, generation: it.id, state, leader, by_epochs: false })
}

/// Where somebody is in a partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ReadFlag {
    /// A group, or the application whose position it is.
    pub who: Rc<str>,
    /// The application; none: the group's committed offset.
    pub node: Option<u16>,
    /// The next offset.
    pub offset: i64,
}

/// Committed offsets of groups, and positions of consumers.
pub(super) fn read_flags(world: &World, id: TopicPartition, name: &str) -> Vec<ReadFlag> {
    let Some((topic, index)) = name.rsplit_once('-') else { return Vec::new() };
    let index = index.parse::<u32>().ok();
    let mut flags = Vec::new();
    for (node, it) in world.nodes() {
        let client = match it {
            AnyNode::Broker(broker) => {
                let offsets = broker.group_offsets().flat_map(|(_, shard)| shard.offsets());
                let here = offsets.filter(|(key, _)| &*key.topic == topic && Some(key.partition) == index);
                flags.extend(here.map(|(key, it)| ReadFlag { who: key.group, node: None, offset: it.offset }));
                continue;
            }
            AnyNode::Consumer(app) => app.client(),
            AnyNode::Processor(app) => app.consumer(),
            _ => None,
        };
        let mut states = client.into_iter().flat_map(|it| it.subscription().iter());
        let state = states.find(|(partition, _)| *partition == id);
        if let Some(at) = state.and_then(|(_, state)| state.position()) {
            flags.push(ReadFlag { who: Rc::clone(world.name(node)), node: Some(node.0), offset: at.offset });
        }
    }
    flags
}
