//! Members of a group in the consumer protocol (KIP-848).

use super::*;
use crate::node::Event;
use crate::protocol::ConsumerGroupHeartbeatRequest;

const EPOCHS: [(&str, &str); 3] =
    [("group.id", "g"), ("auto.offset.reset", "earliest"), ("group.protocol", "consumer")];
const SELDOM: (&str, &str) = ("auto.commit.interval.ms", "60000");
const MANUAL: (&str, &str) = ("enable.auto.commit", "false");

fn tp(index: u32) -> TopicPartition {
    TopicPartition::new(TP.topic, index)
}

fn subscriber(settings: &[(&str, &str)], targets: &[&[u32]]) -> Lab {
    let mut lab = lab(&[&EPOCHS, settings].concat());
    lab.broker.partitions = 4;
    lab.broker.group.targets = targets.iter().map(|it| it.iter().map(|index| tp(*index)).collect()).collect();
    let now = lab.now;
    lab.node.0.subscribe(now, ["orders".into()]);
    lab
}

impl Lab {
    fn poll_while(&mut self, goes_on: impl Fn(&EpochMember) -> bool) {
        for _ in 0..20_000 {
            assert!(!matches!(self.poll(), Polled::Failed(_)));
            if !goes_on(self.epochs()) {
                return;
            }
            self.run_ms(1);
        }
        panic!("it goes on: {:?}", self.epochs());
    }

    fn settle(&mut self) {
        self.poll_while(|member| member.state() != EpochState::Stable);
        // The heartbeat that says so arrives.
        self.run_ms(5);
    }

    fn epochs(&self) -> &EpochMember {
        self.node.0.coordinator().and_then(Coordinator::epoch_member).expect("it speaks the consumer protocol")
    }

    fn owned(&self) -> Vec<u32> {
        self.node.0.subscription().assigned().iter().map(|tp| tp.partition).collect()
    }

    fn heartbeats(&self) -> Vec<&ConsumerGroupHeartbeatRequest> {
        let beats = self.requests.iter().filter_map(|request| match request {
            Request::ConsumerGroupHeartbeat(beat) => Some(&**beat),
            _ => None,
        });
        beats.collect()
    }

    fn heard(&mut self) -> Vec<(&'static str, usize)> {
        let heard = self.events.iter().filter_map(|event| match event {
            Event::PartitionsAssigned { partitions } => Some(("assigned", partitions.len())),
            Event::PartitionsRevoked { partitions } => Some(("revoked", partitions.len())),
            Event::PartitionsLost { partitions } => Some(("lost", partitions.len())),
            _ => None,
        });
        let heard = heard.collect();
        self.events.clear();
        heard
    }
}

