//! Kafka's cases about leaders, by number (`kafka-cases.md`, C): PartitionTest, ReplicaTest, ReplicaManagerTest.

use super::bench::{Bench, ID};
use super::requests::{fetch, produce};
use crate::base::BrokerId;
use crate::node::Event;
use crate::protocol::{EpochEndOffset, ErrorCode, FetchSession, Request, Response};

fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().map(|id| BrokerId(*id)).collect()
}

fn high_watermark(bench: &Bench) -> i64 {
    bench.partition().log().high_watermark()
}

#[test]
fn c1_last_fetched_offset_validation() {
    let mut bench = Bench::new(&[]);
    for (epoch, (leader_epoch, records)) in (0..).zip([(0, 2), (3, 6), (4, 5), (7, 1), (9, 3), (10, 0)]) {
        bench.register_partition(1, leader_epoch, epoch, &[1, 2], &[1, 2]);
        bench.append(records);
    }
    let diverging = [(2, 5, (0, 2)), (0, 4, (0, 2)), (6, 6, (4, 13)), (5, 9, (4, 13)), (10, 18, (10, 17))];
    for (last_epoch, offset, (epoch, end_offset)) in diverging {
        let response = bench.follower_fetch_with(2, offset, 10, last_epoch);
        assert_eq!(response.diverging_epoch, Some(EpochEndOffset { epoch, end_offset }), "({last_epoch}, {offset})");
        assert!(response.records.is_empty());
    }
    for (last_epoch, offset) in [(0, 2), (7, 14), (9, 17), (10, 17)] {
        let response = bench.follower_fetch_with(2, offset, 10, last_epoch);
        assert_eq!((response.error, response.diverging_epoch), (ErrorCode::None, None), "({last_epoch}, {offset})");
    }
    assert_eq!(bench.follower_fetch_with(2, 5, 10, 11).error, ErrorCode::OffsetOutOfRange);
}

#[test]
fn c3_high_watermark_does_not_advance_under_min_isr() {
    let mut bench = Bench::new(&[("min.insync.replicas", "3")]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2]);
    bench.append(10);
    bench.follower_fetch(2, 10);
    assert_eq!(high_watermark(&bench), 0);
    bench.follower_fetch(3, 10);
    assert_eq!(bench.wishes().len(), 1);
    assert_eq!(bench.partition().maximal_isr(), ids(&[1, 2, 3]));
    assert_eq!(high_watermark(&bench), 0, "the committed ISR is still too small");
    bench.answer_wish(ErrorCode::None, 2);
    assert_eq!(bench.partition().committed_isr(), ids(&[1, 2, 3]));
    assert_eq!(high_watermark(&bench), 10);
}

#[test]
fn c4_high_watermark_increases_with_fenced_or_shutdown_follower() {
    for (fenced, stopping, expected) in [(false, false, 10), (true, false, 20), (false, true, 20)] {
        let mut bench = Bench::new(&[]);
        bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
        bench.append(10);
        bench.follower_fetch(2, 10);
        assert_eq!(high_watermark(&bench), 10);
        bench.append(10);
        bench.register(2, fenced, stopping);
        bench.register_partition(1, 5, 2, &[1, 2], &[1]);
        assert_eq!(high_watermark(&bench), expected, "fenced {fenced}, stopping {stopping}");
    }
}

#[test]
fn c5_isr_not_expanded_if_update_fails() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1]);
    bench.append(10);
    bench.follower_fetch(2, 10);
    bench.answer_wish(ErrorCode::InvalidUpdateVersion, -1);
    assert_eq!(bench.partition().committed_isr(), ids(&[1]));
    assert_eq!(bench.partition().maximal_isr(), ids(&[1, 2]), "pending until metadata arrive");
    bench.follower_fetch(2, 10);
    assert_eq!(bench.wishes().len(), 1);
}

#[test]
fn ineligible_replica_reverts_to_the_committed_isr() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1]);
    bench.follower_fetch(2, 0);
    bench.answer_wish(ErrorCode::IneligibleReplica, -1);
    assert_eq!(bench.partition().maximal_isr(), ids(&[1]));
    bench.follower_fetch(2, 0);
    assert_eq!(bench.wishes().len(), 2, "the next fetch asks again");
    bench.answer_wish(ErrorCode::UnknownServerError, -1);
    assert_eq!(bench.wishes().len(), 3, "others are sent again");
}

