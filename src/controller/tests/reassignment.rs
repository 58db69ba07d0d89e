//! AlterPartitionReassignments and ListPartitionReassignments.

use super::*;

impl Lab {
    fn reassign(&mut self, replicas: Option<&[i32]>) -> ErrorCode {
        self.reassign_with(replicas, true)
    }

    fn reassign_with(&mut self, replicas: Option<&[i32]>, allow_replication_factor_change: bool) -> ErrorCode {
        let replicas = replicas.map(|replicas| replicas.iter().copied().map(BrokerId).collect());
        let partitions = vec![Reassignment { topic: Rc::from("orders"), partition: 0, replicas }];
        let request = AlterPartitionReassignmentsRequest { allow_replication_factor_change, partitions };
        match self.call(0, Request::AlterPartitionReassignments(request)) {
            Response::AlterPartitionReassignments(response) => response.partitions[0].error,
            other => panic!("{other:?}"),
        }
    }

    /// Replicas, those that come, those that go.
    fn assignment(&self) -> (Vec<i32>, Vec<i32>, Vec<i32>) {
        let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
        let partition = self.partition();
        (ids(&partition.replicas), ids(&partition.adding_replicas), ids(&partition.removing_replicas))
    }

    fn ongoing(&mut self, partitions: Option<Vec<TopicPartitions>>) -> Vec<OngoingReassignment> {
        match self.call(0, Request::ListPartitionReassignments(ListPartitionReassignmentsRequest { partitions })) {
            Response::ListPartitionReassignments(response) => response.partitions,
            other => panic!("{other:?}"),
        }
    }
}

/// Five brokers; `orders` is on the first three.
fn lab_with(config: &[(&str, &str)]) -> Lab {
    let mut lab = Lab::with(&[]);
    (0..5).for_each(|broker| lab.join(broker));
    assert_eq!(lab.create("orders", 1, 3, config), ErrorCode::None);
    lab.expect(0, 0, 0, &[0, 1, 2]);
    lab
}

#[test]
fn replicas_come_before_others_go() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[3, 1, 2])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![3, 1, 2, 0], vec![3], vec![0]));
    lab.expect(0, 0, 1, &[0, 1, 2]);
    let all = lab.ongoing(None);
    assert_eq!((all.len(), &*all[0].topic, &all[0].replicas), (1, "orders", &ids([3, 1, 2, 0])));
    assert_eq!((&all[0].adding, &all[0].removing), (&ids([3]), &ids([0])));

    // The leader takes the newcomer into the ISR: that completes it. The leader goes, which it learns from its answer.
    let wish = lab.wish(&[0, 1, 2, 3]);
    assert_eq!(lab.alter(0, wish).error, ErrorCode::NewLeaderElected);
    assert_eq!(lab.assignment(), (vec![3, 1, 2], vec![], vec![]));
    lab.expect(3, 1, 2, &[1, 2, 3]);
    assert_eq!(lab.ongoing(None), []);
}

#[test]
fn a_leader_that_stays_begins_a_new_epoch_when_others_go() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[0, 1, 4])), ErrorCode::None);
    lab.expect(0, 0, 1, &[0, 1, 2]);
    let done = lab.alter(0, lab.wish(&[0, 1, 2, 4]));
    assert_eq!((done.error, done.leader_epoch, done.isr), (ErrorCode::None, 1, ids([0, 1, 4])));
    assert_eq!(lab.assignment(), (vec![0, 1, 4], vec![], vec![]));
    lab.expect(0, 1, 2, &[0, 1, 4]);
}

#[test]
fn another_order_needs_no_stages() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[2, 1, 0])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![2, 1, 0], vec![], vec![]));
    lab.expect(0, 0, 1, &[0, 1, 2]);
    assert_eq!(lab.elect(ElectionType::Preferred, &[0]), [ErrorCode::None]);
    lab.expect(2, 1, 2, &[0, 1, 2]);
    assert_eq!(lab.reassign(Some(&[2, 1, 0])), ErrorCode::None, "nothing to do");
    lab.expect(2, 1, 2, &[0, 1, 2]);
}

