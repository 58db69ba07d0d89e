//! Share groups on a leader: sessions, waiting, acknowledging, locks, failures (KIP-932; Kafka's `SharePartitionManagerTest`,
//! `DelayedShareFetchTest`, `ShareFetchAcknowledgeRequestTest`).

use super::share_bench::{ID, Lab, OFFSETS, STATE, says};
use crate::base::{BrokerId, Duration};
use crate::metadata::{ConfigRecord, ConfigResource, MetadataRecord};
use crate::node::Event;
use crate::protocol::AcknowledgeType::{Accept, Reject, Release, Renew};
use crate::protocol::{
    DeleteGroupsRequest, ErrorCode, Request, Response, ShareGroupDescribeRequest, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};

/// A lab with records, and member `a` has opened its session and acquired them all.
fn acquired(records: i64, settings: &[(&str, &str)]) -> Lab {
    let mut lab = Lab::new(settings);
    lab.initialize("mail");
    lab.append(records);
    let request = lab.fetch("a", 0);
    assert_eq!(lab.acquired(request), Some(vec![(0, records - 1, 1)]));
    lab
}

#[test]
fn records_are_acquired_acknowledged_and_written() {
    let mut lab = acquired(3, &[]);
    let request = lab.acknowledge("a", 1, 0, 2, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::None));
    let written = &lab.written().expect("initialised").now;
    assert_eq!((written.start_offset, written.state_epoch), (0, 1), "as it was when that was written");
    assert_eq!((written.state_batches[0].last_offset, written.state_batches[0].delivery_state), (2, 2));
    assert_eq!(lab.share_partition().map(|it| it.start_offset()), Some(3));
    let kinds: Vec<&str> = lab.bench.events.iter().map(name).filter(|name| !name.is_empty()).collect();
    assert_eq!(kinds, ["acquired", "acknowledged"]);
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::RecordsAcquired { .. } => "acquired",
        Event::RecordsAcknowledged { .. } => "acknowledged",
        Event::AcquisitionLockExpired { .. } => "expired",
        _ => "",
    }
}

#[test]
fn a_fetch_waits_for_records_and_no_longer_than_it_may() {
    let mut lab = Lab::new(&[]);
    lab.initialize("mail");
    let first = lab.fetch("a", 0);
    assert_eq!(lab.acquired(first), None);
    lab.append(1);
    assert_eq!(lab.acquired(first), Some(vec![(0, 0, 1)]));
    let second = lab.fetch("a", 1);
    lab.append(1);
    assert_eq!(lab.acquired(second), Some(vec![(1, 1, 1)]));
    let third = lab.fetch("a", 2);
    lab.pass(499);
    assert_eq!(lab.acquired(third), None);
    lab.pass(1);
    assert_eq!(lab.acquired(third), Some(vec![]));
}

#[test]
fn a_fetch_waits_for_bytes_enough() {
    let mut lab = Lab::new(&[]);
    lab.initialize("mail");
    lab.append(1);
    let size = lab.bench.partition().log().size_in_bytes();
    let (request, _) = lab.fetch_with("a", 0, &[], |it| it.min_bytes = size as u32 + 1);
    assert_eq!(lab.acquired(request), None);
    lab.append(1);
    assert_eq!(lab.acquired(request), Some(vec![(0, 1, 1)]));
}

#[test]
fn sessions_count_their_requests() {
    let mut lab = acquired(1, &[]);
    let errors = [(5, ErrorCode::InvalidShareSessionEpoch), (0, ErrorCode::None), (1, ErrorCode::None)];
    for (epoch, error) in errors {
        let request = lab.fetch("a", epoch);
        lab.pass(500);
        assert_eq!(lab.error(request), Some(error), "epoch {epoch}");
    }
    let request = lab.fetch("b", 1);
    assert_eq!(lab.error(request), Some(ErrorCode::ShareSessionNotFound));
    let request = lab.fetch("b", -1);
    assert_eq!(lab.error(request), Some(ErrorCode::ShareSessionNotFound));
    let request = lab.acknowledge("a", 0, 0, 0, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::InvalidShareSessionEpoch));
    let (request, _) = lab.fetch_with("a", 0, &[says(0, 0, Accept)], |_| {});
    assert_eq!(lab.error(request), Some(ErrorCode::InvalidRequest), "nothing was acquired in a new session");
    let request = lab.acknowledge("a", 2, 0, 0, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::None), "who opens a session anew keeps what it has");
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let mut lab = Lab::new(&[("group.share.max.share.sessions", "1")]);
    lab.initialize("mail");
    lab.fetch("a", 0);
    let request = lab.fetch("b", 0);
    assert_eq!(lab.error(request), None, "it shall not come back at once");
    lab.pass(500);
    assert_eq!(lab.error(request), Some(ErrorCode::ShareSessionLimitReached));
}

