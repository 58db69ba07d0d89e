//! Uniform, for members that all want the same: nobody has more than one partition more than another, and who has no
//! more than that keeps what it has.
//!
//! In Kafka: `UniformHomogeneousAssignmentBuilder`.

use super::{MemberAssignment, MemberSpec, in_order};
use crate::base::{JavaMap, SortedMap, SortedSet, TopicId};
use crate::metadata::Uuid;
use std::rc::Rc;

pub(super) fn assign(
    partitions: &SortedMap<TopicId, u32>,
    members: &SortedMap<Rc<str>, MemberSpec>,
) -> SortedMap<Rc<str>, MemberAssignment> {
    let members = in_order(members);
    let topics: SortedSet<TopicId> =
        members[0].1.topics.iter().copied().filter(|topic| partitions.contains_key(topic)).collect();
    let mut unassigned = unassigned(&topics, partitions, &members);
    let total: u32 = topics.iter().map(|topic| partitions[topic]).sum();
    let count = members.len() as u32;
    let mut quotas = Quotas { least: total / count, extra: total % count };

    let mut target: SortedMap<Rc<str>, MemberAssignment> = SortedMap::default();
    let mut unfilled: Vec<(&Rc<str>, u32)> = Vec::new();
    for (index, (member, spec)) in members.iter().enumerate() {
        let (kept, room) = quotas.keep(spec, &topics, count - index as u32, &mut unassigned);
        target.insert((*member).clone(), kept);
        if room > 0 {
            unfilled.push((*member, room));
        }
    }

    let mut rest = unassigned.into_iter();
    for (member, room) in unfilled {
        let of_member = target.get_mut(member).expect("invariant: every member has an assignment");
        for (topic, partition) in rest.by_ref().take(room as usize) {
            of_member.entry(topic).or_default().insert(partition);
        }
    }
    assert!(rest.next().is_none(), "invariant: no partition is left unassigned");
    target
}

/// What nobody has, topics in the order of Kafka's `HashSet`.
fn unassigned(
    topics: &SortedSet<TopicId>,
    partitions: &SortedMap<TopicId, u32>,
    members: &[(&Rc<str>, &MemberSpec)],
) -> Vec<(TopicId, u32)> {
    let mut order = JavaMap::for_copy_of(topics.len());
    for topic in topics.iter() {
        order.insert(Uuid::of_topic(*topic), *topic);
    }
    let has = |spec: &MemberSpec, topic: &TopicId, partition: u32| {
        spec.assignment.get(topic).is_some_and(|of_topic| of_topic.contains(&partition))
    };
    let all = order.iter().flat_map(|(_, topic)| (0..partitions[topic]).map(|partition| (*topic, partition)));
    all.filter(|(topic, partition)| !members.iter().any(|(_, spec)| has(spec, topic, *partition))).collect()
}

/// How many partitions members get.
struct Quotas {
    /// Each has so many, at least;
    least: u32,
    /// so many members can still get one more.
    extra: u32,
}

impl Quotas {
    /// What a member keeps, and how many partitions it has room for. What it must give up goes to `unassigned`.
    fn keep(
        &mut self,
        spec: &MemberSpec,
        topics: &SortedSet<TopicId>,
        members_from_here: u32,
        unassigned: &mut Vec<(TopicId, u32)>,
    ) -> (MemberAssignment, u32) {
        let mut takes_extra = self.extra > 0;
        let mut room = self.least + u32::from(takes_extra);
        let mut kept = MemberAssignment::default();
        let old: JavaMap<Uuid, (TopicId, &SortedSet<u32>)> =
            spec.assignment.iter().map(|(topic, of_topic)| (Uuid::of_topic(*topic), (*topic, of_topic))).collect();
        for (_, (topic, of_topic)) in old.iter().filter(|(_, (topic, _))| topics.contains(topic)) {
            for partition in in_java_order(of_topic) {
                if room > 0 {
                    room -= 1;
                    kept.entry(*topic).or_default().insert(partition);
                } else {
                    unassigned.push((*topic, partition));
                }
            }
        }
        // The chance of one more goes to another, unless the members that are left are just enough to take all of them.
        if room > 0 && takes_extra && members_from_here > self.extra {
            room -= 1;
            takes_extra = false;
        }
        self.extra -= u32::from(takes_extra);
        (kept, room)
    }
}

fn in_java_order(partitions: &SortedSet<u32>) -> Vec<u32> {
    let mut order = JavaMap::for_copy_of(partitions.len());
    for partition in partitions.iter() {
        order.insert(*partition, ());
    }
    order.keys().copied().collect()
}
