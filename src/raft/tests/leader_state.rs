//! What a leader knows of the others (`LeaderStateTest`).

use super::super::leader::LeaderState;
use super::*;

const TIMEOUT: Duration = Duration::from_millis(2_000);

fn leader_of(voters: u16, epoch_start: Offset) -> LeaderState {
    let voters: Vec<_> = (0..voters).map(NodeId).collect();
    LeaderState::new(ME, &voters, epoch_start, TIMEOUT, Time(0))
}

#[test]
fn test_update_high_watermark_quorum_size_one() {
    let mut leader = leader_of(1, 15);
    assert_eq!(leader.high_watermark, None);
    assert!(leader.update_local(16));
    assert_eq!(leader.high_watermark, Some(16));
    assert!(leader.update_local(20) && !leader.update_local(20));
    assert_eq!(leader.high_watermark, Some(20));
    assert_eq!(leader.check_quorum_at(), Time::MAX, "there is nobody to wait for");
}

#[test]
fn test_update_high_watermark_quorum_size_two() {
    let mut leader = leader_of(2, 10);
    assert!(!leader.update_local(13));
    assert!(!leader.update_replica(A, Time(1), 10, 13), "not beyond the start of the epoch");
    assert!(leader.update_replica(A, Time(2), 11, 13));
    assert_eq!(leader.high_watermark, Some(11));
    assert!(leader.update_replica(A, Time(3), 13, 13));
    assert_eq!(leader.high_watermark, Some(13));
}

#[test]
fn test_update_high_watermark_quorum_size_three() {
    let mut leader = leader_of(3, 10);
    assert!(!leader.update_local(15));
    assert!(!leader.update_replica(A, Time(1), 10, 15));
    assert!(!leader.update_replica(B, Time(2), 10, 15));
    assert!(leader.update_replica(B, Time(3), 15, 15));
    assert_eq!(leader.high_watermark, Some(15));
    assert!(!leader.update_local(20));
    assert!(leader.update_replica(A, Time(4), 20, 20));
    assert_eq!(leader.high_watermark, Some(20));
    assert!(!leader.update_replica(B, Time(5), 20, 20));
}

#[test]
fn test_non_monotonic_follower_end_offset_does_not_move_it_back() {
    let mut leader = leader_of(3, 0);
    leader.update_local(5);
    assert!(leader.update_replica(A, Time(1), 5, 5));
    assert!(!leader.update_replica(A, Time(2), 3, 5));
    assert_eq!(leader.high_watermark, Some(5));
}

#[test]
fn test_no_op_for_observers() {
    let mut leader = leader_of(3, 0);
    leader.update_local(5);
    assert!(!leader.update_replica(NodeId(9), Time(1), 5, 5));
    assert_eq!(leader.high_watermark, None);
    assert_eq!(leader.replicas(Time(1)).1.count(), 1);
    assert_eq!(leader.replicas(Time(300_000_001)).1.count(), 0, "forgotten after five minutes");
}

#[test]
fn test_check_quorum() {
    let mut leader = leader_of(5, 0);
    assert_eq!(leader.check_quorum_at(), Time(3_000_000));
    leader.follows(A, Time(1_000));
    leader.follows(A, Time(2_000));
    leader.follows(NodeId(9), Time(2_000));
    assert_eq!(leader.check_quorum_at(), Time(3_000_000), "one voter and the leader are no majority of five");
    leader.follows(B, Time(3_000));
    assert_eq!(leader.check_quorum_at(), Time(3_003_000));
}

#[test]
fn test_last_caught_up_time_voters() {
    let caught_up = |leader: &LeaderState| leader.replicas(Time(0)).0[1].last_caught_up;
    let mut leader = leader_of(3, 0);
    leader.update_local(10);
    leader.update_replica(A, Time(1), 8, 10);
    assert_eq!(caught_up(&leader), None);
    leader.update_replica(A, Time(2), 10, 12);
    assert_eq!(caught_up(&leader), Some(Time(1)), "it has what there was at its last fetch");
    leader.update_replica(A, Time(3), 12, 12);
    assert_eq!(caught_up(&leader), Some(Time(3)));
}

#[test]
fn test_voters_are_told_who_leads_until_they_fetch() {
    let mut leader = leader_of(3, 0);
    assert_eq!(leader.voters_to_tell(Time(0)), [A, B]);
    assert_eq!(leader.begin_epoch_at, Time(1_000_000));
    leader.update_replica(B, Time(500_000), 0, 0);
    assert_eq!(leader.voters_to_tell(Time(1_000_000)), [A]);
    assert_eq!(leader.voters_to_tell(Time(2_000_000)), [A, B], "both are silent now");
}