#[test]
fn it_joins_with_epoch_zero_says_all_and_acknowledges() {
    let mut lab = subscriber(&[], &[&[0, 1]]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.settle();
    let beats = lab.heartbeats();
    let (join, ack) = (beats[0], beats[1]);
    assert_eq!((join.member_epoch, join.topic_partitions.as_deref()), (0, Some(&[][..])));
    assert_eq!(join.subscribed_topics.as_deref(), Some(&["orders".into()][..]));
    assert!(join.rebalance_timeout.is_some() && join.member_id.starts_with("mailer-"));
    assert_eq!((ack.member_epoch, ack.topic_partitions.as_deref()), (1, Some(&[tp(0), tp(1)][..])));
    assert_eq!((&ack.subscribed_topics, ack.rebalance_timeout), (&None, None), "nothing else has changed");
    let metadata = lab.node.0.group_metadata().expect("a group");
    assert_eq!((metadata.generation, &metadata.member_id), (1, &join.member_id));
}

#[test]
fn the_coordinator_says_how_often() {
    let mut lab = subscriber(&[], &[]);
    lab.settle();
    lab.poll();
    let before = lab.heartbeats().len();
    lab.run_ms(20_100);
    assert_eq!(lab.heartbeats().len() - before, 4);
    let last = lab.heartbeats()[before];
    assert_eq!((&last.topic_partitions, &last.subscribed_topics), (&None, &None));
}

#[test]
fn what_goes_is_committed_and_revoked_before_anything_is_taken() {
    let mut lab = subscriber(&[], &[&[0, 1]]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.settle();
    lab.heard();
    lab.broker.group.targets = [vec![tp(1), tp(2)]].into();
    lab.poll_while(|member| member.epoch() == 1);
    lab.settle();
    assert_eq!(lab.broker.committed.get(&TP), Some(&1));
    assert_eq!((lab.heard(), lab.owned()), (vec![("revoked", 1), ("assigned", 1)], vec![1, 2]));
    let last = lab.heartbeats().pop().expect("it says so");
    assert_eq!(last.topic_partitions.as_deref(), Some(&[tp(1), tp(2)][..]));
}

#[test]
fn a_fenced_member_loses_everything_and_joins_again() {
    for error in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut lab = subscriber(&[MANUAL], &[]);
        lab.settle();
        lab.heard();
        let id = lab.epochs().member_id.clone();
        lab.broker.errors.insert(ApiKey::ConsumerGroupHeartbeat, [error].into());
        lab.poll_while(|member| member.epoch() == 1);
        lab.settle();
        assert_eq!(lab.heard(), [("lost", 1), ("assigned", 1)], "{error:?}");
        assert_eq!((lab.epochs().epoch(), &lab.epochs().member_id), (2, &id), "{error:?}");
        assert!(lab.heartbeats().iter().filter(|beat| beat.member_epoch == 0).count() == 2);
    }
}

#[test]
fn errors_that_are_thrown() {
    for error in [
        ErrorCode::UnreleasedInstanceId,
        ErrorCode::FencedInstanceId,
        ErrorCode::UnsupportedAssignor,
        ErrorCode::GroupMaxSizeReached,
    ] {
        let mut lab = subscriber(&[("group.instance.id", "one")], &[]);
        lab.broker.errors.insert(ApiKey::ConsumerGroupHeartbeat, [error].into());
        let mut answers = (0..1_000).map(|_| {
            lab.run_ms(1);
            lab.poll()
        });
        assert!(answers.any(|answer| answer == Polled::Failed(ClientError::Broker(error))), "{error:?}");
        assert_eq!(lab.epochs().state(), EpochState::Fatal);
    }
}

#[test]
fn errors_that_are_tried_again() {
    for error in [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable] {
        let mut lab = subscriber(&[], &[]);
        lab.broker.errors.insert(ApiKey::ConsumerGroupHeartbeat, [error].into());
        lab.settle();
        assert_eq!(lab.owned(), [0], "{error:?}");
    }
}

/// The answer may have carried an assignment: only to one that says all it is said again, and a member that never hears of it
/// is thrown out after `max.poll.interval.ms`.
#[test]
fn after_an_unanswered_heartbeat_all_is_said_again() {
    for error in [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator, ErrorCode::CoordinatorNotAvailable] {
        let mut lab = subscriber(&[], &[]);
        lab.settle();
        let before = lab.heartbeats().len();
        lab.broker.errors.insert(ApiKey::ConsumerGroupHeartbeat, [error].into());
        (0..1_000).for_each(|_| {
            lab.run_ms(10);
            assert!(!matches!(lab.poll(), Polled::Failed(_)));
        });
        let again = lab.heartbeats()[before + 1];
        assert_eq!((again.member_epoch, again.topic_partitions.as_deref()), (1, Some(&[tp(0)][..])), "{error:?}");
        assert!(again.rebalance_timeout.is_some() && again.subscribed_topics.is_some(), "{error:?}");
    }
}

#[test]
fn who_polls_too_late_leaves_and_comes_back() {
    let mut lab = subscriber(&[("max.poll.interval.ms", "10000"), MANUAL], &[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.run_ms(11_000);
    assert_eq!(lab.heartbeats().pop().expect("it leaves").member_epoch, -1);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    // Unlike a classic member it has no positions any more, so there is nothing to commit.
    assert_eq!((lab.node.0.commit_sync_result(lab.now), lab.count(ApiKey::OffsetCommit)), (Some(Ok(())), 0));
    assert_eq!(lab.poll_records(), [0], "read again");
    assert_eq!(lab.heard(), [("assigned", 1), ("lost", 1), ("assigned", 1)]);
}

#[test]
fn close_leaves_and_a_static_member_says_that_it_will_be_back() {
    for (settings, epoch) in [(&[][..], -1), (&[("group.instance.id", "one")][..], -2)] {
        let mut lab = subscriber(settings, &[]);
        lab.append(0);
        assert_eq!(lab.poll_records(), [0]);
        lab.settle();
        lab.heard();
        lab.with(|node, now, out| node.0.close(now, out));
        lab.run_ms(100);
        assert!(lab.node.0.is_closed());
        assert_eq!(lab.heartbeats().pop().expect("it leaves").member_epoch, epoch);
        assert_eq!((lab.heard(), lab.broker.committed.get(&TP)), (vec![("revoked", 1)], Some(&1)));
    }
}

#[test]
fn a_commit_in_an_old_epoch_fails() {
    let mut lab = subscriber(&[MANUAL], &[]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::StaleMemberEpoch].into());
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    let failed = ClientError::Exception("CommitFailedException".into());
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Err(failed)));
    assert_eq!(lab.epochs().state(), EpochState::Stable, "the next heartbeat tells");
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Ok(())));
}