#[test]
fn c7_follower_does_not_join_isr_until_caught_up_to_offset_within_current_leader_epoch() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 3]);
    bench.append(1);
    bench.follower_fetch(3, 1);
    bench.append(4);
    assert_eq!(high_watermark(&bench), 1);
    bench.register_partition(3, 6, 2, &[1, 2, 3], &[1, 3]);
    bench.register_partition(1, 7, 3, &[1, 2, 3], &[1, 3]);
    bench.append(2);
    for offset in [0, 1] {
        bench.follower_fetch(2, offset);
        assert!(bench.wishes().is_empty(), "at {offset} it has not reached the leader's epoch");
    }
    bench.follower_fetch(2, 5);
    assert_eq!(bench.partition().maximal_isr(), ids(&[1, 3, 2]));
}

#[test]
fn c8_should_not_shrink_isr_if_previous_fetch_is_caught_up() {
    let mut bench = Bench::new(&[("replica.lag.time.max.ms", "10000")]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(10);
    let t0 = bench.now;
    bench.advance(5_000);
    bench.follower_fetch(2, 5);
    bench.append(5);
    bench.advance(5_001);
    bench.follower_fetch(2, 10);
    let caught_up = bench.partition().follower_states()[0].last_caught_up_time;
    assert_eq!(caught_up.map(|time| time.since(t0).as_millis()), Some(5_000));
    assert_eq!(high_watermark(&bench), 10);
    bench.shrink();
    assert!(bench.wishes().is_empty());
    bench.advance(5_000);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 1, "but now it lags");
}

#[test]
fn c9_alter_isr_leader_and_isr_race() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(1);
    bench.advance(30_001);
    bench.shrink();
    assert_eq!((bench.wishes().len(), bench.partition().maximal_isr()), (1, &ids(&[1, 2])[..]));
    bench.register_partition(1, 5, 2, &[1, 2], &[1, 2]);
    assert_eq!(bench.partition().pending_isr(), None);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 1, "one is still in flight");
    assert_eq!(bench.partition().pending_isr(), None);
    bench.answer_wish(ErrorCode::InvalidUpdateVersion, -1);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 2);
    assert_eq!(bench.wishes()[1].partitions[0].partition_epoch, 2);
}

/// J5: ValidHighWatermark. The controller may have taken broker 3 in by now; metadata that bring what the leader has from
/// AlterPartition already say nothing of that.
#[test]
fn j5_metadata_of_an_epoch_that_is_known_leave_a_pending_expansion_alone() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2]);
    bench.append(10);
    bench.follower_fetch(2, 10);
    bench.append(10);
    bench.follower_fetch(3, 10);
    assert_eq!((bench.wishes().len(), bench.partition().maximal_isr()), (1, &ids(&[1, 2, 3])[..]));
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2]);
    bench.follower_fetch(2, 20);
    assert_eq!(high_watermark(&bench), 10, "it waits for broker 3");
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1, 2]);
    assert_eq!(bench.partition().pending_isr(), None, "news end it");
}

#[test]
fn c10_fetch_beyond_high_watermark() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(2);
    assert_eq!(bench.follower_fetch(2, 1).records.len(), 1);
    assert_eq!(high_watermark(&bench), 1, "that fetch says that record 0 is there");
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(2);
    let request = bench.fetch_partition(1);
    let response = bench.read(request, None);
    assert_eq!((response.error, response.records.len(), response.high_watermark), (ErrorCode::None, 0, 0));
}

#[test]
fn c11_follower_state_not_updated_if_log_read_fails() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(6);
    bench.follower_fetch(2, 0);
    let recorded = |bench: &Bench| bench.partition().follower_states()[0].log_end_offset;
    let response = bench.follower_fetch_with(2, 3, 4, -1);
    assert_eq!((response.error, recorded(&bench)), (ErrorCode::FencedLeaderEpoch, 0));
    let response = bench.follower_fetch_with(2, 3, 5, 3);
    assert!(response.diverging_epoch.is_some(), "{response:?}");
    assert_eq!(recorded(&bench), 0);
}

#[test]
fn c12_fetch_from_unrecognized_follower() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    assert_eq!(bench.follower_fetch_with(3, 0, 5, -1).error, ErrorCode::UnknownLeaderEpoch);
    assert_eq!(bench.follower_fetch_with(3, 0, -1, -1).error, ErrorCode::NotLeaderOrFollower);
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1, 2]);
    assert_eq!(bench.follower_fetch_with(3, 0, 5, -1).error, ErrorCode::None);
}