#[test]
fn reassignments_are_checked() {
    let mut lab = lab_with(&[]);
    for bad in [&[][..], &[0, 0, 1], &[0, 1, 9]] {
        assert_eq!(lab.reassign(Some(bad)), ErrorCode::InvalidReplicaAssignment, "{bad:?}");
    }
    assert_eq!(lab.reassign(None), ErrorCode::NoReassignmentInProgress);
    assert_eq!(lab.reassign_with(Some(&[0, 1]), false), ErrorCode::InvalidReplicationFactor);
    assert_eq!(lab.reassign_with(Some(&[0, 1, 3]), false), ErrorCode::None);
    assert_eq!(lab.reassign_with(Some(&[0, 1, 3, 4]), false), ErrorCode::InvalidReplicationFactor, "three at the end");
    assert_eq!(lab.reassign_with(Some(&[0, 4, 3]), false), ErrorCode::None, "another plan");
    assert_eq!(lab.assignment(), (vec![0, 4, 3, 1, 2], vec![4], vec![1, 2]));
    let asked = |topic: &str, partitions: &[u32]| {
        Some(vec![TopicPartitions { topic: Rc::from(topic), partitions: partitions.to_vec() }])
    };
    assert_eq!(lab.ongoing(asked("orders", &[0, 7])).len(), 1);
    assert_eq!(lab.ongoing(asked("payments", &[0])), []);
    let partitions = vec![Reassignment { topic: Rc::from("orders"), partition: 7, replicas: None }];
    let request = AlterPartitionReassignmentsRequest { allow_replication_factor_change: true, partitions };
    let response = lab.call(0, Request::AlterPartitionReassignments(request));
    assert_eq!(response.error(), ErrorCode::UnknownTopicOrPartition);
}

#[test]
fn what_is_under_way_can_be_cancelled() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[3, 4, 2])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![3, 4, 2, 0, 1], vec![3, 4], vec![0, 1]));
    lab.set_isr(&[0, 1, 2, 3]);
    lab.expect(0, 0, 2, &[0, 1, 2, 3]);
    assert_eq!(lab.reassign(None), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![2, 0, 1], vec![], vec![]));
    // Replicas went, so a new epoch begins.
    lab.expect(0, 1, 3, &[0, 1, 2]);
    assert_eq!(lab.reassign(None), ErrorCode::NoReassignmentInProgress);
}

#[test]
fn cancelling_must_not_lose_records() {
    for allowed in [false, true] {
        let uncleanly: &[_] = if allowed { &[("unclean.leader.election.enable", "true")] } else { &[] };
        let mut lab = lab_with(uncleanly);
        assert_eq!(lab.reassign(Some(&[3, 4])), ErrorCode::None);
        // The old replicas fall out one by one; only a newcomer is in sync at last.
        lab.set_isr(&[0, 3]);
        lab.kill([0]);
        lab.expect(3, 1, 3, &[3]);
        assert_eq!(lab.assignment(), (vec![3, 4, 0, 1, 2], vec![3, 4], vec![0, 1, 2]));
        let expected = if allowed { ErrorCode::None } else { ErrorCode::InvalidReplicaAssignment };
        assert_eq!(lab.reassign(None), expected);
        if allowed {
            assert_eq!(lab.assignment(), (vec![0, 1, 2], vec![], vec![]));
            lab.expect(1, 2, 4, &[1]);
            assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovering);
        } else {
            lab.expect(3, 1, 3, &[3]);
        }
    }
}

#[test]
fn with_fewer_replicas_all_that_stay_must_be_in_sync() {
    let mut lab = Lab::cluster(5);
    lab.set_isr(&[0, 1]);
    assert_eq!(lab.reassign(Some(&[2, 3, 4])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![2, 3, 4, 0, 1], vec![], vec![0, 1]));
    lab.set_isr(&[0, 1, 2]);
    assert_eq!(lab.assignment().2, [0, 1], "an ISR of 2 alone would be too small a thing to go on with");
    lab.set_isr(&[0, 1, 2, 3]);
    let wish = lab.wish(&[0, 1, 2, 3, 4]);
    assert_eq!(lab.alter(0, wish).error, ErrorCode::NewLeaderElected);
    assert_eq!(lab.assignment(), (vec![2, 3, 4], vec![], vec![]));
    lab.expect(2, 1, 5, &[2, 3, 4]);
}

#[test]
fn where_nobody_has_to_come_it_is_done_at_once() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[0, 1])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![0, 1], vec![], vec![]), "0 and 1 are in sync");
    lab.expect(0, 1, 1, &[0, 1]);
}
