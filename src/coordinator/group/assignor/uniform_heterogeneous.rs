//! Uniform, for members that want different topics: what a member has and still wants it keeps; the rest goes to whoever
//! has least; then topic after topic is levelled between those who want it, until nothing moves (or after 16 rounds).
//!
//! In Kafka: `UniformHeterogeneousAssignmentBuilder`.

use super::{MemberAssignment, MemberSpec, in_order};
use crate::base::{SortedMap, TopicId, sort_long};
use crate::metadata::Uuid;
use std::cmp::Ordering;
use std::rc::Rc;

const MAX_ITERATION_COUNT: usize = 16;

pub(super) fn assign(
    partitions: &SortedMap<TopicId, u32>,
    members: &SortedMap<Rc<str>, MemberSpec>,
) -> SortedMap<Rc<str>, MemberAssignment> {
    let members = in_order(members);
    let mut builder = Builder::new(partitions, &members);
    builder.keep_what_is_wanted(&members);
    builder.assign_the_rest();
    builder.balance();
    builder.target(&members)
}

/// A topic that somebody wants; members are named by their index.
struct Topic {
    id: TopicId,
    subscribers: Vec<usize>,
    owners: Vec<Option<usize>>,
}

impl Topic {
    /// Most partitions per subscriber first, then fewest subscribers, then by topic id (of signed numbers, in Java).
    fn order(&self, other: &Topic) -> Ordering {
        let share = |of: &Topic, by: &Topic| of.owners.len() * by.subscribers.len();
        let id = |topic: &Topic| {
            let uuid = Uuid::of_topic(topic.id);
            (uuid.high as i64, uuid.low as i64)
        };
        let by_share = share(other, self).cmp(&share(self, other));
        by_share.then(self.subscribers.len().cmp(&other.subscribers.len())).then(id(self).cmp(&id(other)))
    }
}

struct Builder {
    /// In [`Topic::order`].
    topics: Vec<Topic>,
    /// How many partitions each member has.
    sizes: Vec<usize>,
}

impl Builder {
    fn new(partitions: &SortedMap<TopicId, u32>, members: &[(&Rc<str>, &MemberSpec)]) -> Builder {
        let topic = |(id, count): (&TopicId, &u32)| {
            let wants = members.iter().enumerate().filter(|(_, (_, spec))| spec.topics.contains(id));
            let subscribers: Vec<usize> = wants.map(|(index, _)| index).collect();
            let owners = vec![None; *count as usize];
            (!subscribers.is_empty()).then_some(Topic { id: *id, subscribers, owners })
        };
        let mut topics: Vec<Topic> = partitions.iter().filter_map(topic).collect();
        sort_long(&mut topics, |a, b| a.order(b).is_lt());
        Builder { topics, sizes: vec![0; members.len()] }
    }

    fn keep_what_is_wanted(&mut self, members: &[(&Rc<str>, &MemberSpec)]) {
        for topic in &mut self.topics {
            for member in &topic.subscribers {
                for partition in members[*member].1.assignment.get(&topic.id).into_iter().flat_map(|it| it.iter()) {
                    if let Some(owner) = topic.owners.get_mut(*partition as usize) {
                        *owner = Some(*member);
                        self.sizes[*member] += 1;
                    }
                }
            }
        }
    }

    fn assign_the_rest(&mut self) {
        for index in 0..self.topics.len() {
            let mut balancer = Balancer::new(&self.topics[index].subscribers, &self.sizes);
            for partition in 0..self.topics[index].owners.len() {
                if self.topics[index].owners[partition].is_none() {
                    let member = balancer.next_least_loaded(&self.sizes);
                    self.give(index, partition, member);
                }
            }
        }
    }

    fn give(&mut self, topic: usize, partition: usize, member: usize) {
        if let Some(former) = self.topics[topic].owners[partition].replace(member) {
            self.sizes[former] -= 1;
        }
        self.sizes[member] += 1;
    }

    /// Until a whole round over the topics has moved nothing.
    fn balance(&mut self) {
        let shared: Vec<usize> =
            (0..self.topics.len()).filter(|index| self.topics[*index].subscribers.len() >= 2).collect();
        let mut last_moved = None;
        for _ in 0..MAX_ITERATION_COUNT {
            for topic in &shared {
                if last_moved == Some(*topic) {
                    return;
                }
                if self.balance_topic(*topic) || last_moved.is_none() {
                    last_moved = Some(*topic);
                }
            }
        }
    }

