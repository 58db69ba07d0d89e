//! AlterPartition and CreateTopics.

use super::*;

#[test]
fn d1_invalid_alter_partition_requests() {
    let mut lab = Lab::cluster(4);
    lab.set_isr(&[0, 1, 2, 3]);
    lab.set_isr(&[0, 1]);
    let good = lab.wish(&[0, 1, 2]);
    let member = |id| BrokerState { broker: BrokerId(id), epoch: -1 };

    assert_eq!(lab.alter(1, good.clone()).error, ErrorCode::InvalidRequest, "not the leader");
    let stale = lab.alter_with_epoch(0, lab.epochs[&BrokerId(0)] - 1, good.clone());
    assert_eq!((stale.error, stale.partitions.len()), (ErrorCode::StaleBrokerEpoch, 0));
    let ahead = AlterPartition { leader_epoch: 500, ..good.clone() };
    assert_eq!(lab.alter(0, ahead).error, ErrorCode::NotController);
    let ahead = AlterPartition { partition_epoch: 500, ..good.clone() };
    assert_eq!(lab.alter(0, ahead).error, ErrorCode::NotController);
    let behind = AlterPartition { partition_epoch: good.partition_epoch - 1, ..good.clone() };
    assert_eq!(lab.alter(0, behind).error, ErrorCode::InvalidUpdateVersion);
    let stranger = AlterPartition { new_isr: [0, 1, 9].map(member).to_vec(), ..good.clone() };
    assert_eq!(lab.alter(0, stranger).error, ErrorCode::InvalidRequest);
    let twice = AlterPartition { new_isr: [0, 1, 1].map(member).to_vec(), ..good.clone() };
    assert_eq!(lab.alter(0, twice).error, ErrorCode::InvalidRequest);
    let without_leader = AlterPartition { new_isr: [1, 2].map(member).to_vec(), ..good.clone() };
    assert_eq!(lab.alter(0, without_leader).error, ErrorCode::InvalidRequest);
    let recovering = AlterPartition { leader_recovery_state: LeaderRecoveryState::Recovering, ..good.clone() };
    assert_eq!(lab.alter(0, recovering.clone()).error, ErrorCode::InvalidRequest, "alone, if it recovers");
    let alone = AlterPartition { new_isr: vec![member(0)], ..recovering };
    assert_eq!(lab.alter(0, alone).error, ErrorCode::InvalidRequest, "it recovered long ago");
    let other = AlterPartition { partition: TopicPartition::new(TopicId(1), 5), ..good.clone() };
    assert_eq!(lab.alter(0, other).error, ErrorCode::UnknownTopicOrPartition);
    let other = AlterPartition { partition: TopicPartition::new(TopicId(5), 0), ..good.clone() };
    assert_eq!(lab.alter(0, other).error, ErrorCode::UnknownTopicId);

    lab.expect(0, 0, 1, &[0, 1]);
    assert_eq!(lab.alter(0, good).error, ErrorCode::None, "the good one was good");
}

#[test]
fn d2_shrink_and_expand_isr() {
    let mut lab = Lab::cluster(3);
    lab.expect(0, 0, 0, &[0, 1, 2]);
    let shrunk = lab.alter(0, lab.wish(&[0, 1]));
    assert_eq!((shrunk.leader_epoch, shrunk.partition_epoch, shrunk.isr), (0, 1, ids([0, 1])));
    let expanded = lab.alter(0, lab.wish(&[0, 1, 2]));
    assert_eq!((expanded.leader_epoch, expanded.partition_epoch, expanded.isr), (0, 2, ids([0, 1, 2])));
    lab.expect(0, 0, 2, &[0, 1, 2]);
}

#[test]
fn a_wish_that_changes_nothing_moves_no_epoch() {
    let mut lab = Lab::cluster(3);
    let end = lab.controller.log_end_offset();
    assert_eq!(lab.alter(0, lab.wish(&[0, 1, 2])).partition_epoch, 0);
    assert_eq!(lab.controller.log_end_offset(), end, "no record either");
}

#[test]
fn a_stale_leader_is_fenced_by_its_epoch() {
    let mut lab = Lab::cluster(3);
    let late = lab.wish(&[0]);
    lab.kill([0]);
    lab.expect(1, 1, 1, &[1, 2]);
    lab.join(0);
    assert_eq!(lab.alter(0, late).error, ErrorCode::FencedLeaderEpoch);
    lab.expect(1, 1, 1, &[1, 2]);
}

