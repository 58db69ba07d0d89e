//! Groups of the consumer protocol (KIP-848): the coordinator assigns, and each member moves there by its own heartbeats.
//!
//! ```text
//! group epoch       one more whenever members, their subscriptions or the topics change
//!   └► target       who shall have what, computed for that epoch, at most once per assignment interval
//!        └► member  gives up what it must (old epoch), then takes what is free (new epoch)
//! ```
//! Invariants: a partition is held by at most one member, which has it or has not yet said that it gave it up; the state is
//! the replay of the records up to the end of the log, and handlers change nothing else but timers.
//!
//! Members of the classic protocol may be among them (see `classic_members`), until the last of the others goes: then the
//! group becomes a classic one. Departure: their timers start when a request is handled, Kafka's when its records are
//! committed.
//!
//! In Kafka: `ConsumerGroup`, and the part of `GroupMetadataManager` whose methods begin with `consumerGroup`.

mod advance;
mod classic_members;
mod group;
mod heartbeat;
mod member;
mod metadata_hash;
mod reconcile;
mod record;
mod regex;
mod removal;
mod target;
#[cfg(test)]
mod tests;

pub(super) use classic_members::{Downgrade, encode_assignment, partitions_of};
pub use group::ConsumerGroup;
pub(super) use group::FIRST_EPOCH;
pub use heartbeat::Handled;
pub(super) use heartbeat::Leaving;
pub(super) use heartbeat::validate;
pub use member::{ClassicMetadata, ConsumerGroupMember, MemberState};
pub(super) use metadata_hash::metadata_hash;
pub use record::{ConsumerGroupKey, CurrentValue, GroupValue, TargetValue, read_target};
pub(super) use record::{put_tagged_i64, put_target};
pub use regex::ResolvedRegex;
pub use removal::Expired;

use self::removal::Timers;
use super::assignor::MemberAssignment;
use crate::base::config::{BrokerConfig, GroupConfig};
use crate::base::{SortedMap, Time, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::metadata::wire::WireError;
use crate::protocol::MemberEpoch;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Partitions, each with the epoch in which it was assigned.
pub type MemberEpochs = Rc<SortedMap<TopicPartition, MemberEpoch>>;
/// What a member shall have.
pub type TargetAssignment = Rc<MemberAssignment>;

/// The groups of one `__consumer_offsets` partition that use the consumer protocol.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConsumerGroups {
    groups: SortedMap<Rc<str>, Rc<ConsumerGroup>>,
    /// By group and member id.
    timers: SortedMap<(Rc<str>, Rc<str>), Timers>,
    new_topics: regex::NewTopics,
}

/// Adds nothing while there are none, so that runs without such groups keep the state hash that they always had.
impl Hash for ConsumerGroups {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.groups.is_empty() || !self.timers.is_empty() {
            (&self.groups, &self.timers, &self.new_topics).hash(state);
        }
    }
}

/// What a handler needs of the rest.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time.
    pub now: Time,
    /// `group.consumer.*`
    pub config: &'a BrokerConfig,
    /// The topics.
    pub image: &'a MetadataImage,
}

impl Surroundings<'_> {
    /// What is in effect for a group.
    pub(in crate::coordinator::group) fn group_config(&self, group: &str) -> GroupConfig {
        self.image.group_config(group, self.config)
    }
}

impl ConsumerGroups {
    /// One group.
    pub fn group(&self, id: &str) -> Option<&ConsumerGroup> {
        self.groups.get(id).map(Rc::as_ref)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConsumerGroup> {
        self.groups.values().map(Rc::as_ref)
    }

    /// Follows a record of the log; one of another kind is left alone. What an impossible order of records says about
    /// members that are not there is ignored, as compaction leaves such.
    pub fn replay(&mut self, record: &CoordinatorRecord) -> Result<(), WireError> {
        let Some(key) = ConsumerGroupKey::decode(&record.key)? else { return Ok(()) };
        let Some(value) = &record.value else {
            self.forget(&key);
            return Ok(());
        };
        let id = key.group();
        let group = self.groups.entry(id.clone()).or_insert_with(|| Rc::new(ConsumerGroup::new(id.clone())));
        let group = Rc::make_mut(group);
        match &key {
            ConsumerGroupKey::Group(_) => group.epoch = GroupValue::decode(value)?,
            ConsumerGroupKey::Target(_) => group.target_epoch = TargetValue::decode(value)?,
            ConsumerGroupKey::Member(_, member) => record::read_member(group.member_mut(member), value)?,
            ConsumerGroupKey::TargetOfMember(_, member) => {
                group.target.insert(member.clone(), read_target(value)?);
            }
            ConsumerGroupKey::Current(_, member) => group.member_mut(member).set(CurrentValue::decode(value)?),
            ConsumerGroupKey::Regex(_, regex) => {
                Rc::make_mut(&mut group.regexes).insert(regex.clone(), ResolvedRegex::decode(value)?);
            }
            ConsumerGroupKey::PartitionMetadata(_) => {}
        }
        Ok(())
    }

    fn forget(&mut self, key: &ConsumerGroupKey) {
        let Some(group) = self.groups.get_mut(key.group()).map(Rc::make_mut) else { return };
        match key {
            ConsumerGroupKey::Group(id) => {
                self.groups.remove(id);
            }
            ConsumerGroupKey::Target(_) => group.target_epoch = TargetValue { epoch: -1, timestamp: 0 },
            ConsumerGroupKey::Member(_, member) => {
                group.members.remove(member);
            }
            ConsumerGroupKey::TargetOfMember(_, member) => {
                group.target.remove(member);
            }
            ConsumerGroupKey::Current(_, member) => {
                if group.members.contains_key(member) {
                    group.member_mut(member).clear();
                }
            }
            ConsumerGroupKey::Regex(_, regex) => {
                Rc::make_mut(&mut group.regexes).remove(regex);
            }
            ConsumerGroupKey::PartitionMetadata(_) => {}
        }
    }

    /// The partition is loaded: from now on members have to send heartbeats.
    pub fn loaded(&mut self, around: Surroundings<'_>) {
        for group in self.groups.values().cloned().collect::<Vec<_>>() {
            self.watch(&group, around.group_config(&group.id).consumer_session_timeout_ms, around.now);
        }
    }

    /// The earliest moment at which a member is removed.
    pub fn deadline(&self) -> Option<Time> {
        self.timers.values().map(Timers::deadline).min()
    }
}
