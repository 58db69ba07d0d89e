//! Joining, staying, leaving.

use super::*;
use crate::base::TopicId;
use crate::client::consumer::EpochState;

#[test]
fn a_member_says_who_it_is_once() {
    let mut lab = lab(&[("client.rack", "east")]);
    lab.nothing(12_000);
    let beats = lab.heartbeats();
    let said: Vec<_> =
        beats.iter().map(|it| (it.member_epoch, it.rack_id.is_some(), it.subscribed_topics.is_some())).collect();
    assert_eq!(said, [(0, true, true), (1, false, false), (1, false, false), (1, false, false)]);
    assert!(beats.iter().all(|it| it.member_id == beats[0].member_id && it.member_id.starts_with("mailer-")));
    assert_eq!(lab.node.0.membership().member().state(), EpochState::Stable);
}

#[test]
fn a_new_assignment_holds_at_once() {
    let mut lab = lab(&[]);
    lab.nothing(50);
    let second = TopicPartition::new(TopicId(1), 1);
    lab.broker.partitions = 2;
    lab.broker.share.targets.push_back(vec![TP, second]);
    lab.nothing(6_000);
    assert_eq!(lab.node.0.membership().assigned(), [TP, second]);
    let told: Vec<_> = lab.events.iter().filter(|event| matches!(event, Event::PartitionsAssigned { .. })).collect();
    assert_eq!(told.len(), 2);
}

#[test]
fn whoever_is_fenced_joins_again() {
    for error in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut lab = lab(&[]);
        lab.nothing(50);
        lab.broker.errors.insert(ApiKey::ShareGroupHeartbeat, [error].into());
        lab.nothing(6_000);
        let epochs: Vec<i32> = lab.heartbeats().iter().map(|it| it.member_epoch).collect();
        assert_eq!(epochs, [0, 1, 1, 0, 2], "{error:?}");
        lab.append(0);
        assert_eq!(lab.offsets(), [0]);
    }
}

#[test]
fn a_fatal_error_is_thrown() {
    let mut lab = lab(&[]);
    lab.broker.errors.insert(ApiKey::ShareGroupHeartbeat, [ErrorCode::GroupMaxSizeReached].into());
    let failed = (0..100).find_map(|_| match lab.poll() {
        Polled::Failed(error) => Some(error),
        _ => {
            lab.run_ms(1);
            None
        }
    });
    assert_eq!(failed, Some(ClientError::Broker(ErrorCode::GroupMaxSizeReached)));
}

#[test]
fn whoever_does_not_poll_leaves_and_comes_back() {
    let mut lab = lab(&[("max.poll.interval.ms", "10000")]);
    lab.append(0);
    lab.offsets();
    lab.run_ms(20_000);
    assert_eq!(lab.heartbeats().last().map(|it| it.member_epoch), Some(-1));
    assert!(lab.node.0.membership().assigned().is_empty());
    lab.append(1);
    assert_eq!(lab.offsets(), [1]);
}

#[test]
fn close_says_what_is_acknowledged_ends_the_session_and_leaves() {
    let mut lab = lab(&[EXPLICIT]);
    (0..2).for_each(|id| lab.append(id));
    lab.offsets();
    lab.acknowledge(0, Accept);
    lab.with(|node, now, out| node.0.close(now, out));
    assert!(!lab.node.0.is_closed());
    lab.run_ms(1_000);
    assert!(lab.node.0.is_closed());
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept)], "the other one is the broker's to release");
    assert_eq!(lab.acknowledges().last().map(|it| it.session_epoch), Some(-1));
    assert_eq!(lab.heartbeats().last().map(|it| it.member_epoch), Some(-1));
}

/// Even one that never got anything says goodbye; one that never joined has nobody to say it to.
#[test]
fn close_without_records() {
    let mut idle = lab(&[]);
    idle.nothing(1_200);
    idle.with(|node, now, out| node.0.close(now, out));
    idle.run_ms(2_000);
    assert!(idle.node.0.is_closed());
    assert_eq!(idle.acknowledges().len(), 1);
    let mut unborn = lab(&[]);
    unborn.with(|node, now, out| node.0.close(now, out));
    assert!(unborn.node.0.is_closed());
}
