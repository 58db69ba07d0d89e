//! Sticky: as even as can be, and moving as little as can be. Cooperative-sticky: the same, but what moves is given to
//! nobody until its former owner has given it up, which takes another rebalance.
//!
//! Who owned what the members say themselves: in their user data (sticky, which is eager and owns nothing any more when
//! it joins), or as owned partitions (cooperative). What two say that they own in the same generation neither keeps.
//!
//! Two of Kafka's oddities are kept: a member without topics may get partitions (see [`all_subscriptions_equal`]), and
//! one that comes with an old generation may get back what it does not want any more, if subscriptions differ.
//!
//! In Kafka: `AbstractStickyAssignor`, `StickyAssignor`, `CooperativeStickyAssignor`. Departures: an assignor's highest
//! generation is that of this round, not of all rounds its instance has seen; owned partitions that do not exist are
//! ignored, where Kafka may throw.

mod constrained;
mod general;
mod movements;
mod racks;
mod user_data;

pub use user_data::{StickyMemory, subscription_user_data};

use super::{Assignments, Members, Partitions};
use crate::base::config::Assignor;
use crate::base::{Generation, JavaMap, SortedMap, SortedSet};
use crate::protocol::NamedPartition;
use racks::RackInfo;
use std::rc::Rc;
use user_data::{MemberData, member_data};

const NO_GENERATION: Generation = -1;

pub(super) fn assign(assignor: Assignor, partitions: &Partitions<'_>, members: &Members<'_>) -> Assignments {
    let data: JavaMap<Rc<str>, MemberData> =
        members.iter().map(|(member, it)| (member.clone(), member_data(assignor, it))).collect();
    let claims = Claims::of(partitions, members, &data);
    let racks = RackInfo::new(partitions, members);
    if all_subscriptions_equal(members) {
        let (mut assignments, transferring) = constrained::assign(partitions, &racks, claims);
        if assignor == Assignor::CooperativeSticky {
            hold_back(&mut assignments, &transferring);
        }
        return assignments;
    }
    let mut assignments = general::assign(partitions, &racks, claims.owned, members, &data);
    if assignor == Assignor::CooperativeSticky {
        let transferring = transferring(members, &assignments);
        hold_back(&mut assignments, &transferring);
    }
    assignments
}

/// As in Kafka, members that want nothing do not count if they come first, and then get what the others want.
fn all_subscriptions_equal(members: &Members<'_>) -> bool {
    let mut wanted: SortedSet<&Rc<str>> = SortedSet::default();
    for (_, it) in members.iter() {
        if wanted.is_empty() {
            wanted = it.topics.iter().collect();
        } else if it.topics.len() != wanted.len() || !it.topics.iter().all(|topic| wanted.contains(topic)) {
            return false;
        }
    }
    true
}

/// What members owned of what is there, as far as they do not contradict each other.
struct Claims {
    owned: JavaMap<Rc<str>, Vec<NamedPartition>>,
    /// Claimed by several in the same generation.
    claimed_twice: SortedSet<NamedPartition>,
}

impl Claims {
    fn of(partitions: &Partitions<'_>, members: &Members<'_>, data: &JavaMap<Rc<str>, MemberData>) -> Claims {
        let mut claims = Claims { owned: JavaMap::default(), claimed_twice: SortedSet::default() };
        let mut owners: SortedMap<NamedPartition, Rc<str>> = SortedMap::default();
        let said = |member: &Rc<str>| members.get(member).and_then(|it| it.generation).unwrap_or(NO_GENERATION);
        for (member, of_member) in data.iter() {
            claims.owned.insert(member.clone(), Vec::new());
            let generation = of_member.generation.unwrap_or(NO_GENERATION);
            for partition in of_member.partitions.iter().filter(|it| exists(partitions, it)) {
                match owners.get(partition).map(|other| (other.clone(), said(other))) {
                    None => claims.add(member, partition),
                    Some((_, theirs)) if generation < theirs => continue,
                    Some((other, theirs)) => {
                        if generation == theirs {
                            claims.claimed_twice.insert(partition.clone());
                        } else {
                            claims.add(member, partition);
                        }
                        claims.remove(&other, partition);
                    }
                }
                owners.insert(partition.clone(), member.clone());
            }
        }
        claims
    }

    fn add(&mut self, member: &Rc<str>, partition: &NamedPartition) {
        self.owned.get_mut(member).expect("invariant: every member owns a list").push(partition.clone());
    }

    fn remove(&mut self, member: &Rc<str>, partition: &NamedPartition) {
        let owned = self.owned.get_mut(member).expect("invariant: every member owns a list");
        remove_first(owned, partition);
    }
}

fn exists(partitions: &Partitions<'_>, (topic, partition): &NamedPartition) -> bool {
    partitions.get(topic).is_some_and(|of_topic| (*partition as usize) < of_topic.len())
}

/// `List.remove`: the first of them, if there is one.
fn remove_first(list: &mut Vec<NamedPartition>, partition: &NamedPartition) {
    if let Some(at) = list.iter().position(|it| it == partition) {
        list.remove(at);
    }
}

/// What a member gets that another says it owns.
fn transferring(members: &Members<'_>, assignments: &Assignments) -> SortedMap<NamedPartition, Rc<str>> {
    let mut added: SortedMap<NamedPartition, Rc<str>> = SortedMap::default();
    let mut revoked: SortedSet<NamedPartition> = SortedSet::default();
    for (member, assigned) in assignments.iter() {
        let owned = &members.get(member).expect("invariant: only members are assigned").owned_partitions;
        for partition in assigned.iter().filter(|it| !owned.contains(it)) {
            added.insert(partition.clone(), member.clone());
        }
        for partition in owned.iter().filter(|it| !assigned.contains(it)) {
            revoked.insert(partition.clone());
        }
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}

fn hold_back(assignments: &mut Assignments, transferring: &SortedMap<NamedPartition, Rc<str>>) {
    for (partition, member) in transferring.iter() {
        let list = assignments.get_mut(member).expect("invariant: every member has an assignment");
        remove_first(list, partition);
    }
}

#[cfg(test)]
mod tests;
