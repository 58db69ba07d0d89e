//! What assignors promise, held over random groups that grow, shrink and change their minds. That they decide as Kafka's
//! own classes do is held by `tests/assignors.rs`.

use super::{MemberAssignment, MemberSpec, SubscriptionType, assign};
use crate::base::config::ServerAssignor::{self, Range, Uniform};
use crate::base::{Prng, SortedMap, TopicId};
use std::rc::Rc;

type Group = SortedMap<Rc<str>, MemberSpec>;
type Topics = SortedMap<TopicId, u32>;

fn decide(assignor: ServerAssignor, topics: &Topics, group: &Group) -> SortedMap<Rc<str>, MemberAssignment> {
    assign(assignor, SubscriptionType::of(group.values().map(|spec| &spec.topics)), topics, group)
}

/// Makes the target the members' own.
fn adopt(group: &mut Group, target: SortedMap<Rc<str>, MemberAssignment>) {
    for (member, assignment) in target {
        group.get_mut(&member).expect("only members are assigned").assignment = assignment;
    }
}

fn size(assignment: &MemberAssignment) -> usize {
    assignment.values().map(|of_topic| of_topic.len()).sum()
}

/// `a: 1-0 1-1` for each member: topic id and partition.
fn lines(target: &SortedMap<Rc<str>, MemberAssignment>) -> Vec<String> {
    let partition = |(topic, of_topic): (&TopicId, &crate::base::SortedSet<u32>)| {
        of_topic.iter().map(|partition| format!(" {}-{partition}", topic.0)).collect::<String>()
    };
    target.iter().map(|(member, it)| format!("{member}:{}", it.iter().map(partition).collect::<String>())).collect()
}

fn group(members: &[(&str, &[u32])]) -> Group {
    let spec =
        |topics: &[u32]| MemberSpec { topics: topics.iter().copied().map(TopicId).collect(), ..Default::default() };
    members.iter().map(|(member, topics)| (Rc::from(*member), spec(topics))).collect()
}

#[test]
fn range_gives_consecutive_partitions_static_members_first() {
    let mut group = group(&[("a", &[1, 2]), ("b", &[1, 2]), ("c", &[2])]);
    group.get_mut("c").expect("it is a member").instance_id = Some("i".into());
    let topics = [(TopicId(1), 3), (TopicId(2), 4)].into();
    assert_eq!(lines(&decide(Range, &topics, &group)), ["a: 1-0 1-1 2-2", "b: 1-2 2-3", "c: 2-0 2-1"]);
}

#[test]
fn uniform_moves_no_more_than_it_must() {
    let topics = [(TopicId(1), 6)].into();
    let mut two = group(&[("a", &[1]), ("b", &[1])]);
    let target = decide(Uniform, &topics, &two);
    assert_eq!(lines(&target), ["a: 1-0 1-1 1-2", "b: 1-3 1-4 1-5"]);
    adopt(&mut two, target);
    two.extend(group(&[("c", &[1])]));
    assert_eq!(lines(&decide(Uniform, &topics, &two)), ["a: 1-0 1-1", "b: 1-3 1-4", "c: 1-2 1-5"]);
}

#[test]
fn nobody_or_nothing_to_assign() {
    assert!(decide(Uniform, &Topics::default(), &Group::default()).is_empty());
    for assignor in [Uniform, Range] {
        assert_eq!(lines(&decide(assignor, &Topics::default(), &group(&[("a", &[1]), ("b", &[])]))), ["a:", "b:"]);
    }
}

/// Members come, go and change their minds, topics grow; after each step the promises hold.
#[test]
fn every_partition_has_one_owner_who_wants_it_and_loads_are_even() {
    for seed in 0..300 {
        let mut prng = Prng::split(seed, "server assignors");
        let (mut group, mut topics) = (Group::default(), Topics::default());
        let alike = prng.below(2) == 0;
        for step in 0..8 {
            change(&mut prng, &mut group, &mut topics, alike, step);
            let range = decide(Range, &topics, &group);
            check_owners(&topics, &group, &range);
            let uniform = decide(Uniform, &topics, &group);
            check_owners(&topics, &group, &uniform);
            check_balance(&group, &uniform);
            if alike {
                check_stickiness(&topics, &group, &uniform);
            }
            adopt(&mut group, uniform);
            let again = decide(Uniform, &topics, &group);
            let same = group.iter().all(|(member, spec)| again[member] == spec.assignment);
            assert!(same || !alike, "seed {seed}: nothing moves if nothing changed");
        }
    }
}

fn change(prng: &mut Prng, group: &mut Group, topics: &mut Topics, alike: bool, step: u32) {
    if step == 0 || prng.below(3) == 0 {
        let topic = TopicId(prng.below(4) as u32 + 1);
        *topics.entry(topic).or_default() += prng.below(7) as u32 + 1;
    }
    let of_some = |prng: &mut Prng| topics.keys().copied().filter(|_| alike || prng.below(3) > 0).collect();
    for member in 0..7 {
        let name: Rc<str> = format!("member-{member}").into();
        match prng.below(4) {
            0 => drop(group.remove(&name)),
            1 => {
                let wants = of_some(prng);
                group.entry(name).or_default().topics = wants;
            }
            _ => {}
        }
    }
    if group.is_empty() {
        group.insert("last".into(), MemberSpec::default());
    }
    if alike {
        group.values_mut().for_each(|spec| spec.topics = topics.keys().copied().collect());
    }
}

fn check_owners(topics: &Topics, group: &Group, target: &SortedMap<Rc<str>, MemberAssignment>) {
    assert!(target.keys().eq(group.keys()), "every member has an entry");
    for (topic, count) in topics.iter() {
        let wanted = group.values().any(|spec| spec.topics.contains(topic));
        for partition in 0..*count {
            let has = |it: &MemberAssignment| it.get(topic).is_some_and(|of_topic| of_topic.contains(&partition));
            let owners: Vec<&Rc<str>> = target.iter().filter(|(_, it)| has(it)).map(|(member, _)| member).collect();
            assert_eq!(owners.len(), usize::from(wanted), "{topic:?}-{partition}: {owners:?}");
            assert!(owners.iter().all(|owner| group[*owner].topics.contains(topic)), "an owner wants its topic");
        }
    }
    let wanted: usize = topics
        .iter()
        .filter(|(topic, _)| group.values().any(|spec| spec.topics.contains(*topic)))
        .map(|(_, count)| *count as usize)
        .sum();
    assert_eq!(target.values().map(size).sum::<usize>(), wanted, "nothing else is assigned");
}

/// Who wants the same has the same, but for one partition.
fn check_balance(group: &Group, target: &SortedMap<Rc<str>, MemberAssignment>) {
    for (a, of_a) in group.iter() {
        for (b, _) in group.iter().filter(|(_, of_b)| of_b.topics == of_a.topics) {
            assert!(size(&target[a]).abs_diff(size(&target[b])) <= 1, "{a} and {b}: {:?}", lines(target));
        }
    }
}

/// A member loses a partition only if it had more than it may keep.
fn check_stickiness(topics: &Topics, group: &Group, target: &SortedMap<Rc<str>, MemberAssignment>) {
    let total: u32 = topics.values().sum();
    let least = total as usize / group.len();
    for (member, spec) in group.iter() {
        let kept = spec.assignment.iter().flat_map(|(topic, of_topic)| of_topic.iter().map(move |it| (topic, it)));
        let kept = kept.filter(|(topic, it)| target[member].get(*topic).is_some_and(|now| now.contains(*it))).count();
        assert!(kept >= size(&spec.assignment).min(least), "{member} lost what it could have kept");
    }
}
