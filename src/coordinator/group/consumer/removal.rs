//! Who is removed, and when: sessions, and the time that members have for their part of a rebalance.

use super::group::ConsumerGroup;
use super::record::{ConsumerGroupKey as Key, GroupValue, group_record};
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings};
use crate::base::{Duration, Time};
use crate::coordinator::CoordinatorRecord;
use crate::node::RemovalReason;
use crate::protocol::MemberEpoch;
use std::rc::Rc;

/// When a member is removed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Timers {
    session: Time,
    /// Unless it has left this epoch by then.
    rebalance: Option<(Time, MemberEpoch)>,
    /// Unless it has joined again by then (classic).
    join: Option<Time>,
    /// Unless it has asked for its assignment by then (classic).
    sync: Option<Time>,
}

/// A member whose time is up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expired {
    /// Its group.
    pub group: Rc<str>,
    /// Its id.
    pub member: Rc<str>,
    /// Which time.
    pub reason: RemovalReason,
}

impl Timers {
    pub(super) fn deadline(&self) -> Time {
        let rebalance = self.rebalance.map(|(due, _)| due);
        [rebalance, self.join, self.sync].into_iter().flatten().fold(self.session, Time::min)
    }
}

impl ConsumerGroups {
    /// One member whose time is up, if there is any. Its timers are gone: it is to be removed.
    pub fn take_expired(&mut self, now: Time) -> Option<Expired> {
        loop {
            let due = |(_, timers): &(&(Rc<str>, Rc<str>), &Timers)| timers.deadline() <= now;
            let (id, timers) = self.timers.iter().find(due).map(|(id, timers)| (id.clone(), timers.clone()))?;
            let (group, member) = id.clone();
            let Some(found) = self.groups.get(&group).and_then(|group| group.members.get(&member)) else {
                self.timers.remove(&id);
                continue;
            };
            let is_over = |due: Option<Time>| due.is_some_and(|due| due <= now);
            let unrevoked = timers.rebalance.is_some_and(|(due, at)| due <= now && found.member_epoch == at);
            let late = unrevoked || is_over(timers.join) || is_over(timers.sync);
            if late || timers.session <= now {
                self.timers.remove(&id);
                let reason = if late { RemovalReason::RebalanceTimeout } else { RemovalReason::SessionTimeout };
                return Some(Expired { group, member, reason });
            }
            if let Some(timers) = self.timers.get_mut(&id) {
                timers.rebalance = None;
            }
        }
    }

    /// The records that remove members; the group's epoch moves on.
    pub(in crate::coordinator::group) fn fence(
        &mut self,
        group: &ConsumerGroup,
        members: &[Rc<str>],
        around: Surroundings<'_>,
    ) -> Vec<CoordinatorRecord> {
        let mut records: Vec<CoordinatorRecord> =
            members.iter().flat_map(|member| removal(&group.id, member)).collect();
        records.extend(group.forget_regex_of(members));
        let others = group.members.values().filter(|it| !members.contains(&it.member_id));
        let metadata_hash = group.hash_of(others, around.image);
        records.push(group_record(&group.id, GroupValue { epoch: group.epoch.epoch + 1, metadata_hash }));
        for member in members {
            self.timers.remove(&(group.id.clone(), member.clone()));
        }
        records
    }

    /// The group is no more: nobody is to be removed.
    pub(in crate::coordinator::group) fn cancel_timers(&mut self, group: &Rc<str>) {
        self.timers.retain(|(of, _), _| of != group);
    }

    /// The partition is loaded: from now on members have to send heartbeats.
    pub(in crate::coordinator::group) fn watch(&mut self, group: &ConsumerGroup, session: Duration, now: Time) {
        for member in group.members.values() {
            let (session, rebalance) = (now + session, member.revocation_deadline(now));
            let timers = Timers { session, rebalance, join: None, sync: None };
            self.timers.insert((group.id.clone(), member.member_id.clone()), timers);
        }
    }

    /// A group has just come from the classic protocol: its members have the sessions that they asked for.
    pub(in crate::coordinator::group) fn watch_classic(&mut self, group: &ConsumerGroup, now: Time) {
        for member in group.members.values() {
            let session = member.classic.as_ref().map_or(now, |classic| now + classic.session_timeout);
            let timers = Timers { session, rebalance: None, join: None, sync: None };
            self.timers.entry((group.id.clone(), member.member_id.clone())).or_insert(timers);
        }
    }

    /// A member that is watched has to join again.
    pub(super) fn shall_join(&mut self, group: &Rc<str>, member: &ConsumerGroupMember, now: Time) {
        if let Some(timers) = self.timers.get_mut(&(group.clone(), member.member_id.clone())) {
            timers.shall_join(member, now);
        }
    }

    /// A member's session begins anew.
    pub(super) fn start_session(
        &mut self,
        group: &Rc<str>,
        member: &ConsumerGroupMember,
        around: Surroundings<'_>,
    ) -> &mut Timers {
        let timeout = member.classic.as_ref().map(|classic| classic.session_timeout);
        let session = around.now + timeout.unwrap_or_else(|| around.group_config(group).consumer_session_timeout_ms);
        let timers = self.timers.entry((group.clone(), member.member_id.clone()));
        let timers = timers.or_insert(Timers { session, rebalance: None, join: None, sync: None });
        timers.session = session;
        timers
    }
}

impl Timers {
    /// Its assignment has changed: a member that has been told to give something up has its rebalance timeout for that.
    pub(super) fn moved(&mut self, member: &ConsumerGroupMember, now: Time) {
        self.rebalance = member.revocation_deadline(now).filter(|_| member.classic.is_none());
    }

    /// A classic member has joined: it has to ask for its assignment.
    pub(super) fn joined(&mut self, member: &ConsumerGroupMember, now: Time) {
        self.join = None;
        self.sync = Some(now + member.rebalance_timeout());
    }

    /// It has asked.
    pub(super) fn synced(&mut self) {
        self.sync = None;
    }

    /// It has been told to join again, perhaps before.
    pub(super) fn shall_join(&mut self, member: &ConsumerGroupMember, now: Time) {
        self.join.get_or_insert(now + member.rebalance_timeout());
    }
}

pub(super) fn removal(group: &Rc<str>, member: &Rc<str>) -> [CoordinatorRecord; 3] {
    let (group, member) = (|| group.clone(), || member.clone());
    let keys =
        [Key::Current(group(), member()), Key::TargetOfMember(group(), member()), Key::Member(group(), member())];
    keys.map(|key| key.tombstone())
}