#[test]
fn c15_clear_purgatory_on_becoming_follower() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let waiting = bench.request(produce(ID, -1, "x"));
    assert!(bench.responses.is_empty());
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    let Some(Response::Produce(response)) = bench.responses.get(&waiting) else { panic!("not answered") };
    assert_eq!(response.partitions[0].error, ErrorCode::NotLeaderOrFollower);
    assert_eq!(response.partitions[0].current_leader.map(|leader| leader.leader), Some(BrokerId(2)));
    assert_eq!(bench.partition().log().log_end_offset(), 1, "the record stays");
    let refused = Event::ProduceRefused { partition: ID, error: ErrorCode::NotLeaderOrFollower };
    assert!(bench.events.contains(&refused));
}

#[test]
fn not_enough_replicas_before_and_after_the_append() {
    let mut bench = Bench::new(&[("min.insync.replicas", "2")]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2]);
    let after = bench.request(produce(ID, -1, "x"));
    bench.follower_fetch(2, 0);
    // The ISR shrinks to the leader while the write waits; then a follower reaches it, and it is let in.
    bench.register(2, true, false);
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1]);
    let before = bench.request(produce(ID, -1, "y"));
    let Response::Produce(response) = &bench.responses[&before] else { panic!() };
    assert_eq!(response.partitions[0].error, ErrorCode::NotEnoughReplicas);
    assert!(!bench.responses.contains_key(&after), "below the minimum ISR nothing is committed");
    assert_eq!(bench.partition().log().log_end_offset(), 1);
}

#[test]
fn acks_0_has_no_answer_and_an_error_closes_the_connection() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let good = bench.request(produce(ID, 0, "x"));
    assert!(!bench.responses.contains_key(&good));
    assert_eq!((bench.closed, bench.partition().log().log_end_offset()), (0, 1));
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    let before = bench.closed;
    bench.request(produce(ID, 0, "y"));
    assert_eq!(bench.closed, before + 1);
}

#[test]
fn the_high_watermark_in_an_answer_was_read_before_the_fetch_moved_it() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(1);
    assert_eq!(bench.follower_fetch(2, 1).high_watermark, 0);
    assert_eq!(bench.follower_fetch(2, 1).high_watermark, 1);
}

#[test]
fn an_idle_follower_counts_as_fetching_when_the_log_moves_again() {
    let mut bench = Bench::new(&[("replica.lag.time.max.ms", "10000")]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let mut request = super::requests::fetch(ID, 0, crate::protocol::FetchSession::INITIAL);
    request.replica = Some(crate::protocol::FetchReplica { id: BrokerId(2), epoch: 102 });
    request.partitions[0].current_leader_epoch = 5;
    request.max_wait = crate::base::Duration::ZERO;
    let first = bench.request(Request::Fetch(request.clone()));
    let Response::Fetch(answer) = &bench.responses[&first] else { panic!() };
    let id = answer.session_id;
    request.partitions.clear();
    for epoch in 1..=60 {
        bench.advance(500);
        request.session = crate::protocol::FetchSession { id, epoch };
        let empty = bench.request(Request::Fetch(request.clone()));
        let Response::Fetch(answer) = &bench.responses[&empty] else { panic!() };
        assert!(answer.partitions.is_empty());
    }
    bench.append(1);
    bench.advance(9_000);
    bench.shrink();
    assert!(bench.wishes().is_empty(), "it was there nine seconds ago: {:?}", bench.partition().follower_states());
    bench.advance(2_000);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 1);
}

#[test]
fn a_write_that_is_not_replicated_in_time_times_out_and_stays() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let waiting = bench.request(produce(ID, -1, "x"));
    bench.advance(29_999);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    assert!(!bench.responses.contains_key(&waiting));
    bench.advance(1);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    let Response::Produce(response) = &bench.responses[&waiting] else { panic!() };
    assert_eq!(response.partitions[0].error, ErrorCode::RequestTimedOut);
    assert_eq!(bench.partition().log().log_end_offset(), 1);
}

#[test]
fn a_fetch_waits_for_its_minimum_of_bytes() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1], &[1]);
    let one = super::requests::batch("x").size_in_bytes();
    let mut request = super::requests::fetch(ID, 0, crate::protocol::FetchSession::NONE);
    request.min_bytes = one + 1;
    let waiting = bench.request(Request::Fetch(request.clone()));
    bench.append(1);
    assert!(!bench.responses.contains_key(&waiting), "one batch is not enough");
    assert_eq!(bench.replicas.purgatory_sizes(), (0, 1));
    bench.append(1);
    let Response::Fetch(response) = &bench.responses[&waiting] else { panic!() };
    assert_eq!((response.session_id, response.partitions[0].records.len()), (0, 2));
    request.partitions[0].fetch_offset = 2;
    let late = bench.request(Request::Fetch(request));
    bench.append(1);
    bench.advance(500);
    bench.run(|replicas, _, ctx| replicas.on_purgatory_timer(ctx));
    let Response::Fetch(response) = &bench.responses[&late] else { panic!("the longest wait is over") };
    assert_eq!(response.partitions[0].records.len(), 1);
}

