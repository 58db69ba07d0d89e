//! Groups: who owns a partition, and how far the group is said to have read.
//!
//! "May commit" means here: its process runs, it takes itself for a member in good standing, and the coordinator that the
//! controller wrote down would take its commit. Of commits those count that were confirmed to a member. Nothing is demanded
//! where Kafka gave up what was committed: a group that its coordinator has forgotten begins again with generation 1.
//!
//! A commit that was given up because its connection broke may yet arrive, behind later ones: Kafka takes it if it is of the
//! present generation. Then the group reads on from further back, but not from before that generation. In the consumer protocol
//! an older epoch will do, if the partition was its member's by then (KIP-1251, `createAssignmentEpochValidator`).

use super::{Cluster, Invariant, Invariants};
use crate::app::{ConsumerAppSetup, Dedupe};
use crate::base::config::GroupProtocol;
use crate::base::{Generation, NodeId, Offset, SortedMap, SortedSet, TopicPartition};
use crate::check::ledger::Ledger;
use crate::node::Event;
use crate::protocol::ErrorCode;
use crate::sim::{Recorded, WorldSetup};
use std::rc::Rc;

/// A group whose members share its partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Group {
    name: Rc<str>,
    members: Vec<NodeId>,
    /// They go to where their sink's own offsets point ([`Dedupe::OffsetWithOutput`]), whatever is committed.
    seeks: bool,
    /// A member speaks the consumer protocol.
    by_epochs: bool,
}

/// How far a group has read a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Progress {
    /// Everything below was delivered to the group, or passed over on purpose.
    delivered: Offset,
    /// The last commit that was confirmed: where, to whom, in which generation.
    confirmed: Option<(Offset, NodeId, Generation)>,
    /// The last one before that generation.
    before: Offset,
}

/// What the invariants remember of groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct GroupWatch {
    groups: Vec<Group>,
    progress: SortedMap<(u16, TopicPartition), Progress>,
    /// Members with a commit that was never answered, and its generation.
    unanswered: SortedMap<NodeId, Generation>,
    /// Where a member read on from a commit that came late.
    late: SortedSet<(u16, TopicPartition)>,
}

impl GroupWatch {
    pub(super) fn new(setup: &WorldSetup) -> Self {
        let seeks = |app: &ConsumerAppSetup| app.sink.dedupe == Dedupe::OffsetWithOutput;
        let consumers = setup.consumers.iter().filter(|app| !app.assign && app.share.is_none());
        let consumers = consumers.filter_map(|app| Some((app.group.clone()?, app.node, seeks(app), &app.config)));
        let processors = setup.processors.iter().filter(|app| !app.assign);
        let processors = processors.map(|app| (app.group.clone(), app.node, false, &app.consumer));
        let mut groups: Vec<Group> = Vec::new();
        for (name, node, seeks, config) in consumers.chain(processors) {
            let place = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
                groups.push(Group { name, members: Vec::new(), seeks: false, by_epochs: false });
                groups.len() - 1
            });
            let group = &mut groups[place];
            group.members.push(node);
            group.seeks |= seeks;
            group.by_epochs |= config.group_protocol == GroupProtocol::Consumer;
        }
        GroupWatch { groups, progress: SortedMap::new(), unanswered: SortedMap::new(), late: SortedSet::new() }
    }

    /// Whether a member of the group read that partition again because a commit came late.
    pub(super) fn has_reread(&self, name: &str, partition: TopicPartition) -> bool {
        self.place(name).is_some_and(|group| self.late.contains(&(group, partition)))
    }

    fn place(&self, name: &str) -> Option<u16> {
        (0..).zip(&self.groups).find(|(_, group)| *group.name == *name).map(|(place, _)| place)
    }

    /// Whether a group that had committed more may stand at that offset because a commit came late.
    fn comes_late(&self, (group, partition): (u16, TopicPartition), offset: Offset) -> bool {
        let Some(progress) = self.progress.get(&(group, partition)) else { return false };
        let Some((_, node, generation)) = progress.confirmed.filter(|(confirmed, ..)| offset < *confirmed) else {
            return false;
        };
        let by_epochs = self.groups.get(usize::from(group)).is_some_and(|group| group.by_epochs);
        match self.unanswered.get(&node) {
            Some(of) if by_epochs => *of <= generation,
            Some(of) => *of == generation && offset >= progress.before,
            None => false,
        }
    }

    fn group_of(&self, node: NodeId) -> Option<(u16, &Group)> {
        (0..).zip(&self.groups).find(|(_, group)| group.members.contains(&node))
    }
}

impl Invariants {
    /// Whether a group that had committed more may stand at that offset because a commit came late.
    pub fn comes_late(&self, group: &str, partition: TopicPartition, offset: Offset) -> bool {
        self.groups.place(group).is_some_and(|group| self.groups.comes_late((group, partition), offset))
    }

