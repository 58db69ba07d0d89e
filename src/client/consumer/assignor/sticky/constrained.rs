//! Sticky, for members that all want the same (`ConstrainedAssignmentBuilder`).
//!
//! Members keep what they owned up to their quota; the rest goes round among those who are below it, then among those
//! who may have one more. With racks, who is near goes first.

use super::super::{Assignments, Partitions};
use super::{Claims, RackInfo};
use crate::base::{SortedMap, SortedSet, sort_long};
use crate::protocol::NamedPartition;
use std::collections::VecDeque;
use std::rc::Rc;

/// The assignment, and what of it was another's before (or was claimed twice).
pub(super) fn assign(
    partitions: &Partitions<'_>,
    racks: &RackInfo<'_>,
    claims: Claims,
) -> (Assignments, SortedMap<NamedPartition, Rc<str>>) {
    let mut builder = Builder::new(partitions, racks, claims);
    builder.keep_what_was_owned();
    let mut unassigned = builder.unassigned(partitions);
    sort_long(&mut builder.below_quota, |a, b| a < b);
    sort_long(builder.at_quota.make_contiguous(), |a, b| a < b);
    racks.sort(&mut unassigned);
    if racks.matter() {
        unassigned = builder.assign_near(unassigned);
    }
    builder.assign_round_robin(unassigned);
    (builder.assignments, builder.transferring)
}

struct Builder<'a> {
    racks: &'a RackInfo<'a>,
    claims: Claims,
    /// Everybody gets so many, at least;
    quota: usize,
    /// so many may get one more,
    may_have_more: usize,
    /// and so many have.
    have_more: usize,
    below_quota: Vec<Rc<str>>,
    /// Those who may still get one more.
    at_quota: VecDeque<Rc<str>>,
    assignments: Assignments,
    /// What former owners did not keep.
    revoked: SortedMap<NamedPartition, Rc<str>>,
    transferring: SortedMap<NamedPartition, Rc<str>>,
}

impl<'a> Builder<'a> {
    fn new(partitions: &Partitions<'_>, racks: &'a RackInfo<'a>, claims: Claims) -> Builder<'a> {
        let total: usize = partitions.iter().map(|(_, of_topic)| of_topic.len()).sum();
        let members = claims.owned.len().max(1);
        Builder {
            racks,
            quota: total / members,
            may_have_more: total % members,
            have_more: 0,
            below_quota: Vec::new(),
            at_quota: VecDeque::new(),
            assignments: claims.owned.keys().map(|member| (member.clone(), Vec::new())).collect(),
            revoked: SortedMap::default(),
            transferring: SortedMap::default(),
            claims,
        }
    }

    /// The most that anybody gets.
    fn max_quota(&self) -> usize {
        self.quota + usize::from(self.may_have_more > 0)
    }

    fn keep_what_was_owned(&mut self) {
        let owned: Vec<(Rc<str>, Vec<NamedPartition>)> =
            self.claims.owned.iter().map(|(member, owned)| (member.clone(), owned.clone())).collect();
        for (member, owned) in owned {
            let (far, mut owned): (Vec<_>, Vec<_>) =
                owned.into_iter().partition(|partition| self.racks.mismatch(&member, partition));
            far.into_iter().for_each(|partition| drop(self.revoked.insert(partition, member.clone())));
            sort_long(&mut owned, |a, b| (a.1, &a.0) < (b.1, &b.0));
            owned.retain(|partition| !self.claims.claimed_twice.contains(partition));
            let keeps = self.how_many_to_keep(&member, owned.len());
            for partition in owned.drain(keeps..) {
                self.revoked.insert(partition, member.clone());
            }
            self.assignments.insert(member, owned);
        }
    }

    fn how_many_to_keep(&mut self, member: &Rc<str>, owned: usize) -> usize {
        if owned < self.quota {
            self.below_quota.push(member.clone());
            owned
        } else if owned >= self.max_quota() && self.have_more < self.may_have_more {
            self.one_more_has_more();
            self.max_quota()
        } else {
            if self.have_more < self.may_have_more {
                self.at_quota.push_back(member.clone());
            }
            self.quota
        }
    }

    /// When all who may have more do, those at the quota are done.
    fn one_more_has_more(&mut self) {
        self.have_more += 1;
        if self.have_more == self.may_have_more {
            self.at_quota.clear();
        }
    }

    fn unassigned(&self, partitions: &Partitions<'_>) -> Vec<NamedPartition> {
        let assigned: SortedSet<&NamedPartition> = self.assignments.values().flatten().collect();
        let mut all: Vec<NamedPartition> = partitions
            .iter()
            .flat_map(|(topic, of_topic)| (0..of_topic.len() as u32).map(move |partition| (topic.clone(), partition)))
            .filter(|partition| !assigned.contains(&partition))
            .collect();
        sort_long(&mut all, |a, b| a < b);
        all
    }

    /// Gives partitions to members that are near, as far as quotas allow; gives back those that are left.
    fn assign_near(&mut self, unassigned: Vec<NamedPartition>) -> Vec<NamedPartition> {
        let mut next = 0;
        let mut left = Vec::new();
        for partition in unassigned {
            match self.take_near(&partition, &mut next) {
                Some(member) => drop(self.give(partition, &member)),
                None => left.push(partition),
            }
        }
        left
    }

    fn take_near(&mut self, partition: &NamedPartition, next: &mut usize) -> Option<Rc<str>> {
        if let Some(index) = self.racks.next_near(partition, &self.below_quota, *next) {
            let member = self.below_quota[index].clone();
            let count = self.assignments[&member].len() + 1;
            let mut following = index + 1;
            if count >= self.quota {
                self.below_quota.remove(index);
                following = index;
                if count < self.max_quota() && self.have_more < self.may_have_more {
                    self.at_quota.push_back(member.clone());
                }
            }
            *next = following.checked_rem(self.below_quota.len()).unwrap_or(0);
            return Some(member);
        }
        let index = self.racks.next_near(partition, self.at_quota.make_contiguous(), 0)?;
        let member = self.at_quota[index].clone();
        if self.assignments[&member].len() + 1 == self.max_quota() {
            self.at_quota.remove(index);
            self.one_more_has_more();
        }
        Some(member)
    }

    fn assign_round_robin(&mut self, unassigned: Vec<NamedPartition>) {
        let mut next = 0;
        for partition in unassigned {
            if next >= self.below_quota.len() {
                next = 0;
            }
            if let Some(member) = self.below_quota.get(next).cloned() {
                next += 1;
                let count = self.give(partition, &member);
                if count == self.quota {
                    next -= 1;
                    self.below_quota.remove(next);
                    self.at_quota.push_back(member);
                }
            } else {
                let member = self.at_quota.pop_front().expect("invariant: quotas add up to all partitions");
                self.give(partition, &member);
            }
        }
    }

    /// How many the member has with it.
    fn give(&mut self, partition: NamedPartition, member: &Rc<str>) -> usize {
        let was_anothers = self.revoked.get(&partition).is_some_and(|former| former != member);
        if was_anothers || self.claims.claimed_twice.contains(&partition) {
            self.transferring.insert(partition.clone(), member.clone());
        }
        let list = self.assignments.get_mut(member).expect("invariant: every member has an assignment");
        list.push(partition);
        list.len()
    }
}
