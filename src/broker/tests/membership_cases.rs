//! Members of a group at its coordinator, and commits of offsets held against them (KIP-447, GroupCoordinatorServiceTest).

use super::group_bench::{ID, Lab, OFFSETS};
use super::offset_cases::request as txn_commit;
use crate::base::Duration;
use crate::broker::context::Context;
use crate::broker::group_coordinator::GroupCoordinator;
use crate::broker::replica_manager::ReplicaManager;
use crate::node::{Event, RequestContext};
use crate::protocol::{
    ConsumerGroupHeartbeatRequest, ErrorCode, GroupState, HeartbeatRequest, JoinGroupProtocol, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeavingMember, OffsetCommitPartition, OffsetCommitRequest, Response,
    SyncGroupRequest, TxnOffsetCommitRequest,
};
use bytes::Bytes;
use std::rc::Rc;

/// Handles a request; its number.
fn handle(
    lab: &mut Lab,
    run: impl FnOnce(&mut GroupCoordinator, RequestContext, &mut ReplicaManager, &mut Context<'_, '_>),
) -> u32 {
    let context = lab.bench.context();
    lab.run(|group, replicas, ctx| run(group, context, replicas, ctx));
    context.correlation_id
}

fn join(lab: &mut Lab, member_id: &str) -> u32 {
    let request = JoinGroupRequest {
        group: "mail".into(),
        client_id: "mailer".into(),
        session_timeout: Duration::from_millis(45_000),
        rebalance_timeout: Duration::from_millis(60_000),
        member_id: member_id.into(),
        instance_id: None,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupProtocol { name: "range".into(), metadata: Bytes::from_static(b"orders") }],
    };
    handle(lab, |group, context, replicas, ctx| group.join(context, &request, replicas, ctx))
}

fn joined(lab: &Lab, request: u32) -> Option<JoinGroupResponse> {
    match lab.bench.responses.get(&request)? {
        Response::JoinGroup(response) => Some(response.clone()),
        other => panic!("{other:?}"),
    }
}

fn sync(lab: &mut Lab, member_id: &Rc<str>, generation: i32) -> u32 {
    let request = SyncGroupRequest {
        group: "mail".into(),
        generation,
        member_id: member_id.clone(),
        instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: vec![(member_id.clone(), Bytes::from_static(b"all"))],
    };
    handle(lab, |group, context, replicas, ctx| group.sync(context, &request, replicas, ctx))
}

fn heartbeat(lab: &mut Lab, member_id: &Rc<str>, generation: i32) -> u32 {
    let (group, member_id) = ("mail".into(), member_id.clone());
    let request = HeartbeatRequest { group, generation, member_id, instance_id: None };
    handle(lab, |group, context, replicas, ctx| group.heartbeat(context, &request, replicas, ctx))
}

fn leave(lab: &mut Lab, member_id: &Rc<str>) -> u32 {
    let members = vec![LeavingMember { member_id: member_id.clone(), instance_id: None }];
    let request = LeaveGroupRequest { group: "mail".into(), members };
    handle(lab, |group, context, replicas, ctx| group.leave(context, &request, replicas, ctx))
}

fn commit(lab: &mut Lab, member_id: &str, generation: i32) -> Option<ErrorCode> {
    let offsets = vec![OffsetCommitPartition { partition: ID, offset: 9, leader_epoch: 0, metadata: "".into() }];
    let (group, member_id) = ("mail".into(), member_id.into());
    let request = OffsetCommitRequest { group, generation, member_id, instance_id: None, offsets };
    let request = handle(lab, |group, context, replicas, ctx| group.commit(context, &request, replicas, ctx));
    lab.error(request)
}

fn later(lab: &mut Lab, millis: u64) {
    lab.bench.advance(millis);
    lab.run(|group, replicas, ctx| group.on_timer(replicas, ctx));
}

/// A group with one member, whose assignment waits for the follower if there is one.
fn with_member(lab: &mut Lab) -> (Rc<str>, u32) {
    let first = join(lab, "");
    let id = joined(lab, first).expect("at once").member_id;
    let second = join(lab, &id);
    later(lab, 3_000);
    let response = joined(lab, second).expect("it was alone");
    assert_eq!((response.error, response.generation, &response.leader), (ErrorCode::None, 1, &id));
    (id.clone(), sync(lab, &id, 1))
}

fn state(lab: &Lab) -> GroupState {
    let (_, shard) = lab.group.group_shards().next().expect("coordinates");
    shard.groups.group("mail").expect("it exists").state()
}