#[test]
fn a_parked_fetch_ends_with_leadership() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let mut request = super::requests::fetch(ID, 0, crate::protocol::FetchSession::INITIAL);
    let indifferent = bench.request(Request::Fetch(request.clone()));
    request.partitions[0].current_leader_epoch = 5;
    let waiting = bench.request(Request::Fetch(request));
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    let Response::Fetch(response) = &bench.responses[&waiting] else { panic!() };
    assert_eq!(response.partitions[0].error, ErrorCode::FencedLeaderEpoch);
    assert!(!bench.responses.contains_key(&indifferent), "a consumer that names no epoch may read from a follower");
    assert_eq!(response.partitions[0].current_leader.map(|leader| leader.epoch), Some(6));
}

#[test]
fn latest_offset_is_not_available_before_the_new_leader_has_committed() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(2);
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    bench.register_partition(1, 7, 3, &[1, 2], &[1, 2]);
    let latest = |bench: &Bench, replica| {
        let (current_leader_epoch, timestamp) = (7, crate::protocol::ListOffsetsPartition::LATEST);
        let asked = crate::protocol::ListOffsetsPartition { partition: ID, current_leader_epoch, timestamp };
        let answer =
            bench.partition().list_offset(&asked, replica, crate::base::config::IsolationLevel::ReadUncommitted);
        (answer.error, answer.offset)
    };
    assert_eq!(latest(&bench, false), (ErrorCode::OffsetNotAvailable, -1));
    assert_eq!(latest(&bench, true), (ErrorCode::None, 2), "a follower gets the log's end");
    bench.follower_fetch(2, 2);
    assert_eq!(latest(&bench, false), (ErrorCode::None, 2));
}

#[test]
fn an_isr_change_is_sent_again_after_an_error_of_the_whole_request() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1]);
    bench.follower_fetch(2, 0);
    let (_, correlation, request) = bench.sent.last().cloned().expect("a wish");
    let Request::AlterPartition(request) = request else { panic!() };
    let error = ErrorCode::StaleBrokerEpoch;
    let response = crate::protocol::AlterPartitionResponse { error, partitions: Vec::new() };
    let now = bench.now;
    bench.run(|replicas, _, ctx| {
        replicas.alter_partition.channel.answered(now, correlation, ctx.out);
        replicas.on_alter_partition(request, response, ctx);
    });
    assert_eq!(bench.wishes().len(), 1, "not at once");
    bench.run(|replicas, _, ctx| replicas.propagate(ctx));
    assert_eq!(bench.wishes().len(), 2, "but when the timer is due");
}

#[test]
fn a_fetch_past_what_may_be_read_is_answered_at_once() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(3);
    let full = FetchSession { id: 0, epoch: 0 };
    let beyond = bench.request(Request::Fetch(fetch(ID, 2, full)));
    let Some(Response::Fetch(response)) = bench.responses.get(&beyond) else {
        panic!("it stands above the high watermark, as after a failover: it does not wait")
    };
    assert_eq!((response.partitions[0].error, response.partitions[0].records.len()), (ErrorCode::None, 0));
    let at_end = bench.request(Request::Fetch(fetch(ID, 0, full)));
    assert!(!bench.responses.contains_key(&at_end), "it stands at the high watermark: it waits for news");
}

#[test]
fn special_timestamps_name_places_in_the_log() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(3);
    bench.follower_fetch(2, 3);
    let offset = |timestamp| {
        let asked = crate::protocol::ListOffsetsPartition { partition: ID, current_leader_epoch: 5, timestamp };
        let isolation = crate::base::config::IsolationLevel::ReadUncommitted;
        let answer = bench.partition().list_offset(&asked, false, isolation);
        (answer.error, answer.offset, answer.leader_epoch)
    };
    use crate::protocol::ListOffsetsPartition as At;
    assert_eq!(offset(At::EARLIEST_LOCAL), (ErrorCode::None, 0, 5));
    assert_eq!(offset(At::LATEST_TIERED), (ErrorCode::None, -1, -1));
    assert_eq!(offset(At::EARLIEST_PENDING_UPLOAD), (ErrorCode::None, -1, -1));
    let (error, largest, _) = offset(At::MAX_TIMESTAMP);
    assert!(error == ErrorCode::None && largest >= 0, "the record with the largest timestamp");
}
