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
    assert!(lab.events.iter().all(|event| !matches!(event, Event::PartitionChanged { unclean: true, .. })));
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
        lab.events.clear();
        let expected = if allowed { ErrorCode::None } else { ErrorCode::InvalidReplicaAssignment };
        assert_eq!(lab.reassign(None), expected);
        if allowed {
            assert_eq!(lab.assignment(), (vec![0, 1, 2], vec![], vec![]));
            lab.expect(1, 2, 4, &[1]);
            assert!(matches!(lab.events[..], [Event::PartitionChanged { unclean: true, .. }]));
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

/// testReassignPartitionsHandlesNewReassignmentThatRemovesPreviouslyAddingReplicas
#[test]
fn a_new_plan_removes_what_the_old_one_was_adding() {
    let mut lab = Lab::with(&[]);
    (0..6).for_each(|broker| lab.join(broker));
    let assignments = vec![ids([0, 1])];
    let (partitions, replication_factor, config) = (-1, -1, Properties::new());
    let topic = NewTopic { name: Rc::from("orders"), partitions, replication_factor, assignments, config };
    assert_eq!(lab.create_topic(topic), ErrorCode::None);
    assert_eq!(lab.reassign(Some(&[2, 3])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![2, 3, 0, 1], vec![2, 3], vec![0, 1]));
    lab.set_isr(&[0, 1, 2]);
    assert_eq!(lab.elect(ElectionType::Preferred, &[0]), [ErrorCode::None]);
    lab.expect(2, 1, 3, &[0, 1, 2]);
    assert_eq!(lab.reassign(Some(&[4, 5])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![4, 5, 0, 1, 2, 3], vec![4, 5], vec![0, 1, 2, 3]));
    lab.expect(2, 1, 4, &[0, 1, 2]);
    let wish = lab.wish(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(lab.alter(2, wish).error, ErrorCode::NewLeaderElected);
    assert_eq!(lab.assignment(), (vec![4, 5], vec![], vec![]));
    lab.expect(4, 2, 5, &[4, 5]);
}

/// testStoppedLeaderIsDemotedAfterReassignmentCompletesEvenIfNoNewEligibleLeaders
#[test]
fn a_leader_that_went_leads_no_more_even_if_nobody_else_can() {
    let mut partition = PartitionRegistration::new(ids([1, 2]), ids([1, 2]));
    partition.adding_replicas = ids([2]);
    partition.removing_replicas = ids([1]);
    let nobody = |_: BrokerId| false;
    let change = partition_change::PartitionChange::new(P, &partition, &nobody).build().expect("a change");
    assert_eq!(
        (change.leader, &change.replicas, &change.isr),
        (Some(BrokerId::NONE), &Some(ids([2])), &Some(ids([2])))
    );
}

/// testDisallowReplicationFactorChangeNoEffectWhenCancelAlterPartition
#[test]
fn cancelling_asks_for_no_replication_factor() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[0, 1, 2, 3])), ErrorCode::None);
    assert_eq!(lab.reassign_with(None, false), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![0, 1, 2], vec![], vec![]));
}

#[test]
fn a_failover_goes_on_while_a_partition_moves() {
    let mut lab = lab_with(&[]);
    assert_eq!(lab.reassign(Some(&[3, 4, 2])), ErrorCode::None);
    lab.kill([0]);
    // In assignment order: 3 and 4 have nothing yet, so it is 2.
    lab.expect(2, 1, 2, &[1, 2]);
    assert_eq!(lab.assignment(), (vec![3, 4, 2, 0, 1], vec![3, 4], vec![0, 1]));
    let done = lab.alter(2, lab.wish(&[1, 2, 3, 4]));
    assert_eq!((done.error, done.isr), (ErrorCode::None, ids([2, 3, 4])));
    assert_eq!(lab.assignment(), (vec![3, 4, 2], vec![], vec![]));
    lab.expect(2, 2, 3, &[2, 3, 4]);
}

/// Kafka does not ask whether an eligible leader is still a replica (`PartitionChangeBuilder.maybePopulateTargetElr`).
#[test]
fn who_went_may_stay_among_the_eligible_but_is_not_elected() {
    let mut lab = lab_with(&[("min.insync.replicas", "2")]);
    assert_eq!(lab.reassign(Some(&[0])), ErrorCode::None);
    assert_eq!(lab.assignment(), (vec![0], vec![], vec![]));
    assert_eq!(lab.elr(), (vec![1, 2], vec![]), "two were the minimum, and one is left");
    lab.kill([0]);
    assert_eq!((lab.partition().leader, lab.partition().isr.len()), (BrokerId::NONE, 0));
    lab.unfence(0);
    assert_eq!(lab.partition().leader, BrokerId(0));
}