#[test]
fn an_assignment_is_answered_when_it_is_replicated() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let (id, synced) = with_member(&mut lab);
    assert_eq!((lab.error(synced), state(&lab)), (None, GroupState::CompletingRebalance));
    let beat = heartbeat(&mut lab, &id, 1);
    assert_eq!(lab.error(beat), None, "a heartbeat, too, waits for what was written before it");
    let end = lab.log_end();
    lab.replicate(end);
    assert_eq!((lab.error(synced), lab.error(beat)), (Some(ErrorCode::None), Some(ErrorCode::None)));
    assert_eq!(state(&lab), GroupState::Stable);
    let left = leave(&mut lab, &id);
    assert_eq!((lab.error(left), state(&lab)), (None, GroupState::Empty));
    let end = lab.log_end();
    lab.replicate(end);
    assert_eq!(lab.error(left), Some(ErrorCode::None));
}

#[test]
fn an_assignment_that_is_not_replicated_fails_and_the_group_rebalances() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let (_, synced) = with_member(&mut lab);
    later(&mut lab, 5_000);
    assert_eq!(lab.error(synced), Some(ErrorCode::CoordinatorNotAvailable));
    assert_eq!(state(&lab), GroupState::PreparingRebalance);
}

#[test]
fn members_are_removed_when_their_time_is_over() {
    let mut lab = Lab::new(&[1], &[]);
    let (id, synced) = with_member(&mut lab);
    assert_eq!(lab.error(synced), Some(ErrorCode::None));
    later(&mut lab, 44_999);
    assert_eq!(state(&lab), GroupState::Stable);
    assert_eq!(commit(&mut lab, &id, 1), Some(ErrorCode::None), "a commit is a sign of life");
    later(&mut lab, 44_999);
    assert_eq!(state(&lab), GroupState::Stable);
    later(&mut lab, 1);
    assert_eq!(state(&lab), GroupState::Empty);
    let beat = heartbeat(&mut lab, &id, 1);
    assert_eq!(lab.error(beat), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn who_is_no_member_commits_nothing() {
    let mut lab = Lab::new(&[1], &[]);
    let (id, _) = with_member(&mut lab);
    assert_eq!(commit(&mut lab, &id, 1), Some(ErrorCode::None));
    assert_eq!(commit(&mut lab, &id, 0), Some(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut lab, "stranger", 1), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut lab, "", -1), Some(ErrorCode::UnknownMemberId));
}

/// KIP-447: the offsets of a transaction are those of a consumer, and a consumer that was left behind is fenced.
#[test]
fn a_transaction_does_not_commit_offsets_of_an_old_generation() {
    let mut lab = Lab::new(&[1], &[("transaction.partition.verification.enable", "false")]);
    let (id, _) = with_member(&mut lab);
    let commit = |lab: &mut Lab, member_id: &str, generation, instance: Option<&str>| {
        let instance_id = instance.map(Into::into);
        let by = TxnOffsetCommitRequest { generation, member_id: member_id.into(), instance_id, ..txn_commit(7) };
        let request = lab.commit(&TxnOffsetCommitRequest { transaction_v2: false, ..by });
        lab.error(request)
    };
    assert_eq!(commit(&mut lab, &id, 1, None), Some(ErrorCode::None));
    assert_eq!(commit(&mut lab, &id, 0, None), Some(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut lab, "stranger", 1, None), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut lab, &id, 1, Some("i")), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut lab, "", -1, None), Some(ErrorCode::None), "a producer before KIP-447");
    // Somebody else joins, and the group goes on without the first.
    let other = join(&mut lab, "");
    let other = joined(&lab, other).expect("at once").member_id;
    join(&mut lab, &other);
    assert_eq!(state(&lab), GroupState::PreparingRebalance);
    assert_eq!(commit(&mut lab, &id, 1, None), Some(ErrorCode::None), "until then it is a member");
    for _ in 0..60 {
        let beat = heartbeat(&mut lab, &id, 1);
        assert_eq!(lab.error(beat), Some(ErrorCode::RebalanceInProgress));
        later(&mut lab, 1_000);
    }
    assert_eq!(commit(&mut lab, &id, 1, None), Some(ErrorCode::UnknownMemberId));
    assert_eq!(commit(&mut lab, &other, 1, None), Some(ErrorCode::IllegalGeneration));
    assert_eq!(commit(&mut lab, &other, 2, None), Some(ErrorCode::None), "though its assignment is awaited");
}

