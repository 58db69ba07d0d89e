//! What an administrator asks about groups, at a broker; and what the coordinator tells of a group's life.

use super::group_bench::{ID, Lab, OFFSETS};
use crate::broker::context::Context;
use crate::broker::group_coordinator::GroupCoordinator;
use crate::broker::replica_manager::ReplicaManager;
use crate::node::{Event, RemovalReason, RequestContext};
use crate::protocol::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest, ErrorCode,
    ListGroupsRequest, OffsetCommitPartition, OffsetCommitRequest, OffsetDeleteRequest, Response,
};
use std::rc::Rc;

fn handle(
    lab: &mut Lab,
    run: impl FnOnce(&mut GroupCoordinator, RequestContext, &mut ReplicaManager, &mut Context<'_, '_>),
) -> u32 {
    let context = lab.bench.context();
    lab.run(|group, replicas, ctx| run(group, context, replicas, ctx));
    context.correlation_id
}

fn commit(lab: &mut Lab, group: &str) -> u32 {
    let offsets = vec![OffsetCommitPartition { partition: ID, offset: 9, leader_epoch: 0, metadata: "".into() }];
    let (group, member_id) = (group.into(), "".into());
    let request = OffsetCommitRequest { group, generation: -1, member_id, instance_id: None, offsets };
    handle(lab, |group, context, replicas, ctx| group.commit(context, &request, replicas, ctx))
}

fn delete(lab: &mut Lab, groups: &[&str]) -> u32 {
    let request = DeleteGroupsRequest { groups: groups.iter().map(|group| Rc::from(*group)).collect() };
    handle(lab, |group, context, replicas, ctx| group.delete(context, &request, replicas, ctx))
}

fn deleted(lab: &Lab, request: u32) -> Option<Vec<ErrorCode>> {
    match lab.bench.responses.get(&request)? {
        Response::DeleteGroups(response) => Some(response.groups.iter().map(|(_, error)| *error).collect()),
        other => panic!("{other:?}"),
    }
}

fn heartbeat(lab: &mut Lab, member: &str, member_epoch: i32) -> u32 {
    let request = ConsumerGroupHeartbeatRequest {
        group: "mail".into(),
        member_id: member.into(),
        member_epoch,
        instance_id: None,
        rack_id: None,
        rebalance_timeout: Some(crate::base::Duration::from_millis(30_000)),
        subscribed_topics: Some(vec!["orders".into()]),
        subscribed_regex: None,
        server_assignor: None,
        topic_partitions: Some(Vec::new()),
        client_id: "c".into(),
    };
    handle(lab, |group, context, replicas, ctx| group.consumer_heartbeat(context, &request, replicas, ctx))
}

fn listed(lab: &Lab) -> Vec<(String, &'static str)> {
    let response = lab.group.list(&ListGroupsRequest::default());
    assert_eq!(response.error, ErrorCode::None);
    response.groups.iter().map(|it| (it.group.to_string(), it.state.name())).collect()
}

fn all_is_replicated(lab: &mut Lab) {
    let end = lab.log_end();
    lab.replicate(end);
}

/// A deletion takes in what was written before it, and is answered when it is replicated itself.
#[test]
fn a_deletion_waits_for_what_is_before_it() {
    let mut lab = Lab::new(&[1, 2], &[]);
    commit(&mut lab, "mail");
    let delete = delete(&mut lab, &["mail", "nobody"]);
    assert_eq!(deleted(&lab, delete), None);
    all_is_replicated(&mut lab);
    assert_eq!(deleted(&lab, delete), None, "its tombstones are not replicated yet");
    all_is_replicated(&mut lab);
    assert_eq!(deleted(&lab, delete), Some(vec![ErrorCode::None, ErrorCode::GroupIdNotFound]));
    assert_eq!(listed(&lab), []);
}

#[test]
fn a_deletion_that_is_not_replicated_in_time_is_answered_so() {
    let mut lab = Lab::new(&[1, 2], &[]);
    commit(&mut lab, "mail");
    let late = delete(&mut lab, &["mail"]);
    lab.bench.advance(5_000);
    lab.run(|group, replicas, ctx| group.on_timer(replicas, ctx));
    assert_eq!(deleted(&lab, late), Some(vec![ErrorCode::CoordinatorNotAvailable]));
    let request = delete(&mut lab, &["mail"]);
    lab.lead(OFFSETS, &[1, 2], 2, 1);
    assert_eq!(deleted(&lab, request), Some(vec![ErrorCode::NotCoordinator]));
}

