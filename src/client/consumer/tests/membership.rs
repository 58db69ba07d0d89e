//! Members of a group: joining, rebalancing, leaving, and the errors on the way.

use super::*;
use crate::node::Event;
use crate::protocol::NamedPartition;

const GROUP: (&str, &str) = ("group.id", "g");
const EARLIEST: (&str, &str) = ("auto.offset.reset", "earliest");
const MANUAL: (&str, &str) = ("enable.auto.commit", "false");
const COOPERATIVE: (&str, &str) = ("partition.assignment.strategy", "cooperative-sticky");

fn named(indexes: &[u32]) -> Vec<NamedPartition> {
    indexes.iter().map(|index| ("orders".into(), *index)).collect()
}

/// A consumer that subscribed to `orders`, not polled yet.
pub(super) fn subscriber(settings: &[(&str, &str)]) -> Lab {
    let mut all = vec![GROUP, EARLIEST];
    all.extend(settings);
    let mut lab = lab(&all);
    let now = lab.now;
    lab.node.0.subscribe(now, ["orders".into()]);
    lab
}

/// One that is an active member.
pub(super) fn member(settings: &[(&str, &str)]) -> Lab {
    let mut lab = subscriber(settings);
    lab.poll_until_stable();
    lab
}

impl Lab {
    /// Polls every millisecond until the membership is settled; what is delivered meanwhile is dropped.
    pub(super) fn poll_until_stable(&mut self) {
        for _ in 0..5_000 {
            if let Polled::Failed(error) = self.poll() {
                panic!("{error:?}");
            }
            if !self.coordinator().is_rejoining() && self.coordinator().member().state() == MemberState::Stable {
                return;
            }
            self.run_ms(1);
        }
        panic!("not stable: {:?}", self.coordinator().member());
    }

    pub(super) fn poll_for(&mut self, ms: u64) {
        for _ in 0..ms {
            assert!(!matches!(self.poll(), Polled::Failed(_)));
            self.run_ms(1);
        }
    }

    fn coordinator(&self) -> &Coordinator {
        self.node.0.coordinator().expect("a group")
    }

    pub(super) fn generation(&self) -> (i32, String) {
        let generation = self.coordinator().member().generation();
        (generation.id, generation.member_id.to_string())
    }

    pub(super) fn assigned(&self) -> Vec<u32> {
        self.node.0.subscription().assigned().iter().map(|tp| tp.partition).collect()
    }

    fn fail_next(&mut self, api: ApiKey, error: ErrorCode) {
        self.broker.errors.insert(api, [error].into());
    }

    /// What the rebalance listener was told since the last call.
    pub(super) fn told(&mut self) -> Vec<(&'static str, Vec<u32>)> {
        let indexes = |partitions: &[TopicPartition]| partitions.iter().map(|tp| tp.partition).collect();
        let told = self.events.iter().filter_map(|event| match event {
            Event::PartitionsAssigned { partitions } => Some(("assigned", indexes(partitions))),
            Event::PartitionsRevoked { partitions } => Some(("revoked", indexes(partitions))),
            Event::PartitionsLost { partitions } => Some(("lost", indexes(partitions))),
            _ => None,
        });
        let told = told.collect();
        self.events.clear();
        told
    }

    fn joins(&self) -> Vec<(String, i32)> {
        let joins = self.requests.iter().filter_map(|request| match request {
            Request::JoinGroup(join) => Some((join.member_id.to_string(), join.protocols.len() as i32)),
            _ => None,
        });
        joins.collect()
    }
}