#[test]
fn who_waits_is_told_when_the_coordinator_resigns() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let (id, synced) = with_member(&mut lab);
    let beat = heartbeat(&mut lab, &id, 1);
    let other = join(&mut lab, "");
    assert_eq!(joined(&lab, other).expect("at once").error, ErrorCode::MemberIdRequired);
    let end = lab.log_end();
    lab.lead(OFFSETS, &[1, 2], 2, 1);
    for waiting in [synced, beat] {
        assert_eq!(lab.error(waiting), Some(ErrorCode::NotCoordinator));
    }
    let late = join(&mut lab, &id);
    assert_eq!(lab.error(late), Some(ErrorCode::NotCoordinator));
    // Its log still has the assignment when it leads again: that generation is Stable.
    lab.lead(OFFSETS, &[1, 2], 1, 2);
    assert_eq!((state(&lab), lab.log_end()), (GroupState::Stable, end));
    let beat = heartbeat(&mut lab, &id, 1);
    lab.replicate(end);
    assert_eq!(lab.error(beat), Some(ErrorCode::None));
}

#[test]
fn offsets_and_groups_expire() {
    let mut lab =
        Lab::new(&[1], &[("offsets.retention.minutes", "1"), ("offsets.retention.check.interval.ms", "30000")]);
    let (id, _) = with_member(&mut lab);
    assert_eq!(commit(&mut lab, &id, 1), Some(ErrorCode::None));
    leave(&mut lab, &id);
    let end = lab.log_end();
    later(&mut lab, 59_000);
    assert_eq!((lab.log_end(), lab.fetch()), (end, (ErrorCode::None, 9)), "it was not empty for a minute");
    later(&mut lab, 30_000);
    assert_eq!((lab.log_end(), lab.fetch()), (end + 2, (ErrorCode::None, -1)));
    assert!(lab.group.group_shards().all(|(_, shard)| shard.groups.group("mail").is_none()));
}

/// What the coordinator tells of a classic group: comings, goings with their reason, states with their generation.
#[test]
fn a_groups_life_is_told() {
    let mut lab = Lab::new(&[1], &[]);
    let (id, _) = with_member(&mut lab);
    let other = join(&mut lab, "");
    let other = joined(&lab, other).expect("at once").member_id;
    join(&mut lab, &other);
    leave(&mut lab, &id);
    later(&mut lab, 300_000);
    let named = |member_id: &Rc<str>| if *member_id == id { "first" } else { "other" };
    let told = lab.bench.events.iter().filter_map(|event| match event {
        Event::GroupChanged { state, epoch, .. } => Some(format!("{} {epoch}", state.name())),
        Event::MemberJoined { member_id, .. } => Some(format!("+{}", named(member_id))),
        Event::MemberRemoved { member_id, reason, .. } => Some(format!("-{} {reason:?}", named(member_id))),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    let expected = [
        "+first",
        "PreparingRebalance 0",
        "CompletingRebalance 1",
        "Stable 1",
        "+other",
        "PreparingRebalance 1",
        "-first Left",
        "CompletingRebalance 2",
        "-other SessionTimeout",
        "Empty 3",
    ];
    assert_eq!(told, expected);
}

/// testConsumerGroupHeartbeatToClassicGroup…: who waits in the classic group is told of another rebalance.
#[test]
fn who_waits_is_told_when_the_group_changes_its_protocol() {
    let mut lab = Lab::new(&[1, 2], &[]);
    let (id, synced) = with_member(&mut lab);
    let request = ConsumerGroupHeartbeatRequest {
        group: "mail".into(),
        member_id: "new".into(),
        member_epoch: 0,
        instance_id: None,
        rack_id: None,
        rebalance_timeout: Some(Duration::from_millis(30_000)),
        subscribed_topics: Some(vec!["orders".into()]),
        subscribed_regex: None,
        server_assignor: None,
        topic_partitions: Some(Vec::new()),
        client_id: "c".into(),
    };
    let refused = handle(&mut lab, |group, context, replicas, ctx| {
        group.consumer_heartbeat(context, &request, replicas, ctx);
    });
    assert_eq!(lab.error(synced), Some(ErrorCode::RebalanceInProgress));
    // b"orders" is no subscription: the group stays what it is, and completes its rebalance.
    let end = lab.log_end();
    lab.replicate(end);
    assert_eq!((lab.error(refused), state(&lab)), (Some(ErrorCode::GroupIdNotFound), GroupState::Stable));
    let again = sync(&mut lab, &id, 1);
    let end = lab.log_end();
    lab.replicate(end);
    assert_eq!(lab.error(again), Some(ErrorCode::None));
}