#[test]
fn acknowledgements_ride_on_the_next_fetch() {
    let mut lab = acquired(2, &[]);
    lab.append(1);
    let (request, _) = lab.fetch_with("a", 1, &[says(0, 1, Accept)], |_| {});
    let response = &lab.fetched(request).expect("answered").partitions[0];
    assert_eq!((response.error, response.acknowledge_error), (ErrorCode::None, ErrorCode::None));
    assert_eq!(response.acquired[0].first_offset, 2);
    let (request, _) =
        lab.fetch_with("a", 2, &[says(0, 0, Accept), says(2, 2, Accept)], |it| it.max_wait = Duration::ZERO);
    assert_eq!(lab.error(request), Some(ErrorCode::None), "what is below the start offset does not matter");
    let (request, _) = lab.fetch_with("a", 3, &[says(7, 7, Accept)], |it| it.max_wait = Duration::ZERO);
    let response = &lab.fetched(request).expect("answered").partitions[0];
    assert_eq!((response.error, response.acknowledge_error), (ErrorCode::None, ErrorCode::InvalidRecordState));
}

#[test]
fn acknowledgements_out_of_order_are_refused() {
    let mut lab = acquired(4, &[]);
    for batches in [vec![says(2, 1, Accept)], vec![says(2, 3, Accept), says(0, 0, Accept)], vec![says(0, 3, Renew)]] {
        let request = lab.fetch_with("a", 0, &[], |it| it.max_wait = Duration::ZERO).0;
        assert_eq!(lab.error(request), Some(ErrorCode::None));
        let (request, _) = lab.fetch_with("a", 1, &batches, |it| it.max_wait = Duration::ZERO);
        assert_eq!(lab.error(request), Some(ErrorCode::InvalidRequest), "{batches:?}");
    }
}

#[test]
fn closing_a_session_gives_back_what_it_has() {
    let mut lab = acquired(3, &[]);
    let (request, _) = lab.fetch_with("a", -1, &[says(0, 0, Accept)], |_| {});
    assert_eq!(lab.error(request), Some(ErrorCode::None));
    let request = lab.fetch("b", 0);
    assert_eq!(lab.acquired(request), Some(vec![(1, 2, 2)]));
    let request = lab.fetch("a", 1);
    assert_eq!(lab.error(request), Some(ErrorCode::ShareSessionNotFound));
}

#[test]
fn a_broken_connection_ends_the_session() {
    let mut lab = Lab::new(&[]);
    lab.initialize("mail");
    lab.append(2);
    let (_, connection) = lab.fetch_with("a", 0, &[], |_| {});
    lab.fetch("b", 0);
    lab.run(|shares, ctx, replicas| shares.on_disconnect(connection, ctx, replicas));
    let request = lab.fetch("b", 1);
    lab.pass(500);
    assert_eq!(lab.acquired(request), Some(vec![(0, 1, 2)]));
}

#[test]
fn without_sessions_a_share_partition_is_forgotten_and_loaded_again() {
    let mut lab = Lab::new(&[]);
    lab.initialize("mail");
    lab.append(2);
    let (_, connection) = lab.fetch_with("a", 0, &[], |_| {});
    lab.acknowledge("a", 1, 0, 0, Reject);
    lab.run(|shares, ctx, replicas| shares.on_disconnect(connection, ctx, replicas));
    assert!(lab.share_partition().is_none());
    assert!(!lab.bench.replicas.is_shared(ID));
    let request = lab.fetch("b", 0);
    assert_eq!(lab.acquired(request), Some(vec![(1, 1, 2)]), "what was released was written, too");
}

