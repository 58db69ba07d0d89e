//! Consumers that read from followers (KIP-392): ReplicaManagerTest's cases of preferred replicas, and what a follower serves.

use super::bench::{Bench, ID};
use super::requests::{batch, fetch};
use crate::base::BrokerId;
use crate::protocol::{ErrorCode, FetchPartitionResponse, FetchRequest, FetchSession, Request, Response};

const RACK_AWARE: (&str, &str) = ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");

/// Broker 1 leads; 1 is in rack a, 2 and 3 are in rack b. Ten records, of which both followers have all.
fn leader(settings: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::new(settings);
    for (broker, rack) in [(1, "a"), (2, "b"), (3, "b")] {
        bench.register_in(Some(rack), broker, false, false);
    }
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2, 3]);
    bench.append(10);
    bench.follower_fetch(2, 10);
    bench.follower_fetch(3, 10);
    bench
}

fn from_rack(rack: Option<&str>, offset: i64, epoch: i32) -> FetchRequest {
    let mut request = fetch(ID, offset, FetchSession::NONE);
    request.rack = rack.map(Into::into);
    request.partitions[0].current_leader_epoch = epoch;
    request
}

/// The answer to a consumer's fetch, if there is one at once.
fn consume(bench: &mut Bench, request: FetchRequest) -> Option<FetchPartitionResponse> {
    let correlation = bench.request(Request::Fetch(request));
    match bench.responses.remove(&correlation)? {
        Response::Fetch(mut response) => response.partitions.pop(),
        other => panic!("{other:?}"),
    }
}

fn preferred(bench: &mut Bench, rack: Option<&str>, offset: i64) -> i32 {
    let answer = consume(bench, from_rack(rack, offset, 5)).expect("an answer at once");
    assert_eq!(answer.error, ErrorCode::None);
    assert_eq!(answer.records.is_empty(), answer.preferred_read_replica != BrokerId::NONE, "either records or advice");
    assert_eq!(answer.high_watermark, 10);
    answer.preferred_read_replica.0
}

#[test]
fn preferred_replica_is_a_follower_in_the_consumers_rack() {
    let mut bench = leader(&[RACK_AWARE]);
    assert_eq!(preferred(&mut bench, Some("b"), 0), 3, "of two that are equal the one with the greater id");
    bench.append(1);
    bench.follower_fetch(2, 11);
    assert_eq!(preferred(&mut bench, Some("b"), 0), 2, "it has more");
    for rack in [None, Some("a"), Some("c")] {
        assert_eq!(preferred(&mut bench, rack, 0), -1, "the leader itself: {rack:?}");
    }
}

#[test]
fn without_a_selector_the_leader_serves_everybody() {
    assert_eq!(preferred(&mut leader(&[]), Some("b"), 0), -1);
}

#[test]
fn preferred_replica_is_the_leader_when_the_follower_cannot_serve() {
    // Out of the ISR: it might lag for ever.
    let mut bench = leader(&[RACK_AWARE]);
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1]);
    assert_eq!(preferred(&mut bench, Some("b"), 0), -1);
    // It does not have that offset yet.
    let mut bench = leader(&[RACK_AWARE]);
    bench.append(2);
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1, 2]);
    bench.follower_fetch(2, 11);
    let ask =
        |bench: &mut Bench| consume(bench, from_rack(Some("b"), 12, 5)).map(|answer| answer.preferred_read_replica);
    assert_eq!(ask(&mut bench), Some(BrokerId::NONE), "nobody is sent there");
    // Fenced.
    let mut bench = leader(&[RACK_AWARE]);
    bench.register_in(Some("b"), 2, true, false);
    bench.register_in(Some("b"), 3, true, false);
    assert_eq!(preferred(&mut bench, Some("b"), 0), -1);
}

#[test]
fn advice_is_for_consumers_that_know_the_leader() {
    let mut bench = leader(&[RACK_AWARE]);
    let fenced = consume(&mut bench, from_rack(Some("b"), 0, 4)).expect("an answer");
    assert_eq!((fenced.error, fenced.preferred_read_replica), (ErrorCode::FencedLeaderEpoch, BrokerId::NONE));
    let follower = bench.follower_fetch(2, 0);
    assert_eq!((follower.preferred_read_replica, follower.records.len()), (BrokerId::NONE, 10));
}

#[test]
fn a_follower_serves_consumers_up_to_its_high_watermark() {
    let mut bench = Bench::new(&[RACK_AWARE]);
    bench.register_partition(2, 5, 1, &[1, 2], &[1, 2]);
    let records = |offset| batch("x").with_offset_and_epoch(offset, 5);
    bench.leader_answers_fetch(2, |part| part.records = (0..4).map(records).collect());
    assert_eq!(bench.partition().log().log_end_offset(), 4);
    let correlation = bench.request(Request::Fetch(from_rack(Some("b"), 0, 5)));
    assert!(!bench.responses.contains_key(&correlation), "nothing is committed as far as this follower knows");
    bench.leader_answers_fetch(2, |part| part.high_watermark = 3);
    let Some(Response::Fetch(response)) = bench.responses.remove(&correlation) else { panic!("woken") };
    let answer = &response.partitions[0];
    assert_eq!((answer.records.len(), answer.high_watermark, answer.preferred_read_replica), (3, 3, BrokerId::NONE));

    let beyond = consume(&mut bench, from_rack(Some("b"), 5, 5)).expect("an answer");
    assert_eq!(beyond.error, ErrorCode::OffsetOutOfRange);
    let newer = consume(&mut bench, from_rack(Some("b"), 0, 6)).expect("an answer");
    assert_eq!(newer.error, ErrorCode::UnknownLeaderEpoch);
    let older = consume(&mut bench, from_rack(Some("b"), 0, 4)).expect("an answer");
    assert_eq!(older.error, ErrorCode::FencedLeaderEpoch);
    let another = bench.follower_fetch_with(3, 0, 5, -1);
    assert_eq!(another.error, ErrorCode::NotLeaderOrFollower, "followers fetch from the leader");
}

#[test]
fn a_consumer_that_waits_at_a_follower_hears_of_a_new_leader() {
    let mut bench = Bench::new(&[RACK_AWARE]);
    bench.register_partition(2, 5, 1, &[1, 2, 3], &[1, 2, 3]);
    let correlation = bench.request(Request::Fetch(from_rack(Some("b"), 0, 5)));
    assert!(!bench.responses.contains_key(&correlation));
    bench.register_partition(3, 6, 2, &[1, 2, 3], &[1, 3]);
    let Some(Response::Fetch(response)) = bench.responses.remove(&correlation) else { panic!("woken") };
    assert_eq!(response.partitions[0].error, ErrorCode::FencedLeaderEpoch);
}
