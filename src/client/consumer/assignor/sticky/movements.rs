//! Who gave what to whom in this round, so that two members do not pass partitions of a topic to and fro.
//!
//! In Kafka: `AbstractStickyAssignor.PartitionMovements`.

use crate::base::{JavaMap, SortedMap};
use crate::protocol::NamedPartition;
use std::rc::Rc;

/// From whom, to whom.
type Pair = (Rc<str>, Rc<str>);

/// The moves so far; a partition that moved on counts from its first owner to its last.
#[derive(Default)]
pub(super) struct PartitionMovements {
    of_partition: SortedMap<NamedPartition, Pair>,
    /// By topic and pair.
    by_topic: SortedMap<(Rc<str>, Pair), JavaMap<NamedPartition, ()>>,
}

impl PartitionMovements {
    pub fn moved(&mut self, partition: &NamedPartition, from: &Rc<str>, to: &Rc<str>) {
        let Some(earlier) = self.of_partition.remove(partition) else {
            return self.add(partition, (from.clone(), to.clone()));
        };
        let key = (partition.0.clone(), earlier.clone());
        let of_pair = self.by_topic.get_mut(&key).expect("invariant: a moved partition is in its pair's set");
        of_pair.remove(partition);
        if of_pair.is_empty() {
            self.by_topic.remove(&key);
        }
        if earlier.0 != *to {
            self.add(partition, (earlier.0, to.clone()));
        }
    }

    fn add(&mut self, partition: &NamedPartition, pair: Pair) {
        self.of_partition.insert(partition.clone(), pair.clone());
        self.by_topic.entry((partition.0.clone(), pair)).or_default().insert(partition.clone(), ());
    }

    /// Which partition to move instead of this one: one of its topic that came the other way, if there is one.
    pub fn actual(&self, partition: &NamedPartition, from: &Rc<str>, to: &Rc<str>) -> NamedPartition {
        let from = self.of_partition.get(partition).map_or(from, |(first, _)| first);
        let back = self.by_topic.get(&(partition.0.clone(), (to.clone(), from.clone())));
        back.and_then(|of_pair| of_pair.keys().next()).unwrap_or(partition).clone()
    }
}