#[test]
fn a_member_joins_with_the_id_it_was_given_and_leads_alone() {
    let mut lab = subscriber(&[]);
    lab.broker.partitions = 2;
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    assert_eq!(lab.joins(), [(String::new(), 2), ("mailer-1".to_owned(), 2)]);
    assert_eq!(lab.generation(), (1, "mailer-1".to_owned()));
    assert_eq!(lab.assigned(), [0, 1]);
    assert!(lab.coordinator().member().is_leader());
    let metadata = lab.node.0.group_metadata().expect("a group");
    assert_eq!((metadata.generation, &*metadata.member_id), (1, "mailer-1"));
    assert!(lab.events.contains(&Event::GroupJoined {
        group: "g".into(),
        generation: 1,
        member_id: "mailer-1".into()
    }));
    assert_eq!(lab.told(), [("assigned", vec![0, 1])]);
}

#[test]
fn the_leader_deals_out_ranges() {
    let mut lab = subscriber(&[]);
    lab.broker.partitions = 5;
    let metadata = {
        let mut other = member(&[]);
        other.poll();
        let join = other.requests.iter().rev().find_map(|request| match request {
            Request::JoinGroup(join) => Some(join.protocols[0].metadata.clone()),
            _ => None,
        });
        join.expect("it joined")
    };
    lab.broker.group.others = vec![JoinGroupMember { member_id: "aaa".into(), instance_id: None, metadata }];
    lab.poll_until_stable();
    assert_eq!(lab.assigned(), [3, 4], "aaa comes before mailer-1");
}

#[test]
fn heartbeats_go_on_while_the_application_works() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.run_ms(10_000);
    assert_eq!(lab.count(ApiKey::Heartbeat), 3);
    let beats = lab.requests.iter().filter_map(|request| match request {
        Request::Heartbeat(beat) => Some((beat.generation, beat.member_id.to_string())),
        _ => None,
    });
    assert!(beats.into_iter().all(|beat| beat == (1, "mailer-1".to_owned())));
}

#[test]
fn who_polls_too_late_leaves_and_joins_again() {
    let mut lab = member(&[("max.poll.interval.ms", "10000"), MANUAL]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.told();
    lab.run_ms(9_900);
    assert_eq!(lab.count(ApiKey::LeaveGroup), 0);
    lab.run_ms(200);
    assert_eq!(lab.count(ApiKey::LeaveGroup), 1);
    let reason = "consumer poll timeout has expired.";
    assert!(lab.events.contains(&Event::MemberLeft { group: "g".into(), reason }));
    assert_eq!(lab.assigned(), [0], "it does not know yet");

    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    let failed = lab.node.0.commit_sync_result(lab.now);
    assert_eq!(failed, Some(Err(ClientError::Exception("CommitFailedException".into()))));
    assert_eq!(lab.count(ApiKey::OffsetCommit), 0, "nothing is sent");

    assert_eq!(lab.poll_records(), [0], "read again");
    assert_eq!(lab.told(), [("lost", vec![0]), ("assigned", vec![0])]);
    assert_eq!(lab.generation(), (2, "mailer-2".to_owned()));
}

#[test]
fn waiting_in_poll_is_not_late() {
    let mut lab = member(&[("max.poll.interval.ms", "10000")]);
    assert_eq!(lab.poll(), Polled::Waiting);
    lab.run_ms(60_000);
    assert_eq!(lab.count(ApiKey::LeaveGroup), 0);
}

#[test]
fn a_static_member_that_polls_late_says_nothing() {
    let mut lab = member(&[("max.poll.interval.ms", "10000"), ("group.instance.id", "one")]);
    assert_eq!(lab.joins().len(), 1, "no round for an id");
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.run_ms(20_000);
    assert_eq!(lab.count(ApiKey::LeaveGroup), 0);
    assert_eq!(lab.generation(), (-1, String::new()));
    lab.poll_until_stable();
    assert_eq!(lab.generation().0, 2);
}

#[test]
fn an_eager_member_commits_gives_up_everything_and_joins() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.told();
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.run_ms(3_100);
    lab.poll_until_stable();
    assert_eq!(lab.broker.committed.get(&TP), Some(&1), "before it was revoked");
    assert_eq!(lab.told(), [("revoked", vec![0]), ("assigned", vec![0])]);
    assert_eq!(lab.generation(), (2, "mailer-1".to_owned()));
    lab.append(1);
    assert_eq!(lab.poll_records(), [1], "goes on from the commit");
}

