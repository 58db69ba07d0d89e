//! Who leads after brokers went and came.

use super::*;

const UNCLEAN: &[(&str, &str)] = &[("unclean.leader.election.enable", "true")];

#[test]
fn two_quick_failovers() {
    let mut lab = Lab::cluster_without_elr(3, &[]);
    lab.kill([0]);
    lab.expect(1, 1, 1, &[1, 2]);
    lab.kill([1]);
    lab.expect(2, 2, 2, &[2]);
    lab.kill([2]);
    lab.expect(-1, 3, 3, &[2]);
}

#[test]
fn only_the_last_in_sync_replica_ends_a_clean_outage() {
    let mut lab = Lab::cluster_without_elr(3, &[]);
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
    let mut lab = Lab::cluster_without_elr(3, UNCLEAN);
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

    // It dies before it has said that it has recovered: the next unclean election is told of all the same.
    lab.kill([2]);
    lab.join(0);
    lab.expect(0, 4, 5, &[0]);
    assert_eq!(lab.events.iter().filter(|event| uncleanly(event)).count(), 2);

    // The new leader recovers, and says so.
    let mut recovered = lab.wish(&[0]);
    recovered.leader_recovery_state = LeaderRecoveryState::Recovered;
    assert_eq!(lab.alter(0, recovered).leader_recovery_state, LeaderRecoveryState::Recovered);
    lab.expect(0, 4, 6, &[0]);
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
    let mut lab = Lab::cluster_without_elr(3, &[]);
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
fn d5_elect_preferred_leaders() {
    use ElectionType::Preferred;
    let mut lab = Lab::with(&[("auto.leader.rebalance.enable", "false")]);
    (0..3).for_each(|broker| lab.join(broker));
    assert_eq!(lab.create("orders", 3, 3, &[]), ErrorCode::None);
    assert_eq!(
        lab.elect(Preferred, &[0, 1, 7]),
        [ErrorCode::ElectionNotNeeded, ErrorCode::ElectionNotNeeded, ErrorCode::UnknownTopicOrPartition]
    );
    // Broker 0 begins its controlled shutdown: it leads no more, and may not lead again yet.
    lab.heartbeat_with(0, |request| request.want_shut_down = true);
    lab.expect(1, 1, 1, &[1, 2]);
    let end = lab.controller.log_end_offset();
    assert_eq!(lab.elect(Preferred, &[0]), [ErrorCode::PreferredLeaderNotAvailable]);
    assert_eq!(lab.controller.log_end_offset(), end, "no record");
    lab.heartbeat(1);
    lab.heartbeat(2);
    assert!(lab.heartbeat_with(0, |request| request.want_shut_down = true).should_shut_down);
    lab.pass(9_500);
    lab.heartbeat(1);
    lab.heartbeat(2);
    lab.join_after_clean_stop(0);
    assert_eq!(lab.elect(Preferred, &[0]), [ErrorCode::PreferredLeaderNotAvailable], "not in sync yet");
    lab.set_isr(&[1, 2, 0]);
    assert_eq!(lab.elect(Preferred, &[0, 1]), [ErrorCode::None, ErrorCode::ElectionNotNeeded]);
    lab.expect(0, 2, 3, &[1, 2, 0]);
}

#[test]
fn d5_all_partitions_are_asked_at_once() {
    let mut lab = Lab::with(&[("auto.leader.rebalance.enable", "false")]);
    (0..2).for_each(|broker| lab.join(broker));
    assert_eq!(lab.create("orders", 4, 2, &[]), ErrorCode::None);
    lab.kill([0]);
    let ask = |lab: &mut Lab| {
        let request = ElectLeadersRequest { election: ElectionType::Preferred, partitions: None };
        match lab.call(1, Request::ElectLeaders(request)) {
            Response::ElectLeaders(response) => {
                response.partitions.iter().map(|result| (result.partition, result.error)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let unavailable = ErrorCode::PreferredLeaderNotAvailable;
    assert_eq!(ask(&mut lab), [(0, unavailable), (2, unavailable)], "those that need no election are left out");
    lab.join(0);
    lab.set_isr(&[1, 0]);
    assert_eq!(ask(&mut lab), [(0, ErrorCode::None), (2, unavailable)]);
    lab.expect(0, 2, 3, &[1, 0]);
}

#[test]
fn d6_preferred_election_does_not_trigger_unclean_election() {
    let mut lab = Lab::cluster_without_elr(3, &[]);
    lab.set_isr(&[0]);
    lab.kill([2, 1, 0]);
    lab.join(1);
    lab.expect(-1, 1, 2, &[0]);
    assert_eq!(lab.alter_config(&[("unclean.leader.election.enable", Some("true"))]), ErrorCode::None);
    let end = lab.controller.log_end_offset();
    assert_eq!(lab.elect(ElectionType::Preferred, &[0]), [ErrorCode::PreferredLeaderNotAvailable]);
    assert_eq!(lab.controller.log_end_offset(), end, "no record");
    assert_eq!(lab.elect(ElectionType::Unclean, &[0]), [ErrorCode::None]);
    lab.expect(1, 2, 3, &[1]);
}

#[test]
fn d8_an_unclean_election_by_request_needs_no_permission() {
    let mut lab = Lab::cluster_without_elr(3, &[]);
    lab.set_isr(&[0]);
    lab.kill([0, 1, 2]);
    assert_eq!(lab.elect(ElectionType::Unclean, &[0]), [ErrorCode::EligibleLeadersNotAvailable]);
    lab.join(2);
    lab.expect(-1, 1, 2, &[0]);
    assert_eq!(lab.elect(ElectionType::Unclean, &[0]), [ErrorCode::None]);
    lab.expect(2, 2, 3, &[2]);
    assert_eq!(lab.partition().leader_recovery_state, LeaderRecoveryState::Recovering);
    assert_eq!(lab.elect(ElectionType::Unclean, &[0]), [ErrorCode::ElectionNotNeeded], "somebody leads");
}

#[test]
fn d8_unclean_elections_are_held_from_time_to_time_once_they_are_allowed() {
    let mut lab = Lab::cluster_without_elr(2, &[]);
    lab.set_isr(&[0]);
    lab.kill([0]);
    lab.expect(-1, 1, 2, &[0]);
    let rounds = |lab: &mut Lab, seconds: u32| {
        for _ in 0..seconds {
            lab.pass(1_000);
            lab.heartbeat(1);
        }
    };
    rounds(&mut lab, 310);
    lab.expect(-1, 1, 2, &[0]);
    assert_eq!(lab.alter_config(&[("unclean.leader.election.enable", Some("true"))]), ErrorCode::None);
    lab.expect(-1, 1, 2, &[0]);
    rounds(&mut lab, 310);
    lab.expect(1, 2, 3, &[1]);
}
