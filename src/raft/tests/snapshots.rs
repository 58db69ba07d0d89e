//! Snapshots: told of, fetched in pieces, put in the place of a log (`KafkaRaftClientSnapshotTest`, `KafkaRaftLogTest`).

use super::super::log::Snapshot;
use super::*;
use bytes::Bytes;

fn snapshot_id(epoch: LeaderEpoch, end_offset: Offset) -> SnapshotId {
    SnapshotId { epoch, end_offset }
}

fn keep(lab: &mut Lab, end_offset: Offset, bytes: &'static [u8]) -> SnapshotId {
    let id = lab.raft.log().snapshot_id(end_offset).expect("it is committed");
    let timestamp = lab.now;
    lab.raft.log_mut().keep_snapshot(Snapshot { id, bytes: Bytes::from_static(bytes), timestamp });
    id
}

/// Leads epoch 4 with epochs 1, 1, 3 before its LeaderChange, and all of it committed.
fn leader_with_log() -> Lab {
    let mut lab = Lab::found(&[1, 1, 3], ElectionState { epoch: 3, leader: None, voted: None });
    lab.become_leader();
    lab.fetch(A, 4, 4);
    assert_eq!(lab.raft.high_watermark(), 4);
    lab
}

fn ask_snapshot(lab: &mut Lab, snapshot: SnapshotId, position: u64, max_bytes: u32) -> FetchSnapshotResponse {
    let (replica, current_leader_epoch) = (id(A), lab.raft.epoch());
    let request = FetchSnapshotRequest { replica, current_leader_epoch, snapshot, position, max_bytes };
    match lab.ask(A, Request::FetchSnapshot(request)) {
        Some(Response::FetchSnapshot(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_snapshot_id_needs_committed_offsets() {
    let mut lab = Lab::found(&[1, 1, 3], ElectionState { epoch: 3, leader: None, voted: None });
    lab.become_leader();
    assert_eq!(lab.raft.log().snapshot_id(2), None, "nothing is committed yet");
    lab.fetch(A, 4, 4);
    assert_eq!(lab.raft.log().snapshot_id(2), Some(snapshot_id(1, 2)));
    assert_eq!(lab.raft.log().snapshot_id(3), Some(snapshot_id(3, 3)));
    assert_eq!(lab.raft.log().snapshot_id(5), None);
}

#[test]
fn test_fetch_request_offset_zero_with_a_snapshot() {
    let mut lab = leader_with_log();
    assert_eq!(lab.fetch(B, 0, 0).expect("records").snapshot_id, None);
    let newest = keep(&mut lab, 3, b"abc");
    let response = lab.fetch(B, 0, 0).expect("at once");
    assert_eq!((response.snapshot_id, response.records.len()), (Some(newest), 0), "that is quicker than the log");
    assert_eq!(lab.fetch(B, 1, 1).expect("at once").snapshot_id, Some(newest), "older than the oldest snapshot");
    assert_eq!(lab.fetch(B, 3, 3).expect("records").snapshot_id, None);
}

#[test]
fn test_fetch_request_below_the_log_start_or_with_an_epoch_older_than_the_first_snapshot() {
    let mut lab = leader_with_log();
    keep(&mut lab, 2, b"abc");
    let newest = keep(&mut lab, 3, b"abcde");
    let now = lab.now;
    lab.raft.log_mut().clean(now, &config(&[("metadata.max.retention.bytes", "1")]));
    assert_eq!((lab.raft.log().snapshots().count(), lab.raft.log().log().log_start_offset()), (1, 3));
    for (offset, epoch, snapshot) in [(1, 1, true), (3, 2, true), (4, 1, true), (3, 3, false), (4, 4, false)] {
        let found = lab.fetch(B, offset, epoch).expect("at once").snapshot_id;
        assert_eq!(found, snapshot.then_some(newest), "offset {offset} in epoch {epoch}");
    }
}

#[test]
fn test_snapshots_are_deleted_when_old_or_too_large_but_never_the_last() {
    let mut lab = leader_with_log();
    keep(&mut lab, 2, b"abc");
    let clean = |lab: &mut Lab, key, value| {
        let now = lab.now;
        lab.raft.log_mut().clean(now, &config(&[("metadata.max.retention.bytes", "-1"), (key, value)]));
        lab.raft.log().snapshots().count()
    };
    assert_eq!(clean(&mut lab, "metadata.max.retention.bytes", "1"), 1);
    keep(&mut lab, 3, b"abcde");
    assert_eq!(clean(&mut lab, "metadata.max.retention.ms", "1000"), 2, "it is young");
    lab.now += Duration::from_millis(1_001);
    assert_eq!(clean(&mut lab, "metadata.max.retention.ms", "1000"), 1);
    assert_eq!(lab.raft.log().log().log_start_offset(), 3);
}

#[test]
fn test_fetch_snapshot_request_in_pieces() {
    let mut lab = leader_with_log();
    let newest = keep(&mut lab, 3, b"abcde");
    let first = ask_snapshot(&mut lab, newest, 0, 3);
    assert_eq!((first.error, first.size, &first.bytes[..]), (ErrorCode::None, 5, &b"abc"[..]));
    assert_eq!(&ask_snapshot(&mut lab, newest, 3, 3).bytes[..], b"de");
    assert_eq!(ask_snapshot(&mut lab, newest, 5, 3).error, ErrorCode::PositionOutOfRange);
    assert_eq!(ask_snapshot(&mut lab, snapshot_id(3, 2), 0, 3).error, ErrorCode::SnapshotNotFound);
    lab.begin_epoch(B, 9);
    assert_eq!(ask_snapshot(&mut lab, newest, 0, 3).error, ErrorCode::NotLeaderOrFollower);
}

#[test]
fn test_fetching_a_snapshot_counts_for_the_check_of_the_quorum() {
    let mut lab = leader_with_log();
    let newest = keep(&mut lab, 3, b"abcde");
    for _ in 0..4 {
        lab.pass(2_500);
        ask_snapshot(&mut lab, newest, 0, 1);
    }
    assert_eq!(lab.role(), QuorumRole::Leader);
}

#[test]
fn test_fetch_response_with_snapshot_id() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 3);
    lab.answer_fetch(A, |answer| answer.records = vec![batch(0, 1, &["of an older leader"])]);
    let wanted = snapshot_id(2, 5);
    lab.answer_fetch(A, |answer| answer.snapshot_id = Some(wanted));
    for (position, bytes, done) in [(0, &b"abc"[..], false), (3, b"de", true)] {
        let (_, request) = lab.last_to(A);
        let Request::FetchSnapshot(request) = request else { panic!("{request:?}") };
        assert_eq!((request.snapshot, request.position), (wanted, position));
        let current_leader = leader(Some(A), 3);
        let (error, snapshot, bytes) = (ErrorCode::None, wanted, Bytes::from_static(bytes));
        let response = FetchSnapshotResponse { error, current_leader, snapshot, size: 5, position, bytes };
        lab.answer(A, Response::FetchSnapshot(response));
        assert_eq!(lab.raft.log().snapshot(wanted).is_some(), done);
    }
    let log = lab.raft.log();
    assert_eq!((log.log().log_start_offset(), log.end_offset(), log.last_epoch(), log.high_watermark()), (5, 5, 2, 5));
    let Request::Fetch(request) = lab.last_to(A).1 else { panic!("it goes on behind the snapshot") };
    assert_eq!((request.partitions[0].fetch_offset, request.partitions[0].last_fetched_epoch), (5, 2));
    lab.answer_fetch(A, |answer| (answer.records, answer.high_watermark) = (vec![batch(5, 3, &["next"])], 6));
    lab.restart(Crash::PowerLoss);
    let log = lab.raft.log();
    assert_eq!(
        (log.log().log_start_offset(), log.end_offset(), log.high_watermark()),
        (5, 6, 5),
        "all of it is durable"
    );
}

#[test]
fn test_fetch_snapshot_response_not_found_starts_over() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 3);
    let snapshot = snapshot_id(2, 5);
    lab.answer_fetch(A, |answer| answer.snapshot_id = Some(snapshot));
    let (error, current_leader) = (ErrorCode::SnapshotNotFound, leader(Some(A), 3));
    let response = FetchSnapshotResponse { error, current_leader, snapshot, size: 0, position: 0, bytes: Bytes::new() };
    lab.answer(A, Response::FetchSnapshot(response));
    assert!(matches!(lab.last_to(A).1, Request::Fetch(_)));
}
