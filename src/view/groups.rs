//! What eyes see of consumer groups: what coordinators know, what members know, and who owned what while.

use super::project::partition_name;
use crate::base::{Generation, NodeId, SortedSet, TopicId, TopicPartition, sort_long};
use crate::broker::Broker;
use crate::client::consumer::{Consumer, MemberState};
use crate::coordinator::group::classic::ClassicGroup;
use crate::protocol::{ConsumerAssignment, ConsumerSubscription};
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
    /// `classic` or `consumer`.
    pub protocol: &'static str,
    /// Generation (classic), or epoch.
    pub generation: Generation,
    /// The assignor that was chosen.
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
}

/// The groups that a broker coordinates. One that only stores offsets is Empty, as Kafka has it.
pub(super) fn coordinated(world: &World, broker: &Broker) -> Vec<GroupView> {
    let mut found: Vec<GroupView> = broker.groups().map(|(home, group)| group_view(world, *home, group)).collect();
    for (home, shard) in broker.group_offsets() {
        for (key, offset) in shard.offsets() {
            let at = found.iter().position(|it| it.group == key.group).unwrap_or_else(|| {
                found.push(empty(Rc::clone(&key.group), partition_name(world, *home)));
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

fn empty(group: Rc<str>, home: Rc<str>) -> GroupView {
    GroupView {
        group,
        home,
        state: "Empty",
        protocol: "classic",
        generation: 0,
        assignor: None,
        leader: None,
        members: Vec::new(),
        topics: Vec::new(),
        committed: Vec::new(),
    }
}

fn group_view(world: &World, home: TopicPartition, group: &ClassicGroup) -> GroupView {
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
        ..empty(Rc::clone(group.id()), partition_name(world, home))
    }
}

fn named(topic: &str, partition: u32) -> Rc<str> {
    Rc::from(format!("{topic}-{partition}"))
}

/// What a client knows of its membership; none if it assigns partitions to itself, or does not run.
pub(super) fn membership(client: Option<&Consumer>) -> Option<MembershipView> {
    let client = client.filter(|it| it.subscription().subscribed().is_auto_assigned())?;
    let member = client.coordinator()?.member();
    let state = match member.state() {
        MemberState::Unjoined => "UNJOINED",
        MemberState::PreparingRebalance => "PREPARING_REBALANCE",
        MemberState::CompletingRebalance => "COMPLETING_REBALANCE",
        MemberState::Stable => "STABLE",
    };
    let it = member.generation();
    Some(MembershipView { member_id: Rc::clone(&it.member_id), generation: it.id, state, leader: member.is_leader() })
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

/// An application that is, or will be, a member of a group.
pub struct Reader {
    /// Which.
    pub node: NodeId,
    /// `group.id`.
    pub group: Rc<str>,
    /// All partitions of what it subscribes to.
    pub partitions: Vec<TopicPartition>,
    /// Those that it owns now.
    pub owned: Vec<TopicPartition>,
}

/// All that are members by their settings.
pub fn readers(world: &World) -> Vec<Reader> {
    let all = world.nodes().filter_map(|(node, it)| {
        let (group, topics, client) = match it {
            AnyNode::Consumer(app) if !app.setup().assign => {
                (app.setup().group.clone()?, &app.setup().topics, app.client())
            }
            AnyNode::Processor(app) if !app.setup().assign => {
                (Rc::clone(&app.setup().group), &app.setup().from, app.consumer())
            }
            _ => return None,
        };
        let known = world.setup().topics.iter().enumerate().filter(|(_, it)| topics.contains(&it.name));
        let partitions = known.flat_map(|(at, it)| {
            (0..it.partitions.max(1) as u32).map(move |index| TopicPartition::new(TopicId(at as u32 + 1), index))
        });
        let owned = client.into_iter().flat_map(|it| it.subscription().iter()).map(|(partition, _)| partition);
        Some(Reader { node, group, partitions: partitions.collect(), owned: owned.collect() })
    });
    all.collect()
}

/// One group in a span of time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupLane {
    /// Which.
    pub group: Rc<str>,
    /// One for each partition.
    pub rows: Vec<OwnerRow>,
    /// Points worth a mark.
    pub marks: Vec<GroupMark>,
}

/// Who owned a partition when.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OwnerRow {
    /// `orders-0`.
    pub partition: Rc<str>,
    /// One after the other, without a gap.
    pub bands: Vec<OwnerBand>,
}

/// Owners while they were the same.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OwnerBand {
    /// From here, or from before the span,
    pub from_us: u64,
    /// to here, or to the end of what has been run.
    pub to_us: u64,
    /// None: nobody reads. More than one: a member that does not know yet that it was thrown out.
    pub owners: Vec<u16>,
}

/// A point on the lane of a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupMark {
    /// When.
    pub at_us: u64,
    /// Which member.
    pub node: u16,
    /// What.
    pub kind: GroupMarkKind,
    /// Which generation it joined; 0 where there is none.
    pub generation: Generation,
}

/// What a mark on such a lane says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupMarkKind {
    /// It is in a generation.
    Joined,
    /// It found that it was thrown out.
    Lost,
    /// It left.
    Left,
}
