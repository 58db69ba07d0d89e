//! Positions, fetches, what is returned and what is skipped.

use super::*;

const EARLIEST: (&str, &str) = ("auto.offset.reset", "earliest");

/// Transactional records of producer `pid`, one a batch.
fn transactional(pid: i64, offset: Offset, sequence: i32) -> RecordBatch {
    let mut builder =
        BatchBuilder::new(0).base_offset(offset).leader_epoch(0).producer(pid, 0, sequence).transactional(true);
    builder.append(0, None, Some(b"x"), &[]);
    builder.build()
}

fn marker(pid: i64, offset: Offset, commit: bool) -> RecordBatch {
    ControlRecord::marker_batch(commit, pid, 0, 0, 0).with_offset_and_epoch(offset, 0)
}

fn aborted(producer_id: i64, first_offset: Offset) -> AbortedTransaction {
    AbortedTransaction { producer_id, first_offset }
}

#[test]
fn i1_read_committed_with_committed_and_aborted_transactions() {
    let log = vec![
        transactional(1, 0, 0),
        transactional(1, 1, 1),
        transactional(2, 2, 0),
        marker(1, 3, true),
        transactional(2, 4, 1),
        marker(2, 5, false),
        transactional(1, 6, 2),
        transactional(2, 7, 2),
        transactional(1, 8, 3),
        marker(1, 9, false),
        marker(2, 10, true),
    ];
    for (level, expected) in [("read_committed", vec![0, 1, 7]), ("read_uncommitted", vec![0, 1, 2, 4, 6, 7, 8])] {
        let mut lab = lab(&[EARLIEST, ("isolation.level", level)]);
        lab.broker.log = log.clone();
        lab.broker.aborted = vec![aborted(1, 6), aborted(2, 2)];
        assert_eq!(lab.poll_records(), expected, "{level}");
        assert_eq!(lab.position(), Some(11), "{level}");
    }
}

#[test]
fn i2_position_moves_over_aborted_transactions() {
    let mut lab = lab(&[EARLIEST, ("isolation.level", "read_committed")]);
    assert_eq!(lab.node.0.config().isolation_level, IsolationLevel::ReadCommitted);
    lab.broker.log = vec![transactional(1, 0, 0), transactional(1, 1, 1), marker(1, 2, false)];
    lab.broker.aborted = vec![aborted(1, 0)];
    assert!(lab.poll_records().is_empty());
    assert_eq!(lab.position(), Some(3));
}

#[test]
fn i4_multiple_abort_markers() {
    let mut lab = lab(&[EARLIEST, ("isolation.level", "read_committed")]);
    lab.broker.log = vec![
        transactional(1, 0, 0),
        transactional(1, 1, 1),
        marker(1, 2, false),
        marker(1, 3, false),
        transactional(1, 4, 2),
        transactional(1, 5, 3),
        marker(1, 6, true),
    ];
    lab.broker.aborted = vec![aborted(1, 0)];
    assert_eq!(lab.poll_records(), [4, 5]);
    assert_eq!(lab.position(), Some(7));
}

#[test]
fn i5_position_moves_over_an_empty_batch() {
    let mut lab = lab(&[EARLIEST]);
    lab.broker.log_start = 37;
    lab.broker.log = vec![emptied(37, 17)];
    assert_eq!(lab.broker.end(), 55);
    assert!(lab.poll_records().is_empty());
    assert_eq!(lab.position(), Some(55));
}

/// What compaction leaves of a batch from `base` to `base + delta` whose records are all gone.
fn emptied(base: Offset, delta: i32) -> RecordBatch {
    let mut bytes = batch(base, &[0]).bytes()[..61].to_vec();
    bytes[8..12].copy_from_slice(&49_i32.to_be_bytes());
    bytes[23..27].copy_from_slice(&delta.to_be_bytes());
    bytes[57..61].copy_from_slice(&0_i32.to_be_bytes());
    let crc = crate::record::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    RecordBatch::parse(bytes.into()).expect("a header alone is a batch").0
}

#[test]
fn i6_a_stale_out_of_range_error_is_ignored() {
    let mut lab = lab(&[EARLIEST]);
    lab.poll_nothing(20);
    lab.broker.errors.insert(ApiKey::Fetch, [ErrorCode::OffsetOutOfRange].into());
    lab.hold.insert(ApiKey::Fetch);
    lab.append(0);
    lab.run_ms(5);
    lab.with(|node, _, out| node.0.seek(TP, 1, out));
    lab.broker.errors.clear();
    lab.release();
    lab.run_ms(5);
    let resets = lab.count(ApiKey::ListOffsets);
    lab.poll_nothing(20);
    assert_eq!(lab.position(), Some(1));
    assert_eq!(lab.count(ApiKey::ListOffsets), resets);
}

#[test]
fn an_out_of_range_position_is_reset_or_thrown() {
    for (policy, resets) in [("earliest", true), ("none", false)] {
        let mut lab = lab(&[("auto.offset.reset", policy), ("group.id", "g")]);
        lab.broker.committed.insert(TP, 3);
        lab.broker.log = (0..7).map(|offset| batch(offset, &[offset as u32])).collect();
        assert_eq!(lab.poll_records(), [3, 4, 5, 6], "{policy}");
        lab.run_ms(10);
        lab.with(|node, _, out| node.0.seek(TP, 99, out));
        lab.run_ms(1_000);
        if resets {
            assert_eq!(lab.poll_records(), [0, 1, 2, 3, 4, 5, 6]);
        } else {
            let mut answers = (0..2_000).map(|_| {
                lab.run_ms(1);
                lab.poll()
            });
            let thrown = Polled::Failed(ClientError::Broker(ErrorCode::OffsetOutOfRange));
            assert!(answers.any(|answer| answer == thrown));
        }
    }
}

