//! Sticky, for members that want different topics (`GeneralAssignmentBuilder`).
//!
//! Members keep what they owned and still want (and are near to); the rest goes to whoever has least and wants it; then
//! partitions move from who has more to who has less, until no move would make the whole more even.

use super::super::{Assignments, Members, Partitions};
use super::movements::PartitionMovements;
use super::user_data::MemberData;
use super::{NO_GENERATION, RackInfo, remove_first};
use crate::base::{Generation, JavaMap, SortedMap, SortedSet, sort_long};
use crate::protocol::NamedPartition;
use std::rc::Rc;

/// Owners of former generations.
type Former = SortedMap<NamedPartition, (Rc<str>, Generation)>;

pub(super) fn assign(
    partitions: &Partitions<'_>,
    racks: &RackInfo<'_>,
    owned: JavaMap<Rc<str>, Vec<NamedPartition>>,
    members: &Members<'_>,
    data: &JavaMap<Rc<str>, MemberData>,
) -> Assignments {
    let mut builder = Builder::new(partitions, racks, owned, members, data);
    let mut unassigned = builder.keep_what_is_wanted(members);
    builder.by_size = builder.current.iter().map(|(member, list)| (list.len(), member.clone())).collect();
    builder.balance(&mut unassigned);
    builder.current
}

struct Builder<'a> {
    racks: &'a RackInfo<'a>,
    /// All partitions, those of topics that fewest want first.
    all: Vec<NamedPartition>,
    /// Who wants each topic.
    consumers: SortedMap<Rc<str>, Vec<Rc<str>>>,
    /// How many partitions each member could have.
    most: SortedMap<Rc<str>, usize>,
    current: Assignments,
    owner: SortedMap<NamedPartition, Rc<str>>,
    /// Members that take part, by how many partitions they have.
    by_size: SortedSet<(usize, Rc<str>)>,
    former: Former,
    movements: PartitionMovements,
    revocation_required: bool,
}

