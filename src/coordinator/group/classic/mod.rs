//! Classic groups: who is a member, in which generation, with which assignment (§6.1 of Kafka's protocol of consumer groups
//! before KIP-848).
//!
//! Invariants: only Stable groups are written with members, so that whoever takes over the partition goes on with the last
//! generation that was complete; requests that wait are in the group's members and nowhere else; nothing here looks at what
//! members say of themselves or are assigned.
//!
//! Unlike the rest of a coordinator's state that of a classic group is not the replay of its records while it is led: a
//! rebalance lives in memory, as in Kafka, whose results of these handlers are marked `replayRecords = false`.
//!
//! In Kafka: `ClassicGroup`, and the part of `GroupMetadataManager` whose methods begin with `classicGroup`.

mod converted;
mod group;
mod join;
mod member;
mod membership;
mod rebalance;
mod record;
mod state;
#[cfg(test)]
mod tests;

pub use group::ClassicGroup;
pub use member::ClassicGroupMember;
pub use rebalance::Due;
pub(super) use record::group_tombstone;
pub use record::{GroupMetadata, GroupMetadataKey, MemberMetadata};

use crate::base::config::BrokerConfig;
use crate::base::{Generation, Prng, SortedMap, Time};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::wire::WireError;
use crate::node::RequestContext;
use crate::protocol::{ErrorCode, JoinGroupProtocol, JoinGroupResponse, Response, SyncGroupResponse};
use bytes::Bytes;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The classic groups of one `__consumer_offsets` partition that have, or had, members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClassicGroups {
    groups: SortedMap<Rc<str>, Rc<ClassicGroup>>,
}

/// Adds nothing while there are none, so that runs without groups keep the state hash that they always had.
impl Hash for ClassicGroups {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.groups.is_empty() {
            self.groups.hash(state);
        }
    }
}

/// What a handler needs of the rest, and where it puts what it wants done.
pub struct Work<'a> {
    /// The time.
    pub now: Time,
    /// `group.initial.rebalance.delay.ms` and its like.
    pub config: &'a BrokerConfig,
    /// For member ids.
    pub random: &'a mut Prng,
    /// Answers, in order.
    pub answers: Vec<(RequestContext, Response)>,
    /// Records to append, each with what to do then.
    pub writes: Vec<(CoordinatorRecord, AfterWrite)>,
}

/// What a record of a group was written for; told to [`ClassicGroups::written`] once it is committed, or is not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AfterWrite {
    /// The group exists.
    NewGroup(Rc<str>),
    /// It has no members any more.
    Emptied,
    /// The leader's assignment of a generation.
    Assigned {
        /// The group.
        group: Rc<str>,
        /// Which generation.
        generation: Generation,
        /// By member id.
        assignment: Rc<SortedMap<Rc<str>, Bytes>>,
    },
    /// A static member came back.
    Replaced(Box<Replaced>),
}

/// A static member that came back, and how it was before.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replaced {
    group: Rc<str>,
    instance_id: Rc<str>,
    old_id: Rc<str>,
    new_id: Rc<str>,
    old_protocols: Rc<[JoinGroupProtocol]>,
}

impl AfterWrite {
    /// The group that waits for it.
    pub fn group(&self) -> Option<&Rc<str>> {
        match self {
            AfterWrite::NewGroup(group) | AfterWrite::Assigned { group, .. } => Some(group),
            AfterWrite::Emptied => None,
            AfterWrite::Replaced(replaced) => Some(&replaced.group),
        }
    }

    /// Does it not matter when the record is replicated? A group whose record is late exists: the record stands in the log.
    /// (Kafka then fails the member's JoinGroup, and yet counts the member as waiting.)
    pub fn may_be_late(&self) -> bool {
        matches!(self, AfterWrite::NewGroup(_) | AfterWrite::Emptied)
    }
}

impl<'a> Work<'a> {
    /// Nothing is wanted yet.
    pub fn new(now: Time, config: &'a BrokerConfig, random: &'a mut Prng) -> Self {
        Work { now, config, random, answers: Vec::new(), writes: Vec::new() }
    }

    fn answer(&mut self, to: RequestContext, response: Response) {
        self.answers.push((to, response));
    }

    /// Whoever wants to join may not.
    pub(super) fn refuse_join(&mut self, to: RequestContext, member_id: &Rc<str>, error: ErrorCode) {
        self.answer(to, Response::JoinGroup(JoinGroupResponse::failed(member_id.clone(), error)));
    }

    /// Whoever asks for its assignment gets none.
    pub(super) fn refuse_sync(&mut self, to: RequestContext, error: ErrorCode) {
        self.answer(to, Response::SyncGroup(SyncGroupResponse::failed(error)));
    }

    pub(super) fn write(&mut self, record: CoordinatorRecord, then: AfterWrite) {
        self.writes.push((record, then));
    }
}

impl ClassicGroups {
    /// One group.
    pub fn group(&self, id: &str) -> Option<&ClassicGroup> {
        self.groups.get(id).map(Rc::as_ref)
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ClassicGroup> {
        self.groups.values().map(Rc::as_ref)
    }

    fn group_mut(&mut self, id: &str) -> Option<&mut ClassicGroup> {
        self.groups.get_mut(id).map(Rc::make_mut)
    }

    /// Follows a record when the partition is loaded; one of another kind is left alone.
    pub fn load(&mut self, record: &CoordinatorRecord) -> Result<(), WireError> {
        let Some(GroupMetadataKey { group }) = GroupMetadataKey::decode(&record.key)? else { return Ok(()) };
        match &record.value {
            Some(value) => {
                let loaded = GroupMetadata::decode(value)?.into_group(group.clone());
                self.groups.insert(group, Rc::new(loaded));
            }
            None => {
                self.groups.remove(&group);
            }
        }
        Ok(())
    }

    /// A group is gone: its tombstone stands in the log.
    pub fn forget(&mut self, record: &CoordinatorRecord) {
        if let (Ok(Some(GroupMetadataKey { group })), None) = (GroupMetadataKey::decode(&record.key), &record.value) {
            self.groups.remove(&group);
        }
    }

    /// The partition is loaded: from now on members have to send heartbeats.
    pub fn loaded(&mut self, work: &mut Work<'_>) {
        for group in self.groups.values_mut().map(Rc::make_mut) {
            group.members.values_mut().for_each(|member| member.start_session(work.now));
            if group.members.len() > work.config.group_max_size as usize {
                group.prepare_rebalance(work);
            }
        }
    }

    /// The partition is led elsewhere: all requests that wait are told so.
    pub fn unload(self, work: &mut Work<'_>) {
        for group in self.groups.into_values() {
            Rc::unwrap_or_clone(group).fail_all(ErrorCode::NotCoordinator, work);
        }
    }

    /// The earliest moment at which something happens by itself.
    pub fn deadline(&self) -> Option<Time> {
        self.groups.values().filter_map(|group| group.next_due()).map(|(due, _)| due).min()
    }
}
