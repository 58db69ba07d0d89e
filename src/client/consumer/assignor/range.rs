//! Range: topic by topic, each member gets consecutive partitions, the first ones one more.
//!
//! Members who want the same topics thereby get the same partition numbers of each: co-partitioned topics stay together.
//! With racks, partitions go to members of a replica's rack first, as far as nobody gets more than without.
//! In Kafka: `RangeAssignor`.

use super::{Assignments, Members, PartitionRacks, Partitions, nothing, racks_matter, sort_members};
use crate::base::{SortedSet, sort_long};
use crate::protocol::NamedPartition;
use std::rc::Rc;

pub(super) fn assign(partitions: &Partitions<'_>, members: &Members<'_>) -> Assignments {
    let mut topics: Vec<Topic<'_>> =
        partitions.iter().map(|(topic, partitions)| Topic::new(topic, partitions, members)).collect();
    let mut assignments = nothing(members);
    let rack_aware = topics.iter().any(|topic| topic.rack_aware);
    if rack_aware {
        assign_with_racks(&mut topics, &mut assignments);
    }
    for topic in &mut topics {
        topic.assign_ranges(false, &mut assignments);
    }
    if rack_aware {
        assignments.values_mut().for_each(|list| sort_long(list, |a, b| a < b));
    }
    assignments
}

/// A member that wants a topic.
struct Consumer<'a> {
    member: &'a Rc<str>,
    rack: Option<&'a Rc<str>>,
    assigned: usize,
}

/// A topic on its way to its members (`TopicAssignmentState`).
struct Topic<'a> {
    name: &'a Rc<str>,
    racks: &'a [PartitionRacks],
    consumers: Vec<Consumer<'a>>,
    unassigned: Vec<u32>,
    /// What each gets, at least;
    quota: usize,
    /// so many get one more.
    remaining_extra: usize,
    knows_racks: bool,
    rack_aware: bool,
}

impl<'a> Topic<'a> {
    fn new(name: &'a Rc<str>, racks: &'a [PartitionRacks], members: &'a Members<'_>) -> Topic<'a> {
        let wants = members.iter().filter(|(_, it)| it.topics.contains(name));
        let mut wants: Vec<_> = wants.map(|(member, it)| (member, *it)).collect();
        sort_members(&mut wants);
        let consumer = |(member, it): (&'a Rc<str>, &'a crate::protocol::ConsumerSubscription)| {
            let rack = it.rack.as_ref().filter(|rack| !rack.is_empty());
            Consumer { member, rack, assigned: 0 }
        };
        let consumers: Vec<Consumer<'a>> = wants.into_iter().map(consumer).collect();
        let in_racks: SortedSet<Rc<str>> = consumers.iter().filter_map(|it| it.rack.cloned()).collect();
        let count = consumers.len().max(1);
        Topic {
            name,
            racks,
            unassigned: (0..racks.len() as u32).collect(),
            quota: racks.len() / count,
            remaining_extra: racks.len() % count,
            knows_racks: !in_racks.is_empty(),
            rack_aware: racks_matter(&in_racks, racks.iter()),
            consumers,
        }
    }

    fn assign_ranges(&mut self, in_rack: bool, assignments: &mut Assignments) {
        for index in 0..self.consumers.len() {
            let free = self.unassigned.iter().copied();
            let fitting = free.filter(|partition| !in_rack || self.racks_match(index, *partition));
            let taken: Vec<u32> = fitting.take(self.assignable(index)).collect();
            if !taken.is_empty() {
                self.give(index, &taken, assignments);
            }
        }
    }

    fn racks_match(&self, index: usize, partition: u32) -> bool {
        let racks = self.racks.get(partition as usize).filter(|_| self.knows_racks);
        self.consumers[index].rack.is_none_or(|rack| racks.is_some_and(|racks| racks.contains(rack)))
    }

    /// How many more the consumer may get.
    fn assignable(&self, index: usize) -> usize {
        (self.quota + usize::from(self.remaining_extra > 0)).saturating_sub(self.consumers[index].assigned)
    }

    fn give(&mut self, index: usize, partitions: &[u32], assignments: &mut Assignments) {
        let consumer = &mut self.consumers[index];
        let list = assignments.get_mut(consumer.member).expect("invariant: every member has an assignment");
        list.extend(partitions.iter().map(|partition| -> NamedPartition { (self.name.clone(), *partition) }));
        consumer.assigned += partitions.len();
        if consumer.assigned > self.quota {
            self.remaining_extra -= 1;
        }
        self.unassigned.retain(|partition| !partitions.contains(partition));
    }

    /// Same consumers, same number of partitions: what is done to one is done to the other.
    fn is_co_partitioned_with(&self, other: &Topic<'_>) -> bool {
        let count = |topic: &Topic<'_>| if topic.knows_racks { topic.racks.len() } else { 0 };
        count(self) == count(other)
            && self.consumers.len() == other.consumers.len()
            && self.consumers.iter().zip(&other.consumers).all(|(a, b)| a.member == b.member)
    }
}

fn assign_with_racks(topics: &mut [Topic<'_>], assignments: &mut Assignments) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, topic) in topics.iter().enumerate() {
        match groups.iter_mut().find(|group| topics[group[0]].is_co_partitioned_with(topic)) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    for group in groups {
        match group[..] {
            [alone] if topics[alone].rack_aware => topics[alone].assign_ranges(true, assignments),
            [_] => {}
            _ => assign_co_partitioned(topics, &group, assignments),
        }
    }
}

/// One partition number after the other, of all these topics to one consumer, if its rack has them all.
fn assign_co_partitioned(topics: &mut [Topic<'_>], group: &[usize], assignments: &mut Assignments) {
    let first = &topics[group[0]];
    let partitions = if first.knows_racks { first.racks.len() as u32 } else { 0 };
    let consumers = first.consumers.len();
    for partition in 0..partitions {
        let fits = |consumer: usize, topic: &Topic<'_>| {
            topic.racks_match(consumer, partition) && topic.assignable(consumer) > 0
        };
        let found = (0..consumers).find(|consumer| group.iter().all(|topic| fits(*consumer, &topics[*topic])));
        if let Some(consumer) = found {
            group.iter().for_each(|topic| topics[*topic].give(consumer, &[partition], assignments));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assigned, subscription, topics};
    use crate::base::config::Assignor::Range;

    #[test]
    fn the_first_members_get_one_more_of_each_topic() {
        let members = [("b", subscription("t u")), ("a", subscription("t u")), ("c", subscription("u"))];
        assert_eq!(assigned(Range, &topics("t:3 u:4"), &members), ["a: t-0 t-1 u-0 u-1", "b: t-2 u-2", "c: u-3"]);
    }

    #[test]
    fn static_members_come_first() {
        let mut late = subscription("t");
        late.instance_id = Some("i".into());
        let members = [("a", subscription("t")), ("z", late)];
        assert_eq!(assigned(Range, &topics("t:3"), &members), ["a: t-2", "z: t-0 t-1"]);
    }

    #[test]
    fn partitions_go_to_members_of_their_rack() {
        let in_rack = |rack: &str| {
            let mut it = subscription("t u");
            it.rack = Some(rack.into());
            it
        };
        let members = [("a", in_rack("east")), ("b", in_rack("west"))];
        let metadata = topics("t:west,east,west,east u:west,east,west,east");
        assert_eq!(assigned(Range, &metadata, &members), ["a: t-1 t-3 u-1 u-3", "b: t-0 t-2 u-0 u-2"]);
    }
}
