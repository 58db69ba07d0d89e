//! Round robin: all partitions in order, dealt to the members in turn; who does not want a topic is passed over.
//!
//! In Kafka: `RoundRobinAssignor`.

use super::{Assignments, Members, Partitions, nothing, sort_members};
use crate::base::SortedSet;
use std::rc::Rc;

pub(super) fn assign(partitions: &Partitions<'_>, members: &Members<'_>) -> Assignments {
    let mut assignments = nothing(members);
    let mut turn: Vec<_> = members.iter().map(|(member, it)| (member, *it)).collect();
    sort_members(&mut turn);
    let mut turn = turn.into_iter().cycle();
    let topics: SortedSet<Rc<str>> = partitions.keys().cloned().collect();
    for topic in topics.iter() {
        for partition in 0..partitions.get(topic).map_or(0, |of_topic| of_topic.len() as u32) {
            let next = turn.find(|(_, it)| it.topics.contains(topic)).expect("invariant: a member wants the topic");
            let list = assignments.get_mut(next.0).expect("invariant: every member has an assignment");
            list.push((topic.clone(), partition));
        }
    }
    assignments
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assigned, subscription, topics};
    use crate::base::config::Assignor::RoundRobin;

    /// The two examples in `RoundRobinAssignor`'s documentation.
    #[test]
    fn partitions_are_dealt_in_turn() {
        let both = [("C0", subscription("t0 t1")), ("C1", subscription("t0 t1"))];
        assert_eq!(assigned(RoundRobin, &topics("t0:3 t1:3"), &both), ["C0: t0-0 t0-2 t1-1", "C1: t0-1 t1-0 t1-2"]);
        let differing = [("C0", subscription("t0")), ("C1", subscription("t0 t1")), ("C2", subscription("t0 t1 t2"))];
        assert_eq!(
            assigned(RoundRobin, &topics("t0:1 t1:2 t2:3"), &differing),
            ["C0: t0-0", "C1: t1-0", "C2: t1-1 t2-0 t2-1 t2-2"]
        );
    }
}
