//! Where members and replicas are (`AbstractStickyAssignor.RackInfo`).

use super::super::{Members, PartitionRacks, Partitions, racks_matter};
use crate::base::{SortedMap, SortedSet, sort_long};
use crate::protocol::NamedPartition;
use std::rc::Rc;

/// Racks of those who are in one, and of the partitions.
pub(super) struct RackInfo<'a> {
    partitions: &'a Partitions<'a>,
    /// Empty if racks make no difference.
    consumers: SortedMap<Rc<str>, Rc<str>>,
    /// How many members are in each rack, whether it makes a difference or not.
    in_rack: SortedMap<Rc<str>, usize>,
}

impl<'a> RackInfo<'a> {
    pub fn new(partitions: &'a Partitions<'a>, members: &Members<'_>) -> RackInfo<'a> {
        let rack = |(member, it): (&Rc<str>, &&crate::protocol::ConsumerSubscription)| {
            let rack = it.rack.clone().filter(|rack| !rack.is_empty())?;
            Some((member.clone(), rack))
        };
        let mut consumers: SortedMap<Rc<str>, Rc<str>> = members.iter().filter_map(rack).collect();
        let mut in_rack: SortedMap<Rc<str>, usize> = SortedMap::default();
        consumers.values().for_each(|rack| *in_rack.entry(rack.clone()).or_default() += 1);
        let racks: SortedSet<Rc<str>> = in_rack.keys().cloned().collect();
        if !racks_matter(&racks, partitions.iter().flat_map(|(_, of_topic)| of_topic.iter())) {
            consumers.clear();
        }
        RackInfo { partitions, consumers, in_rack }
    }

    /// Whether to look at racks.
    pub fn matter(&self) -> bool {
        !self.consumers.is_empty()
    }

    fn of(&self, (topic, partition): &NamedPartition) -> Option<&PartitionRacks> {
        self.partitions.get(topic)?.get(*partition as usize)
    }

    /// Whether the member is in a rack that has a replica.
    pub fn match_of(&self, member: &Rc<str>, partition: &NamedPartition) -> bool {
        let rack = self.consumers.get(member);
        rack.is_some_and(|rack| self.of(partition).is_some_and(|racks| racks.contains(rack)))
    }

    /// Whether the member is in a rack that has none.
    pub fn mismatch(&self, member: &Rc<str>, partition: &NamedPartition) -> bool {
        self.consumers.contains_key(member) && !self.match_of(member, partition)
    }

    /// Those first that fewest members are near to.
    pub fn sort(&self, partitions: &mut [NamedPartition]) {
        if !self.in_rack.is_empty() {
            let near = |racks: &PartitionRacks| racks.iter().filter_map(|rack| self.in_rack.get(rack)).sum::<usize>();
            let near = |partition: &NamedPartition| self.of(partition).map_or(0, near);
            sort_long(partitions, |a, b| near(a) < near(b));
        }
    }

    /// The next of these members, from an index on and round, that is near.
    pub fn next_near(&self, partition: &NamedPartition, members: &[Rc<str>], first: usize) -> Option<usize> {
        let turn = (0..members.len()).map(|step| (first + step) % members.len());
        turn.into_iter().find(|index| self.match_of(&members[*index], partition))
    }
}
