//! The lanes of groups: who owned which partition when, and where nobody did.
//!
//! Members tell what they are given and what they give up; a process that ends owns nothing. What was before the span is known
//! from a checkpoint. A member that was thrown out owns its partitions until it learns of it: then they have two owners.

use crate::base::{NodeId, SortedMap, Time, TopicPartition};
use crate::node::{Event, FaultMark};
use crate::sim::Recorded;
use crate::view::{GroupLane, GroupMark, GroupMarkKind, OwnerBand, OwnerRow, Reader};
use std::rc::Rc;

/// The lanes while they are being put together.
#[derive(Default)]
pub(super) struct Owners {
    groups: SortedMap<Rc<str>, Raw>,
    /// Whose member a node is.
    of: SortedMap<NodeId, Rc<str>>,
    from_us: u64,
}

#[derive(Default)]
struct Raw {
    rows: SortedMap<TopicPartition, Row>,
    marks: Vec<GroupMark>,
    members: usize,
}

struct Row {
    since_us: u64,
    owners: Vec<u16>,
    bands: Vec<OwnerBand>,
}

impl Row {
    fn new(since_us: u64) -> Row {
        Row { since_us, owners: Vec::new(), bands: Vec::new() }
    }

    /// Ends a band where the owners become others.
    fn change(&mut self, at_us: u64, node: u16, owns: bool) {
        let at = self.owners.iter().position(|it| *it == node);
        if at.is_some() == owns {
            return;
        }
        self.end(at_us);
        match at {
            Some(at) => drop(self.owners.remove(at)),
            None => self.owners.push(node),
        }
    }

    fn end(&mut self, at_us: u64) {
        if at_us > self.since_us {
            self.bands.push(OwnerBand { from_us: self.since_us, to_us: at_us, owners: self.owners.clone() });
            self.since_us = at_us;
        }
    }
}

impl Owners {
    /// Begins with what members owned at a checkpoint before the span.
    pub fn new(readers: Vec<Reader>, from: Time) -> Owners {
        let mut all = Owners { from_us: from.us_since_origin(), ..Owners::default() };
        for it in readers {
            let raw = all.groups.entry(Rc::clone(&it.group)).or_default();
            raw.members += 1;
            for partition in it.partitions.iter().chain(&it.owned) {
                raw.rows.entry(*partition).or_insert_with(|| Row::new(all.from_us));
            }
            all.of.insert(it.node, it.group);
            all.own(all.from_us, it.node, &it.owned, true);
        }
        all
    }

    fn own(&mut self, at_us: u64, node: NodeId, partitions: &[TopicPartition], owns: bool) {
        let from_us = self.from_us;
        let Some(raw) = self.of.get(&node).and_then(|group| self.groups.get_mut(group)) else { return };
        for partition in partitions {
            raw.rows.entry(*partition).or_insert_with(|| Row::new(from_us)).change(at_us.max(from_us), node.0, owns);
        }
    }

    fn mark(&mut self, at_us: u64, node: NodeId, kind: GroupMarkKind, generation: i32) {
        if let Some(raw) =
            self.of.get(&node).and_then(|group| self.groups.get_mut(group)).filter(|_| at_us >= self.from_us)
        {
            raw.marks.push(GroupMark { at_us, node: node.0, kind, generation });
        }
    }

    /// Takes in what happened, from the checkpoint on.
    pub fn add(&mut self, recorded: &Recorded) {
        let (at_us, node) = (recorded.at.us_since_origin(), recorded.node);
        match &recorded.event {
            Event::GroupJoined { generation, .. } => self.mark(at_us, node, GroupMarkKind::Joined, *generation),
            Event::MemberLeft { .. } => self.mark(at_us, node, GroupMarkKind::Left, 0),
            Event::PartitionsAssigned { partitions } => self.own(at_us, node, partitions, true),
            Event::PartitionsRevoked { partitions } => self.own(at_us, node, partitions, false),
            Event::PartitionsLost { partitions } => {
                self.own(at_us, node, partitions, false);
                self.mark(at_us, node, GroupMarkKind::Lost, 0);
            }
            Event::Fault(FaultMark::Crashed | FaultMark::Stopped | FaultMark::PowerLost) => {
                let rows = self.of.get(&node).and_then(|group| self.groups.get(group)).map(|raw| &raw.rows);
                let all: Vec<TopicPartition> = rows.into_iter().flat_map(SortedMap::keys).copied().collect();
                self.own(at_us, node, &all, false);
            }
            _ => {}
        }
    }

