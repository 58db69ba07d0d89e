//! What a sticky assignor tells the leader's through its member's subscription.

use crate::base::config::Assignor;
use crate::base::{Generation, JavaMap};
use crate::protocol::{ConsumerSubscription, NamedPartition, Reader, put_partitions};
use bytes::Bytes;
use std::rc::Rc;

/// What a member's assignor remembers of the last assignment (`onAssignment`).
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct StickyMemory {
    /// What the member was assigned and in which generation; none before the first time.
    pub assignment: Option<(Vec<NamedPartition>, Generation)>,
}

/// `subscriptionUserData` of an assignor: none but for the sticky ones.
pub fn subscription_user_data(assignor: Assignor, memory: &StickyMemory) -> Option<Bytes> {
    let mut out = Vec::new();
    let generation = match (assignor, &memory.assignment) {
        (Assignor::Sticky, Some((partitions, generation))) => {
            put_partitions(&mut out, &by_topic(partitions));
            *generation
        }
        (Assignor::CooperativeSticky, assignment) => assignment.as_ref().map_or(-1, |(_, generation)| *generation),
        (Assignor::Sticky | Assignor::Range | Assignor::RoundRobin, _) => return None,
    };
    out.extend(generation.to_be_bytes());
    Some(Bytes::from(out))
}

/// Topics in the order of Kafka's hash map.
fn by_topic(partitions: &[NamedPartition]) -> Vec<NamedPartition> {
    let mut topics: JavaMap<Rc<str>, Vec<NamedPartition>> = JavaMap::default();
    for partition in partitions {
        topics.compute_if_absent(partition.0.clone(), Vec::new).push(partition.clone());
    }
    topics.iter().flat_map(|(_, of_topic)| of_topic.iter().cloned()).collect()
}

/// What a member had, as it says.
#[derive(Clone, Default, Debug)]
pub(super) struct MemberData {
    pub partitions: Vec<NamedPartition>,
    /// When it had it; none if it does not say.
    pub generation: Option<Generation>,
}

pub(super) fn member_data(assignor: Assignor, subscription: &ConsumerSubscription) -> MemberData {
    let data = subscription.user_data.as_deref();
    if assignor == Assignor::Sticky {
        return data.filter(|data| !data.is_empty()).map_or_else(MemberData::default, previous_assignment);
    }
    let generation = subscription.generation.or_else(|| {
        let data = data?;
        Some(Reader { bytes: data }.i32().unwrap_or(-1))
    });
    MemberData { partitions: subscription.owned_partitions.clone(), generation }
}

/// With the generation behind it, or without, as before KIP-341; what is neither says nothing.
fn previous_assignment(data: &[u8]) -> MemberData {
    let mut reader = Reader { bytes: data };
    match reader.partitions() {
        Some(partitions) => MemberData { partitions, generation: reader.i32() },
        None => MemberData { partitions: Vec::new(), generation: Some(-1) },
    }
}
