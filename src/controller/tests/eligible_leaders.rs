//! Eligible leader replicas (KIP-966): who is known to have every committed record although it is not in the ISR.

use super::*;
use partition_change::{Election, PartitionChange};

const MIN_3: &[(&str, &str)] = &[("min.insync.replicas", "3")];
const MIN_2: &[(&str, &str)] = &[("min.insync.replicas", "2")];

#[test]
fn d9_eligible_leader_replicas_isr_can_shrink_to_zero() {
    // All at once: the builder alone, for a controller fences one broker after the other.
    let mut partition = PartitionRegistration::new(ids([1, 2, 3, 4]), ids([1, 2, 3, 4]));
    let nobody = |_: BrokerId| false;
    let change = PartitionChange::new(P, &partition, &nobody).isr(Vec::new());
    let change = change.eligible_leader_replicas(Some(3)).build().expect("a change");
    partition.merge(&change);
    assert_eq!((partition.leader, partition.isr.len()), (BrokerId::NONE, 0));
    assert_eq!((&partition.elr, &partition.last_known_elr), (&ids([1, 2, 3, 4]), &ids([1])));

    // One after the other: the first still leaves an ISR that is large enough.
    let mut lab = Lab::cluster_with(4, MIN_3);
    lab.kill([0, 1, 2, 3]);
    lab.expect(-1, 4, 4, &[]);
    assert_eq!(lab.elr(), (vec![1, 2, 3], vec![3]));
}

#[test]
fn d12_eligible_leader_replicas_clean_election() {
    let mut lab = Lab::cluster_with(4, MIN_3);
    lab.kill([1, 2, 3]);
    lab.expect(0, 0, 3, &[0]);
    assert_eq!(lab.elr(), (vec![2, 3], vec![]), "1 left while the ISR was still large enough");
    lab.unfence(2);
    lab.kill([0, 1]);
    lab.expect(2, 1, 4, &[2]);
    assert_eq!(lab.elr(), (vec![0, 3], vec![]));
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovered, "it lacks nothing");
}

#[test]
fn d11_eligible_leader_replicas_elect_last_known_leader() {
    let mut lab = Lab::cluster_with(3, MIN_2);
    lab.set_isr(&[0, 1]);
    lab.kill([0]);
    lab.expect(1, 1, 2, &[1]);
    assert_eq!(lab.elr(), (vec![0], vec![]));
    lab.kill([1]);
    lab.expect(-1, 2, 3, &[]);
    assert_eq!(lab.elr(), (vec![0, 1], vec![1]));
    // Both stopped uncleanly: nobody is known to have everything any more.
    assert_eq!(lab.register(0).error, ErrorCode::None);
    assert_eq!(lab.elr(), (vec![1], vec![1]));
    lab.heartbeat(0);
    lab.expect(-1, 2, 4, &[]);
    assert_eq!(lab.register(1).error, ErrorCode::None);
    assert_eq!(lab.elr(), (vec![], vec![1]));
    lab.expect(-1, 2, 5, &[]);
    lab.heartbeat(1);
    lab.expect(1, 3, 6, &[1]);
    assert_eq!(lab.elr(), (vec![], vec![]));
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovering);
}

#[test]
fn the_last_known_leader_is_not_passed_over_for_another() {
    let mut partition = PartitionRegistration::new(ids([1, 2]), ids([1]));
    let nobody = |_: BrokerId| false;
    let change = PartitionChange::new(P, &partition, &nobody).isr(Vec::new());
    let change = change.unclean_shutdown(BrokerId(1)).eligible_leader_replicas(Some(1)).build().expect("a change");
    partition.merge(&change);
    assert_eq!((partition.isr.len(), partition.elr.len(), &partition.last_known_elr), (0, 0, &ids([1])));
    let second = |broker| broker == BrokerId(2);
    let change = PartitionChange::new(P, &partition, &second);
    assert_eq!(change.eligible_leader_replicas(Some(1)).build(), None, "2 never had it all");
    // Even a preferred election may make the last known leader lead (`electPreferredLeader`).
    let first = |broker| broker == BrokerId(1);
    let change = PartitionChange::new(P, &partition, &first).election(Election::Preferred);
    let change = change.eligible_leader_replicas(Some(1)).build().expect("an election");
    assert_eq!((change.leader, change.isr), (Some(BrokerId(1)), Some(ids([1]))));
    assert_eq!(change.leader_recovery_state, Some(LeaderRecoveryState::Recovering));
}

