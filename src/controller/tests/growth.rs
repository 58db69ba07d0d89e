//! CreatePartitions.

use super::*;

impl Lab {
    fn grow(&mut self, name: &str, count: i32, assignments: Option<Vec<Vec<BrokerId>>>) -> ErrorCode {
        let topics = vec![NewPartitions { name: Rc::from(name), count, assignments }];
        match self.call(0, Request::CreatePartitions(CreatePartitionsRequest { topics })) {
            Response::CreatePartitions(response) => response.topics[0].error,
            other => panic!("{other:?}"),
        }
    }

    fn replicas_of(&self, partition: u32) -> Vec<i32> {
        let at = TopicPartition::new(TopicId(1), partition);
        self.controller.image().partition(at).expect("it exists").replicas.iter().map(|replica| replica.0).collect()
    }
}

#[test]
fn create_partitions() {
    let mut lab = Lab::cluster(3);
    assert_eq!(lab.grow("orders", 1, None), ErrorCode::InvalidPartitions, "that many there are");
    assert_eq!(lab.grow("orders", 0, None), ErrorCode::InvalidPartitions);
    assert_eq!(lab.grow("orders", -4, None), ErrorCode::InvalidPartitions);
    assert_eq!(lab.grow("payments", 4, None), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(lab.grow("orders", 3, None), ErrorCode::None);
    let placed: Vec<_> = (0..3).map(|partition| lab.replicas_of(partition)).collect();
    assert_eq!(placed, [[0, 1, 2], [1, 2, 0], [2, 0, 1]], "the stripes go on");
    let last = lab.controller.image().partition(TopicPartition::new(TopicId(1), 2)).expect("it was created");
    assert_eq!((last.leader, last.leader_epoch, last.partition_epoch), (BrokerId(2), 0, 0));
}

#[test]
fn create_partitions_by_hand() {
    let mut lab = Lab::cluster(3);
    assert_eq!(lab.create("pairs", 1, 2, &[]), ErrorCode::None);
    for bad in [vec![], vec![ids([0, 1]), ids([1, 2])], vec![ids([0, 1, 2])], vec![ids([0, 0])], vec![ids([0, 9])]] {
        assert_eq!(lab.grow("pairs", 2, Some(bad.clone())), ErrorCode::InvalidReplicaAssignment, "{bad:?}");
    }
    lab.kill([2]);
    assert_eq!(lab.grow("pairs", 2, Some(vec![ids([2, 1])])), ErrorCode::None);
    let pairs = lab.controller.image().topic_id("pairs").expect("it exists");
    let partition = lab.controller.image().partition(TopicPartition::new(pairs, 1)).expect("it was created");
    assert_eq!((partition.leader, &partition.isr), (BrokerId(1), &ids([1])), "2 is fenced");
    lab.kill([1]);
    assert_eq!(lab.grow("pairs", 3, Some(vec![ids([2, 1])])), ErrorCode::InvalidReplicaAssignment, "nobody lives");
}

#[test]
fn create_partitions_in_a_cluster_that_lost_brokers() {
    let mut lab = Lab::cluster(3);
    lab.kill([1]);
    assert_eq!(lab.grow("orders", 4, None), ErrorCode::None);
    for partition in 1..4 {
        let replicas = lab.replicas_of(partition);
        assert!(replicas[0] != 1 && replicas.len() == 3, "a fenced broker follows: {replicas:?}");
    }
    lab.kill([0, 2]);
    assert_eq!(lab.grow("orders", 5, None), ErrorCode::InvalidReplicationFactor);
}
