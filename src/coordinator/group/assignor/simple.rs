//! Simple, for share groups: every partition is read by as few members as give each member one, so that all have work;
//! what a member has it keeps if that is fair.
//!
//! In Kafka: `SimpleAssignor`, `SimpleHomogeneousAssignmentBuilder`, `SimpleHeterogeneousAssignmentBuilder`. Members that
//! want the same share out all partitions at once, others topic by topic.

use super::{MemberAssignment, MemberSpec, SubscriptionType, in_order};
use crate::base::{JavaHash, JavaMap, SortedMap, SortedSet, TopicId};
use crate::metadata::Uuid;
use std::rc::Rc;

/// `assignable`: the partitions that may be assigned, by topic.
pub fn assign_shared(
    subscription_type: SubscriptionType,
    assignable: &MemberAssignment,
    members: &SortedMap<Rc<str>, MemberSpec>,
) -> SortedMap<Rc<str>, MemberAssignment> {
    let members = in_order(members);
    let topics: SortedSet<TopicId> = members.iter().flat_map(|(_, spec)| spec.topics.iter().copied()).collect();
    let mut new: Vec<MemberAssignment> = vec![MemberAssignment::default(); members.len()];
    let all: Vec<usize> = (0..members.len()).collect();
    let of_topic = |topic: &TopicId| assignable.get(topic).into_iter().flatten();
    match subscription_type {
        SubscriptionType::Homogeneous => {
            let order: JavaMap<Uuid, TopicId> = topics.iter().map(|topic| (Uuid::of_topic(*topic), *topic)).collect();
            let targets = order.iter().flat_map(|(_, topic)| of_topic(topic).map(|it| Key(*topic, *it)));
            let has = |member: usize| {
                let old = members[member].1.assignment.iter().filter(|(topic, _)| topics.contains(topic));
                old.flat_map(|(topic, partitions)| partitions.iter().map(|it| Key(*topic, *it))).collect()
            };
            share_out(&all, targets.collect(), has, |member, Key(topic, partition)| {
                new[member].entry(topic).or_default().insert(partition);
            });
        }
        SubscriptionType::Heterogeneous => {
            for topic in topics.iter() {
                let wants: Vec<usize> =
                    all.iter().copied().filter(|member| members[*member].1.topics.contains(topic)).collect();
                let targets = of_topic(topic).copied().collect();
                let has = |member: usize| {
                    members[member].1.assignment.get(topic).into_iter().flatten().copied().collect::<Vec<u32>>()
                };
                share_out(&wants, targets, has, |member, partition| {
                    new[member].entry(*topic).or_default().insert(partition);
                });
            }
        }
    }
    members.into_iter().zip(new).map(|((member, _), new)| (member.clone(), new)).collect()
}

/// `TopicIdPartition`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key(TopicId, u32);

impl JavaHash for Key {
    fn java_hash(&self) -> i32 {
        Uuid::of_topic(self.0).java_hash().wrapping_mul(31).wrapping_add(self.1 as i32)
    }
}

/// Shares the targets out among members, who are named by their place in the group.
fn share_out<K: JavaHash + PartialEq + Copy>(
    members: &[usize],
    targets: Vec<K>,
    has: impl Fn(usize) -> Vec<K>,
    mut assign: impl FnMut(usize, K),
) {
    if members.is_empty() {
        return;
    }
    let sharing = if targets.is_empty() { 0 } else { members.len().div_ceil(targets.len()) };
    // In all so many assignments, which are spread evenly.
    let total = sharing * targets.len();
    let up_to = |place: usize| (total * place).div_ceil(members.len());
    let desired: Vec<usize> = (0..members.len()).map(|place| up_to(place + 1) - up_to(place)).collect();
    let mut of_partition: JavaMap<K, SortedSet<usize>> = JavaMap::with_capacity((targets.len() + 1) * 4 / 3 + 1);
    let mut of_member: Vec<Vec<K>> = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let mut own: JavaMap<K, ()> = JavaMap::default();
        for partition in has(*member) {
            of_partition.compute_if_absent(partition, SortedSet::new).insert(place);
            own.insert(partition, ());
        }
        let mut own: Vec<K> = own.keys().copied().collect();
        // Who has too much gives up the first.
        for partition in own.drain(..own.len().saturating_sub(desired[place])).collect::<Vec<K>>() {
            of_partition.get_mut(&partition).map(|of| of.remove(&place));
        }
        of_member.push(own);
    }
    let shared: Vec<K> = of_partition.keys().copied().collect();
    for partition in shared {
        let of = of_partition.get_mut(&partition).expect("invariant: it was just there");
        while of.len() > sharing {
            let Some(place) = of.first().copied() else { break };
            of.remove(&place);
            of_member[place].retain(|it| *it != partition);
        }
    }
    for partition in targets {
        of_partition.compute_if_absent(partition, SortedSet::new);
    }
    let order: Vec<(K, SortedSet<usize>)> = of_partition.iter().map(|(key, of)| (*key, of.clone())).collect();
    assign_the_rest(order, sharing, &desired, &mut of_member);
    for (place, own) in of_member.into_iter().enumerate() {
        own.into_iter().for_each(|partition| assign(members[place], partition));
    }
}

/// Partitions that too few have go round among the members that have too few.
fn assign_the_rest<K: Copy>(
    order: Vec<(K, SortedSet<usize>)>,
    sharing: usize,
    desired: &[usize],
    of_member: &mut [Vec<K>],
) {
    let mut unfilled: Vec<usize> =
        (0..desired.len()).filter(|place| of_member[*place].len() < desired[*place]).collect();
    let (mut next, mut assigned_this_round) = (0, false);
    for (partition, mut of) in order {
        while of.len() < sharing {
            if next >= unfilled.len() {
                if !assigned_this_round || unfilled.is_empty() {
                    break;
                }
                (next, assigned_this_round) = (0, false);
            }
            let place = unfilled[next];
            next += 1;
            if !of.insert(place) {
                continue;
            }
            of_member[place].push(partition);
            assigned_this_round = true;
            if of_member[place].len() >= desired[place] {
                next -= 1;
                unfilled.remove(next);
            }
        }
    }
}
