//! Joining, leaving, dying; taking over a partition.

use super::*;
use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};

#[test]
fn a_dynamic_member_gets_its_id_first() {
    let mut lab = Lab::new(&[]);
    let id = lab.member_id();
    assert!(id.starts_with("mailer-") && id.len() == "mailer-".len() + 36, "{id}");
    assert_eq!((lab.state(), lab.log.len()), (Empty, 1), "that the group exists is written");
    let request = lab.join(&join(&id));
    lab.advance(2_999);
    assert_eq!(lab.error(request), None, "group.initial.rebalance.delay.ms");
    lab.advance(1);
    let response = lab.joined(request).expect("it was alone");
    assert_eq!((response.generation, &response.leader, response.members.len()), (1, &id, 1));
    assert_eq!(
        (response.protocol_type.as_deref(), response.protocol_name.as_deref()),
        (Some("consumer"), Some("range"))
    );
}

#[test]
fn a_member_id_that_is_not_used_expires() {
    let mut lab = Lab::new(&[]);
    let (used, unused) = (lab.member_id(), lab.member_id());
    let request = lab.join(&join(&used));
    lab.advance(44_999);
    assert_eq!(lab.error(request), Some(NONE), "the initial delay does not wait for it");
    let again = lab.join(&join(&unused));
    assert_eq!(lab.state(), PreparingRebalance);
    assert_eq!(lab.error(again), None);
    let mut lab = Lab::new(&[]);
    let unused = lab.member_id();
    lab.advance(45_000);
    let late = lab.join(&join(&unused));
    assert_eq!(lab.error(late), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn a_pending_member_keeps_others_waiting() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(1);
    let pending = lab.member_id();
    let leader = lab.join(&join(&ids[0]));
    assert_eq!(lab.error(leader), None);
    let second = lab.join(&join(&pending));
    assert_eq!((lab.error(leader), lab.error(second)), (Some(NONE), Some(NONE)));
}

#[test]
fn bad_joins_are_refused() {
    let mut lab = Lab::new(&[("group.max.size", "1")]);
    let error = |lab: &mut Lab, request: JoinGroupRequest| {
        let request = lab.join(&request);
        lab.error(request)
    };
    let timeout = |millis| JoinGroupRequest { session_timeout: Duration::from_millis(millis), ..join("") };
    assert_eq!(error(&mut lab, timeout(5_999)), Some(ErrorCode::InvalidSessionTimeout));
    assert_eq!(error(&mut lab, timeout(1_800_001)), Some(ErrorCode::InvalidSessionTimeout));
    assert_eq!(error(&mut lab, join("stranger")), Some(ErrorCode::UnknownMemberId), "the group is unknown");
    let nothing = JoinGroupRequest { protocols: Vec::new(), ..join("") };
    assert_eq!(error(&mut lab, nothing), Some(ErrorCode::InconsistentGroupProtocol));
    let ids = lab.stable(1);
    let other = JoinGroupRequest { protocols: vec![protocol("sticky", b"")], ..join(&ids[0]) };
    assert_eq!(error(&mut lab, other), Some(ErrorCode::InconsistentGroupProtocol));
    assert_eq!(error(&mut lab, join("")), Some(ErrorCode::GroupMaxSizeReached));
    let mut lab = Lab::new(&[]);
    lab.stable(1);
    assert_eq!(error(&mut lab, join("stranger")), Some(ErrorCode::UnknownMemberId));
    let other = JoinGroupRequest { protocol_type: "connect".into(), ..join("") };
    assert_eq!(error(&mut lab, other), Some(ErrorCode::InconsistentGroupProtocol));
}

#[test]
fn the_protocol_that_most_prefer_among_those_that_all_support() {
    let mut lab = Lab::new(&[]);
    let lists: [&[&str]; 3] = [&["sticky", "range", "roundrobin"], &["roundrobin", "range"], &["roundrobin", "range"]];
    let requests: Vec<JoinGroupRequest> = lists
        .iter()
        .map(|names| JoinGroupRequest {
            protocols: names.iter().map(|name| protocol(name, b"")).collect(),
            ..join(&lab.member_id())
        })
        .collect();
    let joins: Vec<u32> = requests.iter().map(|request| lab.join(request)).collect();
    lab.advance(10_000);
    assert_eq!(lab.joined(joins[0]).expect("joined").protocol_name.as_deref(), Some("roundrobin"));
}

#[test]
fn the_leaders_assignment_counts_once_it_is_written() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(2);
    let follower = lab.sync(&sync(&ids[1], 1));
    lab.hold = true;
    let leader = lab.sync(&assign(&ids[0], 1, &ids));
    assert_eq!((lab.error(leader), lab.error(follower), lab.state()), (None, None, CompletingRebalance));
    lab.end_writes(Ok(()));
    for (request, id) in [(leader, &ids[0]), (follower, &ids[1])] {
        assert_eq!(lab.synced(request).expect("assigned").assignment, id.as_bytes());
    }
    assert_eq!(lab.state(), Stable);
    let again = lab.sync(&sync(&ids[1], 1));
    assert_eq!(lab.synced(again).expect("at once").assignment, ids[1].as_bytes());
}

