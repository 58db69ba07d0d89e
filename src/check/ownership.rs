//! Who owned which partition when, in every group: from what members tell (`onPartitionsAssigned` and its like), and from
//! the ends of processes. (In a share group nobody owns a partition.)
//!
//! Invariants: nothing here changes the world, and it adds nothing to the state's hash; a process that ends owns nothing. A
//! member that was thrown out owns its partitions until it learns of it: then they have two owners. A partition is known
//! from its birth on, whether anybody reads it or not.

use crate::base::config::GroupProtocol;
use crate::base::{Generation, NodeId, SortedMap, Time, TopicId, TopicPartition};
use crate::node::{Event, FaultMark};
use crate::protocol::GroupState;
use crate::sim::{AnyNode, Recorded, World, WorldSetup};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// All groups that applications are members of by their settings.
#[derive(Clone, PartialEq, Debug)]
pub struct Ownership {
    groups: Vec<Rc<GroupOwners>>,
    /// Whose member a node is: a place among the groups.
    of: Rc<SortedMap<NodeId, usize>>,
}

/// It follows from the events, and is no state.
impl Hash for Ownership {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// One group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupOwners {
    /// `group.id`.
    pub group: Rc<str>,
    /// They speak the consumer protocol: what they join are epochs.
    pub by_epochs: bool,
    /// Applications that are, or will be, members.
    pub members: Vec<NodeId>,
    /// What they read, as far as their settings name it.
    topics: Vec<TopicId>,
    /// By partition.
    pub rows: SortedMap<TopicPartition, OwnedRow>,
    /// Points worth a mark.
    pub turns: Vec<Turn>,
    /// From when on its coordinator says which state it is in.
    pub states: Vec<(Time, GroupState)>,
}

/// The owners of one partition, in time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedRow {
    /// From when on who owns it; the first is its birth.
    pub changes: Vec<(Time, Vec<NodeId>)>,
}

/// Something that happened to a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// When.
    pub at: Time,
    /// Which member.
    pub node: NodeId,
    /// What.
    pub kind: TurnKind,
}

/// What happened to a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnKind {
    /// It is in this generation (classic), or at this epoch.
    Joined(Generation),
    /// It found that it was thrown out.
    Lost,
    /// It left.
    Left,
}

impl OwnedRow {
    fn born(at: Time) -> OwnedRow {
        OwnedRow { changes: vec![(at, Vec::new())] }
    }

    fn change(&mut self, at: Time, node: NodeId, owns: bool) {
        let Some((since, last)) = self.changes.last_mut() else { return };
        if last.contains(&node) == owns {
            return;
        }
        let mut owners = last.clone();
        if owns {
            owners.push(node)
        } else {
            owners.retain(|it| *it != node)
        }
        // At one moment only the last word counts.
        if *since == at {
            *last = owners;
        } else {
            self.changes.push((at, owners));
        }
    }
}

impl GroupOwners {
    fn own(&mut self, at: Time, node: NodeId, partitions: &[TopicPartition], owns: bool) {
        for partition in partitions {
            self.rows.entry(*partition).or_insert_with(|| OwnedRow::born(at)).change(at, node, owns);
        }
    }

    fn turn(&mut self, at: Time, node: NodeId, kind: TurnKind) {
        self.turns.push(Turn { at, node, kind });
    }
}

impl Ownership {
    /// As it stands: members may have joined while the cluster came up.
    pub fn new(world: &World) -> Ownership {
        let mut all = Ownership::of(world.setup());
        let clients = world.nodes().filter_map(|(node, it)| match it {
            AnyNode::Consumer(app) => Some((node, app.client()?)),
            AnyNode::Processor(app) => Some((node, app.consumer()?)),
            _ => None,
        });
        for (node, client) in clients {
            let owned: Vec<TopicPartition> = client.subscription().iter().map(|(partition, _)| partition).collect();
            all.own(Time::ORIGIN, node, &owned, true);
        }
        all
    }