    /// A member got partitions, or came into a generation: no other may commit for what it has.
    fn check_owners(&mut self, cluster: &impl Cluster, it: &Recorded) {
        let Some((_, group)) = self.groups.group_of(it.node).filter(|(_, group)| group.members.len() > 1) else {
            return;
        };
        let name = group.name.clone();
        let owners = cluster.owners(&name);
        for (place, (partition, owner)) in owners.iter().enumerate() {
            if let Some((_, other)) = owners[..place].iter().find(|(known, _)| known == partition) {
                let detail = format!("{name}: nodes {} and {} both own it, and both may commit", other.0, owner.0);
                self.report(Invariant::OneOwner, it.at, *partition, detail);
            }
        }
    }

    /// The coordinator confirmed a commit: it does not go back, and what lies before it was delivered to the group.
    fn check_committed(
        &mut self,
        cluster: &impl Cluster,
        ledger: &Ledger,
        it: &Recorded,
        partition: TopicPartition,
        offset: Offset,
    ) {
        let Some((index, group)) = self.groups.group_of(it.node) else { return };
        let (name, generation) = (group.name.clone(), cluster.generation(it.node));
        let waived = self.watches.get(&partition).is_some_and(|watch| watch.waived);
        let progress = Rc::make_mut(&mut self.groups).progress.entry((index, partition)).or_default();
        let last = progress.confirmed.replace((offset, it.node, generation));
        let goes_on = last.is_some_and(|(_, node, before)| (node, before) == (it.node, generation));
        if let Some((last, ..)) = last.filter(|_| !goes_on) {
            progress.before = last;
        }
        let from = progress.delivered;
        progress.delivered = from.max(offset);
        if waived {
            return;
        }
        if let Some((last, ..)) = last.filter(|(last, ..)| goes_on && offset < *last && !self.any_waived()) {
            let detail = format!("{name}: from {last} back to {offset} in generation {generation}");
            self.report(Invariant::CommitsAdvance, it.at, partition, detail);
        }
        let Some(reading) = ledger.flow().reading(it.node, partition.topic) else { return };
        let Some(log) = ledger.log(partition) else { return };
        let unread =
            log.entries.iter_from(log.place(from.max(log.start))).take_while(|entry| entry.offset < offset).find(
                |entry| {
                    entry.fate.holds() && ledger.life(entry.record).is_none_or(|life| life.delivered.of(reading) == 0)
                },
            );
        if let Some(entry) = unread {
            let detail =
                format!("{name}: committed {offset}, but nobody got record {} at {}", entry.record, entry.offset);
            self.report(Invariant::CommitsDelivered, it.at, partition, detail);
        }
    }

    /// Where a member begins to read, if the partition is still its own. What it passes over on purpose (`auto.offset.reset`)
    /// counts as delivered.
    fn check_position(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        offset: Offset,
        from_commit: bool,
    ) {
        let Some((index, group)) = self.groups.group_of(it.node) else { return };
        let (name, seeks) = (group.name.clone(), group.seeks && !from_commit);
        let waived = self.any_waived();
        let watch = Rc::make_mut(&mut self.groups);
        let progress = watch.progress.entry((index, partition)).or_default();
        if !from_commit {
            progress.delivered = progress.delivered.max(offset);
        }
        let Some((confirmed, ..)) = progress.confirmed.filter(|(confirmed, ..)| offset < *confirmed) else { return };
        if watch.comes_late((index, partition), offset) {
            watch.late.insert((index, partition));
        } else if !waived && !seeks && cluster.owners(&name).contains(&(partition, it.node)) {
            let detail = format!("{name}: begins at {offset}, though {confirmed} was committed");
            self.report(Invariant::CommitsSurvive, it.at, partition, detail);
        }
    }

    /// Nobody knows what became of a commit.
    fn note_unanswered(&mut self, cluster: &impl Cluster, it: &Recorded) {
        if self.groups.group_of(it.node).is_some() {
            let generation = cluster.generation(it.node);
            Rc::make_mut(&mut self.groups).unanswered.insert(it.node, generation);
        }
    }

    /// What groups and their members tell.
    pub(super) fn check_group(&mut self, cluster: &impl Cluster, ledger: &Ledger, it: &Recorded) {
        match it.event {
            Event::OffsetsCommitted { partition, offset } => {
                self.check_committed(cluster, ledger, it, partition, offset)
            }
            Event::PositionSet { partition, offset, from_commit } => {
                self.check_position(cluster, it, partition, offset, from_commit)
            }
            Event::RequestFailed { error: ErrorCode::NetworkException | ErrorCode::RequestTimedOut, .. } => {
                self.note_unanswered(cluster, it);
            }
            Event::PartitionsAssigned { .. } | Event::GroupJoined { .. } => self.check_owners(cluster, it),
            _ => {}
        }
    }
}