#[test]
fn a_lock_that_ends_gives_records_to_who_waits() {
    let mut lab = acquired(2, &[]);
    lab.pass(29_800);
    let request = lab.fetch("b", 0);
    assert_eq!(lab.acquired(request), None);
    lab.pass(200);
    assert_eq!(lab.acquired(request), Some(vec![(0, 1, 2)]));
    let late = lab.acknowledge("a", 1, 0, 1, Accept);
    assert_eq!(lab.error(late), Some(ErrorCode::InvalidRecordState), "b has them");
    assert!(lab.bench.events.iter().any(|event| name(event) == "expired"));
    assert_eq!(lab.written().map(|it| it.now.state_batches[0].delivery_count), Some(1));
}

/// `kafka-configs --entity-type groups`: where it begins, how long locks hold and how often it delivers are the group's own.
#[test]
fn a_group_may_have_settings_of_its_own() {
    let mut lab = Lab::new(&[]);
    let settings =
        [("auto.offset.reset", "latest"), ("record.lock.duration.ms", "20000"), ("delivery.count.limit", "2")];
    for (name, value) in settings {
        let (resource, name, value) = (ConfigResource::Group, format!("share.{name}").into(), Some(value.into()));
        let record = ConfigRecord { resource, resource_name: "mail".into(), name, value };
        lab.bench.follow(&[MetadataRecord::Config(record)]);
    }
    lab.append(2);
    lab.initialize("mail");
    let first = lab.fetch("a", 0);
    assert_eq!(lab.acquired(first), None, "it begins with what comes");
    lab.append(2);
    assert_eq!(lab.acquired(first), Some(vec![(2, 3, 1)]));
    assert_eq!(lab.fetched(first).map(|it| it.acquisition_lock_timeout.as_millis()), Some(20_000));
    lab.pass(19_999);
    assert_eq!(lab.share_partition().map(|it| it.next_fetch_offset()), Some(4));
    lab.pass(1);
    let second = lab.fetch("b", 0);
    assert_eq!(lab.acquired(second), Some(vec![(2, 3, 2)]));
    lab.pass(20_000);
    assert_eq!(lab.share_partition().map(|it| it.start_offset()), Some(4), "twice is enough");
}

#[test]
fn renewing_keeps_the_lock_and_fetches_nothing() {
    let mut lab = acquired(2, &[]);
    lab.pass(20_000);
    let (request, _) = lab.fetch_with("a", 1, &[says(0, 1, Renew)], |it| it.is_renew_ack = true);
    assert_eq!(lab.error(request), Some(ErrorCode::InvalidRequest), "it must not want anything");
    let request = lab.acknowledge("a", 1, 0, 1, Renew);
    assert_eq!(lab.error(request), Some(ErrorCode::None));
    lab.pass(20_000);
    let request = lab.fetch("b", 0);
    lab.pass(500);
    assert_eq!(lab.acquired(request), Some(vec![]));
    let request = lab.acknowledge("a", 2, 0, 1, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::None));
}

#[test]
fn while_nothing_is_written_nothing_is_acknowledged() {
    let mut lab = acquired(2, &[]);
    lab.online = false;
    let request = lab.acknowledge("a", 1, 0, 1, Accept);
    assert_eq!(lab.error(request), None);
    lab.online = true;
    lab.settle();
    assert_eq!(lab.error(request), Some(ErrorCode::None));
}

#[test]
fn a_share_coordinator_that_is_gone_is_asked_five_times() {
    let mut lab = acquired(2, &[]);
    lab.lead(STATE, &[1, 2], 2, 1);
    lab.online = false;
    let request = lab.acknowledge("a", 1, 0, 1, Accept);
    let mut asked = 0;
    for _ in 0..20 {
        let sent = std::mem::take(&mut lab.bench.sent).into_iter();
        let written =
            sent.filter(|(to, _, it)| *to == BrokerId(2).node() && matches!(it, Request::WriteShareGroupState(_)));
        asked += written.count();
        lab.run(|shares, ctx, replicas| shares.on_coordinator_disconnect(BrokerId(2), ctx, replicas));
        lab.pass(1_000);
    }
    assert_eq!((asked, lab.error(request)), (5, Some(ErrorCode::UnknownServerError)));
    let partition = lab.share_partition().expect("it is not fenced");
    assert!(partition.in_flight().all(|(.., member)| member == Some("a")), "they are its member's again");
}