    fn of(setup: &WorldSetup) -> Ownership {
        let consumers = setup.consumers.iter().filter(|it| !it.assign && it.share.is_none());
        let consumers = consumers.filter_map(|it| Some((it.node, it.group.as_ref()?, &it.topics, &it.config)));
        let processors = setup.processors.iter().filter(|it| !it.assign);
        let processors = processors.map(|it| (it.node, &it.group, &it.from, &it.consumer));
        let mut groups: Vec<GroupOwners> = Vec::new();
        let mut of = SortedMap::new();
        for (node, group, topics, config) in consumers.chain(processors) {
            let place = groups.iter().position(|it| it.group == *group).unwrap_or_else(|| {
                let (group, members, topics) = (Rc::clone(group), Vec::new(), Vec::new());
                let (rows, turns, states) = (SortedMap::new(), Vec::new(), Vec::new());
                let by_epochs = config.group_protocol == GroupProtocol::Consumer;
                groups.push(GroupOwners { group, by_epochs, members, topics, rows, turns, states });
                groups.len() - 1
            });
            of.insert(node, place);
            let it = &mut groups[place];
            it.members.push(node);
            for (at, topic) in setup.topics.iter().enumerate().filter(|(_, it)| topics.contains(&it.name)) {
                let id = TopicId(at as u32 + 1);
                if !it.topics.contains(&id) {
                    it.topics.push(id);
                }
                for index in 0..topic.partitions.max(1) as u32 {
                    it.rows.entry(TopicPartition::new(id, index)).or_insert_with(|| OwnedRow::born(Time::ORIGIN));
                }
            }
        }
        Ownership { groups: groups.into_iter().map(Rc::new).collect(), of: Rc::new(of) }
    }

    /// All groups.
    pub fn groups(&self) -> &[Rc<GroupOwners>] {
        &self.groups
    }

    fn group_of(&mut self, node: NodeId) -> Option<&mut GroupOwners> {
        self.of.get(&node).map(|place| Rc::make_mut(&mut self.groups[*place]))
    }

    /// Takes in what happened.
    pub fn apply(&mut self, recorded: &Recorded) {
        let (at, node) = (recorded.at, recorded.node);
        match &recorded.event {
            Event::GroupJoined { generation, .. } => self.turn(at, node, TurnKind::Joined(*generation)),
            Event::MemberLeft { .. } => self.turn(at, node, TurnKind::Left),
            Event::PartitionsAssigned { partitions } => self.own(at, node, partitions, true),
            Event::PartitionsRevoked { partitions } => self.own(at, node, partitions, false),
            Event::PartitionsLost { partitions } => {
                self.own(at, node, partitions, false);
                self.turn(at, node, TurnKind::Lost);
            }
            Event::Fault(FaultMark::Crashed | FaultMark::Stopped | FaultMark::PowerLost) => {
                if let Some(group) = self.group_of(node) {
                    group.rows.values_mut().for_each(|row| row.change(at, node, false));
                }
            }
            Event::PartitionChanged { partition, .. } => self.born(at, *partition),
            Event::GroupChanged { group, state, .. } => self.state(at, group, *state),
            _ => {}
        }
    }

    fn own(&mut self, at: Time, node: NodeId, partitions: &[TopicPartition], owns: bool) {
        if let Some(group) = self.group_of(node).filter(|_| !partitions.is_empty()) {
            group.own(at, node, partitions, owns);
        }
    }

    fn turn(&mut self, at: Time, node: NodeId, kind: TurnKind) {
        if let Some(group) = self.group_of(node) {
            group.turn(at, node, kind);
        }
    }

    fn state(&mut self, at: Time, group: &Rc<str>, state: GroupState) {
        let found = self.groups.iter_mut().find(|it| it.group == *group);
        if let Some(it) = found.filter(|it| it.states.last().is_none_or(|(_, last)| *last != state)) {
            Rc::make_mut(it).states.push((at, state));
        }
    }

