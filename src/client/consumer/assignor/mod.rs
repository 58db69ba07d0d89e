//! Who of the group reads which partition, as the group's leader decides it in the classic protocol.
//!
//! Pure functions, and Kafka's to the last partition: where an assignor goes through a hash map, ours goes in the same
//! order ([`JavaMap`]), so the same member ids give the same assignment. Invariant: every partition of a topic that a
//! member wants and the leader knows is assigned to exactly one member that wants it (cooperative-sticky: or to none,
//! until its former owner has given it up).
//!
//! In Kafka: `ConsumerPartitionAssignor`, `AbstractPartitionAssignor`. Departure: names are compared by their bytes,
//! not by UTF-16 units, which differs only beyond the Basic Multilingual Plane.

mod range;
mod round_robin;
mod sticky;

pub use sticky::{StickyMemory, subscription_user_data};

use crate::base::config::Assignor;
use crate::base::{JavaMap, SortedMap, SortedSet, sort_long};
use crate::protocol::{ConsumerSubscription, NamedPartition};
use std::rc::Rc;

/// Racks of a partition's replicas, as far as they are known.
pub type PartitionRacks = SortedSet<Rc<str>>;

/// The leader's metadata: for each topic its partitions, from 0 on, with the racks of their replicas.
pub type PartitionsPerTopic = SortedMap<Rc<str>, Vec<PartitionRacks>>;

/// What the members say, by member id.
pub type Subscriptions = SortedMap<Rc<str>, ConsumerSubscription>;

/// What they get, by member id. Every member has an entry.
pub type Assignments = SortedMap<Rc<str>, Vec<NamedPartition>>;

/// Assigns partitions to members. The metadata may hold topics that nobody wants, and may lack topics that are wanted.
pub fn assign(assignor: Assignor, metadata: &PartitionsPerTopic, subscriptions: &Subscriptions) -> Assignments {
    let subscriptions = subscriptions.iter().map(|(member, it)| (member.clone(), it)).collect();
    let partitions = subscribed(metadata, &subscriptions);
    match assignor {
        Assignor::Range => range::assign(&partitions, &subscriptions),
        Assignor::RoundRobin => round_robin::assign(&partitions, &subscriptions),
        Assignor::Sticky | Assignor::CooperativeSticky => sticky::assign(assignor, &partitions, &subscriptions),
    }
}

/// Topics that somebody wants and that have partitions.
type Partitions<'a> = JavaMap<Rc<str>, &'a [PartitionRacks]>;
/// Subscriptions in the leader's order.
type Members<'a> = JavaMap<Rc<str>, &'a ConsumerSubscription>;

fn subscribed<'a>(metadata: &'a PartitionsPerTopic, members: &Members<'_>) -> Partitions<'a> {
    let topics: JavaMap<Rc<str>, ()> =
        members.iter().flat_map(|(_, it)| it.topics.iter().cloned()).map(|topic| (topic, ())).collect();
    let known = topics.keys().filter_map(|topic| Some((topic.clone(), metadata.get(topic)?.as_slice())));
    known.filter(|(_, partitions)| !partitions.is_empty()).collect()
}

/// All members, each with nothing.
fn nothing(members: &Members<'_>) -> Assignments {
    members.keys().map(|member| (member.clone(), Vec::new())).collect()
}

/// Members in `MemberInfo`'s order: static ones first, by instance id; then dynamic ones, by member id.
fn sort_members<'a>(members: &mut [(&'a Rc<str>, &'a ConsumerSubscription)]) {
    sort_long(members, |(a, of_a), (b, of_b)| match (&of_a.instance_id, &of_b.instance_id) {
        (Some(a), Some(b)) => a < b,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => a < b,
    });
}

/// Whether racks make a difference: some consumer is in a rack with replicas, and not all partitions are in all racks.
fn racks_matter<'a>(
    consumers: &SortedSet<Rc<str>>,
    partitions: impl Iterator<Item = &'a PartitionRacks> + Clone,
) -> bool {
    let all: SortedSet<Rc<str>> = partitions.clone().flat_map(|racks| racks.iter().cloned()).collect();
    consumers.iter().any(|rack| all.contains(rack)) && partitions.into_iter().any(|racks| *racks != all)
}

#[cfg(test)]
mod tests;