#[test]
fn nothing_is_delivered_between_the_commit_and_the_revocation() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.append(1);
    lab.run_ms(20);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.poll_for(3_000);
    lab.append(2);
    lab.append(3);
    lab.hold.insert(ApiKey::OffsetCommit);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.run_ms(3_100);
    let delivered = |lab: &Lab| lab.events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    let before = delivered(&lab);
    lab.poll_for(100);
    assert_eq!(delivered(&lab), before);
    assert_eq!(lab.assigned(), [0], "still its own until the commit ended");
    lab.release();
    lab.poll_until_stable();
}

#[test]
fn a_commit_before_the_rebalance_is_tried_again() {
    let mut lab = member(&[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.fail_next(ApiKey::OffsetCommit, ErrorCode::CoordinatorLoadInProgress);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.run_ms(3_100);
    lab.poll_until_stable();
    assert_eq!(lab.count(ApiKey::OffsetCommit), 2);
    assert_eq!(lab.broker.committed.get(&TP), Some(&1));
}

#[test]
fn a_cooperative_member_reads_on_and_revokes_in_a_second_round() {
    let mut lab = subscriber(&[COOPERATIVE, MANUAL]);
    lab.broker.partitions = 2;
    lab.broker.group.follower = true;
    lab.broker.group.assignments = [named(&[0, 1]), named(&[0]), named(&[0])].into();
    lab.poll_until_stable();
    assert_eq!(lab.told(), [("assigned", vec![0, 1])]);
    lab.hold.insert(ApiKey::JoinGroup);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.run_ms(3_100);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0], "while it joins");
    assert_eq!(lab.coordinator().member().state(), MemberState::PreparingRebalance);
    lab.release();
    lab.poll_until_stable();
    assert_eq!(lab.told(), [("revoked", vec![1]), ("assigned", vec![]), ("assigned", vec![])]);
    assert_eq!((lab.generation().0, lab.assigned()), (3, vec![0]));
}

#[test]
fn new_partitions_make_the_leader_rebalance() {
    let mut lab = member(&[("metadata.max.age.ms", "5000")]);
    lab.broker.partitions = 3;
    lab.poll_for(5_500);
    lab.poll_until_stable();
    assert_eq!((lab.generation().0, lab.assigned()), (2, vec![0, 1, 2]));
}

#[test]
fn new_partitions_do_not_concern_a_follower() {
    let mut lab = subscriber(&[("metadata.max.age.ms", "5000")]);
    lab.broker.group.follower = true;
    lab.broker.group.assignments = [named(&[0])].into();
    lab.poll_until_stable();
    lab.broker.partitions = 3;
    lab.poll_for(5_500);
    assert_eq!(lab.generation().0, 1);
}

#[test]
fn a_changed_subscription_is_joined_with() {
    let mut lab = member(&[MANUAL]);
    let now = lab.now;
    lab.node.0.subscribe(now, ["invoices".into()]);
    lab.poll_until_stable();
    assert_eq!(lab.generation().0, 2);
    let topics: Vec<_> = lab.node.0.subscription().assigned().iter().map(|tp| tp.topic).collect();
    assert_eq!(topics, [super::super::fake::INVOICES.topic]);
}

#[test]
fn a_pattern_subscribes_to_what_matches() {
    let mut lab = lab(&[GROUP, EARLIEST]);
    lab.node.0.subscribe_pattern(crate::base::Pattern::parse("ord.*").expect("a pattern"));
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    assert_eq!(lab.assigned(), [0]);
    assert_eq!(lab.count(ApiKey::SyncGroup), 1);
}