#[test]
fn an_assignment_that_is_not_written_rebalances() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(2);
    let follower = lab.sync(&sync(&ids[1], 1));
    lab.hold = true;
    let leader = lab.sync(&assign(&ids[0], 1, &ids));
    lab.end_writes(Err(ErrorCode::CoordinatorNotAvailable));
    for request in [leader, follower] {
        assert_eq!(lab.error(request), Some(ErrorCode::CoordinatorNotAvailable));
    }
    assert_eq!(lab.state(), PreparingRebalance);
}

#[test]
fn an_assignment_of_an_old_generation_changes_nothing() {
    let mut lab = Lab::new(&[]);
    let ids = lab.completing(2);
    lab.hold = true;
    let leader = lab.sync(&assign(&ids[0], 1, &ids));
    let old = std::mem::take(&mut lab.uncommitted);
    lab.leave(&ids[1], None);
    assert_eq!(lab.error(leader), Some(ErrorCode::RebalanceInProgress));
    let again = lab.join(&join(&ids[0]));
    assert_eq!(lab.joined(again).expect("it is alone").generation, 2);
    lab.uncommitted = old;
    lab.end_writes(Ok(()));
    assert_eq!(lab.state(), CompletingRebalance);
}

#[test]
fn a_silent_member_is_removed_and_the_others_rebalance() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    lab.advance(40_000);
    assert_eq!(lab.heartbeat(&ids[1], 1), NONE);
    lab.advance(5_000);
    assert_eq!((lab.state(), lab.group().members().len()), (PreparingRebalance, 1), "the leader was silent");
    let request = lab.join(&join(&ids[1]));
    assert_eq!(&lab.joined(request).expect("it is alone").leader, &ids[1]);
}

#[test]
fn who_does_not_join_again_is_out() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(3);
    let follower = lab.join(&JoinGroupRequest { protocols: vec![protocol("range", b"bills")], ..join(&ids[1]) });
    for _ in 0..3 {
        lab.advance(19_999);
        ids.iter().for_each(|id| assert_eq!(lab.heartbeat(id, 1), ErrorCode::RebalanceInProgress));
    }
    lab.advance(3);
    let response = lab.joined(follower).expect("the rebalance timeout");
    assert_eq!((response.generation, &response.leader, response.members.len()), (2, &ids[1], 1), "a new leader");
    assert_eq!(lab.heartbeat(&ids[0], 1), ErrorCode::UnknownMemberId);
}

#[test]
fn leaving_is_at_once() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    assert_eq!(lab.leave("stranger", None), ErrorCode::UnknownMemberId);
    assert_eq!((lab.leave(&ids[1], None), lab.state()), (NONE, PreparingRebalance));
    assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::UnknownMemberId);
    assert_eq!(lab.leave(&ids[0], None), NONE);
    assert_eq!((lab.state(), lab.group().generation()), (Empty, 2));
    assert_eq!(lab.heartbeat(&ids[0], 1), ErrorCode::UnknownMemberId);
    let pending = lab.member_id();
    assert_eq!((lab.leave(&pending, None), lab.leave(&pending, None)), (NONE, ErrorCode::UnknownMemberId));
    let nowhere = LeaveGroupRequest { group: "none".into(), members: Vec::new() };
    assert!(lab.work(|groups, work| groups.leave(&nowhere, work)).members.is_empty());
}