#[test]
fn a_changed_subscription_is_told_at_the_next_heartbeat() {
    let mut lab = subscriber(&[MANUAL], &[]);
    lab.settle();
    let (now, before) = (lab.now, lab.heartbeats().len());
    lab.node.0.subscribe(now, ["orders".into(), "invoices".into()]);
    lab.poll();
    lab.run_ms(5_100);
    let topics = lab.heartbeats()[before].subscribed_topics.clone();
    assert_eq!(topics.as_deref(), Some(&["invoices".into(), "orders".into()][..]));
}

/// `CloseOptions.GroupMembershipOperation` (KIP-1092): a static member that leaves for good says so by its epoch.
#[test]
fn close_does_with_the_membership_what_it_is_told() {
    use MembershipOperation::{Default, LeaveGroup, RemainInGroup};
    for (instance, operation, epoch) in [
        (None, Default, Some(-1)),
        (None, LeaveGroup, Some(-1)),
        (None, RemainInGroup, None),
        (Some("one"), Default, Some(-2)),
        (Some("one"), LeaveGroup, Some(-1)),
        (Some("one"), RemainInGroup, Some(-2)),
    ] {
        let settings: Vec<_> = instance.map(|instance| ("group.instance.id", instance)).into_iter().collect();
        let mut lab = subscriber(&settings, &[]);
        lab.settle();
        lab.with(|node, now, out| node.0.close_with(now, operation, out));
        lab.run_ms(100);
        assert!(lab.node.0.is_closed());
        let last = lab.heartbeats().pop().expect("one").member_epoch;
        assert_eq!(Some(last).filter(|last| *last < 0), epoch, "{instance:?} {operation:?}");
    }
}

/// CommitRequestManagerTest: offsets are asked for as the member that one is, and once more if its epoch has moved on.
#[test]
fn committed_offsets_are_asked_for_as_a_member() {
    let mut lab = subscriber(&[], &[]);
    lab.broker.errors.insert(ApiKey::OffsetFetch, [ErrorCode::StaleMemberEpoch].into());
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    let id = lab.epochs().member_id.clone();
    let asked: Vec<_> = lab
        .requests
        .iter()
        .filter_map(|request| match request {
            Request::OffsetFetch(request) => Some(request.member.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, vec![Some((id, 1)); 2]);
}

/// testAutoCommitSyncBeforeRevocationRetriesOnRetriableAndStaleEpoch.
#[test]
fn a_stale_epoch_before_partitions_change_hands_is_tried_again() {
    let mut lab = subscriber(&[SELDOM], &[&[0, 1]]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.settle();
    lab.heard();
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::StaleMemberEpoch; 2].into());
    lab.broker.group.targets = [vec![tp(1)]].into();
    lab.poll_while(|member| member.epoch() == 1);
    lab.settle();
    assert_eq!((lab.count(ApiKey::OffsetCommit), lab.broker.committed.get(&TP)), (3, Some(&1)));
    assert_eq!(lab.heard(), [("revoked", 1), ("assigned", 0)]);
}

/// testAutoCommitSyncBeforeRevocation…UnknownTopicOrPartition: what is deleted is given up all the same, and soon.
#[test]
fn partitions_of_a_deleted_topic_are_given_up_without_a_commit() {
    let mut lab = subscriber(&[SELDOM], &[&[0, 1]]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.settle();
    lab.heard();
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::UnknownTopicOrPartition].into());
    lab.broker.group.targets = [vec![tp(1)]].into();
    lab.poll_while(|member| member.epoch() == 1);
    lab.settle();
    assert_eq!((lab.count(ApiKey::OffsetCommit), lab.broker.committed.get(&TP)), (1, None));
    assert_eq!(lab.owned(), [1]);
}

/// `subscribe(SubscriptionPattern)`: the coordinator evaluates it; an empty one says that there is none any more.
#[test]
fn a_pattern_for_the_coordinator() {
    let mut lab = lab(&EPOCHS);
    assert_eq!(lab.node.0.subscribe_regex("ord.*".into()), Ok(()));
    lab.settle();
    let join = lab.heartbeats()[0];
    assert_eq!((join.subscribed_regex.as_deref(), join.subscribed_topics.as_deref()), (Some("ord.*"), Some(&[][..])));
    assert!(lab.heartbeats()[1..].iter().all(|beat| beat.subscribed_regex.is_none()), "it does not change");
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    let now = lab.now;
    lab.node.0.subscribe(now, ["orders".into()]);
    let before = lab.heartbeats().len();
    lab.run_ms(5_100);
    let next = lab.heartbeats()[before];
    assert_eq!(next.subscribed_regex.as_deref(), Some(""));
    assert_eq!(next.subscribed_topics.as_deref(), Some(&["orders".into()][..]));
    let mut classic = super::lab(&[("group.id", "g")]);
    assert!(matches!(classic.node.0.subscribe_regex("ord.*".into()), Err(ClientError::Exception(_))));
}