impl<'a> Builder<'a> {
    fn new(
        partitions: &Partitions<'_>,
        racks: &'a RackInfo<'a>,
        owned: JavaMap<Rc<str>, Vec<NamedPartition>>,
        members: &Members<'_>,
        data: &JavaMap<Rc<str>, MemberData>,
    ) -> Builder<'a> {
        let mut consumers: SortedMap<Rc<str>, Vec<Rc<str>>> =
            partitions.keys().map(|topic| (topic.clone(), Vec::new())).collect();
        let mut most: SortedMap<Rc<str>, usize> = SortedMap::default();
        for (member, it) in members.iter() {
            let could_have = most.entry(member.clone()).or_default();
            for topic in &it.topics {
                if let (Some(of_topic), Some(count)) = (consumers.get_mut(topic), partitions.get(topic)) {
                    of_topic.push(member.clone());
                    *could_have += count.len();
                }
            }
        }
        let mut topics: Vec<(&Rc<str>, usize)> = consumers.iter().map(|(topic, them)| (topic, them.len())).collect();
        sort_long(&mut topics, |(a, wanted_a), (b, wanted_b)| (wanted_a, a) < (wanted_b, b));
        let count = |topic: &Rc<str>| partitions.get(topic).map_or(0, |of_topic| of_topic.len() as u32);
        let of_topic = |(topic, _): &(&Rc<str>, usize)| {
            let topic = (*topic).clone();
            (0..count(&topic)).map(move |partition| (topic.clone(), partition))
        };
        let all = topics.iter().flat_map(of_topic).collect();
        let owner = |(member, owned): (&Rc<str>, &Vec<NamedPartition>)| -> Vec<(NamedPartition, Rc<str>)> {
            owned.iter().map(|partition| (partition.clone(), member.clone())).collect()
        };
        Builder {
            racks,
            all,
            consumers,
            most,
            owner: owned.iter().flat_map(owner).collect(),
            current: owned.iter().map(|(member, owned)| (member.clone(), owned.clone())).collect(),
            by_size: SortedSet::default(),
            former: former_owners(data),
            movements: PartitionMovements::default(),
            revocation_required: false,
        }
    }

    /// Takes from members what they do not want any more, or are not near to. What is left to assign.
    fn keep_what_is_wanted(&mut self, members: &Members<'_>) -> Vec<NamedPartition> {
        let mut kept: SortedSet<NamedPartition> = SortedSet::default();
        for (member, list) in self.current.iter_mut() {
            let wants = &members.get(member).expect("invariant: only members own").topics;
            let before = list.len();
            list.retain(|it| wants.contains(&it.0) && !self.racks.mismatch(member, it));
            self.revocation_required |= list.len() < before;
            kept.extend(list.iter().cloned());
        }
        self.all.iter().filter(|it| !kept.contains(*it)).cloned().collect()
    }

    fn wants(&self, member: &Rc<str>, topic: &Rc<str>) -> bool {
        self.consumers[topic].contains(member)
    }

    fn size(&self, member: &Rc<str>) -> Option<usize> {
        self.current.get(member).map(Vec::len)
    }

    /// Changes a member's list, and its place among the others.
    fn change(&mut self, member: &Rc<str>, change: impl FnOnce(&mut Vec<NamedPartition>)) {
        let list = self.current.get_mut(member).expect("invariant: who takes part has a list");
        self.by_size.remove(&(list.len(), member.clone()));
        change(list);
        self.by_size.insert((list.len(), member.clone()));
    }

    /// Gives each partition to whoever has least and wants it (and is near); gives back those that found nobody.
    fn assign_to_least(&mut self, partitions: &[NamedPartition], near: bool) -> Vec<NamedPartition> {
        let mut left = Vec::new();
        for partition in partitions {
            let fits = |member: &Rc<str>| {
                self.wants(member, &partition.0) && !(near && self.racks.mismatch(member, partition))
            };
            let found = self.by_size.iter().map(|(_, member)| member).find(|member| fits(member)).cloned();
            match found {
                Some(member) => {
                    self.change(&member, |list| list.push(partition.clone()));
                    self.owner.insert(partition.clone(), member);
                }
                None => left.push(partition.clone()),
            }
        }
        left
    }

    fn balance(&mut self, unassigned: &mut Vec<NamedPartition>) {
        let initializing = self.by_size.last().is_none_or(|(most, _)| *most == 0);
        if self.racks.matter() {
            let left = self.assign_to_least(unassigned, true);
            self.assign_to_least(&left, false);
        } else {
            self.assign_to_least(unassigned, false);
        }

        // Only what several want can move, and only those take part who have, or could have, some of that.
        let shared = |consumers: &SortedMap<Rc<str>, Vec<Rc<str>>>, topic: &Rc<str>| consumers[topic].len() >= 2;
        let mut all = std::mem::take(&mut self.all);
        all.retain(|partition| shared(&self.consumers, &partition.0));
        unassigned.retain(|partition| shared(&self.consumers, &partition.0));
        let mut fixed = Assignments::default();
        self.current.retain(|member, list| {
            let takes_part = list.len() < self.most[member] || list.iter().any(|it| shared(&self.consumers, &it.0));
            if !takes_part {
                self.by_size.remove(&(list.len(), member.clone()));
                fixed.insert(member.clone(), std::mem::take(list));
            }
            takes_part
        });

        let before = self.current.clone();
        if !self.revocation_required {
            self.perform_reassignments(unassigned);
        }
        let moved = self.perform_reassignments(&all);
        if !initializing && moved && balance_score(&self.current) >= balance_score(&before) {
            self.current = before;
        }
        self.current.append(&mut fixed);
    }

    /// Moves partitions until no move helps. Whether one moved.
    fn perform_reassignments(&mut self, partitions: &[NamedPartition]) -> bool {
        let mut moved = false;
        loop {
            let mut modified = false;
            for partition in partitions {
                if self.is_balanced() {
                    break;
                }
                modified |= self.reassign_if_better(partition);
            }
            moved |= modified;
            if !modified {
                return moved;
            }
        }
    }

    /// Back to who had it in a former generation, or else to whoever has least, if its owner has two more than another.
    fn reassign_if_better(&mut self, partition: &NamedPartition) -> bool {
        let owner = self.owner[partition].clone();
        let has = self.size(&owner).unwrap_or(0);
        let former = self.former.get(partition).map(|(former, _)| former.clone());
        if let Some(former) = former.filter(|former| self.size(former).is_some_and(|size| has > size + 1)) {
            self.reassign(partition, &owner, &former);
            return true;
        }
        // Kafka looks at members in the owner's rack first, but moves the partition to whoever has least either way.
        let consumers = &self.consumers[&partition.0];
        if !consumers.iter().any(|other| self.size(other).is_some_and(|size| has > size + 1)) {
            return false;
        }
        let wanting = self.by_size.iter().map(|(_, member)| member).find(|member| self.wants(member, &partition.0));
        let to = wanting.expect("invariant: somebody else wants it").clone();
        self.reassign(partition, &owner, &to);
        true
    }

    fn reassign(&mut self, partition: &NamedPartition, owner: &Rc<str>, to: &Rc<str>) {
        let partition = self.movements.actual(partition, owner, to);
        let from = self.owner[&partition].clone();
        self.movements.moved(&partition, &from, to);
        self.change(&from, |list| remove_first(list, &partition));
        self.change(to, |list| list.push(partition.clone()));
        self.owner.insert(partition, to.clone());
    }

    /// Whether nobody could have a partition of somebody who has two more.
    fn is_balanced(&self) -> bool {
        let size = |at: Option<&(usize, Rc<str>)>| at.map_or(0, |(size, _)| *size);
        if size(self.by_size.first()) + 1 >= size(self.by_size.last()) {
            return true;
        }
        let owners: SortedMap<&NamedPartition, usize> =
            self.current.values().flat_map(|list| list.iter().map(|it| (it, list.len()))).collect();
        let could_get_one = |(has, member): &(usize, Rc<str>)| {
            *has != self.most[member]
                && owners.iter().any(|(it, of_owner)| has + 1 < *of_owner && self.wants(member, &it.0))
        };
        !self.by_size.iter().any(could_get_one)
    }
}

/// Who said it owned what, in generations before the latest.
fn former_owners(data: &JavaMap<Rc<str>, MemberData>) -> Former {
    let latest = data.iter().filter_map(|(_, it)| it.generation).max().unwrap_or(NO_GENERATION).max(NO_GENERATION);
    let mut former = Former::default();
    for (member, of_member) in data.iter() {
        let generation = of_member.generation.unwrap_or(NO_GENERATION);
        if generation >= latest {
            continue;
        }
        for partition in &of_member.partitions {
            if former.get(partition).is_none_or(|(_, known)| generation > *known) {
                former.insert(partition.clone(), (member.clone(), generation));
            }
        }
    }
    former
}

/// Differences in size between all pairs, summed up: 0 is perfect.
fn balance_score(assignments: &Assignments) -> usize {
    let sizes: Vec<usize> = assignments.values().map(Vec::len).collect();
    let pairs = sizes.iter().enumerate().flat_map(|(index, a)| sizes[index + 1..].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| a.abs_diff(*b)).sum()
}