#[test]
fn i7_buffered_records_survive_a_pause() {
    let mut lab = lab(&[EARLIEST]);
    lab.broker.log = vec![batch(0, &[0, 1, 2])];
    while lab.count(ApiKey::Fetch) == 0 {
        lab.poll_nothing(1);
    }
    lab.node.0.pause(TP);
    lab.poll_nothing(50);
    assert!(lab.node.0.fetcher().buffered().next().is_some());
    assert_eq!(lab.count(ApiKey::Fetch), 1);
    lab.node.0.resume(TP);
    assert_eq!(lab.poll_records(), [0, 1, 2]);
    assert_eq!(lab.count(ApiKey::Fetch), 1);
}

#[test]
fn max_poll_records_bounds_each_poll_and_the_rest_stays_buffered() {
    let mut lab = lab(&[EARLIEST, ("max.poll.records", "2")]);
    lab.broker.log = vec![batch(0, &[0, 1, 2]), batch(3, &[3, 4])];
    assert_eq!(lab.poll_records(), [0, 1]);
    assert_eq!(lab.poll_records(), [2, 3]);
    assert_eq!(lab.position(), Some(4));
    assert_eq!(lab.poll_records(), [4]);
    let delivered = lab.events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(delivered, 5);
}

#[test]
fn fetches_go_on_in_one_incremental_session() {
    let mut lab = lab(&[EARLIEST]);
    lab.append(0);
    assert_eq!(lab.poll_records(), [0]);
    lab.append(1);
    assert_eq!(lab.poll_records(), [1]);
    lab.poll_nothing(700);
    let asked = lab.requests.iter().filter_map(|request| match request {
        Request::Fetch(fetch) => Some((fetch.session.id, fetch.session.epoch, fetch.partitions.len())),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [(0, 0, 1), (1, 1, 1), (1, 2, 1), (1, 3, 0)]);
}

#[test]
fn latest_starts_at_the_end_and_none_throws() {
    let mut lab = lab(&[("auto.offset.reset", "latest")]);
    lab.append(0);
    lab.poll_nothing(50);
    lab.append(1);
    assert_eq!(lab.poll_records(), [1]);

    let mut strict = self::lab(&[("auto.offset.reset", "none"), ("group.id", "g")]);
    let mut answers = (0..1_000).map(|_| {
        strict.run_ms(1);
        strict.poll()
    });
    assert!(answers.any(|answer| matches!(answer, Polled::Failed(ClientError::Exception(_)))));
}

#[test]
fn i13_unstable_offsets_are_asked_for_again() {
    let mut lab = lab(&[("group.id", "g")]);
    lab.broker.committed.insert(TP, 1);
    lab.broker.log = vec![batch(0, &[0, 1])];
    lab.broker.errors.insert(ApiKey::OffsetFetch, [ErrorCode::UnstableOffsetCommit].into());
    assert_eq!(lab.poll_records(), [1]);
    assert_eq!(lab.count(ApiKey::OffsetFetch), 2);
    let from_commit = Event::PositionSet { partition: TP, offset: 1, from_commit: true };
    assert!(lab.events.contains(&from_commit));
}

#[test]
fn a_corrupt_batch_is_thrown_until_the_application_seeks_past_it() {
    let mut lab = lab(&[EARLIEST]);
    let mut bytes = batch(1, &[1]).bytes().to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let corrupt = RecordBatch::parse(bytes.into()).expect("a whole batch").0;
    lab.broker.log = vec![batch(0, &[0]), corrupt, batch(2, &[2])];
    assert_eq!(lab.poll_records(), [0]);
    for _ in 0..2 {
        assert!(matches!(lab.poll(), Polled::Failed(ClientError::Exception(_))));
    }
    lab.with(|node, _, out| node.0.seek(TP, 2, out));
    assert_eq!(lab.poll_records(), [2]);
}

/// `FetchCollector.handleInitializeErrors`: some errors want metadata, one only patience, the others are the application's.
#[test]
fn errors_of_a_fetch() {
    use ErrorCode::*;
    let moved = [NotLeaderOrFollower, ReplicaNotAvailable, KafkaStorageError, FencedLeaderEpoch, OffsetNotAvailable];
    let unknown = [UnknownTopicOrPartition, UnknownTopicId, InconsistentTopicId];
    let wants_metadata = moved.into_iter().chain(unknown).map(|error| (error, true));
    for (error, learns) in wants_metadata.chain([(UnknownLeaderEpoch, false)]) {
        let mut lab = lab(&[EARLIEST]);
        lab.append(0);
        lab.broker.errors.insert(ApiKey::Fetch, [error].into());
        assert_eq!(lab.poll_records(), [0], "{error:?}: it is asked for again");
        lab.run_ms(1_000);
        let learned = lab.node.0.network().metadata.update_version();
        assert_eq!(learned, 1 + u32::from(learns), "{error:?}");
    }
    for error in [TopicAuthorizationFailed, CorruptMessage] {
        let mut lab = lab(&[EARLIEST]);
        lab.append(0);
        lab.broker.errors.insert(ApiKey::Fetch, [error].into());
        let mut answers = (0..1_000).map(|_| {
            lab.run_ms(1);
            lab.poll()
        });
        assert!(answers.any(|answer| answer == Polled::Failed(ClientError::Broker(error))), "{error:?}");
    }
}
