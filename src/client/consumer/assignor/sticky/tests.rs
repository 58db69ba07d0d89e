//! What sticky assignors promise, held over random groups that live for some rounds. That they decide as Kafka's own
//! classes do is held by `tests/assignors.rs`.

use super::super::tests::{assigned, subscription, topics};
use super::super::{Assignments, PartitionRacks, PartitionsPerTopic, Subscriptions, assign};
use super::{StickyMemory, subscription_user_data};
use crate::base::config::Assignor::{self, CooperativeSticky, Sticky};
use crate::base::{Generation, Prng, SortedMap};
use crate::protocol::{ConsumerSubscription, NamedPartition};
use std::rc::Rc;

fn owning(topics: &str, owned: &str, generation: Generation) -> ConsumerSubscription {
    let partition = |word: &str| -> NamedPartition {
        let (topic, partition) = word.split_once('-').expect("topic-partition");
        (Rc::from(topic), partition.parse().expect("a number"))
    };
    let owned: Vec<NamedPartition> = owned.split_whitespace().map(partition).collect();
    let memory = StickyMemory { assignment: Some((owned.clone(), generation)) };
    ConsumerSubscription {
        user_data: subscription_user_data(Sticky, &memory),
        owned_partitions: owned,
        generation: Some(generation),
        ..subscription(topics)
    }
}

/// The first example in `StickyAssignor`'s documentation: a member leaves, and only what it had moves.
#[test]
fn only_what_a_member_left_behind_moves() {
    let all = topics("t0:2 t1:2 t2:2 t3:2");
    let new = [subscription("t0 t1 t2 t3"), subscription("t0 t1 t2 t3"), subscription("t0 t1 t2 t3")];
    let members: Vec<_> = ["C0", "C1", "C2"].into_iter().zip(new).collect();
    assert_eq!(assigned(Sticky, &all, &members), ["C0: t0-0 t1-1 t3-0", "C1: t0-1 t2-0 t3-1", "C2: t1-0 t2-1"]);
    let left = [("C0", owning("t0 t1 t2 t3", "t0-0 t1-1 t3-0", 1)), ("C2", owning("t0 t1 t2 t3", "t1-0 t2-1", 1))];
    assert_eq!(assigned(Sticky, &all, &left), ["C0: t0-0 t0-1 t1-1 t3-0", "C2: t1-0 t2-0 t2-1 t3-1"]);
}

/// The second example: subscriptions differ.
#[test]
fn members_that_want_different_topics_are_levelled() {
    let members = [
        ("C0", owning("t0", "t0-0", 1)),
        ("C1", owning("t0 t1", "", 1)),
        ("C2", owning("t0 t1 t2", "t1-0 t1-1 t2-0 t2-1 t2-2", 1)),
    ];
    let all = topics("t0:1 t1:2 t2:3");
    assert_eq!(assigned(Sticky, &all, &members), ["C0: t0-0", "C1: t1-0 t1-1", "C2: t2-0 t2-1 t2-2"]);
}

#[test]
fn what_moves_is_nobodys_until_it_is_given_up() {
    let all = topics("t:4");
    let members = [("a", owning("t", "t-0 t-1 t-2 t-3", 3)), ("b", subscription("t"))];
    assert_eq!(assigned(CooperativeSticky, &all, &members), ["a: t-0 t-1", "b: "]);
    assert_eq!(assigned(Sticky, &all, &members), ["a: t-0 t-1", "b: t-2 t-3"]);
    let later = [("a", owning("t", "t-0 t-1", 4)), ("b", owning("t", "", 4))];
    assert_eq!(assigned(CooperativeSticky, &all, &later), ["a: t-0 t-1", "b: t-2 t-3"]);
}

#[test]
fn the_later_generation_is_believed_and_equal_ones_are_not() {
    let all = topics("t:4");
    let stale = [("a", owning("t", "t-0 t-1", 2)), ("b", owning("t", "t-0 t-1", 3))];
    assert_eq!(assigned(CooperativeSticky, &all, &stale), ["a: t-2 t-3", "b: t-0 t-1"]);
    let twice = [("a", owning("t", "t-0 t-1", 3)), ("b", owning("t", "t-0 t-2", 3))];
    assert_eq!(assigned(CooperativeSticky, &all, &twice), ["a: t-1", "b: t-2 t-3"], "t-0 is held back");
}

#[test]
fn user_data_that_is_broken_says_nothing() {
    let mut broken = subscription("t");
    broken.user_data = Some(bytes::Bytes::from_static(b"\0\0\0\x09nonsense"));
    let members = [("a", owning("t", "t-2 t-3", 1)), ("b", broken)];
    assert_eq!(assigned(Sticky, &topics("t:4"), &members), ["a: t-2 t-3", "b: t-0 t-1"]);
    assert_eq!(subscription_user_data(Sticky, &StickyMemory::default()), None);
    let nothing = subscription_user_data(CooperativeSticky, &StickyMemory::default());
    assert_eq!(nothing.as_deref(), Some(&(-1_i32).to_be_bytes()[..]));
}

/// A group over some rounds.
struct Group {
    topics: PartitionsPerTopic,
    members: Subscriptions,
    generation: Generation,
}