    /// The lanes up to `to_us`. One member that has one partition has nothing to share, and no lane.
    pub fn lanes(self, to_us: u64, name: impl Fn(TopicPartition) -> Rc<str>) -> Vec<GroupLane> {
        let shared = self.groups.into_iter().filter(|(_, raw)| raw.members > 1 || raw.rows.len() > 1);
        let lanes = shared.map(|(group, raw)| {
            let rows = raw.rows.into_iter().map(|(partition, mut row)| {
                row.end(to_us);
                OwnerRow { partition: name(partition), bands: row.bands }
            });
            GroupLane { group, rows: rows.collect(), marks: raw.marks }
        });
        lanes.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TopicId;

    fn partition(at: u32) -> TopicPartition {
        TopicPartition::new(TopicId(1), at)
    }

    fn owners(owned: &[(u16, &[u32])], from_us: u64) -> Owners {
        let readers = owned.iter().map(|(node, owned)| Reader {
            node: NodeId(*node),
            group: Rc::from("mail"),
            partitions: vec![partition(0), partition(1)],
            owned: owned.iter().map(|at| partition(*at)).collect(),
        });
        Owners::new(readers.collect(), Time::from_origin_us(from_us))
    }

    fn at(owners: &mut Owners, at_us: u64, node: u16, event: Event) {
        owners.add(&Recorded { id: at_us, at: Time::from_origin_us(at_us), node: NodeId(node), cause: 0, event });
    }

    /// (from, to, owners) of each band of a partition, from 0 to 1000.
    fn bands(owners: Owners, row: usize) -> Vec<(u64, u64, Vec<u16>)> {
        let lanes = owners.lanes(1_000, |it| Rc::from(it.partition.to_string()));
        lanes[0].rows[row].bands.iter().map(|it| (it.from_us, it.to_us, it.owners.clone())).collect()
    }

    #[test]
    fn nobody_reads_between_giving_up_and_getting() {
        let mut owners = owners(&[(7, &[0, 1]), (8, &[])], 0);
        let both: Rc<[_]> = Rc::new([partition(0), partition(1)]);
        at(&mut owners, 100, 7, Event::PartitionsRevoked { partitions: both });
        at(&mut owners, 300, 7, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        at(&mut owners, 310, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(1)]) });
        assert_eq!(bands(owners, 1), [(0, 100, vec![7]), (100, 310, vec![]), (310, 1_000, vec![8])]);
    }

    #[test]
    fn a_dead_process_reads_nothing() {
        let mut owners = owners(&[(7, &[0]), (8, &[1])], 0);
        at(&mut owners, 100, 7, Event::Fault(FaultMark::Crashed));
        at(&mut owners, 400, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        assert_eq!(bands(owners, 0), [(0, 100, vec![7]), (100, 400, vec![]), (400, 1_000, vec![8])]);
    }

    #[test]
    fn a_member_that_does_not_know_that_it_was_thrown_out_is_an_owner_still() {
        let mut owners = owners(&[(7, &[0]), (8, &[1])], 0);
        at(&mut owners, 200, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        at(&mut owners, 500, 7, Event::PartitionsLost { partitions: Rc::new([partition(0)]) });
        assert_eq!(bands(owners, 0), [(0, 200, vec![7]), (200, 500, vec![7, 8]), (500, 1_000, vec![8])]);
    }

    #[test]
    fn what_was_before_the_span_is_taken_in_and_not_drawn() {
        let mut owners = owners(&[(7, &[0]), (8, &[1])], 300);
        at(&mut owners, 100, 7, Event::PartitionsRevoked { partitions: Rc::new([partition(0)]) });
        at(&mut owners, 200, 8, Event::GroupJoined { group: "mail".into(), generation: 2, member_id: "8".into() });
        let lanes = owners.lanes(1_000, |it| Rc::from(it.partition.to_string()));
        assert_eq!((lanes[0].marks.len(), lanes[0].rows[0].bands.len()), (0, 1));
        assert_eq!((lanes[0].rows[0].bands[0].from_us, &*lanes[0].rows[0].bands[0].owners), (300, &[][..]));
    }

    #[test]
    fn one_member_with_one_partition_has_no_lane() {
        let reader =
            Reader { node: NodeId(7), group: Rc::from("mail"), partitions: vec![partition(0)], owned: Vec::new() };
        assert!(Owners::new(vec![reader], Time::ORIGIN).lanes(10, |_| Rc::from("")).is_empty());
    }
}
