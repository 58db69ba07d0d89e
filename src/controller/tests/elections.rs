//! Who leads after brokers went and came.

use super::*;

const UNCLEAN: &[(&str, &str)] = &[("unclean.leader.election.enable", "true")];

#[test]
fn two_quick_failovers() {
    let mut lab = Lab::cluster(3);
    lab.kill([0]);
    lab.expect(1, 1, 1, &[1, 2]);
    lab.kill([1]);
    lab.expect(2, 2, 2, &[2]);
    lab.kill([2]);
    lab.expect(-1, 3, 3, &[2]);
}

#[test]
fn only_the_last_in_sync_replica_ends_a_clean_outage() {
    let mut lab = Lab::cluster(3);
    lab.kill([0, 1, 2]);
    lab.join(0);
    lab.expect(-1, 3, 3, &[2]);
    lab.join(2);
    lab.expect(2, 4, 4, &[2]);
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovered);
}

#[test]
fn a_follower_that_leaves_costs_no_leader_epoch() {
    let mut lab = Lab::cluster(3);
    lab.kill([2]);
    lab.expect(0, 0, 1, &[0, 1]);
    lab.join(2);
    lab.expect(0, 0, 1, &[0, 1]);
}

#[test]
fn who_is_out_of_sync_is_passed_over() {
    let mut lab = Lab::cluster(3);
    lab.set_isr(&[0, 2]);
    lab.kill([0]);
    lab.expect(2, 1, 2, &[2]);
}

#[test]
fn d8_unclean_leader_election() {
    let mut lab = Lab::cluster_with(3, UNCLEAN);
    lab.set_isr(&[0]);
    lab.kill([1, 2, 0]);
    lab.expect(-1, 1, 2, &[0]);
    lab.events.clear();
    lab.join(2);
    lab.expect(2, 2, 3, &[2]);
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovering);
    assert!((lab.partition().elr.is_empty()) && lab.partition().last_known_elr.is_empty());
    let uncleanly = |event: &Event| matches!(event, Event::PartitionChanged { unclean: true, .. });
    assert_eq!(lab.events.iter().filter(|event| uncleanly(event)).count(), 1);

    // The new leader recovers, and says so.
    let mut recovered = lab.wish(&[2]);
    recovered.leader_recovery_state = LeaderRecoveryState::Recovered;
    assert_eq!(lab.alter(2, recovered).leader_recovery_state, LeaderRecoveryState::Recovered);
    lab.expect(2, 2, 4, &[2]);
}

#[test]
fn d8_an_unclean_election_takes_place_at_once_when_the_last_one_leaves() {
    let mut lab = Lab::cluster_with(3, UNCLEAN);
    lab.set_isr(&[0]);
    lab.kill([0]);
    lab.expect(1, 1, 2, &[1]);
}

#[test]
fn without_permission_there_is_no_unclean_election() {
    let mut lab = Lab::cluster(3);
    lab.set_isr(&[0]);
    lab.kill([0]);
    lab.expect(-1, 1, 2, &[0]);
    lab.kill([1, 2]);
    lab.pass(600_000);
    lab.join(1);
    lab.expect(-1, 1, 2, &[0]);
}

#[test]
fn d5_leadership_returns_to_the_preferred_replica() {
    let mut lab = Lab::cluster(2);
    lab.kill([0]);
    lab.expect(1, 1, 1, &[1]);
    lab.join(0);
    let rounds = |lab: &mut Lab| {
        for _ in 0..310 {
            lab.pass(1_000);
            lab.heartbeat(0);
            lab.heartbeat(1);
        }
    };
    rounds(&mut lab);
    lab.expect(1, 1, 1, &[1]);
    lab.set_isr(&[1, 0]);
    lab.expect(1, 1, 2, &[1, 0]);
    rounds(&mut lab);
    lab.expect(0, 2, 3, &[1, 0]);
}

#[test]
fn d9_eligible_leader_replicas_when_all_die_at_once() {
    // The builder alone: the feature itself is off.
    let mut partition = PartitionRegistration::new(ids([1, 2, 3, 4]), ids([1, 2, 3, 4]));
    let nobody = |_: BrokerId| false;
    let change = partition_change::PartitionChange::new(P, &partition, &nobody).isr(Vec::new());
    let change = change.eligible_leader_replicas(Some(3)).build().expect("a change");
    partition.merge(&change);
    assert_eq!((partition.leader, partition.isr.len()), (BrokerId::NONE, 0));
    assert_eq!((&partition.elr, &partition.last_known_elr), (&ids([1, 2, 3, 4]), &ids([1])));
}

#[test]
fn d9_the_last_known_leader_returns_after_unclean_stops() {
    let mut partition = PartitionRegistration::new(ids([1, 2]), ids([1]));
    let nobody = |_: BrokerId| false;
    let change = partition_change::PartitionChange::new(P, &partition, &nobody).isr(Vec::new());
    let change = change.unclean_shutdown(BrokerId(1)).eligible_leader_replicas(Some(1)).build().expect("a change");
    partition.merge(&change);
    assert_eq!((partition.isr.len(), partition.elr.len(), &partition.last_known_elr), (0, 0, &ids([1])));
    let second = |broker| broker == BrokerId(2);
    let change = partition_change::PartitionChange::new(P, &partition, &second);
    assert_eq!(change.eligible_leader_replicas(Some(1)).build(), None, "2 never had it all");
    let both = |_: BrokerId| true;
    let change = partition_change::PartitionChange::new(P, &partition, &both);
    partition.merge(&change.eligible_leader_replicas(Some(1)).build().expect("an election"));
    assert_eq!((partition.leader, &partition.isr, partition.last_known_elr.len()), (BrokerId(1), &ids([1]), 0));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovering);
}

#[test]
fn eligible_leader_replicas_are_kept_when_the_feature_is_on() {
    let mut partition = PartitionRegistration::new(ids([1, 2, 3, 4]), ids([1, 2, 3, 4]));
    let dead = std::cell::Cell::new(0);
    let acceptable = |broker: BrokerId| broker.0 > dead.get();
    for broker in 1..=4 {
        dead.set(broker);
        let isr = partition.isr.iter().copied().filter(|member| member.0 != broker).collect();
        let change = partition_change::PartitionChange::new(P, &partition, &acceptable);
        let change = change.isr(isr).eligible_leader_replicas(Some(3)).build().expect("a change");
        partition.merge(&change);
    }
    assert_eq!((partition.leader, partition.isr.len()), (BrokerId::NONE, 0));
    assert_eq!((&partition.elr, &partition.last_known_elr), (&ids([2, 3, 4]), &ids([4])));
    dead.set(2);
    let change = partition_change::PartitionChange::new(P, &partition, &acceptable);
    partition.merge(&change.eligible_leader_replicas(Some(3)).build().expect("an election"));
    assert_eq!((partition.leader, &partition.isr, &partition.elr), (BrokerId(3), &ids([3]), &ids([2, 4])));
    assert_eq!(partition.leader_recovery_state, LeaderRecoveryState::Recovered, "that was a clean election");
}
