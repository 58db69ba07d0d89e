//! Static members (KIP-345).

use super::*;
use GroupState::{PreparingRebalance, Stable};

fn of_instance(member_id: &str, instance_id: &str) -> JoinGroupRequest {
    JoinGroupRequest { instance_id: Some(instance_id.into()), ..join(member_id) }
}

/// Two static members, the leader first, with their instances.
fn two(lab: &mut Lab) -> [(Rc<str>, &'static str); 2] {
    let joins = ["a", "b"].map(|instance| (lab.join(&of_instance("", instance)), instance));
    lab.advance(9_000);
    let mut members = joins.map(|(join, instance)| (lab.joined(join).expect("joined").member_id.clone(), instance));
    let leader = lab.group().leader().cloned();
    members.sort_by_key(|(id, _)| Some(id) != leader.as_ref());
    lab.sync_all(&[members[0].0.clone(), members[1].0.clone()]);
    members
}

#[test]
fn g8_replace_static_member_in_stable_state_no_error() {
    let mut lab = Lab::new(&[]);
    let [leader, follower] = two(&mut lab);
    assert!(follower.0.starts_with(follower.1));
    let request = lab.join(&of_instance("", follower.1));
    let response = lab.joined(request).expect("at once").clone();
    assert_eq!((response.error, response.generation, response.skip_assignment), (NONE, 1, false));
    assert_ne!(response.member_id, follower.0);
    assert_eq!((lab.state(), lab.group().leader()), (Stable, Some(&leader.0)));
    assert_eq!(lab.heartbeat(&response.member_id, 1), NONE);
    let assigned = lab.sync(&sync(&response.member_id, 1));
    assert_eq!(lab.synced(assigned).expect("at once").assignment, follower.0.as_bytes(), "what it had before");
    let old = lab.groups.group("mail").expect("it exists").validate_member(&follower.0, Some(&follower.1.into()));
    assert_eq!(old, Err(ErrorCode::FencedInstanceId));
    lab.fail_over();
    assert_eq!(lab.heartbeat(&response.member_id, 1), NONE, "its new id was written");
}

#[test]
fn g8_a_leader_that_came_back_does_not_assign() {
    let mut lab = Lab::new(&[]);
    let [leader, _] = two(&mut lab);
    let request = lab.join(&of_instance("", leader.1));
    let response = lab.joined(request).expect("at once");
    assert!(response.skip_assignment && response.leader == response.member_id);
    assert_eq!((response.members.len(), lab.state()), (2, Stable));
}

#[test]
fn g8_a_replacement_that_is_not_written_is_undone() {
    let mut lab = Lab::new(&[]);
    let [_, follower] = two(&mut lab);
    lab.hold = true;
    let request = lab.join(&of_instance("", follower.1));
    lab.end_writes(Err(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(lab.error(request), Some(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(lab.heartbeat(&follower.0, 1), NONE);
}

#[test]
fn other_protocols_of_a_static_member_rebalance() {
    let mut lab = Lab::new(&[]);
    let joins: Vec<u32> = ["a", "b"]
        .iter()
        .map(|instance| {
            let protocols = vec![protocol("range", b""), protocol("sticky", b"")];
            lab.join(&JoinGroupRequest { protocols, ..of_instance("", instance) })
        })
        .collect();
    lab.advance(9_000);
    let ids = joins.iter().map(|join| lab.joined(*join).expect("joined").member_id.clone()).collect();
    let ids = lab.leader_first(ids);
    lab.sync_all(&ids);
    let protocols = vec![protocol("sticky", b"")];
    let request = lab.join(&JoinGroupRequest { protocols, ..of_instance("", "a") });
    assert_eq!((lab.error(request), lab.state()), (None, PreparingRebalance));
}

#[test]
fn who_waits_under_an_old_member_id_is_fenced() {
    let mut lab = Lab::new(&[]);
    let first = lab.join(&of_instance("", "a"));
    let second = lab.join(&of_instance("", "a"));
    assert_eq!(lab.error(first), Some(ErrorCode::FencedInstanceId));
    lab.advance(9_000);
    let id = lab.joined(second).expect("joined").member_id.clone();
    let syncing = lab.sync(&SyncGroupRequest { instance_id: Some("a".into()), ..sync("other", 1) });
    assert_eq!(lab.error(syncing), Some(ErrorCode::FencedInstanceId));
    let nobody = lab.sync(&SyncGroupRequest { instance_id: Some("z".into()), ..sync(&id, 1) });
    assert_eq!(lab.error(nobody), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_until_its_session_ends() {
    let mut lab = Lab::new(&[]);
    let [leader, follower] = two(&mut lab);
    let longer =
        JoinGroupRequest { rebalance_timeout: Duration::from_millis(10_000), ..of_instance(&leader.0, leader.1) };
    let request = lab.join(&longer);
    lab.advance(45_001);
    assert_eq!(lab.group().members().len(), 1, "its session ended before the rebalance did");
    assert_eq!(lab.joined(request).expect("it is alone").generation, 2);
    assert_eq!(lab.heartbeat(&follower.0, 1), ErrorCode::UnknownMemberId);

    let mut lab = Lab::new(&[]);
    let [leader, follower] = two(&mut lab);
    let request = lab.join(&of_instance(&leader.0, leader.1));
    for _ in 0..3 {
        lab.advance(20_000);
        lab.heartbeat(&follower.0, 1);
    }
    assert_eq!(lab.joined(request).expect("the rebalance timeout").members.len(), 2, "it is still a member");
}

#[test]
fn an_administrator_removes_a_static_member_by_its_instance() {
    let mut lab = Lab::new(&[]);
    let [_, follower] = two(&mut lab);
    assert_eq!(lab.leave("", Some("z")), ErrorCode::UnknownMemberId);
    assert_eq!(lab.leave(&follower.0, Some("z")), ErrorCode::UnknownMemberId);
    assert_eq!(lab.leave("other", Some(follower.1)), ErrorCode::FencedInstanceId);
    assert_eq!(lab.leave("", Some(follower.1)), NONE);
    assert_eq!((lab.state(), lab.group().members().len()), (PreparingRebalance, 1));
}
