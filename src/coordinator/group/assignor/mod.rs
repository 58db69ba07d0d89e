//! Who of the group shall read which partition, as the coordinator decides it in the consumer protocol (KIP-848).
//!
//! Pure functions, and Kafka's to the last partition: where an assignor goes through a hash map, ours goes in the same
//! order ([`JavaMap`]), so the same member and topic ids give the same assignment. Invariants: every partition of a topic
//! that a member wants is assigned to exactly one member that wants it; members that want the same topics differ by at
//! most one partition (uniform), or by one of each topic (range).
//!
//! In Kafka: `org.apache.kafka.coordinator.group.assignor`. Departures: topics without metadata are not wanted rather
//! than an error (the coordinator never passes them); names are compared by their bytes.

mod range;
mod simple;
mod uniform_heterogeneous;
mod uniform_homogeneous;

pub use simple::assign_shared;

use crate::base::config::ServerAssignor;
use crate::base::{JavaMap, SortedMap, SortedSet, TopicId};
use std::rc::Rc;

/// Partitions by topic; no topic without partitions.
pub type MemberAssignment = SortedMap<TopicId, SortedSet<u32>>;

/// What an assignor knows of a member.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct MemberSpec {
    /// `group.instance.id`.
    pub instance_id: Option<Rc<str>>,
    /// The topics it wants, those of its pattern among them.
    pub topics: SortedSet<TopicId>,
    /// Its part of the last target assignment.
    pub assignment: MemberAssignment,
}

/// Whether all members want the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SubscriptionType {
    /// They do.
    Homogeneous,
    /// They do not.
    Heterogeneous,
}

impl SubscriptionType {
    /// Of these subscriptions.
    pub fn of<'a, T: PartialEq + 'a>(mut subscriptions: impl Iterator<Item = &'a T>) -> SubscriptionType {
        let first = subscriptions.next();
        if subscriptions.all(|it| Some(it) == first) {
            SubscriptionType::Homogeneous
        } else {
            SubscriptionType::Heterogeneous
        }
    }
}

/// The new target assignment. `partitions`: of each topic, how many it has; every member has an entry in the result.
///
/// The type of subscription is the group's, of names and patterns; it matters to uniform only.
pub fn assign(
    assignor: ServerAssignor,
    subscription_type: SubscriptionType,
    partitions: &SortedMap<TopicId, u32>,
    members: &SortedMap<Rc<str>, MemberSpec>,
) -> SortedMap<Rc<str>, MemberAssignment> {
    match (assignor, subscription_type) {
        (_, _) if members.is_empty() => SortedMap::default(),
        (ServerAssignor::Range, _) => range::assign(partitions, members),
        (ServerAssignor::Uniform, SubscriptionType::Homogeneous) => uniform_homogeneous::assign(partitions, members),
        (ServerAssignor::Uniform, SubscriptionType::Heterogeneous) => {
            uniform_heterogeneous::assign(partitions, members)
        }
    }
}

/// Members in the order of the coordinator's map.
fn in_order(members: &SortedMap<Rc<str>, MemberSpec>) -> Vec<(&Rc<str>, &MemberSpec)> {
    let map: JavaMap<&Rc<str>, &MemberSpec> = members.iter().collect();
    map.iter().map(|(member, spec)| (*member, *spec)).collect()
}

#[cfg(test)]
mod tests;