#[test]
fn who_is_not_well_may_not_join_the_isr() {
    let mut lab = Lab::cluster(3);
    lab.set_isr(&[0, 1]);
    let old_epoch = lab.epochs[&BrokerId(2)];
    lab.kill([2]);
    assert_eq!(lab.alter(0, lab.wish(&[0, 1, 2])).error, ErrorCode::IneligibleReplica, "fenced");
    lab.join(2);
    let with_epoch = |lab: &Lab, epoch| {
        let mut wish = lab.wish(&[0, 1, 2]);
        wish.new_isr[2].epoch = epoch;
        wish
    };
    let wish = with_epoch(&lab, old_epoch);
    assert_eq!(lab.alter(0, wish).error, ErrorCode::IneligibleReplica, "an earlier life");
    let wish = with_epoch(&lab, lab.epochs[&BrokerId(2)]);
    assert_eq!(lab.alter(0, wish).error, ErrorCode::None);
}

#[test]
fn topics_are_checked() {
    let mut lab = Lab::cluster(3);
    assert_eq!(lab.create("orders", 1, 3, &[]), ErrorCode::TopicAlreadyExists);
    for name in ["", ".", "..", "a b", "ü", &"x".repeat(250)] {
        assert_eq!(lab.create(name, 1, 3, &[]), ErrorCode::InvalidTopicException, "{name:?}");
    }
    assert_eq!(lab.create("a.b", 1, 3, &[]), ErrorCode::None);
    assert_eq!(lab.create("a_b", 1, 3, &[]), ErrorCode::InvalidTopicException, "collides");
    assert_eq!(lab.create("c", 0, 3, &[]), ErrorCode::InvalidPartitions);
    assert_eq!(lab.create("c", 1, 0, &[]), ErrorCode::InvalidReplicationFactor);
    assert_eq!(lab.create("c", 1, 4, &[]), ErrorCode::InvalidReplicationFactor);
    assert_eq!(lab.create("c", 1, 3, &[("min.insync.replicas", "none")]), ErrorCode::InvalidConfig);
    assert_eq!(lab.create("c", -1, -1, &[("min.insync.replicas", "2")]), ErrorCode::None);
    let topic = lab.controller.image().topic_id("c").expect("it was created");
    let image = lab.controller.image().topic(topic).expect("it was created");
    assert_eq!((image.partitions.len(), &image.config["min.insync.replicas"][..]), (1, "2"));
    assert_eq!(image.partitions[0].replicas.len(), 1, "default.replication.factor");
}

#[test]
fn replicas_are_placed_by_hand() {
    let mut lab = Lab::cluster(3);
    let topic = |assignments: Vec<Vec<BrokerId>>| NewTopic {
        name: Rc::from("hand"),
        partitions: -1,
        replication_factor: -1,
        assignments,
        config: Properties::new(),
    };
    let bad = [vec![ids([0, 0])], vec![ids([0, 7])], vec![ids([0, 1]), ids([1])], vec![vec![]]];
    for assignments in bad {
        assert_eq!(lab.create_topic(topic(assignments)), ErrorCode::InvalidReplicaAssignment);
    }
    let counted = NewTopic { partitions: 1, ..topic(vec![ids([2, 1])]) };
    assert_eq!(lab.create_topic(counted), ErrorCode::InvalidRequest);
    lab.kill([2]);
    assert_eq!(lab.create_topic(topic(vec![ids([2, 1]), ids([1, 2])])), ErrorCode::None);
    let hand = lab.controller.image().topic_id("hand").expect("it was created");
    let partition = lab.controller.image().partition(TopicPartition::new(hand, 0)).expect("partition 0");
    assert_eq!((partition.leader, &partition.isr), (BrokerId(1), &ids([1])), "the fenced one does not count");
}

#[test]
fn leaders_of_the_offsets_topic_go_round() {
    let mut lab = Lab::cluster(3);
    lab.expect(0, 0, 0, &[0, 1, 2]);
    assert_eq!(lab.create("__consumer_offsets", 50, 3, &[("cleanup.policy", "compact")]), ErrorCode::None);
    let topic = lab.controller.image().topic_id("__consumer_offsets").expect("it was created");
    let image = lab.controller.image().topic(topic).expect("it was created");
    let leaders: Vec<_> = image.partitions.iter().map(|partition| partition.leader.0).collect();
    assert_eq!(leaders, (0..50).map(|partition| partition % 3).collect::<Vec<_>>());
}
