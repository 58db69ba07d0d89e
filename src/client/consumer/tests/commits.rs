//! Commits: synchronous, asynchronous, automatic.

use super::*;

fn committed(lab: &Lab) -> Option<Offset> {
    lab.broker.committed.get(&TP).copied()
}

/// A member-less consumer of a group that has read two records.
fn reader(settings: &[(&str, &str)]) -> Lab {
    let mut all = vec![("group.id", "g"), ("auto.offset.reset", "earliest")];
    all.extend(settings);
    let mut lab = lab(&all);
    lab.broker.log = vec![batch(0, &[0, 1])];
    assert_eq!(lab.poll_records(), [0, 1]);
    lab
}

const MANUAL: (&str, &str) = ("enable.auto.commit", "false");

#[test]
fn i10_auto_commit_awaits_its_interval() {
    let mut lab = reader(&[("auto.commit.interval.ms", "1000")]);
    lab.with(|node, _, out| node.0.seek(TP, 1, out));
    lab.hold.insert(ApiKey::OffsetCommit);
    lab.run_ms(1_000);
    lab.poll();
    lab.run_ms(500);
    assert_eq!(lab.count(ApiKey::OffsetCommit), 1);
    lab.poll();
    lab.run_ms(10);
    assert_eq!(lab.count(ApiKey::OffsetCommit), 1);
    lab.release();
    lab.with(|node, _, out| node.0.seek(TP, 2, out));
    lab.poll();
    assert_eq!(committed(&lab), Some(1));
    lab.run_ms(500);
    lab.poll();
    lab.run_ms(10);
    assert_eq!(lab.count(ApiKey::OffsetCommit), 2);
    assert_eq!(committed(&lab), Some(2));
}

#[test]
fn auto_commit_leaves_out_what_the_same_poll_returns() {
    let mut lab = reader(&[("auto.commit.interval.ms", "1000")]);
    lab.append(2);
    lab.poll();
    lab.run_ms(2_000);
    assert_eq!(lab.poll_records(), [2]);
    lab.run_ms(10);
    assert_eq!(committed(&lab), Some(2), "position before this poll");
}

#[test]
fn without_a_group_nothing_is_committed() {
    let mut lab = lab(&[("auto.offset.reset", "earliest")]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.poll_nothing(10_000);
    assert_eq!(lab.count(ApiKey::OffsetCommit) + lab.count(ApiKey::FindCoordinator), 0);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    let now = lab.now;
    assert!(matches!(lab.node.0.commit_sync_result(now), Some(Err(ClientError::Exception(_)))));
}

#[test]
fn commit_sync_retries_retriable_errors() {
    let mut lab = reader(&[MANUAL]);
    let errors = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator];
    lab.broker.errors.insert(ApiKey::OffsetCommit, errors.into());
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    assert_eq!(lab.node.0.commit_sync_result(lab.now), None);
    lab.run_ms(5_000);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Ok(())));
    assert_eq!((lab.count(ApiKey::OffsetCommit), committed(&lab)), (3, Some(2)));
    assert_eq!(lab.count(ApiKey::FindCoordinator), 2, "the coordinator said it is none");
    assert!(lab.events.contains(&Event::OffsetsCommitted { partition: TP, offset: 2 }));
}

#[test]
fn commit_sync_gives_up_after_default_api_timeout() {
    let mut lab = reader(&[MANUAL, ("default.api.timeout.ms", "2000"), ("request.timeout.ms", "1000")]);
    lab.hold.insert(ApiKey::OffsetCommit);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(1_900);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), None);
    lab.run_ms(200);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Err(ClientError::Timeout)));
    assert!(lab.count(ApiKey::OffsetCommit) > 1, "a lost answer is a retriable error");
}

#[test]
fn commit_sync_throws_what_cannot_be_retried() {
    let mut lab = reader(&[MANUAL]);
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::OffsetMetadataTooLarge].into());
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(100);
    let expected = ClientError::Broker(ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(lab.node.0.commit_sync_result(lab.now), Some(Err(expected)));
    assert_eq!(lab.count(ApiKey::OffsetCommit), 1);
}

#[test]
fn commit_async_never_retries_and_calls_back_in_a_later_call() {
    let mut lab = reader(&[MANUAL]);
    lab.broker.errors.insert(ApiKey::OffsetCommit, [ErrorCode::CoordinatorLoadInProgress].into());
    lab.with(|node, now, out| node.0.commit_async(now, out));
    lab.with(|node, now, out| node.0.commit_async(now, out));
    lab.run_ms(5_000);
    assert_eq!(lab.count(ApiKey::OffsetCommit), 2);
    assert!(lab.node.0.take_callbacks().is_empty());
    lab.poll();
    let errors: Vec<bool> = lab.node.0.take_callbacks().iter().map(|callback| callback.error.is_some()).collect();
    assert_eq!(errors, [true, false]);
}

#[test]
fn close_commits_once_more() {
    let mut lab = reader(&[]);
    assert_eq!(committed(&lab), None);
    lab.with(|node, now, out| node.0.close(now, out));
    assert!(!lab.node.0.is_closed());
    lab.run_ms(100);
    assert!(lab.node.0.is_closed());
    assert_eq!(committed(&lab), Some(2));
}

#[test]
fn timers_of_the_consumer_are_its_own() {
    let mut lab = reader(&[]);
    lab.with(|node, now, out| node.on_timer(now, Timer::Consumer(ConsumerTimer::Heartbeat), out));
    assert_eq!(lab.position(), Some(2));
}
