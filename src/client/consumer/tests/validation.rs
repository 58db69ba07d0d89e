//! Positions that a leader has to confirm (KIP-320), and where reading starts without one.

use super::*;
use crate::protocol::ListOffsetsPartition;

const GROUP: (&str, &str) = ("group.id", "g");

fn state(lab: &Lab) -> FetchState {
    lab.node.0.subscription().get(TP).expect("assigned").state()
}

/// A consumer that reads a log of `end` records, from the beginning.
fn reader(settings: &[(&str, &str)], end: u32) -> Lab {
    let mut lab = lab(&[&[GROUP, ("enable.auto.commit", "false")], settings].concat());
    lab.broker.committed.insert(TP, 0);
    (0..end).for_each(|id| lab.broker.append(id));
    lab.poll_records();
    lab
}

fn seek(lab: &mut Lab, offset: Offset) {
    lab.with(|node, _, out| node.0.seek_to(TP, OffsetAndEpoch { offset, leader_epoch: 0 }, out));
}

#[test]
fn i9_a_validation_is_moot_after_the_position_changed() {
    let mut lab = reader(&[], 30);
    lab.hold.insert(ApiKey::OffsetForLeaderEpoch);
    seek(&mut lab, 10);
    lab.poll_nothing(5);
    assert_eq!((lab.count(ApiKey::OffsetForLeaderEpoch), state(&lab)), (2, FetchState::AwaitValidation));
    seek(&mut lab, 20);
    lab.release();
    lab.run_ms(2);
    assert_eq!((lab.position(), state(&lab)), (Some(20), FetchState::AwaitValidation));
    assert_eq!(lab.poll_records()[0], 20, "validated on its own");
}

#[test]
fn a_position_beyond_the_epochs_end_was_truncated_and_goes_back() {
    let mut lab = reader(&[("auto.offset.reset", "earliest")], 5);
    seek(&mut lab, 9);
    lab.poll_nothing(20);
    assert_eq!((lab.position(), state(&lab)), (Some(5), FetchState::Fetching), "where the logs part");
}

#[test]
fn a_truncation_is_thrown_without_a_reset_policy() {
    let mut lab = reader(&[("auto.offset.reset", "none")], 5);
    seek(&mut lab, 9);
    let mut answers = (0..100).map(|_| {
        lab.run_ms(1);
        lab.poll()
    });
    let truncated = |answer| matches!(answer, Polled::Failed(ClientError::Exception(text)) if text.starts_with("LogTruncationException"));
    assert!(answers.any(truncated));
    assert_eq!((lab.position(), state(&lab)), (Some(9), FetchState::AwaitValidation));
}

#[test]
fn nothing_is_committed_of_a_position_in_doubt() {
    let mut lab = reader(&[], 30);
    lab.hold.insert(ApiKey::OffsetForLeaderEpoch);
    seek(&mut lab, 10);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    assert_eq!((lab.node.0.commit_sync_result(lab.now), lab.count(ApiKey::OffsetCommit)), (Some(Ok(())), 0));
}

/// "The callbacks for all commitAsync() will be invoked when commitSync() completes, even if the user tries to commit empty offsets."
#[test]
fn a_commit_of_nothing_waits_for_those_before_it() {
    let mut lab = reader(&[], 30);
    lab.hold.insert(ApiKey::OffsetForLeaderEpoch);
    lab.hold.insert(ApiKey::OffsetCommit);
    lab.with(|node, now, out| node.0.commit_async(now, out));
    seek(&mut lab, 10);
    lab.with(|node, now, out| node.0.commit_sync(now, out));
    lab.run_ms(10);
    assert_eq!((lab.node.0.commit_sync_result(lab.now), lab.count(ApiKey::OffsetCommit)), (None, 1));
    lab.release();
    lab.run_ms(10);
    assert_eq!((lab.node.0.commit_sync_result(lab.now), lab.count(ApiKey::OffsetCommit)), (Some(Ok(())), 1));
    assert_eq!(lab.node.0.take_callbacks().len(), 1);
}

#[test]
fn by_duration_asks_for_a_time_before_now() {
    let mut lab = lab(&[GROUP, ("auto.offset.reset", "by_duration:PT10S")]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    let asked = lab.requests.iter().find_map(|request| match request {
        Request::ListOffsets(asked) => Some(asked.partitions[0].timestamp),
        _ => None,
    });
    let asked = asked.expect("it asks");
    assert!(asked != ListOffsetsPartition::LATEST && asked != ListOffsetsPartition::EARLIEST);
    let before = lab.now.wall_clock_ms() - 10_000;
    assert!((before - 1_000..=before).contains(&asked));
}

#[test]
fn a_reset_is_asked_for_again_after_an_error() {
    let mut lab = lab(&[GROUP, ("auto.offset.reset", "latest")]);
    lab.broker.errors.insert(ApiKey::ListOffsets, [ErrorCode::NotLeaderOrFollower].into());
    lab.append(0);
    lab.poll_nothing(500);
    assert_eq!((lab.count(ApiKey::ListOffsets), lab.position()), (2, Some(1)));
}