#[test]
fn a_clean_stop_keeps_its_place_an_unclean_one_loses_it() {
    for clean in [true, false] {
        let mut lab = Lab::cluster_with(3, MIN_2);
        lab.kill([2, 1]);
        lab.expect(0, 0, 2, &[0]);
        assert_eq!(lab.elr(), (vec![1], vec![]));
        if clean {
            lab.join_after_clean_stop(1)
        } else {
            lab.join(1)
        }
        assert_eq!(lab.elr().0, if clean { vec![1] } else { vec![] });
        lab.kill([0]);
        lab.expect(if clean { 1 } else { -1 }, 1, if clean { 3 } else { 4 }, if clean { &[1] } else { &[] });
    }
}

#[test]
fn the_isr_may_take_in_an_eligible_replica_again() {
    let mut lab = Lab::cluster_with(3, MIN_2);
    lab.kill([2, 1]);
    assert_eq!(lab.elr(), (vec![1], vec![]));
    lab.join_after_clean_stop(1);
    lab.set_isr(&[0, 1]);
    assert_eq!(lab.elr(), (vec![], vec![]), "large enough again: nobody need be remembered");
}

#[test]
fn an_unclean_election_forgets_the_eligible() {
    let mut lab = Lab::cluster_with(4, &[("min.insync.replicas", "3"), ("unclean.leader.election.enable", "true")]);
    lab.set_isr(&[0, 1, 2]);
    lab.kill([2, 1, 0]);
    // 3 never had it all, but it lives.
    lab.expect(3, 1, 4, &[3]);
    assert_eq!(lab.elr(), (vec![], vec![]));
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovering);
}

#[test]
fn another_minimum_clears_the_eligible() {
    let mut lab = Lab::cluster_with(3, MIN_2);
    lab.kill([2, 1]);
    assert_eq!(lab.elr(), (vec![1], vec![]));
    assert_eq!(lab.alter_config(&[("retention.ms", Some("1000"))]), ErrorCode::None);
    assert_eq!(lab.elr(), (vec![1], vec![]), "another setting");
    assert_eq!(lab.alter_config(&[("min.insync.replicas", Some("x"))]), ErrorCode::InvalidConfig);
    assert_eq!(lab.elr(), (vec![1], vec![]), "refused");
    assert_eq!(lab.alter_config(&[("min.insync.replicas", Some("1"))]), ErrorCode::None);
    assert_eq!(lab.elr(), (vec![], vec![]));
    lab.expect(0, 0, 3, &[0]);

    let broker = |id: Option<i32>, value: Option<&str>| AlterConfigs {
        resource: Configurable::Broker(id.map(BrokerId)),
        changes: vec![(Rc::from("min.insync.replicas"), value.map(Rc::from))],
    };
    assert_eq!(lab.alter_configs(broker(Some(1), Some("2"))), ErrorCode::InvalidConfig, "all brokers the same");
    assert_eq!(lab.alter_configs(broker(None, None)), ErrorCode::InvalidConfig, "the cluster keeps one");
    assert_eq!(lab.alter_configs(broker(None, Some("2"))), ErrorCode::None);
}

#[test]
fn another_minimum_while_nobody_leads_forgets_who_might() {
    // So it is in Kafka: only an unclean election helps then.
    let mut lab = Lab::cluster_with(2, MIN_2);
    lab.kill([1, 0]);
    lab.expect(-1, 1, 2, &[]);
    assert_eq!(lab.elr(), (vec![0, 1], vec![0]));
    assert_eq!(lab.alter_config(&[("min.insync.replicas", Some("1"))]), ErrorCode::None);
    assert_eq!(lab.elr(), (vec![], vec![]));
    lab.unfence(0);
    lab.unfence(1);
    lab.expect(-1, 1, 3, &[]);
    assert_eq!(lab.elect(ElectionType::Unclean, &[0]), [ErrorCode::None]);
    lab.expect(0, 2, 4, &[0]);
}

#[test]
fn the_minimum_is_never_more_than_the_replicas() {
    let mut lab = Lab::cluster_with(2, MIN_3);
    lab.kill([1]);
    assert_eq!(lab.elr(), (vec![1], vec![]), "min.insync.replicas is 2 in effect");
    let mut lab = Lab::cluster_without_elr(2, MIN_3);
    lab.kill([1, 0]);
    assert_eq!(lab.elr(), (vec![], vec![]), "the feature is off");
    lab.expect(-1, 1, 2, &[0]);
}