    /// A partition that a topic grew.
    fn born(&mut self, at: Time, partition: TopicPartition) {
        for group in &mut self.groups {
            if group.topics.contains(&partition.topic) && !group.rows.contains_key(&partition) {
                Rc::make_mut(group).rows.insert(partition, OwnedRow::born(at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: TopicId = TopicId(1);

    fn partition(at: u32) -> TopicPartition {
        TopicPartition::new(MAIL, at)
    }

    fn ms(at: u64) -> Time {
        Time::from_origin_us(at)
    }

    /// A group that reads partitions 0 and 1, with what its members own at the beginning.
    fn owned(members: &[(u16, &[u32])]) -> Ownership {
        let nodes: Vec<NodeId> = members.iter().map(|it| NodeId(it.0)).collect();
        let rows = (0..2).map(|at| (partition(at), OwnedRow::born(Time::ORIGIN))).collect();
        let group = Rc::from("mail");
        let group = GroupOwners {
            group,
            by_epochs: false,
            members: nodes.clone(),
            topics: vec![MAIL],
            rows,
            turns: Vec::new(),
            states: Vec::new(),
        };
        let mut all =
            Ownership { groups: vec![Rc::new(group)], of: Rc::new(nodes.into_iter().map(|node| (node, 0)).collect()) };
        for (node, owned) in members {
            at(
                &mut all,
                0,
                *node,
                Event::PartitionsAssigned { partitions: owned.iter().map(|it| partition(*it)).collect() },
            );
        }
        all
    }

    fn at(all: &mut Ownership, at_us: u64, node: u16, event: Event) {
        all.apply(&Recorded { id: at_us, at: ms(at_us), node: NodeId(node), cause: 0, event });
    }

    /// From when on who owns a partition.
    fn row(all: &Ownership, index: u32) -> Vec<(u64, Vec<u16>)> {
        let changes = &all.groups[0].rows[&partition(index)].changes;
        changes.iter().map(|(at, owners)| (at.us_since_origin(), owners.iter().map(|it| it.0).collect())).collect()
    }

    #[test]
    fn nobody_reads_between_giving_up_and_getting() {
        let mut all = owned(&[(7, &[0, 1]), (8, &[])]);
        at(&mut all, 100, 7, Event::PartitionsRevoked { partitions: Rc::new([partition(0), partition(1)]) });
        at(&mut all, 300, 7, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        at(&mut all, 310, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(1)]) });
        assert_eq!(row(&all, 1), [(0, vec![7]), (100, vec![]), (310, vec![8])]);
    }

    #[test]
    fn what_is_given_up_and_taken_at_one_moment_never_stops() {
        let mut all = owned(&[(7, &[0]), (8, &[1])]);
        at(&mut all, 100, 7, Event::PartitionsRevoked { partitions: Rc::new([partition(0)]) });
        at(&mut all, 100, 7, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        assert!(row(&all, 0).iter().all(|(_, owners)| *owners == [7]), "{:?}", row(&all, 0));
    }

    #[test]
    fn a_dead_process_reads_nothing() {
        let mut all = owned(&[(7, &[0]), (8, &[1])]);
        at(&mut all, 100, 7, Event::Fault(FaultMark::Crashed));
        at(&mut all, 400, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        assert_eq!(row(&all, 0), [(0, vec![7]), (100, vec![]), (400, vec![8])]);
    }

    #[test]
    fn a_member_that_does_not_know_that_it_was_thrown_out_is_an_owner_still() {
        let mut all = owned(&[(7, &[0]), (8, &[1])]);
        at(&mut all, 200, 8, Event::PartitionsAssigned { partitions: Rc::new([partition(0)]) });
        at(&mut all, 500, 7, Event::PartitionsLost { partitions: Rc::new([partition(0)]) });
        assert_eq!(row(&all, 0), [(0, vec![7]), (200, vec![7, 8]), (500, vec![8])]);
        assert_eq!(all.groups[0].turns, [Turn { at: ms(500), node: NodeId(7), kind: TurnKind::Lost }]);
    }

    #[test]
    fn a_new_partition_waits_for_its_first_owner() {
        let mut all = owned(&[(7, &[0, 1])]);
        let changed = |partition| Event::PartitionChanged {
            partition,
            leader: crate::base::BrokerId(0),
            leader_epoch: 0,
            isr: Rc::new([]),
            partition_epoch: 0,
            unclean: false,
        };
        at(&mut all, 50, 3, changed(partition(0)));
        at(&mut all, 200, 3, changed(partition(2)));
        at(&mut all, 210, 3, changed(TopicPartition::new(TopicId(9), 0)));
        at(&mut all, 500, 7, Event::PartitionsAssigned { partitions: Rc::new([partition(2)]) });
        assert_eq!(row(&all, 2), [(200, vec![]), (500, vec![7])]);
        assert_eq!(all.groups[0].rows.len(), 3, "what the group does not read is none of its business");
    }
}
