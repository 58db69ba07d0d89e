//! Kafka's cases about followers, by number (`kafka-cases.md`, C): AbstractFetcherThreadTest.

use super::bench::{Bench, ID};
use super::requests::batch;
use crate::base::Offset;
use crate::protocol::{
    EpochEndOffset, ErrorCode, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsResponse, Request,
    Response,
};

/// Broker 1 led in epoch 0 and wrote `records` records; now broker 2 leads in epoch 1.
fn follower_with(records: i64) -> Bench {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 0, 0, &[1, 2], &[1, 2]);
    bench.append(records);
    bench.register_partition(2, 1, 1, &[1, 2], &[1, 2]);
    bench
}

fn last_fetch(bench: &Bench) -> Option<(Offset, i32, i32)> {
    let (_, request) = bench.last_sent(2);
    let Request::Fetch(request) = request else { return None };
    let part = request.partitions.iter().find(|part| part.partition == ID)?;
    Some((part.fetch_offset, part.last_fetched_epoch, part.current_leader_epoch))
}

fn ends(bench: &Bench) -> (Offset, Offset, Offset) {
    let log = bench.partition().log();
    (log.log_start_offset(), log.high_watermark(), log.log_end_offset())
}

fn answer_probe(bench: &mut Bench, timestamp: i64, offset: Offset) {
    let (_, request) = bench.last_sent(2);
    let Request::ListOffsets(request) = request else { panic!("{request:?}") };
    assert_eq!(request.partitions[0].timestamp, timestamp);
    let (error, leader_epoch) = (ErrorCode::None, 1);
    let answer = ListOffsetsPartitionResponse { partition: ID, error, timestamp: -1, offset, leader_epoch };
    bench.leader_answers(2, Response::ListOffsets(ListOffsetsResponse { partitions: vec![answer] }));
}

#[test]
fn a_follower_starts_at_its_end_with_its_last_epoch() {
    let bench = follower_with(6);
    assert_eq!(last_fetch(&bench), Some((6, 0, 1)));
}

#[test]
fn c17_truncate_on_fetch_does_not_process_partition_data() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 0, 0, &[1, 2], &[1, 2]);
    bench.append(6);
    bench.follower_fetch(2, 1);
    bench.register_partition(2, 5, 1, &[1, 2], &[1, 2]);
    assert_eq!(ends(&bench), (0, 1, 6));
    bench.leader_answers_fetch(2, |part| {
        part.high_watermark = 3;
        part.diverging_epoch = Some(EpochEndOffset { epoch: 0, end_offset: 3 });
    });
    assert_eq!(ends(&bench), (0, 1, 3), "cut, and nothing else of that answer was used");
    assert_eq!(last_fetch(&bench), Some((3, 0, 5)));
    bench.leader_answers_fetch(2, |part| {
        part.high_watermark = 3;
        part.log_start_offset = 1;
        part.records = vec![batch("y").with_offset_and_epoch(3, 5)];
    });
    assert_eq!(ends(&bench), (1, 3, 4));
    assert_eq!(last_fetch(&bench), Some((4, 5, 5)));
}

#[test]
fn truncation_to_an_epoch_the_follower_lacks_goes_round_again() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 0, 0, &[1, 2], &[1, 2]);
    bench.append(3);
    bench.register_partition(1, 4, 1, &[1, 2], &[1, 2]);
    bench.append(3);
    bench.register_partition(2, 5, 2, &[1, 2], &[1, 2]);
    assert_eq!(last_fetch(&bench), Some((6, 4, 5)));
    // The leader has epochs 0, 2: it never saw 4.
    bench.leader_answers_fetch(2, |part| part.diverging_epoch = Some(EpochEndOffset { epoch: 2, end_offset: 5 }));
    assert_eq!(ends(&bench).2, 3, "the end of the largest epoch up to 2 that is here");
    assert_eq!(last_fetch(&bench), Some((3, 0, 5)));
}

#[test]
fn c18_follower_fetch_out_of_range_high() {
    let mut bench = follower_with(6);
    bench.leader_answers_fetch(2, |part| part.error = ErrorCode::OffsetOutOfRange);
    answer_probe(&mut bench, ListOffsetsPartition::LATEST, 4);
    assert_eq!(ends(&bench).2, 4);
    assert_eq!(last_fetch(&bench), Some((4, 0, 1)));
}

#[test]
fn c19_follower_fetch_out_of_range_low() {
    let mut bench = follower_with(2);
    bench.leader_answers_fetch(2, |part| part.error = ErrorCode::OffsetOutOfRange);
    answer_probe(&mut bench, ListOffsetsPartition::LATEST, 9);
    answer_probe(&mut bench, ListOffsetsPartition::EARLIEST, 7);
    assert_eq!(ends(&bench), (7, 7, 7));
    assert_eq!(last_fetch(&bench), Some((7, -1, 1)));
}

#[test]
fn c20_fenced_fetch() {
    let mut bench = follower_with(2);
    bench.leader_answers_fetch(2, |part| part.error = ErrorCode::FencedLeaderEpoch);
    assert!(bench.replicas.fetchers.failed().contains(&ID));
    let sent = bench.sent.len();
    bench.advance(5_000);
    bench.run(|replicas, _, ctx| replicas.on_fetcher_timer(ctx));
    let more = bench.sent[sent..].iter().any(|sent| matches!(&sent.2, Request::Fetch(f) if !f.partitions.is_empty()));
    assert!(!more, "a fenced partition waits for metadata");
    bench.register_partition(2, 2, 2, &[1, 2], &[1, 2]);
    assert!(bench.replicas.fetchers.failed().is_empty());
    let (_, request) = bench.last_sent(2);
    if let Request::Fetch(request) = &request
        && request.partitions.is_empty()
    {
        bench.leader_answers(2, empty());
    }
    assert_eq!(last_fetch(&bench), Some((2, 0, 2)));
}

#[test]
fn c20_unknown_leader_epoch_while_fetching() {
    let mut bench = follower_with(2);
    bench.leader_answers_fetch(2, |part| part.error = ErrorCode::UnknownLeaderEpoch);
    let Request::Fetch(request) = bench.last_sent(2).1 else { panic!() };
    assert_eq!((request.partitions.len(), &request.forgotten[..]), (0, &[ID][..]), "it leaves the session");
    bench.leader_answers(2, empty());
    bench.advance(999);
    bench.run(|replicas, _, ctx| replicas.on_fetcher_timer(ctx));
    assert_eq!(last_fetch(&bench), None);
    bench.advance(1);
    bench.run(|replicas, _, ctx| replicas.on_fetcher_timer(ctx));
    assert_eq!(last_fetch(&bench), Some((2, 0, 1)));
    bench.leader_answers_fetch(2, |part| part.records = vec![batch("y").with_offset_and_epoch(2, 1)]);
    assert_eq!(ends(&bench).2, 3);
}

#[test]
fn an_answer_for_a_former_epoch_is_ignored() {
    let mut bench = follower_with(2);
    let (correlation, _) = bench.last_sent(2);
    bench.register_partition(2, 2, 2, &[1, 2], &[1, 2]);
    assert_eq!(bench.last_sent(2).0, correlation, "one fetch in flight at a time");
    bench.leader_answers_fetch(2, |part| part.records = vec![batch("y").with_offset_and_epoch(2, 1)]);
    assert_eq!(ends(&bench).2, 2);
    assert_eq!(last_fetch(&bench), Some((2, 0, 2)));
}

fn empty() -> Response {
    let (error, session_id) = (ErrorCode::None, 0);
    Response::Fetch(crate::protocol::FetchResponse { error, session_id, partitions: Vec::new() })
}