/// Who does not coordinate the group says so, each API in its way.
#[test]
fn another_broker_coordinates() {
    let mut lab = Lab::new(&[1], &[]);
    lab.lead(OFFSETS, &[1], 2, 1);
    let deletion = delete(&mut lab, &["mail", "post"]);
    assert_eq!(deleted(&lab, deletion), Some(vec![ErrorCode::NotCoordinator; 2]));
    assert_eq!(listed(&lab), []);
    let (groups, request) = (vec!["mail".into()], OffsetDeleteRequest { group: "mail".into(), partitions: vec![ID] });
    let offsets = handle(&mut lab, |group, context, replicas, ctx| {
        let described = group.describe(&DescribeGroupsRequest { groups: groups.clone() }, ctx);
        assert_eq!((described.groups[0].error, described.groups[0].state), (ErrorCode::NotCoordinator, None));
        let described = group.describe_consumers(&ConsumerGroupDescribeRequest { groups }, ctx);
        assert_eq!((described.groups[0].error, described.groups[0].state), (ErrorCode::NotCoordinator, None));
        group.delete_offsets(context, &request, replicas, ctx);
    });
    assert_eq!(lab.error(offsets), Some(ErrorCode::NotCoordinator));
}

/// The empty id is a group's for the classic APIs, and nobody's for the others.
#[test]
fn a_group_without_a_name() {
    let mut lab = Lab::new(&[1], &[]);
    let deletion = delete(&mut lab, &[""]);
    assert_eq!(deleted(&lab, deletion), Some(vec![ErrorCode::GroupIdNotFound]));
    let offsets = handle(&mut lab, |group, context, replicas, ctx| {
        let groups = vec!["".into()];
        let described = group.describe(&DescribeGroupsRequest { groups: groups.clone() }, ctx);
        assert_eq!(described.groups[0].error, ErrorCode::GroupIdNotFound);
        let described = group.describe_consumers(&ConsumerGroupDescribeRequest { groups }, ctx);
        assert_eq!(described.groups[0].error, ErrorCode::InvalidGroupId);
        group.delete_offsets(context, &OffsetDeleteRequest { group: "".into(), partitions: vec![ID] }, replicas, ctx);
    });
    assert_eq!(lab.error(offsets), Some(ErrorCode::InvalidGroupId));
}

#[test]
fn offsets_are_deleted() {
    let mut lab = Lab::new(&[1], &[]);
    commit(&mut lab, "mail");
    assert_eq!(lab.fetch(), (ErrorCode::None, 9));
    let request = OffsetDeleteRequest { group: "mail".into(), partitions: vec![ID] };
    let offsets = handle(&mut lab, |group, context, replicas, ctx| {
        group.delete_offsets(context, &request, replicas, ctx);
    });
    assert_eq!((lab.error(offsets), lab.fetch()), (Some(ErrorCode::None), (ErrorCode::None, -1)));
}

#[test]
fn a_groups_life_is_told() {
    let mut lab = Lab::new(&[1], &[]);
    heartbeat(&mut lab, "a", 0);
    heartbeat(&mut lab, "b", 0);
    heartbeat(&mut lab, "b", -1);
    lab.bench.advance(45_000);
    lab.run(|group, replicas, ctx| group.on_timer(replicas, ctx));
    delete(&mut lab, &["mail"]);
    let told = lab.bench.events.iter().filter_map(|event| match event {
        Event::GroupChanged { state, epoch, .. } => Some(format!("{} {epoch}", state.name())),
        Event::MemberJoined { member_id, .. } => Some(format!("+{member_id}")),
        Event::MemberRemoved { member_id, reason: RemovalReason::Left, .. } => Some(format!("-{member_id}")),
        Event::MemberRemoved { member_id, reason, .. } => Some(format!("-{member_id} {reason:?}")),
        _ => None,
    });
    let told: Vec<String> = told.collect();
    let expected =
        ["+a", "Stable 2", "+b", "Assigning 3", "-b", "Assigning 4", "-a SessionTimeout", "Empty 5", "Dead 0"];
    assert_eq!(told, expected);
}
