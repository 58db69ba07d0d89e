//! The language of the assignors' tests.

use super::{PartitionRacks, PartitionsPerTopic, assign};
use crate::base::config::Assignor;
use crate::protocol::ConsumerSubscription;
use std::rc::Rc;

/// `t:3 u:east,west`: a topic of three partitions in no rack, and one of two, each in a rack.
pub(super) fn topics(text: &str) -> PartitionsPerTopic {
    let racks = |name: &str| -> PartitionRacks { [Rc::from(name)].into_iter().collect() };
    let topic = |word: &str| {
        let (name, partitions) = word.split_once(':').expect("topic:partitions");
        let partitions = match partitions.parse() {
            Ok(count) => vec![PartitionRacks::default(); count],
            Err(_) => partitions.split(',').map(racks).collect(),
        };
        (Rc::from(name), partitions)
    };
    text.split_whitespace().map(topic).collect()
}

/// A member that is new and wants these topics.
pub(super) fn subscription(topics: &str) -> ConsumerSubscription {
    ConsumerSubscription { topics: topics.split_whitespace().map(Rc::from).collect(), ..Default::default() }
}

/// `member: topic-partition …` for each member.
pub(super) fn assigned(
    assignor: Assignor,
    metadata: &PartitionsPerTopic,
    members: &[(&str, ConsumerSubscription)],
) -> Vec<String> {
    let subscriptions = members.iter().map(|(member, it)| (Rc::from(*member), it.clone())).collect();
    let line = |(member, list): (&Rc<str>, &Vec<(Rc<str>, u32)>)| {
        let mut list = list.clone();
        list.sort();
        let partitions: Vec<String> = list.iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect();
        format!("{member}: {}", partitions.join(" "))
    };
    assign(assignor, metadata, &subscriptions).iter().map(line).collect()
}
