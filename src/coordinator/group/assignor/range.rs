//! Range: of each topic, members get consecutive partitions, the first ones one more. Whatever they had does not matter.
//!
//! In Kafka: `org.apache.kafka.coordinator.group.assignor.RangeAssignor`.

use super::{MemberAssignment, MemberSpec};
use crate::base::{SortedMap, TopicId, sort_long};
use std::rc::Rc;

pub(super) fn assign(
    partitions: &SortedMap<TopicId, u32>,
    members: &SortedMap<Rc<str>, MemberSpec>,
) -> SortedMap<Rc<str>, MemberAssignment> {
    let mut target: SortedMap<Rc<str>, MemberAssignment> =
        members.keys().map(|member| (member.clone(), MemberAssignment::default())).collect();
    let sorted = sorted(members);
    for (topic, count) in partitions.iter() {
        let wants: Vec<&Rc<str>> =
            sorted.iter().filter(|(_, spec)| spec.topics.contains(topic)).map(|(member, _)| *member).collect();
        let (of_all, mut next) = (wants.len().max(1) as u32, 0);
        for (index, member) in wants.into_iter().enumerate() {
            let quota = count / of_all + u32::from((index as u32) < count % of_all);
            if quota > 0 {
                let of_member = target.get_mut(member).expect("invariant: every member has an assignment");
                of_member.insert(*topic, (next..next + quota).collect());
            }
            next += quota;
        }
    }
    target
}

/// Static members first, by instance id; then dynamic ones, by member id.
fn sorted(members: &SortedMap<Rc<str>, MemberSpec>) -> Vec<(&Rc<str>, &MemberSpec)> {
    let mut sorted: Vec<_> = super::in_order(members);
    sort_long(&mut sorted, |(a, of_a), (b, of_b)| match (&of_a.instance_id, &of_b.instance_id) {
        (Some(a), Some(b)) => a < b,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => a < b,
    });
    sorted
}