    /// Moves partitions of the topic from who has most to who has least. Whether one moved.
    fn balance_topic(&mut self, index: usize) -> bool {
        let topic = &self.topics[index];
        let mut balancer = Balancer::new(&topic.subscribers, &self.sizes);
        if balancer.imbalance(&self.sizes) <= 1 {
            return false;
        }
        // Each owner's partitions of the topic; the last one is given up first.
        let mut owned: Vec<Vec<usize>> = vec![Vec::new(); self.sizes.len()];
        for (partition, owner) in topic.owners.iter().enumerate() {
            owned[owner.expect("invariant: by now every partition has an owner")].push(partition);
        }
        let mut moved = false;
        while !balancer.is_balanced() {
            let Some(partition) = balancer.next_from_most_loaded(&self.sizes, &mut owned) else {
                break;
            };
            let member = balancer.next_least_loaded(&self.sizes);
            if balancer.is_balanced() {
                break;
            }
            self.give(index, partition, member);
            moved = true;
        }
        moved
    }

    fn target(&self, members: &[(&Rc<str>, &MemberSpec)]) -> SortedMap<Rc<str>, MemberAssignment> {
        let mut target: SortedMap<Rc<str>, MemberAssignment> =
            members.iter().map(|(member, _)| ((*member).clone(), MemberAssignment::default())).collect();
        for topic in &self.topics {
            for (partition, owner) in topic.owners.iter().enumerate() {
                let owner = members[owner.expect("invariant: every partition has an owner")].0;
                let of_member = target.get_mut(owner).expect("invariant: every member has an assignment");
                of_member.entry(topic.id).or_default().insert(partition as u32);
            }
        }
        target
    }
}

/// Who is next to get, and who next to give (`MemberAssignmentBalancer`).
///
/// Members by load; the level of those with least rises from the left, the level of those with most sinks from the right.
/// Counts here run ahead of `sizes`: whoever was named is taken to have got, or given, one.
struct Balancer {
    members: Vec<usize>,
    /// Members before this have least: `least_count` each, when their round began.
    least_end: usize,
    least_count: isize,
    next_least: usize,
    /// Members from here to `most_end` have most; those behind have nothing of the topic to give.
    most_start: usize,
    most_end: usize,
    most_count: isize,
    /// One more than the index of the next to give.
    next_most: usize,
}

impl Balancer {
    fn new(subscribers: &[usize], sizes: &[usize]) -> Balancer {
        let mut members = subscribers.to_vec();
        sort_long(&mut members, |a, b| (sizes[*a], *a) < (sizes[*b], *b));
        let (count, size) = (members.len(), |index: usize| sizes[members[index]] as isize);
        Balancer {
            least_end: 0,
            least_count: size(0) - 1,
            next_least: 0,
            most_start: count,
            most_end: count,
            most_count: size(count - 1) + 1,
            next_most: count,
            members,
        }
    }

    /// Between most and least, before anything moved.
    fn imbalance(&self, sizes: &[usize]) -> usize {
        let (first, last) = (self.members[0], self.members[self.members.len() - 1]);
        sizes[last] - sizes[first]
    }

    fn is_balanced(&self) -> bool {
        self.most_count - self.least_count <= 1
    }

    fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.next_least >= self.least_end {
            self.least_count += 1;
            let at_level = |member: &&usize| sizes[**member] as isize == self.least_count;
            self.least_end += self.members[self.least_end..].iter().take_while(at_level).count();
            self.next_least = 0;
        }
        self.next_least += 1;
        self.members[self.next_least - 1]
    }

    /// A partition of whoever has most and has one to give.
    fn next_from_most_loaded(&mut self, sizes: &[usize], owned: &mut [Vec<usize>]) -> Option<usize> {
        loop {
            let member = self.next_most_loaded(sizes)?;
            if let Some(partition) = owned[member].pop() {
                return Some(partition);
            }
            self.most_end -= 1;
            self.members.swap(self.next_most, self.most_end);
        }
    }

    fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                self.most_count = sizes[self.members[self.most_start - 1]] as isize;
            } else {
                self.most_count -= 1;
            }
            let at_level = |member: &&usize| sizes[**member] as isize == self.most_count;
            self.most_start -= self.members[..self.most_start].iter().rev().take_while(at_level).count();
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.members[self.next_most])
    }
}