#[test]
fn a_new_leader_goes_on_and_the_former_one_is_fenced() {
    let mut lab = acquired(4, &[]);
    lab.acknowledge("a", 1, 0, 1, Accept);
    // A leader in a later epoch has read the state.
    let context = lab.bench.context();
    let read = Request::ReadShareGroupState(crate::protocol::ReadShareGroupStateRequest {
        group: "mail".into(),
        partitions: vec![(ID, 3)],
    });
    lab.run(|shares, ctx, replicas| shares.coordinate(context, &read, ctx, replicas));
    let request = lab.acknowledge("a", 2, 2, 3, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::NotLeaderOrFollower));
    assert!(lab.share_partition().is_none(), "it is not ours any more");
    lab.lead(ID, &[1], 1, 3);
    let request = lab.fetch("b", 0);
    assert_eq!(lab.acquired(request), Some(vec![(2, 3, 1)]), "nobody has told of a delivery");
}

#[test]
fn whoever_does_not_lead_says_who_does() {
    let mut lab = acquired(2, &[]);
    lab.lead(ID, &[1, 2], 2, 1);
    assert!(lab.share_partition().is_none());
    let request = lab.fetch("a", 1);
    let response = &lab.fetched(request).expect("at once").partitions[0];
    assert_eq!(response.error, ErrorCode::NotLeaderOrFollower);
    assert_eq!(response.current_leader.map(|it| (it.leader, it.epoch)), Some((BrokerId(2), 1)));
    let request = lab.acknowledge("a", 2, 0, 1, Accept);
    assert_eq!(lab.error(request), Some(ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn a_group_that_is_not_initialised_gets_an_error_when_it_has_waited() {
    let mut lab = Lab::new(&[]);
    lab.append(1);
    let request = lab.fetch("a", 0);
    assert_eq!(lab.error(request), None);
    lab.pass(500);
    assert_eq!(lab.error(request), Some(ErrorCode::UnknownServerError));
}

#[test]
fn groups_begin_at_the_end_unless_told_otherwise() {
    for (reset, first) in [("latest", 2), ("earliest", 0), ("by_duration:PT1S", 2)] {
        let mut lab = Lab::new(&[("share.auto.offset.reset", reset)]);
        lab.initialize("mail");
        lab.append(2);
        let request = lab.fetch("a", 0);
        lab.append(1);
        lab.pass(500);
        assert_eq!(lab.acquired(request).map(|acquired| acquired[0].0), Some(first), "{reset}");
    }
}

#[test]
fn the_log_start_moves_a_group_that_is_behind() {
    let mut lab = acquired(4, &[]);
    let request = lab.acknowledge("a", 1, 0, 3, Release);
    assert_eq!(lab.error(request), Some(ErrorCode::None));
    lab.bench.run(|replicas, _, _| {
        let partition = replicas.partition_mut(ID).expect("hosted");
        assert_eq!(partition.log_mut().maybe_advance_log_start_offset(2), Ok(true));
    });
    let request = lab.fetch("a", 2);
    assert_eq!(lab.acquired(request), Some(vec![]), "the next fetch will do");
    let request = lab.fetch("a", 3);
    assert_eq!(lab.acquired(request), Some(vec![(2, 3, 2)]));
}

#[test]
fn the_share_coordinator_answers_when_its_records_are_replicated() {
    let mut lab = Lab::new(&[]);
    lab.lead(STATE, &[1, 2], 1, 1);
    let partitions = vec![crate::protocol::InitializeStatePartition { partition: ID, state_epoch: 1, start_offset: 0 }];
    let request = crate::protocol::InitializeShareGroupStateRequest { group: "mail".into(), partitions };
    let request = Request::InitializeShareGroupState(request);
    let context = lab.bench.context();
    lab.run(|shares, ctx, replicas| shares.coordinate(context, &request, ctx, replicas));
    assert_eq!(lab.error(context.correlation_id), None);
    lab.replicate_state(1);
    assert_eq!(lab.error(context.correlation_id), Some(ErrorCode::None));
    let context = lab.bench.context();
    lab.run(|shares, ctx, replicas| shares.coordinate(context, &request, ctx, replicas));
    lab.pass(5_000);
    assert_eq!(lab.error(context.correlation_id), Some(ErrorCode::CoordinatorNotAvailable), "not in time");
    let context = lab.bench.context();
    lab.run(|shares, ctx, replicas| shares.coordinate(context, &request, ctx, replicas));
    lab.lead(STATE, &[1, 2], 2, 2);
    assert_eq!(lab.error(context.correlation_id), Some(ErrorCode::NotCoordinator));
    assert!(lab.written().is_none());
    lab.lead(STATE, &[1, 2], 1, 3);
    assert!(lab.written().is_some(), "loading is a failover");
}

fn heartbeat(lab: &mut Lab, epoch: i32) -> ShareGroupHeartbeatResponse {
    let request = ShareGroupHeartbeatRequest {
        group: "mail".into(),
        member_id: "a".into(),
        member_epoch: epoch,
        rack_id: None,
        subscribed_topics: (epoch == 0).then(|| vec!["orders".into()]),
        client_id: "mailer".into(),
    };
    let context = lab.bench.context();
    lab.run_group(|group, replicas, ctx| group.share_heartbeat(context, &request, replicas, ctx));
    match lab.bench.responses.get(&context.correlation_id) {
        Some(Response::ShareGroupHeartbeat(response)) => response.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_joins_is_assigned_fetches_and_is_removed_when_it_is_silent() {
    let mut lab = Lab::new(&[]);
    let response = heartbeat(&mut lab, 0);
    assert_eq!((response.error, response.member_epoch, response.assignment), (ErrorCode::None, 2, Some(vec![])));
    assert_eq!(lab.written().map(|it| it.now.state_epoch), Some(2), "the share coordinator was told");
    lab.pass(5_000);
    let response = heartbeat(&mut lab, 2);
    assert_eq!((response.member_epoch, response.assignment), (3, Some(vec![ID])));
    lab.append(1);
    let request = lab.fetch("a", 0);
    assert_eq!(lab.acquired(request), Some(vec![(0, 0, 1)]));
    let state = |lab: &mut Lab| {
        let request = ShareGroupDescribeRequest { groups: vec!["mail".into()] };
        let group = &lab.group;
        lab.bench.run(|_, _, ctx| group.describe_shares(&request, ctx)).groups.remove(0).state
    };
    assert_eq!(state(&mut lab), "Stable");
    lab.bench.advance(45_000);
    lab.run_group(|group, replicas, ctx| group.on_timer(replicas, ctx));
    assert_eq!(state(&mut lab), "Empty");
    assert_eq!(heartbeat(&mut lab, 2).error, ErrorCode::UnknownMemberId);
}

#[test]
fn the_topic_of_share_groups_is_created_when_it_is_needed() {
    let mut lab = Lab::without_state(&[]);
    heartbeat(&mut lab, 0);
    assert_eq!(lab.topic_wanted, 1);
    lab.bench.follow(&[crate::metadata::MetadataRecord::Topic {
        name: crate::metadata::SHARE_GROUP_STATE_TOPIC.into(),
        topic: STATE.topic,
    }]);
    lab.lead(STATE, &[1], 1, 0);
    assert!(lab.written().is_none());
    lab.pass(1_000);
    assert!(lab.written().is_some(), "a second later");
    let log = lab.bench.replicas.partition(OFFSETS).expect("hosted").log();
    assert_eq!(log.batches_from(0).count(), 2, "joined, then initialised");
}

#[test]
fn a_group_without_members_is_deleted_and_its_state_with_it() {
    let mut lab = Lab::new(&[]);
    heartbeat(&mut lab, 0);
    let delete = |lab: &mut Lab| {
        let request = DeleteGroupsRequest { groups: vec!["mail".into()] };
        let context = lab.bench.context();
        lab.run_group(|group, replicas, ctx| group.delete(context, &request, replicas, ctx));
        lab.error(context.correlation_id)
    };
    assert_eq!(delete(&mut lab), Some(ErrorCode::NonEmptyGroup));
    heartbeat(&mut lab, -1);
    assert_eq!(delete(&mut lab), Some(ErrorCode::None));
    assert!(lab.written().is_none(), "the share coordinator has forgotten it");
    assert_eq!(delete(&mut lab), Some(ErrorCode::GroupIdNotFound));
    heartbeat(&mut lab, 0);
    assert_eq!(lab.written().map(|it| it.now.state_epoch), Some(2), "a new life");
}
