//! Share groups (KIP-932): who is a member, and which partitions each shall fetch from.
//!
//! ```text
//! group epoch         one more whenever members, their subscriptions or the topics change, or a partition was initialised
//!   └► target         computed for that epoch, of initialised partitions only
//!        └► member    has it at its next heartbeat: several may fetch from one partition, so nobody waits for anybody
//!
//! partitions          initializing ── the share coordinator knows of them ──► initialized
//! ```
//! Invariants: the state is the replay of the records up to the end of the log, and handlers change nothing else but timers.
//!
//! Departures: topics cannot be deleted here, so nothing is ever in the state of being deleted; the state of a deleted group
//! is deleted after it, not before; groups have no settings of their own.
//!
//! In Kafka: `ShareGroup`, and the part of `GroupMetadataManager` whose methods begin with `shareGroup`.

mod group;
mod heartbeat;
mod record;
#[cfg(test)]
mod tests;

pub use group::{ShareGroup, ShareGroupMember, StatePartitions};
pub(super) use heartbeat::validate;
pub use heartbeat::{Handled, Initialize, StateTask};
pub use record::ShareGroupKey;

use super::consumer::{Surroundings, TargetValue};
use crate::base::{SortedMap, Time, TopicPartition};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::wire::WireError;
use crate::protocol::{DescribedShareGroup, ErrorCode};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The share groups of one `__consumer_offsets` partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ShareGroups {
    groups: SortedMap<Rc<str>, Rc<ShareGroup>>,
    /// When a member is removed, by group and member id.
    sessions: SortedMap<(Rc<str>, Rc<str>), Time>,
    /// When a handler was called last: what it wrote is replayed at once.
    now: Time,
}

/// Adds nothing while there are none, so that runs without such groups keep the state hash that they always had.
impl Hash for ShareGroups {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.groups.is_empty() || !self.sessions.is_empty() {
            (&self.groups, &self.sessions).hash(state);
        }
    }
}

impl ShareGroups {
    /// One group.
    pub fn group(&self, id: &str) -> Option<&ShareGroup> {
        self.groups.get(id).map(Rc::as_ref)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ShareGroup> {
        self.groups.values().map(Rc::as_ref)
    }

    /// Follows a record of the log; one of another kind is left alone. What an impossible order of records says about
    /// members that are not there is ignored, as compaction leaves such.
    pub fn replay(&mut self, record: &CoordinatorRecord) -> Result<(), WireError> {
        let Some(key) = ShareGroupKey::decode(&record.key)? else { return Ok(()) };
        let Some(value) = &record.value else {
            self.forget(&key);
            return Ok(());
        };
        let id = key.group();
        let group = self.groups.entry(id.clone()).or_insert_with(|| Rc::new(ShareGroup::new(id.clone())));
        record::read(Rc::make_mut(group), &key, value, self.now)
    }

    fn forget(&mut self, key: &ShareGroupKey) {
        let Some(group) = self.groups.get_mut(key.group()).map(Rc::make_mut) else { return };
        match key {
            ShareGroupKey::Group(id) => {
                self.groups.remove(id);
            }
            ShareGroupKey::Target(_) => group.target_epoch = TargetValue { epoch: -1, timestamp: 0 },
            ShareGroupKey::Member(_, member) => {
                group.members.remove(member);
            }
            ShareGroupKey::TargetOfMember(_, member) => {
                group.target.remove(member);
            }
            ShareGroupKey::Current(_, member) => {
                if let Some(member) = group.members.get_mut(member) {
                    member.leave();
                }
            }
            ShareGroupKey::StatePartitions(_) => group.partitions = StatePartitions::default(),
        }
    }

    /// The partition is loaded: from now on members have to send heartbeats.
    pub fn loaded(&mut self, around: Surroundings<'_>) {
        for group in self.groups.values_mut() {
            let session = around.now + around.group_config(&group.id).share_session_timeout_ms;
            Rc::make_mut(group).partitions.since = around.now;
            for member in group.members.keys() {
                self.sessions.insert((group.id.clone(), member.clone()), session);
            }
        }
    }

    /// The earliest moment at which a member is removed.
    pub fn deadline(&self) -> Option<Time> {
        self.sessions.values().min().copied()
    }

    /// Removes one member whose session is over, if there is any; the records take effect before the next is asked for.
    pub fn expire_one(&mut self, around: Surroundings<'_>) -> Option<(Rc<str>, Vec<CoordinatorRecord>)> {
        self.now = around.now;
        let due = |sessions: &SortedMap<(Rc<str>, Rc<str>), Time>| {
            sessions.iter().find(|(_, session)| **session <= around.now).map(|(id, _)| id.clone())
        };
        while let Some((group, member)) = due(&self.sessions) {
            match self.groups.get(&group).cloned() {
                Some(found) if found.members.contains_key(&member) => {
                    return Some((group, self.fence(&found, &member, around)));
                }
                _ => self.sessions.remove(&(group, member)),
            };
        }
        None
    }

    /// Answers ShareGroupDescribe for one group.
    pub fn describe(&self, id: &Rc<str>) -> DescribedShareGroup {
        match self.groups.get(id) {
            Some(group) => group.describe(),
            None => group::not_described(id.clone(), ErrorCode::GroupIdNotFound),
        }
    }

    /// What share coordinators are to forget when a group is deleted, if it may be.
    pub fn deletion(&self, id: &Rc<str>) -> Option<StateTask> {
        let group = self.groups.get(id).filter(|group| group.members.is_empty())?;
        let partitions = group.partitions.all();
        (!partitions.is_empty()).then(|| StateTask::Delete(id.clone(), partitions))
    }

    /// The answer about a group that is not coordinated here.
    pub fn not_described(id: &Rc<str>, error: ErrorCode) -> DescribedShareGroup {
        group::not_described(id.clone(), error)
    }

    /// The share coordinator knows of these partitions now, or does not (then they are tried again): what to remember.
    pub fn initialized(
        &mut self,
        id: &str,
        partitions: &[TopicPartition],
        known: bool,
        now: Time,
    ) -> Option<CoordinatorRecord> {
        self.now = now;
        let group = self.groups.get(id)?;
        let mut next = group.partitions.clone();
        if known {
            next.set_initialized(partitions);
        } else if next.initializing.is_empty() {
            return None;
        }
        next.remove_initializing(partitions);
        Some(record::state_partitions_record(&group.id, &next))
    }
}