#[test]
fn errors_of_a_heartbeat() {
    for (error, keeps_id) in [(ErrorCode::IllegalGeneration, true), (ErrorCode::UnknownMemberId, false)] {
        let mut lab = member(&[MANUAL]);
        lab.told();
        lab.fail_next(ApiKey::Heartbeat, error);
        lab.run_ms(3_100);
        assert_eq!(lab.generation(), (-1, if keeps_id { "mailer-1".to_owned() } else { String::new() }), "{error:?}");
        lab.poll_until_stable();
        assert_eq!(lab.told(), [("lost", vec![0]), ("assigned", vec![0])]);
        assert_eq!(lab.generation().1, if keeps_id { "mailer-1" } else { "mailer-2" });
    }
}

#[test]
fn a_fenced_instance_is_told_by_the_next_poll() {
    let mut lab = member(&[MANUAL, ("group.instance.id", "one")]);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::FencedInstanceId);
    lab.run_ms(3_100);
    assert_eq!(lab.poll(), Polled::Failed(ClientError::Broker(ErrorCode::FencedInstanceId)));
}

#[test]
fn errors_of_joining_that_are_tried_again() {
    for (api, error, id) in [
        (ApiKey::JoinGroup, ErrorCode::CoordinatorLoadInProgress, "mailer-1"),
        (ApiKey::JoinGroup, ErrorCode::NotCoordinator, "mailer-1"),
        (ApiKey::JoinGroup, ErrorCode::RebalanceInProgress, "mailer-1"),
        (ApiKey::JoinGroup, ErrorCode::UnknownMemberId, "mailer-1"),
        (ApiKey::SyncGroup, ErrorCode::RebalanceInProgress, "mailer-1"),
        (ApiKey::SyncGroup, ErrorCode::IllegalGeneration, "mailer-1"),
        (ApiKey::SyncGroup, ErrorCode::UnknownMemberId, "mailer-2"),
        (ApiKey::SyncGroup, ErrorCode::NotCoordinator, "mailer-1"),
    ] {
        let mut lab = subscriber(&[]);
        lab.fail_next(api, error);
        lab.poll_until_stable();
        assert_eq!(lab.generation().1, id, "{api:?} {error:?}");
        assert_eq!(lab.count(ApiKey::FindCoordinator) > 1, error == ErrorCode::NotCoordinator);
    }
}

#[test]
fn errors_of_joining_that_are_thrown() {
    for error in [
        ErrorCode::InconsistentGroupProtocol,
        ErrorCode::InvalidSessionTimeout,
        ErrorCode::GroupMaxSizeReached,
        ErrorCode::FencedInstanceId,
    ] {
        let mut lab = subscriber(&[]);
        lab.fail_next(ApiKey::JoinGroup, error);
        let mut answers = (0..1_000).map(|_| {
            lab.run_ms(1);
            lab.poll()
        });
        assert!(answers.any(|answer| answer == Polled::Failed(ClientError::Broker(error))), "{error:?}");
    }
}

#[test]
fn i12_an_illegal_generation_resets_the_generation_and_keeps_the_id() {
    for (error, id) in [(ErrorCode::IllegalGeneration, "mailer-1"), (ErrorCode::UnknownMemberId, "")] {
        let mut lab = member(&[MANUAL]);
        lab.append(0);
        assert_eq!(lab.poll_records(), [0]);
        lab.fail_next(ApiKey::OffsetCommit, error);
        lab.with(|node, now, out| node.0.commit_sync(now, out));
        lab.run_ms(10);
        let thrown = ClientError::Exception("CommitFailedException".into());
        assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Err(thrown)));
        assert_eq!(lab.generation(), (-1, id.to_owned()));
    }
}

