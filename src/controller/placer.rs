//! Where the replicas of a new topic go: stripes over racks, then over the brokers of a rack.
//!
//! Invariants: a leader is unfenced if any broker is; replicas of a partition spread over as many racks as there are; with
//! n brokers on one rack, partition p begins with broker p mod n.
//!
//! In Kafka: `StripedReplicaPlacer`. On purpose different: where Kafka begins at random and shuffles after each round, this
//! begins with the first rack and broker and goes on in order, so that a picture of the cluster is easy to read.

use crate::base::BrokerId;
use crate::base::SortedMap;
use crate::metadata::MetadataImage;
use std::rc::Rc;

/// Brokers of one rack that are alike, dealt in turns.
#[derive(Default)]
struct BrokerList {
    brokers: Vec<BrokerId>,
    index: usize,
    offset: usize,
    round: u32,
}

impl BrokerList {
    /// The next broker of this round; each at most once a round. A new round begins one broker further on.
    fn next(&mut self, round: u32) -> Option<BrokerId> {
        if self.brokers.is_empty() {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.index = 0;
            self.offset = (self.offset + 1) % self.brokers.len();
        }
        if self.index >= self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.index + self.offset) % self.brokers.len()];
        self.index += 1;
        Some(broker)
    }
}

#[derive(Default)]
struct Rack {
    unfenced: BrokerList,
    fenced: BrokerList,
}

impl Rack {
    fn next(&mut self, round: u32) -> Option<BrokerId> {
        self.unfenced.next(round).or_else(|| self.fenced.next(round))
    }
}

/// Deals replicas.
pub(super) struct ReplicaPlacer {
    racks: Vec<Rack>,
    brokers: usize,
    unfenced: usize,
    offset: usize,
    round: u32,
}

impl ReplicaPlacer {
    /// Over the brokers that are registered and do not want to stop.
    pub(super) fn new(image: &MetadataImage) -> Self {
        let mut racks: SortedMap<Option<Rc<str>>, Rack> = SortedMap::new();
        let (mut brokers, mut unfenced) = (0, 0);
        for (id, broker) in image.brokers().iter().filter(|(_, broker)| !broker.in_controlled_shutdown) {
            let rack = racks.entry(broker.rack.clone()).or_default();
            let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            list.brokers.push(*id);
            brokers += 1;
            unfenced += usize::from(!broker.fenced);
        }
        ReplicaPlacer { racks: racks.into_values().collect(), brokers, unfenced, offset: 0, round: 0 }
    }

    /// The replicas of the next partition; None if there are too few brokers, or none that could lead.
    pub(super) fn place(&mut self, replication_factor: usize) -> Option<Vec<BrokerId>> {
        if replication_factor == 0 || replication_factor > self.brokers || self.unfenced == 0 {
            return None;
        }
        let mut replicas = Vec::with_capacity(replication_factor);
        let mut first_rack = self.offset;
        let leader = loop {
            if let Some(leader) = self.racks[first_rack].unfenced.next(self.round) {
                break leader;
            }
            first_rack = (first_rack + 1) % self.racks.len();
        };
        replicas.push(leader);
        let (mut rack, mut skip) = (self.offset, Some(first_rack));
        while replicas.len() < replication_factor {
            // The leader's rack has had its turn.
            if skip == Some(rack) {
                skip = None;
            } else {
                replicas.extend(self.racks[rack].next(self.round));
            }
            rack = (rack + 1) % self.racks.len();
        }
        self.round += 1;
        self.offset = (self.offset + 1) % self.racks.len();
        Some(replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{MetadataDelta, MetadataRecord, RegisterBrokerRecord};

    fn cluster(brokers: &[(i32, Option<&str>, bool)]) -> MetadataImage {
        let mut image = MetadataImage::default();
        for (id, rack, fenced) in brokers {
            let record = RegisterBrokerRecord {
                broker: BrokerId(*id),
                incarnation: 1,
                broker_epoch: 1,
                rack: rack.map(Rc::from),
                fenced: *fenced,
                in_controlled_shutdown: false,
            };
            image.apply(0, &MetadataRecord::RegisterBroker(record), &mut MetadataDelta::default());
        }
        image
    }

    fn placed(brokers: &[(i32, Option<&str>, bool)], partitions: u32, factor: usize) -> Option<Vec<Vec<i32>>> {
        let image = cluster(brokers);
        let mut placer = ReplicaPlacer::new(&image);
        let ids = |replicas: Vec<BrokerId>| replicas.iter().map(|replica| replica.0).collect();
        (0..partitions).map(|_| placer.place(factor).map(ids)).collect()
    }

    #[test]
    fn leaders_go_round() {
        let three = [(0, None, false), (1, None, false), (2, None, false)];
        let stripes = vec![vec![0, 1, 2], vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2]];
        assert_eq!(placed(&three, 4, 3), Some(stripes));
        assert_eq!(placed(&three, 2, 1), Some(vec![vec![0], vec![1]]));
    }

    #[test]
    fn a_fenced_broker_follows_but_does_not_lead() {
        let brokers = [(0, None, true), (1, None, false), (2, None, false)];
        assert_eq!(placed(&brokers, 3, 3), Some(vec![vec![1, 2, 0], vec![2, 1, 0], vec![1, 2, 0]]));
    }

    #[test]
    fn replicas_spread_over_racks() {
        let brokers = [(0, Some("a"), false), (1, Some("a"), false), (2, Some("b"), false), (3, Some("c"), true)];
        let stripes = placed(&brokers, 3, 3).expect("there are enough brokers");
        for replicas in stripes {
            assert_ne!(replicas[0], 3, "a fenced broker does not lead: {replicas:?}");
            assert!(replicas.contains(&2) && replicas.contains(&3), "one of each rack: {replicas:?}");
        }
    }

    #[test]
    fn too_few_brokers() {
        assert_eq!(placed(&[(0, None, false)], 1, 2), None);
        assert_eq!(placed(&[(0, None, true)], 1, 1), None);
    }
}