#[test]
fn a_new_member_that_leaves_while_it_joins_is_answered() {
    let mut lab = Lab::new(&[]);
    let id = lab.member_id();
    let request = lab.join(&join(&id));
    assert_eq!(lab.leave(&id, None), NONE);
    assert_eq!(lab.error(request), Some(ErrorCode::UnknownMemberId));
    lab.advance(3_000);
    assert_eq!((lab.state(), lab.group().generation()), (Empty, 1), "nobody was left");
}

#[test]
fn who_takes_over_goes_on_with_the_last_stable_generation() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    let rejoining = lab.join(&join(&ids[0]));
    let before: Vec<ClassicGroupMember> = lab.group().members().cloned().collect();
    lab.fail_over();
    assert_eq!(lab.error(rejoining), Some(ErrorCode::NotCoordinator));
    assert_eq!((lab.state(), lab.group().generation(), lab.group().leader()), (Stable, 1, Some(&ids[0])));
    for (member, before) in lab.group().members().zip(&before) {
        let assigned = (&member.member_id, &member.assignment, &member.protocols, member.session_timeout);
        assert_eq!(assigned, (&before.member_id, &before.assignment, &before.protocols, before.session_timeout));
    }
    ids.iter().for_each(|id| assert_eq!(lab.heartbeat(id, 1), NONE));
    lab.advance(45_000);
    assert_eq!(lab.group().members().len(), 0, "nobody has sent a heartbeat since");
    lab.fail_over();
    assert_eq!((lab.state(), lab.group().generation()), (Empty, 2));
}

#[test]
fn a_group_that_cannot_be_written_does_not_exist() {
    let mut lab = Lab::new(&[]);
    lab.hold = true;
    let request = JoinGroupRequest { instance_id: Some("i".into()), ..join("") };
    let request = lab.join(&request);
    assert_eq!(lab.error(request), None);
    lab.end_writes(Err(ErrorCode::NotCoordinator));
    assert_eq!(lab.error(request), Some(ErrorCode::NotCoordinator));
    assert!(lab.groups.group("mail").is_none());
}

#[test]
fn the_bytes_of_a_group_are_kafkas() {
    let mut lab = Lab::new(&[]);
    let request = JoinGroupRequest { instance_id: Some("i".into()), client_id: "c".into(), ..join("") };
    let request = lab.join(&request);
    lab.advance(3_000);
    let id = lab.joined(request).expect("joined").member_id.clone();
    lab.sync_all(std::slice::from_ref(&id));
    let record = lab.log.last().expect("written");
    assert_eq!(&record.key[..], b"\x00\x02\x00\x04mail");
    let mut golden = b"\x00\x03\x00\x08consumer\x00\x00\x00\x01\x00\x05range\x00\x26".to_vec();
    assert_eq!(id.len(), 0x26);
    golden.extend(id.as_bytes());
    golden.extend(lab.group().state_since.expect("known").to_be_bytes());
    golden.extend(b"\x00\x00\x00\x01\x00\x26");
    golden.extend(id.as_bytes());
    golden.extend(b"\x00\x01i\x00\x01c\x00\x0a/127.0.0.1\x00\x00\xea\x60\x00\x00\xaf\xc8\x00\x00\x00\x06orders");
    golden.extend(b"\x00\x00\x00\x26");
    golden.extend(id.as_bytes());
    assert_eq!(record.value.as_deref(), Some(&golden[..]));
    assert!(GroupMetadata::decode(&golden[..golden.len() - 1]).is_err());
    assert!(GroupMetadata::decode(b"\x00\x09").is_err());
}

/// Whoever waits for the others sends no heartbeats, and need not; who is new for five minutes at most.
#[test]
fn who_waits_does_not_expire() {
    let mut lab = Lab::new(&[]);
    let ids = lab.stable(2);
    let patient = JoinGroupRequest { rebalance_timeout: Duration::from_millis(400_000), ..join(&ids[0]) };
    let leader = lab.join(&patient);
    let id = lab.member_id();
    let new = lab.join(&join(&id));
    for _ in 0..7 {
        lab.advance(40_000);
        assert_eq!(lab.heartbeat(&ids[1], 1), ErrorCode::RebalanceInProgress);
    }
    lab.advance(20_000 - 1);
    assert_eq!((lab.error(leader), lab.error(new), lab.group().members().len()), (None, None, 3));
    lab.advance(1);
    assert_eq!((lab.error(leader), lab.error(new)), (None, Some(ErrorCode::UnknownMemberId)), "five minutes");
    assert_eq!((lab.state(), lab.group().members().len()), (PreparingRebalance, 2));
}
