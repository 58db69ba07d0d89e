//! Kafka's cases of section G.

use super::*;
use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};

#[test]
fn g1_heartbeat_during_preparing_rebalance() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    assert_eq!(lab.heartbeat(&ids[1], 1), NONE);
    lab.join(&join(&ids[0]));
    assert_eq!(lab.state(), PreparingRebalance);
    assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::RebalanceInProgress);
    // It kept its session: without the rebalance's end it lives for one more session timeout.
    lab.advance(44_000);
    assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::RebalanceInProgress);
    assert_eq!(lab.group().members().len(), 2);
}

#[test]
fn g2_join_group_from_unchanged_follower_does_not_rebalance() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(2);
    for state in [CompletingRebalance, Stable] {
        let again = lab.join(&join(&ids[1]));
        let response = lab.joined(again).expect("at once");
        assert_eq!((response.error, response.generation, &*response.leader), (NONE, 1, &*ids[0]));
        assert!(response.members.is_empty(), "it does not lead");
        assert_eq!(lab.state(), state);
        if state == CompletingRebalance {
            let leader = lab.join(&join(&ids[0]));
            assert_eq!(lab.joined(leader).expect("at once").members.len(), 2, "it has lost the answer, too");
            lab.sync_all(&ids);
        }
    }
}

#[test]
fn g2_join_group_from_changed_follower_rebalances() {
    for synced in [false, true] {
        let mut lab = Lab::new(&[]);
        let ids = lab.completing(2);
        let waiting = lab.sync(&sync(&ids[1], 1));
        if synced {
            lab.sync_all(&ids[..1]);
        }
        let changed = JoinGroupRequest { protocols: vec![protocol("range", b"bills")], ..join(&ids[1]) };
        let request = lab.join(&changed);
        assert_eq!((lab.error(request), lab.state()), (None, PreparingRebalance));
        let expected = if synced { NONE } else { ErrorCode::RebalanceInProgress };
        assert_eq!(lab.error(waiting), Some(expected), "who waited for its assignment joins again");
    }
}

#[test]
fn g3_join_group_from_unchanged_leader_should_rebalance() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    let leader = lab.join(&join(&ids[0]));
    assert_eq!((lab.error(leader), lab.state()), (None, PreparingRebalance));
    let follower = lab.join(&join(&ids[1]));
    for request in [leader, follower] {
        assert_eq!(lab.joined(request).expect("all have joined").generation, 2);
    }
    assert_eq!(lab.group().leader(), Some(&ids[0]));
}

#[test]
fn g4_delay_rebalance_up_to_rebalance_timeout() {
    let mut lab = Lab::new(&[("group.initial.rebalance.delay.ms", "5000")]);
    let ids: Vec<Rc<str>> = (0..3).map(|_| lab.member_id()).collect();
    let request = |id: &Rc<str>| JoinGroupRequest { rebalance_timeout: Duration::from_millis(10_000), ..join(id) };
    let (first, second) = (lab.join(&request(&ids[0])), lab.join(&request(&ids[1])));
    lab.advance(5_001);
    assert_eq!((lab.error(first), lab.error(second)), (None, None), "somebody came, so it waits once more");
    let third = lab.join(&request(&ids[2]));
    lab.advance(4_998);
    for waiting in [first, second, third] {
        assert_eq!(lab.error(waiting), None);
    }
    lab.advance(1);
    for waiting in [first, second, third] {
        assert_eq!(lab.error(waiting), Some(NONE), "no longer than the rebalance timeout");
    }
}

#[test]
fn g6_rebalance_times_out_when_sync_request_is_not_received() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(3);
    lab.advance(30_000);
    ids.iter().for_each(|id| assert_eq!(lab.heartbeat(id, 1), NONE));
    lab.advance(29_999);
    ids.iter().for_each(|id| assert_eq!(lab.heartbeat(id, 1), NONE));
    lab.advance(1);
    ids.iter().for_each(|id| assert_eq!(lab.heartbeat(id, 1), ErrorCode::UnknownMemberId));
    assert_eq!((lab.state(), lab.group().generation(), lab.group().members().len()), (Empty, 2, 0));
}

#[test]
fn g6_who_has_synced_goes_on_without_who_has_not() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(3);
    let follower = lab.sync(&sync(&ids[1], 1));
    lab.advance(60_000);
    assert_eq!(lab.error(follower), Some(ErrorCode::RebalanceInProgress));
    let members: Vec<&Rc<str>> = lab.group().members().map(|member| &member.member_id).collect();
    assert_eq!((members, lab.state()), (vec![&ids[1]], PreparingRebalance));
    let again = lab.join(&join(&ids[1]));
    assert_eq!(lab.joined(again).expect("it is alone").members.len(), 1);
}

#[test]
fn g9_sync_group_from_illegal_generation() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(1);
    let late = lab.sync(&sync(&ids[0], 5));
    assert_eq!(lab.error(late), Some(ErrorCode::IllegalGeneration));
    let stranger = lab.sync(&sync("stranger", 1));
    assert_eq!(lab.error(stranger), Some(ErrorCode::UnknownMemberId));
    let other = lab.sync(&SyncGroupRequest { protocol_name: Some("sticky".into()), ..sync(&ids[0], 1) });
    assert_eq!(lab.error(other), Some(ErrorCode::InconsistentGroupProtocol));
    assert_eq!(lab.heartbeat(&ids[0], 5), ErrorCode::IllegalGeneration);
    assert_eq!(lab.heartbeat("stranger", 1), ErrorCode::UnknownMemberId);
}

#[test]
fn g10_offset_commits_while_the_group_rebalances() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(2);
    let commit = |lab: &Lab, id: &str, generation, transactional| {
        lab.group().validate_offset_commit(id, None, generation, transactional)
    };
    assert_eq!(commit(&lab, &ids[1], 1, false), Err(ErrorCode::RebalanceInProgress));
    assert_eq!(commit(&lab, &ids[1], 1, true), Ok(()), "not within a transaction");
    lab.sync_all(&ids);
    lab.join(&join(&ids[0]));
    assert_eq!(lab.state(), PreparingRebalance);
    for transactional in [false, true] {
        assert_eq!(commit(&lab, &ids[1], 1, transactional), Ok(()));
        assert_eq!(commit(&lab, &ids[1], 0, transactional), Err(ErrorCode::IllegalGeneration));
        assert_eq!(commit(&lab, "stranger", 1, transactional), Err(ErrorCode::UnknownMemberId));
        let fenced = lab.group().validate_offset_commit(&ids[1], Some(&"i".into()), 1, transactional);
        assert_eq!(fenced, Err(ErrorCode::UnknownMemberId), "nobody is that instance");
    }
    assert_eq!(commit(&lab, "", -1, false), Err(ErrorCode::UnknownMemberId), "the group has members");
    assert_eq!(commit(&lab, "", -1, true), Ok(()), "producers before KIP-447 name nobody");
}