impl Group {
    fn change(&mut self, prng: &mut Prng, alike: bool) {
        if self.topics.is_empty() || prng.below(4) == 0 {
            let topic: Rc<str> = format!("topic-{}", prng.below(4)).into();
            let more = prng.below(5) as usize + 1;
            self.topics.entry(topic).or_default().extend((0..more).map(|_| PartitionRacks::default()));
        }
        for member in 0..6 {
            let name: Rc<str> = format!("member-{member}").into();
            match prng.below(4) {
                0 => drop(self.members.remove(&name)),
                1 => drop(self.members.entry(name).or_default()),
                _ => {}
            }
        }
        self.members.entry("always".into()).or_default();
        for it in self.members.values_mut() {
            if alike {
                it.topics = self.topics.keys().cloned().collect();
            } else if it.topics.is_empty() || prng.below(6) == 0 {
                it.topics = self.topics.keys().filter(|_| prng.below(3) > 0).cloned().collect();
                if it.topics.is_empty() {
                    it.topics = self.topics.keys().take(1).cloned().collect();
                }
            }
        }
    }

    fn adopt(&mut self, assignments: &Assignments) {
        self.generation += 1;
        for (member, assigned) in assignments.iter() {
            let it = self.members.get_mut(member).expect("only members are assigned");
            let memory = StickyMemory { assignment: Some((assigned.clone(), self.generation)) };
            it.user_data = subscription_user_data(Sticky, &memory);
            it.owned_partitions = assigned.clone();
            it.generation = Some(self.generation);
        }
    }

    /// The members of each partition that somebody wants.
    fn owners(&self, assignments: &Assignments) -> SortedMap<NamedPartition, Vec<Rc<str>>> {
        let wanted = |topic: &Rc<str>| self.members.values().any(|it| it.topics.contains(topic));
        let mut owners: SortedMap<NamedPartition, Vec<Rc<str>>> = SortedMap::default();
        for (topic, of_topic) in self.topics.iter().filter(|(topic, _)| wanted(topic)) {
            (0..of_topic.len() as u32).for_each(|it| drop(owners.insert((topic.clone(), it), Vec::new())));
        }
        for (member, list) in assignments.iter() {
            for partition in list {
                assert!(self.members[member].topics.contains(&partition.0), "{member} wants {partition:?}");
                owners.get_mut(partition).expect("only what is there is assigned").push(member.clone());
            }
        }
        owners
    }
}

fn play(assignor: Assignor, alike: bool, mut check: impl FnMut(&Group, &Assignments)) {
    for seed in 0..150 {
        let mut prng = Prng::split(seed, "sticky assignors");
        let mut group = Group { topics: SortedMap::default(), members: SortedMap::default(), generation: 0 };
        for _ in 0..8 {
            group.change(&mut prng, alike);
            let assignments = assign(assignor, &group.topics, &group.members);
            assert!(assignments.keys().eq(group.members.keys()), "every member has an entry");
            check(&group, &assignments);
            group.adopt(&assignments);
        }
    }
}

#[test]
fn every_partition_has_one_owner_who_wants_it() {
    for alike in [true, false] {
        play(Sticky, alike, |group, assignments| {
            let owners = group.owners(assignments);
            assert!(owners.values().all(|them| them.len() == 1), "{owners:?}");
        });
    }
}

#[test]
fn who_wants_the_same_has_as_many_but_for_one() {
    for alike in [true, false] {
        play(Sticky, alike, |group, assignments| {
            for (a, of_a) in group.members.iter() {
                let same = group.members.iter().filter(|(_, of_b)| of_b.topics == of_a.topics);
                for (b, _) in same {
                    assert!(assignments[a].len().abs_diff(assignments[b].len()) <= 1, "{a}, {b}: {assignments:?}");
                }
            }
        });
    }
}

#[test]
fn a_member_keeps_what_it_may_keep() {
    for assignor in [Sticky, CooperativeSticky] {
        play(assignor, true, |group, assignments| {
            let total: usize = group.topics.values().map(Vec::len).sum();
            for (member, it) in group.members.iter() {
                let kept = it.owned_partitions.iter().filter(|it| assignments[member].contains(it)).count();
                assert!(kept >= it.owned_partitions.len().min(total / group.members.len()), "{member} lost too much");
            }
        });
    }
}

/// What another still owns, and what nobody gets, are the same partitions; after two more rounds all have an owner.
#[test]
fn cooperative_rounds_never_give_what_another_owns_and_come_to_an_end() {
    for alike in [true, false] {
        play(CooperativeSticky, alike, |group, assignments| {
            let mut owners = group.owners(assignments);
            for (member, it) in group.members.iter() {
                for partition in it.owned_partitions.iter().filter(|it| owners.contains_key(*it)) {
                    assert!(owners[partition].iter().all(|now| now == member), "{partition:?} is still {member}'s");
                }
            }
            let mut next =
                Group { topics: group.topics.clone(), members: group.members.clone(), generation: group.generation };
            let mut assignments = assignments.clone();
            for _ in 0..2 {
                next.adopt(&assignments);
                assignments = assign(CooperativeSticky, &next.topics, &next.members);
                owners = next.owners(&assignments);
            }
            assert!(owners.values().all(|them| them.len() == 1), "{owners:?}");
        });
    }
}