#[test]
fn a_commit_during_a_rebalance_says_so() {
    let mut lab = member(&[MANUAL]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    let rebalance = ClientError::Exception("RebalanceInProgressException".into());
    lab.fail_next(ApiKey::OffsetCommit, ErrorCode::RebalanceInProgress);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Err(rebalance.clone())));
    assert_eq!(lab.generation(), (1, "mailer-1".to_owned()));

    lab.hold.insert(ApiKey::JoinGroup);
    lab.poll_for(10);
    let sent = lab.count(ApiKey::OffsetCommit);
    lab.with(|node, now, out| node.0.commit_async(now, out));
    lab.poll();
    assert_eq!(lab.count(ApiKey::OffsetCommit), sent, "not sent while it joins");
}

#[test]
fn a_commit_names_generation_and_member() {
    let mut lab = member(&[MANUAL]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    let commit = lab.requests.iter().find_map(|request| match request {
        Request::OffsetCommit(commit) => Some((commit.generation, commit.member_id.to_string())),
        _ => None,
    });
    assert_eq!(commit, Some((1, "mailer-1".to_owned())));
}

#[test]
fn a_lost_coordinator_is_looked_up_without_joining_again() {
    let mut lab = member(&[MANUAL]);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::NotCoordinator);
    lab.run_ms(10_000);
    assert_eq!(lab.count(ApiKey::FindCoordinator), 2);
    assert!(lab.count(ApiKey::Heartbeat) > 2);
    assert_eq!(lab.generation(), (1, "mailer-1".to_owned()));
}

#[test]
fn a_coordinator_that_is_silent_for_a_session_is_doubted() {
    let mut lab = member(&[MANUAL, ("session.timeout.ms", "10000")]);
    lab.hold.insert(ApiKey::Heartbeat);
    lab.run_ms(9_900);
    assert_eq!(lab.count(ApiKey::FindCoordinator), 1);
    lab.run_ms(300);
    assert_eq!(lab.count(ApiKey::FindCoordinator), 2);
}

#[test]
fn a_listener_can_commit_before_its_partitions_go() {
    let mut lab = subscriber(&[MANUAL]);
    lab.node.0.listen();
    lab.append(0);
    while lab.node.0.rebalance_callback().is_none() {
        assert_eq!(lab.poll(), Polled::Waiting);
        lab.run_ms(1);
    }
    assert_eq!(lab.node.0.rebalance_callback(), Some(&RebalanceCallback::Assigned([TP].into())));
    lab.poll_nothing(20);
    assert_eq!(lab.position(), None, "no position before the listener returned");
    lab.with(|node, now, out| node.0.rebalance_callback_done(now, out));
    assert_eq!(lab.poll_records(), [0]);
    lab.fail_next(ApiKey::Heartbeat, ErrorCode::RebalanceInProgress);
    lab.run_ms(3_100);
    assert_eq!(lab.poll(), Polled::Waiting);
    assert_eq!(lab.node.0.rebalance_callback(), Some(&RebalanceCallback::Revoked([TP].into())));
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Ok(())));
    assert_eq!((lab.broker.committed.get(&TP), lab.assigned()), (Some(&1), vec![0]));
    lab.with(|node, now, out| node.0.rebalance_callback_done(now, out));
    while lab.node.0.rebalance_callback().is_none() {
        lab.poll();
        lab.run_ms(1);
    }
    lab.with(|node, now, out| node.0.rebalance_callback_done(now, out));
    lab.poll_until_stable();
    assert_eq!(lab.generation().0, 2);
}

#[test]
fn a_returning_leader_that_is_told_to_skips_the_assignment() {
    let mut lab = subscriber(&[("group.instance.id", "one"), MANUAL]);
    lab.broker.group.skip_assignment = true;
    lab.broker.group.assignments = [named(&[0])].into();
    lab.poll_until_stable();
    let sent = lab.requests.iter().find_map(|request| match request {
        Request::SyncGroup(sync) => Some(sync.assignments.len()),
        _ => None,
    });
    assert_eq!((sent, lab.assigned()), (Some(0), vec![0]));
}
