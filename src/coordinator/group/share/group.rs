//! A share group and its members (`ShareGroup`, `ShareGroupMember`).

use super::record::ShareGroupKey as Key;
use crate::base::{Offset, SortedMap, SortedSet, Time, TopicId, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::coordinator::group::assignor::MemberAssignment;
use crate::coordinator::group::consumer::{FIRST_EPOCH, TargetAssignment, TargetValue};
use crate::metadata::MetadataImage;
use crate::protocol::{DescribedShareGroup, DescribedShareMember, ErrorCode, GroupState, LEAVE_EPOCH, MemberEpoch};
use std::rc::Rc;

/// `SimpleAssignor`
const ASSIGNOR: &str = "simple";

/// A share group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroup {
    pub(super) id: Rc<str>,
    pub(super) epoch: MemberEpoch,
    pub(super) metadata_hash: i64,
    pub(super) target_epoch: TargetValue,
    pub(super) members: SortedMap<Rc<str>, ShareGroupMember>,
    pub(super) target: SortedMap<Rc<str>, TargetAssignment>,
    /// Which partitions the share coordinator knows.
    pub(super) partitions: StatePartitions,
    /// Which metadata were looked at last, and in which epoch.
    pub(super) metadata_seen: Option<(Offset, MemberEpoch)>,
}

/// A member of a share group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupMember {
    /// Its id, made by the client.
    pub member_id: Rc<str>,
    /// That of the assignment it has reached.
    pub member_epoch: MemberEpoch,
    /// The one before.
    pub previous_member_epoch: MemberEpoch,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// Where it connects from.
    pub client_host: Rc<str>,
    /// By name.
    pub subscribed_topics: SortedSet<Rc<str>>,
    /// What it fetches from.
    pub assigned: TargetAssignment,
}

/// Partitions of the topics that the group subscribes to, and the topics' names.
pub type NamedPartitions = SortedMap<TopicId, (Rc<str>, SortedSet<u32>)>;

/// Which partitions the share coordinator has been told of.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct StatePartitions {
    /// It was asked to remember them, and has not answered.
    pub initializing: NamedPartitions,
    /// It knows them: only these are assigned.
    pub initialized: NamedPartitions,
    /// When this was replayed. What is not initialised in time is tried again.
    pub since: Time,
}

impl StatePartitions {
    /// Moves partitions, whose topics' names are known by now, to those that are initialised.
    pub(super) fn set_initialized(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            let named = self.initializing.get(&partition.topic).or(self.initialized.get(&partition.topic));
            let name = named.map_or_else(|| Rc::from("<UNKNOWN>"), |(name, _)| name.clone());
            let entry = self.initialized.entry(partition.topic).or_insert_with(|| (name, SortedSet::new()));
            entry.1.insert(partition.partition);
        }
    }

    /// These are not being initialised any more.
    pub(super) fn remove_initializing(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some((_, left)) = self.initializing.get_mut(&partition.topic) {
                left.remove(&partition.partition);
                if left.is_empty() {
                    self.initializing.remove(&partition.topic);
                }
            }
        }
    }

    /// All partitions of which share coordinators may know something.
    pub(super) fn all(&self) -> Vec<TopicPartition> {
        let topics = self.initialized.iter().chain(self.initializing.iter());
        topics.flat_map(|(topic, (_, them))| them.iter().map(|it| TopicPartition::new(*topic, *it))).collect()
    }

    /// The initialised partitions, without names.
    pub fn assignable(&self) -> MemberAssignment {
        self.initialized.iter().map(|(topic, (_, partitions))| (*topic, partitions.clone())).collect()
    }
}

impl ShareGroup {
    pub(super) fn new(id: Rc<str>) -> Self {
        ShareGroup {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            target_epoch: TargetValue { epoch: FIRST_EPOCH, timestamp: 0 },
            members: SortedMap::new(),
            target: SortedMap::new(),
            partitions: StatePartitions::default(),
            metadata_seen: None,
        }
    }

    /// `group.id`.
    pub fn id(&self) -> &Rc<str> {
        &self.id
    }

    /// Counts changes of members, subscriptions, topics and initialised partitions.
    pub fn epoch(&self) -> MemberEpoch {
        self.epoch
    }

    /// The epoch for which the target was computed.
    pub fn target_epoch(&self) -> MemberEpoch {
        self.target_epoch.epoch
    }

    /// All members, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &ShareGroupMember> {
        self.members.values()
    }

    /// Which partitions the share coordinator knows.
    pub fn partitions(&self) -> &StatePartitions {
        &self.partitions
    }

    /// Empty or stable.
    pub fn state(&self) -> GroupState {
        if self.members.is_empty() { GroupState::Empty } else { GroupState::Stable }
    }

    /// The records that forget it, which has no members.
    pub(in crate::coordinator::group) fn tombstones(&self) -> Vec<CoordinatorRecord> {
        let id = || self.id.clone();
        [Key::StatePartitions(id()), Key::Target(id()), Key::Group(id())].iter().map(Key::tombstone).collect()
    }

    /// All topics that members subscribe to.
    pub fn subscribed_topics(&self) -> SortedSet<Rc<str>> {
        self.members.values().flat_map(|member| member.subscribed_topics.iter().cloned()).collect()
    }

    pub(super) fn member_mut(&mut self, id: &Rc<str>) -> &mut ShareGroupMember {
        self.members.entry(id.clone()).or_insert_with(|| ShareGroupMember::new(id.clone()))
    }

    pub(super) fn describe(&self) -> DescribedShareGroup {
        let member = |member: &ShareGroupMember| DescribedShareMember {
            member_id: member.member_id.clone(),
            rack_id: member.rack_id.clone(),
            member_epoch: member.member_epoch,
            client_id: member.client_id.clone(),
            subscribed_topics: member.subscribed_topics.iter().cloned().collect(),
            assignment: member.partitions(),
        };
        DescribedShareGroup {
            error: ErrorCode::None,
            group: self.id.clone(),
            state: self.state().name(),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch.epoch,
            assignor: ASSIGNOR,
            members: self.members.values().map(member).collect(),
        }
    }
}

pub(super) fn not_described(group: Rc<str>, error: ErrorCode) -> DescribedShareGroup {
    let (group_epoch, assignment_epoch, members) = (0, 0, Vec::new());
    DescribedShareGroup { error, group, state: "", group_epoch, assignment_epoch, assignor: "", members }
}

impl ShareGroupMember {
    pub(super) fn new(member_id: Rc<str>) -> Self {
        ShareGroupMember {
            member_id,
            member_epoch: 0,
            previous_member_epoch: -1,
            rack_id: None,
            client_id: Rc::from(""),
            client_host: Rc::from(""),
            subscribed_topics: SortedSet::new(),
            assigned: Rc::default(),
        }
    }

    /// It has left; only its name is still there.
    pub(super) fn leave(&mut self) {
        (self.member_epoch, self.previous_member_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
        self.assigned = Rc::default();
    }

    /// What it fetches from, one by one.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        let each = self.assigned.iter();
        each.flat_map(|(topic, partitions)| partitions.iter().map(|it| TopicPartition::new(*topic, *it))).collect()
    }

    /// The topics of its subscription that exist.
    pub(super) fn topic_ids(&self, image: &MetadataImage) -> SortedSet<TopicId> {
        self.subscribed_topics.iter().filter_map(|name| image.topic_id(name)).collect()
    }
}
