//! What a poll() returns, and what it asks for.

use super::*;

#[test]
fn records_come_with_their_delivery_count_and_only_those_acquired() {
    let mut lab = lab(&[]);
    lab.broker.log.push(batch(0, &[0, 1, 2, 3]));
    lab.broker.share.limit = Some(2);
    assert_eq!(lab.records(), [(0, 1), (1, 1)], "the batch has two more that were not acquired");
    assert_eq!(lab.node.0.acquisition_lock_timeout(), Some(LOCK));
    let first = lab.fetches()[0];
    assert_eq!((first.session_epoch, first.max_records, first.max_wait.as_millis()), (0, 500, 500));
    assert_eq!(first.partitions.len(), 1);
}

#[test]
fn nothing_is_fetched_ahead() {
    let mut lab = lab(&[]);
    lab.append(0);
    lab.offsets();
    let before = lab.fetches().len();
    lab.append(1);
    lab.run_ms(5_000);
    assert_eq!(lab.fetches().len(), before, "the application has not polled");
    assert_eq!(lab.offsets(), [1]);
}

#[test]
fn a_poll_returns_whole_batches() {
    let mut lab = lab(&[("max.poll.records", "2")]);
    lab.broker.log.push(batch(0, &[0, 1, 2]));
    lab.broker.log.push(batch(3, &[3]));
    assert_eq!(lab.offsets(), [0, 1]);
    assert_eq!(lab.offsets(), [2, 3]);
    assert!(lab.fetches().iter().all(|fetch| fetch.acquire_mode == ShareAcquireMode::BatchOptimized));
}

#[test]
fn a_limit_of_records_is_said() {
    let mut lab = lab(&[("max.poll.records", "2"), ("share.acquire.mode", "record_limit")]);
    lab.broker.log.push(batch(0, &[0, 1, 2]));
    assert_eq!(lab.offsets(), [0, 1]);
    assert_eq!(lab.fetches()[0].acquire_mode, ShareAcquireMode::RecordLimit);
    assert_eq!(lab.offsets(), [2]);
}

/// Control records take offsets that nobody sees: they are acknowledged, else they would be delivered for ever.
#[test]
fn what_nobody_sees_is_acknowledged_as_a_gap() {
    let mut lab = lab(&[EXPLICIT]);
    lab.broker.log.push(ControlRecord::marker_batch(true, 7, 0, 0, 0).with_offset_and_epoch(0, 0));
    lab.nothing(20);
    assert_eq!(lab.broker.share.acknowledged, [(0, Gap)]);
    lab.append(1);
    assert_eq!(lab.offsets(), [1]);
}

/// A damaged batch is rejected whole, and the application hears of it.
#[test]
fn a_damaged_batch_is_rejected() {
    let mut lab = lab(&[]);
    lab.broker.log.push(batch(0, &[0, 1]).corrupted(30));
    lab.broker.log.push(batch(2, &[2]));
    let failed = (0..100).find_map(|_| match lab.poll() {
        Polled::Failed(error) => Some(error),
        _ => {
            lab.run_ms(1);
            None
        }
    });
    assert!(failed.is_some_and(|error| error.name().starts_with("CorruptRecordException")));
    assert_eq!(lab.offsets(), [2]);
    lab.nothing(20);
    assert_eq!(lab.broker.share.acknowledged, [(0, Reject), (1, Reject), (2, Accept)]);
}

#[test]
fn an_error_of_the_session_begins_a_new_one() {
    let mut lab = lab(&[]);
    lab.append(0);
    lab.offsets();
    lab.broker.errors.insert(ApiKey::ShareFetch, [ErrorCode::InvalidShareSessionEpoch].into());
    lab.node.0.set_acknowledgement_commit_callback();
    lab.nothing(20);
    let epochs: Vec<i32> = lab.fetches().iter().map(|fetch| fetch.session_epoch).collect();
    assert_eq!(epochs, [0, 1, 0]);
    let told = lab.node.0.take_callbacks();
    assert_eq!((told.len(), told[0].error), (1, ErrorCode::InvalidShareSessionEpoch), "it travelled with that fetch");
    assert_eq!(lab.fetches()[2].partitions.len(), 1, "the new session names its partitions");
}

/// A leader that is none any more says so: metadata is asked for, and nothing is thrown.
#[test]
fn a_former_leader_makes_it_look_again() {
    let mut lab = lab(&[]);
    lab.broker.share.partition_errors.push_back(ErrorCode::NotLeaderOrFollower);
    lab.nothing(30);
    lab.append(0);
    assert_eq!(lab.offsets(), [0]);
    assert!(lab.fetches().len() >= 2);
}
